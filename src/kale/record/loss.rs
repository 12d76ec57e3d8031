//! A stake that is lost: what the records say it was lost by, and its booking; and one that will be, with its alert.

use super::accounting;
use super::reason::Reason;
use super::rows::{self, FarmerRow, HarvestRow, OpenPail, Trace};
use crate::alerts::{LOST, MISSED};
use crate::contract::DECIMALS;
use base::Result;
use base::amount::{Base, to_people};
use rusqlite::Connection;
use serde_json::json;
use state::Tx;
use state::alert::{self, Subject};
use std::collections::BTreeMap;

/// Why a pail was never worked, from the records; `due` is when its block could roll over, `margin` the time before that
/// in which work is no longer begun.
pub fn why_not_worked(conn: &Connection, pail: &OpenPail, due: u64, margin: u64) -> Result<Reason> {
    if pail.planted_time.is_some_and(|planted| planted.saturating_add(margin) >= due) {
        return Ok(Reason::PlantedLate);
    }
    let failures = rows::work_failures(conn, &pail.farmer, pail.block)?;
    let tries = failures.iter().map(|word| Reason::of_word(word).unwrap_or(Reason::Other));
    if let Some(cause) = Reason::cause(tries) {
        return Ok(cause);
    }
    Ok(if rows::has_nonce(conn, &pail.farmer, pail.block)? { Reason::TooLate } else { Reason::NoNonce })
}

/// Books a lost stake: the row, the ledger, who answers for it, and the end of the pail. `reason` stands in the harvest's
/// row, `cause` says whose fault it is. False where no such pail is open any more: it has had its end.
pub fn book(
    tx: &Tx<'_>,
    network: &str,
    hand: &FarmerRow,
    pail: &OpenPail,
    reason: Reason,
    cause: Reason,
) -> Result<bool> {
    let row = HarvestRow {
        farmer: &pail.farmer,
        block: pail.block,
        outcome: "lost",
        stake: pail.stake,
        reward: Base::ZERO,
        forecast: pail.forecast,
    };
    let trace = Trace { reason: Some(reason.as_str()), ..Trace::default() };
    if rows::pail(tx.conn(), &pail.farmer, pail.block)?.is_none() || !rows::harvest(tx, &row, &trace)? {
        return Ok(false);
    }
    let facts = json!({
        "farmer": hand.who.address, "block": pail.block, "stake": pail.stake.to_string(),
        "reason": reason.as_str(), "cause": cause.as_str(), "fault": cause.blame(), "pooler": hand.pooler,
    });
    let event = tx.event("harvest.lost", &pail.farmer, &facts)?;
    tx.post(event, &accounting::forfeited(network, &pail.farmer, pail.stake))?;
    rows::compensation(tx, hand, pail.block, pail.stake, cause)?;
    rows::close_pail(tx, &pail.farmer, pail.block)?;
    missed_alert(tx, &pail.farmer)?;
    if pail.stake > Base::ZERO {
        let why = format!(
            "block {}: a stake of {} KALE is lost: {reason}, by {cause}",
            pail.block,
            to_people(pail.stake, DECIMALS)
        );
        alert::edge(tx, Subject::Farm(&pail.farmer), LOST, Some(&why))?;
    }
    Ok(true)
}

/// Notes that the block of a pail has ended without work. False where that is known, or nothing will be lost by it.
pub fn miss(tx: &Tx<'_>, farmer: &str, block: u32) -> Result<bool> {
    let is_new = rows::miss_pail(tx, farmer, block)?;
    if is_new {
        missed_alert(tx, farmer)?;
    }
    Ok(is_new)
}

/// Notes work in a pail, whoever did it; false where it is no better than what is noted.
pub fn worked(tx: &Tx<'_>, farmer: &str, block: u32, gap: u32, zeros: u32) -> Result<bool> {
    let is_better = rows::work_pail(tx, farmer, block, gap, zeros)?;
    if is_better {
        missed_alert(tx, farmer)?;
    }
    Ok(is_better)
}

/// The alert on a farmer's stakes that will be lost says which are left.
pub(super) fn missed_alert(tx: &Tx<'_>, farmer: &str) -> Result<()> {
    let why = missed_words(&rows::missed_of(tx.conn(), farmer)?);
    alert::edge(tx, Subject::Farm(farmer), MISSED, why.as_deref()).map(drop)
}

fn missed_words(pails: &[OpenPail]) -> Option<String> {
    let word = |pail: &OpenPail| format!("block {}: {} KALE", pail.block, to_people(pail.stake, DECIMALS));
    let words: Vec<String> = pails.iter().map(word).collect();
    (!words.is_empty()).then(|| {
        format!("no work got in before the block ended, and the stake will be lost: {}", words.join(", "))
    })
}

/// The farmers (row ids) whose stakes will be lost at `now`, seconds since 1970, which no run has seen so far, and why.
pub fn unseen(conn: &Connection, now: i64) -> Result<Vec<(String, String)>> {
    let mut of: BTreeMap<String, Vec<OpenPail>> = BTreeMap::new();
    for pail in rows::missed_pails(conn, now)? {
        of.entry(pail.farmer.clone()).or_default().push(pail);
    }
    of.retain(|_, pails| pails.iter().all(|pail| pail.missed_at.is_none()));
    Ok(of.into_iter().filter_map(|(farmer, pails)| Some((farmer, missed_words(&pails)?))).collect())
}

/// Takes a loss back: the pail is seen again, as `pail` says, and is open once more. Returns whether one was booked.
pub fn take_back(tx: &Tx<'_>, network: &str, hand: &FarmerRow, pail: &OpenPail) -> Result<bool> {
    let (farmer, block, stake) = (pail.farmer.as_str(), pail.block, pail.stake);
    if !rows::unlose(tx, farmer, block)? {
        return Ok(false);
    }
    let row = HarvestRow { farmer, block, outcome: "failed", stake, reward: Base::ZERO, forecast: None };
    let trace = Trace { reason: Some(Reason::LossReversed.as_str()), ..Trace::default() };
    rows::harvest(tx, &row, &trace)?;
    let facts = json!({
        "farmer": hand.who.address, "block": block, "stake": stake.to_string(), "zeros": pail.work.map(|(_, zeros)| zeros),
    });
    let event = tx.event("harvest.loss_reversed", farmer, &facts)?;
    tx.post(event, &accounting::found_again(network, farmer, stake))?;
    rows::open_pail(tx, pail)?;
    alert::edge(tx, Subject::Farm(farmer), LOST, None)?;
    Ok(true)
}
