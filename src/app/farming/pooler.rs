//! Of `pooler …`: who works for the farmers.

use crate::paging::PageEnd;
use base::{clock, forms};
use kale::Pooler;
use kale::reward_split::ratio;
use schemars::JsonSchema;
use serde::Serialize;

/// A pooler.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PoolerView {
    /// UUID.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Most farmers that it takes.
    pub capacity: u32,
    /// Its farmers, without those who have departed.
    pub farmers: u32,
    /// Its part of each reward.
    #[schemars(with = "forms::Decimal")]
    pub reward_split: String,
    /// The operator's part of each reward.
    #[schemars(with = "forms::Decimal")]
    pub platform_fee: String,
    /// When it was added, RFC 3339 UTC.
    #[schemars(with = "forms::Time")]
    pub added_at: String,
    /// When it last worked; null = never.
    #[schemars(with = "Option<forms::Time>")]
    pub last_seen_at: Option<String>,
}

impl From<Pooler> for PoolerView {
    fn from(pooler: Pooler) -> Self {
        Self {
            id: pooler.id,
            name: pooler.name,
            capacity: pooler.capacity,
            farmers: pooler.farmers,
            reward_split: ratio(pooler.terms.reward_split_ppm()),
            platform_fee: ratio(pooler.terms.platform_fee_ppm()),
            added_at: clock::rfc3339(pooler.added_at),
            last_seen_at: pooler.last_seen_at.map(clock::rfc3339),
        }
    }
}

/// What was added.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AddOutput {
    /// False where it was there before, just so.
    pub changed: bool,
    /// The pooler.
    #[serde(flatten)]
    pub pooler: PoolerView,
}

/// The pooler as it is now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SetOutput {
    /// False where it was so already.
    pub changed: bool,
    /// The pooler.
    #[serde(flatten)]
    pub pooler: PoolerView,
}

/// The poolers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ListOutput {
    /// By name.
    pub poolers: Vec<PoolerView>,
    /// Where the page ends.
    #[serde(flatten)]
    pub end: PageEnd,
}
