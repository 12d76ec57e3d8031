// SPDX-License-Identifier: MIT OR Apache-2.0
// A vault that takes a fee off what it says shares are worth.
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Vault} from "@sandbox/Vault.sol";

contract FeeVault is Vault {
    uint256 private immutable _fee;

    /// `fee` in millionths.
    constructor(IERC20 asset_, uint256 fee) Vault(asset_, "Fee Vault", "fv", 0, msg.sender) {
        _fee = fee;
    }

    function _convertToAssets(uint256 shares, Math.Rounding rounding) internal view override returns (uint256) {
        uint256 assets = (totalAssets() + 1) * (1_000_000 - _fee);
        return Math.mulDiv(shares, assets, (totalSupply() + 1) * 1_000_000, rounding);
    }
}
