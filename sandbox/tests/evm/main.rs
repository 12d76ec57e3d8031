//! The EVM network from outside: over HTTP alone, as a client sees it.
#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "in a test, what was not expected is to end it"
)]

mod anvil;
mod artifacts;
mod chain;
mod concurrency;
mod faults;
mod methods;
mod transactions;
mod wire;
mod world;
