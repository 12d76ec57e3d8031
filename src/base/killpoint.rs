//! Lets the crash tests kill the process at every step that matters; compiled out of release builds.
//!
//! The binary arms it in debug builds; each network send and each commit is one step.

#[cfg(debug_assertions)]
mod armed {
    use std::sync::atomic::{AtomicU64, Ordering};

    static LEFT: AtomicU64 = AtomicU64::new(0);

    /// Kills the process (SIGKILL) at the `steps`-th step from now; 0 disarms.
    pub fn arm(steps: u64) {
        LEFT.store(steps, Ordering::SeqCst);
    }

    /// One step is about to happen or has just happened.
    pub fn reach() {
        let hit = LEFT
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .is_ok_and(|before| before == 1);
        if hit {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            loop {
                std::thread::park();
            }
        }
    }
}

#[cfg(debug_assertions)]
pub use armed::{arm, reach};

/// One step is about to happen or has just happened.
#[cfg(not(debug_assertions))]
pub fn reach() {}
