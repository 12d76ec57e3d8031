//! Edge-triggered alerts: opened once, counted while they hold, closed when the condition clears.

use crate::output::Result;
use crate::state::Tx;
use rusqlite::{OptionalExtension, params};
use serde_json::json;

/// What an alert is about.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// A pool, in `risk_violations`: row id and name.
    Pool(i64, &'a str),
    /// A feed, in `oracle_alerts`: row id and name.
    Feed(i64, &'a str),
}

/// Records that a condition holds (`Some(why)`) or does not (`None`). Returns true on an edge: opened or closed.
///
/// # Errors
/// `state_error`.
pub fn edge(tx: &Tx<'_>, subject: Subject<'_>, kind: &str, why: Option<&str>) -> Result<bool> {
    let (table, owner, word, id, name) = match subject {
        Subject::Pool(id, name) => ("risk_violations", "pool_id", "rule", id, name),
        Subject::Feed(id, name) => ("oracle_alerts", "feed_id", "kind", id, name),
    };
    let event =
        |what: &str| format!("{}.{what}", if owner == "pool_id" { "risk.violation" } else { "oracle.alert" });
    let open: Option<i64> = tx
        .conn()
        .prepare_cached(&format!(
            "SELECT id FROM {table} WHERE {owner} = ?1 AND {word} = ?2 AND closed_at IS NULL"
        ))?
        .query_row(params![id, kind], |row| row.get(0))
        .optional()?;
    match (open, why) {
        (None, None) => Ok(false),
        (Some(row), Some(why)) => {
            tx.conn()
                .prepare_cached(&format!(
                    "UPDATE {table} SET last_seen = ?2, count = count + 1, message = ?3 WHERE id = ?1"
                ))?
                .execute(params![row, tx.now(), why])?;
            Ok(false)
        }
        (None, Some(why)) => {
            tx.conn()
                .prepare_cached(&format!(
                    "INSERT INTO {table} ({owner}, {word}, message, first_seen, last_seen, count)
                     VALUES (?1, ?2, ?3, ?4, ?4, 1)"
                ))?
                .execute(params![id, kind, why, tx.now()])?;
            tx.event(&event("opened"), name, &json!({ "kind": kind, "why": why }))?;
            Ok(true)
        }
        (Some(row), None) => {
            tx.conn()
                .prepare_cached(&format!("UPDATE {table} SET closed_at = ?2 WHERE id = ?1"))?
                .execute(params![row, tx.now()])?;
            tx.event(&event("closed"), name, &json!({ "kind": kind }))?;
            Ok(true)
        }
    }
}
