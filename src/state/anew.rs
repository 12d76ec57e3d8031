//! Decide, then check again. Other runs write at any time, so a write looks again at what was decided from; where that is
//! not so any more, nothing is written and it is decided anew.

use base::{Code, Error, Result};

/// How often it is decided at most.
pub const DECISIONS: usize = 3;

/// What a write returns that finds something else than was decided from: `what` was changed meanwhile.
pub fn changed(what: impl std::fmt::Display) -> Error {
    Error::new(Code::StateChanged, format!("{what} was changed by another run meanwhile"))
        .hint("nothing was overwritten; run it again")
}

/// Decides and writes, anew where the write finds something [`changed`].
///
/// # Errors
/// That of the last try; `state_changed` where each of them found something changed.
pub fn anew<T>(mut decide: impl FnMut() -> Result<T>) -> Result<T> {
    for _ in 1..DECISIONS {
        match decide() {
            Err(e) if e.code() == Code::StateChanged => again(&e),
            done => return done,
        }
    }
    decide()
}

/// As [`anew`], for what waits for the network.
pub async fn anew_async<T>(mut decide: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    for _ in 1..DECISIONS {
        match decide().await {
            Err(e) if e.code() == Code::StateChanged => again(&e),
            done => return done,
        }
    }
    decide().await
}

fn again(e: &Error) {
    tracing::debug!(%e, "decided anew");
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Exit;

    /// What comes of so many tries that find a change, then one that ends like this; and how many there were.
    fn of(changes: u32, end: &Result<&'static str>) -> (Result<&'static str>, u32) {
        let mut tries = 0;
        let done = anew(|| {
            tries += 1;
            if tries <= changes { Err(changed("the weight")) } else { end.clone() }
        });
        (done, tries)
    }

    #[test]
    fn it_is_decided_three_times_at_most() {
        for changes in 0..3 {
            let (done, tries) = of(changes, &Ok("done"));
            assert_eq!((done.unwrap(), tries), ("done", changes + 1));
        }
        let (done, tries) = of(9, &Ok("done"));
        let e = done.unwrap_err();
        assert_eq!((e.code(), e.exit(), tries), (Code::StateChanged, Exit::Transient, 3));
        assert!(e.message().contains("the weight was changed by another run"), "{e}");
    }

    #[test]
    fn any_other_error_ends_it() {
        let (done, tries) = of(1, &Err(Error::new(Code::Conflict, "taken")));
        assert_eq!((done.unwrap_err().code(), tries), (Code::Conflict, 2));
    }
}
