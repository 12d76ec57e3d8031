//! What the report says of a pool: its course, its epochs and its largest holders, each bounded.

use super::{MOST_EPOCHS, MOST_HOLDERS, MOST_POINTS};
use base::amount::{Base, Quantity};
use base::{Error, Result};
use rusqlite::{Connection, params};
use state::columns::{at, db_block};
use state::rows;
use state::rows::Row;
use std::collections::BTreeMap;
use vault::pool::{self, Pool, Snapshot, underlying};

/// A pool's part of the report.
#[derive(Debug, Clone)]
pub struct PoolPart {
    /// The pool.
    pub pool: Pool,
    /// The figures of its last sync.
    pub snapshot: Option<Snapshot>,
    /// Members with shares.
    pub holders: u64,
    /// The largest of them.
    pub top: Vec<Holder>,
    /// TVL and rate over time, the oldest first; the last point is the last sync.
    pub course: Vec<Point>,
    /// The course leaves syncs out.
    pub thinned: bool,
    /// The newest epochs, the oldest first.
    pub epochs: Vec<Epoch>,
    /// Whether courses, epochs and holders were gathered at all.
    pub detailed: bool,
}

/// TVL and rate at one sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// Block height.
    pub block: u64,
    /// Time of the block, seconds since 1970.
    pub time: u64,
    /// TVL, asset base units.
    pub total_assets: Base,
    /// Assets per share, 18 decimals.
    pub rate_e18: Base,
}

/// A holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its address.
    pub address: String,
    /// The operator's name for it.
    pub name: Option<String>,
    /// Share base units.
    pub shares: Base,
    /// What they were worth at the last sync, asset base units; `None` before the first.
    pub worth: Option<Base>,
}

/// One epoch of a pool: part + carried in = distributed + carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    /// First block.
    pub start: u64,
    /// First block after it.
    pub end: u64,
    /// The pool's part of the emission.
    pub part: Quantity,
    /// From the epoch before.
    pub carry_in: Quantity,
    /// To the holders.
    pub distributed: Quantity,
    /// To the epoch after.
    pub carry_out: Quantity,
    /// Why something was carried out.
    pub reason: Option<String>,
    /// Holders that were paid.
    pub holders: u64,
    /// Whether it is distributed; else it is only created.
    pub done: bool,
}

impl PoolPart {
    pub(super) fn gather(
        conn: &Connection,
        pool: Pool,
        snapshot: Option<Snapshot>,
        detailed: bool,
    ) -> Result<Self> {
        let mut part = Self {
            holders: 0,
            top: Vec::new(),
            course: Vec::new(),
            thinned: false,
            epochs: Vec::new(),
            detailed,
            pool,
            snapshot,
        };
        if detailed {
            part.holders = pool::holder_count(conn, &part.pool)?;
            part.top = largest(conn, &part.pool, part.snapshot.as_ref())?;
            (part.course, part.thinned) = course(conn, &part.pool, MOST_POINTS)?;
            part.epochs = epochs(conn, &part.pool)?;
        }
        Ok(part)
    }
}

/// TVL by asset address.
pub(super) fn by_asset(parts: &[PoolPart]) -> Result<BTreeMap<String, Quantity>> {
    let mut sums: BTreeMap<String, Quantity> = BTreeMap::new();
    for part in parts {
        let Some(snapshot) = &part.snapshot else { continue };
        let asset = &part.pool.asset;
        let sum = sums.entry(asset.address.to_string()).or_insert_with(|| asset.quantity(Base::ZERO));
        sum.base = add(sum.base, snapshot.total_assets, "TVL")?;
    }
    Ok(sums)
}

/// A sum of stored amounts.
pub(super) fn add(a: Base, b: Base, what: &str) -> Result<Base> {
    a.checked_add(b).ok_or_else(|| Error::corrupt(format!("the sum of {what} passes 256 bits")))
}

/// The syncs of a pool, the oldest first: all where there are at most `most`, else as they stood at `most` evenly spaced
/// blocks, each found by its key. The first and the last are always among them. True where some are left out.
pub(super) fn course(conn: &Connection, pool: &Pool, most: u32) -> Result<(Vec<Point>, bool)> {
    let newest = "SELECT block_number, block_timestamp, total_assets, rate_e18 FROM pool_snapshots
         WHERE pool_id = ?1 ORDER BY block_number DESC LIMIT ?2";
    let mut points: Vec<Point> =
        rows::all(conn, newest, params![pool.id, most.saturating_add(1)], read_point)?;
    points.reverse();
    if points.len() <= most as usize || most < 2 {
        return Ok((points, false));
    }
    let last = points.last().map_or(0, |point| point.block);
    let oldest = "SELECT block_number FROM pool_snapshots WHERE pool_id = ?1 ORDER BY block_number LIMIT 1";
    let first: u64 = rows::one(conn, oldest, [pool.id])?;
    let as_of = "SELECT block_number, block_timestamp, total_assets, rate_e18 FROM pool_snapshots
         WHERE pool_id = ?1 AND block_number <= ?2 ORDER BY block_number DESC LIMIT 1";
    let mut thinned: Vec<Point> = Vec::with_capacity(most as usize);
    for step in 0..most {
        let block = first + part_of(last - first, step, most - 1);
        let found = rows::first(conn, as_of, params![pool.id, db_block(block)?], read_point)?;
        let Some(point) = found else { continue };
        if thinned.last().is_none_or(|before| before.block < point.block) {
            thinned.push(point);
        }
    }
    Ok((thinned, true))
}

/// `span × step ÷ steps`, rounded down.
fn part_of(span: u64, step: u32, steps: u32) -> u64 {
    let found = u128::from(span) * u128::from(step) / u128::from(steps.max(1));
    u64::try_from(found).unwrap_or(span)
}

fn read_point(row: &Row<'_>) -> Result<Point> {
    Ok(Point {
        block: row.get("block_number")?,
        time: row.get("block_timestamp")?,
        total_assets: at(row, "total_assets")?,
        rate_e18: at(row, "rate_e18")?,
    })
}

fn largest(conn: &Connection, pool: &Pool, snapshot: Option<&Snapshot>) -> Result<Vec<Holder>> {
    let holders = pool::holders_by_size(conn, pool, None, MOST_HOLDERS)?.into_iter();
    let holder = |pool::Holder { member, shares }: pool::Holder| {
        let worth = snapshot.map(|s| underlying(shares, s.total_assets, s.total_shares));
        Holder { address: member.address.to_string(), name: member.name, shares, worth }
    };
    Ok(holders.map(holder).collect())
}

fn epochs(conn: &Connection, pool: &Pool) -> Result<Vec<Epoch>> {
    let sql =
        "SELECT e.start_block, e.end_block, a.symbol, a.decimals, e.part, e.carry_in, e.distributed, e.carry_out,
             e.carry_reason, e.holders, e.status = 'distributed' AS done
         FROM pool_reward_epochs e JOIN assets a ON a.address = e.asset
         WHERE e.pool_id = ?1 ORDER BY e.start_block DESC LIMIT ?2";
    let mut found: Vec<Epoch> = rows::all(conn, sql, params![pool.id, MOST_EPOCHS], |row| {
        let (symbol, decimals): (String, u8) = (row.get("symbol")?, row.get("decimals")?);
        let amount =
            |column| -> Result<Quantity> { Ok(Quantity::new(at(row, column)?, decimals, symbol.as_str())) };
        Ok(Epoch {
            start: row.get("start_block")?,
            end: row.get("end_block")?,
            part: amount("part")?,
            carry_in: amount("carry_in")?,
            distributed: amount("distributed")?,
            carry_out: amount("carry_out")?,
            reason: row.get("carry_reason")?,
            holders: row.get("holders")?,
            done: row.get("done")?,
        })
    })?;
    found.reverse();
    Ok(found)
}
