//! The library of `poolctl`: everything that is true without a terminal.

pub mod check;
pub mod doctor;
pub mod health;
pub mod output;
pub mod report;
pub mod telemetry;
