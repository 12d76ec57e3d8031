//! The library of `poolctl`: everything that is true without a terminal.

pub mod killpoint;
pub mod output;

pub use output::{Code, Error, Result};
