//! How long a run that waits for the block's clock puts up with endpoints that fail, or with a clock that stands still:
//! minutes, not an evening.

use base::{Code, Error, Result};
use std::time::{Duration, Instant};

/// After so long without an answer it is an error.
const MOST: Duration = Duration::from_mins(1);

/// After so long without a new ledger, which comes every 5 seconds, it is an error.
const STANDSTILL: Duration = Duration::from_mins(4);

/// Bears failures that pass, and a pause of the network, for a while.
#[derive(Debug, Default)]
pub struct Patience {
    since: Option<Instant>,
    /// The newest ledger, and when it was first seen.
    newest: Option<(u32, Instant)>,
}

impl Patience {
    /// Takes note of the newest ledger that an endpoint knows.
    /// `behind` when no newer one has been seen for minutes.
    pub fn see(&mut self, ledger: u32) -> Result<()> {
        let (newest, since) = *self.newest.get_or_insert_with(|| (ledger, Instant::now()));
        if ledger > newest {
            self.newest = Some((ledger, Instant::now()));
        } else if since.elapsed() >= STANDSTILL {
            let minutes = STANDSTILL.as_secs() / 60;
            let why = format!("no ledger after {newest} was seen for {minutes} minutes");
            let hint = "the network or the endpoints stand still: run it again, or put others first in stellar.rpc_urls";
            return Err(Error::new(Code::Behind, why).hint(hint));
        }
        Ok(())
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

    #[test]
    fn a_clock_that_stands_still_is_waited_for_a_while() {
        let mut patience = Patience::default();
        for ledger in [7, 7, 8, 8, 6] {
            patience.see(ledger).unwrap();
        }
        let long_ago = Instant::now().checked_sub(STANDSTILL).unwrap();
        patience.newest = Some((8, long_ago));
        for ledger in [8, 7] {
            let error = patience.see(ledger).unwrap_err();
            assert_eq!(error.code(), Code::Behind);
            assert!(error.to_string().contains("no ledger after 8 was seen for 4 minutes"), "{error}");
        }
        patience.see(9).unwrap();
        patience.see(9).unwrap();
    }
}
