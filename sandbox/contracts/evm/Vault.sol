// SPDX-License-Identifier: MIT OR Apache-2.0
// OpenZeppelin's ERC-4626 vault, pausable, with a deposit cap and a way to lose assets.
pragma solidity ^0.8.24;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

contract Vault is ERC4626, Pausable, Ownable {
    uint8 private immutable _offset;
    /// Most assets the vault takes in all; the largest number means no cap.
    uint256 public depositCap = type(uint256).max;

    /// `offset` is added to the asset's decimals to give the decimals of the shares.
    constructor(IERC20 asset_, string memory name_, string memory symbol_, uint8 offset, address owner_)
        ERC20(name_, symbol_)
        ERC4626(asset_)
        Ownable(owner_)
    {
        _offset = offset;
    }

    function pause() external onlyOwner {
        _pause();
    }

    function unpause() external onlyOwner {
        _unpause();
    }

    function setDepositCap(uint256 cap) external onlyOwner {
        depositCap = cap;
    }

    /// Moves assets to the owner: every share is worth less afterwards.
    function loss(uint256 assets) external onlyOwner {
        SafeERC20.safeTransfer(IERC20(asset()), owner(), assets);
    }

    // ERC-4626: the limits are 0 while deposits or withdrawals are switched off.

    function maxDeposit(address) public view override returns (uint256) {
        if (paused()) return 0;
        if (depositCap == type(uint256).max) return depositCap;
        uint256 total = totalAssets();
        return depositCap > total ? depositCap - total : 0;
    }

    function maxMint(address receiver) public view override returns (uint256) {
        uint256 assets = maxDeposit(receiver);
        return assets == type(uint256).max ? assets : convertToShares(assets);
    }

    function maxWithdraw(address holder) public view override returns (uint256) {
        return paused() ? 0 : super.maxWithdraw(holder);
    }

    function maxRedeem(address holder) public view override returns (uint256) {
        return paused() ? 0 : super.maxRedeem(holder);
    }

    function _update(address from, address to, uint256 shares) internal override whenNotPaused {
        super._update(from, to, shares);
    }

    function _decimalsOffset() internal view override returns (uint8) {
        return _offset;
    }
}
