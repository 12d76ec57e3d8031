//! Of `oracle …`: price feeds, and whether their prices may be used.

pub mod aggregate;
pub mod get;
pub mod quotes;

use base::amount::{E18, Quantity};
use base::forms;
use schemars::JsonSchema;
use serde::Serialize;
use vault::feed::Feed;
use vault::pool::ViewStamp;

/// A feed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FeedView {
    /// The operator's name for it.
    pub name: String,
    /// What it prices.
    pub asset: String,
    /// Its kind.
    pub kind: &'static str,
    /// Its contract; null for a fixed price.
    #[schemars(with = "Option<forms::EvmAddress>")]
    pub address: Option<String>,
    /// The price of a fixed feed.
    pub fixed_price: Option<Quantity>,
    /// The contract's own description.
    pub description: Option<String>,
    /// Oldest accepted quote.
    pub max_staleness_sec: u64,
    /// Lowest accepted price.
    pub min: Option<Quantity>,
    /// Highest accepted price.
    pub max: Option<Quantity>,
    /// Largest accepted change.
    #[schemars(with = "Option<forms::Decimal>")]
    pub max_deviation: Option<String>,
    /// Refusals in a row.
    pub failure_streak: u64,
}

impl From<&Feed> for FeedView {
    fn from(feed: &Feed) -> Self {
        let price = |e18| Quantity::new(e18, E18, "");
        Self {
            name: feed.name.clone(),
            asset: feed.asset.clone(),
            kind: feed.source.as_str(),
            address: feed.source.address().map(|address| address.to_string()),
            fixed_price: feed.source.fixed().map(price),
            description: feed.description.clone(),
            max_staleness_sec: feed.limits.max_staleness_sec,
            min: feed.limits.min_e18.map(price),
            max: feed.limits.max_e18.map(price),
            max_deviation: feed.limits.max_deviation_ppm.map(crate::views::ppm),
            failure_streak: feed.failure_streak,
        }
    }
}

/// What was added.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AddOutput {
    /// False where it stood there before.
    pub added: bool,
    /// The feed.
    #[serde(flatten)]
    pub feed: FeedView,
    /// Whose view of the contract.
    pub checked_at: Option<ViewStamp>,
}

/// The feeds.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ListOutput {
    /// In the order in which they were added.
    pub feeds: Vec<FeedView>,
    /// The price range of each feed that is believed, for a person.
    #[serde(skip)]
    pub bounds: Vec<Option<String>>,
}
