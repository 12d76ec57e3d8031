//! The kit tried against itself: both nodes, the worlds, the wire.
#![allow(clippy::duplicate_mod, reason = "every file about nodes is compiled for both")]

#[path = "."]
mod anvil {
    const NODE: poolctl_testkit::NodeKind = poolctl_testkit::NodeKind::Anvil;

    mod node;
}

#[path = "."]
mod sandbox {
    const NODE: poolctl_testkit::NodeKind = poolctl_testkit::NodeKind::Sandbox;

    mod node;
}

mod browser;
mod wire;
