//! The steps of something that is disturbed at each of them, a few at a time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// How many are tried at a time: most of what is tried waits.
const AT_A_TIME: usize = 3;

/// Tries the steps 1, 2 and so on until one is not there (`body` returns `false`), and returns how many there were.
pub fn each(body: impl Fn(u64) -> bool + Sync) -> u64 {
    let (next, past) = (AtomicU64::new(1), AtomicU64::new(u64::MAX));
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let step = next.fetch_add(1, Ordering::Relaxed);
                    if step > past.load(Ordering::Relaxed) {
                        return;
                    }
                    if !body(step) {
                        past.fetch_min(step, Ordering::Relaxed);
                        return;
                    }
                }
            });
        }
    });
    past.into_inner() - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn each_step_is_tried_once_until_there_are_no_more() {
        let tried = Mutex::new(Vec::new());
        let there = |step| {
            tried.lock().map(|mut tried| tried.push(step)).ok();
            step <= 20
        };
        assert_eq!(each(there), 20);
        let mut tried = tried.into_inner().unwrap_or_default();
        tried.sort_unstable();
        assert!(tried.len() <= 20 + AT_A_TIME, "{tried:?}");
        assert!(tried.iter().copied().eq(1..=tried.len() as u64), "{tried:?}");
    }
}
