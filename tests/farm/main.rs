//! The farm through the real binary, on the embedded network: plant, work, harvest, and what is booked of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, and looks into what the library protects"
)]

mod beside;
mod block;
mod crash;
mod desk;
mod doctor;
mod examples;
mod faults;
mod first;
mod funding;
mod harvest;
mod held;
mod hook;
mod index;
mod lies;
mod losses;
mod means;
mod newer;
mod plant;
mod prune;
mod reconcile;
mod round;
mod run;
mod same;
mod scheduled;
mod secrets;
#[cfg(feature = "serve")]
mod served;
mod storm;
mod strategy;
mod stuck;
mod submit;
mod submitter;
mod trust;
mod vitals;
mod work;

#[path = "../it/support.rs"]
#[allow(dead_code, unused_imports, reason = "the harness serves another binary too")]
mod support;
