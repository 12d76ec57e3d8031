//! What a command says and how it ends: envelope, errors, exit codes, tables, progress.

mod contract;
mod envelope;
mod error;
mod exit;
pub mod forms;
pub mod metrics;
pub mod nagios;
mod outcome;
mod page;
pub mod render;
pub mod spark;

pub use contract::Contract;
pub use envelope::{Report, SCHEMA_VERSION};
pub use error::{Code, Error, Result};
pub use exit::Exit;
pub use outcome::{Gauge, Outcome, Present, partly};
pub use page::{Page, Table};
