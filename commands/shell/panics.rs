//! A panic is a bug: caught once, and reported by its place. Its payload may hold a secret and is never shown.

use base::{Code, Error, Result};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Mutex, PoisonError};

static PLACE: Mutex<Option<String>> = Mutex::new(None);

/// Runs `body`; a panic inside it becomes an error with code `bug`.
pub fn catch<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(|at| format!("{}:{}", at.file(), at.line()));
        *PLACE.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }));
    // What the body held is dropped or lost with it; nothing half-changed is used afterwards.
    panic::catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| {
        // Dropping the payload may run code of the panicking crate; forgetting it costs nothing now.
        std::mem::forget(payload);
        let place = PLACE.lock().unwrap_or_else(PoisonError::into_inner).take();
        let place = place.unwrap_or_else(|| "an unknown place".to_owned());
        let version = env!("CARGO_PKG_VERSION");
        Err(Error::new(Code::Bug, format!("poolctl {version} stopped at a fault of its own, at {place}"))
            .hint("please report this line and the command; what was committed before is kept")
            .detail("place", place)
            .detail("version", version))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Ended, render};

    #[test]
    fn the_payload_is_never_shown() {
        let canary = "S3CR3T-canary-7f1d";
        let result: Result<crate::output::Outcome> = catch(|| panic!("passphrase was {canary}"));
        let report = Ended::new("sync", false, result);
        let shown =
            render::json(&report, false).unwrap() + &render::notices(&report, render::Style::default());
        assert!(!shown.contains(canary), "{shown}");
        assert!(shown.contains("panics.rs:") && shown.contains("\"code\":\"bug\""), "{shown}");
        assert_eq!(report.exit().code(), 1);
        assert!(catch(|| Ok(1)).is_ok());
    }
}
