//! The EVM job from outside: the real binary on a real node, whole rounds, bad input, bad days and kills.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

mod crash;
mod desk;
mod endpoints;
mod input;
mod oracles;
mod pinned;
mod reorg;
mod rewards;
mod risk;
mod round;
mod secrets;
mod settings;
mod sync;

#[path = "../it/support.rs"]
#[allow(dead_code, reason = "the harness serves another binary too")]
mod support;
