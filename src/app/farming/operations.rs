//! Of `operations …`: transactions that are not settled yet.

use crate::Document;
use crate::failures::{Failure, partly};
use crate::farming::ended_as;
use crate::paging::PageEnd;
use base::{Error, forms};
use outbox::{GivenUp, Operation};
use schemars::JsonSchema;
use serde::Serialize;
use stellar::submit::Stellar;

/// Transactions that are not settled.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ListOutput {
    /// The oldest first.
    pub operations: Vec<OperationView>,
    /// Where the page ends.
    #[serde(flatten)]
    pub end: PageEnd,
}

/// A transaction that is not settled.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OperationView {
    /// Its number, for `operations give-up`.
    pub id: i64,
    /// What is intended: what, on which network, for whom, where.
    pub key: String,
    /// How far it is: `planned`, `signed`, `sent` or `confirmed`.
    pub state: &'static str,
    /// When it was planned.
    #[schemars(with = "forms::Time")]
    pub planned_at: String,
    /// Hash of its last envelope; null where none was signed.
    #[schemars(with = "Option<forms::Digest>")]
    pub hash: Option<String>,
    /// Ledger time until which that may take effect.
    #[schemars(with = "Option<forms::Time>")]
    pub valid_until: Option<String>,
}

/// What became of the transactions.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct SettleOutput {
    /// The oldest first.
    pub operations: Vec<SettledView>,
    /// Those that are not settled, and why.
    #[serde(skip)]
    pub failures: Vec<Failure>,
}

/// What became of a transaction.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SettledView {
    /// What was intended.
    pub key: String,
    /// Whether it is known now what became of it; in a dry run, whether it would be.
    pub settled: bool,
    /// How it ended, or why that is not known.
    pub status: String,
}

impl SettleOutput {
    /// Takes in what came of an operation: whether it is known, and how it ended.
    pub fn take(&mut self, operation: &Operation, settled: bool, status: String, failure: Option<Error>) {
        self.failures.extend(failure.map(|e| (operation.key.clone(), e)));
        self.operations.push(SettledView { key: operation.key.clone(), settled, status });
    }
}

impl Document for SettleOutput {
    fn failure(&self) -> Option<Error> {
        partly(self.operations.len() - self.failures.len(), &self.failures, "operations")
    }
}

/// A transaction that is given up.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GiveUpOutput {
    /// Its number.
    pub id: i64,
    /// What was intended.
    pub key: String,
    /// `given_up` or `would_give_up`; `settled` or `would_settle` where an endpoint knows what became of it.
    pub status: &'static str,
    /// How it ended, where an endpoint knows.
    pub ended: Option<String>,
}

impl GiveUpOutput {
    /// What became of it; the words say how it ended, given up or settled.
    pub fn of(id: i64, given: GivenUp<Stellar>, [given_up, settled]: [&'static str; 2]) -> Self {
        let ended = given.known.map(|known| ended_as(known.status).to_owned());
        let status = if ended.is_some() { settled } else { given_up };
        Self { id, key: given.operation.key, status, ended }
    }
}
