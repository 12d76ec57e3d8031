//! What a pool contract is asked and how its answers are read, by ABI profile.
//!
//! In every profile the share token is the pool contract itself: an ERC-20 with `decimals()`, `symbol()` and
//! `Transfer` logs, from which the holders are replayed. A pool that keeps its shares in another way cannot be
//! added, or fails its syncs with the drift.

mod detect;
mod erc4626;
mod figures;
mod legacy;
mod limits;
mod profile;
mod question;
pub mod sol;
mod viddhana;

pub use detect::detect;
pub use figures::Reading;
pub use limits::{Limits, MaxDeposit};
pub use profile::Abi;

use super::Pool;
use alloy::primitives::Address;
use base::Result;
use base::amount::Base;
use evm::{Batch, BatchReply, CallError, Handle, PinnedView};
use sol::{IERC20, ILegacyPool, IViddhanaPool};

/// The questions put to one pool within a batch.
#[derive(Debug)]
pub enum Asked {
    /// To a vault of EIP-4626.
    Erc4626(erc4626::Asked),
    /// To a pool of the `legacy` profile.
    Legacy(legacy::Asked),
    /// To a pool of the `viddhana` profile.
    Viddhana(viddhana::Asked),
}

/// Adds a pool's questions to a batch.
///
/// # Errors
/// `bug` for share decimals that the state does not allow.
pub fn ask(batch: &mut Batch<'_>, pool: &Pool) -> Result<Asked> {
    ask_for(batch, pool, Address::ZERO)
}

/// As [`ask`], with the largest deposit of this member where the contract makes a difference.
pub fn ask_for(batch: &mut Batch<'_>, pool: &Pool, member: Address) -> Result<Asked> {
    Ok(match pool.abi {
        Abi::Erc4626 => Asked::Erc4626(erc4626::Asked::new(batch, pool, member)?),
        Abi::Legacy => Asked::Legacy(legacy::Asked::new(batch, pool.address)),
        Abi::Viddhana => Asked::Viddhana(viddhana::Asked::new(batch, pool.address)),
    })
}

impl Asked {
    /// Reads the answers.
    ///
    /// # Errors
    /// `not_a_contract` or `reverted`, naming contract, function and block.
    pub fn read(&self, reply: &BatchReply, pool: &Pool) -> Result<Reading> {
        let figures = match self {
            Self::Erc4626(asked) => asked.read(reply, pool)?,
            Self::Legacy(asked) => asked.read(reply, pool)?,
            Self::Viddhana(asked) => asked.read(reply, pool)?,
        };
        figures.reading(pool)
    }
}

/// The question for a pool's total of shares.
#[derive(Debug, Clone, Copy)]
pub enum AskedTotal {
    /// To an ERC-20 alone.
    Supply(Handle<IERC20::totalSupplyCall>),
    /// To a pool of the `legacy` profile.
    Legacy(Handle<ILegacyPool::totalSharesCall>),
}

/// Asks for the total of shares only.
pub fn ask_total(batch: &mut Batch<'_>, pool: &Pool) -> AskedTotal {
    match pool.abi {
        Abi::Erc4626 | Abi::Viddhana => {
            AskedTotal::Supply(batch.add(pool.address, &IERC20::totalSupplyCall {}))
        }
        Abi::Legacy => AskedTotal::Legacy(batch.add(pool.address, &ILegacyPool::totalSharesCall {})),
    }
}

impl AskedTotal {
    /// The total of shares in base units.
    pub fn read(self, reply: &BatchReply, pool: &Pool) -> Result<Base> {
        let total = match self {
            Self::Supply(handle) => reply.get(handle),
            Self::Legacy(handle) => reply.get(handle),
        };
        total.map_err(|e| e.into_error(pool.abi.noun()))
    }
}

/// Reads a pool's answer to `paused()`. A vault that never had such a function is not paused; one that had it and does not
/// answer is not known to be unpaused.
pub fn read_paused(answer: Result<bool, CallError>, pool: &Pool) -> Result<bool> {
    match pool.abi {
        Abi::Erc4626 => match answer {
            Err(e) if pool.can_pause_at(e.block.number) => Err(e.into_error(pool.abi.noun())),
            answer => Ok(erc4626::paused(answer)?.unwrap_or_default()),
        },
        Abi::Legacy | Abi::Viddhana => answer.map_err(|e| e.into_error(pool.abi.noun())),
    }
}

/// The risk engine that a pool contract names; `None` where its profile has none, or it names nobody.
pub async fn risk_engine(view: &PinnedView, abi: Abi, pool: Address) -> Result<Option<Address>> {
    if abi != Abi::Viddhana {
        return Ok(None);
    }
    let mut batch = view.batch();
    let engine = batch.add(pool, &IViddhanaPool::riskEngineCall {});
    let engine = batch.send().await?.get(engine).map_err(|e| e.into_error(abi.noun()))?;
    Ok(Some(engine).filter(|engine| !engine.is_zero()))
}
