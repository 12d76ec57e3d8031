//! Oracles: reading feeds, the price cache and its alerts, and the median of several.

mod cache;
mod fetch;
pub mod median;
pub mod sequencer;

pub use cache::{Price, Reading, Standing, cached, cached_of, standings};
pub use fetch::{Deviation, Fetched, fetch, price};
pub use median::{Aggregate, aggregate};
