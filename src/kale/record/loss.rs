//! A stake that is lost: what the records say it was lost by, and its booking.

use super::accounting;
use super::reason::Reason;
use super::rows::{self, FarmerRow, HarvestRow, OpenPail, Trace};
use crate::alerts::LOST;
use crate::contract::DECIMALS;
use base::Result;
use base::amount::{Base, to_people};
use rusqlite::Connection;
use serde_json::json;
use state::Tx;
use state::alert::{self, Subject};

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
