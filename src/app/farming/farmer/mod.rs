//! Of `farmer …`: the accounts that farm, and their keys.

pub mod funding;
pub mod trust;

use crate::farming;
use crate::paging::PageEnd;
use base::amount::Quantity;
use base::{clock, forms};

use kale::Farmer;
use kale::reward_split::ratio;
use kale::strategy::Strategy;
use schemars::JsonSchema;
use serde::Serialize;
use std::path::PathBuf;

/// A farmer.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct FarmerView {
    /// UUID; null for one that a dry run would register.
    pub id: Option<String>,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Its account; null for a key that a dry run would make.
    #[schemars(with = "Option<forms::StellarAccount>")]
    pub address: Option<String>,
    /// Name of its pooler.
    pub pooler: String,
    /// `wallet_created`, `funded`, `active`, `leaving` or `departed`.
    pub status: &'static str,
    /// The part of its balance that is staked.
    #[schemars(with = "forms::Decimal")]
    pub stake_percentage: String,
    /// Where its proceeds go; null = to itself.
    pub payout: Option<String>,
    /// What it is farmed by, where that is not as for all.
    pub strategy: StrategyView,
    /// When it was registered, RFC 3339 UTC.
    #[schemars(with = "Option<forms::Time>")]
    pub added_at: Option<String>,
    /// Since when it has its status.
    #[schemars(with = "Option<forms::Time>")]
    pub status_at: Option<String>,
}

/// What a farmer is farmed by; null = as for all, by the settings of the same names.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct StrategyView {
    /// Zeros that are enough.
    pub target_zeros: Option<u32>,
    /// Seconds of a block before which no work is submitted, except at the deadline.
    pub min_work_sec: Option<u64>,
    /// Whether nothing is planted.
    pub harvest_only: Option<bool>,
    /// Least stake; nothing is staked where the balance is smaller.
    pub min_stake: Option<Quantity>,
    /// Most stake.
    pub max_stake: Option<Quantity>,
    /// For a person.
    #[serde(skip)]
    pub words: String,
}

impl From<Strategy> for StrategyView {
    fn from(strategy: Strategy) -> Self {
        Self {
            target_zeros: strategy.target_zeros,
            min_work_sec: strategy.min_work_sec,
            harvest_only: strategy.harvest_only,
            min_stake: strategy.min_stake.map(farming::kale),
            max_stake: strategy.max_stake.map(farming::kale),
            words: strategy.to_string(),
        }
    }
}

impl From<Farmer> for FarmerView {
    fn from(farmer: Farmer) -> Self {
        Self {
            id: Some(farmer.id),
            name: farmer.name,
            address: Some(farmer.address),
            pooler: farmer.pooler,
            status: farmer.status.as_str(),
            stake_percentage: ratio(farmer.stake_percentage_ppm),
            payout: farmer.payout,
            strategy: farmer.strategy.into(),
            added_at: Some(clock::rfc3339(farmer.added_at)),
            status_at: Some(clock::rfc3339(farmer.status_at)),
        }
    }
}

impl FarmerView {
    /// Name and value of each field, for a person.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let words = &self.strategy.words;
        vec![
            ("farmer", self.id.clone().unwrap_or_default()),
            ("name", self.name.clone().unwrap_or_else(|| "–".to_owned())),
            ("address", self.address.clone().unwrap_or_else(|| "a new key".to_owned())),
            ("pooler", self.pooler.clone()),
            ("status", self.status.to_owned()),
            ("stake percentage", self.stake_percentage.clone()),
            ("payout", self.payout.clone().unwrap_or_else(|| "to itself".to_owned())),
            ("strategy", if words.is_empty() { "as for all".to_owned() } else { words.clone() }),
        ]
    }
}

/// What was registered.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EnrolOutput {
    /// False where it was there before, just so.
    pub changed: bool,
    /// True where the key was in the key store before.
    pub adopted: bool,
    /// The farmer.
    #[serde(flatten)]
    pub farmer: FarmerView,
    /// The key store.
    pub keys: PathBuf,
}

/// The submitter whose key was stored.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SubmitterOutput {
    /// False where the key was there before.
    pub changed: bool,
    /// The account.
    #[schemars(with = "forms::StellarAccount")]
    pub submitter: String,
    /// The key store.
    pub keys: PathBuf,
}

/// The sponsor that was set.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SponsorOutput {
    /// False where it was the sponsor before.
    pub changed: bool,
    /// The account that pays the fees.
    #[schemars(with = "forms::StellarAccount")]
    pub sponsor: String,
    /// The key store.
    pub keys: PathBuf,
}

/// The farmers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ListOutput {
    /// In the order in which they came.
    pub farmers: Vec<FarmerView>,
    /// Where the page ends.
    #[serde(flatten)]
    pub end: PageEnd,
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
    /// Addresses with a key but without a farmer: of a run that died, or imported for later.
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

/// The farmer as it is now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SetOutput {
    /// False where it was so already.
    pub changed: bool,
    /// The farmer.
    #[serde(flatten)]
    pub farmer: FarmerView,
}
