//! What a run of the farm tells as it happens, for a program: an object a line.

use crate::failures::failed;
use crate::farming::losses::AtStakeView;
use crate::farming::reconcile::ReconcileOutput;
use crate::farming::work::WorkView;
use crate::farming::{ended_in, kale, millis, time};
use base::amount::Quantity;
use base::{Error, forms};
use kale::contract::base;
use kale::farming::Missed;
use kale::harvest::{self, Harvested};
use kale::plant::{self, Planted};
use kale::reason::Reason;
use kale::run::Note;
use schemars::JsonSchema;
use serde::Serialize;

/// One thing that happened.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Line {
    /// Another block than before.
    Block {
        /// Its number.
        block: u32,
        /// Whether planting is stopped.
        paused: bool,
        /// When it began; null where its entry is not there.
        #[schemars(with = "Option<forms::Time>")]
        began_at: Option<String>,
        /// Planted and not worked yet.
        not_worked: Option<Quantity>,
        /// The ledger that says so.
        ledger: u32,
        /// When that closed.
        #[schemars(with = "forms::Time")]
        closed_at: String,
        /// The endpoint's name.
        endpoint: String,
    },
    /// What an earlier run had under way came to an end.
    Settled {
        /// Which operation.
        operation: String,
        /// How it ended.
        status: String,
    },
    /// A plant for a farmer ended.
    Plant(PlantLine),
    /// Grinding begins.
    Grinding {
        /// For which block.
        block: u32,
        /// For how many farmers.
        farmers: usize,
        /// When the best is submitted.
        #[schemars(with = "forms::Time")]
        deadline: String,
        /// When work is submitted: `late`, `early` or `insured`.
        policy: &'static str,
    },
    /// Work for a farmer ended.
    Work {
        /// In which block.
        block: u32,
        /// What came of it.
        #[serde(flatten)]
        work: WorkView,
    },
    /// Grinding has ended.
    Ground {
        /// For which block.
        block: u32,
        /// For how many farmers.
        farmers: usize,
        /// Of how many the chain has work.
        worked: usize,
        /// Nonces tried.
        #[schemars(with = "forms::Whole")]
        hashes: String,
        /// Time that all threads hashed, in milliseconds.
        hashing_ms: u64,
    },
    /// A harvest ended.
    Harvest(HarvestLine),
    /// The farm was compared with the chain, and they differed.
    Reconciled {
        /// What it was compared for.
        why: &'static str,
        /// What was found.
        #[serde(flatten)]
        found: ReconcileOutput,
    },
    /// A stake will be lost: its block ended without work.
    Missed {
        /// In which block.
        block: u32,
        /// Id.
        farmer: String,
        /// `G…`.
        #[schemars(with = "forms::StellarAccount")]
        address: String,
        /// What will be lost.
        stake: Quantity,
    },
    /// The run was asked to stop, with something at stake.
    Stopping {
        /// What that is.
        #[serde(flatten)]
        at_stake: AtStakeView,
        /// Whether the best nonces so far are submitted first.
        submits: bool,
    },
    /// Nothing is due; this is next.
    Waiting {
        /// `plant`, `work` or `harvest`.
        step: &'static str,
        /// For which block.
        block: u32,
        /// For how many farmers, or pails.
        count: usize,
        /// From when on.
        #[schemars(with = "forms::Time")]
        from: String,
        /// Why then.
        why: &'static str,
    },
    /// What another run has changed of keys or settings cannot be used; what was there before stays.
    Kept {
        /// The error's stable word.
        code: &'static str,
        /// What happened, and why.
        message: String,
    },
    /// A step could not be done now; it is tried again.
    Trouble {
        /// `plant`, `work` or `harvest`.
        step: &'static str,
        /// The error's stable word.
        code: &'static str,
        /// What happened, and why.
        message: String,
    },
}

/// A plant.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PlantLine {
    /// In which block.
    block: u32,
    /// Id.
    farmer: String,
    /// `G…`.
    #[schemars(with = "forms::StellarAccount")]
    address: String,
    /// `planted`, `already_planted`, `harvest_only`, `failed` or `unknown`.
    status: &'static str,
    /// At stake.
    stake: Quantity,
    #[serde(flatten)]
    sent: Option<Sent>,
    #[serde(flatten)]
    failure: Option<FailureWords>,
}

/// A harvest.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HarvestLine {
    /// Of which block.
    block: u32,
    /// Id.
    farmer: String,
    /// `G…`.
    #[schemars(with = "forms::StellarAccount")]
    address: String,
    /// `harvested`, `already_harvested`, `harvested_elsewhere`, `lost`, `failed` or `unknown`.
    status: &'static str,
    /// What was at stake.
    stake: Quantity,
    /// The reward that was expected.
    forecast: Option<Quantity>,
    #[serde(flatten)]
    sent: Option<Sent>,
    /// What it paid, without the stake.
    #[serde(skip_serializing_if = "Option::is_none")]
    reward: Option<Quantity>,
    #[serde(flatten)]
    loss: Option<LossWords>,
    #[serde(flatten)]
    failure: Option<FailureWords>,
}

/// The transaction.
#[derive(Debug, Serialize, JsonSchema)]
struct Sent {
    /// Hash of the transaction.
    #[schemars(with = "forms::Digest")]
    tx: String,
    /// Its ledger.
    ledger: u32,
}

/// Why a stake is lost.
#[derive(Debug, Serialize, JsonSchema)]
struct LossWords {
    /// What happened.
    reason: &'static str,
    /// What it was lost by.
    cause: &'static str,
    /// By whom: `pooler` or `operator`.
    fault: &'static str,
}

/// Why a step failed.
#[derive(Debug, Serialize, JsonSchema)]
struct FailureWords {
    /// In a stable word.
    reason: &'static str,
    /// For a person.
    error: String,
}

impl Sent {
    fn of(tx: &str, ledger: u32) -> Self {
        Self { tx: tx.to_owned(), ledger }
    }
}

impl FailureWords {
    fn of(reason: Reason, error: &Error) -> Self {
        Self { reason: reason.as_str(), error: error.message().to_owned() }
    }
}

impl From<&Note<'_>> for Line {
    fn from(note: &Note<'_>) -> Self {
        match note {
            Note::Block(view) => Self::Block {
                block: view.farm.index,
                paused: view.farm.paused,
                began_at: view.current().map(|block| time(block.timestamp)),
                not_worked: view.current().and_then(|block| base(block.staked_total).ok()).map(kale),
                ledger: view.at.ledger,
                closed_at: time(view.at.time),
                endpoint: view.endpoint.clone(),
            },
            Note::Settled(operation, settled) => {
                Self::Settled { operation: operation.key.clone(), status: ended_in(settled) }
            }
            Note::Planted(block, planted) => Self::Plant(PlantLine::of(*block, planted)),
            Note::Shift(shift, reach) => Self::Grinding {
                block: shift.block,
                farmers: reach.farmers,
                deadline: time(shift.hours.deadline),
                policy: shift.policy.as_str(),
            },
            Note::Worked(worked) => Self::Work { block: worked.block, work: WorkView::of(worked) },
            Note::ShiftEnded(block, reach) => Self::Ground {
                block: *block,
                farmers: reach.farmers,
                worked: reach.worked,
                hashes: reach.figures.hashes.to_string(),
                hashing_ms: millis(reach.figures.elapsed),
            },
            Note::Harvested(harvested) => Self::Harvest(HarvestLine::of(harvested)),
            Note::Reconciled(why, found) => Self::Reconciled { why, found: ReconcileOutput::from(*found) },
            Note::Missed(Missed { who, block, stake }) => Self::Missed {
                block: *block,
                farmer: who.id.clone(),
                address: who.address.clone(),
                stake: kale(*stake),
            },
            Note::Stopping(at_stake, submits) => {
                Self::Stopping { at_stake: AtStakeView::from(*at_stake), submits: *submits }
            }
            Note::Waiting(action) => Self::Waiting {
                step: action.step.as_str(),
                block: action.block,
                count: action.count,
                from: time(action.from),
                why: action.why,
            },
            Note::Kept(e) => Self::Kept { code: e.code().as_str(), message: e.message().to_owned() },
            Note::Trouble(step, e) => Self::Trouble {
                step: step.as_str(),
                code: e.code().as_str(),
                message: e.message().to_owned(),
            },
        }
    }
}

impl PlantLine {
    fn of(block: u32, Planted { who, stake, outcome }: &Planted) -> Self {
        let (status, sent, failure) = match outcome {
            plant::PlantOutcome::Planted { tx, ledger, .. } => ("planted", Some(Sent::of(tx, *ledger)), None),
            plant::PlantOutcome::Already => ("already_planted", None, None),
            plant::PlantOutcome::HarvestOnly => ("harvest_only", None, None),
            plant::PlantOutcome::Failed { reason, error } => {
                (failed(error), None, Some(FailureWords::of(*reason, error)))
            }
        };
        let (farmer, address) = (who.id.clone(), who.address.clone());
        Self { block, farmer, address, status, stake: kale(*stake), sent, failure }
    }
}

impl HarvestLine {
    fn of(Harvested { hand, block, stake, forecast, outcome, .. }: &Harvested) -> Self {
        let (mut sent, mut reward, mut loss, mut failure) = (None, None, None, None);
        let status = match outcome {
            harvest::HarvestOutcome::Harvested { tx, ledger, reward: paid, .. } => {
                (sent, reward) = (Some(Sent::of(tx, *ledger)), Some(kale(*paid)));
                "harvested"
            }
            harvest::HarvestOutcome::Already => "already_harvested",
            harvest::HarvestOutcome::Elsewhere { tx, ledger, reward: paid } => {
                (sent, reward) = (Some(Sent::of(tx, *ledger)), Some(kale(*paid)));
                "harvested_elsewhere"
            }
            harvest::HarvestOutcome::Lost { reason, cause } => {
                let (reason, cause, fault) = (reason.as_str(), cause.as_str(), cause.blame().as_str());
                loss = Some(LossWords { reason, cause, fault });
                "lost"
            }
            harvest::HarvestOutcome::Failed { reason, error } => {
                failure = Some(FailureWords::of(*reason, error));
                failed(error)
            }
        };
        let (farmer, address) = (hand.who.id.clone(), hand.who.address.clone());
        let (stake, forecast) = (kale(*stake), forecast.map(kale));
        Self { block: *block, farmer, address, status, stake, forecast, sent, reward, loss, failure }
    }
}
