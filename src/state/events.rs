//! The audit log: append-only, hash-chained.
//!
//! `hash = sha256(prev_hash ‖ JSON array of id, at, run_id, actor, kind, subject, payload)`, in lower-case hex;
//! the first row's `prev_hash` is 64 zeros. `meta.audit_head` keeps the last id and hash, so that a cut tail
//! is seen too. Where rows were pruned, the walk steps over them as [`super::pruned`] says.

use super::pruned::{PRUNED, Steps};
use super::{Run, meta, rows};
use crate::rows::Row;
use alloy::hex;
use base::{Code, Error, Result, forms};
use rusqlite::types::Value as Stored;
use rusqlite::{Connection, params, params_from_iter};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Event {
    /// Position in the log, from 1.
    pub id: i64,
    /// RFC 3339 UTC.
    #[schemars(with = "forms::Time")]
    pub at: String,
    /// The run that wrote it.
    pub run_id: String,
    /// Who ran it.
    pub actor: String,
    /// What happened, dotted: `pool.added`.
    pub kind: String,
    /// To what: a pool, a member, a key.
    pub subject: String,
    /// The particulars.
    pub payload: Value,
    /// Hash of the row before.
    #[schemars(with = "forms::Digest")]
    pub prev_hash: String,
    /// Hash of this row.
    #[schemars(with = "forms::Digest")]
    pub hash: String,
}

/// Which events to list; `None` matches all.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Exact kind, or a prefix ending in `.`: `reward.`.
    pub kind: Option<String>,
    /// Exact subject.
    pub subject: Option<String>,
    /// Exact run id.
    pub run_id: Option<String>,
    /// Not older than this RFC 3339 time.
    pub since: Option<String>,
    /// Only those behind this one in the list, by its id.
    pub after: Option<i64>,
    /// Show at most N events, newest first.
    pub limit: Option<u32>,
}

/// What the walk over the chain found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ChainReport {
    /// Rows walked.
    pub events: i64,
    /// Rows that were pruned, as the log itself declares.
    pub pruned: i64,
    /// Hash of the last good row.
    pub head: String,
    /// The first broken row and why, if any.
    pub broken: Option<Broken>,
}

/// The first row at which the chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Broken {
    /// Its id.
    pub id: i64,
    /// What does not fit.
    pub why: String,
}

pub(super) fn append(
    conn: &Connection,
    run: &Run,
    kind: &str,
    subject: &str,
    payload: &Value,
) -> Result<i64> {
    let newest = "SELECT id, hash FROM events ORDER BY id DESC LIMIT 1";
    let last = rows::first(conn, newest, [], |row| Ok((row.get("id")?, row.get("hash")?)))?;
    let (last_id, prev_hash): (i64, String) = last.unwrap_or_else(|| (0, GENESIS.to_owned()));
    let id = last_id + 1;
    let (at, payload) = (run.clock.rfc3339(), payload.to_string());
    let hash = row_hash(&prev_hash, id, [&at, &run.id, &run.actor, kind, subject, &payload]);
    let values = params![id, at, run.id, run.actor, kind, subject, payload, prev_hash, hash];
    rows::run(conn, "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)", values)?;
    meta::meta_set(conn, "audit_head", &format!("{id}:{hash}"))?;
    Ok(id)
}

/// The hash of a row behind one with the hash `prev`: of its id, and of its texts in their order.
fn row_hash(prev: &str, id: i64, texts: [&str; 6]) -> String {
    let [at, run, actor, kind, subject, payload] = texts;
    let row = json!([id, at, run, actor, kind, subject, payload]).to_string();
    hex::encode(Sha256::new().chain_update(prev).chain_update(row).finalize())
}

/// Walks the whole chain and names the first row that does not hold.
pub fn verify_chain(conn: &Connection) -> Result<ChainReport> {
    let mut statement = conn.prepare(
        "SELECT id, at, run_id, actor, kind, subject, payload, prev_hash, hash FROM events ORDER BY id",
    )?;
    let mut rows = rows::of(&mut statement, [])?;
    let mut report = ChainReport { events: 0, pruned: 0, head: GENESIS.to_owned(), broken: None };
    let (mut last, mut steps) = (0, Steps::default());
    while let Some(row) = &rows.next()? {
        let id: i64 = row.get("id")?;
        let gap = steps.cross(conn, &mut last, &mut report.head, id)?;
        let want = hash_after(&report.head, row)?;
        let why = if gap.is_some() {
            gap
        } else if text(row, "prev_hash")? != report.head {
            Some("prev_hash is not the hash of the row before")
        } else if text(row, "hash")? != want {
            Some("the row was altered: its hash does not fit its contents")
        } else if text(row, "kind")? == PRUNED {
            Steps::declared(conn, id, text(row, "payload")?)?
        } else {
            None
        };
        report.pruned = steps.events;
        if let Some(why) = why {
            report.broken = Some(Broken { id, why: why.to_owned() });
            return Ok(report);
        }
        (last, report.head) = (id, want);
        report.events += 1;
    }
    if let Some(id) = steps.stray(conn)? {
        let why = "said to be pruned, and no event declares it, or nothing is missing there".to_owned();
        report.broken = Some(Broken { id, why });
        return Ok(report);
    }
    let head = meta::meta_get(conn, "audit_head")?;
    if head != (last > 0).then(|| format!("{last}:{}", report.head)) {
        let why = "the newest rows are missing: meta.audit_head names another last row".to_owned();
        report.broken = Some(Broken { id: last + 1, why });
    }
    Ok(report)
}

/// Whether an event's hash fits its contents; what stands before it is not looked at.
pub(super) fn is_intact(row: &Row<'_>) -> rusqlite::Result<bool> {
    Ok(text(row, "hash")? == hash_after(text(row, "prev_hash")?, row)?)
}

/// The hash that an event has behind one with the hash `prev`.
fn hash_after(prev: &str, row: &Row<'_>) -> rusqlite::Result<String> {
    let [at, run, actor, kind, subject, payload] =
        ["at", "run_id", "actor", "kind", "subject", "payload"].map(|column| text(row, column));
    Ok(row_hash(prev, row.get("id")?, [at?, run?, actor?, kind?, subject?, payload?]))
}

fn text<'r>(row: &'r Row<'_>, column: &str) -> rusqlite::Result<&'r str> {
    Ok(row.get_ref(column)?.as_str()?)
}

/// Lists events, the newest first.
pub fn list_events(conn: &Connection, filter: &EventFilter) -> Result<Vec<Event>> {
    let (mut clauses, mut values) = filter.conditions();
    // By time alone, the index by time has the newest at its end; by id, rows would be looked through in vain.
    let by_time = clauses == ["at >= ?"];
    if let Some(id) = filter.after {
        if by_time {
            let at: Option<String> = rows::value(conn, "SELECT at FROM events WHERE id = ?1", [id])?;
            let gone =
                || Error::field(Code::InvalidValue, "after", format_args!("there is no event {id} any more"));
            values.push(at.ok_or_else(|| gone().hint("begin with the first page"))?.into());
        }
        clauses.push(if by_time { "(at, id) < (?, ?)" } else { "id < ?" });
        values.push(id.into());
    }
    let (whole, limit) = (where_all(&clauses), filter.limit.map_or(-1, i64::from));
    let order = if by_time { "at DESC, id DESC" } else { "id DESC" };
    let sql = format!(
        "SELECT id, at, run_id, actor, kind, subject, payload, prev_hash, hash FROM events {whole}
         ORDER BY {order} LIMIT {limit}"
    );
    rows::all(conn, &sql, params_from_iter(values), read_event)
}

/// How many events the filter takes, whatever its limit; `None` where they are too many to count.
pub fn count_events(conn: &Connection, filter: &EventFilter) -> Result<Option<u64>> {
    let (clauses, mut values) = filter.conditions();
    let whole = where_all(&clauses);
    values.push(rows::UNCOUNTED.into());
    let sql = format!("SELECT count(*) FROM (SELECT 1 FROM events {whole} LIMIT ?)");
    rows::count(conn, &sql, params_from_iter(values))
}

fn where_all(clauses: &[&str]) -> String {
    if clauses.is_empty() { String::new() } else { format!("WHERE {}", clauses.join(" AND ")) }
}

/// The id of the last event, 0 where there is none.
pub fn last_event(conn: &Connection) -> Result<i64> {
    rows::one(conn, "SELECT coalesce(max(id), 0) FROM events", [])
}

/// The events after this id, oldest first, whatever they are about; at most a thousand at once.
pub fn events_after(conn: &Connection, id: i64) -> Result<Vec<Event>> {
    let sql = "SELECT id, at, run_id, actor, kind, subject, payload, prev_hash, hash FROM events
         WHERE id > ?1 ORDER BY id LIMIT 1000";
    rows::all(conn, sql, [id], read_event)
}

impl EventFilter {
    /// What must hold for an event, with the values; its place in the list and the limit aside.
    fn conditions(&self) -> (Vec<&'static str>, Vec<Stored>) {
        let prefix = self.kind.as_deref().and_then(|kind| kind.strip_suffix('.'));
        let kind = self.kind.clone();
        [
            ("kind >= ?", kind.clone().filter(|_| prefix.is_some())),
            // '/' is the character after '.', so this is the end of the prefix.
            ("kind < ?", prefix.map(|prefix| format!("{prefix}/"))),
            ("kind = ?", kind.filter(|_| prefix.is_none())),
            ("subject = ?", self.subject.clone()),
            ("run_id = ?", self.run_id.clone()),
            ("at >= ?", self.since.clone()),
        ]
        .into_iter()
        .filter_map(|(clause, value)| Some((clause, Stored::Text(value?))))
        .unzip()
    }

    /// Whether it takes this event. Its place in the list and the limit do not matter here.
    pub fn takes(&self, event: &Event) -> bool {
        let kind = self.kind.as_ref().is_none_or(|kind| {
            event.kind == *kind || (kind.ends_with('.') && event.kind.starts_with(kind.as_str()))
        });
        kind && self.subject.as_ref().is_none_or(|subject| event.subject == *subject)
            && self.run_id.as_ref().is_none_or(|run| event.run_id == *run)
            && self.since.as_ref().is_none_or(|since| event.at >= *since)
    }
}

fn read_event(row: &Row<'_>) -> Result<Event> {
    let payload: String = row.get("payload")?;
    Ok(crate::from_row!(row => Event { id, at, run_id, actor, kind, subject, prev_hash, hash } and {
        payload: serde_json::from_str(&payload).unwrap_or(Value::String(payload)),
    }))
}

impl ChainReport {
    /// As an error for commands that must not go on, or `Ok`.
    pub fn into_result(self) -> Result<Self> {
        match &self.broken {
            None => Ok(self),
            Some(b) => Err(Error::new(Code::CheckFailed, format!("audit log: event {}: {}", b.id, b.why))
                .hint("compare with a backup; somebody wrote to the file without poolctl")
                .detail("event", b.id)),
        }
    }
}
