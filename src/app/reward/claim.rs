//! Of `reward pending|claim`: what is owed, and its claim.

use base::amount::Quantity;
use schemars::JsonSchema;
use serde::Serialize;
use vault::reward::Pending;

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
