//! What a pool contract is asked and how its answers are read, by ABI profile.
//!
//! In every profile the share token is the pool contract itself: an ERC-20 with `decimals()`, `symbol()` and
//! `Transfer` logs, from which the holders are replayed. A pool that keeps its shares in another way cannot be
//! added, or fails its syncs with the drift.

mod detect;
mod erc4626;
mod figures;
mod legacy;
mod profile;
mod question;
pub mod sol;
mod viddhana;

pub use detect::detect;
pub use figures::{FigureReader, Reading};
pub use profile::{Abi, Limits, MaxDeposit};

use super::Pool;
use alloy::primitives::Address;
use base::Result;
use base::amount::Base;
use evm::{Batch, BatchReply, CallError, PinnedView};
use question::Read;
use sol::{IERC20, ILegacyPool, IViddhanaPool};

/// Adds a pool's questions to a batch.
pub fn ask(batch: &mut Batch<'_>, pool: &Pool) -> Result<FigureReader> {
    ask_for(batch, pool, Address::ZERO)
}

/// As [`ask`], with the largest deposit of this member where the contract makes a difference.
pub fn ask_for(batch: &mut Batch<'_>, pool: &Pool, member: Address) -> Result<FigureReader> {
    match pool.abi {
        Abi::Erc4626 => erc4626::ask(batch, pool, member),
        Abi::Legacy => Ok(legacy::ask(batch, pool.address)),
        Abi::Viddhana => Ok(viddhana::ask(batch, pool.address)),
    }
}

/// Asks for the total of shares only, in base units.
pub fn ask_total(batch: &mut Batch<'_>, pool: &Pool) -> impl Fn(&BatchReply) -> Result<Base> + use<> {
    let (abi, to) = (pool.abi, pool.address);
    let read: Box<Read<Base>> = match abi {
        Abi::Erc4626 | Abi::Viddhana => {
            let supply = batch.add(to, &IERC20::totalSupplyCall {});
            Box::new(move |reply| reply.get(supply))
        }
        Abi::Legacy => {
            let total = batch.add(to, &ILegacyPool::totalSharesCall {});
            Box::new(move |reply| reply.get(total))
        }
    };
    move |reply| read(reply).map_err(|e| e.into_error(abi.noun()))
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
