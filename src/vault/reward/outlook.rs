//! `reward apr`: each pool's yields, from the emission to come, its TVL at the last sync, and accepted prices.

use super::apr::{self, Yields};
use super::prepare;
use super::store::schedule;
use super::weights::weights;
use crate::oracle::{self, Price};
use crate::pool::{self, Asset, Pool, Snapshot};
use base::amount::Quantity;
use base::{Code, Result};
use config::Config;
use rusqlite::Connection;

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
    let reward_price = token.as_ref().map(|token| price(conn, token, now)).transpose()?.flatten();
    let mut found = Vec::with_capacity(pools.len());
    for pool in pools {
        let snapshot = snapshots.get(&pool.id).cloned();
        let asset_price = price(conn, &pool.asset, now)?;
        let weight = weights.iter().find(|row| row.pool_id == pool.id).and_then(|row| row.weight_ppm);
        let terms = token.as_ref().zip(in_force.as_ref()).map(|(token, in_force)| apr::Terms {
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
            (Some(terms), ..) => apr::yields(terms).ok_or("it is too large"),
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

/// Feeds name an asset by its address or its symbol.
fn price(conn: &Connection, asset: &Asset, now: i64) -> Result<Option<Price>> {
    for name in [asset.address.to_string(), asset.symbol.to_ascii_uppercase()] {
        match oracle::cached(conn, &name, now, None) {
            Ok(None) => {}
            Err(e) if e.code() == Code::UnknownAsset => {}
            found => return found,
        }
    }
    Ok(None)
}
