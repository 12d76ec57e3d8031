//! Faults that a test or a drill can order for a method: what to do wrong, and how many times.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// One way to answer badly. The first group is done by the HTTP server, the second by the network behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Answers rightly, but only after this long.
    Delay(Duration),
    /// Closes the connection before the request is looked at.
    DropBefore,
    /// Carries the request out, then closes the connection without an answer.
    DropAfter,
    /// Answers with this HTTP status, without looking at the request.
    Http(u16),
    /// Answers status 200 with a page of HTML, as a proxy in the way does.
    Html,
    /// Carries the request out and sends half of the answer's bytes under the full length.
    Truncated,
    /// Carries the request out and answers with something that is not JSON.
    BadJson,
    /// Carries the request out and garbles the encoded values in the answer.
    BadXdr,
    /// Refuses a submission with `TRY_AGAIN_LATER`.
    TryAgainLater,
    /// Answers from the state of this many ledgers ago.
    StaleLedger(u32),
    /// Accepts and confirms a submission, then answers that its sequence number is bad.
    BadSequenceAfterConfirm,
    /// Replaces this many newest blocks by others.
    Reorg(u32),
}

impl Fault {
    /// Reads a kind as `sandbox_fault` names it; `value` is its number: milliseconds of a delay, ledgers of staleness
    /// or depth of a reorg, with a default for each.
    pub fn parse(kind: &str, value: Option<u64>) -> Option<Self> {
        let small = |default: u32| value.map_or(default, |value| u32::try_from(value).unwrap_or(u32::MAX));
        Some(match kind {
            "delay" => Self::Delay(Duration::from_millis(value.unwrap_or(1_000))),
            "drop_before" => Self::DropBefore,
            "drop_after" => Self::DropAfter,
            "http_429" => Self::Http(429),
            "http_500" => Self::Http(500),
            "http_502" => Self::Http(502),
            "html" => Self::Html,
            "truncated" => Self::Truncated,
            "bad_json" => Self::BadJson,
            "bad_xdr" => Self::BadXdr,
            "try_again_later" => Self::TryAgainLater,
            "stale_ledger" => Self::StaleLedger(small(5)),
            "bad_sequence_after_confirm" => Self::BadSequenceAfterConfirm,
            "reorg" => Self::Reorg(small(1)),
            _ => return None,
        })
    }

    /// The kinds that [`Fault::parse`] knows, for a message.
    pub const KINDS: &'static str = "delay, drop_before, drop_after, http_429, http_500, http_502, html, truncated, \
         bad_json, bad_xdr, try_again_later, stale_ledger, bad_sequence_after_confirm, reorg";
}

/// The faults ordered so far, each used up in the order it came.
#[derive(Debug, Default)]
pub struct FaultBook {
    orders: Mutex<BTreeMap<String, VecDeque<(Fault, u32)>>>,
}

impl FaultBook {
    /// Orders a fault for the next `times` requests of `method`; `*` is any method but the control ones.
    pub fn order(&self, method: &str, fault: Fault, times: u32) {
        if times > 0 {
            let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
            orders.entry(method.to_owned()).or_default().push_back((fault, times));
        }
    }

    /// Forgets every order.
    pub fn clear(&self) {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The fault for this request, counted as used. Control methods never fail on order, or none could end a fault.
    pub fn take(&self, method: &str) -> Option<Fault> {
        if method.starts_with("sandbox_") {
            return None;
        }
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        for name in [method, "*"] {
            let Some(queue) = orders.get_mut(name) else { continue };
            let Some((fault, left)) = queue.front_mut() else { continue };
            let fault = fault.clone();
            *left -= 1;
            if *left == 0 {
                queue.pop_front();
            }
            return Some(fault);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_used_up_in_order() {
        let book = FaultBook::default();
        book.order("send", Fault::Html, 2);
        book.order("send", Fault::Http(429), 1);
        book.order("*", Fault::DropBefore, 1);
        let taken: Vec<_> = (0..4).map(|_| book.take("send")).collect();
        let expected = [Fault::Html, Fault::Html, Fault::Http(429), Fault::DropBefore];
        assert_eq!(taken, expected.map(Some));
        assert_eq!(book.take("send"), None);
    }

    #[test]
    fn every_kind_named_is_known_and_control_never_fails() {
        for kind in Fault::KINDS.split(", ") {
            assert!(Fault::parse(kind.trim(), None).is_some(), "{kind}");
        }
        let book = FaultBook::default();
        book.order("*", Fault::Html, 1);
        assert_eq!(book.take("sandbox_advance"), None);
    }
}
