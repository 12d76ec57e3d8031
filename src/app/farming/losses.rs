//! Stakes that will be lost, and what is at stake when a run is stopped: shared by what farms.

use crate::failures::{Failure, ended};
use crate::farming::{kale, time};
use base::amount::{Base, Quantity};
use base::{Code, Error, Exit, counted, forms, say};
use kale::farming::Missed;
use kale::farming::missed::total;
use kale::work::AtStake;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;

/// Stakes that will be lost: no work got in before their block ended.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct MissedView {
    /// How many.
    pub stakes: usize,
    /// What they come to.
    pub stake: Quantity,
}

impl From<(usize, Base)> for MissedView {
    fn from((stakes, stake): (usize, Base)) -> Self {
        Self { stakes, stake: kale(stake) }
    }
}

impl MissedView {
    /// For a person; `None` where there is none.
    pub fn words(&self) -> Option<String> {
        (self.stakes > 0).then(|| {
            let stakes = counted(self.stakes, "stake");
            format!("{stakes} ({}) will be lost: no work got in before the block ended", self.stake)
        })
    }
}

/// What was left planted and not worked when a run was stopped.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AtStakeView {
    /// In which block.
    pub block: u32,
    /// For how many farmers.
    pub farmers: usize,
    /// Their stakes.
    pub stake: Quantity,
    /// When it is too late to work for them.
    #[schemars(with = "forms::Time")]
    pub until: String,
    /// For a person.
    #[serde(skip)]
    pub words: String,
}

impl From<&AtStake> for AtStakeView {
    fn from(at_stake: &AtStake) -> Self {
        let AtStake { block, farmers, stake, until } = at_stake;
        let (stake, until, words) = (kale(*stake), time(*until), at_stake.to_string());
        Self { block: *block, farmers: farmers.len(), stake, until, words }
    }
}

/// That a run saw first that stakes will be lost.
fn will_be_lost(all: &[Missed]) -> Option<Error> {
    let words = MissedView::from(total(all.iter().map(|one| one.stake))).words()?;
    let blocks: BTreeSet<u32> = all.iter().map(|one| one.block).collect();
    let addresses: BTreeSet<&str> = all.iter().map(|one| one.who.address.as_str()).collect();
    let named: Vec<String> = blocks.iter().map(u32::to_string).collect();
    Some(
        Error::new(Code::StakeLost, format!("{words} (block {})", named.join(", ")))
            .hint(say("the losses are recorded, with who answers for them, by: ").run("harvest"))
            .detail("blocks", blocks.into_iter().collect::<Vec<_>>())
            .detail("farmers", addresses.into_iter().collect::<Vec<_>>()),
    )
}

/// A call that ended by this error, where it saw first that stakes will be lost: that is told too, and no later call tells it.
pub fn broken(missed: &[Missed], e: Error) -> Error {
    match will_be_lost(missed).filter(|_| e.exit() != Exit::Unknown) {
        Some(lost) => lost.detail("error", e.code().as_str()).context(format!("{e}; besides")),
        None => e,
    }
}

/// The error that ends a call: what is not known yet comes first, then what will be lost, then what failed.
pub fn end(missed: &[Missed], done: usize, failures: &[Failure], what: &str) -> Option<Error> {
    let is_unknown = failures.iter().any(|(_, e)| e.exit() == Exit::Unknown);
    let lost = will_be_lost(missed).filter(|_| !is_unknown);
    lost.or_else(|| ended(done, failures, what))
}
