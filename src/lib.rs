//! The library of `poolctl`: everything that is true without a terminal.

pub mod amount;
pub mod clock;
pub mod guard;
pub mod killpoint;
pub mod output;
pub mod state;

pub use output::{Code, Error, Result};
