//! Of `risk …`: limits of pools, and whether they are kept.

use crate::pools::views::{age, ppm};
use base::amount::{Base, Quantity};
use base::{Result, clock, forms};
use evm::ViewStamp;
use rusqlite::Connection;
use schemars::JsonSchema;
use serde::Serialize;
use vault::pool::Pool;
use vault::risk::rules::{Rule, RuleResult};
use vault::risk::{self, Breaker, RiskRow};

/// A pool's limits.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RiskView {
    /// The pool.
    pub pool: String,
    /// Where they come from.
    pub engine: &'static str,
    /// The engine's contract.
    #[schemars(with = "Option<forms::EvmAddress>")]
    pub engine_address: Option<String>,
    /// Largest TVL; null = unlimited, as everywhere here.
    pub max_tvl: Option<Quantity>,
    /// Largest deposit of one member.
    pub max_user_deposit: Option<Quantity>,
    /// Most withdrawals of a window.
    pub daily_withdrawal_cap: Option<Quantity>,
    /// Most withdrawals of a window of one member.
    pub user_daily_cap: Option<Quantity>,
    /// What a day is.
    pub window: &'static str,
    /// Share of TVL withdrawn in 24 h that trips the breaker.
    #[schemars(with = "Option<forms::Decimal>")]
    pub breaker_threshold: Option<String>,
    /// Whether deposits are let in.
    pub deposits_enabled: bool,
    /// Whether withdrawals are let out.
    pub withdrawals_enabled: bool,
    /// The engine's emergency mode or pause.
    pub engine_emergency: bool,
    /// The local emergency pause.
    pub local_pause: Option<String>,
    /// The circuit breaker while it is open.
    pub breaker: Option<BreakerView>,
    /// When they were last confirmed, RFC 3339; null = never.
    #[schemars(with = "Option<forms::Time>")]
    pub refreshed_at: Option<String>,
    /// How long ago.
    pub age_sec: Option<u64>,
    /// Block of the engine's answer.
    pub block: Option<u64>,
    /// Endpoint of the engine's answer.
    pub endpoint: Option<String>,
}

/// An open circuit breaker.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BreakerView {
    /// The rule that opened it.
    pub rule: String,
    /// Why, in words.
    pub reason: String,
    /// When it opened, RFC 3339.
    #[schemars(with = "forms::Time")]
    pub triggered_at: String,
}

impl BreakerView {
    /// An open breaker; none where it is closed.
    pub fn of(breaker: Option<Breaker>) -> Option<Self> {
        let Breaker { rule, reason, triggered_at, .. } = breaker.filter(|breaker| breaker.active)?;
        Some(Self { rule, reason, triggered_at: clock::rfc3339(triggered_at) })
    }
}

impl RiskView {
    /// The limits of a pool as the state has them, `now` in seconds since 1970.
    pub fn of(conn: &Connection, pool: &Pool, row: &RiskRow, now: i64) -> Result<Self> {
        let p = &row.parameters;
        let assets = |limit: Option<Base>| limit.map(|limit| pool.asset.quantity(limit));
        Ok(Self {
            pool: pool.name.clone(),
            engine: row.engine.as_str(),
            engine_address: row.engine.address().map(|address| address.to_string()),
            max_tvl: assets(p.max_tvl),
            max_user_deposit: assets(p.max_user_deposit),
            daily_withdrawal_cap: assets(p.daily_withdrawal_cap),
            user_daily_cap: assets(p.user_daily_cap),
            window: row.window.as_str(),
            breaker_threshold: p.breaker_threshold_ppm.map(ppm),
            deposits_enabled: row.deposits_enabled,
            withdrawals_enabled: row.withdrawals_enabled,
            engine_emergency: p.engine_emergency,
            local_pause: row.local_pause.clone(),
            breaker: BreakerView::of(risk::breaker(conn, pool)?),
            refreshed_at: row.refreshed_at.map(clock::rfc3339),
            age_sec: row.refreshed_at.map(|then| age(then, now)),
            block: row.source.as_ref().map(|(block, _)| *block),
            endpoint: row.source.as_ref().map(|(_, endpoint)| endpoint.clone()),
        })
    }
}

/// Limits, pool by pool.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ShowOutput {
    /// Those that have any.
    pub pools: Vec<RiskView>,
    /// Those without risk parameters: nothing is allowed there.
    pub without: Vec<String>,
    /// Block and endpoint of what was just read, if anything was.
    pub view: Option<ViewStamp>,
}

impl ShowOutput {
    /// The limits of these pools, `now` in seconds since 1970.
    pub fn of(conn: &Connection, pools: &[Pool], view: Option<ViewStamp>, now: i64) -> Result<Self> {
        let mut output = Self { pools: Vec::new(), without: Vec::new(), view };
        for pool in pools {
            match risk::row(conn, pool)? {
                Some(row) => output.pools.push(RiskView::of(conn, pool, &row, now)?),
                None => output.without.push(pool.name.clone()),
            }
        }
        Ok(output)
    }
}

/// What the rules found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CheckOutput {
    /// Block and endpoint of the engines' answers; null where no engine was asked or reached.
    pub view: Option<ViewStamp>,
    /// Pool by pool.
    pub pools: Vec<PoolCheckView>,
}

/// One pool's findings.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PoolCheckView {
    /// The pool.
    pub pool: String,
    /// True where every rule is ok.
    pub ok: bool,
    /// What the rules were judged by: `fresh` limits, `older` ones that could not be refreshed now, or `unset`: none.
    pub limits: &'static str,
    /// Why they were not refreshed; null where they were.
    pub not_refreshed: Option<String>,
    /// What sets limits; null where there are some.
    pub fix: Option<String>,
    /// Rule by rule.
    pub rules: Vec<RuleView>,
}

/// One rule's finding.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RuleView {
    /// The rule.
    pub rule: Rule,
    /// `ok`, `violated` or `unknown`.
    #[serde(flatten)]
    pub verdict: RuleResult,
}

/// What was set.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SetOutput {
    /// False where nothing changed.
    pub changed: bool,
    /// The limits now.
    #[serde(flatten)]
    pub risk: RiskView,
}

/// The pool as it is now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SwitchOutput {
    /// The pool.
    pub pool: String,
    /// False where it stood like this before.
    pub changed: bool,
    /// The local emergency pause, with its reason.
    pub local_pause: Option<String>,
    /// The circuit breaker while it is open.
    pub breaker: Option<BreakerView>,
    /// Why the engine holds the pool, if it does; nothing here changes that.
    pub engine: Option<String>,
}
