//! Weights of pools: set for the next epoch, shown with what they come to.

use super::grid;
use super::store::{schedule, weight_rows};
use crate::context::Work;
use crate::evm::{At, Chain};
use crate::output::Result;
use crate::pool::{Pool, db_block};
use rusqlite::{Connection, params};
use serde_json::json;

/// A pool's weight in the newest epoch, and the one to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolWeight {
    /// The pool.
    pub pool_id: i64,
    /// Millionths in force at `at`, if any.
    pub weight_ppm: Option<u32>,
    /// (from block, millionths) of a change that is not in force yet.
    pub next: Option<(u64, u32)>,
}

/// Sets a pool's weight from the next epoch on. Returns its first block (0 before the first cycle) and whether
/// anything changed.
///
/// # Errors
/// Those of the transport where the head must be known, `state_error`.
pub async fn set_weight(
    work: &mut Work<'_>,
    chain: impl FnOnce() -> Result<Chain>,
    pool: &Pool,
    weight_ppm: u32,
) -> Result<(u64, bool)> {
    let schedule = schedule(work.state.conn())?;
    let effective = if schedule.is_empty() {
        0
    } else {
        let head = chain()?.view(At::Latest, async |view| Ok(view.block().number)).await?;
        let from = super::store::emitted_to(work.state.conn())?.max(head + 1);
        grid::boundary_from(&schedule, from).unwrap_or(from)
    };
    let changed = work.state.write(work.permit, |tx| {
        let rows = weight_rows(tx.conn())?;
        let last = rows.iter().rev().find(|row| row.pool_id == pool.id);
        if last.is_some_and(|row| row.weight_ppm == weight_ppm) {
            return Ok(false);
        }
        tx.conn().execute(
            "INSERT INTO pool_reward_weights VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (pool_id, effective_block) DO UPDATE SET weight_ppm = ?3, set_at = ?4",
            params![pool.id, db_block(effective)?, weight_ppm, tx.now()],
        )?;
        tx.event(
            "reward.weight_set",
            &pool.name,
            &json!({ "old_ppm": last.map(|row| row.weight_ppm), "new_ppm": weight_ppm, "effective_block": effective }),
        )?;
        Ok(true)
    })?;
    let in_force = weight_rows(work.state.conn())?
        .into_iter()
        .rev()
        .find(|row| row.pool_id == pool.id)
        .map_or(effective, |row| row.effective_block);
    Ok((in_force, changed))
}

/// The weights at the next epoch to be emitted, by pool id.
///
/// # Errors
/// `state_error`, `state_corrupt`.
pub fn weights(conn: &Connection) -> Result<Vec<PoolWeight>> {
    let schedule = schedule(conn)?;
    let at = super::store::emitted_to(conn)?.max(schedule.first().map_or(0, |terms| terms.from_block));
    let mut found: Vec<PoolWeight> = Vec::new();
    for row in weight_rows(conn)? {
        if found.last().is_none_or(|last| last.pool_id != row.pool_id) {
            found.push(PoolWeight { pool_id: row.pool_id, weight_ppm: None, next: None });
        }
        let Some(last) = found.last_mut() else { continue };
        if row.effective_block <= at {
            last.weight_ppm = Some(row.weight_ppm);
        } else {
            last.next = Some((row.effective_block, row.weight_ppm));
        }
    }
    Ok(found)
}
