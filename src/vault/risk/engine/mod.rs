//! Engine contracts: each is asked by its own ABI profile, and its answers are put into a pool's row.

mod legacy;
mod viddhana;

use super::parameters::RiskRow;
use super::source::Engine;
use alloy::primitives::Address;
use base::Result;
use evm::{Batch, BatchReply, PinnedView};

/// The questions put to one engine within a batch: of the answers, a row with what the engine says put in.
pub(super) type RowDecoder = Box<dyn Fn(&BatchReply, RiskRow) -> Result<RiskRow>>;

/// Asks an engine for a pool; `None` where there is no contract to ask.
pub(super) fn ask(batch: &mut Batch<'_>, engine: Engine, pool: Address) -> Option<RowDecoder> {
    match engine {
        Engine::Local => None,
        Engine::Viddhana(at) => Some(viddhana::ask(batch, at, pool)),
        Engine::Legacy(at) => Some(legacy::ask(batch, at, pool)),
    }
}

/// Sees that a risk engine answers like one of its kind for a pool; a local one has no contract.
pub async fn examine(view: &PinnedView, row: &RiskRow, pool: Address) -> Result<()> {
    let mut batch = view.batch();
    let Some(asked) = ask(&mut batch, row.engine, pool) else { return Ok(()) };
    asked(&batch.send().await?, row.clone()).map(drop)
}
