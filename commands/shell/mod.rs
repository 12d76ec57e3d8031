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
pub mod registry;
pub mod session;
pub mod textfile;
pub mod views;
