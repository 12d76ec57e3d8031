//! `poolctl farmer set`.

use super::FarmerView;
use crate::app::App;
use crate::options::DryRun;
use crate::output::{Outcome, Page, Present};
use crate::session::Session;
use base::Result;
use base::amount::parse_weight;
use clap::Args;
use clap::builder::PossibleValuesParser;
use kale::address::account;
use kale::farmers::{self, Change};
use schemars::JsonSchema;
use serde::Serialize;

/// Change a farmer: its stake percentage, payout, pooler or status
#[derive(Debug, Args)]
#[command(
    before_help = "Example: poolctl farmer set GBQHTQ7NTSKHVTSVM6EHUO3TU4P4BK2TAAII25V2TT2Q6OWXUJWEKALE --status leaving",
    override_usage = "poolctl farmer set [OPTIONS] <FARMER>"
)]
#[group(required = true, multiple = true, args = ["stake_percentage", "payout", "no_payout", "pooler", "status"])]
pub struct Set {
    /// Its id or address
    farmer: String,
    /// The part of its balance to stake in each block, 0 to 1
    #[arg(long, value_name = "RATIO")]
    stake_percentage: Option<String>,
    /// Where its proceeds go
    #[arg(long, value_name = "ADDRESS")]
    payout: Option<String>,
    /// Its proceeds stay with it
    #[arg(long, conflicts_with = "payout")]
    no_payout: bool,
    /// Move it to this pooler, by name or id
    #[arg(long, value_name = "POOLER")]
    pooler: Option<String>,
    /// active plants; leaving plants no more, and what stands is still worked and harvested; departed is the end
    #[arg(long, value_parser = PossibleValuesParser::new(["active", "leaving", "departed"]))]
    status: Option<String>,
    #[command(flatten)]
    dry: DryRun,
}

/// The farmer as it is now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SetOutput {
    /// False where it was so already.
    pub changed: bool,
    /// The farmer.
    #[serde(flatten)]
    pub farmer: FarmerView,
}

impl Set {
    pub(super) fn run(self, session: &Session) -> Result<Outcome> {
        let stake =
            self.stake_percentage.map(|text| parse_weight("--stake-percentage", &text)).transpose()?;
        let payout = self.payout.map(|text| account("--payout", &text)).transpose()?;
        let change = Change {
            stake_percentage_ppm: stake,
            payout: payout.map(Some).or(self.no_payout.then_some(None)),
            pooler: self.pooler,
            status: self.status.and_then(|word| word.parse().ok()),
        };
        let app = App::open(session)?;
        let (farmer, changed) = app.write(self.dry.dry_run, |work| {
            work.state.write(work.permit, |tx| farmers::change(tx, &self.farmer, &change))
        })?;
        Outcome::of(&SetOutput { changed, farmer: farmer.into() })
    }
}

impl Present for SetOutput {
    fn present(&self, page: &mut Page) {
        page.line(if self.changed { "changed" } else { "nothing to change" }).pairs(self.farmer.pairs());
    }
}
