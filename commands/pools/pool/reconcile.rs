//! `poolctl pool reconcile`: the state against the chain, holder by holder.

use crate::output::{Outcome, Page, Present, Table};
use crate::shell::session::Session;
use app::App;
use app::failures::{Failure, partly};
use app::pools::pool::reconcile::{ReconcileOutput, drift};
use base::Result;
use clap::Args;
use vault::pool;
use vault::sync::{self, Reconciled};
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
        let drifts = found.iter().map(|line| line.drifts.len()).sum();
        Ok(Outcome::of(&ReconcileOutput { pools: found, drifts })?.gauges(gauges).but(failure))
    }
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
