//! What rewards come to, values in and values out. Pure.

pub mod accrual;
pub mod apr;
pub mod budget;
pub mod emission;
pub mod grid;
pub mod merkle;
pub mod recount;
