//! The farm's money invariants: every planted stake is open, back or lost, and the ledger says the same.

use super::groups::{Groups, side_by_side};
use super::{add, each};
use base::amount::Delta;
use base::{Result, counted};
use rusqlite::{Connection, Statement};
use state::columns::{at, stored};
use state::rows::{self, Row};
use std::collections::BTreeMap;

type Pail = (String, i64);

/// Every planted stake is open or ended, one of the two, with the stake that was planted; and nothing else is.
pub(super) fn pails_are_accounted_for(conn: &Connection) -> Result<Vec<String>> {
    let mut found = Vec::new();
    each(
        conn,
        "SELECT p.farmer_id, p.block_index, p.stake, h.stake AS ended, o.stake AS open FROM plantings p
         LEFT JOIN harvests h
             ON h.farmer_id = p.farmer_id AND h.block_index = p.block_index AND h.outcome <> 'failed'
         LEFT JOIN open_pails o ON o.farmer_id = p.farmer_id AND o.block_index = p.block_index
         WHERE p.outcome = 'planted'
             AND ((h.id IS NULL) = (o.stake IS NULL) OR coalesce(h.stake, o.stake) <> p.stake)",
        |row| {
            let pail = shown(&pail(row)?);
            let planted: String = row.get("stake")?;
            let (ended, open): (Option<String>, Option<String>) = (row.get("ended")?, row.get("open")?);
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
            found.push(format!("{}: open or ended without a plant", shown(&pail(row)?)));
            Ok(())
        },
    )?;
    Ok(found)
}

/// What is at stake for a farmer by the ledger = Σ stakes of its open pails.
pub(super) fn stakes_equal_open_pails(conn: &Connection) -> Result<Vec<String>> {
    let mut staked: BTreeMap<String, Delta> = BTreeMap::new();
    each(conn, "SELECT farmer_id, stake FROM open_pails", |row| {
        add(staked.entry(row.get("farmer_id")?).or_default(), at(row, "stake")?)
    })?;
    let mut found = Vec::new();
    each(
        conn,
        "SELECT owner, balance FROM ledger_accounts WHERE owner_kind = 'farmer' AND purpose = 'staked'",
        |row| {
            let farmer: String = row.get("owner")?;
            let open = staked.remove(&farmer).unwrap_or_default();
            let held: Delta = at(row, "balance")?;
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
/// takes from the mint. Two ordered cursors are merged: memory does not grow with the number of harvests.
pub(super) fn harvests_equal_credits(conn: &Connection) -> Result<Vec<String>> {
    let mut found = strays(conn)?;
    let mut moved = conn.prepare(
        "SELECT a.purpose, e.amount FROM ledger_entries e JOIN ledger_accounts a ON a.id = e.account_id
         WHERE e.event_id = ?1 AND a.purpose IN ('staked', 'mint')",
    )?;
    let mut events = conn.prepare(
        "SELECT subject, json_extract(payload, '$.block') AS block, id FROM events
         WHERE kind IN ('harvest.harvested', 'harvest.harvested_elsewhere') ORDER BY subject, block, id",
    )?;
    let mut events = rows::of(&mut events, [])?;
    // Harvests come by the hundred thousand: these are read by position.
    let mut next_event = || -> Result<Option<(Pail, i64)>> {
        let Some(row) = events.next()? else { return Ok(None) };
        Ok(Some((pail(&row)?, row.get(2)?)))
    };
    let mut harvests = conn.prepare(
        "SELECT farmer_id, block_index, stake, reward FROM harvests
         WHERE outcome <> 'failed' AND outcome <> 'lost' ORDER BY farmer_id, block_index",
    )?;
    let mut harvests = rows::of(&mut harvests, [])?;
    let mut booked = next_event()?;
    while let Some(row) = &harvests.next()? {
        let (pail, stake, reward) = (pail(row)?, at(row, 2)?, at(row, 3)?);
        while let Some((other, _)) = booked.take_if(|(other, _)| *other < pail) {
            unharvested(&mut found, &other);
            booked = next_event()?;
        }
        let (mut times, mut last) = (0_u64, None);
        while let Some((_, event)) = booked.take_if(|(other, _)| *other == pail) {
            (times, last) = (times + 1, Some(event));
            booked = next_event()?;
        }
        let (Some(event), 1) = (last, times) else {
            found.push(format!("{}: harvested, and recorded {}", shown(&pail), counted(times, "time")));
            continue;
        };
        let want = (Delta::debit(stake), Delta::debit(reward));
        let (stake, mint) = moved_by(&mut moved, event)?;
        if (stake, mint) != want {
            found.push(format!(
                "{}: stake and reward are {} and {}, event {event} recorded {stake} and {mint}",
                shown(&pail),
                want.0,
                want.1
            ));
        }
    }
    while let Some((pail, _)) = booked {
        unharvested(&mut found, &pail);
        booked = next_event()?;
    }
    Ok(found)
}

/// What an event moved: from what is at stake, and from the mint.
fn moved_by(statement: &mut Statement<'_>, event: i64) -> Result<(Delta, Delta)> {
    let mut rows = rows::of(statement, [event])?;
    let (mut stake, mut mint) = <(Delta, Delta)>::default();
    while let Some(row) = &rows.next()? {
        let purpose: String = row.get("purpose")?;
        add(if purpose == "mint" { &mut mint } else { &mut stake }, at(row, "amount")?)?;
    }
    Ok((stake, mint))
}

/// Events other than harvests that take from the mint. What pruned ones took is brought forward by the event that says so.
fn strays(conn: &Connection) -> Result<Vec<String>> {
    let mut strays: BTreeMap<i64, Delta> = BTreeMap::new();
    each(
        conn,
        "SELECT e.event_id, e.amount FROM ledger_accounts a JOIN ledger_entries e ON e.account_id = a.id
         LEFT JOIN events v ON v.id = e.event_id
         WHERE a.purpose = 'mint'
             AND coalesce(v.kind, '') NOT IN ('harvest.harvested', 'harvest.harvested_elsewhere', 'state.pruned')",
        |row| add(strays.entry(row.get("event_id")?).or_default(), at(row, "amount")?),
    )?;
    strays.retain(|_, mint| !mint.is_zero());
    Ok(strays
        .iter()
        .map(|(event, mint)| format!("event {event}: {mint} from the mint without a harvest"))
        .collect())
}

/// Says it once, however often it was booked.
fn unharvested(found: &mut Vec<String>, pail: &Pail) {
    let words = format!("{}: recorded as harvested without a harvest", shown(pail));
    if found.last() != Some(&words) {
        found.push(words);
    }
}

/// Each lost stake is in the ledger's account of losses, and somebody answers for it.
pub(super) fn losses_equal_compensations(conn: &Connection) -> Result<Vec<String>> {
    let mut lost = conn.prepare(
        "SELECT farmer_id, block_index, stake FROM harvests WHERE outcome <> 'failed' AND outcome = 'lost'
         ORDER BY farmer_id, block_index",
    )?;
    let mut answered = conn.prepare(
        "SELECT farmer_id, block_index, amount FROM pooler_compensations ORDER BY farmer_id, block_index",
    )?;
    let amount = |amount: &mut String, row: &Row<'_>| {
        *amount = row.get(2)?;
        Ok(())
    };
    let lost: Groups<'_, Pail, String> = Groups::new(&mut lost, pail, amount)?;
    let answered: Groups<'_, Pail, String> = Groups::new(&mut answered, pail, amount)?;
    let mut found = Vec::new();
    let mut sum = Delta::default();
    side_by_side(lost, answered, |pail, stake, amount| {
        if let Some(stake) = &stake {
            add(&mut sum, stored(stake)?)?;
        }
        match (stake, amount) {
            (_, None) => found.push(format!("{}: lost, and nobody is responsible", shown(&pail))),
            (stake, Some(amount)) if stake.as_ref() != Some(&amount) => {
                let stake = stake.unwrap_or_else(|| "nothing".to_owned());
                found.push(format!("{}: {stake} lost, {amount} to be compensated", shown(&pail)));
            }
            _ => {}
        }
        Ok(())
    })?;
    let mut held = Delta::default();
    each(
        conn,
        "SELECT balance FROM ledger_accounts WHERE owner_kind = 'chain' AND purpose = 'lost'",
        |row| add(&mut held, at(row, "balance")?),
    )?;
    if held != sum {
        found.push(format!("losses sum to {sum}, the ledger holds {held}"));
    }
    Ok(found)
}

/// The farmer and the block, which come first.
fn pail(row: &Row<'_>) -> Result<Pail> {
    Ok((row.get(0)?, row.get(1)?))
}

fn shown(pail: &Pail) -> String {
    format!("farmer {}, block {}", pail.0, pail.1)
}
