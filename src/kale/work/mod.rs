//! `work`: nonces for the pails of the current block, ground until the deadline and submitted in time.

mod grinder;
mod job;
mod leave;
pub mod lines;
pub mod nonces;
mod pails;
mod patience;
mod policy;
mod send;
mod shift;
mod submit;

pub use grinder::{Figures, kernel};
pub use job::{Wanted, WorkReport, advance_bar, begin_bar, consult, failures, rehearse, run};
pub use leave::{AtStake, at_stake, in_time, leave};
pub use lines::LONGEST;
pub use pails::note;
pub use patience::Patience;
pub use policy::{Deadline, Hours, Orders, needs_work};
pub use shift::{Reach, Shift};
pub use submit::{AtWork, LineOutcome, LineReport, Submission, check, poolers_of, submit};

use crate::chain::Who;
use crate::record::reason::Reason;
use base::Error;
use grind::Solution;

/// How the work for a farmer fared.
#[derive(Debug, Clone)]
pub enum WorkOutcome {
    /// Submitted by this run, and confirmed.
    Worked {
        /// Hash of the transaction.
        tx: String,
        /// Its ledger.
        ledger: u32,
        /// Ledgers from plant to work, as the contract returned it.
        gap: u32,
        /// Stroops of lumens that it cost.
        fee: i64,
        /// The submitter that sent it, where one did.
        sender: Option<String>,
        /// Whether there was work before, which this improves on.
        improved: bool,
    },
    /// Confirmed in an earlier run.
    Already,
    /// The pail has as many zeros or more, from another hand.
    Elsewhere {
        /// How many it has.
        zeros: u32,
    },
    /// No effect, for this reason; what the error says is for a person.
    Failed {
        /// Why, in a word.
        reason: Reason,
        /// Why, for a person.
        error: Error,
    },
}

/// What one farmer's work came to.
#[derive(Debug, Clone)]
pub struct Worked {
    /// Whose.
    pub who: Who,
    /// The block.
    pub block: u32,
    /// The nonce; none where none was found.
    pub solution: Option<Solution>,
    /// How it fared.
    pub outcome: WorkOutcome,
}

impl Worked {
    /// The error, where it failed.
    pub const fn failure(&self) -> Option<&Error> {
        match &self.outcome {
            WorkOutcome::Failed { error, .. } => Some(error),
            _ => None,
        }
    }
}
