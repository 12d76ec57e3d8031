//! A pail that is due, as the records have it and as the chain shows it, and how it can end.

use crate::chain::site::Site;
use crate::chain::view::{Living, living};
use crate::contract::{Block, Entry, Pail, base, decode_block, decode_pail, forecast};
use crate::record::reason::Reason;
use crate::record::rows::{FarmerRow, OpenPail};
use base::amount::Base;
use base::{Code, Error, Result, say};
use outbox::OperationState;
use std::collections::{BTreeMap, HashMap};
use stellar::xdr::LedgerKey;

/// How a pail ended, or why it did not.
#[derive(Debug, Clone)]
pub enum HarvestOutcome {
    /// Harvested by this run.
    Harvested {
        /// Hash of the transaction.
        tx: String,
        /// Its ledger.
        ledger: u32,
        /// Stroops of lumens that it cost.
        fee: i64,
        /// The submitter that sent it, where one did.
        sender: Option<String>,
        /// Stroops of KALE, without the stake.
        reward: Base,
    },
    /// Recorded before.
    Already,
    /// Somebody else harvested it for us, or we did in a run that could not book it.
    Elsewhere {
        /// Hash of the transaction.
        tx: String,
        /// Its ledger.
        ledger: u32,
        /// Stroops of KALE, without the stake.
        reward: Base,
    },
    /// The stake is gone.
    Lost {
        /// What happened.
        reason: Reason,
        /// What it was lost by.
        cause: Reason,
    },
    /// Still there: not harvested, for this reason.
    Failed {
        /// Why, in a word.
        reason: Reason,
        /// Why, for a person.
        error: Error,
    },
}

/// What a harvest came to for one pail.
#[derive(Debug, Clone)]
pub struct Harvested {
    /// The farmer.
    pub hand: FarmerRow,
    /// The block.
    pub block: u32,
    /// Stroops of KALE at stake.
    pub stake: Base,
    /// What the formula said the reward would be.
    pub forecast: Option<Base>,
    /// Whether an earlier run, or step, had seen that its block ended without work.
    pub known: bool,
    /// How it ended.
    pub outcome: HarvestOutcome,
}

impl Harvested {
    /// Whether another run has changed what it was decided from: it is to be decided anew.
    pub fn is_changed(&self) -> bool {
        matches!(&self.outcome, HarvestOutcome::Failed { error, .. } if error.code() == Code::StateChanged)
    }
}

/// A pail as it is due.
#[derive(Debug, Clone)]
pub(super) struct Due {
    pub hand: FarmerRow,
    pub pail: OpenPail,
    pub chain: Option<Living<Pail>>,
    pub block: Option<Block>,
}

impl Due {
    pub(super) fn is_near(&self, near: &BTreeMap<String, Vec<(u32, u32)>>) -> bool {
        let blocks = near.get(&self.pail.farmer);
        blocks.is_some_and(|blocks| blocks.iter().any(|(block, _)| *block == self.pail.block))
    }

    pub(super) fn end(self, outcome: HarvestOutcome) -> Harvested {
        let OpenPail { block, stake, forecast, missed_at, .. } = self.pail;
        Harvested { hand: self.hand, block, stake, forecast, known: missed_at.is_some(), outcome }
    }

    /// What a harvest would have paid, by the block's own figures and the recorded work.
    pub(super) fn computed(&self) -> Option<Base> {
        let (gap, zeros) = self.pail.work?;
        let (sequence, stake) = (self.pail.planted_ledger, i128::try_from(self.pail.stake).ok()?);
        let pail = Pail { gap: Some(gap), zeros: Some(zeros), sequence, stake };
        base(forecast::paid_now(self.pail.block, self.block.as_ref()?, &pail).ok()?).ok()
    }
}

/// A stake that one endpoint shows as lost: what happened, and what it was lost by.
pub(super) type Suspect = (Due, Reason, Reason);

/// Reads the pails and their blocks.
pub(super) async fn look(
    site: &Site,
    chain: &stellar::View,
    open: &[OpenPail],
    by_id: &HashMap<&str, &FarmerRow>,
) -> Result<Vec<Due>> {
    let missing = |pail: &OpenPail| {
        Error::corrupt(format!("an open pail belongs to farmer {}, who is missing", pail.farmer))
    };
    let farm = &site.farm;
    let mut wanted = Vec::with_capacity(open.len());
    for pail in open {
        let hand = *by_id.get(pail.farmer.as_str()).ok_or_else(|| missing(pail))?;
        let pail_key = Entry::Pail(hand.who.contract_address(), pail.block).key(farm)?;
        wanted.push((pail, hand, [pail_key, Entry::Block(pail.block).key(farm)?]));
    }
    let entries = chain.entries(wanted.iter().flat_map(|(.., keys)| keys.clone())).await?;
    let due = |(pail, hand, [pail_key, block_key]): (&OpenPail, &FarmerRow, [LedgerKey; 2])| {
        let address = hand.who.contract_address();
        let chain = living(&entries, &pail_key, |data| decode_pail(farm, &address, pail.block, data))?;
        let block = living(&entries, &block_key, |data| decode_block(farm, pail.block, data))?;
        let block = block.map(|living| living.entry);
        Ok(Due { hand: hand.clone(), pail: pail.clone(), chain, block })
    };
    wanted.into_iter().map(due).collect()
}

/// What is said of a pail that is held.
pub(super) fn of_held(held: &str) -> (Reason, Error) {
    let error = Error::new(Code::Drift, format!("it is held: {held}")).hint(
        say("see the alert: ")
            .run("events")
            .with("kind")
            .of("farm.alert.opened")
            .say("; then: ")
            .run("harvest")
            .with("release"),
    );
    (Reason::of_word(held).unwrap_or(Reason::Other), error)
}

/// Whether an envelope of it may have had an effect that is not recorded.
pub(super) const fn under_way(state: OperationState) -> bool {
    matches!(state, OperationState::Signed | OperationState::Sent | OperationState::Confirmed)
}
