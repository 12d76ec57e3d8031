//! Reading feeds: accepted quotes enter the cache, refused ones raise an alert, the chain's silence is an alert too.

use super::feeds::{Feed, of_asset, sol::AggregatorV3Interface as Aggregator};
use super::quote::{RawQuote, Refusal, accept};
use crate::alert::{self, Subject};
use crate::amount::Base;
use crate::clock;
use crate::context::Work;
use crate::evm::{At, BatchReply, Chain, Handle, PinnedView};
use crate::output::{Code, Error, Result};
use crate::pool::{ViewStamp, stored_base};
use crate::state::Tx;
use rusqlite::{Connection, OptionalExtension, params};

/// Every kind of refusal, the kinds of a feed's alerts.
const KINDS: [&str; 7] =
    ["invalid", "incomplete_round", "future", "stale", "out_of_bounds", "deviation", "unreachable"];

/// Whether an error means that the chain could not be read, whatever the endpoints' reasons.
pub(crate) fn is_silence(e: &Error) -> bool {
    matches!(e.code(), Code::Unreachable | Code::RateLimited | Code::BadReply | Code::Rpc | Code::Reorged)
}

/// An accepted price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// The feed's name.
    pub feed: String,
    /// What it prices.
    pub asset: String,
    /// 18 decimals.
    pub price_e18: Base,
    /// When the feed computed it, seconds since 1970.
    pub updated_at: u64,
    /// The block it was read at.
    pub view: ViewStamp,
    /// Its age now in seconds: against its block, and the time since that was read.
    pub age_sec: u64,
}

/// What became of one feed.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The feed.
    pub feed: Feed,
    /// Its price, or why there is none.
    pub result: Result<Price, Refusal>,
}

/// Reads `feeds` at one block.
///
/// # Errors
/// Those of the transport, after every feed was marked `unreachable`. A feed's own refusal is in the result.
pub async fn fetch(
    work: &mut Work<'_>,
    chain: &Chain,
    feeds: &[Feed],
    at: At,
) -> Result<(Option<ViewStamp>, Vec<Fetched>)> {
    if feeds.is_empty() {
        return Ok((None, Vec::new()));
    }
    let read = chain
        .view(at, async |view| Ok((ViewStamp::new(view.block(), view.endpoint()), ask(view, feeds).await?)));
    let (view, block_time, quotes) = match read.await {
        Ok((view, (block_time, quotes))) => (view, block_time, quotes),
        Err(e) if is_silence(&e) => {
            work.state.write(work.permit, |tx| {
                feeds.iter().try_for_each(|feed| refused(tx, feed, &Refusal::Unreachable(e.to_string())))
            })?;
            return Err(e);
        }
        Err(e) => return Err(e),
    };
    let fetched = work.state.write(work.permit, |tx| {
        feeds
            .iter()
            .zip(quotes)
            .map(|(feed, quote)| {
                let result = quote.and_then(|quote| {
                    let last = last_good(tx.conn(), feed).map_err(|e| Refusal::Invalid(e.to_string()))?;
                    let price_e18 = accept(&quote, &feed.limits, block_time, last)?;
                    Ok(Price {
                        feed: feed.name.clone(),
                        asset: feed.asset.clone(),
                        price_e18,
                        updated_at: quote.updated_at,
                        view: view.clone(),
                        age_sec: block_time.saturating_sub(quote.updated_at),
                    })
                });
                match &result {
                    Ok(price) => accepted(tx, feed, price, block_time)?,
                    Err(refusal) => refused(tx, feed, refusal)?,
                }
                Ok(Fetched { feed: feed.clone(), result })
            })
            .collect::<Result<Vec<_>>>()
    })?;
    Ok((Some(view), fetched))
}

type Quotes = Vec<Result<RawQuote, Refusal>>;

async fn ask(view: &PinnedView, feeds: &[Feed]) -> Result<(u64, Quotes)> {
    let mut batch = view.batch();
    let asked: Vec<_> = feeds
        .iter()
        .map(|feed| {
            let round = batch.add(feed.address, &Aggregator::latestRoundDataCall {});
            (round, batch.add(feed.address, &Aggregator::decimalsCall {}))
        })
        .collect();
    let reply = batch.send().await?;
    Ok((
        view.block().timestamp,
        asked.into_iter().map(|(round, decimals)| quote(&reply, round, decimals)).collect(),
    ))
}

fn quote(
    reply: &BatchReply,
    round: Handle<Aggregator::latestRoundDataCall>,
    decimals: Handle<Aggregator::decimalsCall>,
) -> Result<RawQuote, Refusal> {
    let round = reply.get(round).map_err(|e| Refusal::Unreachable(e.sentence("feed")))?;
    let decimals = reply.get(decimals).map_err(|e| Refusal::Unreachable(e.sentence("feed")))?;
    // A time past 2^64 is in the future, which is what the rule will say.
    let updated_at = u64::try_from(round.updatedAt).unwrap_or(u64::MAX);
    Ok(RawQuote {
        answer: round.answer,
        decimals,
        round_id: round.roundId.to(),
        answered_in_round: round.answeredInRound.to(),
        updated_at,
    })
}

fn last_good(conn: &Connection, feed: &Feed) -> Result<Option<Base>> {
    let found: Option<String> = conn
        .prepare_cached("SELECT price_e18 FROM oracle_price_cache WHERE asset = ?1 AND feed_id = ?2")?
        .query_row(params![feed.asset, feed.id], |row| row.get(0))
        .optional()?;
    found.map(|text| stored_base(&text)).transpose()
}

fn accepted(tx: &Tx<'_>, feed: &Feed, price: &Price, block_time: u64) -> Result<()> {
    tx.conn()
        .prepare_cached(
            "INSERT INTO oracle_price_cache (asset, feed_id, price_e18, updated_at, block_number, block_hash,
                 block_at, endpoint, fetched_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (asset, feed_id) DO UPDATE SET price_e18 = ?3, updated_at = ?4, block_number = ?5,
                 block_hash = ?6, block_at = ?7, endpoint = ?8, fetched_at = ?9",
        )?
        .execute(params![
            feed.asset,
            feed.id,
            price.price_e18.to_string(),
            price.updated_at,
            price.view.number,
            price.view.hash.to_string(),
            block_time,
            price.view.endpoint,
            tx.now(),
        ])?;
    tx.conn()
        .prepare_cached("UPDATE oracle_feeds SET failure_streak = 0, checked_at = ?2 WHERE id = ?1")?
        .execute(params![feed.id, tx.now()])?;
    for kind in KINDS {
        alert::edge(tx, Subject::Feed(feed.id, &feed.name), kind, None)?;
    }
    Ok(())
}

fn refused(tx: &Tx<'_>, feed: &Feed, refusal: &Refusal) -> Result<()> {
    tx.conn()
        .prepare_cached(
            "UPDATE oracle_feeds SET failure_streak = failure_streak + 1, checked_at = ?2 WHERE id = ?1",
        )?
        .execute(params![feed.id, tx.now()])?;
    let why = refusal.to_string();
    for kind in KINDS {
        let holds = (kind == refusal.word()).then_some(why.as_str());
        alert::edge(tx, Subject::Feed(feed.id, &feed.name), kind, holds)?;
    }
    Ok(())
}

/// The newest cached price of an asset that is at most `max_age_sec` since it was fetched and within its feed's
/// staleness. `max_age_sec` of `None` asks for the staleness alone.
///
/// # Errors
/// `unknown_asset`, `state_error`, `state_corrupt`.
pub fn cached(conn: &Connection, asset: &str, now: i64, max_age_sec: Option<u64>) -> Result<Option<Price>> {
    for feed in of_asset(conn, asset)? {
        let mut statement = conn.prepare_cached(
            "SELECT price_e18, updated_at, block_number, block_hash, block_at, endpoint, fetched_at
             FROM oracle_price_cache WHERE asset = ?1 AND feed_id = ?2",
        )?;
        let mut rows = statement.query(params![asset, feed.id])?;
        let Some(row) = rows.next()? else { continue };
        let (updated_at, block_at): (u64, u64) = (row.get(1)?, row.get(4)?);
        let since_fetch = u64::try_from(now - row.get::<_, i64>(6)?).unwrap_or(0);
        let age_sec = block_at.saturating_sub(updated_at).saturating_add(since_fetch);
        if age_sec > feed.limits.max_staleness_sec || max_age_sec.is_some_and(|most| since_fetch > most) {
            continue;
        }
        return Ok(Some(Price {
            feed: feed.name,
            asset: feed.asset,
            price_e18: stored_base(&row.get::<_, String>(0)?)?,
            updated_at,
            view: ViewStamp {
                number: row.get(2)?,
                hash: crate::pool::stored_hash(&row.get::<_, String>(3)?)?,
                time: clock::rfc3339(i64::try_from(block_at).unwrap_or(i64::MAX)),
                endpoint: row.get(5)?,
            },
            age_sec,
        }));
    }
    Ok(None)
}

/// The price of an asset: read now, or, where the chain cannot be read, the cached one while it is not stale.
///
/// Returns it with why it is degraded, if it is.
///
/// # Errors
/// `no_price` naming each feed and why; the transport's error where there is nothing in the cache either.
pub async fn price(
    work: &mut Work<'_>,
    chain: &Chain,
    asset: &str,
    at: At,
) -> Result<(Price, Option<Error>)> {
    let feeds = of_asset(work.state.conn(), asset)?;
    match fetch(work, chain, &feeds, at).await {
        Ok((_, fetched)) => {
            let mut refusals = Vec::new();
            for Fetched { feed, result } in fetched {
                match result {
                    Ok(price) => return Ok((price, None)),
                    Err(refusal) => {
                        refusals.push(format!("\"{}\": {} ({refusal})", feed.name, refusal.word()));
                    }
                }
            }
            Err(Error::new(Code::NoPrice, format!("no feed of {asset} has a price: {}", refusals.join("; ")))
                .hint("see: poolctl oracle check")
                .detail("asset", asset))
        }
        Err(e) if is_silence(&e) => {
            let now = work.state.run().clock.now();
            match cached(work.state.conn(), asset, now, None)? {
                Some(price) => Ok((price, Some(e))),
                None => Err(e),
            }
        }
        Err(e) => Err(e),
    }
}
