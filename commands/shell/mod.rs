//! What every command shares: the command line, its registry, the terminal, and what a run leaves behind.

pub mod at;
pub mod cli;
pub mod complete;
pub mod console;
pub mod logs;
pub mod options;
pub mod out_file;
pub mod panics;
pub mod pings;
pub mod progress;
pub mod quiet;
pub mod registry;
pub mod session;
pub mod textfile;
pub mod views;

/// What nearly every command uses.
pub mod prelude {
    pub use super::console::Console;
    pub use super::options::{DryRun, Paging};
    pub use super::session::Session;
    pub(crate) use crate::output::cells;
    pub use crate::output::{Cell, Outcome, Page, Present};
    pub(crate) use crate::shell::registry::commands;
    pub use app::{App, api};
    pub use base::{Code, Error, Result, counted};
    pub use clap::Args;
    pub use schemars::JsonSchema;
    pub use serde::Serialize;
}
