//! `poolctl risk …`: limits of pools, and whether they are kept.

mod check;
mod set;
mod violations;

use crate::pools::{NO_POOLS, Pools};
use crate::shell::at::AtFlag;
use crate::shell::prelude::*;
use crate::shell::views::{limit, percent};
use app::failures::{Failure, partly};
use app::pools::alerts::AlertsOutput;
use app::pools::risk::{RiskView, ShowOutput};
use base::amount;
use base::clock;
use vault::pool;
use vault::risk;

commands! {
    /// Set, fetch and check the limits of pools
    #[command(before_help = "Example: poolctl risk check --all")]
    Command {
        Set(Box<set::Set>) = "risk set": app::pools::risk::SetOutput = api::post("/pools/{pool}/risk", api::OPERATOR);
        Fetch(Fetch) = "risk fetch": ShowOutput = api::post("/risk/fetch", api::OPERATOR);
        Show(Show) = "risk show": ShowOutput = api::get("/risk", api::READER).live();
        Check(check::Check) = "risk check": app::pools::risk::CheckOutput = api::post("/risk/check", api::OPERATOR);
        Violations(violations::Violations) = "risk violations": AlertsOutput = api::get("/risk/violations", api::READER);
        Pause(set::Pause) = "risk pause": app::pools::risk::SwitchOutput = api::post("/pools/{pool}/pause", api::OPERATOR);
        Unpause(set::Unpause) = "risk unpause": app::pools::risk::SwitchOutput = api::post("/pools/{pool}/unpause", api::OPERATOR);
        ResetBreaker(set::ResetBreaker) = "risk reset-breaker": app::pools::risk::SwitchOutput = api::post("/pools/{pool}/reset-breaker", api::OPERATOR);
    }
}

/// A pool's limits for a person.
fn show(view: &RiskView, page: &mut Page) {
    let threshold = view.breaker_threshold.as_deref().and_then(|t| amount::parse_weight("threshold", t).ok());
    let threshold = threshold.map(|t| format!("{} of TVL withdrawn in 24 h", percent(t)));
    let breaker =
        view.breaker.as_ref().map(|open| format!("OPEN since {}: {}", open.triggered_at, open.reason));
    let engine = match (&view.engine_address, view.block, &view.endpoint) {
        (Some(address), Some(block), Some(endpoint)) => {
            format!("{} {address}, block {block} at \"{endpoint}\"", view.engine)
        }
        (Some(address), ..) => format!("{} {address}, not read yet (poolctl risk fetch)", view.engine),
        _ if view.age_sec.is_none() => {
            format!("{}, no limits set: nothing is allowed (poolctl risk set)", view.engine)
        }
        _ => view.engine.to_owned(),
    };
    let open = |enabled: bool| if enabled { "enabled" } else { "disabled" }.to_owned();
    page.pairs([
        ("pool", view.pool.clone()),
        ("engine", engine),
        ("max TVL", limit(view.max_tvl.as_ref())),
        ("max deposit per member", limit(view.max_user_deposit.as_ref())),
        ("daily withdrawals", format!("{} ({})", limit(view.daily_withdrawal_cap.as_ref()), view.window)),
        ("daily per member", format!("{} ({})", limit(view.user_daily_cap.as_ref()), view.window)),
        ("breaker trips at", threshold.unwrap_or_else(|| "never".into())),
        ("deposits", open(view.deposits_enabled)),
        ("withdrawals", open(view.withdrawals_enabled)),
        ("emergency", if view.engine_emergency { "yes, at the engine".into() } else { "no".into() }),
        ("paused here", view.local_pause.clone().unwrap_or_else(|| "no".into())),
        ("breaker", breaker.unwrap_or_else(|| "closed".into())),
        ("confirmed", view.age_sec.map_or_else(|| "never".into(), |age| format!("{} ago", clock::span(age)))),
    ]);
}

/// Show the limits of pools as last confirmed
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl risk show main")]
pub struct Show {
    /// Names or addresses; none = all
    #[arg(value_name = "POOL")]
    pools: Vec<String>,
}

impl Show {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let look = state.look()?;
        let pools = pool::select(look.conn(), &self.pools)?;
        Ok(Outcome::of(ShowOutput::of(look.conn(), &pools, None, session.call.run.clock.now())?))
    }
}

impl Present for ShowOutput {
    fn present(&self, page: &mut Page) {
        for (i, risk) in self.pools.iter().enumerate() {
            if i > 0 {
                page.gap();
            }
            show(risk, page);
        }
        for pool in &self.without {
            page.line(format!(
                "{pool}: no risk parameters; set some with: poolctl risk set {pool} --max-tvl …"
            ));
        }
        if self.pools.is_empty() && self.without.is_empty() {
            page.line(NO_POOLS);
        }
    }
}

/// Read the limits from the pools' engines now
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl risk fetch --all")]
pub struct Fetch {
    #[command(flatten)]
    pools: Pools,
    #[command(flatten)]
    at: AtFlag,
    #[command(flatten)]
    dry: DryRun,
}

impl Fetch {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let at = self.at.or(&app.config)?;
        let pools = self.pools.select(session, app.read()?.conn())?;
        let (output, failures) = app.write_async(self.dry.dry_run, async |work| {
            let (view, mut failed) = risk::refresh(work, || app.chain(), &pools, at).await?;
            let failures: Vec<Failure> =
                pools.iter().filter_map(|pool| Some((pool.name.clone(), failed.remove(&pool.id)?))).collect();
            let now = work.state.run().clock.now();
            Ok((ShowOutput::of(work.state.conn(), &pools, view, now)?, failures))
        })?;
        let failure = partly(pools.len() - failures.len(), &failures, "pools");
        Ok(Outcome::of(output).but(failure))
    }
}
