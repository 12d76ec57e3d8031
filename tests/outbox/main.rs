//! The exactly-once life of a transaction on a second chain: payments on the embedded EVM, and both chains' rows in one state.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test, what was not expected is to end it"
)]

mod beside;
mod both;
mod life;
mod support;
