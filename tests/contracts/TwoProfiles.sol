// SPDX-License-Identifier: MIT OR Apache-2.0
// A pool that answers every function of two profiles, `legacy` and `viddhana`.
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {LegacyPool} from "./LegacyPool.sol";

contract TwoProfiles is LegacyPool {
    constructor(IERC20 underlying_) LegacyPool(underlying_) {}

    function asset() external view returns (address) {
        return address(underlying);
    }

    function totalAssets() external view returns (uint256) {
        return totalValueLocked();
    }

    function withdrawalCooldown() external view returns (uint256) {
        return withdrawalCooldownSeconds;
    }

    function riskEngine() external pure returns (address) {
        return address(0);
    }
}
