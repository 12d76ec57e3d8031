//! What a command says and how it ends: envelope, errors, exit codes, tables, progress.

mod contract;
mod csv;
mod envelope;
pub mod nagios;
mod outcome;
mod page;
pub mod render;
pub mod words;

pub use contract::Contract;
pub use envelope::{Ended, SCHEMA_VERSION};
pub use outcome::{Outcome, Present};
pub(crate) use page::cells;
pub use page::{Cell, Page, Table};
