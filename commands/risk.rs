//! `poolctl risk …`: limits of pools, and whether they are kept.

mod check;
mod set;
mod switch;
mod violations;

use crate::alerts::AlertsOutput;
use crate::at::AtFlag;
use crate::options::DryRun;
use crate::output::{Outcome, Page, Present};
use crate::registry::commands;
use crate::session::Session;
use crate::views::{age, limit, percent, ppm};
use app::App;
use app::failures::Failure;
use app::failures::partly;
use base::amount::{self, Base, Quantity};
use base::{Result, clock, forms};
use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use vault::pool::{self, Pool, ViewStamp};
use vault::risk::{self, Breaker, RiskRow};

commands! {
    /// Set, fetch and check the limits of pools
    #[command(before_help = "Example: poolctl risk check --all")]
    Command {
        Set(Box<set::Set>) = "risk set": set::SetOutput;
        Fetch(Fetch) = "risk fetch": ShowOutput;
        Show(Show) = "risk show": ShowOutput;
        Check(check::Check) = "risk check": check::CheckOutput;
        Violations(violations::Violations) = "risk violations": AlertsOutput;
        Pause(switch::Pause) = "risk pause": switch::SwitchOutput;
        Unpause(switch::Unpause) = "risk unpause": switch::SwitchOutput;
        ResetBreaker(switch::ResetBreaker) = "risk reset-breaker": switch::SwitchOutput;
    }
}

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
    fn of(breaker: Option<Breaker>) -> Option<Self> {
        let Breaker { rule, reason, triggered_at, .. } = breaker.filter(|breaker| breaker.active)?;
        Some(Self { rule, reason, triggered_at: clock::rfc3339(triggered_at) })
    }
}

impl RiskView {
    fn of(conn: &rusqlite::Connection, pool: &Pool, row: &RiskRow, now: i64) -> Result<Self> {
        let p = &row.parameters;
        let assets = |limit: Option<Base>| limit.map(|limit| pool.asset.quantity(limit));
        Ok(Self {
            pool: pool.name.clone(),
            engine: row.engine.word(),
            engine_address: row.engine.address().map(|address| address.to_string()),
            max_tvl: assets(p.max_tvl),
            max_user_deposit: assets(p.max_user_deposit),
            daily_withdrawal_cap: assets(p.daily_withdrawal_cap),
            user_daily_cap: assets(p.user_daily_cap),
            window: row.window.word(),
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

    fn show(&self, page: &mut Page) {
        let threshold =
            self.breaker_threshold.as_deref().and_then(|t| amount::parse_weight("threshold", t).ok());
        let engine = match (&self.engine_address, self.block, &self.endpoint) {
            (Some(address), Some(block), Some(endpoint)) => {
                format!("{} {address}, block {block} at \"{endpoint}\"", self.engine)
            }
            (Some(address), ..) => format!("{} {address}, not read yet (poolctl risk fetch)", self.engine),
            _ if self.age_sec.is_none() => {
                format!("{}, no limits set: nothing is allowed (poolctl risk set)", self.engine)
            }
            _ => self.engine.to_owned(),
        };
        let open = |enabled: bool| if enabled { "enabled" } else { "disabled" }.to_owned();
        page.pairs([
            ("pool", self.pool.clone()),
            ("engine", engine),
            ("max TVL", limit(self.max_tvl.as_ref())),
            ("max deposit per member", limit(self.max_user_deposit.as_ref())),
            ("daily withdrawals", format!("{} ({})", limit(self.daily_withdrawal_cap.as_ref()), self.window)),
            ("daily per member", format!("{} ({})", limit(self.user_daily_cap.as_ref()), self.window)),
            (
                "breaker trips at",
                threshold
                    .map_or_else(|| "never".into(), |t| format!("{} of TVL withdrawn in 24 h", percent(t))),
            ),
            ("deposits", open(self.deposits_enabled)),
            ("withdrawals", open(self.withdrawals_enabled)),
            ("emergency", if self.engine_emergency { "yes, at the engine".into() } else { "no".into() }),
            ("paused here", self.local_pause.clone().unwrap_or_else(|| "no".into())),
            (
                "breaker",
                self.breaker.as_ref().map_or_else(
                    || "closed".into(),
                    |open| format!("OPEN since {}: {}", open.triggered_at, open.reason),
                ),
            ),
            (
                "confirmed",
                self.age_sec.map_or_else(|| "never".into(), |age| format!("{} ago", clock::span(age))),
            ),
        ]);
    }
}

/// Show the limits of pools as last confirmed
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl risk show main")]
pub struct Show {
    /// Names or addresses; none = all
    #[arg(value_name = "POOL")]
    pools: Vec<String>,
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
    fn of(conn: &rusqlite::Connection, pools: &[Pool], view: Option<ViewStamp>, now: i64) -> Result<Self> {
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

impl Show {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let pools = pool::select(state.conn(), &self.pools)?;
        Outcome::of(&ShowOutput::of(state.conn(), &pools, None, session.call.run.clock.now())?)
    }
}

impl Present for ShowOutput {
    fn present(&self, page: &mut Page) {
        for (i, risk) in self.pools.iter().enumerate() {
            if i > 0 {
                page.gap();
            }
            risk.show(page);
        }
        for pool in &self.without {
            page.line(format!(
                "{pool}: no risk parameters; set some with: poolctl risk set {pool} --max-tvl …"
            ));
        }
        if self.pools.is_empty() && self.without.is_empty() {
            page.line("no pools; add one with: poolctl pool add NAME ADDRESS");
        }
    }
}

/// Read the limits from the pools' engines now
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl risk fetch --all")]
pub struct Fetch {
    /// Names or addresses; none = all
    #[arg(value_name = "POOL")]
    pools: Vec<String>,
    /// All pools
    #[arg(long, conflicts_with = "pools")]
    all: bool,
    #[command(flatten)]
    at: AtFlag,
    #[command(flatten)]
    dry: DryRun,
}

impl Fetch {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let at = self.at.or(&app.config)?;
        let pools = pool::select(app.read()?.conn(), &self.pools)?;
        let (output, failures) = app.write_async(self.dry.dry_run, async |work| {
            let (view, mut failed) = risk::refresh(work, || app.chain(), &pools, at).await?;
            let failures: Vec<Failure> =
                pools.iter().filter_map(|pool| Some((pool.name.clone(), failed.remove(&pool.id)?))).collect();
            let now = work.state.run().clock.now();
            Ok((ShowOutput::of(work.state.conn(), &pools, view, now)?, failures))
        })?;
        let failure = partly(pools.len() - failures.len(), &failures, "pools");
        Ok(Outcome::of(&output)?.but(failure))
    }
}
