//! `poolctl farm reconcile`: the state's farmers against all that may still live on the chain.

use crate::app::App;
use crate::farming::{self, LedgerStamp, kale, on_farm};
use crate::options::DryRun;
use crate::output::{Outcome, Page, Present, Table};
use crate::session::Session;
use base::amount::{Base, Quantity, to_people, to_units};
use base::{Result, forms};
use clap::Args;
use kale::contract::DECIMALS;
use kale::harvest::LIVING_BLOCKS;
use kale::reconcile::{self, Difference, Reconciled, What};
use schemars::JsonSchema;
use serde::Serialize;

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

/// What the comparison found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ReconcileOutput {
    /// Whose view it is; null where there are no farmers.
    pub view: Option<LedgerStamp>,
    /// First block whose pails were looked at.
    pub from_block: u32,
    /// The farm's block.
    pub to_block: u32,
    /// Farmers that were looked at.
    pub farmers: usize,
    /// Pails that were asked for: those that the state does not know to be harvested.
    pub pails: usize,
    /// Every difference, by farmer and block.
    pub differences: Vec<DifferenceView>,
}

/// Something that state and chain disagree about.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DifferenceView {
    /// Id of the farmer.
    pub farmer: String,
    /// `G…`.
    #[schemars(with = "forms::StellarAccount")]
    pub address: String,
    /// The block of the pail, where it is about one.
    pub block: Option<u32>,
    /// `unknown_pail`, `loss_reversed`, `unknown_harvest`, `unknown_mint`, `missing`, `stake`, `balance`
    /// or `out_of_sight`.
    pub what: &'static str,
    /// Whether the state is changed by it; in a dry run, whether it would be.
    pub taken_in: bool,
    /// At stake, by the chain where it shows it.
    pub stake: Option<Quantity>,
    /// At stake by the state, where that is another amount.
    pub recorded: Option<Quantity>,
    /// The reward of a harvest.
    pub reward: Option<Quantity>,
    /// What was minted.
    pub amount: Option<Quantity>,
    /// What the farmer holds beside what is known; negative where it is less.
    #[schemars(with = "Option<forms::Change>")]
    pub unexplained: Option<String>,
    /// Zeros of the pail's work.
    pub zeros: Option<u32>,
    /// Hash of the transaction that minted.
    #[schemars(with = "Option<forms::Digest>")]
    pub tx: Option<String>,
    /// First ledger of the endpoint's history, where that is too short to explain a balance.
    pub history_from: Option<u32>,
}

impl Reconcile {
    pub(super) fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let hands = farming::everybody(&app)?;
        if hands.is_empty() {
            return Outcome::of(&ReconcileOutput {
                view: None,
                from_block: 0,
                to_block: 0,
                farmers: 0,
                pails: 0,
                differences: Vec::new(),
            });
        }
        let dry_run = self.dry.dry_run;
        let found = on_farm(&app, dry_run, None, async |farm| {
            let found = reconcile::look(farm, &hands, self.blocks).await?;
            if !dry_run {
                found.write(farm)?;
            }
            Ok(found)
        })
        .map_err(|e| e.context("cannot compare the farm with the chain"))?;
        let failure = reconcile::failure(&found);
        Ok(Outcome::of(&ReconcileOutput::from(&found))?.but(failure))
    }
}

impl From<&Reconciled> for ReconcileOutput {
    fn from(found: &Reconciled) -> Self {
        Self {
            view: Some(LedgerStamp::from(&found.view)),
            from_block: found.from,
            to_block: found.view.farm.index,
            farmers: found.farmers,
            pails: found.asked,
            differences: found.differences.iter().map(DifferenceView::from).collect(),
        }
    }
}

impl From<&Difference> for DifferenceView {
    fn from(difference: &Difference) -> Self {
        let Difference { who, block, what } = difference;
        let mut view = Self {
            farmer: who.id.clone(),
            address: who.address.clone(),
            block: *block,
            what: what.word(),
            taken_in: what.is_taken_in(),
            stake: None,
            recorded: None,
            reward: None,
            amount: None,
            unexplained: None,
            zeros: None,
            tx: None,
            history_from: None,
        };
        match what {
            What::UnknownPail { stake, zeros } => (view.stake, view.zeros) = (Some(kale(*stake)), *zeros),
            What::LossReversed { stake } | What::Missing { stake } => view.stake = Some(kale(*stake)),
            What::UnknownHarvest { tx, stake, reward } => {
                (view.stake, view.reward) = (Some(kale(*stake)), Some(kale(*reward)));
                view.tx = Some(tx.clone());
            }
            What::UnknownMint { tx, amount } => {
                (view.amount, view.tx) = (Some(kale(*amount)), Some(tx.clone()));
            }
            What::Stake { recorded, shown } => {
                (view.stake, view.recorded) = (Some(kale(*shown)), Some(kale(*recorded)));
            }
            What::Balance { .. } => view.unexplained = Some(unexplained(what, to_units)),
            What::OutOfSight { oldest } => view.history_from = Some(*oldest),
        }
        view
    }
}

/// A balance's difference, with its sign.
fn unexplained(what: &What, shown: fn(Base, u8) -> String) -> String {
    match what {
        What::Balance { more, by } => format!("{}{}", if *more { "" } else { "-" }, shown(*by, DECIMALS)),
        _ => String::new(),
    }
}

/// What a comparison found that was due for this reason, in a line.
pub fn told(why: &str, found: &Reconciled) -> String {
    let each: Vec<String> = found.differences.iter().map(words).collect();
    format!("compared with the chain, since {why}: {}", each.join("; "))
}

/// A difference in a line.
pub fn words(difference: &Difference) -> String {
    let Difference { who, block, what } = difference;
    let block = block.map(|block| format!("block {block}: ")).unwrap_or_default();
    let what = match what {
        What::UnknownPail { stake, zeros: None } => {
            format!("a pail of {}, not worked, was unknown", kale(*stake))
        }
        What::UnknownPail { stake, zeros: Some(zeros) } => {
            format!("a pail of {}, worked with {zeros} zeros, was unknown", kale(*stake))
        }
        What::LossReversed { stake } => format!("{} was booked as lost, and is there", kale(*stake)),
        What::UnknownHarvest { stake, reward, .. } => {
            format!("a harvest of {} and {} was not booked", kale(*stake), kale(*reward))
        }
        What::UnknownMint { amount, tx } => format!("{} was minted by {tx}, for no pail", kale(*amount)),
        What::Missing { stake } => format!("the pail of {} is not shown", kale(*stake)),
        What::Stake { recorded, shown } => {
            format!("the pail shows {}, {} is recorded", kale(*shown), kale(*recorded))
        }
        What::Balance { .. } => {
            format!("{} KALE that nothing explains: a payment of the owner?", unexplained(what, to_people))
        }
        What::OutOfSight { oldest } => {
            format!("its balance changed, and the endpoint's history begins at ledger {oldest}")
        }
    };
    format!("{block}{}: {what}", who.address)
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
