//! `poolctl farm`: the block's clock, run or explained.

mod plan;
mod profit;
pub mod run;

use crate::shell::prelude::*;
use app::farming::reconcile::{ReconcileOutput, reconcile};
use kale::harvest::LIVING_BLOCKS;

commands! {
    /// Farm as the block's clock asks: plant, work, harvest
    #[command(before_help = "Example: poolctl farm run --once")]
    Command {
        Run(run::Run) = "farm run": app::farming::run::RunOutput | app::farming::plan::PlanOutput => app::farming::lines::Line;
        Plan(plan::Plan) = "farm plan": app::farming::plan::PlanOutput = api::get("/farm/plan", api::READER).live();
        Reconcile(Reconcile) = "farm reconcile": ReconcileOutput = api::post("/farm/reconcile", api::OPERATOR);
        Profit(profit::ProfitCommand) = "farm profit": app::farming::profit::ProfitOutput = api::get("/farm/profit", api::POOLER_READS).live();
    }
}

/// Compare farmers with the chain: pails of a day, mints, balances; exit 5 on any difference
///
/// Pails that the state does not know (planted by another machine, or after a backup that was restored) are taken in, stakes
/// that were recorded as lost but are there are open again, and missing harvests are recorded. farm run does the
/// same after a restore, an import or a gap, and once a day. A balance that nothing explains may be a payment of the owner: it
/// is named three times, and taken for one then.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl farm reconcile")]
pub struct Reconcile {
    /// Look back over N blocks, a week at most; a pail lives for about a day, 288 blocks
    #[arg(long, value_name = "N", default_value_t = LIVING_BLOCKS, value_parser = clap::value_parser!(u32).range(1..=2_016))]
    blocks: u32,
    #[command(flatten)]
    dry: DryRun,
}

impl Reconcile {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        Ok(Outcome::document(reconcile(&app, self.blocks, self.dry.dry_run)?))
    }
}

impl Present for ReconcileOutput {
    fn present(&self, page: &mut Page) {
        let heads = ["FARMER", "BLOCK", "DIFFERENCE", ">STAKE", ">REWARD", "TAKEN IN"];
        page.rows(heads, &self.differences, |one| {
            let stake =
                one.unexplained.clone().unwrap_or_else(|| one.stake.as_ref().or(one.amount.as_ref()).cell());
            let taken_in = if one.taken_in { "yes" } else { "no" };
            cells![one.address, one.block, one.what.replace('_', " "), stake, one.reward, taken_in]
        });
        page.line(format!(
            "blocks {} to {}: {}, {} checked, {}",
            self.from_block,
            self.to_block,
            counted(self.farmers, "farmer"),
            counted(self.pails, "pail"),
            counted(self.differences.len(), "difference")
        ));
        if let Some(view) = &self.view {
            page.line(view);
        }
    }
}
