//! How long a run that waits for the block's clock puts up with endpoints that fail: a minute, not an evening.

use super::work::is_passing;
use crate::output::Result;
use std::time::{Duration, Instant};

/// After so long without an answer it is an error.
const MOST: Duration = Duration::from_mins(1);

/// Bears failures that pass, for a while.
#[derive(Debug)]
pub struct Patience {
    since: Option<Instant>,
}

impl Patience {
    /// A fresh one.
    pub const fn new() -> Self {
        Self { since: None }
    }

    /// The value; `None` for a failure that may pass, while it has not lasted too long.
    ///
    /// # Errors
    /// Any other failure, and one that lasts.
    pub fn bear<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => {
                self.since = None;
                Ok(Some(value))
            }
            Err(e) if is_passing(e.code()) => {
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

impl Default for Patience {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Code, Error};

    #[test]
    fn failures_that_pass_are_borne_for_a_while_and_others_are_not() {
        let mut patience = Patience::new();
        let fail = |code| Err::<(), _>(Error::new(code, "x"));
        assert_eq!(patience.bear(Ok(1)).unwrap(), Some(1));
        assert_eq!(patience.bear(fail(Code::Unreachable)).unwrap(), None);
        assert_eq!(patience.bear(fail(Code::WrongNetwork)).unwrap_err().code(), Code::WrongNetwork);
        patience.since = Instant::now().checked_sub(MOST);
        assert_eq!(patience.bear(fail(Code::Unreachable)).unwrap_err().code(), Code::Unreachable);
        patience.bear(Ok(())).unwrap();
        assert_eq!(patience.bear(fail(Code::Unreachable)).unwrap(), None, "an answer makes it new");
    }
}
