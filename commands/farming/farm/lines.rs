//! What `farm run --json` writes as it happens: an object a line.

use crate::shell::prelude::*;
use app::farming::reconcile::ReconcileOutput;
use app::farming::work::WorkView;
use app::farming::{ended_in, kale, time};
use base::amount::Quantity;
use base::forms;
use kale::contract::base;
use kale::harvest::{self, Harvested};
use kale::plant::{self, Planted};
use kale::run::Note;

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
    /// `planted`, `already_planted`, `harvest_only` or `failed`.
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
    /// `harvested`, `already_harvested`, `harvested_elsewhere`, `lost` or `failed`.
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
                policy: shift.policy.word(),
            },
            Note::Worked(worked) => Self::Work { block: worked.block, work: WorkView::of(worked) },
            Note::ShiftEnded(block, reach) => Self::Ground {
                block: *block,
                farmers: reach.farmers,
                worked: reach.worked,
                hashes: reach.figures.hashes.to_string(),
                hashing_ms: u64::try_from(reach.figures.elapsed.as_millis()).unwrap_or(u64::MAX),
            },
            Note::Harvested(harvested) => Self::Harvest(HarvestLine::of(harvested)),
            Note::Reconciled(why, found) => Self::Reconciled { why, found: ReconcileOutput::from(*found) },
            Note::Waiting(action) => Self::Waiting {
                step: action.step.word(),
                block: action.block,
                count: action.count,
                from: time(action.from),
                why: action.why,
            },
            Note::Trouble(step, e) => {
                Self::Trouble { step: step.word(), code: e.code().word(), message: e.message().to_owned() }
            }
        }
    }
}

impl PlantLine {
    fn of(block: u32, planted: &Planted) -> Self {
        let (status, sent, failure) = match &planted.fate {
            plant::Fate::Planted { tx, ledger, .. } => {
                ("planted", Some(Sent { tx: tx.clone(), ledger: *ledger }), None)
            }
            plant::Fate::Already => ("already_planted", None, None),
            plant::Fate::HarvestOnly => ("harvest_only", None, None),
            plant::Fate::Failed { reason, error } => {
                let failure = FailureWords { reason: reason.word(), error: error.message().to_owned() };
                ("failed", None, Some(failure))
            }
        };
        Self {
            block,
            farmer: planted.who.id.clone(),
            address: planted.who.address.clone(),
            status,
            stake: kale(planted.stake),
            sent,
            failure,
        }
    }
}

impl HarvestLine {
    fn of(harvested: &Harvested) -> Self {
        let who = &harvested.hand.who;
        let mut line = Self {
            block: harvested.block,
            farmer: who.id.clone(),
            address: who.address.clone(),
            status: "already_harvested",
            stake: kale(harvested.stake),
            forecast: harvested.forecast.map(kale),
            sent: None,
            reward: None,
            loss: None,
            failure: None,
        };
        match &harvested.fate {
            harvest::Fate::Harvested { tx, ledger, reward, .. } => {
                line.status = "harvested";
                line.sent = Some(Sent { tx: tx.clone(), ledger: *ledger });
                line.reward = Some(kale(*reward));
            }
            harvest::Fate::Already => {}
            harvest::Fate::Elsewhere { tx, ledger, reward } => {
                line.status = "harvested_elsewhere";
                line.sent = Some(Sent { tx: tx.clone(), ledger: *ledger });
                line.reward = Some(kale(*reward));
            }
            harvest::Fate::Lost { reason, cause } => {
                line.status = "lost";
                let (reason, cause, fault) = (reason.word(), cause.word(), cause.blame().word());
                line.loss = Some(LossWords { reason, cause, fault });
            }
            harvest::Fate::Failed { reason, error } => {
                line.status = "failed";
                line.failure =
                    Some(FailureWords { reason: reason.word(), error: error.message().to_owned() });
            }
        }
        line
    }
}
