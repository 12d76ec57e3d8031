//! Oracles: feeds, the rules for accepting a quote, the price cache and its alerts.

mod aggregate;
mod cache;
mod feeds;
mod fetch;
pub mod median;
pub mod quote;
pub mod sequencer;
mod source;

pub use aggregate::{Aggregate, aggregate};
pub use cache::{Price, Reading, Standing, cached, standings};
pub use feeds::{AddFeed, Feed, add, all, asset_name, examine, find, of_asset, of_pool};
pub(crate) use fetch::is_silence;
pub use fetch::{Deviation, Fetched, fetch, price};
pub use source::Source;
