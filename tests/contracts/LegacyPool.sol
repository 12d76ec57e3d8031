// SPDX-License-Identifier: MIT OR Apache-2.0
// A pool of the `legacy` profile. Its shares are an ERC-20; it has no `asset()` and no `totalAssets()`.
pragma solidity ^0.8.24;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

contract LegacyPool is ERC20 {
    IERC20 public immutable underlying;
    bool public paused;
    uint256 public minDepositAmount;
    uint256 public maxDepositAmount;
    uint256 public withdrawalCooldownSeconds;

    constructor(IERC20 underlying_) ERC20("Legacy Pool Share", "LPS") {
        underlying = underlying_;
    }

    function totalValueLocked() public view returns (uint256) {
        return underlying.balanceOf(address(this));
    }

    function totalShares() external view returns (uint256) {
        return totalSupply();
    }

    /// Assets for one share, scaled by 1e18.
    function exchangeRate() public view virtual returns (uint256) {
        uint256 shares = totalSupply();
        return shares == 0 ? 1e18 : Math.mulDiv(totalValueLocked(), 1e18, shares);
    }

    function deposit(uint256 assets) external {
        require(!paused, "paused");
        uint256 supply = totalSupply();
        uint256 shares = supply == 0 ? assets : Math.mulDiv(assets, supply, totalValueLocked());
        SafeERC20.safeTransferFrom(underlying, msg.sender, address(this), assets);
        _mint(msg.sender, shares);
    }

    function withdraw(uint256 shares) external {
        require(!paused, "paused");
        uint256 assets = Math.mulDiv(shares, totalValueLocked(), totalSupply());
        _burn(msg.sender, shares);
        SafeERC20.safeTransfer(underlying, msg.sender, assets);
    }

    function setPaused(bool on) external {
        paused = on;
    }

    function setLimits(uint256 minDeposit, uint256 maxDeposit, uint256 cooldownSeconds) external {
        minDepositAmount = minDeposit;
        maxDepositAmount = maxDeposit;
        withdrawalCooldownSeconds = cooldownSeconds;
    }
}
