//! Of `oracle …`: price feeds, and whether their prices may be used.

use crate::farming::time;
use crate::paging::PageEnd;
use crate::pools::views::ppm;
use base::amount::{Base, E18, Quantity, to_units};
use base::{clock, forms};
use evm::ViewStamp;
use schemars::JsonSchema;
use serde::Serialize;
use vault::feed::Feed;
use vault::oracle::{self, Fetched, Price};
use watch::metrics::Gauge;

/// A price in whole units.
pub fn price(e18: Base) -> Quantity {
    Quantity::new(e18, E18, "")
}

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
    /// Since when it is not asked any more, RFC 3339; null while it is in use.
    #[schemars(with = "Option<forms::Time>")]
    pub removed_at: Option<String>,
}

impl From<&Feed> for FeedView {
    fn from(feed: &Feed) -> Self {
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
            max_deviation: feed.limits.max_deviation_ppm.map(ppm),
            failure_streak: feed.failure_streak,
            removed_at: feed.removed_at.map(clock::rfc3339),
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

/// The feed as it is now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SetOutput {
    /// False where it was so already.
    pub changed: bool,
    /// The feed.
    #[serde(flatten)]
    pub feed: FeedView,
    /// Whose view of the contract, where it was looked at.
    pub checked_at: Option<ViewStamp>,
}

/// The feed that was removed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RemoveOutput {
    /// False where it was removed before.
    pub changed: bool,
    /// The feed.
    #[serde(flatten)]
    pub feed: FeedView,
}

/// The feeds.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ListOutput {
    /// In the order in which they were added.
    pub feeds: Vec<FeedView>,
    /// Where the page ends.
    #[serde(flatten)]
    pub end: PageEnd,
    /// The price range of each feed that is believed, for a person.
    #[serde(skip)]
    pub bounds: Vec<Option<String>>,
}

/// A valid price.
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
            price: self::price(price.price_e18),
            feed: price.feed,
            updated_at: price.read.as_ref().map(|read| time(read.updated_at)),
            age_sec: price.read.as_ref().map(|read| read.age_sec),
            view: price.read.map(|read| read.view),
        }
    }
}

/// The median, or why there is none.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AggregateOutput {
    /// What is priced.
    pub asset: String,
    /// The price; null where there is none.
    pub price: Option<Quantity>,
    /// When the oldest quote that was used was computed, RFC 3339; null where all prices are fixed.
    #[schemars(with = "Option<forms::Time>")]
    pub updated_at: Option<String>,
    /// How old that one is.
    pub age_sec: Option<u64>,
    /// The lowest and the highest price that was used.
    pub range: Option<[Quantity; 2]>,
    /// How many prices it takes.
    pub quorum: usize,
    /// Those that were used.
    pub used: Vec<QuoteView>,
    /// Those that were left out, and why.
    pub left_out: Vec<QuoteView>,
    /// The block and endpoint; null where all prices are fixed.
    pub view: Option<ViewStamp>,
}

impl AggregateOutput {
    /// The median that was found, or why there is none.
    pub fn of(asset: String, found: &oracle::Aggregate) -> Self {
        let median = found.result.as_ref().ok();
        let quotes = |ok: bool| {
            let quotes = found.fetched.iter().filter(|fetched| fetched.result.is_ok() == ok);
            quotes.map(QuoteView::from).collect()
        };
        Self {
            asset,
            price: median.map(|median| price(median.price_e18)),
            updated_at: median.and(found.updated_at()).map(time),
            age_sec: median.and(found.age_sec()),
            range: median.map(|median| [price(median.lowest_e18), price(median.highest_e18)]),
            quorum: found.quorum,
            used: quotes(true),
            left_out: quotes(false),
            view: found.view.clone(),
        }
    }
}

/// A price, or why there is none.
#[derive(Debug, Default, Serialize, JsonSchema)]
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
            ..Self::default()
        };
        match &fetched.result {
            Ok(price) => Self {
                price: Some(self::price(price.price_e18)),
                updated_at: price.read.as_ref().map(|read| time(read.updated_at)),
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
        let labels = vec![("feed", self.feed.clone()), ("asset", self.asset.clone())];
        let gauge = |name, help, value| Gauge { name, help, labels: labels.clone(), value };
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
