//! `poolctl pool reconcile`: the state against the chain, holder by holder.

use crate::output::{Outcome, Page, Present, Table};
use crate::session::Session;
use app::App;
use app::failures::Failure;
use app::failures::partly;
use base::{Code, Error, Result};
use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use vault::pool::{self, ViewStamp};
use vault::sync::{self, Drift, Reconciled};
use watch::metrics::Gauge;

/// Compare pools with the chain, holder by holder; exit 5 on any difference
///
/// Each pool is compared at the block of its last sync, so the endpoint must still have that block's state. Every
/// member that has or had shares is asked for by balanceOf. Reads only: nothing is mended.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl pool reconcile --all")]
pub struct Reconcile {
    /// Names or addresses; none = all
    #[arg(value_name = "POOL")]
    pools: Vec<String>,
    /// All pools
    #[arg(long, conflicts_with = "pools")]
    all: bool,
}

/// What the comparison found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ReconcileOutput {
    /// Pool by pool.
    pub pools: Vec<PoolLine>,
    /// Differences in all.
    pub drifts: usize,
}

/// One pool.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PoolLine {
    /// Its name.
    pub pool: String,
    /// `equal`, `drift` or `failed`.
    pub status: &'static str,
    /// Members whose shares were compared.
    pub members: u64,
    /// Every difference, with both values.
    pub drifts: Vec<Drift>,
    /// Why it could not be compared.
    pub error: Option<String>,
    /// Block and endpoint of the comparison.
    pub view: Option<ViewStamp>,
}

impl From<Reconciled> for PoolLine {
    fn from(found: Reconciled) -> Self {
        let status = match &found {
            Reconciled { failure: Some(_), .. } => "failed",
            Reconciled { drifts, .. } if drifts.is_empty() => "equal",
            _ => "drift",
        };
        let error = found.failure.map(|e| e.to_string());
        let Reconciled { pool, view, members, drifts, .. } = found;
        Self { pool, status, members, drifts, error, view }
    }
}

impl Reconcile {
    /// # Errors
    /// `drift` with every difference; failed pools end it with exit 3; those of the chain and the state.
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let pools = pool::select(state.conn(), &self.pools)?;
        if pools.is_empty() {
            return Outcome::of(&ReconcileOutput { pools: Vec::new(), drifts: 0 });
        }
        let found = app.look_on_chain(None, async |chain| {
            sync::reconcile(&state, chain, &pools, app.progress(), &session.call.stop).await
        })?;
        let failures: Vec<Failure> =
            found.iter().filter_map(|line| Some((line.pool.clone(), line.failure.clone()?))).collect();
        let failure = drift(&found).or_else(|| partly(found.len() - failures.len(), &failures, "pools"));
        let gauges: Vec<Gauge> = found.iter().map(gauge).collect();
        let pools: Vec<PoolLine> = found.into_iter().map(PoolLine::from).collect();
        let drifts = pools.iter().map(|line| line.drifts.len()).sum();
        Ok(Outcome::of(&ReconcileOutput { pools, drifts })?.gauges(gauges).but(failure))
    }
}

/// The error of a comparison that found differences, naming pools that could not be compared too.
fn drift(found: &[Reconciled]) -> Option<Error> {
    let differs: Vec<&Reconciled> = found.iter().filter(|line| !line.drifts.is_empty()).collect();
    let first = differs.first()?;
    let count: usize = differs.iter().map(|line| line.drifts.len()).sum();
    let names: Vec<&str> = differs.iter().map(|line| line.pool.as_str()).collect();
    let failed: Vec<&str> =
        found.iter().filter(|line| line.failure.is_some()).map(|line| line.pool.as_str()).collect();
    let also =
        if failed.is_empty() { String::new() } else { format!("; not compared: {}", failed.join(", ")) };
    let what = first.drifts.first().map(ToString::to_string).unwrap_or_default();
    Some(
        Error::new(
            Code::Drift,
            format!("{count} differences in {}; first: {}: {what}{also}", names.join(", "), first.pool),
        )
        .hint(format!(
            "compare at another endpoint; read its transfers again with: poolctl pool rescan {}",
            first.pool
        ))
        .detail("pools", names)
        .detail("failed", failed),
    )
}

fn gauge(line: &Reconciled) -> Gauge {
    Gauge {
        name: "poolctl_pool_drifts",
        help: "Figures of a pool that differ between state and chain.",
        labels: vec![("pool", line.pool.clone())],
        value: line.drifts.len().to_string(),
    }
}

impl Present for ReconcileOutput {
    fn present(&self, page: &mut Page) {
        if self.pools.is_empty() {
            page.line("no pools; add one with: poolctl pool add NAME ADDRESS");
            return;
        }
        let mut table = Table::new(&["POOL", "FIGURE", "MEMBER", ">STATE", ">CHAIN"]);
        for (line, drift) in self.pools.iter().flat_map(|line| line.drifts.iter().map(move |d| (line, d))) {
            let member = drift.member_name.clone().or_else(|| drift.member.clone());
            table.row([
                line.pool.clone(),
                drift.what.to_owned(),
                member.unwrap_or_default(),
                drift.state.to_string(),
                drift.chain.to_string(),
            ]);
        }
        if !table.is_empty() {
            page.table(table);
        }
        for line in &self.pools {
            page.line(match (&line.view, &line.error) {
                (Some(view), _) => {
                    let what = if line.drifts.is_empty() { "equal" } else { "NOT equal" };
                    format!("{}: {what}, {} members compared, {view}", line.pool, line.members)
                }
                (None, error) => format!("{}: {}", line.pool, error.as_deref().unwrap_or("not compared")),
            });
        }
    }
}
