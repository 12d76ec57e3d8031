//! Rewards: epochs of blocks, an emission per epoch, an exact split over pools and members, and claims.

pub mod accrual;
mod claim;
mod cycle;
mod distribute;
pub mod emission;
pub mod grid;
mod prepare;
mod store;
mod weights;

pub use claim::{Claimed, Pending, claim, owed, pending};
pub use cycle::{CycleReport, PoolCycle, cycle};
pub use distribute::Distributed;
pub use distribute::purpose::AVAILABLE;
pub use store::{WeightRow, emitted_to, last_emission_at, schedule, totals_of, weight_rows};
pub use weights::{PoolWeight, set_weight, weights};
