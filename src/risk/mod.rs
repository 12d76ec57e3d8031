//! Risk: parameters, the rules, violations.

mod check;
mod parameters;
pub mod rules;

pub use check::{PoolCheck, check};
pub use parameters::{Engine, RiskRow, SetRisk, Window, refresh, row, set};
