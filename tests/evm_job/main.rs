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

    mod bases;
    mod breaker;
    mod changes;
    mod deposits;
    mod desk;
    mod epochs;
    mod evidence;
    mod interleavings;
    mod long_run;
    mod month;
    mod odd;
    mod oracles;
    mod orders;
    mod pinned;
    mod prices;
    mod profiles;
    mod receipts;
    mod reconcile;
    mod reorg;
    mod rescan;
    mod rewards;
    mod risk;
    mod round;
    mod settings;
    mod sync;
    mod validation;
    mod verify;
    mod withdrawals;
    mod yields;
}

#[path = "."]
mod sandbox {
    pub const NODE: poolctl_testkit::NodeKind = poolctl_testkit::NodeKind::Sandbox;

    mod bases;
    mod breaker;
    mod changes;
    mod deposits;
    mod desk;
    mod epochs;
    mod evidence;
    mod interleavings;
    mod long_run;
    mod month;
    mod odd;
    mod oracles;
    mod orders;
    mod pinned;
    mod prices;
    mod profiles;
    mod receipts;
    mod reconcile;
    mod reorg;
    mod rescan;
    mod rewards;
    mod risk;
    mod round;
    mod settings;
    mod sync;
    mod validation;
    mod verify;
    mod withdrawals;
    mod yields;

    // What no chain shows: files, kills, and wires that answer for it.
    mod crash;
    mod damaged;
    mod doctor;
    mod endpoints;
    mod examples;
    mod export;
    mod full_disk;
    mod input;
    mod providers;
    mod secrets;
    mod unsound;
    mod vitals;
}

#[path = "../it/support.rs"]
#[allow(dead_code, reason = "the harness serves another binary too")]
mod support;
