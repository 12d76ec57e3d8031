//! What can go wrong with an endpoint of Stellar RPC, and whether another endpoint or a later time may do better.

use super::protocol::Newer;
use base::redact::Redactor;
use base::{Code, Error};
use net::asker::{Standing, Unanswered};
use net::jsonrpc::RpcError;
use net::{FaultKind, RetryDecision};

/// A failure of an endpoint, not of what was asked of the network.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// The exchange itself failed, after its retries.
    Net(net::Fault),
    /// The server answered with an error.
    Rpc { method: &'static str, error: RpcError },
    /// The answer cannot be right: which field, and why.
    Bad { method: &'static str, why: String },
    /// The answer cannot be decoded, and the network is at a newer protocol than this build knows.
    Newer { method: &'static str, why: String, newer: Newer },
    /// The endpoint's newest ledger is older than one that this run has seen.
    Stale { ledger: u32, seen: u32 },
    /// The endpoint's newest ledger cannot be: too far from one that this run has seen.
    Beyond { ledger: u32, seen: u32 },
    /// The endpoint's newest ledger has not changed for too long.
    Stuck { ledger: u32 },
    /// It belongs to another network, with this passphrase.
    Foreign(String),
}

impl From<Unanswered> for Fault {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Net(fault) => Self::Net(fault),
            Unanswered::Rpc { method, error } => Self::Rpc { method, error },
        }
    }
}

impl Fault {
    /// Whether the same endpoint may do better soon: a server that is behind a little catches up, and one that named a
    /// ledger that cannot be may have erred once.
    pub const fn may_pass(&self) -> RetryDecision {
        match self {
            Self::Stale { .. } | Self::Beyond { .. } => RetryDecision::Again,
            _ => RetryDecision::Stop,
        }
    }

    /// The same without secrets: an answer that cannot be right may repeat the key of its endpoint.
    pub fn cleaned(self, redactor: &Redactor) -> Self {
        match self {
            Self::Bad { method, why } => Self::Bad { method, why: redactor.clean(&why) },
            Self::Newer { method, why, newer } => Self::Newer { method, why: redactor.clean(&why), newer },
            other => other,
        }
    }

    /// What went wrong, without the endpoint's name.
    pub fn words(&self) -> String {
        match self {
            Self::Net(fault) => fault.to_string(),
            Self::Rpc { method, error } if is_unknown(error) => {
                format!("it does not serve the method {method}: {error}")
            }
            Self::Rpc { method, error } => format!("{method}: {error}"),
            Self::Bad { method, why } => format!("bad answer to {method}: {}", base::redact::bounded(why)),
            Self::Newer { method, why, newer } => {
                format!("{}; its answer to {method}: {}", newer.words(), base::redact::bounded(why))
            }
            Self::Stale { ledger, seen } => {
                format!("its newest ledger is {ledger}, but {seen} has been seen already")
            }
            Self::Beyond { ledger, seen } => format!(
                "it gives {ledger} as the newest ledger, or a time for it, that cannot be so soon after {seen}"
            ),
            Self::Stuck { ledger } => format!("its newest ledger has been {ledger} for too long"),
            Self::Foreign(found) => format!("it serves the network {found:?}"),
        }
    }

    /// The code of a command that this ends.
    pub fn code(&self) -> Code {
        match self {
            Self::Net(fault) => fault.code(),
            Self::Rpc { error, .. } if is_limited(error) => Code::RateLimited,
            Self::Rpc { error, .. } if is_transient(error) => Code::Unreachable,
            Self::Rpc { .. } => Code::Rpc,
            Self::Bad { .. } | Self::Beyond { .. } => Code::BadReply,
            Self::Newer { .. } => Code::NewerProtocol,
            Self::Stale { .. } | Self::Stuck { .. } => Code::Behind,
            Self::Foreign(_) => Code::WrongNetwork,
        }
    }

    /// Whether the endpoint merely refuses what was asked, which another one would refuse too. A method that it does not
    /// have is its own lack.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Rpc { method, error } => standing(method, error) == Standing::Final && !is_unknown(error),
            _ => false,
        }
    }

    /// What an operator can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Net(fault) if fault.kind == FaultKind::Denied => {
                Some("check the key in the endpoint's URL and its plan")
            }
            Self::Net(fault) if fault.kind == FaultKind::Redirect => {
                Some("if the provider has moved, write its new URL in stellar.rpc_urls")
            }
            Self::Newer { .. } => Some(Newer::FIX),
            Self::Stale { .. } | Self::Stuck { .. } => Some(
                "the endpoint has fallen behind the network: try again, or add another to stellar.rpc_urls",
            ),
            _ => None,
        }
    }

    /// The error of one read; the loop over endpoints has the last word.
    pub fn into_error(self, endpoint: &str) -> Error {
        let error = Error::new(self.code(), format!("endpoint {endpoint:?}: {}", self.words()));
        self.hint().into_iter().fold(error, Error::hint)
    }
}

/// What an error of the server means for the call that it stands on.
pub(super) fn standing(_method: &str, error: &RpcError) -> Standing {
    if is_limited(error) || is_transient(error) { Standing::Passes } else { Standing::Final }
}

fn is_limited(error: &RpcError) -> bool {
    const WORDS: &[&str] = &["rate limit", "too many requests", "requests per second", "quota", "throttl"];
    let text = error.message.to_lowercase();
    error.status == 429
        || error.code == 429
        || error.code == -32005
        || WORDS.iter().any(|word| text.contains(word))
}

/// -32601: the method does not exist (JSON-RPC 2.0, section 5.1).
const fn is_unknown(error: &RpcError) -> bool {
    error.code == -32601
}

/// -32603 is an internal error of the server (JSON-RPC 2.0, section 5.1).
fn is_transient(error: &RpcError) -> bool {
    error.code == -32603 || error.status >= 500
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_pass() {
        for (code, message, want) in [
            (-32602, "invalid_xdr", Code::Rpc),
            (-32603, "DB error", Code::Unreachable),
            (-32000, "Rate limit exceeded", Code::RateLimited),
            (429, "", Code::RateLimited),
            (-32601, "method not found", Code::Rpc),
        ] {
            let error = RpcError { code, message: message.to_owned(), ..RpcError::default() };
            assert_eq!(standing("m", &error) == Standing::Passes, want != Code::Rpc, "{code} {message}");
            let fault = Fault::Rpc { method: "m", error };
            assert_eq!(fault.code(), want, "{code} {message}");
            assert_eq!(fault.is_refusal(), code == -32602, "{code} {message}");
        }
    }
}
