//! Reading feeds: accepted quotes enter the cache, refused ones raise an alert, the chain's silence is an alert too.

use super::cache::{self, Price, Reading, cached};
use super::sequencer::{Sequencer, standing};
use crate::feed::quote::{RawQuote, Refusal, accept};
use crate::feed::source::{QuoteDecoder, sol::AggregatorV3Interface as Aggregator};
use crate::feed::{self, Feed, of_asset};
use crate::pool;
use crate::risk;
use crate::risk::rules::{self, Rule, RuleResult};
use base::{Code, Error, Result, say};
use config::Config;
use evm::{At, Chain, PinnedView, ViewStamp, is_silence};
use rusqlite::{Connection, params};
use serde_json::json;
use state::alert::{self, Subject};
use state::{Tx, WriteContext, rows};
use strum::VariantNames;

/// What became of one feed.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The feed.
    pub feed: Feed,
    /// Its price, or why there is none.
    pub result: Result<Price, Refusal>,
}

/// How a price that is too far from the last good one is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deviation {
    /// By the feed's limit.
    Limited,
    /// The operator has looked at it: it is the new price to compare with, and that is on record.
    Accepted,
}

/// Reads `feeds` at one block. Fixed prices are what they are, and need no chain. Where the chain is silent, every feed that has
/// a contract is marked `unreachable`.
///
/// What another run has read at a later block meanwhile stays: an older answer is returned, and changes nothing.
pub async fn fetch(
    work: &mut WriteContext<'_>,
    chain: impl Fn() -> Result<Chain>,
    feeds: &[Feed],
    at: At,
    deviation: Deviation,
) -> Result<(Option<ViewStamp>, Vec<Fetched>)> {
    let judge = Judge { threshold: work.config.number("risk.failure_streak")?, deviation };
    state::anew_async(async || {
        let mut feeds = feeds
            .iter()
            .map(|feed| feed::by_id(work.state.conn(), feed.id))
            .collect::<Result<Vec<Feed>>>()?;
        // One that was removed meanwhile is asked nothing.
        feeds.retain(|feed| feed.removed_at.is_none());
        fetch_once(work, &chain, &feeds, at, judge).await
    })
    .await
}

async fn fetch_once(
    work: &mut WriteContext<'_>,
    chain: impl Fn() -> Result<Chain>,
    feeds: &[Feed],
    at: At,
    judge: Judge,
) -> Result<(Option<ViewStamp>, Vec<Fetched>)> {
    let sequencer = sequencer(work.config)?;
    let answers = if feeds.iter().any(|feed| feed.source.address().is_some()) {
        let known = pool::newest(work.state.conn())?.max(cache::newest(work.state.conn())?);
        let read = chain()?
            .view_above(at, known, async |view| {
                let quotes = ask(view, feeds, sequencer).await?;
                Ok(Answers { view: ViewStamp::of(view), block_time: view.block().timestamp, quotes })
            })
            .await;
        match read {
            Ok(answers) => Some(answers),
            Err(e) if is_silence(&e) => {
                let silent = Refusal::Unreachable(e.to_string());
                work.state.write(work.permit, |tx| {
                    let mut silenced = Vec::new();
                    for feed in feeds.iter().filter(|feed| feed.source.address().is_some()) {
                        let now = is_as_read(tx.conn(), feed)?;
                        // One that has answered another run meanwhile is not silent.
                        if now.answered_at == feed.answered_at {
                            refused(tx, feed, &silent)?;
                            silenced.push(now);
                        }
                    }
                    judge.open_breakers(tx, &silenced)
                })?;
                return Err(e);
            }
            Err(e) => return Err(e),
        }
    } else {
        None
    };
    let view = answers.as_ref().map(|answers| answers.view.clone());
    let mut quotes =
        answers.iter().flat_map(|answers| answers.quotes.iter().map(move |quote| (answers, quote)));
    let fetched = work.state.write(work.permit, |tx| {
        let fetched = feeds
            .iter()
            .map(|feed| {
                let feed = is_as_read(tx.conn(), feed)?;
                let result = match (Price::fixed(&feed), quotes.next()) {
                    (Some(price), _) => Ok(price),
                    (None, Some((answers, quote))) => judge.quote(tx, &feed, answers, quote.clone())?,
                    (None, None) => Err(Refusal::Unreachable("the feed was not read".into())),
                };
                Ok(Fetched { feed, result })
            })
            .collect::<Result<Vec<_>>>()?;
        // Only now: a feed that comes later may be what an asset has a quorum by.
        judge.open_breakers(tx, fetched.iter().map(|one| &one.feed))?;
        Ok(fetched)
    })?;
    Ok((view, fetched))
}

/// A feed as it stands now; `state_changed` where that is no longer the one that was read.
fn is_as_read(conn: &Connection, read: &Feed) -> Result<Feed> {
    let same = |now: &Feed| (&now.asset, now.source, now.removed_at) == (&read.asset, read.source, None);
    let changed = || state::changed(format_args!("feed \"{}\"", read.name));
    Some(feed::by_id(conn, read.id)?).filter(same).ok_or_else(changed)
}

fn sequencer(config: &Config) -> Result<Option<Sequencer>> {
    let grace_sec = config.number("oracle.sequencer_grace_sec")?;
    Ok(config.address("oracle.sequencer_feed")?.map(|feed| Sequencer { feed, grace_sec }))
}

/// What feeds answered at one block, in the order in which they were asked.
struct Answers {
    view: ViewStamp,
    block_time: u64,
    quotes: Vec<Result<RawQuote, Refusal>>,
}

async fn ask(
    view: &PinnedView,
    feeds: &[Feed],
    sequencer: Option<Sequencer>,
) -> Result<Vec<Result<RawQuote, Refusal>>> {
    let mut batch = view.batch();
    let uptime = sequencer.map(|s| (s, batch.add(s.feed, &Aggregator::latestRoundDataCall {})));
    let asked: Vec<QuoteDecoder> = feeds.iter().map(|feed| feed.source.ask(&mut batch)).collect();
    let reply = batch.send().await?;
    let block_time = view.block().timestamp;
    if let Some((sequencer, uptime)) = uptime {
        let standing = match reply.get(uptime) {
            Ok(round) => standing(round.answer, round.startedAt, block_time, sequencer.grace_sec),
            Err(e) => Err(e.sentence("sequencer feed")),
        };
        if let Err(why) = standing {
            return Ok(feeds.iter().map(|_| Err(Refusal::SequencerDown(why.clone()))).collect());
        }
    }
    Ok(asked.iter().map(|asked| asked(&reply, block_time)).collect())
}

/// Applies the rules to what feeds answered, and records what they say.
#[derive(Debug, Clone, Copy)]
struct Judge {
    /// Refusals in a row that open a breaker.
    threshold: u64,
    deviation: Deviation,
}

impl Judge {
    fn quote(
        self,
        tx: &Tx<'_>,
        feed: &Feed,
        answers: &Answers,
        quote: Result<RawQuote, Refusal>,
    ) -> Result<Result<Price, Refusal>> {
        let Answers { view, block_time, .. } = answers;
        let last_good = cache::last_good(tx.conn(), feed)?;
        let result = quote.and_then(|quote| {
            let price = match accept(&quote, &feed.limits, *block_time, last_good) {
                Err(Refusal::Deviation { .. }) if self.deviation == Deviation::Accepted => {
                    (accept(&quote, &feed.limits, *block_time, None)?, true)
                }
                judged => (judged?, false),
            };
            Ok((quote.updated_at, price))
        });
        // An older answer than the last one is no news.
        let is_news = feed.answered_at <= Some(*block_time);
        if is_news {
            // A block that is dated in the future makes no answer after it an older one.
            let answered_at = u64::try_from(tx.now()).map_or(*block_time, |now| now.min(*block_time));
            let sql = "UPDATE oracle_feeds SET answered_at = ?2 WHERE id = ?1";
            rows::run(tx.conn(), sql, params![feed.id, answered_at])?;
        }
        let (updated_at, (price_e18, moved)) = match result {
            Ok(accepted) => accepted,
            Err(refusal) => {
                if is_news {
                    refused(tx, feed, &refusal)?;
                }
                return Ok(Err(refusal));
            }
        };
        let age_sec = block_time.saturating_sub(updated_at);
        let read = Reading { updated_at, age_sec, view: view.clone() };
        let price =
            Price { feed: feed.name.clone(), asset: feed.asset.clone(), price_e18, read: Some(read.clone()) };
        if !is_news {
            return Ok(Ok(price));
        }
        if moved {
            let last = last_good.map(|last| last.to_string());
            tx.event(
                "oracle.deviation_accepted",
                &feed.name,
                &json!({ "last_e18": last, "price_e18": price_e18.to_string(), "view": view }),
            )?;
        }
        cache::put(tx, feed, price_e18, &read, *block_time)?;
        accepted(tx, feed)?;
        Ok(Ok(price))
    }

    /// Opens the breaker of every pool whose asset has no quorum without those of these feeds, as they were before, that were
    /// refused once more, and too often.
    fn open_breakers<'f>(self, tx: &Tx<'_>, before: impl IntoIterator<Item = &'f Feed>) -> Result<()> {
        let mut failing = Vec::new();
        for was in before {
            let streak = is_as_read(tx.conn(), was)?.failure_streak;
            if streak > was.failure_streak && streak >= self.threshold {
                failing.push(was);
            }
        }
        if failing.is_empty() {
            return Ok(());
        }
        for pool in
            pool::active(tx.conn())?.iter().filter(|pool| failing.iter().any(|feed| feed.prices(pool)))
        {
            let feeds = risk::feed_health(tx.conn(), pool, tx.now())?;
            if let RuleResult::Violated(reason) = rules::oracle_failure(&feeds, self.threshold) {
                risk::trip(tx, pool, Rule::OracleFailureStreak, &reason)?;
            }
        }
        Ok(())
    }
}

/// Counts a refusal.
fn refused(tx: &Tx<'_>, feed: &Feed, refusal: &Refusal) -> Result<()> {
    let sql = "UPDATE oracle_feeds SET failure_streak = failure_streak + 1, checked_at = ?2 WHERE id = ?1";
    rows::run(tx.conn(), sql, params![feed.id, tx.now()])?;
    alerts(tx, feed, Some(refusal))
}

fn accepted(tx: &Tx<'_>, feed: &Feed) -> Result<()> {
    let sql = "UPDATE oracle_feeds SET failure_streak = 0, checked_at = ?2 WHERE id = ?1";
    rows::run(tx.conn(), sql, params![feed.id, tx.now()])?;
    alerts(tx, feed, None)
}

/// Of all alerts of a feed, the one that a refusal is holds now.
fn alerts(tx: &Tx<'_>, feed: &Feed, refusal: Option<&Refusal>) -> Result<()> {
    let why = refusal.map(|refusal| (refusal.as_str(), refusal.to_string()));
    Refusal::VARIANTS.iter().try_for_each(|kind| {
        let holds = why.as_ref().filter(|(word, _)| word == kind).map(|(_, why)| why.as_str());
        alert::edge(tx, Subject::Feed(feed.id, &feed.name), kind, holds).map(drop)
    })
}

/// The price of an asset: read now, or, where the chain cannot be read, the cached one while it is not stale, with why it is
/// degraded. An error names each feed and why.
pub async fn price(
    work: &mut WriteContext<'_>,
    chain: impl Fn() -> Result<Chain>,
    asset: &str,
    at: At,
) -> Result<(Price, Option<Error>)> {
    let feeds = of_asset(work.state.conn(), asset)?;
    let quoted: Vec<Feed> = feeds.iter().filter(|feed| feed.source.address().is_some()).cloned().collect();
    // A fixed price never stands in for a quote that was refused.
    let feeds = if quoted.is_empty() { feeds } else { quoted };
    match fetch(work, chain, &feeds, at, Deviation::Limited).await {
        Ok((_, fetched)) => {
            let mut refusals = Vec::new();
            for Fetched { feed, result } in fetched {
                match result {
                    Ok(price) => return Ok((price, None)),
                    Err(refusal) => {
                        refusals.push(format!("\"{}\": {} ({refusal})", feed.name, refusal.as_str()));
                    }
                }
            }
            Err(Error::new(Code::NoPrice, format!("no feed of {asset} has a price: {}", refusals.join("; ")))
                .hint(say("see: ").run("oracle check"))
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
