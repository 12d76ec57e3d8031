//! `risk check`: parameters are refreshed, then every rule is run on what the state knows.

use super::breaker::{breaker, trip};
use super::gate::gate_after;
use super::judge::{self, Facts};
use super::parameters::{RiskRow, Window, row};
use super::refresh::{Answers, Failures};
use super::rules::{self, FeedHealth, Rule, RuleResult};
use crate::pool::{self, Pool};
use base::amount::Base;
use base::{Error, Result};
use config::Config;
use evm::{At, Chain, ViewStamp, is_silence};
use rusqlite::{Connection, params};
use state::alert::{self, Subject};
use state::columns::at;
use state::{Tx, WriteContext, rows};
use std::collections::HashMap;
use strum::IntoStaticStr;

/// What the rules found for one pool.
#[derive(Debug, Clone)]
pub struct PoolCheck {
    /// Its name.
    pub pool: String,
    /// Rule by rule.
    pub results: Vec<(Rule, RuleResult)>,
    /// What they were judged by.
    pub limits: Limits,
    /// Why its parameters could not be refreshed; older ones may have served.
    pub not_refreshed: Option<Error>,
}

/// What a pool's rules were judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Limits {
    /// Limits that were confirmed just now.
    Fresh,
    /// Limits of an earlier look: they could not be confirmed now.
    Older,
    /// There are none.
    Unset,
}

impl Limits {
    /// Its stable word.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl PoolCheck {
    /// Nothing violated, nothing unknown.
    pub fn is_ok(&self) -> bool {
        self.results.iter().all(|(_, verdict)| *verdict == RuleResult::Ok)
    }
}

/// Checks `pools`. An engine or a chain that cannot be read hides no other finding.
///
/// What engines say is taken in, and everything is judged, in one write: by the limits, pauses and breakers that stand there.
pub async fn check(
    work: &mut WriteContext<'_>,
    chain: impl Fn() -> Result<Chain>,
    pools: &[Pool],
    at: At,
) -> Result<(Option<ViewStamp>, Vec<PoolCheck>)> {
    state::anew_async(async || check_once(work, &chain, pools, at).await).await
}

async fn check_once(
    work: &mut WriteContext<'_>,
    chain: impl Fn() -> Result<Chain>,
    pools: &[Pool],
    at: At,
) -> Result<(Option<ViewStamp>, Vec<PoolCheck>)> {
    let (answers, silent) = ask(work, chain, pools, at).await?;
    let config = work.config;
    let checks = work.state.write(work.permit, |tx| {
        let mut failures = answers.take_in(tx)?;
        failures.extend(silent);
        // As they are now: they may have been synced since they were named, or retired.
        let pools = pool::again(tx.conn(), pools)?;
        pools
            .iter()
            .map(|pool| run_rules(tx, config, pool, &mut failures))
            .collect::<Result<Vec<PoolCheck>>>()
    })?;
    Ok((answers.view().cloned(), checks))
}

/// What the engines of `pools` say, and why those were not asked that need a chain which is silent: limits of our own need none.
async fn ask<'p>(
    work: &WriteContext<'_>,
    chain: impl Fn() -> Result<Chain>,
    pools: &'p [Pool],
    at: At,
) -> Result<(Answers<'p>, Failures)> {
    match Answers::ask(work, chain, pools, at).await {
        Ok(answers) => Ok((answers, Failures::new())),
        Err(e) if is_silence(&e) => {
            let (answers, unasked) = Answers::without_chain(work, pools)?;
            Ok((answers, unasked.into_iter().map(|id| (id, e.clone())).collect()))
        }
        Err(e) => Err(e),
    }
}

/// Runs every rule on what the state knows of a pool, and records what they find.
fn run_rules(tx: &Tx<'_>, config: &Config, pool: &Pool, failures: &mut Failures) -> Result<PoolCheck> {
    watch_withdrawals(tx, pool)?;
    let failure = failures.remove(&pool.id);
    let facts = facts(tx.conn(), config, pool, tx.now(), failure.as_ref())?;
    let results = judge::check(&facts);
    for (rule, verdict) in &results {
        let why = match verdict {
            RuleResult::Ok => None,
            RuleResult::Violated(why) => Some(why.as_str()),
            // What cannot be told neither opens nor closes a violation; risk_unknown stands for it.
            RuleResult::Unknown(_) => continue,
        };
        alert::edge(tx, Subject::Pool(pool.id, &pool.name), rule.as_str(), why)?;
    }
    let limits = match (row(tx.conn(), pool)?.filter(RiskRow::is_set), &failure) {
        (None, _) => Limits::Unset,
        (Some(_), None) => Limits::Fresh,
        (Some(_), Some(_)) => Limits::Older,
    };
    Ok(PoolCheck { pool: pool.name.clone(), results, limits, not_refreshed: failure })
}

/// Opens the breaker where withdrawals of 24 h pass the pool's threshold, unless all of them are older than its
/// last reset. To be called in the write that adds a withdrawal, too. Returns whether it opened.
pub fn watch_withdrawals(tx: &Tx<'_>, pool: &Pool) -> Result<bool> {
    let threshold_ppm = row(tx.conn(), pool)?.and_then(|row| row.parameters.breaker_threshold_ppm);
    let from = Window::Rolling24h.start(tx.now());
    let (withdrawn, _) = withdrawn_since(tx.conn(), pool, from)?;
    let tvl = pool::snapshot(tx.conn(), pool)?.map(|s| s.total_assets);
    let RuleResult::Violated(reason) = rules::withdrawal_rate(withdrawn, tvl, threshold_ppm) else {
        return Ok(false);
    };
    let reset_at = breaker(tx.conn(), pool)?.and_then(|breaker| breaker.reset).map(|(at, _)| at);
    let sql = "SELECT requested_at FROM pool_withdrawals
         WHERE pool_id = ?1 AND requested_at >= ?2 AND status <> 'failed' ORDER BY requested_at DESC LIMIT 1";
    if rows::value::<i64>(tx.conn(), sql, params![pool.id, from])? < reset_at {
        return Ok(false);
    }
    trip(tx, pool, Rule::WithdrawalRate, &reason)
}

/// What the rules look at.
fn facts(
    conn: &Connection,
    config: &Config,
    pool: &Pool,
    now: i64,
    failure: Option<&Error>,
) -> Result<Facts> {
    let gate = gate_after(conn, config, pool, now, failure)?;
    let snapshot = pool::snapshot(conn, pool)?;
    let rates_e18 = match &snapshot {
        None => None,
        Some(s) => pool::rate_before(conn, pool, s.block.number)?.zip(s.rate()),
    };
    let window = gate.row.as_ref().map_or(Window::UtcDay, |row| row.window);
    let (withdrawn_in_window, by_member) = withdrawn_since(conn, pool, window.start(now))?;
    let most = |a: &(String, Base), b: &(String, Base)| a.1.cmp(&b.1).then_with(|| b.0.cmp(&a.0));
    Ok(Facts {
        barriers: gate.barriers,
        parameters: gate.parameters,
        tvl: snapshot.map(|s| s.total_assets),
        rates_e18,
        max_rate_drop_ppm: pool.max_rate_drop_ppm,
        withdrawn_in_window,
        top_withdrawer: by_member.into_values().max_by(most),
        withdrawn_24h: withdrawn_since(conn, pool, Window::Rolling24h.start(now))?.0,
        feeds: feed_health(conn, pool, now)?,
        failure_streak: config.number("risk.failure_streak")?,
    })
}

/// How the feeds stand at `now` that price a pool's asset, by its address or its symbol.
pub fn feed_health(conn: &Connection, pool: &Pool, now: i64) -> Result<Vec<FeedHealth>> {
    let sql = "SELECT f.name, f.failure_streak, EXISTS (SELECT 1 FROM oracle_price_cache c
             WHERE c.asset = f.asset AND c.feed_id = f.id
                 AND c.block_at - c.updated_at + ?3 - c.fetched_at <= f.max_staleness_sec) AS priced
         FROM oracle_feeds f WHERE f.asset IN (?1, ?2) AND f.kind <> 'fixed' AND f.removed_at IS NULL ORDER BY f.id";
    let symbol = pool.asset.symbol.to_ascii_uppercase();
    rows::all(conn, sql, params![pool.asset.address.to_string(), symbol, now], |row| {
        Ok(FeedHealth {
            feed: row.get("name")?,
            refused: row.get("failure_streak")?,
            priced: row.get("priced")?,
        })
    })
}

/// Of each member, by id: its address, and what it withdrew, asset base units.
pub type Withdrawn = HashMap<i64, (String, Base)>;

/// What withdrawals that are not failed come to since `from`: in all, asset base units, and of each member.
pub fn withdrawn_since(conn: &Connection, pool: &Pool, from: i64) -> Result<(Base, Withdrawn)> {
    let sql = "SELECT w.member_id, m.address, w.assets FROM pool_withdrawals w LEFT JOIN members m ON m.id = w.member_id
         WHERE w.pool_id = ?1 AND w.requested_at >= ?2 AND w.status <> 'failed'";
    let (mut total, mut by_member) = (Base::ZERO, Withdrawn::new());
    rows::each(conn, sql, params![pool.id, from], |row| {
        let assets = at(row, "assets")?;
        total = total.saturating_add(assets);
        let (address, sum) = by_member.entry(row.get("member_id")?).or_default();
        *address = row.get::<_, Option<String>>("address")?.unwrap_or_default();
        *sum = sum.saturating_add(assets);
        Ok(())
    })?;
    Ok((total, by_member))
}
