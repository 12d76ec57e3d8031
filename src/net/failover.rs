//! What failover over endpoints has in common, whatever the chain: what is told of those that could not serve, and the error
//! where none is left.

use base::{Code, Error, counted};
use serde_json::{Value, json};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What went wrong at endpoints and was made good by others, in order.
#[derive(Debug, Default)]
pub struct Warnings(Mutex<Vec<Warning>>);

#[derive(Debug)]
struct Warning {
    /// `None` once it is taken.
    text: Option<String>,
    /// The endpoint that failed, and how.
    failure: Option<(String, Code)>,
    /// How often it did so since, and is not told yet.
    more: usize,
}

impl Warnings {
    fn all(&self) -> MutexGuard<'_, Vec<Warning>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes one; the same only once until they are taken.
    pub fn add(&self, text: String) {
        let mut all = self.all();
        if !all.iter().any(|one| one.text.as_ref() == Some(&text)) {
            tracing::debug!("{text}");
            all.push(Warning { text: Some(text), failure: None, more: 0 });
        }
    }

    /// Notes that an endpoint failed: in words once, however often it fails in the same way, and then counted.
    pub fn failed(&self, endpoint: &str, code: Code, text: String) {
        tracing::debug!("{text}");
        let mut all = self.all();
        let is_same = |(before, how): &(String, Code)| before == endpoint && *how == code;
        if let Some(before) = all.iter_mut().find(|one| one.failure.as_ref().is_some_and(is_same)) {
            before.more += 1;
        } else {
            let failure = Some((endpoint.to_owned(), code));
            all.push(Warning { text: Some(text), failure, more: 0 });
        }
    }

    /// Takes them. What failed is remembered, so that it is not told in words again.
    pub fn take(&self) -> Vec<String> {
        let mut all = self.all();
        let told = |one: &mut Warning| {
            let more = std::mem::take(&mut one.more);
            let times = counted(more, "more time");
            match (one.text.take(), &one.failure) {
                (Some(text), _) if more > 0 => Some(format!("{text} ({times})")),
                (Some(text), _) => Some(text),
                (None, Some((endpoint, code))) if more > 0 => {
                    Some(format!("endpoint {endpoint:?} failed {times}: {}", code.as_str()))
                }
                (None, _) => None,
            }
        };
        let taken = all.iter_mut().filter_map(told).collect();
        all.retain(|one| one.failure.is_some());
        taken
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
    fn an_endpoint_that_fails_is_told_once_and_then_counted() {
        let warnings = Warnings::default();
        let down = |n: usize| warnings.failed("a", Code::Unreachable, format!("\"a\" is down, {n}"));
        down(1);
        assert_eq!(warnings.take(), ["\"a\" is down, 1"]);
        assert!(warnings.take().is_empty());
        down(2);
        assert_eq!(warnings.take(), ["endpoint \"a\" failed 1 more time: unreachable"]);
        warnings.failed("b", Code::BadReply, "\"b\" lies".to_owned());
        (3..6).for_each(down);
        warnings.failed("a", Code::BadReply, "\"a\" lies".to_owned());
        warnings.failed("b", Code::BadReply, "\"b\" lies again".to_owned());
        warnings.add("something else".to_owned());
        warnings.add("something else".to_owned());
        let told = [
            "endpoint \"a\" failed 3 more times: unreachable",
            "\"b\" lies (1 more time)",
            "\"a\" lies",
            "something else",
        ];
        assert_eq!(warnings.take(), told);
        warnings.add("something else".to_owned());
        assert_eq!(warnings.take(), ["something else"]);
    }

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
