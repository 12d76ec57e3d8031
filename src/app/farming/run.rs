//! Of `farm run`: what it did, counted while it happens.

use crate::Document;
use crate::failures::Failure;
use crate::farming::harvest::stake_lost;
use crate::farming::losses::{self, AtStakeView, MissedView};
use crate::farming::plan::ActionView;
use crate::farming::{LedgerStamp, kale, millis};
use base::amount::{Base, Quantity};
use base::{Code, Error, clock, forms};
use kale::farming::{Elsewhere, Missed};
use kale::harvest::{self, Harvested};
use kale::plant::{self, Planted};
use kale::run::{Note, Ran};
use kale::schedule::Step;
use kale::work;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use watch::metrics::Gauge;

/// What the run did.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct RunOutput {
    /// Whose view it is, at the end.
    pub view: Option<LedgerStamp>,
    /// The block.
    pub block: Option<u32>,
    /// Plants.
    pub planted: usize,
    /// Farmers' pails that got work in, without improvements.
    pub worked: usize,
    /// Works that improved on one before.
    pub improved: usize,
    /// Harvests.
    pub harvested: usize,
    /// Stakes that are lost.
    pub lost: usize,
    /// What they come to.
    pub lost_stake: Quantity,
    /// Stakes that will be lost, as this run and others have seen.
    pub will_be_lost: MissedView,
    /// What was left planted and not worked when the run was stopped; null where nothing was.
    pub at_stake: Option<AtStakeView>,
    /// Tries that failed, including those that succeeded later.
    pub failed_tries: usize,
    /// What was staked.
    pub staked: Quantity,
    /// What was earned.
    pub rewarded: Quantity,
    /// Nonces tried.
    #[schemars(with = "forms::Whole")]
    pub hashes: String,
    /// Time that all threads hashed, in milliseconds.
    pub hashing_ms: u64,
    /// Farms that were left to other runs.
    pub held: Vec<ElsewhereView>,
    /// What is next.
    pub next: Vec<ActionView>,
    /// It ends by itself, and keeps what failed; a service would gather it for ever.
    #[serde(skip)]
    once: bool,
    /// What failed last for each thing and was not made good.
    #[serde(skip)]
    pub failed: BTreeMap<String, Error>,
    /// What was due last and could not be tried at all.
    #[serde(skip)]
    pub hindered: Option<(Step, Error)>,
    /// Stakes that will be lost, which this run saw first.
    #[serde(skip)]
    missed: Vec<Missed>,
    #[serde(skip)]
    stopped: bool,
    /// What was at stake when it was stopped was to be worked for, and may be lost all the same.
    #[serde(skip)]
    unsettled: bool,
    #[serde(skip)]
    warnings: Vec<String>,
}

/// A farm that another run leads.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ElsewhereView {
    /// The pooler's name.
    pub pooler: String,
    /// The other run's process id.
    pub pid: Option<u32>,
    /// Its command.
    pub command: Option<String>,
    /// Since when it leads it, RFC 3339.
    #[schemars(with = "Option<forms::Time>")]
    pub since: Option<String>,
    /// The other run, in words.
    #[serde(skip)]
    pub by: String,
}

impl From<&Elsewhere> for ElsewhereView {
    fn from(Elsewhere { name, holder, .. }: &Elsewhere) -> Self {
        let by = holder.as_ref().map_or_else(|| "another run".to_owned(), ToString::to_string);
        Self {
            pooler: name.clone(),
            pid: holder.as_ref().map(|holder| holder.pid),
            command: holder.as_ref().map(|holder| holder.command.clone()),
            since: holder.as_ref().map(|holder| clock::rfc3339(holder.since)),
            by,
        }
    }
}

impl RunOutput {
    /// Nothing yet.
    pub fn new(once: bool) -> Self {
        let none = || kale(Base::ZERO);
        Self {
            once,
            staked: none(),
            rewarded: none(),
            lost_stake: none(),
            will_be_lost: MissedView::from((0, Base::ZERO)),
            ..Self::default()
        }
    }

    /// Whether nothing was tried, nor wanted to be.
    pub const fn is_nothing(&self) -> bool {
        self.done() + self.lost + self.failed_tries == 0 && self.hindered.is_none()
    }

    const fn done(&self) -> usize {
        self.planted + self.worked + self.improved + self.harvested
    }

    /// Counts what is told.
    pub fn count(&mut self, note: &Note<'_>) {
        match note {
            Note::Planted(block, Planted { who, stake, outcome }) => {
                let failure = match outcome {
                    plant::PlantOutcome::Planted { .. } => {
                        self.planted += 1;
                        self.staked.base = self.staked.base.saturating_add(*stake);
                        None
                    }
                    plant::PlantOutcome::Already | plant::PlantOutcome::HarvestOnly => None,
                    plant::PlantOutcome::Failed { error, .. } => Some(error.clone()),
                };
                self.judge(format!("plant of {} in block {block}", who.address), failure);
            }
            Note::Worked(worked) => {
                match worked.outcome {
                    work::WorkOutcome::Worked { improved: false, .. } => self.worked += 1,
                    work::WorkOutcome::Worked { improved: true, .. } => self.improved += 1,
                    _ => {}
                }
                let name = format!("work of {} in block {}", worked.who.address, worked.block);
                self.judge(name, worked.failure().cloned());
            }
            Note::Harvested(Harvested { hand, block, stake, known, outcome, .. }) => {
                let failure = match outcome {
                    harvest::HarvestOutcome::Harvested { reward, .. }
                    | harvest::HarvestOutcome::Elsewhere { reward, .. } => {
                        self.harvested += 1;
                        self.rewarded.base = self.rewarded.base.saturating_add(*reward);
                        None
                    }
                    harvest::HarvestOutcome::Already => None,
                    harvest::HarvestOutcome::Lost { reason, cause } => {
                        self.lost += 1;
                        self.lost_stake.base = self.lost_stake.base.saturating_add(*stake);
                        // That it would be was the news.
                        stake_lost(*stake, *reason, *cause).filter(|_| !known)
                    }
                    harvest::HarvestOutcome::Failed { error, .. } => {
                        Some(error.clone()).filter(|e| !known || e.code() != Code::StakeLost)
                    }
                };
                self.judge(format!("harvest of {} in block {block}", hand.who.address), failure);
            }
            Note::Missed(missed) if self.once => self.missed.push((*missed).clone()),
            // What else is in the way passes by itself.
            Note::Trouble(Step::Plant, e) if e.code() == Code::StrategyFailed => {
                self.judge(Step::Plant.as_str().to_owned(), Some((*e).clone()));
            }
            Note::Settled(operation, settled) => {
                self.judge(format!("operation {}", operation.key), settled.as_ref().err().cloned());
            }
            Note::Trouble(step, e) => self.hindered = Some((*step, (*e).clone())),
            _ => {}
        }
    }

    fn judge(&mut self, name: String, failure: Option<Error>) {
        self.failed_tries += usize::from(failure.is_some());
        match failure {
            Some(e) if self.once => self.failed.insert(name, e),
            Some(_) => None,
            None => self.failed.remove(&name),
        };
    }

    /// The error of a run that ended by this one: the stakes that it saw first are told with it.
    pub fn broken(&self, e: Error) -> Error {
        losses::broken(&self.missed, e)
    }

    /// Takes in how the run ended.
    #[must_use]
    pub fn ended(self, ran: Ran, held: Vec<ElsewhereView>) -> Self {
        Self {
            held,
            view: ran.view.as_ref().map(LedgerStamp::from),
            block: ran.view.as_ref().map(|view| view.farm.index),
            hashes: ran.hashes.to_string(),
            hashing_ms: millis(ran.hashing),
            // It was drawn up before the last work, which it would call due.
            next: ran.agenda.iter().filter(|_| !ran.stopped).map(ActionView::from).collect(),
            stopped: ran.stopped,
            unsettled: ran.unsettled,
            will_be_lost: ran.missed.into(),
            at_stake: ran.at_stake.as_ref().map(AtStakeView::from),
            warnings: ran.warnings,
            ..self
        }
    }
}

impl Document for RunOutput {
    fn failure(&self) -> Option<Error> {
        let failures: Vec<Failure> = self.failed.clone().into_iter().collect();
        let end = match (self.done(), failures.as_slice()) {
            // Nobody else names the pail.
            (0, [(name, e)]) if self.missed.is_empty() && name.starts_with("harvest of ") => {
                Some(e.clone().context(name))
            }
            (done, failures) => losses::end(&self.missed, done, failures, "steps"),
        };
        end.or_else(|| {
            let left = self.at_stake.as_ref().map(|left| format!("; {}", left.words)).unwrap_or_default();
            let why = format!("interrupted; what was finished is recorded{left}");
            (self.unsettled || self.stopped && self.once)
                .then(|| Error::new(Code::Interrupted, why).hint("run the same command again to go on"))
        })
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn gauges(&self) -> Vec<Gauge> {
        let reward = self.rewarded.exact();
        [
            Gauge::new("poolctl_run_planted_farmers", "Plants of the last run.", self.planted),
            Gauge::new("poolctl_run_worked_farmers", "Works of the last run.", self.worked),
            Gauge::new("poolctl_run_harvested_pails", "Harvests of the last run.", self.harvested),
            Gauge::new("poolctl_run_lost_pails", "Stakes found lost by the last run.", self.lost),
            Gauge::new(
                "poolctl_run_missed_pails",
                "Stakes that will be lost, found by the last run.",
                self.missed.len(),
            ),
            Gauge::new(
                "poolctl_run_failed_steps",
                "What failed for a farmer in the last run.",
                self.failed_tries,
            ),
            Gauge::new("poolctl_run_reward_kale", "Rewards of the last run.", &reward),
        ]
        .into_iter()
        .chain(self.block.map(|block| {
            Gauge::new("poolctl_farm_block_index", "The farm's block, as it was seen last.", block)
        }))
        .collect()
    }
}
