//! `harvest`: every stake of a block that has ended comes back, or is booked as lost with its reason.

mod carry;
mod decide;
mod doubt;
mod due;
pub mod elsewhere;
pub mod expiry;
mod prepare;
mod sight;

pub use carry::carry_out;
pub use decide::{Released, WrittenOff, release, write_off};
pub use due::{Fate, Harvested};
pub use prepare::{LIVING_BLOCKS, Prepared, Unworked, is_idle, prepare};
