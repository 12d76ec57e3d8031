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
mod grind;
mod help;
mod init;
mod lock;
mod metrics;
mod settings;
mod state_file;
mod support;
mod terminal;
