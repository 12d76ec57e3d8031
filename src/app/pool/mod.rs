//! Of `pool …`: the pools there are, and what a member has in one.

pub mod accept_change;
pub mod add;
pub mod reconcile;
pub mod rescan;
pub mod show;
pub mod validate_deposit;
pub mod validate_withdrawal;

use crate::views::PoolView;
use base::amount::Quantity;
use base::forms;
use schemars::JsonSchema;
use serde::Serialize;
use vault::pool::ViewStamp;

/// The pools.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ListOutput {
    /// By age in the state.
    pub pools: Vec<PoolView>,
}

/// A member's position, as the state knows it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PositionOutput {
    /// The member's address.
    pub member: String,
    /// The member's name, if it has one.
    pub member_name: Option<String>,
    /// The pool.
    pub pool: String,
    /// Shares.
    pub shares: Quantity,
    /// Their worth, rounded down; null before the first sync.
    pub underlying: Option<Quantity>,
    /// Rewards not yet claimed, one amount per reward token.
    pub unclaimed: Vec<Reward>,
    /// Rewards claimed so far.
    pub claimed: Vec<Reward>,
    /// Rewards in Merkle trees, to be claimed on chain.
    pub exported: Vec<Reward>,
    /// Time of the last deposit, RFC 3339.
    #[schemars(with = "Option<forms::Time>")]
    pub last_deposit: Option<String>,
    /// Block of the last deposit.
    pub last_deposit_block: Option<u64>,
    /// Whose view; null before the first sync.
    pub view: Option<ViewStamp>,
    /// How long ago that was read.
    pub age_sec: Option<u64>,
}

/// A reward in one token.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Reward {
    /// The token's symbol.
    pub symbol: String,
    /// The amount.
    pub amount: Quantity,
}
