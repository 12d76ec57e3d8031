//! How an exchange with an endpoint failed below the level of any method's answer.

use super::retry::RetryDecision;
use base::{Code, clock};
use std::fmt;
use std::time::Duration;

/// The kinds of failure that call for different answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// No connection: refused, unknown host, TLS.
    Connect,
    /// Connected, but no whole answer in time.
    Timeout,
    /// The connection ended before the whole answer was there.
    Closed,
    /// HTTP 429, or an answer that means it.
    RateLimited,
    /// HTTP 5xx, or an answer that means it.
    Server,
    /// HTTP 401, 402 or 403: a key is missing, wrong or spent.
    Denied,
    /// HTTP 3xx: the endpoint is elsewhere.
    Redirect,
    /// Any other HTTP status that is no success.
    Status,
    /// An answer that is no JSON, such as an HTML page.
    NotJson,
    /// JSON, but not an answer to what was asked.
    BadReply,
    /// The answer is larger than the limit.
    TooLarge,
}

/// One failed exchange: its kind and words that hold no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What kind it is.
    pub kind: FaultKind,
    /// What happened, cleaned, without the endpoint's name.
    pub words: String,
    /// How long the server asked to wait.
    pub retry_after: Option<Duration>,
}

impl Fault {
    /// A fault without a wish to wait.
    pub fn new(kind: FaultKind, words: impl Into<String>) -> Self {
        Self { kind, words: words.into(), retry_after: None }
    }

    /// Whether the same request may succeed at the same endpoint a little later.
    pub const fn is_transient(&self) -> bool {
        !matches!(
            self.kind,
            FaultKind::Denied | FaultKind::Redirect | FaultKind::Status | FaultKind::TooLarge
        )
    }

    /// The code of a command that this ends.
    pub const fn code(&self) -> Code {
        match self.kind {
            FaultKind::RateLimited => Code::RateLimited,
            FaultKind::BadReply => Code::BadReply,
            _ if self.is_transient() => Code::Unreachable,
            _ => Code::Rpc,
        }
    }

    /// Whether the server asked to wait: status 429, or `Retry-After`.
    pub fn asks_to_wait(&self) -> bool {
        self.kind == FaultKind::RateLimited || self.retry_after.is_some()
    }

    /// What the retry policy is told.
    pub fn verdict(&self) -> RetryDecision {
        match (self.is_transient(), self.retry_after) {
            (false, _) => RetryDecision::Stop,
            (true, Some(wait)) => RetryDecision::After(wait),
            (true, None) => RetryDecision::Again,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)?;
        match self.retry_after {
            Some(wait) => write!(f, " (it asks to wait {})", clock::span(wait.as_secs())),
            None => Ok(()),
        }
    }
}
