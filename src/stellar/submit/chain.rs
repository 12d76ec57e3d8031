//! Stellar's types for the outbox, and what they are made of.

use crate::diagnostics::Raised;
use crate::replies::{Landed, Ledger};
use crate::results::{Failure, Kind, failure};
use crate::transaction::{Action, Signers, read};
use crate::xdr::{AccountId, ContractEvent, ScVal};
use outbox::{Chain, Stored};

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
    pub(super) fn is(&self, kind: Kind) -> bool {
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
