//! Risk: parameters, the rules, the breaker, violations, and what they forbid.

mod breaker;
mod check;
mod gate;
mod parameters;
mod pause;
pub mod rules;

pub use breaker::{Breaker, breaker, reset_breaker, trip};
pub use check::{PoolCheck, check, watch_withdrawals};
pub use gate::{Barrier, Gate, gate};
pub use parameters::{Engine, RiskRow, SetRisk, Window, examine, refresh, row, set};
pub use pause::{pause, unpause};
