//! `poolctl farmer list` and `farmer show`.

use crate::farmer::FarmerView;
use base::amount::Quantity;
use base::forms;
use schemars::JsonSchema;
use serde::Serialize;

/// The farmers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ListOutput {
    /// In the order in which they came.
    pub farmers: Vec<FarmerView>,
    /// What the comparison with the key store found; null where it was not asked for.
    pub keys: Option<KeysView>,
}

/// Key store and farmers compared.
#[derive(Debug, Serialize, JsonSchema)]
pub struct KeysView {
    /// Keys in the store.
    pub keys: usize,
    /// The fee sponsor.
    #[schemars(with = "Option<forms::StellarAccount>")]
    pub sponsor: Option<String>,
    /// Addresses with a key that are no farmer's: of a run that died, or imported for later.
    pub without_farmer: Vec<String>,
    /// Addresses of farmers whose key is not there.
    pub without_key: Vec<String>,
}

/// A farmer with its terms.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ShowOutput {
    /// The farmer.
    #[serde(flatten)]
    pub farmer: FarmerView,
    /// Its own part of each reward.
    #[schemars(with = "forms::Decimal")]
    pub farmer_part: String,
    /// The pooler's part.
    #[schemars(with = "forms::Decimal")]
    pub reward_split: String,
    /// The operator's part.
    #[schemars(with = "forms::Decimal")]
    pub platform_fee: String,
    /// How its last stakes ended, the oldest first.
    pub blocks: Vec<BlockView>,
}

/// How a stake ended.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BlockView {
    /// The block.
    pub block: u32,
    /// `harvested`, `harvested_elsewhere` or `lost`.
    pub outcome: String,
    /// The stake.
    pub stake: Quantity,
    /// The whole reward, before it is shared out.
    pub reward: Quantity,
}
