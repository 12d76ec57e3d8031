//! `plant`: a stake in the current block for every farmer that is ready.

mod carry;
mod prepare;

pub use carry::carry_out;
pub use prepare::{Fate, Planted, Prepared, prepare};
