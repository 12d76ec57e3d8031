//! `poolctl oracle fetch` and `check`: what the feeds say now, and whether it may be used.

use base::amount::{E18, Quantity, to_units};
use base::forms;
use schemars::JsonSchema;
use serde::Serialize;
use vault::oracle::Fetched;
use vault::pool::ViewStamp;
use watch::metrics::Gauge;

/// A price, or why there is none.
#[derive(Debug, Serialize, JsonSchema)]
pub struct QuoteView {
    /// The feed.
    pub feed: String,
    /// What it prices.
    pub asset: String,
    /// The feed's kind; a price of the kind `fixed` is the operator's own.
    pub kind: &'static str,
    /// `ok`, or the kind of refusal.
    pub status: &'static str,
    /// The price, if accepted.
    pub price: Option<Quantity>,
    /// When the feed computed it, RFC 3339; null for a fixed price.
    #[schemars(with = "Option<forms::Time>")]
    pub updated_at: Option<String>,
    /// Its age against its block, and the time since.
    pub age_sec: Option<u64>,
    /// Why it was refused.
    pub why: Option<String>,
}

impl From<&Fetched> for QuoteView {
    fn from(fetched: &Fetched) -> Self {
        let empty = Self {
            feed: fetched.feed.name.clone(),
            asset: fetched.feed.asset.clone(),
            kind: fetched.feed.source.as_str(),
            status: "ok",
            price: None,
            updated_at: None,
            age_sec: None,
            why: None,
        };
        match &fetched.result {
            Ok(price) => Self {
                price: Some(Quantity::new(price.price_e18, E18, "")),
                updated_at: price.read.as_ref().map(|read| crate::farming::time(read.updated_at)),
                age_sec: price.read.as_ref().map(|read| read.age_sec),
                ..empty
            },
            Err(refusal) => Self { status: refusal.as_str(), why: Some(refusal.to_string()), ..empty },
        }
    }
}

impl QuoteView {
    /// The last accepted price, and its age.
    pub fn gauges(&self) -> Vec<Gauge> {
        let gauge = |name, help, value| Gauge {
            name,
            help,
            labels: vec![("feed", self.feed.clone()), ("asset", self.asset.clone())],
            value,
        };
        let price = self.price.as_ref().map(|price| {
            gauge("poolctl_oracle_price", "Last accepted price.", to_units(price.base, price.decimals))
        });
        let age = self.age_sec.map(|age| {
            let help = "Age of the last accepted price against its block, and the time since.";
            gauge("poolctl_oracle_price_age_seconds", help, age.to_string())
        });
        price.into_iter().chain(age).collect()
    }
}

/// What feeds answered.
#[derive(Debug, Serialize, JsonSchema)]
pub struct QuotesOutput {
    /// The block and endpoint; null where no feed was read.
    pub view: Option<ViewStamp>,
    /// Feed by feed.
    pub quotes: Vec<QuoteView>,
}
