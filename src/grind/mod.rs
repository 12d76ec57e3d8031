//! The grinder: finds nonces whose KALE hash begins with many zeros, as fast as the CPU can.
//!
//! - [`block`]: what is hashed
//! - [`kernel`]: who hashes it (AVX-512, AVX2, NEON, portable), built from `keccak` (the permutation over any word) and
//!   `walk` (the order of nonces that makes the first two rounds cheap)
//! - [`search`]: one range by several threads; [`scheduler`]: many farmers in one block
//! - [`job`]: jobs as text; [`jobs`]: NDJSON in and out; [`json`] and [`lines`]: how text from outside is read
//! - [`bench`]: rates on this machine
//!
//! It knows no network, no state and no configuration; whoever calls hands in the stop signal, deadlines and callbacks.
#![allow(
    clippy::inline_always,
    reason = "only what is inlined into a function with the target feature uses it"
)]

pub mod bench;
pub mod block;
pub mod job;
pub mod jobs;
pub mod json;
mod keccak;
pub mod kernel;
pub mod lines;
mod pin;
pub mod scheduler;
pub mod search;
#[cfg(target_arch = "x86_64")]
mod twin;
mod walk;

pub use block::Job;
pub use search::{End, Limits, Outcome, Settings, Solution, search};
