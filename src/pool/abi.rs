//! What a pool contract is asked, by ABI profile.
//!
//! Sources: EIP-4626 for `erc4626`; OpenZeppelin `Pausable` for the optional `paused()`.

use super::Pool;
use crate::amount::{Base, SCALE_E18, mul_div, pow10};
use crate::evm::{Batch, BatchReply, CallError, CallFault, Handle};
use crate::output::{Code, Error, Result};
use alloy::primitives::{Address, U256};

/// The Solidity interfaces.
#[allow(missing_docs, reason = "the names are the contracts' own")]
pub mod sol {
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
            function paused() external view returns (bool);
        }
    }
}
use sol::{IERC20, IERC4626, IPausable};

/// Which functions a pool contract has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abi {
    /// EIP-4626 tokenized vault.
    Erc4626,
}

impl Abi {
    /// Every profile, for help and errors.
    pub const ALL: &[Self] = &[Self::Erc4626];

    /// The word used on the command line and in the state.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Erc4626 => "erc4626",
        }
    }

    /// Reads the word.
    ///
    /// # Errors
    /// `invalid_value` listing the profiles there are.
    pub fn parse(word: &str) -> Result<Self> {
        Self::ALL.iter().copied().find(|abi| abi.word() == word).ok_or_else(|| {
            let all: Vec<&str> = Self::ALL.iter().map(|abi| abi.word()).collect();
            Error::new(Code::InvalidValue, format!("\"{word}\" is no ABI profile"))
                .hint(format!("there are: {}", all.join(", ")))
        })
    }
}

/// A pool's figures at one block, in base units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// TVL, asset base units.
    pub total_assets: Base,
    /// Shares, share base units.
    pub total_shares: Base,
    /// Assets per share in whole units, 18 decimals.
    pub rate_e18: Base,
    /// Whether it is paused; `None` where the contract cannot be paused.
    pub paused: Option<bool>,
    /// Largest deposit, asset base units; `None` = unlimited.
    pub max_deposit: Option<Base>,
}

/// The questions put to one pool within a batch.
#[derive(Debug)]
pub struct Asked {
    total_assets: Handle<IERC4626::totalAssetsCall>,
    total_shares: Handle<IERC20::totalSupplyCall>,
    per_share: Handle<IERC4626::convertToAssetsCall>,
    max_deposit: Handle<IERC4626::maxDepositCall>,
    paused: Handle<IPausable::pausedCall>,
}

/// Adds a pool's questions to a batch.
///
/// # Errors
/// `bug` for share decimals that the state does not allow.
pub fn ask(batch: &mut Batch<'_>, pool: &Pool) -> Result<Asked> {
    let to = pool.address;
    Ok(Asked {
        total_assets: batch.add(to, &IERC4626::totalAssetsCall {}),
        total_shares: batch.add(to, &IERC20::totalSupplyCall {}),
        per_share: batch.add(to, &IERC4626::convertToAssetsCall { shares: scale(pool.share_decimals)? }),
        max_deposit: batch.add(to, &IERC4626::maxDepositCall { receiver: Address::ZERO }),
        paused: batch.add(to, &IPausable::pausedCall {}),
    })
}

impl Asked {
    /// Reads the answers.
    ///
    /// # Errors
    /// `not_a_contract` or `reverted`, naming contract, function and block.
    pub fn read(&self, reply: &BatchReply, pool: &Pool) -> Result<Reading> {
        let vault = |e: CallError| e.into_error("vault");
        let per_share = reply.get(self.per_share).map_err(vault)?;
        let rate_e18 = mul_div(per_share, SCALE_E18, scale(pool.asset.decimals)?).ok_or_else(|| {
            Error::new(
                Code::NotAContract,
                format!("vault {}: its exchange rate passes 256 bits", pool.address),
            )
        })?;
        // EIP-4626: 2^256-1 stands for no limit. A vault may not answer while it is paused.
        let max_deposit =
            reply.get_optional(self.max_deposit).map_err(vault)?.filter(|max| *max != U256::MAX);
        let paused = optional_paused(reply, self.paused)?;
        Ok(Reading {
            total_assets: reply.get(self.total_assets).map_err(vault)?,
            total_shares: reply.get(self.total_shares).map_err(vault)?,
            rate_e18,
            paused,
            max_deposit,
        })
    }
}

/// What paying a pool's holders depends on.
#[derive(Debug)]
pub struct AskedHolders {
    total_shares: Handle<IERC20::totalSupplyCall>,
    paused: Handle<IPausable::pausedCall>,
}

/// Asks for total shares and pause only.
pub fn ask_holders(batch: &mut Batch<'_>, pool: &Pool) -> AskedHolders {
    AskedHolders {
        total_shares: batch.add(pool.address, &IERC20::totalSupplyCall {}),
        paused: batch.add(pool.address, &IPausable::pausedCall {}),
    }
}

impl AskedHolders {
    /// (paused, total shares in base units). A vault that cannot be paused is not.
    ///
    /// # Errors
    /// As [`Asked::read`].
    pub fn read(&self, reply: &BatchReply) -> Result<(bool, Base)> {
        let total_shares = reply.get(self.total_shares).map_err(|e| e.into_error("vault"))?;
        Ok((optional_paused(reply, self.paused)?.unwrap_or_default(), total_shares))
    }
}

fn optional_paused(reply: &BatchReply, paused: Handle<IPausable::pausedCall>) -> Result<Option<bool>> {
    match reply.get_optional(paused) {
        Ok(paused) => Ok(paused),
        // A fallback that answers something else: there is no such function.
        Err(e) if matches!(*e.fault, CallFault::WrongLength { .. } | CallFault::Malformed(_)) => Ok(None),
        Err(e) => Err(e.into_error("vault")),
    }
}

fn scale(decimals: u8) -> Result<U256> {
    pow10(decimals).ok_or_else(|| Error::new(Code::Bug, format!("{decimals} decimals")))
}
