//! The farm's money invariants: every planted stake is open, back or lost, and the ledger says the same.

use super::{add, amounts, each};
use crate::amount::Delta;
use crate::output::Result;
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};

type Pail = (String, i64);

/// Every planted stake is open or ended, one of the two, with the stake that was planted; and nothing else is.
pub(super) fn pails_are_accounted_for(conn: &Connection) -> Result<Vec<String>> {
    let mut found = Vec::new();
    each(
        conn,
        "SELECT p.farmer_id, p.block_index, p.stake, h.stake, o.stake FROM plantings p
         LEFT JOIN harvests h
             ON h.farmer_id = p.farmer_id AND h.block_index = p.block_index AND h.outcome <> 'failed'
         LEFT JOIN open_pails o ON o.farmer_id = p.farmer_id AND o.block_index = p.block_index
         WHERE p.outcome = 'planted'
             AND ((h.id IS NULL) = (o.stake IS NULL) OR coalesce(h.stake, o.stake) <> p.stake)",
        |row| {
            let pail = shown(&(row.get(0)?, row.get(1)?));
            let planted: String = row.get(2)?;
            let (ended, open): (Option<String>, Option<String>) = (row.get(3)?, row.get(4)?);
            found.push(match (ended, open) {
                (None, None) => format!("{pail}: {planted} planted, and neither open nor ended"),
                (Some(_), Some(_)) => format!("{pail}: both open and ended"),
                (Some(stake), None) => format!("{pail}: {planted} planted, {stake} ended"),
                (None, Some(stake)) => format!("{pail}: {planted} planted, {stake} open"),
            });
            Ok(())
        },
    )?;
    each(
        conn,
        "SELECT farmer_id, block_index FROM (
             SELECT farmer_id, block_index FROM harvests WHERE outcome <> 'failed'
             UNION ALL SELECT farmer_id, block_index FROM open_pails) x
         WHERE NOT EXISTS (SELECT 1 FROM plantings p WHERE p.farmer_id = x.farmer_id
             AND p.block_index = x.block_index AND p.outcome = 'planted')",
        |row| {
            found.push(format!("{}: open or ended without a plant", shown(&(row.get(0)?, row.get(1)?))));
            Ok(())
        },
    )?;
    Ok(found)
}

/// What is at stake for a farmer by the ledger = Σ stakes of its open pails.
pub(super) fn stakes_equal_open_pails(conn: &Connection) -> Result<Vec<String>> {
    let mut staked: BTreeMap<String, Delta> = BTreeMap::new();
    each(conn, "SELECT farmer_id, stake FROM open_pails", |row| {
        add(staked.entry(row.get(0)?).or_default(), &row.get::<_, String>(1)?)
    })?;
    let mut found = Vec::new();
    each(
        conn,
        "SELECT owner, balance FROM ledger_accounts WHERE owner_kind = 'farmer' AND purpose = 'staked'",
        |row| {
            let (farmer, balance): (String, String) = (row.get(0)?, row.get(1)?);
            let open = staked.remove(&farmer).unwrap_or_default();
            let mut held = Delta::default();
            add(&mut held, &balance)?;
            if held != open {
                found.push(format!("farmer {farmer}: {held} at stake in the ledger, {open} in open pails"));
            }
            Ok(())
        },
    )?;
    let left = staked.iter().filter(|(_, sum)| !sum.is_zero());
    found
        .extend(left.map(|(farmer, sum)| format!("farmer {farmer}: {sum} in open pails, not in the ledger")));
    Ok(found)
}

/// Each harvest has one ledger transaction, which gives back its stake and takes its reward from the mint; nothing else
/// takes from the mint.
pub(super) fn harvests_equal_credits(conn: &Connection) -> Result<Vec<String>> {
    let mut booked: BTreeMap<Pail, Vec<(i64, Delta, Delta)>> = BTreeMap::new();
    let mut moved: BTreeMap<i64, (Delta, Delta)> = BTreeMap::new();
    each(
        conn,
        "SELECT e.event_id, e.amount, a.purpose FROM ledger_entries e JOIN ledger_accounts a ON a.id = e.account_id
         WHERE a.purpose IN ('staked', 'mint')",
        |row| {
            let slot = moved.entry(row.get(0)?).or_default();
            let (amount, purpose): (String, String) = (row.get(1)?, row.get(2)?);
            add(if purpose == "mint" { &mut slot.1 } else { &mut slot.0 }, &amount)
        },
    )?;
    each(
        conn,
        "SELECT id, subject, json_extract(payload, '$.block') FROM events
         WHERE kind IN ('harvest.harvested', 'harvest.harvested_elsewhere')",
        |row| {
            let event: i64 = row.get(0)?;
            let (stake, mint) = moved.get(&event).copied().unwrap_or_default();
            booked.entry((row.get(1)?, row.get(2)?)).or_default().push((event, stake, mint));
            Ok(())
        },
    )?;
    let known: BTreeSet<i64> = booked.values().flatten().map(|(event, ..)| *event).collect();
    let mut found: Vec<String> = moved
        .iter()
        .filter(|(event, (_, mint))| !mint.is_zero() && !known.contains(event))
        .map(|(event, (_, mint))| format!("event {event}: {mint} from the mint without a harvest"))
        .collect();
    each(
        conn,
        "SELECT stake, reward, farmer_id, block_index FROM harvests
         WHERE outcome IN ('harvested', 'harvested_elsewhere')",
        |row| {
            let [stake, reward] = amounts::<2>(row, 0)?;
            let pail: Pail = (row.get(2)?, row.get(3)?);
            let want = (Delta::debit(stake), Delta::debit(reward));
            match booked.remove(&pail).unwrap_or_default().as_slice() {
                [(_, stake, mint)] if (*stake, *mint) == want => {}
                [(event, stake, mint)] => found.push(format!(
                    "{}: stake and reward are {} and {}, event {event} booked {stake} and {mint}",
                    shown(&pail),
                    want.0,
                    want.1
                )),
                events => {
                    let times = events.len();
                    found.push(format!("{}: harvested, and booked {times} times", shown(&pail)));
                }
            }
            Ok(())
        },
    )?;
    found.extend(booked.keys().map(|pail| format!("{}: booked as harvested without a harvest", shown(pail))));
    Ok(found)
}

/// Each lost stake is in the ledger's account of losses, and somebody answers for it.
pub(super) fn losses_equal_compensations(conn: &Connection) -> Result<Vec<String>> {
    let mut lost: BTreeMap<Pail, String> = BTreeMap::new();
    let mut sum = Delta::default();
    each(conn, "SELECT farmer_id, block_index, stake FROM harvests WHERE outcome = 'lost'", |row| {
        let stake: String = row.get(2)?;
        add(&mut sum, &stake)?;
        lost.insert((row.get(0)?, row.get(1)?), stake);
        Ok(())
    })?;
    let mut found = Vec::new();
    each(conn, "SELECT farmer_id, block_index, amount FROM pooler_compensations", |row| {
        let pail: Pail = (row.get(0)?, row.get(1)?);
        let amount: String = row.get(2)?;
        let stake = lost.remove(&pail);
        if stake.as_deref() != Some(&amount) {
            let stake = stake.unwrap_or_else(|| "nothing".to_owned());
            found.push(format!("{}: {stake} lost, {amount} to be compensated", shown(&pail)));
        }
        Ok(())
    })?;
    found.extend(lost.keys().map(|pail| format!("{}: lost, and nobody answers for it", shown(pail))));
    let mut held = Delta::default();
    each(
        conn,
        "SELECT balance FROM ledger_accounts WHERE owner_kind = 'chain' AND purpose = 'lost'",
        |row| add(&mut held, &row.get::<_, String>(0)?),
    )?;
    if held != sum {
        found.push(format!("losses sum to {sum}, the ledger holds {held}"));
    }
    Ok(found)
}

fn shown(pail: &Pail) -> String {
    format!("farmer {}, block {}", pail.0, pail.1)
}
