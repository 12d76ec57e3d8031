//! The Stellar client and the exactly-once submit against the embedded network, with its faults and a faulty wire.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test, what was not expected is to end it"
)]

mod crash;
mod endpoints;
mod methods;
mod newer;
mod replies;
mod statuses;
mod submit;
mod support;
