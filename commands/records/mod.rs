//! What is recorded: the state file, its audit log, and transactions under way.

pub mod events;
pub mod operations;
pub mod state;
