//! Every command that writes, disturbed at its syscalls – killed, EIO, ENOSPC – and run again: the same end as undisturbed.
//!
//! A few points of each command in every run of the tests, others with another `SWEEP_SEED`; as many as wanted of each
//! with `SWEEP_POINTS=N`, and all that there are with `SWEEP_POINTS=all` (thousands). Some once more beside a farm at work and a
//! reader. And pairs of them at the same moment.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stderr,
    missing_docs,
    reason = "a test stops at the first surprise, and looks into what the library protects"
)]

mod busy;
mod dry;
mod facts;
mod farm;
mod homes;
mod known;
mod named;
mod pairs;
mod registry;
mod strace;
mod sweep;

#[path = "../farm/desk.rs"]
#[allow(dead_code, unused_imports, reason = "the harness serves another binary too")]
mod desk;
#[path = "../farm/same.rs"]
#[allow(dead_code, unused_imports, reason = "the harness serves another binary too")]
mod same;
#[path = "../it/support.rs"]
#[allow(dead_code, unused_imports, reason = "the harness serves another binary too")]
mod support;

/// The desk of the EVM's tests.
#[path = "../evm_job"]
mod evm {
    pub const NODE: poolctl_testkit::NodeKind = poolctl_testkit::NodeKind::Sandbox;

    #[allow(dead_code, unused_imports, reason = "the harness serves another binary too")]
    pub mod desk;
}
