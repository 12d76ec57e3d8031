//! The server: HTTP around the commands. It knows connections, tokens, limits and statuses; what a command does is the
//! face's, which runs it and hands back its envelope.

mod answer;
mod docs;
mod endpoint;
mod idempotency;
mod limits;
mod listen;
mod openapi;
mod router;
mod server;
pub mod status;
mod stream;
pub mod tokens;

pub use endpoint::{Arguments, Endpoint, Form, Owners, Param};
pub use limits::{BODY, CONNECTIONS, HEADER, Limits, PATIENCE};
pub use listen::{Listen, Tls, serve};
pub use openapi::document;
pub use server::{Server, Settings};

use base::{Code, Exit, Result};
use state::State;
use tokens::Token;

/// How a command ended.
pub struct Ran {
    /// Its exit code.
    pub exit: Exit,
    /// The code of its error.
    pub code: Option<Code>,
    /// Its envelope, JSON.
    pub envelope: Vec<u8>,
}

/// The face: it runs commands.
pub trait Face: Owners + Send + Sync + 'static {
    /// Runs a command for a token. It blocks.
    fn run(&self, words: &'static str, arguments: &Arguments, token: &Token) -> Ran;
    /// The state, for reading.
    fn state(&self) -> Result<State>;
    /// Writes to the state what the server itself has to: answers of requests with a key.
    fn write(&self, body: &mut dyn FnMut(&state::Tx<'_>) -> Result<()>) -> Result<()>;
    /// Notes in the state what no answer tells, so that all of them stay as they are: uses of tokens.
    fn note(&self, body: &mut dyn FnMut(&rusqlite::Connection) -> Result<()>) -> Result<()>;
    /// Seconds since 1970.
    fn now(&self) -> i64;
}
