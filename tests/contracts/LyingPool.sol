// SPDX-License-Identifier: MIT OR Apache-2.0
// A pool of the `legacy` profile whose exchange rate and cooldown are whatever anybody says.
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {LegacyPool} from "./LegacyPool.sol";

contract LyingPool is LegacyPool {
    uint256 private _lie;

    constructor(IERC20 underlying_) LegacyPool(underlying_) {}

    /// What `exchangeRate()` answers from now on; 0 is the truth.
    function lie(uint256 rate) external {
        _lie = rate;
    }

    function exchangeRate() public view override returns (uint256) {
        return _lie == 0 ? super.exchangeRate() : _lie;
    }
}
