//! Feeds: where the price of an asset comes from, and within which limits it is believed.

use super::quote::Limits;
use crate::amount::{Base, to_people};
use crate::context::Work;
use crate::evm::{At, CallError, Chain};
use crate::output::{Code, Error, Result};
use crate::pool::{Pool, ViewStamp, stored_address, stored_base};
use alloy::primitives::Address;
use rusqlite::{Connection, Row, params};
use serde_json::json;

/// The Solidity interfaces of feeds.
#[allow(missing_docs, reason = "the names are the contracts' own")]
pub mod sol {
    alloy::sol! {
        interface AggregatorV3Interface {
            function decimals() external view returns (uint8);
            function description() external view returns (string);
            function latestRoundData() external view
                returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
        }
    }
}
use sol::AggregatorV3Interface as Aggregator;

/// What kind of contract a feed is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedKind {
    /// Chainlink's `AggregatorV3Interface`.
    Chainlink,
}

impl FeedKind {
    /// Every kind, for help and errors.
    pub const ALL: &[Self] = &[Self::Chainlink];

    /// The word used on the command line and in the state.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Chainlink => "chainlink",
        }
    }

    /// Reads the word.
    ///
    /// # Errors
    /// `invalid_value` listing the kinds there are.
    pub fn parse(word: &str) -> Result<Self> {
        Self::ALL.iter().copied().find(|kind| kind.word() == word).ok_or_else(|| {
            let all: Vec<&str> = Self::ALL.iter().map(|kind| kind.word()).collect();
            Error::new(Code::InvalidValue, format!("\"{word}\" is no feed kind"))
                .hint(format!("there are: {}", all.join(", ")))
        })
    }
}

/// A feed as the state knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// Row id.
    pub id: i64,
    /// The operator's name for it.
    pub name: String,
    /// What it prices: a symbol, or a token's address.
    pub asset: String,
    /// Its kind.
    pub kind: FeedKind,
    /// The contract.
    pub address: Address,
    /// What its quotes must satisfy.
    pub limits: Limits,
    /// The contract's own description.
    pub description: Option<String>,
    /// Refusals in a row.
    pub failure_streak: u64,
}

/// What the operator asks for.
#[derive(Debug, Clone)]
pub struct AddFeed {
    /// A name for it.
    pub name: String,
    /// A symbol, or a token's address.
    pub asset: String,
    /// Its kind.
    pub kind: FeedKind,
    /// The contract.
    pub address: Address,
    /// What its quotes must satisfy.
    pub limits: Limits,
}

/// An asset as feeds and pools name it: a checksummed address, or a symbol in capitals.
///
/// # Errors
/// `invalid_address` for a wrong checksum, `invalid_value` for an empty or odd symbol.
pub fn asset_name(flag: &str, text: &str) -> Result<String> {
    if text.starts_with("0x") {
        return Ok(crate::config::value::address(flag, text)?.to_string());
    }
    let fits = !text.is_empty() && text.len() <= 32 && text.bytes().all(|b| b.is_ascii_graphic());
    if fits {
        Ok(text.to_ascii_uppercase())
    } else {
        Err(Error::new(Code::InvalidValue, format!("{flag}: \"{text}\" is neither a symbol nor an address")))
    }
}

/// Looks at the contract and adds the feed; adding the same again changes nothing.
///
/// # Errors
/// `conflict` for a taken name; `not_a_contract` for what does not answer like a feed.
pub async fn add(
    work: &mut Work<'_>,
    chain: &Chain,
    ask: &AddFeed,
    at: At,
) -> Result<(Feed, Option<ViewStamp>)> {
    if let Some(feed) = all(work.state.conn())?.into_iter().find(|feed| feed.name == ask.name) {
        let same = feed.asset == ask.asset
            && feed.kind == ask.kind
            && feed.address == ask.address
            && feed.limits == ask.limits;
        return if same {
            Ok((feed, None))
        } else {
            Err(Error::new(
                Code::Conflict,
                format!("the name \"{}\" is taken by a feed of {}", feed.name, feed.asset),
            )
            .hint("see it with: poolctl oracle list"))
        };
    }
    let (description, view) = chain
        .view(at, async |view| {
            let feed = |e: CallError| {
                e.into_error("feed").hint("a chainlink feed answers like AggregatorV3Interface")
            };
            let mut batch = view.batch();
            let decimals = batch.add(ask.address, &Aggregator::decimalsCall {});
            let description = batch.add(ask.address, &Aggregator::descriptionCall {});
            let round = batch.add(ask.address, &Aggregator::latestRoundDataCall {});
            let reply = batch.send().await?;
            reply.get(decimals).map_err(feed)?;
            let description = reply.get_optional(description).ok().flatten();
            // A new feed may have no round yet and revert; then at least it says what it is.
            if reply.get_optional(round).map_err(feed)?.is_none() && description.is_none() {
                reply.get(round).map_err(feed)?;
            }
            Ok((description, ViewStamp::new(view.block(), view.endpoint())))
        })
        .await?;
    let feed = work.state.write(work.permit, |tx| {
        tx.conn().execute(
            "INSERT INTO oracle_feeds (name, asset, kind, address, max_staleness_sec, min_e18, max_e18,
                 max_deviation_ppm, description, added_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                ask.name,
                ask.asset,
                ask.kind.word(),
                ask.address.to_string(),
                ask.limits.max_staleness_sec,
                ask.limits.min_e18.map(|min| min.to_string()),
                ask.limits.max_e18.map(|max| max.to_string()),
                ask.limits.max_deviation_ppm,
                description,
                tx.now(),
            ],
        )?;
        tx.event(
            "oracle.feed_added",
            &ask.name,
            &json!({ "asset": ask.asset, "kind": ask.kind.word(), "address": ask.address, "view": view }),
        )?;
        find(tx.conn(), &ask.name)
    })?;
    Ok((feed, Some(view)))
}

const FEED: &str =
    "SELECT id, name, asset, kind, address, max_staleness_sec, min_e18, max_e18, max_deviation_ppm,
     description, failure_streak FROM oracle_feeds";

/// Every feed by id.
///
/// # Errors
/// `state_error`, `state_corrupt`.
pub fn all(conn: &Connection) -> Result<Vec<Feed>> {
    collect(conn, "ORDER BY id", params![])
}

/// The feeds of an asset by id.
///
/// # Errors
/// `unknown_asset` where there is none.
pub fn of_asset(conn: &Connection, asset: &str) -> Result<Vec<Feed>> {
    let feeds = collect(conn, "WHERE asset = ?1 ORDER BY id", params![asset])?;
    if feeds.is_empty() {
        return Err(Error::new(Code::UnknownAsset, format!("no feed prices \"{asset}\""))
            .hint("add one with: poolctl oracle add NAME --asset ASSET --address FEED")
            .detail("asset", asset));
    }
    Ok(feeds)
}

/// The feeds that price a pool's asset, by its address or its symbol.
///
/// # Errors
/// `state_error`, `state_corrupt`.
pub fn of_pool(conn: &Connection, pool: &Pool) -> Result<Vec<Feed>> {
    let symbol = pool.asset.symbol.to_ascii_uppercase();
    collect(conn, "WHERE asset IN (?1, ?2) ORDER BY id", params![pool.asset.address.to_string(), symbol])
}

/// A feed by name.
///
/// # Errors
/// `unknown_feed` with the nearest name there is.
pub fn find(conn: &Connection, name: &str) -> Result<Feed> {
    let feeds = all(conn)?;
    if let Some(feed) = feeds.iter().find(|feed| feed.name == name) {
        return Ok(feed.clone());
    }
    let e = Error::new(Code::UnknownFeed, format!("no feed \"{name}\"")).detail("feed", name);
    Err(match crate::config::keys::nearest(name, feeds.iter().map(|feed| feed.name.as_str())) {
        Some(near) => e.hint(format!("did you mean \"{near}\"?")),
        None => e.hint("see them with: poolctl oracle list"),
    })
}

fn collect(conn: &Connection, clause: &str, values: impl rusqlite::Params) -> Result<Vec<Feed>> {
    let mut statement = conn.prepare_cached(&format!("{FEED} {clause}"))?;
    let mut rows = statement.query(values)?;
    let mut feeds = Vec::new();
    while let Some(row) = rows.next()? {
        feeds.push(read(row)?);
    }
    Ok(feeds)
}

fn read(row: &Row<'_>) -> Result<Feed> {
    let bound = |i: usize| -> Result<Option<Base>> {
        row.get::<_, Option<String>>(i)?.map(|text| stored_base(&text)).transpose()
    };
    Ok(Feed {
        id: row.get(0)?,
        name: row.get(1)?,
        asset: row.get(2)?,
        kind: FeedKind::parse(&row.get::<_, String>(3)?)?,
        address: stored_address(&row.get::<_, String>(4)?)?,
        limits: Limits {
            max_staleness_sec: row.get(5)?,
            min_e18: bound(6)?,
            max_e18: bound(7)?,
            max_deviation_ppm: row.get(8)?,
        },
        description: row.get(9)?,
        failure_streak: row.get(10)?,
    })
}

impl Limits {
    /// The bounds for a person: `0.9 – 1.1`, or nothing.
    pub fn bounds(&self) -> Option<String> {
        let side = |bound: Option<Base>| bound.map_or_else(|| "…".to_owned(), |b| to_people(b, 18));
        (self.min_e18.is_some() || self.max_e18.is_some())
            .then(|| format!("{} – {}", side(self.min_e18), side(self.max_e18)))
    }
}
