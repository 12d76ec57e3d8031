//! What the audit log says was pruned: runs of events, and the balance brought forward in their place.
//!
//! A `state.pruned` event declares, under its own hash, a digest of its rows in `pruned_events` and of its ledger entries.
//! The chain is walked over a run only where its row fits the hashes on both sides, and every row must be declared.

use super::columns::only;
use super::rows;
use alloy::hex;
use base::amount::Delta;
use base::{Code, Error, Result, say};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashSet};

/// The kind of the events that declare.
pub(super) const PRUNED: &str = "state.pruned";

/// Consecutive events that went, as one row of `pruned_events`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    /// The first of them.
    pub first: i64,
    /// The last of them.
    pub last: i64,
    /// Hash of the event before the first.
    pub prev_hash: String,
    /// Hash of the last.
    pub hash: String,
}

/// Events that went, taken together to runs; ids must rise.
pub(super) fn add_to_runs(runs: &mut Vec<Run>, id: i64, prev_hash: String, hash: String) {
    match runs.last_mut() {
        Some(run) if run.last + 1 == id && run.hash == prev_hash => (run.last, run.hash) = (id, hash),
        _ => runs.push(Run { first: id, last: id, prev_hash, hash }),
    }
}

/// What a `state.pruned` event says of its runs and of its ledger entries, which are `forward` by account, the zeros left
/// out.
pub(super) fn declaration(runs: &[Run], forward: &BTreeMap<i64, Delta>) -> (Value, Value) {
    let lines = forward.iter().map(|(account, amount)| (*account, amount.to_string()));
    (digest_of_runs(runs), digest_of_entries(lines))
}

fn digest_of_runs(runs: &[Run]) -> Value {
    let mut digest = Sha256::new();
    for Run { first, last, prev_hash, hash } in runs {
        digest.update(format!("{first} {last} {prev_hash} {hash}\n"));
    }
    json!({ "count": runs.len(), "sha256": hex::encode(digest.finalize()) })
}

fn digest_of_entries(lines: impl Iterator<Item = (i64, String)>) -> Value {
    let (mut digest, mut count) = (Sha256::new(), 0_u64);
    for (account, amount) in lines {
        digest.update(format!("{account} {amount}\n"));
        count += 1;
    }
    json!({ "count": count, "sha256": hex::encode(digest.finalize()) })
}

/// Stores the runs that `event` declares: from now on their events may be deleted.
pub(super) fn declare(conn: &Connection, event: i64, runs: &[Run]) -> Result<()> {
    let mut insert = conn.prepare_cached("INSERT INTO pruned_events VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for Run { first, last, prev_hash, hash } in runs {
        insert.execute(params![first, last, prev_hash, hash, event])?;
    }
    Ok(())
}

/// The newest event that was pruned under declarations after event `after`.
pub(super) fn reached(conn: &Connection, after: i64) -> Result<i64> {
    let sql =
        "SELECT last_id FROM pruned_events WHERE event_id > ?1 ORDER BY event_id DESC, first_id DESC LIMIT 1";
    Ok(rows::value(conn, sql, [after])?.unwrap_or(0))
}

/// The runs that a walk over the chain steps over.
#[derive(Debug, Default)]
pub(super) struct Steps {
    over: HashSet<i64>,
    /// Events in them.
    pub events: i64,
}

impl Steps {
    /// Goes on from the row `last` with hash `head` to the one before `id`, or says why that cannot be done.
    pub fn cross(
        &mut self,
        conn: &Connection,
        last: &mut i64,
        head: &mut String,
        id: i64,
    ) -> Result<Option<&'static str>> {
        let mut find =
            conn.prepare_cached("SELECT last_id, prev_hash, hash FROM pruned_events WHERE first_id = ?1")?;
        while *last + 1 < id {
            let first = *last + 1;
            let run: Option<(i64, String, String)> = find
                .query_row([first], |row| Ok((row.get("last_id")?, row.get("prev_hash")?, row.get("hash")?)))
                .optional()?;
            let Some((until, prev_hash, hash)) = run else {
                return Ok(Some("ids have a gap: a row before this one is missing"));
            };
            if prev_hash != *head || until >= id {
                return Ok(Some("the pruned rows before this one do not fit the rows on both sides"));
            }
            self.over.insert(first);
            self.events += until - *last;
            (*last, *head) = (until, hash);
        }
        Ok((*last >= id).then_some("ids have a gap: this row is in place of another"))
    }

    /// Takes in a `state.pruned` event, or says what is wrong with its runs.
    pub fn declared(conn: &Connection, event: i64, payload: &str) -> Result<Option<&'static str>> {
        let sql = "SELECT first_id, last_id, prev_hash, hash FROM pruned_events WHERE event_id = ?1 ORDER BY first_id";
        let runs: Vec<Run> = rows::all(conn, sql, [event], |row| {
            let (first, last) = (row.get("first_id")?, row.get("last_id")?);
            Ok(Run { first, last, prev_hash: row.get("prev_hash")?, hash: row.get("hash")? })
        })?;
        let fits = said(payload, "runs") == Some(digest_of_runs(&runs));
        Ok((!fits).then_some("the runs that it declares are not those of pruned_events"))
    }

    /// The first run that nothing declares, or that stands for no missing events; to be called at the end of the walk.
    pub fn stray(&self, conn: &Connection) -> Result<Option<i64>> {
        let mut statement = conn.prepare_cached(
            "SELECT r.first_id, e.kind FROM pruned_events r LEFT JOIN events e ON e.id = r.event_id
             ORDER BY r.first_id",
        )?;
        let mut rows = rows::of(&mut statement, [])?;
        while let Some(row) = &rows.next()? {
            let (first, kind): (i64, Option<String>) = (row.get("first_id")?, row.get("kind")?);
            if !self.over.contains(&first) || kind.as_deref() != Some(PRUNED) {
                return Ok(Some(first));
            }
        }
        Ok(None)
    }
}

fn said(payload: &str, what: &str) -> Option<Value> {
    serde_json::from_str::<Value>(payload).ok()?.get(what).cloned()
}

/// Puts `forward` in the place of the entries of events that go: balances stay as they are.
pub(super) fn bring_forward(conn: &Connection, event: i64, forward: &BTreeMap<i64, Delta>) -> Result<()> {
    let mut asset_of = conn.prepare_cached("SELECT asset FROM ledger_accounts WHERE id = ?1")?;
    let mut insert = conn.prepare_cached("INSERT INTO ledger_entries VALUES (?1, ?2, ?3, ?4)")?;
    let mut sums: BTreeMap<String, Delta> = BTreeMap::new();
    for (line, (account, amount)) in (0_i64..).zip(forward) {
        let sum = sums.entry(asset_of.query_row([account], only)?).or_default();
        *sum = sum.checked_add(*amount).ok_or_else(overflow)?;
        insert.execute(params![event, line, account, amount.to_string()])?;
    }
    match sums.iter().find(|(_, sum)| !sum.is_zero()) {
        None => Ok(()),
        Some((asset, sum)) => Err(Error::new(
            Code::StateCorrupt,
            format!("the ledger entries to be pruned do not balance: {sum} of {asset} left over"),
        )
        .hint(say("nothing more is pruned; run: ").run("state check"))),
    }
}

pub(super) fn overflow() -> Error {
    Error::new(Code::StateCorrupt, "a sum of ledger entries passes 256 bits")
}

/// Every `state.pruned` event has the ledger entries that it says under its hash.
pub fn brought_forward(conn: &Connection) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut events =
        conn.prepare("SELECT id, payload FROM events WHERE kind = 'state.pruned' ORDER BY id")?;
    let mut entries =
        conn.prepare("SELECT account_id, amount FROM ledger_entries WHERE event_id = ?1 ORDER BY line")?;
    let mut events = rows::of(&mut events, [])?;
    while let Some(row) = &events.next()? {
        let (event, payload): (i64, String) = (row.get("id")?, row.get("payload")?);
        let lines = entries.query_map([event], |row| Ok((row.get("account_id")?, row.get("amount")?)))?;
        let lines: Vec<(i64, String)> = lines.collect::<Result<_, _>>()?;
        if said(&payload, "forward") != Some(digest_of_entries(lines.into_iter())) {
            found.push(format!("event {event}: the balance brought forward is not the one that it declares"));
        }
    }
    Ok(found)
}
