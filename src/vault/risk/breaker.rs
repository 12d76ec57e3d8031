//! What forbids a pool to move: the circuit breaker, which opens on its own, keeps when it first did, and is closed by the
//! operator alone; and the operator's emergency pause.

use super::parameters::{Parameters, row};
use super::rules::Rule;
use crate::pool::Pool;
use base::Result;
use rusqlite::{Connection, params};
use serde_json::json;
use state::alert::{self, Subject};
use state::{Tx, WriteContext, rows};

/// A pool's breaker, once it has been open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breaker {
    /// Open now.
    pub active: bool,
    /// The rule that opened it.
    pub rule: String,
    /// Why, in words.
    pub reason: String,
    /// When it opened, seconds since 1970; what came after while it was open does not count.
    pub triggered_at: i64,
    /// When it was closed, and why.
    pub reset: Option<(i64, String)>,
}

/// A pool's breaker; `None` = it never opened.
pub fn breaker(conn: &Connection, pool: &Pool) -> Result<Option<Breaker>> {
    let sql = "SELECT active, rule, reason, triggered_at, reset_at, reset_reason FROM circuit_breaker_status
         WHERE pool_id = ?1";
    rows::first(conn, sql, [pool.id], |row| {
        Ok(state::from_row!(row => Breaker { active, rule, reason, triggered_at } and {
            reset: row.get::<_, Option<_>>("reset_at")?.zip(row.get("reset_reason")?),
        }))
    })
}

/// Opens a pool's breaker, in the write that records what opened it. Returns false where it is open already: its
/// first reason and time stay.
pub fn trip(tx: &Tx<'_>, pool: &Pool, rule: Rule, reason: &str) -> Result<bool> {
    let sql = "INSERT INTO circuit_breaker_status (pool_id, active, rule, reason, triggered_at) VALUES (?1, 1, ?2, ?3, ?4)
         ON CONFLICT (pool_id) DO UPDATE SET active = 1, rule = ?2, reason = ?3, triggered_at = ?4,
             reset_at = NULL, reset_reason = NULL WHERE active = 0";
    let opened = rows::put(tx.conn(), sql, params![pool.id, rule.as_str(), reason, tx.now()])?;
    if opened {
        tx.event("risk.breaker_opened", &pool.name, &json!({ "rule": rule.as_str(), "reason": reason }))?;
    }
    Ok(opened)
}

/// Closes a pool's breaker. Returns false where it is not open. What opened it is forgotten; only what happens from
/// now on can open it again.
pub fn reset_breaker(work: &mut WriteContext<'_>, pool: &Pool, reason: &str) -> Result<bool> {
    work.state.write(work.permit, |tx| {
        let Some(open) = breaker(tx.conn(), pool)?.filter(|breaker| breaker.active) else {
            return Ok(false);
        };
        tx.conn().execute(
            "UPDATE circuit_breaker_status SET active = 0, reset_at = ?2, reset_reason = ?3 WHERE pool_id = ?1",
            params![pool.id, tx.now(), reason],
        )?;
        tx.event(
            "risk.breaker_reset",
            &pool.name,
            &json!({ "reason": reason, "rule": open.rule, "opened_for": open.reason, "triggered_at": open.triggered_at }),
        )?;
        is_lifted(tx, pool, Rule::CircuitBreakerActive, |at| at.engine_breaker.is_some())?;
        Ok(true)
    })
}

/// Pauses a pool. Returns false where it is paused already: the first reason and time stay.
///
/// A pool without risk parameters can be paused too; it has none afterwards either.
pub fn pause(work: &mut WriteContext<'_>, pool: &Pool, reason: &str) -> Result<bool> {
    work.state.write(work.permit, |tx| {
        if row(tx.conn(), pool)?.is_some_and(|row| row.local_pause.is_some()) {
            return Ok(false);
        }
        tx.conn().execute(
            "INSERT INTO pool_risk_parameters (pool_id, engine, window, deposits_enabled, withdrawals_enabled,
                 engine_breaker, engine_emergency, local_pause_reason, local_paused_at)
             VALUES (?1, 'local', 'utc-day', 1, 1, 0, 0, ?2, ?3)
             ON CONFLICT (pool_id) DO UPDATE SET local_pause_reason = ?2, local_paused_at = ?3",
            params![pool.id, reason, tx.now()],
        )?;
        tx.event("risk.paused", &pool.name, &json!({ "reason": reason }))?;
        Ok(true)
    })
}

/// Lifts the pause. Returns false where there is none.
pub fn unpause(work: &mut WriteContext<'_>, pool: &Pool, reason: &str) -> Result<bool> {
    work.state.write(work.permit, |tx| {
        let Some(paused_for) = row(tx.conn(), pool)?.and_then(|row| row.local_pause) else {
            return Ok(false);
        };
        tx.conn().execute(
            "UPDATE pool_risk_parameters SET local_pause_reason = NULL, local_paused_at = NULL WHERE pool_id = ?1",
            [pool.id],
        )?;
        tx.event("risk.unpaused", &pool.name, &json!({ "reason": reason, "paused_for": paused_for }))?;
        is_lifted(tx, pool, Rule::EmergencyPause, |at| at.engine_emergency)?;
        Ok(true)
    })
}

/// What the last check said of this rule is over, unless the pool's engine says the same.
fn is_lifted(tx: &Tx<'_>, pool: &Pool, rule: Rule, by_engine: fn(&Parameters) -> bool) -> Result<()> {
    if row(tx.conn(), pool)?.is_some_and(|row| by_engine(&row.parameters)) {
        return Ok(());
    }
    alert::edge(tx, Subject::Pool(pool.id, &pool.name), rule.as_str(), None).map(drop)
}
