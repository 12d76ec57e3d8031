//! What a command says and how it ends: envelope, errors, exit codes, tables, progress.

mod error;
mod exit;
mod outcome;
mod page;

pub use error::{Code, Error, Result};
pub use exit::Exit;
pub use outcome::{Gauge, Outcome, Present, partly};
pub use page::{Page, Table};
