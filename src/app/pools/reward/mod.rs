//! Of `reward …`: weights, cycles, epochs, what is owed, and claims.

pub mod apr;
pub mod epoch;
pub mod export;
pub mod verify;

use crate::Document;
use crate::failures::{Failure, partly};
use base::amount::Quantity;
use base::{Error, forms};
use schemars::JsonSchema;
use serde::Serialize;
use vault::reward::{CycleReport, Pending};

/// What is owed in one pool, in one token.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PendingView {
    /// The pool.
    pub pool: String,
    /// The token's symbol.
    pub symbol: String,
    /// The sum.
    pub amount: Quantity,
    /// Epochs it comes from; null for a pool's total.
    pub epochs: Option<u64>,
}

impl From<Pending> for PendingView {
    fn from(pending: Pending) -> Self {
        Self {
            pool: pending.pool,
            symbol: pending.amount.symbol.clone(),
            amount: pending.amount,
            epochs: Some(pending.epochs),
        }
    }
}

/// Rewards that are not claimed yet.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PendingOutput {
    /// The member's address; null for the pools' totals.
    pub member: Option<String>,
    /// By pool and token.
    pub pending: Vec<PendingView>,
    /// What is in Merkle trees, to be claimed on chain; by pool and token, of a member only.
    pub exported: Vec<PendingView>,
}

/// What was credited.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ClaimOutput {
    /// The member's address.
    pub member: String,
    /// By pool and token; empty where there was nothing to claim.
    pub credited: Vec<PendingView>,
    /// What is in Merkle trees, to be claimed on chain; by pool and token.
    pub exported: Vec<PendingView>,
    /// Audit event and ledger transaction.
    pub event: Option<i64>,
}

/// What was set.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SetWeightOutput {
    /// The pool.
    pub pool: String,
    /// Its weight.
    #[schemars(with = "forms::Decimal")]
    pub weight: String,
    /// First block it holds for.
    pub effective_block: u64,
    /// False where it was so already.
    pub changed: bool,
    /// The weight that was announced for that block before, and is withdrawn.
    #[schemars(with = "Option<forms::Decimal>")]
    pub replaces: Option<String>,
}

/// A pool's weight.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WeightView {
    /// The pool.
    pub pool: String,
    /// In force at the next epoch; null where it takes no part yet.
    #[schemars(with = "Option<forms::Decimal>")]
    pub weight: Option<String>,
    /// Share of the emission, 0 to 1, cut to six decimals; null where all weights are 0.
    #[schemars(with = "Option<forms::Decimal>")]
    pub share: Option<String>,
    /// A change to come.
    #[schemars(with = "Option<forms::Decimal>")]
    pub next_weight: Option<String>,
    /// First block of that change.
    pub next_block: Option<u64>,
}

/// The weights.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WeightsOutput {
    /// By pool.
    pub weights: Vec<WeightView>,
}

impl Document for CycleReport {
    fn failure(&self) -> Option<Error> {
        let failures: Vec<Failure> =
            self.pools.iter().filter_map(|p| Some((p.pool.clone(), p.failure.clone()?))).collect();
        partly(self.pools.len() - failures.len(), &failures, "pools")
    }

    fn warnings(&self) -> &[String] {
        &self.notes
    }
}
