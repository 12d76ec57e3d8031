//! What the operator wants of the work on a block, and until when.

use crate::contract::BLOCK_SECONDS;
use crate::schedule;
use crate::settings::{Policy, Settings};

/// What the operator wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Orders {
    /// When work is submitted.
    pub policy: Policy,
    /// When the best is submitted; else as the settings say.
    pub deadline: Option<Deadline>,
}

/// When the best is submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// At this second of ledger time.
    At(u64),
    /// So many seconds after the block's clock began, 300 before it is due.
    Into(u64),
}

impl Orders {
    /// The deadline for a block that is due then, early enough for a transaction to get in.
    pub fn deadline_of(&self, due: u64, settings: &Settings) -> u64 {
        let wanted = match self.deadline {
            Some(Deadline::At(second)) => second,
            Some(Deadline::Into(seconds)) => due.saturating_sub(BLOCK_SECONDS).saturating_add(seconds),
            None => due.saturating_sub(settings.work_margin),
        };
        wanted.min(schedule::work_end(due).saturating_sub(LEAST))
    }
}

/// Seconds of ledger time that a submission needs at least: two ledgers.
const LEAST: u64 = 10;
