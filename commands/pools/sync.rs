//! `poolctl sync`: figures and holders of pools at one block.

use crate::pools::{NO_POOLS, Pools};
use crate::shell::at::AtFlag;
use crate::shell::prelude::*;
use crate::shell::views::{rate, yes_no};
use app::failures::{Failure, partly};
use app::pools::sync::SyncOutput;
use base::amount::{Quantity, to_units};
use vault::sync::{self, PoolSync, SyncStatus};
use watch::metrics::Gauge;

/// Sync pools with the chain: value, shares, exchange rate, holders
///
/// Everything is read at one block. A pool that fails leaves the others done (exit 3). A reorganisation is found
/// by the hash of the block read last; what it took away is rolled back first.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl sync --all")]
pub struct Sync {
    #[command(flatten)]
    pools: Pools,
    #[command(flatten)]
    at: AtFlag,
    #[command(flatten)]
    dry: DryRun,
}

impl Sync {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let at = self.at.or(&app.config)?;
        // Unknown names are refused before the lock is taken and anything is sent.
        let pools = self.pools.select(session, app.read()?.conn())?;
        if pools.is_empty() {
            return Ok(Outcome::of(SyncOutput { report: None }));
        }
        let what = match pools.as_slice() {
            [pool] => format!("cannot sync pool \"{}\"", pool.name),
            pools => format!("cannot sync {}", counted(pools.len(), "pool")),
        };
        let report = app
            .write_along_chain(self.dry.dry_run, async |work, chain| {
                sync::sync(work, chain, &pools, at).await
            })
            .map_err(|e| e.context(what))?;
        let failures: Vec<Failure> =
            report.pools.iter().filter_map(|p| Some((p.pool.clone(), p.failure.clone()?))).collect();
        let failure = partly(report.pools.len() - failures.len(), &failures, "pools");
        let alerts = report
            .pools
            .iter()
            .flat_map(|p| p.alerts.iter().map(move |alert| format!("pool \"{}\": {alert}", p.pool)));
        let warnings: Vec<String> =
            report.rolled_back.iter().map(ToString::to_string).chain(alerts).collect();
        let gauges: Vec<Gauge> = report.pools.iter().flat_map(gauges).collect();
        let output = SyncOutput { report: Some(report) };
        Ok(Outcome::of(output).warn(warnings).gauges(gauges).but(failure))
    }
}

fn gauges(pool: &PoolSync) -> Vec<Gauge> {
    let gauge = |name, help, value: Option<&Quantity>| {
        let value = value.map(|q| to_units(q.base, q.decimals))?;
        Some(Gauge { name, help, labels: vec![("pool", pool.pool.clone())], value })
    };
    let assets = pool.total_assets.as_ref();
    [
        gauge("poolctl_pool_total_value_locked", "TVL in whole units of the pool's asset.", assets),
        gauge("poolctl_pool_shares", "Shares in whole units.", pool.total_shares.as_ref()),
        gauge("poolctl_pool_exchange_rate_ratio", "Assets per share.", pool.exchange_rate.as_ref()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl Present for SyncOutput {
    fn present(&self, page: &mut Page) {
        let Some(report) = &self.report else {
            page.line(NO_POOLS);
            return;
        };
        let heads = ["POOL", "STATUS", ">TVL", ">SHARES", ">RATE", "PAUSED", ">HOLDERS", ">TRANSFERS"];
        page.rows(heads, &report.pools, |pool| {
            let status = match pool.status {
                SyncStatus::Synced => "synced",
                SyncStatus::Unchanged => "unchanged",
                SyncStatus::Failed => "failed",
            };
            let (rate, paused) = (rate(pool.exchange_rate.as_ref()), yes_no(pool.paused));
            let transfers = (pool.transfers > 0).then(|| format!("+{}", pool.transfers));
            let (assets, shares) = (&pool.total_assets, &pool.total_shares);
            cells![pool.pool, status, assets, shares, rate, paused, pool.holders, transfers]
        });
        page.line(&report.view);
        for pool in &report.pools {
            if let Some(error) = &pool.error {
                page.line(format!("{}: {error}", pool.pool));
            }
        }
    }
}
