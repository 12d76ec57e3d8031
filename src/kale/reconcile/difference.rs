//! What state and chain disagree about, in words that stay; and what is taken in of it: the pail, and where it was harvested
//! its payment.

use crate::chain::Who;
use crate::record::plan::HarvestPlan;
use crate::record::rows::{self, FarmerRow, OpenPail, Trace};
use crate::record::{self, FarmRecorder, loss};
use base::Result;
use base::amount::{Base, Delta};
use serde_json::json;
use state::Tx;
use stellar::Event;
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
    pub fn as_str(&self) -> &'static str {
        self.into()
    }

    /// Whether the state is changed by it.
    pub const fn is_taken_in(&self) -> bool {
        matches!(self, Self::UnknownPail { .. } | Self::LossReversed { .. } | Self::UnknownHarvest { .. })
    }
}

/// What is written of a difference.
#[derive(Debug)]
pub(super) enum Change {
    /// A pail that is open from now on: newly, or again.
    Open { hand: FarmerRow, pail: OpenPail, was_lost: bool },
    /// A harvest that is booked; its pail may be known or not.
    Harvest { hand: FarmerRow, pail: OpenPail, known: bool, was_lost: bool, event: Box<Event>, reward: Base },
}

impl Change {
    /// What it says of a farmer's balance after a ledger, beside what is booked.
    pub(super) fn moves(&self, farmer: &str, ledger: u32) -> Vec<Delta> {
        let staked = |pail: &OpenPail| (pail.planted_ledger > ledger).then(|| Delta::debit(pail.stake));
        match self {
            Self::Open { pail, was_lost, .. } if pail.farmer == farmer && !was_lost => {
                staked(pail).into_iter().collect()
            }
            Self::Harvest { pail, known, was_lost, reward, .. } if pail.farmer == farmer => {
                let planted = if *known || *was_lost { None } else { staked(pail) };
                planted.into_iter().chain([Delta::credit(pail.stake), Delta::credit(*reward)]).collect()
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn write(
        &self,
        tx: &Tx<'_>,
        network: &str,
        recorder: &FarmRecorder,
        asset: &str,
    ) -> Result<()> {
        match self {
            Self::Open { hand, pail, was_lost: true } => loss::take_back(tx, network, hand, pail).map(|_| ()),
            Self::Open { hand, pail, was_lost: false } => record::found(tx, &hand.who, pail),
            // Another run has booked it.
            Self::Harvest { event, .. } if rows::is_counted(tx.conn(), &event.id)? => Ok(()),
            Self::Harvest { hand, pail, known, was_lost, event, reward } => {
                if *was_lost {
                    loss::take_back(tx, network, hand, pail)?;
                } else if !known {
                    record::found(tx, &hand.who, pail)?;
                }
                // It is shared out by the terms of now.
                let hand = &rows::hand(tx.conn(), &hand.who.id)?;
                let plan = HarvestPlan::of(hand, pail, asset);
                let facts = json!({ "tx": event.tx_hash, "ledger": event.ledger, "event": event.id });
                let trace = Trace { ledger: Some(event.ledger), ..Trace::default() };
                if recorder.credit(tx, &plan, "harvested_elsewhere", *reward, &trace, &facts)? {
                    rows::count_mint(tx, &event.id, &hand.who.id, pail.block)?;
                }
                Ok(())
            }
        }
    }
}
