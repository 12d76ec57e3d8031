//! What the operator decides about a pail that no harvest can end: look at it afresh, or give it up.

use super::doubt::{is_under_way, why_gone};
use super::due::{Due, look, under_way};
use super::elsewhere::Search;
use super::sight;
use crate::alerts::{HELD, MISSING, OUT_OF_SIGHT};
use crate::chain::view::{Ask, View};
use crate::farming::Farming;
use crate::record::plan::harvest_key;
use crate::record::reason::Reason;
use crate::record::rows::{self, FarmerRow, OpenPail};
use crate::record::{loss, still};
use base::amount::Base;
use base::{Code, Error, Result, say};
use outbox::OperationState;
use rusqlite::Connection;
use serde_json::json;
use state::alert::{self, Subject};
use state::{Tx, ValuePermit};
use std::collections::HashMap;

/// A pail that is held no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// Stroops of KALE at stake.
    pub stake: Base,
    /// Why it was held.
    pub held: String,
}

impl Released {
    /// The pail as it is held. `invalid_value` where no stake is open there, or it is not held.
    pub fn of(conn: &Connection, hand: &FarmerRow, block: u32) -> Result<Self> {
        let OpenPail { stake, held, .. } = open(conn, hand, block)?;
        let held = held.ok_or_else(|| {
            let address = &hand.who.address;
            Error::new(Code::InvalidValue, format!("the pail of {address} in block {block} is not held"))
                .hint(say("run: ").run("harvest"))
        })?;
        Ok(Self { stake, held })
    }
}

/// Releases a held pail: the next harvest looks at the chain afresh. Where a harvest of ours took effect there, what it
/// minted by the chain's events is booked then. `state_changed` where it is not held any more as the operator has `seen` it.
pub fn release(tx: &Tx<'_>, network: &str, hand: &FarmerRow, block: u32, seen: &Released) -> Result<()> {
    let released = Released::of(tx.conn(), hand, block)?;
    if released != *seen {
        return Err(still::changed(format_args!("the pail is held otherwise: {}", released.held)));
    }
    let farmer = hand.who.id.as_str();
    rows::release_pail(tx, farmer, block)?;
    let key = harvest_key(network, &hand.who.address, block);
    if let Some(operation) = outbox::find(tx.conn(), &key)?
        && operation.state == OperationState::Recorded
    {
        // Nothing of it was booked; where the pail is there after all, it is harvested again.
        let why = Some("its pail was held, and released");
        outbox::end(tx, operation.id, OperationState::Recorded, OperationState::Failed, why)?;
    }
    let facts = json!({ "farmer": hand.who.address, "block": block, "held": released.held });
    tx.event("harvest.released", farmer, &facts)?;
    held_alert(tx, farmer)
}

/// A stake that is given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenOff {
    /// Stroops of KALE.
    pub stake: Base,
    /// What happened.
    pub reason: Reason,
    /// What it was lost by.
    pub cause: Reason,
}

/// Books a pail as lost that is gone from the chain and that no payment is in sight of, though the endpoint's history may
/// be too short to rule one out. Without a permit, nothing is written.
/// `conflict` where the chain still shows the pail or its payment, `not_ready` while its block is open, `outcome_unknown`
/// while its harvest is under way.
pub async fn write_off(
    farming: &mut Farming<'_, '_>,
    hand: &FarmerRow,
    block: u32,
    permit: Option<ValuePermit<'_>>,
) -> Result<WrittenOff> {
    let (due, view, search) = missing(farming, hand, block).await?;
    let (state, margin) = (&mut farming.work.state, farming.settings.work_margin);
    let (reason, cause) = why_gone(state.conn(), &due, view.at.ledger, margin)?;
    let written = WrittenOff { stake: due.pail.stake, reason, cause };
    let Some(permit) = permit else { return Ok(written) };
    let network = farming.site.network();
    state.write(permit.permit(), |tx| {
        let farmer = due.pail.farmer.as_str();
        let is_as_seen = rows::pail(tx.conn(), farmer, block)?.as_ref() == Some(&due.pail)
            && !is_under_way(tx.conn(), network, &due)?
            && why_gone(tx.conn(), &due, view.at.ledger, margin)? == (reason, cause);
        if !is_as_seen {
            return Err(still::changed(format_args!("the pail of {} was led on", hand.who.address)));
        }
        let mut facts = json!({ "farmer": hand.who.address, "block": block, "held": due.pail.held });
        match search {
            Search::Forgotten(oldest) => facts["history_from"] = oldest.into(),
            Search::Short(minted) => facts["minted"] = minted.to_string().into(),
            _ => {}
        }
        tx.event("harvest.written_off", farmer, &facts)?;
        loss::book(tx, network, &due.hand, &due.pail, reason, cause)?;
        held_alert(tx, farmer)?;
        // Where another is out of sight too, the next harvest opens it again.
        [OUT_OF_SIGHT, MISSING]
            .into_iter()
            .try_for_each(|kind| alert::edge(tx, Subject::Farm(farmer), kind, None).map(drop))
    })?;
    Ok(written)
}

/// The pail as it is recorded, the farm, and what the chain tells of its payment, which must not be that it was paid.
async fn missing(farming: &Farming<'_, '_>, hand: &FarmerRow, block: u32) -> Result<(Due, View, Search)> {
    let (conn, site) = (farming.work.state.conn(), farming.site);
    let pails = [open(conn, hand, block)?];
    let address = &hand.who.address;
    let key = harvest_key(site.network(), address, block);
    if outbox::find(conn, &key)?.is_some_and(|operation| under_way(operation.state)) {
        return Err(Error::new(Code::OutcomeUnknown, "its harvest was sent, and is not seen yet")
            .hint(say("run: ").run("harvest").say("; it settles what was sent")));
    }
    let by_id = HashMap::from([(hand.who.id.as_str(), hand)]);
    let ask = Ask { guess: rows::last_block(conn)?, ..Ask::default() };
    let looked = site.client.view(async |chain| {
        let view = View::once(site, chain, &ask).await?;
        Ok((view, look(site, chain, &pails, &by_id).await?))
    });
    let (view, mut dues) = looked.await?;
    let conflict = |what: &str, then: &'static str| {
        let why = format!("the pail of {address} in block {block} {what}");
        let hint = say(then).run("harvest").say("; where it is held: ").run("harvest").with("release");
        Error::new(Code::Conflict, why).hint(hint)
    };
    let due = dues.pop().ok_or_else(|| Error::new(Code::Bug, "a pail was looked at and is not there"))?;
    if due.chain.is_some() {
        return Err(conflict("is still on the chain", "fetch it: "));
    }
    if block >= view.farm.index {
        return Err(Error::new(Code::NotReady, format!("block {block} is still open"))
            .hint(say("wait for the next block: ").run("block")));
    }
    let asset = view.asset_contract()?;
    let mut found = sight::search(farming, asset, std::slice::from_ref(&due)).await?;
    match found.pop() {
        Some(Search::Found(paid)) => {
            Err(conflict(&format!("was paid in ledger {}, by {}", paid.ledger, paid.tx), "record it: "))
        }
        Some(search) => Ok((due, view, search)),
        None => Err(Error::new(Code::Bug, "a pail was searched for and nothing came of it")),
    }
}

fn open(conn: &Connection, hand: &FarmerRow, block: u32) -> Result<OpenPail> {
    rows::pail(conn, &hand.who.id, block)?.ok_or_else(|| {
        let why = format!("no stake of {} is open in block {block}", hand.who.address);
        let events = say("what became of it: ").run("events").with("kind").of("harvest.harvested");
        Error::new(Code::InvalidValue, why).hint(events.say(", or harvest.lost"))
    })
}

/// The alert on held pails says what is left of them.
fn held_alert(tx: &Tx<'_>, farmer: &str) -> Result<()> {
    let left = rows::held_pails(tx.conn(), farmer)?;
    let words: Vec<String> = left.iter().map(|(block, why)| format!("block {block}: {why}")).collect();
    let why = (!words.is_empty()).then(|| words.join(", "));
    alert::edge(tx, Subject::Farm(farmer), HELD, why.as_deref()).map(drop)
}
