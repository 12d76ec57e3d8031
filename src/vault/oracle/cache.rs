//! The price cache: the last accepted quote of each feed, and whether it still serves.

use crate::feed::{Feed, of_asset};
use crate::pool::Asset;
use base::amount::Base;
use base::{Code, Result, clock};
use evm::{BlockRef, ViewStamp};
use rusqlite::{Connection, params};
use state::columns::{at, maybe_at};
use state::rows::Row;
use state::{Tx, rows};

/// A valid price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// The feed's name.
    pub feed: String,
    /// What it prices.
    pub asset: String,
    /// 18 decimals.
    pub price_e18: Base,
    /// Where it was read; `None` for a fixed price, which is read nowhere.
    pub read: Option<Reading>,
}

/// When and where a price was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// When the feed computed it, seconds since 1970; for a feed that does not say, the time of the block.
    pub updated_at: u64,
    /// Its age now in seconds: against its block, and the time since that was read.
    pub age_sec: u64,
    /// The block it was read at.
    pub view: ViewStamp,
}

impl Price {
    /// The operator's own price of a feed of the kind `fixed`.
    pub(super) fn fixed(feed: &Feed) -> Option<Self> {
        let price_e18 = feed.source.fixed()?;
        Some(Self { feed: feed.name.clone(), asset: feed.asset.clone(), price_e18, read: None })
    }

    /// Whether the operator set it.
    pub const fn is_fixed(&self) -> bool {
        self.read.is_none()
    }
}

/// The newest cached price of an asset that is at most `max_age_sec` since it was fetched and within its feed's
/// staleness. `max_age_sec` of `None` asks for the staleness alone. A feed that was last refused because of the
/// chain's sequencer serves nothing.
///
/// A fixed price answers for an asset that has no other feed: it never stands in for a quote that was refused.
pub fn cached(conn: &Connection, asset: &str, now: i64, max_age_sec: Option<u64>) -> Result<Option<Price>> {
    let feeds = of_asset(conn, asset)?;
    if feeds.iter().all(|feed| feed.source.address().is_none()) {
        return Ok(feeds.first().and_then(Price::fixed));
    }
    feeds.iter().find_map(|feed| of_feed(conn, feed, now, max_age_sec).transpose()).transpose()
}

/// The cached price of a token that is within its feed's staleness. Feeds name it by its address or its symbol.
pub fn cached_of(conn: &Connection, asset: &Asset, now: i64) -> Result<Option<Price>> {
    for name in [asset.address.to_string(), asset.symbol.to_ascii_uppercase()] {
        match cached(conn, &name, now, None) {
            Ok(None) => {}
            Err(e) if e.code() == Code::UnknownAsset => {}
            found => return found,
        }
    }
    Ok(None)
}

fn of_feed(conn: &Connection, feed: &Feed, now: i64, max_age_sec: Option<u64>) -> Result<Option<Price>> {
    let sql = "SELECT price_e18, updated_at, block_number, block_hash, block_at, endpoint, fetched_at
         FROM oracle_price_cache WHERE asset = ?1 AND feed_id = ?2 AND NOT EXISTS
             (SELECT 1 FROM oracle_alerts WHERE feed_id = ?2 AND kind = 'sequencer_down' AND closed_at IS NULL)";
    let read = |row: &Row<'_>| {
        let (updated_at, timestamp): (u64, u64) = (row.get("updated_at")?, row.get("block_at")?);
        let Some(since_fetch) = clock::age(row.get("fetched_at")?, now) else { return Ok(None) };
        let age_sec = timestamp.saturating_sub(updated_at).saturating_add(since_fetch);
        if age_sec > feed.limits.max_staleness_sec || max_age_sec.is_some_and(|most| since_fetch > most) {
            return Ok(None);
        }
        let block = BlockRef { number: row.get("block_number")?, hash: at(row, "block_hash")?, timestamp };
        let view = ViewStamp::new(block, &row.get::<_, String>("endpoint")?);
        let read = Some(Reading { updated_at, age_sec, view });
        let (feed, asset) = (feed.name.clone(), feed.asset.clone());
        Ok(Some(Price { feed, asset, price_e18: at(row, "price_e18")?, read }))
    };
    Ok(rows::first(conn, sql, params![feed.asset, feed.id], read)?.flatten())
}

/// How a feed stands: its last accepted price, however old, and how often it was refused since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The feed.
    pub feed: String,
    /// What it prices.
    pub asset: String,
    /// The price, 18 decimals; `None` = never accepted.
    pub price_e18: Option<Base>,
    /// Its age against its block, and the time since it was fetched; `None` for a fixed price, and where it cannot be told.
    pub age_sec: Option<u64>,
    /// Refusals in a row.
    pub failure_streak: u64,
}

/// How every feed stands at `now`, by id.
pub fn standings(conn: &Connection, now: i64) -> Result<Vec<Standing>> {
    let sql = "SELECT f.name, f.asset, coalesce(f.fixed_price_e18, c.price_e18) AS price_e18, c.updated_at, c.block_at, c.fetched_at,
             f.failure_streak FROM oracle_feeds f
         LEFT JOIN oracle_price_cache c ON c.asset = f.asset AND c.feed_id = f.id
         WHERE f.removed_at IS NULL ORDER BY f.id";
    rows::all(conn, sql, [], |row| {
        let (updated, block, fetched): (Option<u64>, Option<u64>, Option<i64>) =
            (row.get("updated_at")?, row.get("block_at")?, row.get("fetched_at")?);
        let at_block = block.zip(updated).map(|(block, updated)| block.saturating_sub(updated));
        let since = fetched.and_then(|fetched| clock::age(fetched, now));
        Ok(Standing {
            feed: row.get("name")?,
            asset: row.get("asset")?,
            price_e18: maybe_at(row, "price_e18")?,
            age_sec: at_block.zip(since).map(|(before, since)| before.saturating_add(since)),
            failure_streak: row.get("failure_streak")?,
        })
    })
}

/// The last accepted price of a feed, however old.
pub(super) fn last_good(conn: &Connection, feed: &Feed) -> Result<Option<Base>> {
    let sql = "SELECT price_e18 FROM oracle_price_cache WHERE asset = ?1 AND feed_id = ?2";
    rows::first(conn, sql, params![feed.asset, feed.id], |row| at(row, "price_e18"))
}

/// The newest block that a cached price was read at.
pub(super) fn newest(conn: &Connection) -> Result<u64> {
    let newest: Option<u64> = rows::one(conn, "SELECT max(block_number) FROM oracle_price_cache", [])?;
    Ok(newest.unwrap_or_default())
}

/// Keeps an accepted quote.
pub(super) fn put(tx: &Tx<'_>, feed: &Feed, price_e18: Base, read: &Reading, block_time: u64) -> Result<()> {
    rows::run(
        tx.conn(),
        "INSERT INTO oracle_price_cache (asset, feed_id, price_e18, updated_at, block_number, block_hash,
             block_at, endpoint, fetched_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (asset, feed_id) DO UPDATE SET price_e18 = ?3, updated_at = ?4, block_number = ?5,
             block_hash = ?6, block_at = ?7, endpoint = ?8, fetched_at = ?9",
        params![
            feed.asset,
            feed.id,
            price_e18.to_string(),
            read.updated_at,
            read.view.number,
            read.view.hash.to_string(),
            block_time,
            read.view.endpoint,
            tx.now(),
        ],
    )
}
