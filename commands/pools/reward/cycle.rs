//! `poolctl reward cycle`: every closed epoch, distributed.

use crate::output::{Outcome, Page, Present, Table};
use crate::shell::options::DryRun;
use crate::shell::session::Session;
use app::App;
use base::Result;
use clap::Args;
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
        Outcome::document(&report)
    }
}

impl Present for CycleReport {
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
