//! The error that ends a call over several items of which some failed.

use base::{Code, Error, Exit};

/// A failed item of several: its name and its error.
pub type Failure = (String, Error);

/// The word for what failed by this error: `unknown` where it may have taken effect all the same.
pub fn failed(e: &Error) -> &'static str {
    if e.exit() == Exit::Unknown { "unknown" } else { "failed" }
}

/// The error of a call over several items of which some failed: `stake_lost` if that was one of them, `partial` if any
/// succeeded, else the first item's own error. `None` if none failed.
pub fn partly(done: usize, failures: &[Failure], what: &str) -> Option<Error> {
    // A loss is what must be seen of several failures.
    let lost = failures.iter().find(|(_, e)| e.code() == Code::StakeLost);
    let (name, first) = lost.or(failures.first())?;
    if done == 0 && failures.len() == 1 {
        return Some(first.clone());
    }
    let names: Vec<&str> = failures.iter().map(|(name, _)| name.as_str()).collect();
    // When everything failed for passing reasons, a retry is what helps.
    let code = if lost.is_some() || done == 0 && failures.iter().all(|(_, e)| e.code() == first.code()) {
        first.code()
    } else {
        Code::Partial
    };
    let (failed, all) = (failures.len(), done + failures.len());
    let before = format!("{failed} of {all} {what} failed: {}; first: {name}", names.join(", "));
    Some(first.instead(code).context(before).detail("failed", names))
}

/// The error that ends a call whose items failed: what is not known yet comes first.
pub fn ended(done: usize, failures: &[Failure], what: &str) -> Option<Error> {
    let unknown = failures.iter().find(|(_, e)| e.exit() == Exit::Unknown);
    if let Some((name, e)) = unknown {
        return Some(e.clone().context(name));
    }
    partly(done, failures, what)
}
