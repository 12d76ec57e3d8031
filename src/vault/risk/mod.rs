//! Risk: parameters, the rules, the breaker, violations, and what they forbid.

mod breaker;
mod check;
mod engine;
mod gate;
mod judge;
mod parameters;
mod refresh;
pub mod rules;
mod source;
pub mod verdict;

pub use breaker::{Breaker, breaker, pause, reset_breaker, trip, unpause};
pub use check::{Limits, PoolCheck, Withdrawn, check, feed_health, watch_withdrawals, withdrawn_since};
pub use engine::examine;
pub use gate::{Barrier, Gate, gate};
pub use parameters::{Parameters, RiskRow, SetRisk, Window, row, set};
pub use refresh::refresh;
pub use source::Engine;
