//! The binary from outside: exit codes, stdout, stderr and files, in temp folders with a cleared environment.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

mod audit;
mod backup;
mod contract;
#[cfg(feature = "sandbox")]
mod demo;
mod farmers;
mod grind;
#[cfg(feature = "sandbox")]
mod help;
mod init;
mod keys;
mod lock;
mod metrics;
mod poolers;
#[cfg(feature = "sandbox")]
mod sandbox;
mod settings;
mod state_file;
mod support;
mod terminal;
#[cfg(feature = "sandbox")]
mod tour;
