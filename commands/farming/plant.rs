//! `poolctl plant`: stakes in the current block.

use crate::shell::options::parallel;
use crate::shell::prelude::*;
use app::farming::plant::{PlantOutput, plant};

/// Plant: a stake in the current block for every farmer that is active and ready
///
/// A stake is the farmer's share of its balance, and no more than counts in the block. A farmer that has planted already
/// is left alone, so that running it again is harmless. The stake is burnt, and minted again by the harvest: nothing is
/// staked unless the fees of plant, work and harvest are there, and room in the trustline for what a block may pay. Where
/// the fee sponsor cannot pay for all, farmers with lumens of their own pay for themselves.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl plant\n         poolctl plant --dry-run")]
pub struct Plant {
    /// Names, addresses or ids of farmers; none = all that are active
    #[arg(value_name = "FARMER")]
    farmers: Vec<String>,
    /// Transactions under way at once; default: kale.parallel
    #[arg(long, value_name = "N", value_parser = parallel, allow_hyphen_values = true)]
    parallel: Option<usize>,
    #[command(flatten)]
    dry: DryRun,
}

impl Plant {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        Ok(Outcome::document(plant(&app, &self.farmers, self.parallel, self.dry.dry_run)?))
    }
}

impl Present for PlantOutput {
    fn present(&self, page: &mut Page) {
        let Some(view) = &self.view else {
            page.line("no active farmers; add one with: poolctl farmer register");
            return;
        };
        page.rows(["FARMER", "STATUS", ">STAKE", ">FEE", ">LEDGER", "WHY"], &self.farmers, |one| {
            cells![one.address, one.status.replace('_', " "), one.stake, one.fee, one.ledger, one.error]
        });
        let block = self.block.unwrap_or_default();
        let what = match &self.wait_until {
            Some(until) => format!("too late for block {block}: the next one can begin at {until}"),
            None => {
                format!("block {block}: planted {}, {}", counted(self.planted, "farmer"), self.staked)
            }
        };
        page.line(what).line(view);
    }
}
