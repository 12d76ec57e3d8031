//! The EVM job from outside: the real binary on a real node, whole rounds, bad input, bad days and kills.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::duplicate_mod,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise; most files are compiled for both nodes"
)]

#[path = "."]
mod anvil {
    pub const NODE: poolctl_testkit::NodeKind = poolctl_testkit::NodeKind::Anvil;

    #[path = "both.rs"]
    mod both;
}

#[path = "."]
mod sandbox {
    pub const NODE: poolctl_testkit::NodeKind = poolctl_testkit::NodeKind::Sandbox;

    #[path = "both.rs"]
    mod both;

    // What no chain shows: files, kills, and wires that answer for it.
    use both::{desk, rescan, withdrawals};
    mod crash;
    mod damaged;
    mod doctor;
    mod endpoints;
    mod examples;
    mod export;
    mod full_disk;
    mod input;
    mod lists;
    mod providers;
    mod secrets;
    #[cfg(feature = "serve")]
    mod served;
    mod unsound;
    mod vitals;
}

#[path = "../it/support.rs"]
#[allow(dead_code, unused_imports, reason = "the harness serves another binary too")]
mod support;
