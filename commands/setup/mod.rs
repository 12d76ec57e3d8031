//! poolctl itself: its files and settings, its texts, completions and manual.

pub mod completions;
pub mod config;
pub mod help;
pub mod info;
pub mod init;
pub mod man;
pub mod schema;
pub mod version;
