//! The library of `poolctl`: everything that is true without a terminal.

pub mod alert;
pub mod amount;
pub mod clock;
pub mod config;
pub mod context;
pub mod decoders;
pub mod deposit;
pub mod doctor;
pub mod evm;
pub mod feed;
pub mod files;
pub mod guard;
pub mod health;
pub mod kale;
pub mod keys;
pub mod killpoint;
pub mod net;
pub mod oracle;
pub mod output;
pub mod pool;
pub mod report;
pub mod reward;
pub mod risk;
pub mod state;
pub mod stellar;
pub mod sync;
pub mod telemetry;
pub mod withdrawal;

pub use output::{Code, Error, Result};
pub use poolctl_grind as grind;
