//! The EVM job from outside: the real binary on a real node, whole rounds, bad input, bad days and kills.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::duplicate_mod,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise; every file is compiled for both nodes"
)]

#[path = "."]
mod anvil {
    pub const NODE: poolctl_testkit::NodeKind = poolctl_testkit::NodeKind::Anvil;

    mod bases;
    mod breaker;
    mod changes;
    mod crash;
    mod damaged;
    mod deposits;
    mod desk;
    mod doctor;
    mod endpoints;
    mod epochs;
    mod evidence;
    mod examples;
    mod export;
    mod full_disk;
    mod input;
    mod interleavings;
    mod long_run;
    mod month;
    mod odd;
    mod oracles;
    mod orders;
    mod pinned;
    mod prices;
    mod profiles;
    mod providers;
    mod receipts;
    mod reconcile;
    mod reorg;
    mod rescan;
    mod rewards;
    mod risk;
    mod round;
    mod secrets;
    mod settings;
    mod sync;
    mod unsound;
    mod validation;
    mod verify;
    mod vitals;
    mod withdrawals;
    mod yields;
}

#[path = "."]
mod sandbox {
    pub const NODE: poolctl_testkit::NodeKind = poolctl_testkit::NodeKind::Sandbox;

    mod bases;
    mod breaker;
    mod changes;
    mod crash;
    mod damaged;
    mod deposits;
    mod desk;
    mod doctor;
    mod endpoints;
    mod epochs;
    mod evidence;
    mod examples;
    mod export;
    mod full_disk;
    mod input;
    mod interleavings;
    mod long_run;
    mod month;
    mod odd;
    mod oracles;
    mod orders;
    mod pinned;
    mod prices;
    mod profiles;
    mod providers;
    mod receipts;
    mod reconcile;
    mod reorg;
    mod rescan;
    mod rewards;
    mod risk;
    mod round;
    mod secrets;
    mod settings;
    mod sync;
    mod unsound;
    mod validation;
    mod verify;
    mod vitals;
    mod withdrawals;
    mod yields;
}

#[path = "../it/support.rs"]
#[allow(dead_code, reason = "the harness serves another binary too")]
mod support;
