//! `poolctl reward cycle`: every closed epoch, distributed.

use crate::options::DryRun;
use crate::output::{Outcome, Page, Present, Table};
use crate::session::Session;
use app::App;
use app::failures::Failure;
use app::failures::partly;
use base::amount::Quantity;
use base::{Error, Result};
use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use vault::pool::ViewStamp;
use vault::reward::{self, CycleReport};

/// Distribute every closed epoch, up to the last final block
///
/// Missed epochs are caught up in order, and pay what they would have paid in time. Running it again for the same blocks
/// changes nothing. A pool that fails leaves the others done (exit 3). A pool that is paused at the last block of an epoch
/// carries its part to the next one.
#[derive(Debug, Args)]
#[command(
    before_help = "Example: poolctl reward cycle --from 18000000   (the first time; then without --from)"
)]
pub struct Cycle {
    /// Block at which rewards begin; the first run needs it, unless the pools name one
    #[arg(long, value_name = "BLOCK", allow_negative_numbers = true)]
    from: Option<u64>,
    #[command(flatten)]
    dry: DryRun,
}

/// What a cycle did.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CycleOutput {
    /// The block and endpoint that the chain was read at.
    pub view: ViewStamp,
    /// The last final block: nothing is paid beyond it.
    pub final_block: u64,
    /// The reward token's symbol.
    pub symbol: String,
    /// Pool by pool.
    pub pools: Vec<PoolCycleView>,
}

/// One pool's part of a cycle.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PoolCycleView {
    /// The pool.
    pub pool: String,
    /// Epochs distributed now.
    pub epochs: Vec<PaidView>,
    /// The epoch that comes next.
    pub next_start_block: Option<u64>,
    /// Its end; it is paid when the block before is final.
    pub next_end_block: Option<u64>,
    /// Why the remaining epochs were not distributed.
    pub error: Option<String>,
}

/// A distributed epoch.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PaidView {
    /// Its id.
    pub epoch: i64,
    /// First block.
    pub start_block: u64,
    /// First block after it.
    pub end_block: u64,
    /// The pool's part of the emission.
    pub part: Quantity,
    /// Carried in.
    pub carry_in: Quantity,
    /// Given to members.
    pub distributed: Quantity,
    /// Carried to the next epoch.
    pub carry_out: Quantity,
    /// Why.
    pub carry_reason: Option<&'static str>,
    /// Members who got something.
    pub holders: u64,
}

impl Cycle {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let at = app.config.require("evm.at")?.parse()?;
        let report = app.write_on_chain(self.dry.dry_run, async |work, chain| {
            let agreed = app.value_permit(work.permit, "distribute the rewards of all closed epochs")?;
            reward::cycle(work, chain, &agreed, self.from, at)
                .await
                .map_err(|e| e.context("cannot distribute rewards"))
        })?;
        let notes = report.notes.clone();
        let (output, failure) = CycleOutput::of(report);
        Ok(Outcome::of(&output)?.warn(notes).but(failure))
    }
}

impl CycleOutput {
    /// From the report, with why the run did not wholly succeed.
    pub(super) fn of(report: CycleReport) -> (Self, Option<Error>) {
        let failures: Vec<Failure> =
            report.pools.iter().filter_map(|p| Some((p.pool.clone(), p.failure.clone()?))).collect();
        let failure = partly(report.pools.len() - failures.len(), &failures, "pools");
        let token = report.asset;
        let pools = report.pools.into_iter().map(|p| PoolCycleView {
            pool: p.pool,
            epochs: p
                .epochs
                .into_iter()
                .map(|e| PaidView {
                    epoch: e.id,
                    start_block: e.epoch.start,
                    end_block: e.epoch.end,
                    part: token.quantity(e.sums.part),
                    carry_in: token.quantity(e.sums.carry_in),
                    distributed: token.quantity(e.sums.distributed),
                    carry_out: token.quantity(e.sums.carry_out),
                    carry_reason: e.sums.reason.map(reward::emission::CarryReason::word),
                    holders: e.sums.holders,
                })
                .collect(),
            next_start_block: p.next_start,
            next_end_block: p.next_end,
            error: p.failure.map(|e| e.to_string()),
        });
        let output = Self {
            view: report.view,
            final_block: report.final_block,
            pools: pools.collect(),
            symbol: token.symbol,
        };
        (output, failure)
    }
}

impl Present for CycleOutput {
    fn present(&self, page: &mut Page) {
        let mut table =
            Table::new(&["POOL", "EPOCH", "BLOCKS", ">PART", ">DISTRIBUTED", ">HOLDERS", ">CARRIED", "WHY"]);
        for pool in &self.pools {
            for e in &pool.epochs {
                table.row([
                    pool.pool.clone(),
                    e.epoch.to_string(),
                    format!("{}..{}", e.start_block, e.end_block),
                    e.part.to_string(),
                    e.distributed.to_string(),
                    e.holders.to_string(),
                    if e.carry_out.base.is_zero() { String::new() } else { e.carry_out.to_string() },
                    e.carry_reason.unwrap_or_default().to_owned(),
                ]);
            }
        }
        if table.is_empty() {
            page.line("nothing to distribute");
        } else {
            page.table(table);
        }
        for pool in &self.pools {
            match (&pool.error, pool.next_start_block, pool.next_end_block) {
                (Some(error), ..) => page.line(format!("{}: {error}", pool.pool)),
                (None, Some(start), Some(end)) => page.line(format!(
                    "{}: next epoch {start}..{end}, final block {}",
                    pool.pool, self.final_block
                )),
                _ => page,
            };
        }
        page.line(&self.view);
    }
}
