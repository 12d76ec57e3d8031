//! The library of `poolctl`: everything that is true without a terminal.

pub mod check;
pub mod deposit;
pub mod doctor;
pub mod feed;
pub mod health;
pub mod kale;
pub mod oracle;
pub mod output;
pub mod pool;
pub mod report;
pub mod reward;
pub mod risk;
pub mod sync;
pub mod telemetry;
pub mod withdrawal;
