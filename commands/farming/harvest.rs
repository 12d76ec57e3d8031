//! `poolctl harvest`: stakes and rewards of blocks that have ended.

use crate::shell::options::parallel;
use crate::shell::prelude::*;
use app::farming::harvest::{DecisionOutput, HarvestOutput, harvest, record_lost, release};

/// Harvest: fetch stake and reward of every worked pail of blocks that have ended, oldest first
///
/// Once a day, after a restore and after an import it compares the farm with the chain too, as farm run does, and harvests what
/// the state did not know.
///
/// All farmers are harvested for, those that leave too. A pail that was never worked, or that is gone without pay, is
/// recorded as a loss with its reason; where the endpoint's history is too short to tell, it stays open. A pail that expires
/// soon is an alert.
///
/// A pail about which the chain contradicts itself is held until it is released: then what a harvest of ours minted, by the
/// chain's events, is recorded, and what is still there is fetched.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl harvest\n         poolctl harvest --extend\n         \
                   poolctl harvest --release GBQHTQ7NTSKHVTSVM6EHUO3TU4P4BK2TAAII25V2TT2Q6OWXUJWEKALE --block 37")]
pub struct Harvest {
    /// Transactions under way at once; default: kale.parallel
    #[arg(long, value_name = "N", value_parser = parallel, allow_hyphen_values = true)]
    parallel: Option<usize>,
    /// Let pails that expire soon and cannot be harvested yet live a day longer
    #[arg(long)]
    extend: bool,
    /// Only release the held pail of this farmer (name, address or id): the next harvest reads the chain again
    #[arg(long, value_name = "FARMER", group = "decision", requires = "block", conflicts_with_all = ["extend", "parallel"])]
    release: Option<String>,
    /// Only record the stake of this farmer as lost: its pail is gone, and no payment of it is found
    #[arg(long, value_name = "FARMER", group = "decision", requires = "block", conflicts_with_all = ["extend", "parallel"])]
    record_lost: Option<String>,
    /// The block of the pail that is released or given up
    #[arg(long, value_name = "N", requires = "decision")]
    block: Option<u32>,
    #[command(flatten)]
    dry: DryRun,
}

impl Harvest {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        session.call.covers(self.block.is_none());
        let dry_run = self.dry.dry_run;
        match (&self.release, &self.record_lost, self.block) {
            (Some(farmer), _, Some(block)) => Ok(Outcome::of(release(&app, farmer, block, dry_run)?)),
            (None, Some(farmer), Some(block)) => Ok(Outcome::of(record_lost(&app, farmer, block, dry_run)?)),
            _ => Ok(Outcome::document(harvest(&app, self.parallel, self.extend, dry_run)?)),
        }
    }
}

impl Present for HarvestOutput {
    fn present(&self, page: &mut Page) {
        let Some(view) = &self.view else {
            page.line("nothing to harvest: no stake is open");
            return;
        };
        if self.pails.is_empty() {
            page.line("nothing to harvest: no block with a stake of ours has ended");
        }
        let heads = ["BLOCK", "FARMER", "STATUS", ">STAKE", ">REWARD", ">FORECAST", "WHY"];
        page.rows(heads, &self.pails, |pail| {
            let why = pail.error.clone().or_else(|| {
                let reason = pail.reason?;
                Some(pail.cause.map_or_else(|| reason.to_owned(), |cause| format!("{reason}: {cause}")))
            });
            let status = pail.status.replace('_', " ");
            cells![pail.block, pail.address, status, pail.stake, pail.reward, pail.forecast, why]
        });
        for extended in &self.extended {
            let how = extended.error.clone().unwrap_or_else(|| format!("ledger {}", extended.live_until));
            page.line(format!("farmer {}, blocks {:?}: lives until {how}", extended.farmer, extended.blocks));
        }
        page.line(view);
    }
}

impl Present for DecisionOutput {
    fn present(&self, page: &mut Page) {
        let what = self.status.replace('_', " ");
        let mut line = format!("block {}, {}: {what}, {} at stake", self.block, self.address, self.stake);
        match (&self.held, self.reason, self.cause) {
            (Some(held), ..) => line = format!("{line}; it was held for {held}; next: poolctl harvest"),
            (None, Some(reason), Some(cause)) => line = format!("{line}; {reason}: {cause}"),
            _ => {}
        }
        page.line(line);
    }
}
