//! Oracles: feeds, the rules for accepting a quote, the price cache and its alerts.

pub mod quote;
