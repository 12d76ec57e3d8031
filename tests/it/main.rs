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
mod completions;
mod contract;
#[cfg(feature = "sandbox")]
mod demo;
mod docs;
mod doctor;
mod examples;
mod farmers;
mod grind;
mod health;
#[cfg(feature = "sandbox")]
mod help;
mod init;
mod keys;
mod lock;
#[cfg(feature = "sandbox")]
mod man;
mod metrics;
mod monitoring;
mod notify;
mod out_files;
mod pings;
mod poolers;
#[cfg(feature = "sandbox")]
mod quiet;
#[cfg(feature = "sandbox")]
mod report;
#[cfg(feature = "sandbox")]
mod sandbox;
mod schedule;
#[cfg(feature = "sandbox")]
mod schema;
#[cfg(feature = "serve")]
mod server;
mod settings;
mod state_file;
mod status;
mod support;
mod terminal;
#[cfg(feature = "sandbox")]
mod tour;
