//! What the chain says of our pails of the current block, noted in the state: work by another hand, what a harvest would
//! pay, how long the entries live.

use crate::chain::Who;
use crate::chain::view::{Living, Standing, View};
use crate::contract::{base, forecast};
use crate::farming::Farming;
use crate::record::rows::{self, OpenPail};
use base::Result;
use serde_json::json;
use std::collections::HashMap;

/// Notes what is new, in one write, and returns the work of others: for whom, and its zeros.
pub fn note(farming: &mut Farming<'_, '_>, view: &View) -> Result<Vec<(Who, u32)>> {
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
        // Our own work is noted as it is confirmed: what is better than the note is somebody else's.
        let foreign = row.work.is_none_or(|(_, zeros)| zeros < work.1);
        let forecast = forecast::paid_now(index, block, entry).ok().map(base).transpose()?;
        if foreign || row.forecast != forecast || row.live_until != *live_until {
            changes.push((who, work, foreign, forecast, *live_until));
        }
    }
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    farming.write(|tx| {
        for (who, (gap, zeros), foreign, forecast, live_until) in &changes {
            rows::work_pail(tx, &who.id, index, *gap, *zeros)?;
            if let Some(forecast) = forecast {
                rows::forecast_pail(tx, &who.id, index, *forecast)?;
            }
            if let Some(ledger) = live_until {
                rows::live_pail(tx, &who.id, index, *ledger)?;
            }
            if *foreign {
                let facts = json!({ "farmer": who.address, "block": index, "gap": gap, "zeros": zeros });
                tx.event("work.elsewhere", &who.id, &facts)?;
            }
        }
        Ok(())
    })?;
    let foreign = changes.into_iter().filter(|(_, _, foreign, ..)| *foreign);
    Ok(foreign.map(|(who, (_, zeros), ..)| (who.clone(), zeros)).collect())
}
