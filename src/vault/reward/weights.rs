//! Weights of pools: set for the next epoch, shown with what they come to.

use super::grid::{self, Epoch};
use super::store::{lanes, schedule, undecided, weight_rows};
use crate::pool::{self, Pool};
use base::{Code, Error, Result};
use evm::{At, Chain};
use rusqlite::{Connection, params};
use serde_json::json;
use state::columns::db_block;
use state::{Work, rows};

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

/// What setting a weight did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightSet {
    /// First block that it holds for; 0 before the first cycle.
    pub effective_block: u64,
    /// Whether anything changed.
    pub changed: bool,
    /// The weight, in millionths, that was announced for that block before and is withdrawn.
    pub replaced: Option<u32>,
    /// Blocks between the pool's last epoch by hand and its first one of the schedule, which have no epoch.
    pub unpaid: Option<Epoch>,
}

/// Sets a pool's weight from the next epoch on: never for one that anything is decided about, nor before a change that
/// was announced already.
pub async fn set_weight(
    work: &mut Work<'_>,
    chain: impl FnOnce() -> Result<Chain>,
    pool: &Pool,
    weight_ppm: u32,
) -> Result<WeightSet> {
    let head = if schedule(work.state.conn())?.is_empty() {
        None
    } else {
        let known = pool::newest_known(&pool::list(work.state.conn())?);
        Some(chain()?.view_above(At::Latest, known, async |view| Ok(view.block().number)).await?)
    };
    work.state.write(work.permit, |tx| {
        let schedule = schedule(tx.conn())?;
        let rows = weight_rows(tx.conn())?;
        let last = rows.iter().rev().find(|row| row.pool_id == pool.id);
        if let Some(row) = last.filter(|row| row.weight_ppm == weight_ppm) {
            let effective_block = row.effective_block;
            return Ok(WeightSet { effective_block, changed: false, replaced: None, unpaid: None });
        }
        let effective = match head {
            None => 0,
            Some(head) => {
                let open = undecided(tx.conn())?.max(head + 1);
                let none = || Error::new(Code::InvalidValue, format!("no reward epoch begins after block {open}"));
                grid::boundary_from(&schedule, open).ok_or_else(none)?
            }
        };
        let replaced = last.filter(|row| row.effective_block == effective).map(|row| row.weight_ppm);
        rows::run(
            tx.conn(),
            "INSERT INTO pool_reward_weights VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (pool_id, effective_block) DO UPDATE SET weight_ppm = ?3, set_at = ?4",
            params![pool.id, db_block(effective)?, weight_ppm, tx.now()],
        )?;
        tx.event(
            "reward.weight_set",
            &pool.name,
            &json!({ "old_ppm": last.map(|row| row.weight_ppm), "new_ppm": weight_ppm, "effective_block": effective,
                     "replaced_ppm": replaced }),
        )?;
        let unpaid = lanes(tx.conn())?.get(&pool.id).and_then(|lane| lane.unpaid(&schedule));
        Ok(WeightSet { effective_block: effective, changed: true, replaced, unpaid })
    })
}

/// The weights at the next epoch to be emitted, by pool id.
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
