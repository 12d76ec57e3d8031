//! What is taken in of a difference: the pail, and where it was harvested its payment.

use crate::record::loss;
use crate::record::plan::HarvestPlan;
use crate::record::rows::{self, Hand, OpenPail, Trace};
use crate::record::{self, FarmRecorder};
use base::Result;
use base::amount::{Base, Delta};
use serde_json::json;
use state::Tx;
use stellar::Event;

/// What is written of a difference.
#[derive(Debug)]
pub(super) enum Change {
    /// A pail that is open from now on: newly, or again.
    Open { hand: Hand, pail: OpenPail, was_lost: bool },
    /// A harvest that is booked; its pail may be known or not.
    Harvest { hand: Hand, pail: OpenPail, known: bool, was_lost: bool, event: Box<Event>, reward: Base },
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
            Self::Harvest { hand, pail, known, was_lost, event, reward } => {
                if *was_lost {
                    loss::take_back(tx, network, hand, pail)?;
                } else if !known {
                    record::found(tx, &hand.who, pail)?;
                }
                let plan = HarvestPlan::of(hand, pail, asset);
                let facts = json!({ "tx": event.tx_hash, "ledger": event.ledger, "event": event.id });
                let trace = Trace { ledger: Some(event.ledger), ..Trace::default() };
                recorder.credit(tx, &plan, "harvested_elsewhere", *reward, &trace, &facts)?;
                rows::count_mint(tx, &event.id, &hand.who.id, pail.block)
            }
        }
    }
}
