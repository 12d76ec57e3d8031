//! Rows of weights, schedule, emissions, epochs and rewards.

use super::accrual::Basis;
use super::epochs::created;
use super::grid::Terms;
use super::lane::Lane;
use crate::amount::{Base, Quantity};
use crate::output::{Code, Error, Result};
use crate::pool::{self, Pool, db_block, stored_base, stored_block};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::{BTreeMap, HashMap};

/// The terms of emission in ascending order.
///
/// # Errors
/// `state_error`, `state_corrupt`.
pub fn schedule(conn: &Connection) -> Result<Vec<Terms>> {
    let mut statement = conn.prepare_cached(
        "SELECT from_block, epoch_blocks, block_reward, asset, basis FROM reward_schedule ORDER BY from_block",
    )?;
    let mut rows = statement.query([])?;
    let mut schedule = Vec::new();
    while let Some(row) = rows.next()? {
        let basis: String = row.get(4)?;
        schedule.push(Terms {
            from_block: stored_block(row.get(0)?)?,
            epoch_blocks: stored_block(row.get(1)?)?,
            block_reward: stored_base(&row.get::<_, String>(2)?)?,
            asset: row.get(3)?,
            basis: Basis::parse(&basis)
                .ok_or_else(|| Error::new(Code::StateCorrupt, format!("\"{basis}\" is no reward basis")))?,
        });
    }
    Ok(schedule)
}

/// First block after the newest emission; 0 before the first.
///
/// # Errors
/// `state_error`.
pub fn emitted_to(conn: &Connection) -> Result<u64> {
    let end: Option<i64> = conn
        .prepare_cached("SELECT end_block FROM reward_emissions ORDER BY start_block DESC LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    end.map_or(Ok(0), stored_block)
}

/// A pool's weight from a block on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeightRow {
    /// The pool.
    pub pool_id: i64,
    /// First epoch start that it holds for.
    pub effective_block: u64,
    /// Millionths.
    pub weight_ppm: u32,
}

/// Every weight there ever was, by pool and block.
///
/// # Errors
/// `state_error`, `state_corrupt`.
pub fn weight_rows(conn: &Connection) -> Result<Vec<WeightRow>> {
    let mut statement = conn.prepare_cached(
        "SELECT pool_id, effective_block, weight_ppm FROM pool_reward_weights ORDER BY pool_id, effective_block",
    )?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(WeightRow {
            pool_id: row.get(0)?,
            effective_block: stored_block(row.get(1)?)?,
            weight_ppm: row.get(2)?,
        });
    }
    Ok(found)
}

/// (pool id, weight) of the pools taking part in the epoch that starts at `start`, by pool id. A pool with an epoch
/// made by hand there takes no part.
///
/// # Errors
/// `state_error`, `state_corrupt`.
pub fn participants(conn: &Connection, start: u64) -> Result<Vec<(i64, u32)>> {
    let mut statement = conn.prepare_cached(
        "SELECT p.id, (SELECT w.weight_ppm FROM pool_reward_weights w
                       WHERE w.pool_id = p.id AND w.effective_block <= ?1
                       ORDER BY w.effective_block DESC LIMIT 1) AS ppm
         FROM pools p WHERE p.reward_genesis_block <= ?1 AND ppm IS NOT NULL
             AND coalesce((SELECT e.origin = 'cycle' OR e.end_block <= ?1 FROM pool_reward_epochs e
                           WHERE e.pool_id = p.id AND e.start_block <= ?1
                           ORDER BY e.start_block DESC LIMIT 1), 1)
         ORDER BY p.id",
    )?;
    let rows = statement.query_map([db_block(start)?], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Emission of one epoch over all pools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmissionRow {
    /// Block reward × blocks.
    pub emission: Base,
    /// From the epoch before, where no pool had weight.
    pub carry_in: Base,
    /// To the epoch after, for the same reason.
    pub carry_out: Base,
}

/// The emission row of an epoch start.
///
/// # Errors
/// `state_error`, `state_corrupt`.
pub fn emission_at(conn: &Connection, start: u64) -> Result<Option<EmissionRow>> {
    emission(conn, "start_block = ?1", start)
}

/// The newest emission row before an epoch start.
///
/// # Errors
/// `state_error`, `state_corrupt`.
pub fn emission_before(conn: &Connection, start: u64) -> Result<Option<EmissionRow>> {
    emission(conn, "start_block < ?1", start)
}

fn emission(conn: &Connection, clause: &str, start: u64) -> Result<Option<EmissionRow>> {
    let found: Option<(String, String, String)> = conn
        .prepare_cached(&format!(
            "SELECT emission, carry_in, carry_out FROM reward_emissions WHERE {clause}
             ORDER BY start_block DESC LIMIT 1"
        ))?
        .query_row([db_block(start)?], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    found
        .map(|(emission, carry_in, carry_out)| {
            Ok(EmissionRow {
                emission: stored_base(&emission)?,
                carry_in: stored_base(&carry_in)?,
                carry_out: stored_base(&carry_out)?,
            })
        })
        .transpose()
}

/// (unclaimed, claimed) rewards of a member by asset, in one pool or in all.
///
/// # Errors
/// `state_error`, `state_corrupt`.
pub fn totals_of(
    conn: &Connection,
    member_id: i64,
    pool_id: Option<i64>,
) -> Result<(Vec<Quantity>, Vec<Quantity>)> {
    let mut statement = conn.prepare_cached(
        "SELECT e.asset, a.symbol, a.decimals, r.claimed_at IS NULL, r.amount
         FROM pool_rewards r JOIN pool_reward_epochs e ON e.id = r.epoch_id JOIN assets a ON a.address = e.asset
         WHERE r.member_id = ?1 AND (?2 IS NULL OR e.pool_id = ?2)",
    )?;
    let mut rows = statement.query(params![member_id, pool_id])?;
    let mut sums: BTreeMap<(bool, String), Quantity> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let key = (row.get::<_, bool>(3)?, row.get::<_, String>(0)?);
        let (symbol, decimals) = (row.get::<_, String>(1)?, row.get(2)?);
        let sum = sums.entry(key).or_insert_with(|| Quantity::new(Base::ZERO, decimals, symbol));
        sum.base = sum
            .base
            .checked_add(stored_base(&row.get::<_, String>(4)?)?)
            .ok_or_else(|| Error::new(Code::StateCorrupt, "rewards of a member pass 256 bits"))?;
    }
    let (mut unclaimed, mut claimed) = (Vec::new(), Vec::new());
    for ((open, _), sum) in sums {
        if open { unclaimed.push(sum) } else { claimed.push(sum) }
    }
    Ok((unclaimed, claimed))
}

/// The reward token that amounts are counted in so far.
///
/// # Errors
/// `state_error`.
pub fn counted_in(conn: &Connection) -> Result<Option<String>> {
    let found = conn
        .prepare_cached(
            "SELECT asset FROM pool_reward_epochs WHERE id = (SELECT max(id) FROM pool_reward_epochs)",
        )?
        .query_row([], |row| row.get(0))
        .optional()?;
    match found {
        Some(asset) => Ok(Some(asset)),
        None => Ok(schedule(conn)?.pop().map(|terms| terms.asset)),
    }
}

/// The way of every pool, by pool id; pools that never had to do with rewards have none.
///
/// # Errors
/// `state_error`, `state_corrupt`.
pub fn lanes(conn: &Connection) -> Result<HashMap<i64, Lane>> {
    let mut lanes: HashMap<i64, Lane> = HashMap::new();
    for row in weight_rows(conn)? {
        // The first of a pool's weights comes first.
        lanes.entry(row.pool_id).or_default().weighted_from.get_or_insert(row.effective_block);
    }
    for row in created(conn)? {
        lanes.entry(row.pool_id).or_default().created.push(row);
    }
    for pool in pool::list(conn)? {
        if pool.reward_cursor.is_some() {
            lanes.entry(pool.id).or_default().cursor = pool.reward_cursor;
        }
    }
    Ok(lanes)
}

/// The way of one pool, with all that is needed to make an epoch by hand.
///
/// # Errors
/// `state_error`, `state_corrupt`.
pub fn lane_of(conn: &Connection, pool: &Pool) -> Result<Lane> {
    let mut lane = lanes(conn)?.remove(&pool.id).unwrap_or_default();
    let first: Option<String> = conn
        .prepare_cached(
            "SELECT origin FROM pool_reward_epochs WHERE pool_id = ?1 AND origin = 'cycle'
             UNION ALL SELECT origin FROM pool_reward_epochs WHERE pool_id = ?1 LIMIT 1",
        )?
        .query_row([pool.id], |row| row.get(0))
        .optional()?;
    lane.by_hand = first.is_some_and(|origin| origin == "manual");
    Ok(lane)
}
