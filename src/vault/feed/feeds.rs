//! Feeds: where the price of an asset comes from, and within which limits it is believed.

use super::quote::{Limits, out_of_bounds};
use super::source::Source;
use crate::pool::Pool;
use alloy::primitives::Address;
use base::amount::{Base, to_people};
use base::{Code, Error, Result, say};
use evm::{At, Chain, PinnedView, ViewStamp, is_silence};
use rusqlite::{Connection, params};
use serde_json::json;
use state::alert::{self, Subject};
use state::columns::{at, maybe_at};
use state::rows::Row;
use state::{Named, Tx, WriteContext, resolve, rows};

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
    /// Since when it is not asked any more; `None` = it is in use.
    pub removed_at: Option<i64>,
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

/// Looks at the contract and adds the feed; adding the same again changes nothing, and adding one that was removed puts it back,
/// as it is asked for now. A fixed price has no contract and needs no chain; without one, nothing is looked at. Returns the feed
/// and whether it is new, with the block it was looked at.
pub async fn add(
    work: &mut WriteContext<'_>,
    chain: Option<&Chain>,
    ask: &AddFeed,
    at: At,
) -> Result<(Feed, bool, Option<ViewStamp>)> {
    ask.limits.check()?;
    if let Some(feed) = known(work.state.conn(), ask)?.filter(in_use) {
        return Ok((feed, false, None));
    }
    let seen = match chain.filter(|_| ask.source.address().is_some()) {
        Some(chain) => Some(look(chain, ask.source, &ask.limits, at).await?),
        None => None,
    };
    let (description, view) = seen.unzip();
    work.state.write(work.permit, |tx| {
        let removed = match known(tx.conn(), ask)? {
            // Another run was faster.
            Some(feed) if in_use(&feed) => return Ok((feed, false, None)),
            removed => removed.map(|feed| feed.id),
        };
        let id = removed.map_or_else(|| insert(tx, ask), Ok)?;
        store(tx, id, ask, description.flatten().as_deref())?;
        let feed = by_id(tx.conn(), id)?;
        tx.event(
            "oracle.feed_added",
            &ask.name,
            &json!({ "asset": ask.asset, "kind": ask.source.as_str(),
                     "address": ask.source.address().map(|address| address.to_string()),
                     "fixed_price_e18": ask.source.fixed().map(|price| price.to_string()),
                     "again": removed.is_some(), "view": view }),
        )?;
        Ok((feed, true, view))
    })
}

/// What a contract says it is, once it answers like a feed, with the block that it was looked at. A price outside the feed's own
/// bounds is refused.
async fn look(chain: &Chain, source: Source, limits: &Limits, at: At) -> Result<(Option<String>, ViewStamp)> {
    let looked = chain.view(at, async |view| {
        let description = source.describe(view).await?;
        if limits.is_bounded() {
            let mut batch = view.batch();
            let quote = source.ask(&mut batch);
            let (reply, time) = (batch.send().await?, view.block().timestamp);
            // That it has no price now, or an old one, is for the checks to say.
            let refused = quote(&reply, time).ok().and_then(|quote| out_of_bounds(&quote, limits, time));
            if let Some(refusal) = refused {
                let hint = say("check the contract and the bounds; to take it as it is: ").with("force");
                return Err(Error::new(Code::InvalidValue, format!("its first {refusal}")).hint(hint));
            }
        }
        Ok((description, ViewStamp::of(view)))
    });
    looked.await.map_err(|e| {
        let hint = || say("try again, or do it without a look at the contract: ").with("force");
        if is_silence(&e) { e.hint(hint()) } else { e }
    })
}

fn insert(tx: &Tx<'_>, ask: &AddFeed) -> Result<i64> {
    let sql =
        "INSERT INTO oracle_feeds (name, asset, kind, address, fixed_price_e18, max_staleness_sec, added_at)
         VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6)";
    let (address, price) = texts(ask.source);
    rows::run(tx.conn(), sql, params![ask.name, ask.asset, ask.source.as_str(), address, price, tx.now()])?;
    Ok(tx.conn().last_insert_rowid())
}

/// Address and fixed price as columns.
fn texts(source: Source) -> (Option<String>, Option<String>) {
    (
        source.address().map(|address| address.to_string()),
        source.fixed().map(|price_e18| price_e18.to_string()),
    )
}

/// Writes what a feed is from now on. What it said as it was before, and how often that was refused, says nothing of it.
fn store(tx: &Tx<'_>, id: i64, ask: &AddFeed, description: Option<&str>) -> Result<()> {
    let (address, price) = texts(ask.source);
    let sql = "UPDATE oracle_feeds SET asset = ?2, kind = ?3, address = ?4, fixed_price_e18 = ?5, description = ?6,
             added_at = ?7, failure_streak = 0, checked_at = NULL, answered_at = NULL, removed_at = NULL WHERE id = ?1";
    let (kind, now) = (ask.source.as_str(), tx.now());
    rows::run(tx.conn(), sql, params![id, ask.asset, kind, address, price, description, now])?;
    set_limits(tx, id, &ask.limits)?;
    rows::run(tx.conn(), "DELETE FROM oracle_price_cache WHERE feed_id = ?1", [id])
}

const fn in_use(feed: &Feed) -> bool {
    feed.removed_at.is_none()
}

/// The same feed if it is there, or one of that name that was removed; another one that is in use is a conflict.
fn known(conn: &Connection, ask: &AddFeed) -> Result<Option<Feed>> {
    let Some(feed) = every(conn)?.into_iter().find(|feed| feed.name == ask.name) else { return Ok(None) };
    let same = feed.asset == ask.asset && feed.source == ask.source && feed.limits == ask.limits;
    if same || !in_use(&feed) {
        return Ok(Some(feed));
    }
    let why = format!("the name \"{}\" is taken by a feed of {}", feed.name, feed.asset);
    let hint = say("see it with: ").run("oracle list").say("; change it with: ").run("oracle set");
    Err(Error::new(Code::Conflict, why).hint(hint))
}

/// What is to change of a feed; `None` leaves it as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SetFeed {
    /// Its kind.
    pub kind: Option<String>,
    /// The contract.
    pub address: Option<Address>,
    /// The price of a fixed feed, 18 decimals.
    pub price_e18: Option<Base>,
    /// Oldest accepted quote, in seconds.
    pub max_staleness_sec: Option<u64>,
    /// Lowest accepted price, 18 decimals; `Some(None)` = any, here and below.
    pub min_e18: Option<Option<Base>>,
    /// Highest accepted price.
    pub max_e18: Option<Option<Base>>,
    /// Largest accepted change, in millionths.
    pub max_deviation_ppm: Option<Option<u32>>,
}

impl SetFeed {
    /// The feed with these changes.
    fn applied(&self, feed: &Feed) -> Result<AddFeed> {
        let Feed { name, asset, source, limits, .. } = feed.clone();
        let kind = self.kind.as_deref().unwrap_or(source.as_str());
        let is_fixed = kind == Source::Fixed(Base::ZERO).as_str();
        let address = self.address.or_else(|| source.address().filter(|_| !is_fixed));
        let price = self.price_e18.or_else(|| source.fixed().filter(|_| is_fixed));
        let limits = Limits {
            max_staleness_sec: self.max_staleness_sec.unwrap_or(limits.max_staleness_sec),
            min_e18: self.min_e18.unwrap_or(limits.min_e18),
            max_e18: self.max_e18.unwrap_or(limits.max_e18),
            max_deviation_ppm: self.max_deviation_ppm.unwrap_or(limits.max_deviation_ppm),
        };
        limits.check()?;
        let source = Source::parse(kind, &asset, address, price)?;
        if source.fixed().is_some() && limits != feed.limits {
            let why = format!("the price of feed \"{name}\" is fixed: it is no quote, and has no limits");
            return Err(Error::new(Code::InvalidValue, why));
        }
        Ok(AddFeed { name, asset, source, limits })
    }
}

/// Changes a feed, after a look at its contract where another source or other bounds are asked for; without a look where
/// `forced`. Returns it and whether anything changed, with the block it was looked at.
pub async fn set(
    work: &mut WriteContext<'_>,
    chain: impl Fn() -> Result<Chain>,
    id: i64,
    (change, forced): (&SetFeed, bool),
    at: At,
) -> Result<(Feed, bool, Option<ViewStamp>)> {
    state::anew_async(async || {
        let before = by_id(work.state.conn(), id)?;
        if !in_use(&before) {
            return Err(is_removed(&before));
        }
        let after = change.applied(&before)?;
        let bounds = |limits: &Limits| (limits.min_e18, limits.max_e18);
        let moved = after.source != before.source;
        if !moved && after.limits == before.limits {
            return Ok((before, false, None));
        }
        let looks = moved || bounds(&after.limits) != bounds(&before.limits);
        let seen = if looks && !forced && after.source.address().is_some() {
            Some(look(&chain()?, after.source, &after.limits, at).await?)
        } else {
            None
        };
        work.state.write(work.permit, |tx| {
            let now = by_id(tx.conn(), id)?;
            if (now.source, &now.limits, now.removed_at) != (before.source, &before.limits, None) {
                return Err(state::changed(format_args!("feed \"{}\"", before.name)));
            }
            let (description, view) = seen.clone().unzip();
            if moved {
                store(tx, id, &after, description.flatten().as_deref())?;
                close_alerts(tx, &before)?;
            } else {
                set_limits(tx, id, &after.limits)?;
                drop_outside(tx, id, &after.limits)?;
            }
            let shown = |source: Source, limits: &Limits| {
                json!({ "kind": source.as_str(), "address": texts(source).0, "fixed_price_e18": texts(source).1,
                        "max_staleness_sec": limits.max_staleness_sec,
                        "min_e18": limits.min_e18.map(|price| price.to_string()),
                        "max_e18": limits.max_e18.map(|price| price.to_string()),
                        "max_deviation_ppm": limits.max_deviation_ppm })
            };
            let (old, new) = (shown(before.source, &before.limits), shown(after.source, &after.limits));
            tx.event("oracle.feed_changed", &before.name, &json!({ "old": old, "new": new, "view": view }))?;
            Ok((by_id(tx.conn(), id)?, true, view))
        })
    })
    .await
}

fn set_limits(tx: &Tx<'_>, id: i64, limits: &Limits) -> Result<()> {
    let Limits { max_staleness_sec, min_e18, max_e18, max_deviation_ppm } = limits;
    let [min, max] = [min_e18, max_e18].map(|bound| bound.map(|price| price.to_string()));
    rows::run(
        tx.conn(),
        "UPDATE oracle_feeds SET max_staleness_sec = ?2, min_e18 = ?3, max_e18 = ?4, max_deviation_ppm = ?5
         WHERE id = ?1",
        params![id, max_staleness_sec, min, max, max_deviation_ppm],
    )
}

/// A price that was accepted and lies outside the bounds now serves nobody any more.
fn drop_outside(tx: &Tx<'_>, id: i64, limits: &Limits) -> Result<()> {
    let sql = "SELECT price_e18 FROM oracle_price_cache WHERE feed_id = ?1";
    let price: Option<Base> = rows::first(tx.conn(), sql, [id], |row| at(row, "price_e18"))?;
    let is_outside = |price: Base| {
        limits.min_e18.is_some_and(|min| price < min) || limits.max_e18.is_some_and(|max| price > max)
    };
    if price.is_some_and(is_outside) {
        rows::run(tx.conn(), "DELETE FROM oracle_price_cache WHERE feed_id = ?1", [id])?;
    }
    Ok(())
}

/// Takes a feed out of use: it is not asked any more and prices nothing, and what it said stays. With `undo` it is in use again, as
/// it was, and is yet to be asked. Returns it and whether anything changed.
pub fn remove(tx: &Tx<'_>, id: i64, undo: bool) -> Result<(Feed, bool)> {
    let feed = by_id(tx.conn(), id)?;
    if in_use(&feed) == undo {
        return Ok((feed, false));
    }
    let since = (!undo).then(|| tx.now());
    rows::run(tx.conn(), "UPDATE oracle_feeds SET removed_at = ?2 WHERE id = ?1", params![id, since])?;
    let kind = if undo {
        let sql =
            "UPDATE oracle_feeds SET failure_streak = 0, checked_at = NULL, answered_at = NULL, added_at = ?2
             WHERE id = ?1";
        rows::run(tx.conn(), sql, params![id, tx.now()])?;
        rows::run(tx.conn(), "DELETE FROM oracle_price_cache WHERE feed_id = ?1", [id])?;
        "oracle.feed_put_back"
    } else {
        close_alerts(tx, &feed)?;
        "oracle.feed_removed"
    };
    tx.event(kind, &feed.name, &json!({ "asset": feed.asset }))?;
    Ok((by_id(tx.conn(), id)?, true))
}

/// What was wrong with a feed as it was says nothing of it from now on.
fn close_alerts(tx: &Tx<'_>, feed: &Feed) -> Result<()> {
    let subject = Subject::Feed(feed.id, &feed.name);
    let open = alert::list(tx.conn(), subject, None)?;
    open.iter().try_for_each(|one| alert::edge(tx, subject, &one.kind, None).map(drop))
}

/// Sees that a feed's contract answers like one of its kind. A fixed price has none.
pub async fn examine(view: &PinnedView, feed: &Feed) -> Result<()> {
    feed.source.describe(view).await.map(drop)
}

const FEED: &str =
    "SELECT id, name, asset, kind, address, max_staleness_sec, min_e18, max_e18, max_deviation_ppm,
     description, failure_streak, fixed_price_e18, answered_at, removed_at FROM oracle_feeds";

/// Every feed that is in use, by id.
pub fn all(conn: &Connection) -> Result<Vec<Feed>> {
    collect(conn, "WHERE removed_at IS NULL ORDER BY id", params![])
}

/// Every feed by id, those that were removed too.
pub fn every(conn: &Connection) -> Result<Vec<Feed>> {
    collect(conn, "ORDER BY id", params![])
}

/// A feed by its row id, as it stands now. None is ever deleted.
pub(crate) fn by_id(conn: &Connection, id: i64) -> Result<Feed> {
    let missing = || Error::corrupt(format!("there is no feed with the row id {id}"));
    rows::first(conn, &format!("{FEED} WHERE id = ?1"), [id], read)?.ok_or_else(missing)
}

/// The feeds of an asset by id; none is an error.
pub fn of_asset(conn: &Connection, asset: &str) -> Result<Vec<Feed>> {
    let feeds = collect(conn, "WHERE asset = ?1 AND removed_at IS NULL ORDER BY id", params![asset])?;
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

/// A feed by its name, removed or not; an error has the nearest name there is.
pub fn find(conn: &Connection, name: &str) -> Result<Feed> {
    by_id(conn, resolve(conn, Named::Feed, name)?)
}

/// A feed by its name, to use it: `conflict` where it was removed.
pub fn find_active(conn: &Connection, name: &str) -> Result<Feed> {
    let feed = find(conn, name)?;
    if in_use(&feed) { Ok(feed) } else { Err(is_removed(&feed)) }
}

fn is_removed(feed: &Feed) -> Error {
    let hint = say("put it back with: ").run("oracle remove").of(&feed.name).with("undo");
    Error::new(Code::Conflict, format!("feed \"{}\" was removed", feed.name)).hint(hint)
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
        removed_at: row.get("removed_at")?,
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
