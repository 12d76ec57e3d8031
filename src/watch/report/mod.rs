//! The report: what the state knows, gathered into bounded figures and written as one page that needs nothing else.
//!
//! Nothing here asks a network or writes to the state.

mod alarms;
mod chart;
mod farm;
mod file;
mod page;
mod pools;

pub(crate) use farm::chain_totals;

pub use alarms::Alarm;
pub use farm::{BlockSum, Farm, FarmerSum, Loss};
pub use file::{Written, write};
pub use page::page;
pub use pools::{Epoch, Holder, Point, PoolPart};

use base::Result;
use base::amount::Quantity;
use config::Config;
use rusqlite::Connection;
use schemars::JsonSchema;
use serde::Serialize;
use state::meta_get;
use std::collections::BTreeMap;
use vault::pool;

/// Pools that have a section of their own; all stand in the list.
pub const MOST_POOLS: usize = 40;
/// Points of a course.
pub const MOST_POINTS: u32 = 120;
/// Epochs of a pool, the newest.
pub const MOST_EPOCHS: u32 = 60;
/// Holders of a pool, the largest.
pub const MOST_HOLDERS: u32 = 10;
/// Blocks of the farm, the newest.
pub const MOST_BLOCKS: u32 = 96;
/// Farmers, those with the highest rewards.
pub const MOST_FARMERS: usize = 50;
/// Losses, the newest.
pub const MOST_LOSSES: usize = 20;

/// Everything on the page. Times in seconds since 1970.
#[derive(Debug, Clone)]
pub struct Report {
    /// When it was gathered.
    pub gathered_at: i64,
    /// The profile.
    pub profile: String,
    /// The EVM chain id that the state belongs to.
    pub evm: Option<String>,
    /// The passphrase of the Stellar network that the state belongs to.
    pub stellar: Option<String>,
    /// Number of write transactions that the state has seen.
    pub data_version: String,
    /// Number and hash of the newest audit event.
    pub audit_head: Option<String>,
    /// What needs a look, the gravest first.
    pub alarms: Vec<Alarm>,
    /// TVL by asset address, over all pools that were ever synced.
    pub tvl: BTreeMap<String, Quantity>,
    /// Every pool that was asked for; those beyond [`MOST_POOLS`] without courses, epochs and holders.
    pub pools: Vec<PoolPart>,
    /// The farm, where there are farmers.
    pub farm: Option<Farm>,
}

/// How much of everything is on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Counts {
    /// Pools.
    pub pools: usize,
    /// Points of TVL and exchange rate.
    pub points: usize,
    /// Epochs.
    pub epochs: usize,
    /// Holders that are named.
    pub holders: usize,
    /// Farmers that are named.
    pub farmers: usize,
    /// Blocks of the farm.
    pub blocks: usize,
    /// Open alerts and violations, open breakers, pauses.
    pub alarms: usize,
}

impl Report {
    /// Gathers the report on the named pools, or on all where none is named. `conn` should be one consistent look.
    pub fn gather(conn: &Connection, config: &Config, names: &[String], now: i64) -> Result<Self> {
        let found = pool::select(conn, names)?;
        let snapshots = pool::snapshots(conn)?;
        let mut pools = Vec::with_capacity(found.len());
        let mut alarms = Vec::new();
        for (at, pool) in found.into_iter().enumerate() {
            alarms.extend(alarms::of_pool(conn, config, &pool, now)?);
            let snapshot = snapshots.get(&pool.id).cloned();
            pools.push(PoolPart::gather(conn, pool, snapshot, at < MOST_POOLS)?);
        }
        alarms.extend(alarms::of_feeds(conn)?);
        let farm = Farm::gather(conn, now)?;
        alarms.extend(alarms::of_farmers(conn, now)?);
        // A stable sort: what is equally grave stays in the order of pools, feeds and farmers.
        alarms.sort_by_key(|alarm| !alarm.grave);
        Ok(Self {
            gathered_at: now,
            profile: config.profile.clone(),
            evm: meta_get(conn, "evm_chain_id")?,
            stellar: meta_get(conn, "stellar_passphrase")?,
            data_version: meta_get(conn, "data_version")?.unwrap_or_default(),
            audit_head: meta_get(conn, "audit_head")?,
            alarms,
            tvl: pools::by_asset(&pools)?,
            pools,
            farm,
        })
    }

    /// How much of everything there is.
    pub fn counts(&self) -> Counts {
        let sum = |count: fn(&PoolPart) -> usize| self.pools.iter().map(count).sum();
        Counts {
            pools: self.pools.len(),
            points: sum(|part| part.course.len()),
            epochs: sum(|part| part.epochs.len()),
            holders: sum(|part| part.top.len()),
            farmers: self.farm.as_ref().map_or(0, |farm| farm.farmers.len()),
            blocks: self.farm.as_ref().map_or(0, |farm| farm.blocks.len()),
            alarms: self.alarms.len(),
        }
    }
}
