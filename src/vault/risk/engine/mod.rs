//! Engine contracts: each is asked by its own ABI profile, and its answers are put into a pool's row.

mod legacy;
mod viddhana;

use super::parameters::RiskRow;
use super::source::Engine;
use alloy::primitives::Address;
use base::Result;
use evm::{Batch, BatchReply, PinnedView};

/// The questions put to one engine within a batch.
pub(super) enum Asked {
    Viddhana(viddhana::Asked),
    Legacy(legacy::Asked),
}

impl Asked {
    /// Asks an engine for a pool; `None` where there is no contract to ask.
    pub(super) fn new(batch: &mut Batch<'_>, engine: Engine, pool: Address) -> Option<Self> {
        match engine {
            Engine::Local => None,
            Engine::Viddhana(at) => Some(Self::Viddhana(viddhana::Asked::new(batch, at, pool))),
            Engine::Legacy(at) => Some(Self::Legacy(legacy::Asked::new(batch, at, pool))),
        }
    }

    /// The row with what the engine says put in.
    ///
    /// # Errors
    /// `not_a_contract` or `reverted`, naming contract, function and block; `missing_setting` where the engine does
    /// not know the pool.
    pub(super) fn read(&self, reply: &BatchReply, row: RiskRow) -> Result<RiskRow> {
        match self {
            Self::Viddhana(asked) => asked.read(reply, row),
            Self::Legacy(asked) => asked.read(reply, row),
        }
    }
}

/// Sees that a risk engine answers like one of its kind for a pool; a local one has no contract.
///
/// # Errors
/// `not_a_contract`, `reverted`, `missing_setting` for a pool that the engine does not know; those of a broken view.
pub async fn examine(view: &PinnedView, row: &RiskRow, pool: Address) -> Result<()> {
    let mut batch = view.batch();
    let Some(asked) = Asked::new(&mut batch, row.engine, pool) else { return Ok(()) };
    let reply = batch.send().await?;
    asked.read(&reply, row.clone()).map(drop)
}
