//! What state and chain disagree about, in words that stay.

use super::Reconciled;
use crate::chain::Who;
use base::amount::Base;
use base::{Code, Error, say};
use strum::IntoStaticStr;

/// Something that state and chain disagree about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The farmer.
    pub who: Who,
    /// The block of the pail, where it is about one.
    pub block: Option<u32>,
    /// What it is.
    pub what: What,
}

/// What state and chain disagree about. Amounts in stroops of KALE.
#[derive(Debug, Clone, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum What {
    /// A pail that the state did not know; it is open from now on.
    UnknownPail {
        /// At stake.
        stake: Base,
        /// Zeros of its work.
        zeros: Option<u32>,
    },
    /// A stake that was booked as lost, and is there; it is open again.
    LossReversed {
        /// At stake.
        stake: Base,
    },
    /// A harvest that was not booked; it is from now on.
    UnknownHarvest {
        /// Hash of the transaction.
        tx: String,
        /// The stake that it gave back.
        stake: Base,
        /// The reward that it paid.
        reward: Base,
    },
    /// A mint to the farmer that is the harvest of no pail.
    UnknownMint {
        /// Hash of the transaction.
        tx: String,
        /// What was minted.
        amount: Base,
    },
    /// A pail that is open in the state and is not shown; the harvest finds out why.
    Missing {
        /// At stake, by the state.
        stake: Base,
    },
    /// Another stake than the state has.
    Stake {
        /// By the state.
        recorded: Base,
        /// On the chain.
        shown: Base,
    },
    /// The balance is another than what is booked and what is found make it: a payment of the owner, or something that is not
    /// shown. After three comparisons it is taken for the former.
    Balance {
        /// The farmer holds more than that; else less.
        more: bool,
        /// By so much.
        by: Base,
    },
    /// The balance changed, and the endpoint's history is too short to tell by what.
    OutOfSight {
        /// First ledger of the endpoint's history.
        oldest: u32,
    },
}

impl What {
    /// Its stable word.
    pub fn word(&self) -> &'static str {
        self.into()
    }

    /// Whether the state is changed by it.
    pub const fn is_taken_in(&self) -> bool {
        matches!(self, Self::UnknownPail { .. } | Self::LossReversed { .. } | Self::UnknownHarvest { .. })
    }
}

/// The error of a comparison that found differences.
pub fn failure(found: &Reconciled) -> Option<Error> {
    let first = found.differences.first()?;
    let open = found.differences.iter().filter(|difference| !difference.what.is_taken_in()).count();
    let count = found.differences.len();
    let block = first.block.map(|block| format!(" in block {block}")).unwrap_or_default();
    let why = format!(
        "{count} differences between state and chain, {} taken in; first: {} of {}{block}",
        count - open,
        first.what.word(),
        first.who.address
    );
    let hint = if open == 0 {
        say("the next harvest goes on with them: ").run("harvest")
    } else {
        say("see them with ").with("json").say("; then: ").run("harvest")
    };
    Some(Error::new(Code::Drift, why).hint(hint))
}
