//! `plant`: a stake in the current block for every farmer that is ready.

mod execute;
mod prepare;

pub use execute::execute;
pub use prepare::{PlantOutcome, Planted, PreparedPlant, prepare};
