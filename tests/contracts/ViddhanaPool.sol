// SPDX-License-Identifier: MIT OR Apache-2.0
// A pool of the `viddhana` profile. Its shares are an ERC-20; it has no `convertToAssets()`.
pragma solidity ^0.8.24;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

contract ViddhanaPool is ERC20 {
    IERC20 public immutable asset;
    address public immutable riskEngine;
    bool public paused;
    uint256 public minDepositAmount;
    uint256 public withdrawalCooldown;

    constructor(IERC20 asset_, address riskEngine_) ERC20("Viddhana Pool Share", "VPS") {
        asset = asset_;
        riskEngine = riskEngine_;
    }

    function totalAssets() public view returns (uint256) {
        return asset.balanceOf(address(this));
    }

    /// Assets for one share, scaled by 1e18.
    function exchangeRate() external view returns (uint256) {
        uint256 shares = totalSupply();
        return shares == 0 ? 1e18 : Math.mulDiv(totalAssets(), 1e18, shares);
    }

    function deposit(uint256 assets) external {
        require(!paused, "paused");
        uint256 supply = totalSupply();
        uint256 shares = supply == 0 ? assets : Math.mulDiv(assets, supply, totalAssets());
        SafeERC20.safeTransferFrom(asset, msg.sender, address(this), assets);
        _mint(msg.sender, shares);
    }

    function withdraw(uint256 shares) external {
        require(!paused, "paused");
        uint256 assets = Math.mulDiv(shares, totalAssets(), totalSupply());
        _burn(msg.sender, shares);
        SafeERC20.safeTransfer(asset, msg.sender, assets);
    }

    function setPaused(bool on) external {
        paused = on;
    }

    function setLimits(uint256 minDeposit, uint256 cooldownSeconds) external {
        minDepositAmount = minDeposit;
        withdrawalCooldown = cooldownSeconds;
    }
}
