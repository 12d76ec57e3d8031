//! Weights of pools: set for the next epoch, shown with what they come to. And `reward apr`: each pool's yields, from the
//! emission to come, its TVL at the last sync, and accepted prices.

use super::apr::{self, Yields};
use super::grid::{self, Epoch};
use super::prepare;
use super::store::{schedule, timelines, undecided, weight_rows};
use crate::oracle::{self, Price};
use crate::pool::{self, Pool, Snapshot};
use base::amount::Quantity;
use base::{Code, Error, Result};
use config::Config;
use evm::{At, Chain};
use rusqlite::{Connection, params};
use serde_json::json;
use state::columns::db_block;
use state::{WriteContext, rows};

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
    work: &mut WriteContext<'_>,
    chain: impl Fn() -> Result<Chain>,
    pool: &Pool,
    weight_ppm: u32,
) -> Result<WeightSet> {
    state::anew_async(async || set_once(work, &chain, pool, weight_ppm).await).await
}

async fn set_once(
    work: &mut WriteContext<'_>,
    chain: impl Fn() -> Result<Chain>,
    pool: &Pool,
    weight_ppm: u32,
) -> Result<WeightSet> {
    let head = if schedule(work.state.conn())?.is_empty() {
        None
    } else {
        let known = pool::newest(work.state.conn())?;
        Some(chain()?.view_above(At::Latest, known, async |view| Ok(view.block().number)).await?)
    };
    work.state.write(work.permit, |tx| {
        let now = pool::by_id(tx.conn(), pool.id)?;
        if now.retired_at.is_some() {
            return Err(pool::is_retired(&now));
        }
        let schedule = schedule(tx.conn())?;
        if head.is_none() && !schedule.is_empty() {
            // The first cycle has run meanwhile: the weight does not hold from the beginning any more.
            return Err(state::changed("the reward schedule"));
        }
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
        let unpaid = timelines(tx.conn())?.get(&pool.id).and_then(|timeline| timeline.unpaid(&schedule));
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

/// What a pool yields, as far as it can be told.
#[derive(Debug, Clone)]
pub struct Outlook {
    /// The pool.
    pub pool: Pool,
    /// A year's emission for it; `None` where the reward token is not known.
    pub yearly: Option<Quantity>,
    /// Its figures at the last sync.
    pub snapshot: Option<Snapshot>,
    /// The reward token's price.
    pub reward_price: Option<Price>,
    /// The price of the pool's asset.
    pub asset_price: Option<Price>,
    /// The yields, or why there are none.
    pub yields: std::result::Result<Yields, &'static str>,
}

/// The outlook of some pools; `now` is seconds since 1970. Prices are those of the cache that are within their feed's
/// staleness.
pub fn outlook(conn: &Connection, config: &Config, pools: Vec<Pool>, now: i64) -> Result<Vec<Outlook>> {
    let token = config.address("reward.asset")?.map(|address| pool::asset(conn, address));
    let token = token.transpose()?.flatten();
    let in_force = match schedule(conn)?.pop() {
        Some(terms) => Some(terms),
        None => token.as_ref().map(|token| prepare::wanted(config, token)).transpose()?,
    };
    let block_time_sec = config.number("reward.block_time_sec")?;
    let weights = weights(conn)?;
    let sum: u64 = weights.iter().filter_map(|row| row.weight_ppm).map(u64::from).sum();
    let snapshots = pool::snapshots(conn)?;
    let reward_price = token.as_ref().map(|token| oracle::cached_of(conn, token, now)).transpose()?.flatten();
    let mut found = Vec::with_capacity(pools.len());
    for pool in pools {
        let snapshot = snapshots.get(&pool.id).cloned();
        let asset_price = oracle::cached_of(conn, &pool.asset, now)?;
        let weight = weights.iter().find(|row| row.pool_id == pool.id).and_then(|row| row.weight_ppm);
        let terms = token.as_ref().zip(in_force.as_ref()).map(|(token, in_force)| apr::YieldInputs {
            block_reward: in_force.block_reward,
            block_time_sec,
            weight_ppm: weight.unwrap_or_default(),
            weight_sum_ppm: sum,
            reward_decimals: token.decimals,
            reward_price_e18: reward_price.as_ref().map(|price| price.price_e18).unwrap_or_default(),
            tvl: snapshot.as_ref().map(|snapshot| snapshot.total_assets).unwrap_or_default(),
            asset_decimals: pool.asset.decimals,
            asset_price_e18: asset_price.as_ref().map(|price| price.price_e18).unwrap_or_default(),
        });
        let yields = match (&terms, weight, &snapshot, &reward_price, &asset_price) {
            (None, ..) => Err("the reward token is not known yet: run a reward cycle"),
            (_, None, ..) => Err("the pool has no weight"),
            (_, _, None, ..) => Err("never synced"),
            (_, _, _, None, _) => Err("no price of the reward token"),
            (_, _, _, _, None) => Err("no price of the pool's asset"),
            (Some(terms), ..) if terms.tvl.is_zero() => Err("the pool is empty"),
            (Some(terms), ..) => apr::yields(terms).ok_or("the yield is too large to compute"),
        };
        let yearly = terms.as_ref().and_then(apr::yearly_emission).zip(token.as_ref());
        let yearly = yearly.map(|(amount, token)| token.quantity(amount));
        found.push(Outlook {
            pool,
            yearly,
            snapshot,
            reward_price: reward_price.clone(),
            asset_price,
            yields,
        });
    }
    Ok(found)
}
