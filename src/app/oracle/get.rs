//! Of `oracle get`: one price, from the cache while it is fresh.

use base::amount::{E18, Quantity};
use base::forms;
use schemars::JsonSchema;
use serde::Serialize;
use vault::oracle::Price;
use vault::pool::ViewStamp;

/// A price that may be used.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GetOutput {
    /// What is priced.
    pub asset: String,
    /// The price.
    pub price: Quantity,
    /// The feed it comes from.
    pub feed: String,
    /// `cache`, `chain`, `degraded` where the chain could not be read, or `fixed` for the operator's own price.
    pub source: &'static str,
    /// When the feed computed it, RFC 3339; null for a fixed price, as are the next two.
    #[schemars(with = "Option<forms::Time>")]
    pub updated_at: Option<String>,
    /// Its age.
    pub age_sec: Option<u64>,
    /// The block and endpoint it was read at.
    pub view: Option<ViewStamp>,
}

impl GetOutput {
    /// A price, and where it came from.
    pub fn of(price: Price, source: &'static str) -> Self {
        Self {
            source: if price.is_fixed() { "fixed" } else { source },
            asset: price.asset,
            price: Quantity::new(price.price_e18, E18, ""),
            feed: price.feed,
            updated_at: price.read.as_ref().map(|read| crate::farming::time(read.updated_at)),
            age_sec: price.read.as_ref().map(|read| read.age_sec),
            view: price.read.map(|read| read.view),
        }
    }
}
