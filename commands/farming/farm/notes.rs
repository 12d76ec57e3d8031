//! What `farm run` tells a person as it happens, and what it counts.

use crate::shell::prelude::*;
use app::failures::Failure;
use app::farming::reconcile;
use app::farming::{ended_in, kale, time};
use base::amount::Base;
use base::clock;
use kale::harvest::{self, Harvested};
use kale::plant::{self, Planted};
use kale::run::Note;
use kale::schedule::{Action, Step};
use kale::view::View;
use kale::work::{self, Reach, Worked};
use std::collections::BTreeMap;

/// What a run did, in numbers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Totals {
    /// Plants.
    pub planted: usize,
    /// Farmers' pails that got work in, improvements aside.
    pub worked: usize,
    /// Works that improved on one before.
    pub improved: usize,
    /// Harvests.
    pub harvested: usize,
    /// Stakes that are lost.
    pub lost: usize,
    /// Tries that failed, those that were made good later too.
    pub failed_tries: usize,
    #[serde(skip)]
    keeps: bool,
    #[serde(skip)]
    staked: Base,
    #[serde(skip)]
    rewarded: Base,
    /// What failed last for each thing and was not made good.
    #[serde(skip)]
    failed: BTreeMap<String, Error>,
    /// What was due last and could not be tried at all.
    #[serde(skip)]
    hindered: Option<(Step, Error)>,
}

impl Totals {
    /// Nothing yet; a run that ends by itself `keeps` what failed, a service would gather it for ever.
    pub const fn new(keeps: bool) -> Self {
        Self {
            keeps,
            failed_tries: 0,
            planted: 0,
            worked: 0,
            improved: 0,
            harvested: 0,
            lost: 0,
            staked: Base::ZERO,
            rewarded: Base::ZERO,
            failed: BTreeMap::new(),
            hindered: None,
        }
    }

    /// What was staked, in stroops.
    pub const fn staked(&self) -> Base {
        self.staked
    }

    /// What was earned, in stroops.
    pub const fn rewarded(&self) -> Base {
        self.rewarded
    }

    /// Things done.
    pub const fn done(&self) -> usize {
        self.planted + self.worked + self.improved + self.harvested
    }

    /// Things that failed for good.
    pub fn failures(&self) -> Vec<Failure> {
        self.failed.iter().map(|(name, e)| (name.clone(), e.clone())).collect()
    }

    /// Whether nothing was tried, nor wanted to be.
    pub const fn is_nothing(&self) -> bool {
        self.done() + self.lost + self.failed_tries == 0 && self.hindered.is_none()
    }

    /// A line for each thing that was due and is not done.
    pub fn undone(&self) -> impl Iterator<Item = String> {
        let failed = self.failed.iter().map(|(name, e)| format!("failed: {name}: {e}"));
        failed.chain(self.hindered.iter().map(|(step, e)| trouble_line(*step, e)))
    }

    /// Counts what is told.
    pub fn count(&mut self, note: &Note<'_>) {
        match note {
            Note::Planted(block, Planted { who, stake, fate }) => {
                let failure = match fate {
                    plant::Fate::Planted { .. } => {
                        self.planted += 1;
                        self.staked = self.staked.saturating_add(*stake);
                        None
                    }
                    plant::Fate::Already | plant::Fate::HarvestOnly => None,
                    plant::Fate::Failed { error, .. } => Some(error),
                };
                self.judge(format!("plant of {} in block {block}", who.address), failure);
            }
            Note::Worked(worked) => {
                match worked.fate {
                    work::Fate::Worked { improved: false, .. } => self.worked += 1,
                    work::Fate::Worked { improved: true, .. } => self.improved += 1,
                    _ => {}
                }
                let name = format!("work of {} in block {}", worked.who.address, worked.block);
                self.judge(name, worked.failure());
            }
            Note::Harvested(Harvested { hand, block, stake, fate, .. }) => {
                let lost;
                let failure = match fate {
                    harvest::Fate::Harvested { reward, .. } | harvest::Fate::Elsewhere { reward, .. } => {
                        self.harvested += 1;
                        self.rewarded = self.rewarded.saturating_add(*reward);
                        None
                    }
                    harvest::Fate::Already => None,
                    harvest::Fate::Lost { reason, cause } => {
                        self.lost += 1;
                        let why = format!("the stake of {} is lost: {reason}, by {cause}", kale(*stake));
                        lost = Error::new(Code::StakeLost, why);
                        (*stake > Base::ZERO).then_some(&lost)
                    }
                    harvest::Fate::Failed { error, .. } => Some(error),
                };
                self.judge(format!("harvest of {} in block {block}", hand.who.address), failure);
            }
            // What else is in the way passes by itself.
            Note::Trouble(Step::Plant, e) if e.code() == Code::StrategyFailed => {
                self.judge(Step::Plant.word().to_owned(), Some(e));
            }
            Note::Settled(operation, settled) => {
                self.judge(format!("operation {}", operation.key), settled.as_ref().err());
            }
            Note::Trouble(step, e) => self.hindered = Some((*step, (*e).clone())),
            _ => {}
        }
    }

    fn judge(&mut self, name: String, failure: Option<&Error>) {
        if failure.is_some() {
            self.failed_tries += 1;
        }
        match failure {
            Some(e) if self.keeps => self.failed.insert(name, e.clone()),
            Some(_) => None,
            None => self.failed.remove(&name),
        };
    }
}

/// The line for a person.
pub fn line(note: &Note<'_>) -> String {
    match note {
        Note::Block(view) => block_line(view),
        Note::Settled(operation, settled) => {
            format!("of an earlier run: {} {}", operation.key, ended_in(settled))
        }
        Note::Planted(block, planted) => {
            let (who, stake) = (&planted.who.address, kale(planted.stake));
            match &planted.fate {
                plant::Fate::Planted { .. } => format!("block {block}: {who} planted {stake}"),
                plant::Fate::Already => format!("block {block}: {who} had planted {stake} already"),
                plant::Fate::HarvestOnly => format!("block {block}: {who} does not plant: harvest only"),
                plant::Fate::Failed { error, .. } => format!("block {block}: {who} did not plant: {error}"),
            }
        }
        Note::Shift(shift, reach) => format!(
            "block {}: grinding for {} farmers until {}, policy {}",
            shift.block,
            reach.farmers,
            time(shift.hours.deadline),
            shift.policy.word()
        ),
        Note::Worked(worked) => work_line(worked),
        Note::ShiftEnded(block, reach) => format!(
            "block {block}: work of {} of {} farmers is in; {} hashes, {}",
            reach.worked,
            reach.farmers,
            reach.figures.hashes,
            rate(reach)
        ),
        Note::Harvested(harvested) => harvest_line(harvested),
        Note::Reconciled(why, found) => reconcile::told(why, found),
        Note::Waiting(action) => action_line(action),
        Note::Trouble(step, e) => trouble_line(*step, e),
    }
}

fn trouble_line(step: Step, e: &Error) -> String {
    format!("cannot {} now: {e}", step.word())
}

fn block_line(view: &View) -> String {
    let age = view.current().map(|block| view.at.time.saturating_sub(block.timestamp));
    let age = age.map(|age| format!(", {} old", clock::span(age))).unwrap_or_default();
    let paused = if view.farm.paused { ", paused" } else { "" };
    format!("block {}{age}{paused} at ledger {}", view.farm.index, view.at.ledger)
}

fn work_line(worked: &Worked) -> String {
    let (who, block) = (&worked.who.address, worked.block);
    let zeros = worked.solution.map(|solution| solution.zeros).unwrap_or_default();
    match &worked.fate {
        work::Fate::Worked { gap, improved, .. } => {
            let verb = if *improved { "improved to" } else { "worked:" };
            format!("block {block}: {who} {verb} {zeros} zeros, gap {gap}")
        }
        work::Fate::Already => format!("block {block}: {who} had worked already"),
        work::Fate::Elsewhere { zeros } => {
            format!("block {block}: another hand worked for {who}: {zeros} zeros")
        }
        work::Fate::Failed { error, .. } => format!("block {block}: no work for {who}: {error}"),
    }
}

fn harvest_line(harvested: &Harvested) -> String {
    let (who, block) = (&harvested.hand.who.address, harvested.block);
    match &harvested.fate {
        harvest::Fate::Harvested { reward, .. } => {
            format!("block {block}: {who} harvested {}, and {} back", kale(*reward), kale(harvested.stake))
        }
        harvest::Fate::Already => format!("block {block}: {who} had harvested already"),
        harvest::Fate::Elsewhere { reward, .. } => {
            format!("block {block}: another hand harvested {} for {who}", kale(*reward))
        }
        harvest::Fate::Lost { reason, cause } => {
            format!("block {block}: {who} lost {}: {reason}, by {cause}", kale(harvested.stake))
        }
        harvest::Fate::Failed { error, .. } => format!("block {block}: {who} could not harvest: {error}"),
    }
}

/// What is next, and why.
pub fn action_line(action: &Action) -> String {
    let Action { step, block, count, from, why, .. } = action;
    format!("next: {} for {count} in block {block} at {}: {why}", step.word(), time(*from))
}

fn rate(reach: &Reach) -> String {
    let millis = reach.figures.elapsed.as_millis().max(1);
    format!("{} MH/s", u128::from(reach.figures.hashes) / 1000 / millis)
}
