//! What `strategy.command` said of a block, and for how long that stands.

use super::Strategy;
use crate::contract::BLOCK_SECONDS;
use base::Result;
use std::collections::HashMap;

/// The terms for a block, by farmer id. Who is not named keeps its own.
pub type Answer = HashMap<String, Strategy>;

/// What was said of a block.
#[derive(Debug, Clone)]
pub struct Heard {
    pub(crate) block: u32,
    /// When it was asked, in seconds of ledger time.
    pub(crate) at: u64,
    /// What it answered, or why there is no answer.
    pub(crate) answer: Result<Answer>,
}

impl Heard {
    /// A block may never begin without us: what was said of it does not stand for ever.
    pub(crate) fn is_old(&self, now: u64) -> bool {
        let blocks = if self.answer.is_ok() { 2 } else { 1 };
        now >= self.at.saturating_add(blocks * BLOCK_SECONDS)
    }
}

#[cfg(test)]
mod tests {
    use super::super::failed;
    use super::*;

    #[test]
    fn what_was_said_is_forgotten_after_a_block_or_two() {
        for (answer, old) in [(Ok(Answer::new()), 1_600), (Err(failed("failed")), 1_300)] {
            let heard = Heard { block: 7, at: 1_000, answer };
            assert!(!heard.is_old(old - 1) && heard.is_old(old), "{heard:?}");
        }
    }
}
