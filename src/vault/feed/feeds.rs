//! Feeds: where the price of an asset comes from, and within which limits it is believed.

use super::quote::Limits;
use super::source::Source;
use crate::pool::Pool;
use base::amount::{Base, to_people};
use base::{Code, Error, Result, say};
use evm::{At, Chain, PinnedView, ViewStamp};
use rusqlite::{Connection, Row, params};
use serde_json::json;
use state::columns::maybe_at;
use state::{WriteContext, rows};

/// A feed as the state knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// Row id.
    pub id: i64,
    /// The operator's name for it.
    pub name: String,
    /// What it prices: a symbol, or a token's address.
    pub asset: String,
    /// Where its quotes come from.
    pub source: Source,
    /// What its quotes must satisfy.
    pub limits: Limits,
    /// The contract's own description.
    pub description: Option<String>,
    /// Refusals in a row.
    pub failure_streak: u64,
    /// Time of the block that it answered at last, never later than our own time was; seconds since 1970.
    pub answered_at: Option<u64>,
}

impl Feed {
    /// Whether it prices a pool's asset, by its address or its symbol.
    pub fn prices(&self, pool: &Pool) -> bool {
        self.asset == pool.asset.address.to_string() || self.asset == pool.asset.symbol.to_ascii_uppercase()
    }
}

/// What the operator asks for.
#[derive(Debug, Clone)]
pub struct AddFeed {
    /// A name for it.
    pub name: String,
    /// A symbol, or a token's address.
    pub asset: String,
    /// Where its quotes come from.
    pub source: Source,
    /// What its quotes must satisfy.
    pub limits: Limits,
}

/// An asset as feeds and pools name it: a checksummed address, or a symbol in capitals.
pub fn asset_name(flag: &str, text: &str) -> Result<String> {
    if text.starts_with("0x") {
        return Ok(config::value::address(flag, text)?.to_string());
    }
    if !text.is_empty() && text.len() <= 32 && text.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(text.to_ascii_uppercase());
    }
    Err(Error::new(Code::InvalidValue, format!("{flag}: \"{text}\" is neither a symbol nor an address")))
}

/// Looks at the contract and adds the feed; adding the same again changes nothing. A fixed price has no contract
/// and needs no chain. Returns the feed and whether it is new, with the block it was looked at.
pub async fn add(
    work: &mut WriteContext<'_>,
    chain: Option<&Chain>,
    ask: &AddFeed,
    at: At,
) -> Result<(Feed, bool, Option<ViewStamp>)> {
    if let Some(feed) = known(work.state.conn(), ask)? {
        return Ok((feed, false, None));
    }
    let (description, view) = match chain.filter(|_| ask.source.address().is_some()) {
        None => (None, None),
        Some(chain) => {
            let look =
                chain.view(at, async |view| Ok((ask.source.describe(view).await?, ViewStamp::of(view))));
            let (description, view) = look.await?;
            (description, Some(view))
        }
    };
    work.state.write(work.permit, |tx| {
        if let Some(feed) = known(tx.conn(), ask)? {
            // Another run was faster.
            return Ok((feed, false, None));
        }
        let price = ask.source.fixed().map(|price| price.to_string());
        let address = ask.source.address().map(|address| address.to_string());
        rows::run(
            tx.conn(),
            "INSERT INTO oracle_feeds (name, asset, kind, address, fixed_price_e18, max_staleness_sec, min_e18, max_e18,
                 max_deviation_ppm, description, added_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                ask.name,
                ask.asset,
                ask.source.as_str(),
                address,
                price,
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
            &json!({ "asset": ask.asset, "kind": ask.source.as_str(), "address": address,
                     "fixed_price_e18": price, "view": view }),
        )?;
        Ok((find(tx.conn(), &ask.name)?, true, view))
    })
}

/// The same feed if it is there; another one of that name is a conflict.
fn known(conn: &Connection, ask: &AddFeed) -> Result<Option<Feed>> {
    let Some(feed) = all(conn)?.into_iter().find(|feed| feed.name == ask.name) else { return Ok(None) };
    if feed.asset == ask.asset && feed.source == ask.source && feed.limits == ask.limits {
        return Ok(Some(feed));
    }
    let why = format!("the name \"{}\" is taken by a feed of {}", feed.name, feed.asset);
    Err(Error::new(Code::Conflict, why).hint(say("see it with: ").run("oracle list")))
}

/// Sees that a feed's contract answers like one of its kind. A fixed price has none.
pub async fn examine(view: &PinnedView, feed: &Feed) -> Result<()> {
    feed.source.describe(view).await.map(drop)
}

const FEED: &str =
    "SELECT id, name, asset, kind, address, max_staleness_sec, min_e18, max_e18, max_deviation_ppm,
     description, failure_streak, fixed_price_e18, answered_at FROM oracle_feeds";

/// Every feed by id.
pub fn all(conn: &Connection) -> Result<Vec<Feed>> {
    collect(conn, "ORDER BY id", params![])
}

/// A feed by its row id, as it stands now; `None` where it is gone.
pub(crate) fn by_id(conn: &Connection, id: i64) -> Result<Option<Feed>> {
    rows::first(conn, &format!("{FEED} WHERE id = ?1"), [id], read)
}

/// The feeds of an asset by id; none is an error.
pub fn of_asset(conn: &Connection, asset: &str) -> Result<Vec<Feed>> {
    let feeds = collect(conn, "WHERE asset = ?1 ORDER BY id", params![asset])?;
    if feeds.is_empty() {
        return Err(Error::new(Code::UnknownAsset, format!("no feed prices \"{asset}\""))
            .hint(
                say("add one with: ")
                    .run("oracle add")
                    .of("NAME")
                    .with("asset")
                    .of("ASSET")
                    .with("address")
                    .of("FEED"),
            )
            .detail("asset", asset));
    }
    Ok(feeds)
}

/// The feeds that price a pool's asset, by its address or its symbol.
pub fn of_pool(conn: &Connection, pool: &Pool) -> Result<Vec<Feed>> {
    let symbol = pool.asset.symbol.to_ascii_uppercase();
    collect(conn, "WHERE asset IN (?1, ?2) ORDER BY id", params![pool.asset.address.to_string(), symbol])
}

/// A feed by name; an error has the nearest name there is.
pub fn find(conn: &Connection, name: &str) -> Result<Feed> {
    let feeds = all(conn)?;
    if let Some(feed) = feeds.iter().find(|feed| feed.name == name) {
        return Ok(feed.clone());
    }
    let e = Error::new(Code::UnknownFeed, format!("no feed \"{name}\"")).detail("feed", name);
    Err(match config::keys::nearest(name, feeds.iter().map(|feed| feed.name.as_str())) {
        Some(near) => e.hint(format!("did you mean \"{near}\"?")),
        None => e.hint(say("see them with: ").run("oracle list")),
    })
}

fn collect(conn: &Connection, clause: &str, values: impl rusqlite::Params) -> Result<Vec<Feed>> {
    rows::all(conn, &format!("{FEED} {clause}"), values, read)
}

fn read(row: &Row<'_>) -> Result<Feed> {
    let (name, asset, kind): (String, String, String) =
        (row.get("name")?, row.get("asset")?, row.get("kind")?);
    let (address, price) = (maybe_at(row, "address")?, maybe_at(row, "fixed_price_e18")?);
    let source = Source::parse(&kind, &asset, address, price)
        .map_err(|e| Error::corrupt(format!("feed \"{name}\": {e}")))?;
    Ok(Feed {
        id: row.get("id")?,
        name,
        asset,
        source,
        limits: Limits {
            max_staleness_sec: row.get("max_staleness_sec")?,
            min_e18: maybe_at(row, "min_e18")?,
            max_e18: maybe_at(row, "max_e18")?,
            max_deviation_ppm: row.get("max_deviation_ppm")?,
        },
        description: row.get("description")?,
        failure_streak: row.get("failure_streak")?,
        answered_at: row.get("answered_at")?,
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
