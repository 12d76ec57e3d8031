//! `harvest`: every stake of a block that has ended comes back, or is booked as lost with its reason.

mod decide;
mod doubt;
mod due;
pub mod elsewhere;
mod execute;
pub mod expiry;
mod prepare;
mod sight;

pub use decide::{Released, WrittenOff, release, write_off};
pub use due::{HarvestOutcome, Harvested};
pub use execute::execute;
pub use prepare::{LIVING_BLOCKS, PreparedHarvest, Unworked, is_idle, prepare};
