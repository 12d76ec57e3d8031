//! The library of `poolctl`: everything that is true without a terminal.

pub mod alert;
pub mod check;
pub mod decoders;
pub mod doctor;
pub mod evm;
pub mod health;
pub mod kale;
pub mod keys;
pub mod oracle;
pub mod output;
pub mod pool;
pub mod report;
pub mod reward;
pub mod risk;
pub mod state;
pub mod stellar;
pub mod telemetry;
