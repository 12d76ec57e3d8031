//! Deleting what stands in the archive, in steps that are each one transaction: sound after every one of them.
//!
//! A step takes events in the order of their ids, what their ledger entries sum to is brought forward, and with a booked
//! harvest goes all that is left of its pail. What no harvest stands for goes last. Other runs go on meanwhile: each step asks
//! again whether what was archived may go, and leaves what may not, or was changed since, to a later prune.

use super::archive::{Archived, events_after};
use super::select::{Out, block_of_key, is_harvest, is_past};
use super::tables::{
    ATTEMPTS, Counts, ENTRIES, EVENTS, FARM_ALERTS, HARVESTS, NONCES, OPERATIONS, ORACLE_ALERTS, PLANTINGS,
    SNAPSHOTS, TABLES, VIOLATIONS, WORKS, delete, is_unchanged, kept,
};
use crate::columns::at;
use crate::pruned::{self, Run};
use crate::rows::{self, Row};
use crate::{Permit, State, Tx};
use base::amount::Delta;
use base::{Code, Error, Progress, Result, Stop, say};
use rusqlite::types::Value;
use rusqlite::{Connection, params};
use serde_json::{Map, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// Events, or rows, of one step: others wait for its end. Debug builds take small ones, so that the crash tests die between them.
const STEP: usize = if cfg!(debug_assertions) { 40 } else { 5_000 };

/// What is deleted after the events: all that the archive has, wherever it is still there.
const REST: [usize; 9] =
    [PLANTINGS, WORKS, HARVESTS, NONCES, OPERATIONS, SNAPSHOTS, ORACLE_ALERTS, VIOLATIONS, FARM_ALERTS];

/// The `state.archived` event, and the archive that it names.
pub(super) struct Source<'a> {
    /// Its id.
    pub event: i64,
    /// The archive.
    pub archive: &'a Connection,
    /// Where that is.
    pub path: &'a Path,
}

/// Deletes everything; what earlier runs deleted is not there any more.
/// `state_corrupt` for rows that are not what was archived; `interrupted` between two steps; `state_error`.
pub(super) fn run(
    state: &mut State,
    permit: Permit<'_>,
    source: &Source<'_>,
    progress: &dyn Progress,
    stop: &Stop,
) -> Result<()> {
    let mut after = pruned::reached(state.conn(), source.event)?;
    loop {
        let events = events_after(source.archive, after, STEP)?;
        let Some(last) = events.last() else { break };
        after = last.id;
        state.write(permit, |tx| with_events(tx, source, &events))?;
        progress.advance(events.len() as u64);
        stop.check()?;
    }
    for table in REST {
        rest(state, permit, source, table, stop)?;
    }
    Ok(())
}

/// The entries of these events, and what they sum to by account.
struct Forward {
    entries: Vec<Vec<Value>>,
    sums: BTreeMap<i64, Delta>,
}

fn entries_of(archive: &Connection, events: &[&Archived]) -> Result<Forward> {
    let mut statement = archive.prepare_cached("SELECT * FROM ledger_entries WHERE event_id = ?1")?;
    let mut forward = Forward { entries: Vec::new(), sums: BTreeMap::new() };
    for event in events {
        let mut rows = rows::of(&mut statement, [event.id])?;
        while let Some(row) = &rows.next()? {
            let sum = forward.sums.entry(row.get("account_id")?).or_default();
            *sum = sum.checked_add(at(row, "amount")?).ok_or_else(pruned::overflow)?;
            forward.entries.push(kept(ENTRIES, row)?);
        }
    }
    forward.sums.retain(|_, sum| !sum.is_zero());
    Ok(forward)
}

/// Those of these events that may still go.
fn free<'e>(conn: &Connection, events: &'e [Archived]) -> Result<Vec<&'e Archived>> {
    let (out, mut known) = (Out::read(conn)?, HashMap::new());
    let mut free = Vec::with_capacity(events.len());
    for event in events {
        let block = event.block.or_else(|| block_of_key(event.key.as_deref()?));
        let Some(pail) = block.map(|block| (block, event.farmer.clone())) else {
            free.push(event);
            continue;
        };
        let keeps = match known.get(&pail) {
            Some(keeps) => *keeps,
            None => out.keeps(conn, &pail)?,
        };
        known.insert(pail, keeps);
        if !keeps {
            free.push(event);
        }
    }
    Ok(free)
}

fn with_events(tx: &Tx<'_>, source: &Source<'_>, events: &[Archived]) -> Result<()> {
    let conn = tx.conn();
    let events = free(conn, events)?;
    if events.is_empty() {
        return Ok(());
    }
    let forward = entries_of(source.archive, &events)?;
    let mut counts = Counts::default();
    let mut runs: Vec<Run> = Vec::new();
    for event in &events {
        pruned::add_to_runs(&mut runs, event.id, event.prev_hash.clone(), event.hash.clone());
        if is_harvest(&event.kind) {
            pail(conn, source.archive, event, &mut counts)?;
        }
    }
    counts.0[EVENTS] = events.len() as u64;
    counts.0[ENTRIES] = forward.entries.len() as u64;
    let (said_runs, said_forward) = pruned::declaration(&runs, &forward.sums);
    let ends = events.first().zip(events.last()).map(|(first, last)| {
        json!({ "first": { "id": first.id, "hash": first.hash }, "last": { "id": last.id, "hash": last.hash } })
    });
    let facts = json!({
        "archived": source.event, "rows": rows(&counts), "events": ends,
        "runs": said_runs, "forward": said_forward,
    });
    let id = tx.event(pruned::PRUNED, &source.path.to_string_lossy(), &facts)?;
    pruned::declare(conn, id, &runs)?;
    pruned::bring_forward(conn, id, &forward.sums)?;
    let gone = |table: usize, row: &[Value]| {
        if delete(conn, table, row)? { Ok(()) } else { Err(missing(table, row)) }
    };
    for entry in &forward.entries {
        gone(ENTRIES, entry)?;
    }
    for event in &events {
        gone(EVENTS, &event.row)?;
    }
    Ok(())
}

/// All that is left of a pail that was harvested: its rows and their transactions.
fn pail(conn: &Connection, archive: &Connection, event: &Archived, counts: &mut Counts) -> Result<()> {
    let mut operations = BTreeSet::new();
    for (table, sql, column) in [
        (PLANTINGS, "SELECT * FROM plantings WHERE block_index = ?1 AND farmer_id = ?2", 5),
        (WORKS, "SELECT * FROM works WHERE block_index = ?1 AND farmer_id = ?2", 8),
        (HARVESTS, "SELECT * FROM harvests WHERE block_index = ?1 AND farmer_id = ?2", 7),
    ] {
        let mut statement = archive.prepare_cached(sql)?;
        let mut rows = rows::of(&mut statement, params![event.block, event.farmer])?;
        while let Some(row) = &rows.next()? {
            operations.extend(row.get::<_, Option<i64>>(column)?);
            if delete(conn, table, &kept(table, row)?)? {
                counts.add(table);
            }
        }
    }
    let mut statement = archive.prepare_cached("SELECT * FROM operations WHERE id = ?1")?;
    for id in operations {
        let mut rows = rows::of(&mut statement, [id])?;
        while let Some(row) = &rows.next()? {
            operation(conn, archive, &kept(OPERATIONS, row)?, counts)?;
        }
    }
    Ok(())
}

/// A transaction with its envelopes, unless another run has planned it anew.
fn operation(conn: &Connection, archive: &Connection, row: &[Value], counts: &mut Counts) -> Result<()> {
    if !is_unchanged(conn, OPERATIONS, row)? {
        return Ok(());
    }
    let mut statement = archive.prepare_cached("SELECT * FROM operation_attempts WHERE operation_id = ?1")?;
    let mut attempts = rows::of(&mut statement, params![row.first()])?;
    while let Some(attempt) = &attempts.next()? {
        if delete(conn, ATTEMPTS, &kept(ATTEMPTS, attempt)?)? {
            counts.add(ATTEMPTS);
        }
    }
    if delete(conn, OPERATIONS, row)? {
        counts.add(OPERATIONS);
    }
    Ok(())
}

/// What is left of one table, in steps.
fn rest(state: &mut State, permit: Permit<'_>, source: &Source<'_>, table: usize, stop: &Stop) -> Result<()> {
    let mut statement = source.archive.prepare(&TABLES[table].all())?;
    let mut rows_left = rows::of(&mut statement, [])?;
    let mut more = true;
    while more {
        state.write(permit, |tx| {
            let (out, mut counts) = (Out::read(tx.conn())?, Counts::default());
            for _ in 0..STEP {
                let Some(row) = rows_left.next()? else {
                    more = false;
                    break;
                };
                let pail = pail_of(table, &row)?;
                let row = kept(table, &row)?;
                let stays = match pail {
                    Some(pail) => out.keeps(tx.conn(), &pail)?,
                    None => table == SNAPSHOTS && !is_past(tx.conn(), integer(&row, 0), integer(&row, 1))?,
                };
                // What others change is not what was archived any more.
                if stays || CHANGING.contains(&table) && !is_unchanged(tx.conn(), table, &row)? {
                    continue;
                }
                if table == OPERATIONS {
                    operation(tx.conn(), source.archive, &row, &mut counts)?;
                } else if delete(tx.conn(), table, &row)? {
                    counts.add(table);
                }
            }
            if counts.total() == 0 {
                return Ok(());
            }
            let (runs, forward) = pruned::declaration(&[], &BTreeMap::new());
            let facts = json!({
                "archived": source.event, "rows": rows(&counts), "runs": runs, "forward": forward,
            });
            tx.event(pruned::PRUNED, &source.path.to_string_lossy(), &facts).map(|_| ())
        })?;
        stop.check()?;
    }
    Ok(())
}

/// Tables with rows that other runs change.
const CHANGING: [usize; 6] = [NONCES, OPERATIONS, SNAPSHOTS, ORACLE_ALERTS, VIOLATIONS, FARM_ALERTS];

/// The pail that a row is about, where it is about one.
fn pail_of(table: usize, row: &Row<'_>) -> Result<Option<(i64, String)>> {
    Ok(match table {
        PLANTINGS | WORKS | HARVESTS | NONCES => Some((row.get("block_index")?, row.get("farmer_id")?)),
        OPERATIONS => {
            let (key, subject): (String, String) = (row.get("key")?, row.get("subject")?);
            block_of_key(&key).map(|block| (block, subject))
        }
        _ => None,
    })
}

fn integer(row: &[Value], column: usize) -> i64 {
    match row.get(column) {
        Some(Value::Integer(integer)) => *integer,
        _ => 0,
    }
}

/// Row counts as the audit log has them.
pub(super) fn rows(counts: &Counts) -> Map<String, serde_json::Value> {
    counts.named().map(|(name, count)| (name.to_owned(), count.into())).collect()
}

fn missing(table: usize, row: &[Value]) -> Error {
    let id = match row.first() {
        Some(Value::Integer(id)) => *id,
        _ => 0,
    };
    Error::new(Code::StateCorrupt, format!("{} row {id} was archived, and is gone", TABLES[table].name)).hint(
        say("nothing more is deleted; somebody wrote to the file without poolctl: run ").run("state check"),
    )
}
