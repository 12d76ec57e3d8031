//! The server and its tokens.

mod face;
pub mod serve;
pub mod token;
