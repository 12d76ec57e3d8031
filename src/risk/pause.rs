//! The local emergency pause of a pool: nothing goes in or out until the operator lifts it.

use super::parameters::row;
use base::Result;
use rusqlite::params;
use serde_json::json;
use state::Work;
use vault::pool::Pool;

/// Pauses a pool. Returns false where it is paused already: the first reason and time stay.
///
/// A pool without risk parameters can be paused too; it has none afterwards either.
///
/// # Errors
/// `state_error`.
pub fn pause(work: &mut Work<'_>, pool: &Pool, reason: &str) -> Result<bool> {
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
///
/// # Errors
/// `state_error`.
pub fn unpause(work: &mut Work<'_>, pool: &Pool, reason: &str) -> Result<bool> {
    work.state.write(work.permit, |tx| {
        let Some(paused_for) = row(tx.conn(), pool)?.and_then(|row| row.local_pause) else {
            return Ok(false);
        };
        tx.conn().execute(
            "UPDATE pool_risk_parameters SET local_pause_reason = NULL, local_paused_at = NULL WHERE pool_id = ?1",
            [pool.id],
        )?;
        tx.event("risk.unpaused", &pool.name, &json!({ "reason": reason, "paused_for": paused_for }))?;
        Ok(true)
    })
}
