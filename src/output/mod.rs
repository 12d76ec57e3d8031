//! What a command says and how it ends: envelope, errors, exit codes, tables, progress.

mod error;
mod exit;

pub use error::{Code, Error, Result};
pub use exit::Exit;
