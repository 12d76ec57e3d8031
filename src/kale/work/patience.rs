//! How long a run that waits for the block's clock puts up with endpoints that fail, or with a clock that stands still:
//! minutes by this machine's clock, and no longer than what it waits for can come.

use crate::contract::model::Moment;
use base::clock::span;
use base::{Code, Error, Result, Stop};
use std::time::{Duration, Instant};

/// After so long without an answer it is an error.
const MOST: Duration = Duration::from_mins(1);

/// After so long without a new ledger, which comes every 5 seconds, it is an error.
const STANDSTILL: Duration = Duration::from_mins(4);

/// So long after the end of what is waited for a ledger may come that says so: two ledgers.
const TOLD_BY: Duration = Duration::from_secs(10);

/// So long a wish to stop may go unseen.
const GLANCE: Duration = Duration::from_millis(500);

/// Bears failures that pass, and a pause of the network, for a while.
#[derive(Debug, Default)]
pub struct Patience {
    since: Option<Instant>,
    /// The newest ledger, and when it was first seen.
    newest: Option<(Moment, Instant)>,
}

impl Patience {
    /// Takes note of the newest ledger that an endpoint knows; what is waited for ends at `end`, in seconds of ledger time.
    /// `behind` when no newer one has been seen for minutes, or when that end has passed by this machine's clock.
    pub fn see(&mut self, at: Moment, end: Option<u64>) -> Result<()> {
        let (newest, since) = *self.newest.get_or_insert_with(|| (at, Instant::now()));
        if at.ledger > newest.ledger {
            self.newest = Some((at, Instant::now()));
            return Ok(());
        }
        let left =
            end.map(|end| Duration::from_secs(end.saturating_sub(newest.time)).saturating_add(TOLD_BY));
        let still = since.elapsed();
        if still < left.map_or(STANDSTILL, |left| left.min(STANDSTILL)) {
            return Ok(());
        }
        let why = format!("no ledger after {} was seen for {}", newest.ledger, span(still.as_secs()));
        let hint =
            "the network or the endpoints stand still: run it again, or put others first in stellar.rpc_urls";
        Err(Error::new(Code::Behind, why).hint(hint))
    }

    /// How long no newer ledger has been seen.
    pub fn still(&self) -> Duration {
        self.newest.map_or(Duration::ZERO, |(_, since)| since.elapsed())
    }

    /// The value; `None` for a failure that may pass, while it has not lasted too long.
    pub fn bear<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => {
                self.since = None;
                Ok(Some(value))
            }
            Err(e) if e.code().is_transient() => {
                let since = *self.since.get_or_insert_with(Instant::now);
                if since.elapsed() >= MOST {
                    return Err(e);
                }
                tracing::warn!("{e}; trying again");
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }
}

/// Waits so long, or until the operator wants to stop.
pub(super) async fn pause(stop: &Stop, long: Duration) {
    let until = Instant::now() + long;
    while !stop.wanted() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(GLANCE)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_that_pass_are_borne_for_a_while_and_others_are_not() {
        let mut patience = Patience::default();
        let fail = |code| Err::<(), _>(Error::new(code, "x"));
        assert_eq!(patience.bear(Ok(1)).unwrap(), Some(1));
        assert_eq!(patience.bear(fail(Code::Unreachable)).unwrap(), None);
        assert_eq!(patience.bear(fail(Code::WrongNetwork)).unwrap_err().code(), Code::WrongNetwork);
        patience.since = Instant::now().checked_sub(MOST);
        assert_eq!(patience.bear(fail(Code::Unreachable)).unwrap_err().code(), Code::Unreachable);
        patience.bear(Ok(())).unwrap();
        assert_eq!(patience.bear(fail(Code::Unreachable)).unwrap(), None, "an answer makes it new");
    }

    fn at(ledger: u32) -> Moment {
        Moment { ledger, time: 1_000 }
    }

    #[test]
    fn a_clock_that_stands_still_is_waited_for_a_while() {
        let mut patience = Patience::default();
        for ledger in [7, 7, 8, 8, 6] {
            patience.see(at(ledger), Some(1_100)).unwrap();
        }
        let seconds = Duration::from_secs;
        // How long it has stood still, the end that is waited for, and whether that is too long.
        for (still, end, is_too_long) in [
            (seconds(239), None, false),
            (seconds(240), None, true),
            (seconds(239), Some(9_999), false),
            (seconds(240), Some(9_999), true),
            (seconds(29), Some(1_020), false),
            (seconds(30), Some(1_020), true),
            (seconds(9), Some(900), false),
            (seconds(10), Some(900), true),
        ] {
            patience.newest = Some((at(8), Instant::now().checked_sub(still).unwrap()));
            for ledger in [8, 7] {
                let seen = patience.see(at(ledger), end);
                assert_eq!(seen.is_err(), is_too_long, "{still:?} {end:?}");
                let told = seen.err().map(|e| (e.code(), e.message().to_owned()));
                let told_by = format!("no ledger after 8 was seen for {}", span(still.as_secs()));
                assert!(told.is_none_or(|told| told == (Code::Behind, told_by)));
            }
        }
        patience.see(at(9), Some(900)).unwrap();
        patience.see(at(9), Some(900)).unwrap();
    }
}
