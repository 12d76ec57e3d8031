//! The state through the library: query plans, money invariants, immutability, and what happens to the file.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, and breaks what the library protects"
)]

mod broken;
mod conservation;
mod faceless;
mod files;
mod gate;
mod intake;
mod leases;
mod ledger;
mod lexer;
mod meanwhile;
mod onchain;
mod past;
mod plans;
mod profit;
mod prune;
mod refusals;
mod report;
mod rooms;
mod schedule;
mod statements;
mod support;
mod withdrawals;
mod writers;
