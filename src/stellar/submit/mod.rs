//! Stellar in the outbox: its types, its terms, and [`StellarNetwork`], which prepares, signs, sends and looks up.

mod network;
mod polls;
mod prepare;
mod resources;

pub use prepare::{Rehearsal, StellarNetwork, rehearse};

use crate::Percentile;
use crate::diagnostics::Raised;
use crate::protocol::Newer;
use crate::replies::{Landed, Ledger};
use crate::results::{Failure, Kind, failure};
use crate::transaction::{Action, Signers, read};
use crate::xdr::{AccountId, ContractEvent, ScVal};
use base::Error;
use outbox::{Chain, Pace, Stored};
use std::collections::BTreeSet;
use std::time::Duration;

/// The kind of operations that restore archived entries for others; nothing beside them is recorded.
pub const RESTORE: &str = "restore";

/// Stellar, for the outbox.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stellar;

impl Chain for Stellar {
    const NAME: &'static str = "stellar";
    const AHEAD: Option<&'static str> = Some(RESTORE);
    type Account = AccountId;
    type Action = Action;
    type Effect = Effect;
    type Why = Why;
    /// On ed25519.
    type Signers = dyn Signers;

    fn detailed(error: Error, why: &Why) -> Error {
        match why.raised.as_ref().and_then(Raised::contract_error) {
            Some((contract, code)) => {
                error.detail("contract", contract.to_string()).detail("contract_error", code)
            }
            None => error,
        }
    }

    fn read(envelope: &str) -> Option<Stored<AccountId>> {
        read(envelope)
    }
}

/// One transaction that is wanted.
pub type Intent = outbox::Intent<Stellar>;
/// What became of an operation.
pub type Settled = outbox::Settled<Stellar>;
/// What came of an intent.
pub type Submitted = outbox::Submitted<Stellar>;
/// Why an operation had no effect.
pub type Reason = outbox::Reason<Stellar>;

/// What a ledger says of a transaction in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// The ledger that it is in.
    pub ledger: Option<Ledger>,
    /// What it cost, in stroops, the refund taken off; 0 where it is in no ledger.
    pub fee_charged: i64,
    /// What its contract call returned.
    pub value: Option<ScVal>,
    /// The events that it left, in order.
    pub events: Vec<ContractEvent>,
    /// What it returned cannot be read here: it is in a form of this protocol.
    pub newer: Option<Newer>,
}

/// The network's own account of a failure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Why {
    /// The error of the contract call, with the contract that raised it.
    pub raised: Option<Raised>,
    /// The network's verdict, where it gave one.
    pub failure: Option<Failure>,
}

impl Why {
    fn is(&self, kind: Kind) -> bool {
        self.failure.as_ref().is_some_and(|failure| failure.kind == kind)
    }
}

impl From<Failure> for Reason {
    fn from(failure: Failure) -> Self {
        Self { words: failure.words.clone(), why: Why { raised: None, failure: Some(failure) } }
    }
}

impl From<Landed> for outbox::Landed<Stellar> {
    fn from(landed: Landed) -> Self {
        let failure = (!landed.succeeded).then(|| {
            let why = failure(&landed.result);
            let host = landed.raised.as_ref().and_then(|raised| raised.words.as_deref());
            let words = host.map_or_else(|| why.words.clone(), |host| format!("{}: {host}", why.words));
            Reason { words, why: Why { raised: landed.raised, failure: Some(why) } }
        });
        let effect = Effect {
            ledger: Some(landed.ledger),
            fee_charged: landed.result.fee_charged,
            value: landed.value,
            events: landed.events,
            newer: landed.newer,
        };
        Self { effect, failure }
    }
}

impl outbox::Effect for Effect {
    fn facts(&self) -> Vec<(&'static str, serde_json::Value)> {
        let ledger = self.ledger.map(|Ledger { sequence, .. }| sequence);
        vec![("ledger", ledger.into()), ("fee", self.fee_charged.to_string().into())]
    }
}

/// The terms on which transactions are offered and awaited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmitOptions {
    /// How many at once, and how long they are awaited.
    pub pace: Pace,
    /// How long a transaction is valid, in seconds of ledger time.
    pub valid_sec: u64,
    /// Which part of the fees paid lately is offered.
    pub percentile: Percentile,
    /// The most that is offered for each operation, in stroops.
    pub max_inclusion_fee: u32,
    /// The most that is offered for the resources of a contract call, in stroops.
    pub max_resource_fee: i64,
    /// Added to the resource fee of a simulation, in percent.
    pub resource_margin: u32,
    /// Who pays the fees; each source its own where nobody does.
    pub payer: Option<AccountId>,
    /// Sources that pay their own fees all the same.
    pub own: BTreeSet<AccountId>,
}

impl Default for SubmitOptions {
    fn default() -> Self {
        Self {
            pace: Pace { parallel: 10, poll: Duration::from_secs(1), wait: Duration::from_mins(4) },
            valid_sec: 120,
            percentile: Percentile::P90,
            max_inclusion_fee: 1_000_000,
            max_resource_fee: 100_000_000,
            resource_margin: 15,
            payer: None,
            own: BTreeSet::new(),
        }
    }
}
