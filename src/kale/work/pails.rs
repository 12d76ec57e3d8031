//! What the chain says of our pails of the current block, noted in the state: work by another hand, what a harvest would
//! pay, how long the entries live.

use crate::chain::Who;
use crate::chain::view::{Living, View};
use crate::contract::base;
use crate::contract::forecast;
use crate::contract::{Block, Pail};
use crate::farming::Farming;
use crate::record::rows;
use base::Result;
use base::amount::Base;
use serde_json::json;
use std::collections::HashMap;

/// Work that another hand did for a farmer of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// For whom.
    pub who: Who,
    /// Ledgers from plant to work.
    pub gap: u32,
    /// Zeros.
    pub zeros: u32,
}

struct Change {
    who: Who,
    work: (u32, u32),
    foreign: bool,
    forecast: Option<Base>,
    live_until: Option<u32>,
}

/// Notes what is new, in one write, and returns the work of others.
///
/// # Errors
/// `state_error`, `state_corrupt`, `bad_reply`.
pub fn note(farming: &mut Farming<'_, '_>, view: &View) -> Result<Vec<Seen>> {
    let Some(block) = view.current() else { return Ok(Vec::new()) };
    let index = view.farm.index;
    let known: HashMap<String, rows::OpenPail> = rows::pails_in(farming.work.state.conn(), index)?
        .into_iter()
        .map(|pail| (pail.farmer.clone(), pail))
        .collect();
    let mut changes = Vec::new();
    for standing in &view.farmers {
        let (Some(pail), Some(row)) = (&standing.pail, known.get(&standing.who.id)) else { continue };
        changes.extend(change(index, block, pail, row, &standing.who)?);
    }
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    farming.write(|tx| {
        for change in &changes {
            let (who, (gap, zeros)) = (&change.who, change.work);
            rows::work_pail(tx, &who.id, index, gap, zeros)?;
            if let Some(forecast) = change.forecast {
                rows::forecast_pail(tx, &who.id, index, forecast)?;
            }
            if let Some(ledger) = change.live_until {
                rows::live_pail(tx, &who.id, index, ledger)?;
            }
            if change.foreign {
                let facts = json!({ "farmer": who.address, "block": index, "gap": gap, "zeros": zeros });
                tx.event("work.elsewhere", &who.id, &facts)?;
            }
        }
        Ok(())
    })?;
    let seen = |change: Change| Seen { who: change.who, gap: change.work.0, zeros: change.work.1 };
    Ok(changes.into_iter().filter(|change| change.foreign).map(seen).collect())
}

fn change(
    index: u32,
    block: &Block,
    living: &Living<Pail>,
    row: &rows::OpenPail,
    who: &Who,
) -> Result<Option<Change>> {
    let pail = &living.entry;
    let Some(work) = pail.gap.zip(pail.zeros) else { return Ok(None) };
    // Our own work is noted as it is confirmed: what is better than the note is somebody else's.
    let foreign = row.work.is_none_or(|(_, zeros)| zeros < work.1);
    let forecast = forecast::paid_now(index, block, pail).ok().map(base).transpose()?;
    let is_new = foreign || row.forecast != forecast || row.live_until != living.live_until;
    Ok(is_new.then(|| Change { who: who.clone(), work, foreign, forecast, live_until: living.live_until }))
}
