//! What is wanted, what became of it, and who records that.

use super::chain::Chain;
use super::rows::{self, Operation};
use base::{Code, Error, Result};
use rusqlite::Connection;
use serde_json::Value;
use state::Tx;

/// One transaction that is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Intent<C: Chain> {
    /// What makes it the same intention when it is wanted again: `plant:<network>:<farmer>:<block>`.
    pub key: String,
    /// What is done, one word: `plant`.
    pub kind: &'static str,
    /// To whom or what: the farmer.
    pub subject: String,
    /// Everything that the [`Recorder`] needs: a run that was killed is recorded from this alone.
    pub plan: Value,
    /// The account that sends it; transactions of one account go one after the other.
    pub source: C::Account,
    /// What is to be done.
    pub action: C::Action,
    /// The chain's time, in seconds, after which it must not take effect. Where envelopes have no end
    /// (`Signed::validity` is none) it is looked at before signing only.
    pub valid_until: Option<u64>,
}

impl<C: Chain> Intent<C> {
    /// Plans it; returns its operation's row.
    pub(super) fn planned(&self, tx: &Tx<'_>) -> Result<i64> {
        rows::plan(tx, C::NAME, &self.key, self.kind, &self.subject, &self.plan)
    }
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It took effect.
    Confirmed,
    /// It had no effect: the simulation or the network refused it, or it failed in a block, which costs its fee.
    Failed,
    /// It had no effect: its time ran out.
    Expired,
}

/// What became of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled<C: Chain> {
    /// How it ended.
    pub status: Status,
    /// Hash of the transaction, lower-case hex; none where none was signed.
    pub hash: Option<String>,
    /// The account that sent it; none where nothing was signed.
    pub source: Option<C::Account>,
    /// Who paid its fee, or was to pay it, where that is another account than its source.
    pub payer: Option<C::Account>,
    /// Who sent it, where that is another account than the one that it is about; see [`Settled::sent_for`].
    pub sender: Option<C::Account>,
    /// What its block says of it.
    pub effect: C::Effect,
    /// Why it had no effect.
    pub reason: Option<Reason<C>>,
}

impl<C: Chain> Settled<C> {
    /// Not signed: the simulation, or the chain, says that it would fail.
    pub fn refused(reason: Reason<C>) -> Self {
        Self::without_effect(Status::Failed, reason)
    }

    /// Not signed: its time is over.
    pub fn too_late(until: u64, now: u64) -> Self {
        let words = format!("its time ran out at {until}, and the newest ledger closed at {now}");
        Self::without_effect(Status::Expired, Reason::of(words))
    }

    pub(super) fn without_effect(status: Status, reason: Reason<C>) -> Self {
        Self::ended(status, C::Effect::default(), Some(reason))
    }

    pub(super) fn ended(status: Status, effect: C::Effect, reason: Option<Reason<C>>) -> Self {
        Self { status, hash: None, source: None, payer: None, sender: None, effect, reason }
    }

    /// Why it had no effect, for a person.
    pub fn words(&self) -> Option<&str> {
        self.reason.as_ref().map(|reason| reason.words.as_str())
    }

    /// It is about this account, whose own sending needs no mention.
    #[must_use]
    pub fn sent_for(self, account: &C::Account) -> Self {
        Self { sender: self.sender.filter(|sender| sender != account), ..self }
    }
}

/// Why an operation had no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason<C: Chain> {
    /// For a person.
    pub words: String,
    /// What the chain says of it.
    pub why: C::Why,
}

impl<C: Chain> Reason<C> {
    /// One of which the chain says no more.
    pub fn of(words: impl Into<String>) -> Self {
        Self { words: words.into(), why: C::Why::default() }
    }

    /// As the error of one intent.
    pub fn to_error(&self, what: &str) -> Error {
        C::detailed(Error::new(Code::TransactionFailed, format!("{what}: {}", self.words)), &self.why)
    }
}

/// What came of an intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted<C: Chain> {
    /// It ended now.
    Settled(Box<Settled<C>>),
    /// It took effect before, and was recorded then.
    AlreadyDone {
        /// The operation's row.
        operation: i64,
    },
}

/// Records what follows from an operation, in the write that ends it.
pub trait Recorder<C: Chain> {
    /// Called once for an operation that ended, in whichever way; `operation.plan` is the intent's. An error undoes
    /// the write, and the operation stays as it was.
    fn record(&self, tx: &Tx<'_>, operation: &Operation, settled: &Settled<C>) -> Result<()>;

    /// Asked in the write that plans an intent: whether all that it was decided from is in the state as it was then.
    ///
    /// # Errors
    /// `state_changed` where it is not: then this intent is not planned, and others are; any other ends the write.
    fn still(&self, _conn: &Connection, _intent: &Intent<C>) -> Result<()> {
        Ok(())
    }

    /// Whether the network itself keeps it from taking effect twice, and its effect can be read from the chain. Then an
    /// envelope whose time is over may be ended as expired though no endpoint remembers the blocks that it was valid in.
    fn is_told_by_the_chain(&self, _operation: &Operation) -> bool {
        false
    }
}

/// Records nothing beside the operation itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct NothingMore;

impl<C: Chain> Recorder<C> for NothingMore {
    fn record(&self, _tx: &Tx<'_>, _operation: &Operation, _settled: &Settled<C>) -> Result<()> {
        Ok(())
    }
}
