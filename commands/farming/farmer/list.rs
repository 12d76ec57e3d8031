//! `poolctl farmer list` and `farmer show`.

use crate::shell::prelude::*;
use app::farming::farmer::FarmerView;
use app::farming::farmer::{BlockView, KeysView, ListOutput, ShowOutput};
use app::farming::kale;
use app::open_keys;
use base::amount::Base;
use clap::builder::PossibleValuesParser;
use kale::reward_split::{ONE_PPM, ratio};
use kale::rows::last_ends;
use kale::{Status, enrol, farmers, poolers};
use watch::spark;

/// List farmers in the order in which they came
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl farmer list --status active")]
pub struct List {
    /// Those of one pooler, by name or id
    #[arg(long, value_name = "POOLER")]
    pooler: Option<String>,
    /// Those of one status
    #[arg(long, value_parser = PossibleValuesParser::new(Status::ALL.iter().map(|status| status.as_str())))]
    status: Option<String>,
    /// Unlock the key store and compare: keys without a farmer, farmers without a key (exit code 5)
    #[arg(long)]
    keys: bool,
    #[command(flatten)]
    paging: Paging,
}

impl List {
    pub(super) fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let look = state.look()?;
        let conn = look.conn();
        let pooler = self.pooler.as_deref().map(|name| poolers::find(conn, name)).transpose()?;
        let status = self.status.as_deref().and_then(|word| word.parse().ok());
        let list = farmers::list(conn, pooler.as_ref(), status)?;
        let mut missing = None;
        let mut keys = None;
        if self.keys {
            let store = open_keys(&app)?;
            let without_key: Vec<String> =
                enrol::keyless(conn, &store)?.into_iter().map(|farmer| farmer.address).collect();
            missing = without_key.first().map(|first| {
                Error::new(
                    Code::CheckFailed,
                    format!(
                        "{} without a key in the key store, first {first}",
                        counted(without_key.len(), "farmer")
                    ),
                )
                .hint("is this the right key store? bring their keys back with: poolctl farmer import")
            });
            keys = Some(KeysView {
                keys: store.addresses().count(),
                sponsor: store.sponsor().map(str::to_owned),
                without_farmer: enrol::idle(conn, &store)?,
                without_key,
            });
        }
        let (list, end) = self.paging.window().of_whole(list, |farmer| farmer.id.clone())?;
        let output = ListOutput { farmers: list.into_iter().map(FarmerView::from).collect(), end, keys };
        Ok(Outcome::list(output, |output| (&output.farmers, &output.end), self.paging.csv)?.but(missing))
    }
}

impl Present for ListOutput {
    fn present(&self, page: &mut Page) {
        if self.farmers.is_empty() {
            page.line("no farmers; register one with: poolctl farmer register");
        } else {
            let heads = ["FARMER", "NAME", "ADDRESS", "POOLER", "STATUS", ">STAKE", "PAYOUT", "STRATEGY"];
            page.rows(heads, &self.farmers, |one| {
                let FarmerView {
                    id, name, address, pooler, status, stake_percentage, payout, strategy, ..
                } = one;
                cells![id, name, address, pooler, status, stake_percentage, payout, strategy.words]
            });
        }
        let Some(keys) = &self.keys else { return };
        page.gap().pairs([
            ("keys", keys.keys.to_string()),
            ("fee sponsor", keys.sponsor.clone().unwrap_or_else(|| "none".to_owned())),
        ]);
        for address in &keys.without_farmer {
            page.line(format!("key without a farmer: {address}"));
        }
        for address in &keys.without_key {
            page.line(format!("farmer without a key: {address}"));
        }
    }
}

/// Blocks that `farmer show` draws.
const DRAWN: u32 = 20;

/// Show a farmer, what it gets of a reward, and the rewards of its last 20 blocks
#[derive(Debug, Args)]
#[command(
    before_help = "Example: poolctl farmer show GBQHTQ7NTSKHVTSVM6EHUO3TU4P4BK2TAAII25V2TT2Q6OWXUJWEKALE"
)]
pub struct Show {
    /// Its name, address or id
    farmer: String,
}

impl Show {
    pub(super) fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let look = state.look()?;
        let farmer = farmers::find(look.conn(), &self.farmer)?;
        let terms = poolers::find(look.conn(), &farmer.pooler_id)?.terms;
        let ends = last_ends(look.conn(), &farmer.id, DRAWN)?;
        let (split, fee) = (terms.reward_split_ppm(), terms.platform_fee_ppm());
        Ok(Outcome::of(ShowOutput {
            farmer: farmer.into(),
            farmer_part: ratio(ONE_PPM - split - fee),
            reward_split: ratio(split),
            platform_fee: ratio(fee),
            blocks: ends
                .into_iter()
                .map(|end| BlockView {
                    block: end.block,
                    outcome: end.outcome,
                    stake: kale(end.stake),
                    reward: kale(end.reward),
                })
                .collect(),
        }))
    }
}

impl Present for ShowOutput {
    fn present(&self, page: &mut Page) {
        let mut pairs = self.farmer.pairs();
        pairs.extend([
            ("registered", self.farmer.added_at.cell()),
            ("status since", self.farmer.status_at.cell()),
            ("part of a reward", self.farmer_part.clone()),
            ("the pooler's", self.reward_split.clone()),
            ("the operator's", self.platform_fee.clone()),
        ]);
        if let (Some(first), Some(last)) = (self.blocks.first(), self.blocks.last()) {
            let rewards: Vec<Base> = self.blocks.iter().map(|block| block.reward.base).collect();
            let most = kale(rewards.iter().copied().max().unwrap_or_default());
            let columns = spark::columns(&rewards);
            pairs.push((
                "rewards",
                format!("{columns}  blocks {} to {}, at most {most}", first.block, last.block),
            ));
            let lost = self.blocks.iter().filter(|block| block.outcome == "lost").count();
            if lost > 0 {
                pairs.push(("lost", format!("{} of those shown", counted(lost, "stake"))));
            }
        }
        page.pairs(pairs);
    }
}
