//! Edge-triggered alerts: opened once, counted while they hold, closed when the condition clears.

use crate::rows::Row;
use crate::{Tx, rows};
use base::Result;
use rusqlite::types::Value;
use rusqlite::{Connection, params};
use serde::Serialize;
use serde_json::json;

/// What an alert is about.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// A pool, in `risk_violations`: row id and name.
    Pool(i64, &'a str),
    /// A feed, in `oracle_alerts`: row id and name.
    Feed(i64, &'a str),
    /// A farmer of the KALE farm by id, or its fee sponsor by address, in `farm_alerts`.
    Farm(&'a str),
}

/// Where the alerts of a subject are kept.
struct Place<'a> {
    table: &'static str,
    owner: &'static str,
    word: &'static str,
    prefix: &'static str,
    id: Value,
    name: &'a str,
}

impl<'a> Place<'a> {
    fn of(subject: Subject<'a>) -> Self {
        let (table, owner, word, prefix) = match subject {
            Subject::Pool(..) => ("risk_violations", "pool_id", "rule", "risk.violation"),
            Subject::Feed(..) => ("oracle_alerts", "feed_id", "kind", "oracle.alert"),
            Subject::Farm(_) => ("farm_alerts", "subject", "kind", "farm.alert"),
        };
        let (id, name) = match subject {
            Subject::Pool(id, name) | Subject::Feed(id, name) => (Value::Integer(id), name),
            Subject::Farm(name) => (Value::Text(name.to_owned()), name),
        };
        Self { table, owner, word, prefix, id, name }
    }
}

/// An alert from its first day to its last. Times in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Row id; alerts of one table are opened in this order.
    pub id: i64,
    /// Name of the pool or feed.
    pub subject: String,
    /// The rule or the kind of refusal.
    pub kind: String,
    /// Why, as it was said last.
    pub message: String,
    /// When it was opened.
    pub first_seen: i64,
    /// When the condition was last found to hold.
    pub last_seen: i64,
    /// How often it was found to hold.
    pub count: u64,
    /// When it was closed; `None` = open.
    pub closed_at: Option<i64>,
}

/// The alerts of a subject, the newest first: those that are open, or of all that came before an id the last so many.
pub fn list(conn: &Connection, subject: Subject<'_>, past: Option<(i64, u32)>) -> Result<Vec<Alert>> {
    let Place { table, owner, word, id, name, .. } = Place::of(subject);
    let those = if past.is_some() {
        "AND id < ?3 ORDER BY id DESC LIMIT ?4"
    } else {
        "AND closed_at IS NULL AND ?3 IS NULL AND ?4 IS NULL"
    };
    let (before, limit) = past.unzip();
    let sql = format!(
        "SELECT id, ?2 AS subject, {word} AS kind, message, first_seen, last_seen, count, closed_at
         FROM {table} WHERE {owner} = ?1 {those}"
    );
    let mut found: Vec<Alert> = rows::all(conn, &sql, params![id, name, before, limit], read)?;
    found.sort_by_key(|alert| std::cmp::Reverse(alert.id));
    Ok(found)
}

/// How many alerts of a subject there are, the closed ones too; `None` where they are too many to count.
pub fn count(conn: &Connection, subject: Subject<'_>) -> Result<Option<u64>> {
    let Place { table, owner, id, .. } = Place::of(subject);
    let sql = format!("SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {owner} = ?1 LIMIT ?2)");
    rows::count(conn, &sql, params![id, rows::UNCOUNTED])
}

fn read(row: &Row<'_>) -> Result<Alert> {
    Ok(crate::from_row!(row => Alert { id, subject, kind, message, first_seen, last_seen, count, closed_at }))
}

/// Whether such an alert is open.
pub fn is_open(conn: &Connection, subject: Subject<'_>, kind: &str) -> Result<bool> {
    Ok(list(conn, subject, None)?.iter().any(|alert| alert.kind == kind))
}

/// The farmers with such an alert open.
pub fn farms_with(conn: &Connection, kind: &str) -> Result<Vec<String>> {
    let sql = "SELECT a.subject FROM farmers f CROSS JOIN farm_alerts a INDEXED BY farm_alerts_open
             ON a.subject = f.id AND a.kind = ?1 AND a.closed_at IS NULL ORDER BY f.added_at, f.id";
    rows::all(conn, sql, [kind], |row| Ok(row.get("subject")?))
}

/// Records that a condition holds (`Some(why)`) or does not (`None`). Returns true on an edge: opened or closed.
pub fn edge(tx: &Tx<'_>, subject: Subject<'_>, kind: &str, why: Option<&str>) -> Result<bool> {
    let Place { table, owner, word, prefix, id, name } = Place::of(subject);
    let sql = format!("SELECT id FROM {table} WHERE {owner} = ?1 AND {word} = ?2 AND closed_at IS NULL");
    let open: Option<i64> = rows::value(tx.conn(), &sql, params![id, kind])?;
    let (what, facts) = match (open, why) {
        (None, None) => return Ok(false),
        (Some(row), Some(why)) => {
            let sql =
                format!("UPDATE {table} SET last_seen = ?2, count = count + 1, message = ?3 WHERE id = ?1");
            rows::run(tx.conn(), &sql, params![row, tx.now(), why])?;
            return Ok(false);
        }
        (None, Some(why)) => {
            let sql = format!(
                "INSERT INTO {table} ({owner}, {word}, message, first_seen, last_seen, count)
                 VALUES (?1, ?2, ?3, ?4, ?4, 1)"
            );
            rows::run(tx.conn(), &sql, params![id, kind, why, tx.now()])?;
            ("opened", json!({ "kind": kind, "why": why }))
        }
        (Some(row), None) => {
            let sql = format!("UPDATE {table} SET closed_at = ?2 WHERE id = ?1");
            rows::run(tx.conn(), &sql, params![row, tx.now()])?;
            ("closed", json!({ "kind": kind }))
        }
    };
    tx.event(&format!("{prefix}.{what}"), name, &facts)?;
    Ok(true)
}

/// Where an alert belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    /// Of a pool: `risk violations` lists it.
    Risk,
    /// Of a feed: `oracle alerts` lists it.
    Oracle,
    /// Of a farmer, or of the fee sponsor.
    Farm,
    /// Of a channel that notifications do not get through to.
    Notify,
}

/// Every alert that is open, by area and in the order in which pools, feeds and farmers came.
pub fn open(conn: &Connection) -> Result<Vec<(Area, Alert)>> {
    let mut found = Vec::new();
    // Left alone, SQLite takes the index that holds the closed ones too.
    for (area, sql) in [
        (
            Area::Risk,
            "SELECT v.id, p.name AS subject, v.rule AS kind, v.message, v.first_seen, v.last_seen, v.count,
                 v.closed_at FROM pools p
             CROSS JOIN risk_violations v INDEXED BY risk_violations_open
                 ON v.pool_id = p.id AND v.closed_at IS NULL ORDER BY p.id",
        ),
        (
            Area::Oracle,
            "SELECT a.id, f.name AS subject, a.kind, a.message, a.first_seen, a.last_seen, a.count, a.closed_at
             FROM oracle_feeds f
             CROSS JOIN oracle_alerts a INDEXED BY oracle_alerts_open
                 ON a.feed_id = f.id AND a.closed_at IS NULL ORDER BY f.id",
        ),
        (
            Area::Farm,
            // The sponsor, who is no farmer, comes first.
            "SELECT a.id, a.subject, a.kind, a.message, a.first_seen, a.last_seen, a.count, a.closed_at
             FROM farm_alerts a INDEXED BY farm_alerts_open LEFT JOIN farmers f ON f.id = a.subject
             WHERE a.closed_at IS NULL ORDER BY f.added_at, f.id, a.id",
        ),
    ] {
        found.extend(rows::all::<_, Vec<_>>(conn, sql, [], read)?.into_iter().map(|alert| (area, alert)));
    }
    Ok(found)
}
