//! Of `withdrawal …`: asked for, listed, completed by what the chain shows, or given up.

use crate::paging::PageEnd;
use base::amount::Quantity;
use base::{Error, Result, clock, forms};
use evm::ViewStamp;
use schemars::JsonSchema;
use serde::Serialize;
use vault::pool::{Member, Pool};
use vault::risk::verdict::Verdict;
use vault::withdrawal::{Status, Withdrawal};

/// A withdrawal.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WithdrawalView {
    /// Its id, by which it is completed or failed.
    pub id: i64,
    /// The pool.
    pub pool: String,
    /// The member's address.
    #[schemars(with = "forms::EvmAddress")]
    pub member: String,
    /// The member's name, if it has one.
    pub member_name: Option<String>,
    /// Shares to be withdrawn.
    pub shares: Quantity,
    /// What they were worth when it was asked for, by the sync before.
    pub assets: Quantity,
    /// `pending`, `processing`, `completed` or `failed`.
    pub status: Status,
    /// Whether its shares are reserved: until it failed, or its transfer is among the replayed ones.
    pub reserves_shares: bool,
    /// The key that it was asked for with.
    pub idempotency_key: Option<String>,
    /// When it was asked for, RFC 3339.
    #[schemars(with = "forms::Time")]
    pub requested_at: String,
    /// When its transaction was first named without being final, RFC 3339.
    #[schemars(with = "Option<forms::Time>")]
    pub processing_at: Option<String>,
    /// When it was completed or failed, RFC 3339.
    #[schemars(with = "Option<forms::Time>")]
    pub ended_at: Option<String>,
    /// The transaction that moves the shares.
    #[schemars(with = "Option<forms::EvmHash>")]
    pub tx_hash: Option<String>,
    /// Completed: true where the chain showed it, false where only the operator says so.
    pub verified: Option<bool>,
    /// Why it failed.
    pub error: Option<String>,
}

impl WithdrawalView {
    /// A withdrawal of this pool.
    pub fn of(pool: &Pool, withdrawal: Withdrawal) -> Self {
        Self {
            id: withdrawal.id,
            pool: pool.name.clone(),
            member: withdrawal.member.address.to_string(),
            member_name: withdrawal.member.name,
            shares: pool.shares(withdrawal.shares),
            assets: pool.asset.quantity(withdrawal.assets),
            status: withdrawal.status,
            reserves_shares: withdrawal.reserves,
            idempotency_key: withdrawal.key,
            requested_at: clock::rfc3339(withdrawal.requested_at),
            processing_at: withdrawal.processing_at.map(clock::rfc3339),
            ended_at: withdrawal.ended_at.map(clock::rfc3339),
            tx_hash: withdrawal.tx.map(|tx| tx.to_string()),
            verified: withdrawal.verified,
            error: withdrawal.error,
        }
    }

    /// Of whichever pool it is.
    pub fn in_pools(pools: &[Pool], withdrawal: Withdrawal) -> Result<Self> {
        let pool = pools
            .iter()
            .find(|pool| pool.id == withdrawal.pool_id)
            .ok_or_else(|| Error::corrupt(format!("withdrawal {} is of no pool", withdrawal.id)))?;
        Ok(Self::of(pool, withdrawal))
    }

    /// The status, and what stands behind it.
    pub fn standing(&self) -> String {
        let word = self.status.as_str();
        match (self.status, self.verified) {
            (Status::Completed, Some(false)) => format!("{word} (UNVERIFIED)"),
            _ => word.to_owned(),
        }
    }

    /// "withdrawal 7: pending, 12.50 sUSD (12.61 USD) of alice from pool "main"".
    pub fn line(&self) -> String {
        let member = self.member_name.as_ref().unwrap_or(&self.member);
        let of = format!("{} ({}) of {member} from pool \"{}\"", self.shares, self.assets, self.pool);
        format!("withdrawal {}: {}, {of}", self.id, self.standing())
    }
}

/// The withdrawal as it is now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CompleteOutput {
    /// False where it stood like this before.
    pub changed: bool,
    /// The withdrawal.
    pub withdrawal: WithdrawalView,
    /// Whose view of the chain; null where it was not asked.
    pub view: Option<ViewStamp>,
}

/// The withdrawal as it is now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FailOutput {
    /// False where it had failed before.
    pub changed: bool,
    /// The withdrawal.
    pub withdrawal: WithdrawalView,
}

/// Withdrawals.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ListOutput {
    /// The newest first.
    pub withdrawals: Vec<WithdrawalView>,
    /// Where the page ends.
    #[serde(flatten)]
    pub end: PageEnd,
    /// Seconds since each was asked for.
    #[serde(skip)]
    pub ages: Vec<u64>,
}

/// What became of the request.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RequestOutput {
    /// True where it is new.
    pub requested: bool,
    /// The withdrawal; null where it does not validate.
    pub withdrawal: Option<WithdrawalView>,
    /// Whether it is valid, and every failed rule.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// What was asked for, for a person.
    #[serde(skip)]
    pub what: String,
}

/// What is asked for, for a person.
pub fn what(pool: &Pool, member: &Member, shares: &Quantity) -> String {
    format!("withdrawal of {shares} by {} from pool \"{}\"", member.shown(), pool.name)
}
