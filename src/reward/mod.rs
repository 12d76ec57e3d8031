//! Rewards: epochs of blocks, an emission per epoch, an exact split over pools and members, and claims.

pub mod accrual;
pub mod emission;
pub mod grid;
