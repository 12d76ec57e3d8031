//! Comparing: the state's farmers against all that may still live on the chain.

use crate::farming::{LedgerStamp, everybody, kale, on_farm};
use crate::{App, Document};
use base::amount::{Base, Quantity, to_people, to_units};
use base::{Error, Result, counted, forms};
use kale::contract::DECIMALS;
use kale::farming::Leads;
use kale::reconcile::{self, Difference, Reconciled, What};
use schemars::JsonSchema;
use serde::Serialize;

/// What the comparison found.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct ReconcileOutput {
    /// Whose view it is; null where there are no farmers.
    pub view: Option<LedgerStamp>,
    /// First block whose pails were checked.
    pub from_block: u32,
    /// The farm's block.
    pub to_block: u32,
    /// Farmers that were checked.
    pub farmers: usize,
    /// Pails that were asked for: those that the state does not know to be harvested.
    pub pails: usize,
    /// Every difference, by farmer and block.
    pub differences: Vec<DifferenceView>,
    #[serde(skip)]
    failure: Option<Error>,
}

/// Something that state and chain disagree about.
#[derive(Debug, Default, Serialize, JsonSchema)]
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

/// Compares the state's farmers with what may still live of their pails since `blocks` blocks, and takes in what it did not know.
pub fn reconcile(app: &App<'_>, blocks: u32, dry_run: bool) -> Result<ReconcileOutput> {
    let hands = everybody(app)?;
    if hands.is_empty() {
        return Ok(ReconcileOutput::default());
    }
    let found = on_farm(app, dry_run, None, &Leads::of(&hands), async |farm| {
        if dry_run {
            return reconcile::look(farm, &hands, blocks).await;
        }
        reconcile::take_in(farm, &hands, blocks).await
    });
    Ok(ReconcileOutput::from(&found.map_err(|e| e.context("cannot compare the farm with the chain"))?))
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
            failure: reconcile::failure(found),
        }
    }
}

impl Document for ReconcileOutput {
    fn failure(&self) -> Option<Error> {
        self.failure.clone()
    }
}

impl From<&Difference> for DifferenceView {
    fn from(difference: &Difference) -> Self {
        let Difference { who, block, what } = difference;
        let mut view = Self {
            farmer: who.id.clone(),
            address: who.address.clone(),
            block: *block,
            what: what.as_str(),
            taken_in: what.is_taken_in(),
            ..Self::default()
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
            format!("a pail of {}, worked with {}, was unknown", kale(*stake), counted(*zeros, "zero"))
        }
        What::LossReversed { stake } => format!("{} was recorded as lost, but is there", kale(*stake)),
        What::UnknownHarvest { stake, reward, .. } => {
            format!("a harvest of {} and {} was not recorded", kale(*stake), kale(*reward))
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
