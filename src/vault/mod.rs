//! EVM vault pools: what a pool is, what it holds, what its prices and limits are, and what it pays.
//!
//! From the ground up: pool, feed, risk, then sync and oracle, which open breakers, then deposit, withdrawal and reward.

pub mod deposit;
pub mod feed;
pub mod oracle;
pub mod pool;
pub mod reward;
pub mod risk;
pub mod sync;
pub mod withdrawal;
