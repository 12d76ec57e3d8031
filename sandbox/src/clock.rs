//! The wall clock, when a chain's begins, and what is done at each tick.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Result;

/// How far in the past a chain's clock starts, in seconds: run fast, it must not overtake the wall clock, which clients
/// put into their time bounds.
const HEAD_START_SECONDS: u64 = 28 * 86_400;

/// Seconds since 1970, by the machine's clock.
pub(crate) fn wall_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// When a chain begins that was given no time, in seconds since 1970.
pub(crate) fn four_weeks_ago() -> u64 {
    wall_clock().saturating_sub(HEAD_START_SECONDS)
}

/// Seconds from a chain's time to the wall clock's. Once the chain has caught up with it, it keeps its pace; one that was
/// set ahead of it by hand stays ahead.
pub(crate) fn room_after(time: u64) -> u64 {
    let now = wall_clock();
    if time <= now { now - time } else { u64::MAX }
}

/// Does something at each tick, until dropped or until that fails.
pub(crate) struct Ticker {
    thread: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Ticker {
    pub(crate) fn start<T>(
        every: Duration,
        mut step: impl FnMut() -> Result<T> + Send + 'static,
    ) -> Result<Self> {
        let (sender, receiver) = channel::<()>();
        let thread = std::thread::Builder::new()
            .name("sandbox-ticker".into())
            // The frames of both virtual machines are large in a debug build.
            .stack_size(16 << 20)
            .spawn(move || {
                while receiver.recv_timeout(every) == Err(RecvTimeoutError::Timeout) && step().is_ok() {}
            })?;
        Ok(Self { thread: Some((sender, thread)) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.thread.take() {
            drop(sender);
            drop(thread.join());
        }
    }
}
