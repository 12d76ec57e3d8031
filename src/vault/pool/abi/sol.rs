//! The Solidity interfaces of pools and their tokens.
//!
//! Sources: EIP-20, EIP-4626, OpenZeppelin `Pausable`; the `legacy` and `viddhana` pool contracts.
#![allow(missing_docs, reason = "the names are the contracts' own")]

use alloy::primitives::B256;

alloy::sol! {
    interface IERC20 {
        event Transfer(address indexed from, address indexed to, uint256 value);
        function symbol() external view returns (string);
        function decimals() external view returns (uint8);
        function totalSupply() external view returns (uint256);
        function balanceOf(address account) external view returns (uint256);
    }

    interface IERC4626 {
        function asset() external view returns (address);
        function totalAssets() external view returns (uint256);
        function convertToAssets(uint256 shares) external view returns (uint256);
        function maxDeposit(address receiver) external view returns (uint256);
    }

    interface IPausable {
        event Paused(address account);
        event Unpaused(address account);
        function paused() external view returns (bool);
    }

    interface ILegacyPool {
        function totalValueLocked() external view returns (uint256);
        function totalShares() external view returns (uint256);
        function exchangeRate() external view returns (uint256);
        function minDepositAmount() external view returns (uint256);
        function maxDepositAmount() external view returns (uint256);
        function withdrawalCooldownSeconds() external view returns (uint256);
    }

    interface IViddhanaPool {
        function exchangeRate() external view returns (uint256);
        function minDepositAmount() external view returns (uint256);
        function withdrawalCooldown() external view returns (uint256);
        function riskEngine() external view returns (address);
    }
}

/// Topic 0 of `Transfer(address,address,uint256)` (EIP-20).
pub const fn transfer_topic() -> B256 {
    <IERC20::Transfer as alloy::sol_types::SolEvent>::SIGNATURE_HASH
}
