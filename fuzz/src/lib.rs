//! Whatever comes from outside, read by poolctl's own decoders: a kept corpus, and inputs made of it.
//!
//! An input must be taken or refused: without a panic, within [`LONGEST_TIME`] of the processor, and within the memory that a
//! whole reply may cost.

pub mod decoders;
pub mod heap;
mod mutate;
pub mod pool;
mod trial;
mod ward;

pub use trial::{Fault, Found, Tally, Trial, memory_of};
pub use ward::{Ended, guard};

use crate::decoders::Decoder;
use std::time::Duration;

#[global_allocator]
static HEAP: heap::Counted = heap::Counted;

/// Processor time that one input may take, unoptimised.
pub const LONGEST_TIME: Duration = Duration::from_secs(2);

/// The command that tries a target's kept inputs again.
pub fn repeat(decoder: Decoder) -> String {
    format!("cargo run -p poolctl-fuzz -- {} --seconds 0", decoder.name)
}
