//! EVM pools: sync, members, withdrawals, rewards, oracles, risk.

pub mod alerts;
pub mod member;
pub mod oracle;
pub mod pool;
pub mod reward;
pub mod risk;
pub mod sync;
pub mod withdrawal;
