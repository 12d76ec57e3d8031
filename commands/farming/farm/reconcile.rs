//! `poolctl farm reconcile`: the state's farmers against all that may still live on the chain.

use crate::output::{Outcome, Page, Present, Table};
use crate::shell::options::DryRun;
use crate::shell::session::Session;
use app::App;
use app::farming::reconcile::{ReconcileOutput, reconcile};
use base::Result;
use base::amount::Quantity;
use clap::Args;
use kale::harvest::LIVING_BLOCKS;

/// Compare farmers with the chain: pails of a day, mints, balances; exit 5 on any difference
///
/// Pails that the state does not know (planted by another machine, or after a backup that was restored) are taken in, stakes
/// that were booked as lost and are there are open again, and harvests that nobody booked are booked. farm run does the
/// same after a restore, an import or a gap, and once a day. A balance that nothing explains may be a payment of the owner: it
/// is named three times, and taken for one then.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl farm reconcile")]
pub struct Reconcile {
    /// Look back over so many blocks, a week at most; a pail lives for about a day, 288 blocks
    #[arg(long, value_name = "N", default_value_t = LIVING_BLOCKS, value_parser = clap::value_parser!(u32).range(1..=2_016))]
    blocks: u32,
    #[command(flatten)]
    dry: DryRun,
}

impl Reconcile {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        Outcome::document(&reconcile(&app, self.blocks, self.dry.dry_run)?)
    }
}

impl Present for ReconcileOutput {
    fn present(&self, page: &mut Page) {
        let mut table = Table::new(&["FARMER", "BLOCK", "DIFFERENCE", ">STAKE", ">REWARD", "TAKEN IN"]);
        let amount = |amount: &Option<Quantity>| amount.as_ref().map(ToString::to_string).unwrap_or_default();
        for one in &self.differences {
            table.row([
                one.address.clone(),
                one.block.map(|block| block.to_string()).unwrap_or_default(),
                one.what.replace('_', " "),
                one.unexplained
                    .clone()
                    .unwrap_or_else(|| amount(&one.stake.as_ref().or(one.amount.as_ref()).cloned())),
                amount(&one.reward),
                if one.taken_in { "yes" } else { "no" }.to_owned(),
            ]);
        }
        if !table.is_empty() {
            page.table(table);
        }
        page.line(format!(
            "blocks {} to {}: {} farmers, {} pails looked at, {} differences",
            self.from_block,
            self.to_block,
            self.farmers,
            self.pails,
            self.differences.len()
        ));
        if let Some(view) = &self.view {
            page.line(view);
        }
    }
}
