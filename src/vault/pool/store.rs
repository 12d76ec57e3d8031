//! Rows of `pools`, `pool_snapshots` and `assets`.

use super::abi::{Abi, MaxDeposit};
use super::known::{self, Known};
use super::token::Asset;
use alloy::primitives::{Address, B256};
use base::amount::{Base, Quantity};
use base::{Code, Error, Result, say};
use evm::BlockRef;
use rusqlite::{Connection, params};
use state::columns::{at, db_block, maybe_at};
use state::rows::Row;
use state::{Named, resolve, rows};
use std::collections::{HashMap, HashSet};

/// A pool as the state knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Row id.
    pub id: i64,
    /// The operator's name for it.
    pub name: String,
    /// The vault or pool contract, which is its own share token.
    pub address: Address,
    /// Its ABI profile.
    pub abi: Abi,
    /// What is deposited.
    pub asset: Asset,
    /// Symbol of the share token.
    pub share_symbol: String,
    /// Decimals of the share token.
    pub share_decimals: u8,
    /// Block of its creation.
    pub deploy_block: u64,
    /// Fall of the rate that is an alert, in millionths.
    pub max_rate_drop_ppm: u32,
    /// First epoch start, once known.
    pub reward_genesis: Option<u64>,
    /// Next epoch start, once known.
    pub reward_cursor: Option<u64>,
    /// Carried to its next epoch, reward base units.
    pub reward_carry: Base,
    /// Transfers are replayed through this block.
    pub cursor: Option<(u64, B256)>,
    /// Block of the last accepted sync.
    pub synced_block: Option<u64>,
    /// What its contract is, once that was looked at.
    pub contract: Option<Known>,
    /// How often stored transfers were taken back or replaced.
    pub rewrites: u64,
    /// Since when the operator has no more to do with it, seconds since 1970; `None` = it is in use.
    pub retired_at: Option<i64>,
}

/// Which of a pool's transfers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stand {
    /// They are replayed through this block.
    pub cursor: Option<(u64, B256)>,
    /// How often some were taken back or replaced.
    pub rewrites: u64,
}

impl Pool {
    /// One of which nothing was read yet; `share` is its token's symbol and decimals.
    pub(crate) fn new(
        name: &str,
        address: Address,
        abi: Abi,
        asset: Asset,
        share: (&str, u8),
        deploy_block: u64,
    ) -> Self {
        Self {
            id: 1,
            name: name.to_owned(),
            address,
            abi,
            asset,
            share_symbol: share.0.to_owned(),
            share_decimals: share.1,
            deploy_block,
            max_rate_drop_ppm: 0,
            reward_genesis: None,
            reward_cursor: None,
            reward_carry: Base::ZERO,
            cursor: None,
            synced_block: None,
            contract: None,
            rewrites: 0,
            retired_at: None,
        }
    }

    /// An amount of its shares.
    pub fn shares(&self, base: Base) -> Quantity {
        Quantity::new(base, self.share_decimals, &self.share_symbol)
    }

    /// First block whose transfers are not replayed yet.
    pub fn next_block(&self) -> u64 {
        self.cursor.map_or(self.deploy_block, |(block, _)| block + 1)
    }

    /// Which of its transfers are stored.
    pub const fn stand(&self) -> Stand {
        Stand { cursor: self.cursor, rewrites: self.rewrites }
    }

    /// Whether its contract has to answer `paused()` at a block.
    pub fn can_pause_at(&self, block: u64) -> bool {
        self.contract.as_ref().is_some_and(|known| known.can_pause_at(block))
    }
}

/// A pool's figures at its last sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The block they were read at.
    pub block: BlockRef,
    /// The endpoint they came from.
    pub endpoint: String,
    /// When, by our clock, seconds since 1970.
    pub synced_at: i64,
    /// TVL, asset base units.
    pub total_assets: Base,
    /// Share base units.
    pub total_shares: Base,
    /// Assets per share, 18 decimals.
    pub rate_e18: Base,
    /// Whether paused; `None` where it cannot be.
    pub paused: Option<bool>,
    /// Smallest deposit, asset base units; `None` = any.
    pub min_deposit: Option<Base>,
    /// Largest deposit.
    pub max_deposit: MaxDeposit,
    /// Seconds between a deposit and the first withdrawal; `None` where the contract knows no such thing.
    pub cooldown_sec: Option<u64>,
}

impl Snapshot {
    /// The rate, where there is a share that has one: what an empty pool answers is a beginning and no fall.
    pub fn rate(&self) -> Option<Base> {
        (!self.total_shares.is_zero()).then_some(self.rate_e18)
    }
}

const POOL: &str = "SELECT p.id, p.name, p.address, p.abi, p.asset, a.symbol, a.decimals, p.share_symbol,
     p.share_decimals, p.deploy_block, p.max_rate_drop_ppm, p.reward_genesis_block, p.reward_cursor_block,
     p.reward_carry, p.cursor_block, p.cursor_hash, p.synced_block, p.rewrites, p.retired_at,
     c.code_hash, c.implementation, c.asset_decimals, c.can_pause, c.from_block,
     c.found_code_hash, c.found_implementation, c.found_asset_decimals, c.found_can_pause, c.found_block
     FROM pools p JOIN assets a ON a.address = p.asset LEFT JOIN pool_contracts c ON c.pool_id = p.id";

/// All pools by id, those that are retired too.
pub fn list(conn: &Connection) -> Result<Vec<Pool>> {
    rows::all(conn, &format!("{POOL} ORDER BY p.id"), [], read_pool)
}

/// The pools that are not retired, by id.
pub fn active(conn: &Connection) -> Result<Vec<Pool>> {
    let mut pools = list(conn)?;
    pools.retain(|pool| pool.retired_at.is_none());
    Ok(pools)
}

/// The pools that are not retired and are paid rewards, or will be: those that have begun or have a weight, by id.
pub fn rewarded(conn: &Connection) -> Result<Vec<Pool>> {
    let sql = format!(
        "{POOL} WHERE p.retired_at IS NULL AND (p.reward_cursor_block IS NOT NULL
             OR EXISTS (SELECT 1 FROM pool_reward_weights w WHERE w.pool_id = p.id)) ORDER BY p.id"
    );
    rows::all(conn, &sql, [], read_pool)
}

/// A pool by its name, its address or the beginning of that; an error has the nearest name there is.
pub fn find(conn: &Connection, name: &str) -> Result<Pool> {
    by_id(conn, resolve(conn, Named::Pool, name)?)
}

/// A pool by its row id, as it stands now.
pub fn by_id(conn: &Connection, id: i64) -> Result<Pool> {
    let missing = || Error::corrupt(format!("there is no pool with the row id {id}"));
    rows::first(conn, &format!("{POOL} WHERE p.id = ?1"), [id], read_pool)?.ok_or_else(missing)
}

/// Which of a pool's transfers are stored now.
pub fn stand(conn: &Connection, id: i64) -> Result<Stand> {
    let sql = "SELECT cursor_block, cursor_hash, rewrites FROM pools WHERE id = ?1";
    let missing = || Error::corrupt(format!("there is no pool with the row id {id}"));
    rows::first(conn, sql, [id], |row| Ok(Stand { cursor: cursor(row)?, rewrites: row.get("rewrites")? }))?
        .ok_or_else(missing)
}

/// The block through which transfers are replayed, with its hash.
fn cursor(row: &Row<'_>) -> Result<Option<(u64, B256)>> {
    Ok(row.get::<_, Option<_>>("cursor_block")?.zip(maybe_at(row, "cursor_hash")?))
}

/// The refusal to act on a pool that is retired.
pub fn is_retired(pool: &Pool) -> Error {
    let hint = say("take it back with: ").run("pool retire").of(&pool.name).with("undo");
    Error::new(Code::Conflict, format!("pool \"{}\" is retired", pool.name)).hint(hint)
}

/// A pool by what it is named by, to act on it: `conflict` where it is retired.
pub fn find_active(conn: &Connection, name: &str) -> Result<Pool> {
    let pool = find(conn, name)?;
    if pool.retired_at.is_some() { Err(is_retired(&pool)) } else { Ok(pool) }
}

/// Many are found faster in the whole list than one by one.
const MANY: usize = 8;

/// These pools as they are now, less those that were retired meanwhile.
pub fn again(conn: &Connection, pools: &[Pool]) -> Result<Vec<Pool>> {
    let listed = if pools.len() > MANY { list(conn)? } else { Vec::new() };
    let mut listed: HashMap<i64, Pool> = listed.into_iter().map(|pool| (pool.id, pool)).collect();
    let now = |pool: &Pool| listed.remove(&pool.id).map_or_else(|| by_id(conn, pool.id), Ok);
    let mut now = pools.iter().map(now).collect::<Result<Vec<Pool>>>()?;
    now.retain(|pool| pool.retired_at.is_none());
    Ok(now)
}

/// The named pools; where no name is given, all that are not retired.
pub fn select(conn: &Connection, names: &[String]) -> Result<Vec<Pool>> {
    if names.is_empty() {
        return active(conn);
    }
    let listed = if names.len() > MANY { list(conn)? } else { Vec::new() };
    let mut by_name: HashMap<String, Pool> =
        listed.into_iter().map(|pool| (pool.name.clone(), pool)).collect();
    let mut pools: Vec<Pool> = Vec::with_capacity(names.len());
    let mut seen = HashSet::new();
    for name in names {
        let pool = by_name.remove(name).map_or_else(|| find(conn, name), Ok)?;
        if seen.insert(pool.id) {
            pools.push(pool);
        }
    }
    Ok(pools)
}

/// The highest block that anything is known of from any pool: an endpoint below it lags.
pub fn newest(conn: &Connection) -> Result<u64> {
    let sql =
        "SELECT max(max(deploy_block, coalesce(synced_block, 0), coalesce(cursor_block, 0))) FROM pools";
    Ok(rows::one::<Option<u64>>(conn, sql, [])?.unwrap_or_default())
}

/// The same of these pools.
pub fn newest_known(pools: &[Pool]) -> u64 {
    let known = |pool: &Pool| {
        let cursor = pool.cursor.map(|(block, _)| block);
        pool.deploy_block.max(pool.synced_block.max(cursor).unwrap_or_default())
    };
    pools.iter().map(known).max().unwrap_or_default()
}

fn read_pool(row: &Row<'_>) -> Result<Pool> {
    Ok(state::from_row!(row => Pool {
        id, name, abi, share_symbol, share_decimals, deploy_block, max_rate_drop_ppm, synced_block, rewrites,
        retired_at
    } at { address, reward_carry } and {
        asset: Asset {
            address: at(row, "asset")?,
            symbol: row.get("symbol")?,
            decimals: row.get("decimals")?,
        },
        reward_genesis: row.get("reward_genesis_block")?,
        reward_cursor: row.get("reward_cursor_block")?,
        cursor: cursor(row)?,
        contract: known::of_row(row)?,
    }))
}

const FIGURES: &str =
    "p.id, p.abi, s.block_number, s.block_hash, s.block_timestamp, s.endpoint, s.synced_at, s.total_assets,
     s.total_shares, s.rate_e18, s.paused, s.min_deposit, s.max_deposit, s.cooldown_sec";

/// The figures of a pool's last accepted sync.
pub fn snapshot(conn: &Connection, pool: &Pool) -> Result<Option<Snapshot>> {
    let Some(block) = pool.synced_block else { return Ok(None) };
    let sql = format!(
        "SELECT {FIGURES} FROM pools p
         CROSS JOIN pool_snapshots s ON s.pool_id = p.id AND s.block_number = ?2 WHERE p.id = ?1"
    );
    let found = rows::first(conn, &sql, params![pool.id, db_block(block)?], read_snapshot)?;
    let missing = || {
        let why =
            format!("pool \"{}\" was synced at block {block}, and its figures of it are missing", pool.name);
        Error::new(Code::StateCorrupt, why).hint(say("see all of it: ").run("state check").with("full"))
    };
    found.ok_or_else(missing).map(Some)
}

/// The figures of the last accepted sync of every pool, by pool id; pools that were never synced have none.
pub fn snapshots(conn: &Connection) -> Result<HashMap<i64, Snapshot>> {
    // CROSS JOIN keeps the order: left alone, SQLite walks the whole history of snapshots.
    let sql = format!(
        "SELECT {FIGURES} FROM pools p
         CROSS JOIN pool_snapshots s ON s.pool_id = p.id AND s.block_number = p.synced_block"
    );
    rows::all(conn, &sql, [], |row| Ok((row.get("id")?, read_snapshot(row)?)))
}

fn read_snapshot(row: &Row<'_>) -> Result<Snapshot> {
    Ok(state::from_row!(row => Snapshot { endpoint, synced_at, paused, cooldown_sec } at {
        total_assets, total_shares, rate_e18
    } and {
        block: BlockRef {
            number: row.get("block_number")?,
            hash: at(row, "block_hash")?,
            timestamp: row.get("block_timestamp")?,
        },
        min_deposit: maybe_at(row, "min_deposit")?,
        max_deposit: MaxDeposit::of_stored(row.get("abi")?, maybe_at(row, "max_deposit")?),
    }))
}

/// The exchange rate of the last sync before a block, 18 decimals; `None` where there were no shares then, or the asset had
/// other decimals.
pub fn rate_before(conn: &Connection, pool: &Pool, block: u64) -> Result<Option<Base>> {
    let sql = "SELECT rate_e18, total_shares FROM pool_snapshots WHERE pool_id = ?1 AND block_number < ?2
         AND block_number >= coalesce((SELECT rates_from_block FROM pool_contracts WHERE pool_id = ?1), 0)
         ORDER BY block_number DESC LIMIT 1";
    let found = rows::first(conn, sql, params![pool.id, db_block(block)?], |row| {
        Ok((at(row, "rate_e18")?, at(row, "total_shares")?))
    })?;
    Ok(found.and_then(|(rate, shares): (Base, Base)| (!shares.is_zero()).then_some(rate)))
}

/// TVL and rate of one past sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPoint {
    /// Block height.
    pub block: u64,
    /// Time of the block, seconds since 1970.
    pub time: i64,
    /// TVL, asset base units.
    pub total_assets: Base,
    /// Assets per share, 18 decimals.
    pub rate_e18: Base,
}

/// The newest `limit` syncs, oldest first.
pub fn history(conn: &Connection, pool: &Pool, limit: u32) -> Result<Vec<HistoryPoint>> {
    let sql =
        "SELECT block_number, block_timestamp, total_assets, rate_e18 FROM pool_snapshots WHERE pool_id = ?1
         ORDER BY block_number DESC LIMIT ?2";
    let mut points: Vec<_> = rows::all(conn, sql, params![pool.id, limit], |row| {
        Ok(HistoryPoint {
            block: row.get("block_number")?,
            time: row.get("block_timestamp")?,
            total_assets: at(row, "total_assets")?,
            rate_e18: at(row, "rate_e18")?,
        })
    })?;
    points.reverse();
    Ok(points)
}

/// How many members hold shares of a pool.
pub fn holder_count(conn: &Connection, pool: &Pool) -> Result<u64> {
    let sql = "SELECT count(*) FROM user_pool_shares WHERE pool_id = ?1 AND shares <> '0'";
    rows::one(conn, sql, [pool.id])
}
