//! Oracles: feeds, the rules for accepting a quote, the price cache and its alerts.

mod feeds;
mod fetch;
pub mod quote;

pub use feeds::{AddFeed, Feed, FeedKind, add, all, asset_name, find, of_asset, of_pool};
pub(crate) use fetch::is_silence;
pub use fetch::{Fetched, Price, cached, fetch, price};
