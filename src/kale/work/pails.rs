//! What the chain says of our pails of the current block, noted in the state: work by another hand, what a harvest would
//! pay, how long the entries live.

use crate::chain::Who;
use crate::chain::view::{Living, Standing, View};
use crate::contract::{base, forecast};
use crate::farming::{Farming, code};
use crate::record::loss;
use crate::record::rows::{self, OpenPail};
use base::Result;
use serde_json::json;
use std::collections::HashMap;

/// Notes what is new, in one write, and returns the work of others: for whom, and its zeros.
pub fn note(farming: &mut Farming<'_, '_>, view: &View) -> Result<Vec<(Who, u32)>> {
    code::watch(farming, view)?;
    let Some(block) = view.current() else { return Ok(Vec::new()) };
    let index = view.farm.index;
    let known: HashMap<String, OpenPail> = rows::pails_in(farming.work.state.conn(), index)?
        .into_iter()
        .map(|pail| (pail.farmer.clone(), pail))
        .collect();
    let mut changes = Vec::new();
    for Standing { who, pail, .. } in &view.farmers {
        let (Some(Living { entry, live_until }), Some(row)) = (pail, known.get(&who.id)) else { continue };
        let Some(work) = entry.gap.zip(entry.zeros) else { continue };
        let is_better = row.work.is_none_or(|(_, zeros)| zeros < work.1);
        let forecast = forecast::paid_now(index, block, entry).ok().map(base).transpose()?;
        if is_better || row.forecast != forecast || row.live_until != *live_until {
            changes.push((who, work, forecast, *live_until));
        }
    }
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    farming.write(|tx| {
        let mut foreign = Vec::new();
        for (who, (gap, zeros), forecast, live_until) in changes {
            // Our own work is noted as it is confirmed: what is better than the note is somebody else's.
            if loss::worked(tx, &who.id, index, gap, zeros)? {
                let facts = json!({ "farmer": who.address, "block": index, "gap": gap, "zeros": zeros });
                tx.event("work.elsewhere", &who.id, &facts)?;
                foreign.push((who.clone(), zeros));
            }
            if let Some(forecast) = forecast {
                rows::forecast_pail(tx, &who.id, index, forecast)?;
            }
            if let Some(ledger) = live_until {
                rows::live_pail(tx, &who.id, index, ledger)?;
            }
        }
        Ok(foreign)
    })
}
