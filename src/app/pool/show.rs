//! Of `pool show`: everything that the state knows of one pool.

use crate::alerts::AlertView;
use crate::views::PoolView;
use base::amount::Quantity;
use base::forms;
use schemars::JsonSchema;
use serde::Serialize;

/// A pool, whole.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ShowOutput {
    /// The figures of the last sync.
    #[serde(flatten)]
    pub pool: PoolView,
    /// Symbol of the share token.
    pub share_symbol: String,
    /// Block of its creation.
    pub deploy_block: u64,
    /// Transfers are replayed through this block.
    pub transfers_through: Option<u64>,
    /// Members with shares.
    pub holders: u64,
    /// Fall of the rate that is an alert.
    #[schemars(with = "forms::Decimal")]
    pub max_rate_drop: String,
    /// What is wrong with it, the newest first: alerts of syncs and violations of risk rules that are open.
    pub alerts: Vec<AlertView>,
    /// First block that earns rewards, once known.
    pub reward_genesis_block: Option<u64>,
    /// Start of the next epoch to be paid, once known.
    pub reward_next_block: Option<u64>,
    /// TVL and rate at the last syncs, the oldest first.
    pub history: Vec<SyncPoint>,
}

/// TVL and rate at one sync.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SyncPoint {
    /// Block height.
    pub block: u64,
    /// TVL.
    pub total_assets: Quantity,
    /// Assets per share.
    pub exchange_rate: Quantity,
}
