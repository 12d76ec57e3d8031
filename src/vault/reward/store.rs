//! Rows of weights, schedule, emissions, epochs and rewards.

use super::budget::Claimant;
use super::epochs::created;
use super::grid::{Epoch, Terms};
use super::lane::Lane;
use crate::pool;
use base::amount::{Base, Delta, Quantity};
use base::{Code, Error, Result, say};
use rusqlite::{Connection, OptionalExtension, Row, params};
use state::columns::{at, db_block, only};
use state::meta_get;
use std::collections::{BTreeMap, HashMap};

/// The terms of emission in ascending order.
pub fn schedule(conn: &Connection) -> Result<Vec<Terms>> {
    let mut statement = conn.prepare_cached(
        "SELECT from_block, epoch_blocks, block_reward, asset, basis FROM reward_schedule ORDER BY from_block",
    )?;
    statement
        .query_and_then([], |row| {
            Ok(Terms {
                from_block: row.get("from_block")?,
                epoch_blocks: row.get("epoch_blocks")?,
                block_reward: at(row, "block_reward")?,
                asset: row.get("asset")?,
                basis: row.get("basis")?,
            })
        })?
        .collect()
}

/// First block after the newest emission; 0 before the first.
pub fn emitted_to(conn: &Connection) -> Result<u64> {
    let end: Option<u64> = conn
        .prepare_cached("SELECT end_block FROM reward_emissions ORDER BY start_block DESC LIMIT 1")?
        .query_row([], only)
        .optional()?;
    Ok(end.unwrap_or_default())
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
pub fn weight_rows(conn: &Connection) -> Result<Vec<WeightRow>> {
    let mut statement = conn.prepare_cached(
        "SELECT pool_id, effective_block, weight_ppm FROM pool_reward_weights ORDER BY pool_id, effective_block",
    )?;
    statement
        .query_and_then([], |row| {
            Ok(WeightRow {
                pool_id: row.get("pool_id")?,
                effective_block: row.get("effective_block")?,
                weight_ppm: row.get("weight_ppm")?,
            })
        })?
        .collect()
}

/// The pools with a claim to emissions, by id: those whose rewards have begun and that ever had a weight.
pub fn claimants(conn: &Connection) -> Result<Vec<Claimant>> {
    let mut begun = conn.prepare_cached(
        "SELECT id, reward_genesis_block FROM pools WHERE reward_cursor_block IS NOT NULL ORDER BY id",
    )?;
    let mut by_hand = conn.prepare_cached(
        "SELECT start_block, end_block FROM pool_reward_epochs WHERE pool_id = ?1 AND origin = 'manual'
         ORDER BY start_block",
    )?;
    let mut weights: HashMap<i64, Vec<(u64, u32)>> = HashMap::new();
    for row in weight_rows(conn)? {
        weights.entry(row.pool_id).or_default().push((row.effective_block, row.weight_ppm));
    }
    let mut rows = begun.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let pool_id: i64 = row.get("id")?;
        let Some(weights) = weights.remove(&pool_id) else { continue };
        let epochs = by_hand.query_map([pool_id], |epoch| {
            Ok(Epoch { start: epoch.get("start_block")?, end: epoch.get("end_block")? })
        })?;
        let by_hand = epochs.collect::<Result<_, _>>()?;
        found.push(Claimant { pool_id, begins: row.get("reward_genesis_block")?, weights, by_hand });
    }
    Ok(found)
}

/// First block that nothing is decided about: no weight holds from a later one, nothing is emitted, paid or replayed
/// there (a pool that was not paid yet may begin later). A setting that is made now holds from there on, however far an endpoint lags.
pub fn undecided(conn: &Connection) -> Result<u64> {
    let (weight, place): (Option<u64>, Option<u64>) = conn
        .prepare_cached(
            "SELECT (SELECT max(effective_block) FROM pool_reward_weights) AS weight,
                 (SELECT max(max(CASE WHEN reward_cursor_block > reward_genesis_block THEN reward_cursor_block ELSE 0 END,
                             coalesce(cursor_block + 1, 0))) FROM pools) AS place",
        )?
        .query_row([], |row| Ok((row.get("weight")?, row.get("place")?)))?;
    Ok(weight.max(place).unwrap_or_default().max(emitted_to(conn)?))
}

/// The block from which on emissions follow each other, each taking in what the one before left. Below it stand those of
/// a program that did not see to that; 0 where there are none.
pub fn in_order_from(conn: &Connection) -> Result<u64> {
    mark(conn, "reward_order_from_block")
}

/// The last epoch that was paid by whether its pool was paused when the cycle ran, by its id; 0 where there is none.
pub fn pause_by_run_to(conn: &Connection) -> Result<i64> {
    let last = mark(conn, "reward_pause_from_epoch")?;
    i64::try_from(last).map_err(|e| Error::new(Code::StateCorrupt, e.to_string()))
}

/// Whether the numbers that the migration left can be read.
pub fn marks(conn: &Connection) -> Result<()> {
    in_order_from(conn)?;
    pause_by_run_to(conn).map(drop)
}

/// A number that the migration left.
fn mark(conn: &Connection, key: &str) -> Result<u64> {
    meta_get(conn, key)?.map_or(Ok(0), |text| {
        text.parse().map_err(|_| {
            let why = format!("\"{text}\" stands in meta.{key}, where a number belongs");
            Error::new(Code::StateCorrupt, why).hint(say("see all of it: ").run("state check").with("full"))
        })
    })
}

/// What the emission that starts at `start` takes in of those before it.
///
/// The first one after those of a program that lost what it carried takes in all that was left.
pub fn carry_into(conn: &Connection, start: u64) -> Result<Base> {
    let in_order = in_order_from(conn)?;
    if in_order == 0 || start > in_order {
        return Ok(emission_before(conn, start)?.map_or(Base::ZERO, |row| row.carry_out));
    }
    let mut statement = conn.prepare_cached(
        "SELECT carry_in, carry_out FROM reward_emissions WHERE start_block < ?1 ORDER BY start_block",
    )?;
    let mut rows = statement.query([db_block(start)?])?;
    let mut left = Delta::default();
    while let Some(row) = rows.next()? {
        let (taken, given) = (at(row, "carry_in")?, at(row, "carry_out")?);
        let past = || Error::new(Code::StateCorrupt, "the carried emissions pass 256 bits");
        left = left.checked_add(Delta::debit(taken)).ok_or_else(past)?;
        left = left.checked_add(Delta::credit(given)).ok_or_else(past)?;
    }
    // Where it gave more than there was, nothing is taken back from anybody.
    Ok(if left.is_negative() { Base::ZERO } else { left.magnitude() })
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

impl EmissionRow {
    /// What there is to share out.
    pub const fn total(&self) -> Base {
        self.emission.saturating_add(self.carry_in)
    }
}

/// The emission row of an epoch start.
pub fn emission_at(conn: &Connection, start: u64) -> Result<Option<EmissionRow>> {
    emission(conn, "start_block = ?1", start)
}

/// The newest emission row before an epoch start.
pub fn emission_before(conn: &Connection, start: u64) -> Result<Option<EmissionRow>> {
    emission(conn, "start_block < ?1", start)
}

fn emission(conn: &Connection, clause: &str, start: u64) -> Result<Option<EmissionRow>> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT emission, carry_in, carry_out FROM reward_emissions WHERE {clause}
         ORDER BY start_block DESC LIMIT 1"
    ))?;
    statement.query_and_then([db_block(start)?], read_emission)?.next().transpose()
}

/// An emission by its three amounts.
pub(super) fn read_emission(row: &Row<'_>) -> Result<EmissionRow> {
    Ok(EmissionRow {
        emission: at(row, "emission")?,
        carry_in: at(row, "carry_in")?,
        carry_out: at(row, "carry_out")?,
    })
}

/// Rewards of a member by asset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// To be claimed.
    pub unclaimed: Vec<Quantity>,
    /// Claimed so far.
    pub claimed: Vec<Quantity>,
    /// In Merkle trees, to be claimed on chain.
    pub exported: Vec<Quantity>,
}

/// The rewards of a member, in one pool or in all.
pub fn totals_of(conn: &Connection, member_id: i64, pool_id: Option<i64>) -> Result<Totals> {
    let mut statement = conn.prepare_cached(
        "SELECT e.asset, a.symbol, a.decimals, r.claimed_at IS NOT NULL AS claimed,
             x.epoch_id IS NOT NULL AS exported, r.amount
         FROM pool_rewards r LEFT JOIN pool_reward_epochs e ON e.id = r.epoch_id
         LEFT JOIN assets a ON a.address = e.asset LEFT JOIN reward_exports x ON x.epoch_id = r.epoch_id
         WHERE r.member_id = ?1 AND (?2 IS NULL OR coalesce(e.pool_id, ?2) = ?2)",
    )?;
    let mut rows = statement.query(params![member_id, pool_id])?;
    let mut sums: BTreeMap<(bool, bool, String), Quantity> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (claimed, exported): (bool, bool) = (row.get("claimed")?, row.get("exported")?);
        let key = (claimed, exported && !claimed, row.get::<_, String>("asset")?);
        let (symbol, decimals) = (row.get::<_, String>("symbol")?, row.get("decimals")?);
        let sum = sums.entry(key).or_insert_with(|| Quantity::new(Base::ZERO, decimals, symbol));
        sum.base = sum
            .base
            .checked_add(at(row, "amount")?)
            .ok_or_else(|| Error::new(Code::StateCorrupt, "rewards of a member pass 256 bits"))?;
    }
    let mut totals = Totals::default();
    for ((claimed, exported, _), sum) in sums {
        match (claimed, exported) {
            (true, _) => totals.claimed.push(sum),
            (false, true) => totals.exported.push(sum),
            (false, false) => totals.unclaimed.push(sum),
        }
    }
    Ok(totals)
}

/// When a pool was last paid, seconds since 1970, and the block up to which one is.
pub fn last_paid(conn: &Connection) -> Result<Option<(i64, u64)>> {
    let (at, block): (Option<i64>, Option<u64>) = conn
        .prepare_cached(
            "SELECT max((SELECT e.distributed_at FROM pool_reward_epochs e
                         WHERE e.pool_id = p.id AND e.start_block < p.reward_cursor_block
                         ORDER BY e.start_block DESC LIMIT 1)) AS at, max(p.reward_cursor_block) AS block FROM pools p",
        )?
        .query_row([], |row| Ok((row.get("at")?, row.get("block")?)))?;
    Ok(at.zip(block))
}

/// The reward token that amounts are counted in so far.
pub fn counted_in(conn: &Connection) -> Result<Option<String>> {
    let found = conn
        .prepare_cached(
            "SELECT asset FROM pool_reward_epochs WHERE id = (SELECT max(id) FROM pool_reward_epochs)",
        )?
        .query_row([], only)
        .optional()?;
    match found {
        Some(asset) => Ok(Some(asset)),
        None => Ok(schedule(conn)?.pop().map(|terms| terms.asset)),
    }
}

/// The way of every pool, by pool id; pools that never had to do with rewards have none.
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
