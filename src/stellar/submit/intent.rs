//! What is wanted, what became of it, and who records that.

use crate::diagnostics::Raised;
use crate::replies::Ledger;
use crate::results::Failure;
use crate::transaction::Action;
use crate::xdr::{AccountId, ContractEvent, ScVal};
use base::Result;
use serde_json::Value;
use state::Tx;
use state::operations::Operation;

/// One transaction that is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Intent {
    /// What makes it the same intention when it is wanted again: `plant:<network>:<farmer>:<block>`.
    pub key: String,
    /// What is done, one word: `plant`.
    pub kind: &'static str,
    /// To whom or what: the farmer.
    pub subject: String,
    /// Everything that the [`Recorder`] needs: a run that was killed is recorded from this alone.
    pub plan: Value,
    /// The account that sends it; transactions of one account go one after the other.
    pub source: AccountId,
    /// What is to be done.
    pub action: Action,
    /// Ledger time, in seconds, after which it must not take effect.
    pub valid_until: Option<u64>,
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It took effect.
    Confirmed,
    /// It had no effect: the simulation or the network refused it, or it failed in a ledger, which costs its fee.
    Failed,
    /// It had no effect: its time ran out.
    Expired,
}

/// What became of an operation, from the transaction in its ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// How it ended.
    pub status: Status,
    /// Hash of the transaction, lower-case hex; none where none was signed.
    pub hash: Option<String>,
    /// The ledger that it is in.
    pub ledger: Option<Ledger>,
    /// What it cost, in stroops, the refund taken off; 0 where it is in no ledger.
    pub fee_charged: i64,
    /// The account that sent it; none where nothing was signed.
    pub source: Option<AccountId>,
    /// Who paid that, or was to pay it, where that is another account than its source.
    pub payer: Option<AccountId>,
    /// Who sent it, where that is another account than the one that it is about; see [`Settled::sent_for`].
    pub sender: Option<AccountId>,
    /// What its contract call returned.
    pub value: Option<ScVal>,
    /// The events that it left, in order.
    pub events: Vec<ContractEvent>,
    /// Why it had no effect.
    pub reason: Option<Reason>,
}

impl Settled {
    /// It is about this account, whose own sending needs no mention.
    #[must_use]
    pub fn sent_for(self, account: &AccountId) -> Self {
        Self { sender: self.sender.filter(|sender| sender != account), ..self }
    }
}

/// Why an operation had no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// For a person.
    pub words: String,
    /// The error of the contract call, with the contract that raised it.
    pub raised: Option<Raised>,
    /// The network's verdict, where it gave one.
    pub failure: Option<Failure>,
}

/// What came of an intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    /// It ended now.
    Settled(Box<Settled>),
    /// It took effect before, and was recorded then.
    AlreadyDone {
        /// The operation's row.
        operation: i64,
    },
}

/// Records what follows from an operation, in the write that ends it.
pub trait Recorder {
    /// Called once for an operation that ended, in whichever way; `operation.plan` is the intent's. An error undoes
    /// the write, and the operation stays as it was.
    ///
    /// # Errors
    /// Whatever keeps it from being recorded.
    fn record(&self, tx: &Tx<'_>, operation: &Operation, settled: &Settled) -> Result<()>;

    /// Whether the network itself keeps it from taking effect twice, and its effect can be read from the chain. Then an
    /// envelope whose time is over may be ended as expired though no endpoint remembers the ledgers that it was valid in.
    fn is_told_by_the_chain(&self, _operation: &Operation) -> bool {
        false
    }
}

/// Records nothing beside the operation itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct NothingMore;

impl Recorder for NothingMore {
    fn record(&self, _tx: &Tx<'_>, _operation: &Operation, _settled: &Settled) -> Result<()> {
        Ok(())
    }
}

/// An intent as it would go now: what a dry run shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsal {
    /// The most that it would cost, in stroops; not known while archived entries keep it from being tried.
    pub max_fee: Option<i64>,
    /// What its contract call would return.
    pub value: Option<ScVal>,
    /// Archived entries would be restored first, for this much in stroops beside.
    pub restore_fee: Option<i64>,
}
