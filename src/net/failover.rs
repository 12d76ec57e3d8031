//! What failover over endpoints has in common, whatever the chain: what is told of those that could not serve, and the error
//! where none is left.

use base::{Code, Error};
use serde_json::{Value, json};
use std::sync::{Mutex, PoisonError};

/// What went wrong at endpoints and was made good by others, in order.
#[derive(Debug, Default)]
pub struct Warnings(Mutex<Vec<String>>);

impl Warnings {
    /// Notes one; the same only once until they are taken.
    pub fn add(&self, text: String) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains(&text) {
            tracing::debug!("{text}");
            all.push(text);
        }
    }

    /// Takes them.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An endpoint that could not serve, and why.
#[derive(Debug, Clone)]
pub struct Failed {
    /// The endpoint's name.
    pub endpoint: String,
    /// The code of a command that this alone ends.
    pub code: Code,
    /// Why, without the endpoint's name and without secrets.
    pub words: String,
}

/// The one code for all of them: what they share, else what most likely passes. Where only some refuse a value, it may be they
/// that do not know it yet.
pub fn code_of(failed: &[Failed]) -> Code {
    const ORDER: [Code; 5] = [Code::Unreachable, Code::RateLimited, Code::BadReply, Code::Behind, Code::Rpc];
    match failed.first() {
        Some(first) if failed.iter().all(|one| one.code == first.code) => first.code,
        _ if failed.iter().any(|one| one.code == Code::InvalidValue) => Code::Unreachable,
        _ => ORDER
            .into_iter()
            .find(|code| failed.iter().any(|one| one.code == *code))
            .unwrap_or(Code::Unreachable),
    }
}

/// The error where no endpoint is left, naming each with its reason; `what` could not be had.
pub fn none_left(failed: &[Failed], what: &str, profile: &str) -> Error {
    let each: Vec<String> =
        failed.iter().map(|Failed { endpoint, words, .. }| format!("{endpoint:?}: {words}")).collect();
    let message = match each.as_slice() {
        [one] => format!("endpoint {one}"),
        _ => format!("{what}: {}", each.join("; ")),
    };
    let list: Vec<Value> = failed
        .iter()
        .map(|one| json!({ "endpoint": one.endpoint, "code": one.code.as_str(), "reason": one.words }))
        .collect();
    Error::new(code_of(failed), message).detail("endpoints", list).detail("profile", profile)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_share_stands_else_what_most_likely_passes() {
        use Code::{
            BadReply, Behind, InvalidValue, NotAContract, RateLimited, Rpc, Unreachable, WrongNetwork,
        };
        for (codes, want) in [
            (&[Rpc][..], Rpc),
            (&[RateLimited, RateLimited], RateLimited),
            (&[WrongNetwork, WrongNetwork], WrongNetwork),
            (&[InvalidValue, InvalidValue], InvalidValue),
            (&[Behind, Behind], Behind),
            (&[RateLimited, Unreachable], Unreachable),
            (&[WrongNetwork, Rpc, BadReply], BadReply),
            (&[Behind, Rpc], Behind),
            (&[InvalidValue, Rpc], Unreachable),
            (&[InvalidValue, WrongNetwork], Unreachable),
            (&[WrongNetwork, NotAContract], Unreachable),
        ] {
            let failed: Vec<Failed> = codes
                .iter()
                .map(|code| Failed { endpoint: "a".into(), code: *code, words: String::new() })
                .collect();
            assert_eq!(code_of(&failed), want, "{codes:?}");
        }
    }
}
