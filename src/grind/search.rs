//! The search of one range of nonces by several threads.
//!
//! Threads take pieces of the range in ascending order and finish what they have taken, so at every end the nonces tried are
//! one gapless range from the first on. That makes the answer the true best of that range, and the first nonce with enough
//! zeros the lowest there is, whatever the number of threads.

use super::block::{Job, MAX_ZEROS, lane_zeros, zeros};
use super::kernel::KernelRef;
use super::pin;
use super::walk::{PIECE, TILE};
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A nonce and what it is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Solution {
    /// The nonce.
    pub nonce: u64,
    /// Its digest, by the reference implementation.
    pub hash: [u8; 32],
    /// Leading zero hex digits of the digest.
    pub zeros: u32,
}

impl Solution {
    /// The solution that `nonce` is for `job`.
    pub fn new(job: &Job, nonce: u64) -> Self {
        let hash = job.hash(nonce);
        Self { nonce, hash, zeros: zeros(&hash) }
    }

    /// More zeros, or as many with a lower nonce.
    pub fn beats(&self, other: &Self) -> bool {
        (self.zeros, other.nonce) > (other.zeros, self.nonce)
    }
}

/// Where a search begins and what ends it; the end of the nonces always does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// The first nonce.
    pub start: u64,
    /// Number of nonces; `None` for all up to 2^64 - 1.
    pub nonces: Option<u64>,
    /// Ends at the first nonce with at least this many leading zero hex digits, at most [`MAX_ZEROS`].
    pub zeros: Option<u32>,
    /// Ends at this time.
    pub deadline: Option<Instant>,
}

/// A search that cannot be done.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LimitError {
    /// No digest has so many zeros.
    #[error("zeros = {0}, but a digest has {MAX_ZEROS} hex digits; allowed: 0 to {MAX_ZEROS}")]
    Zeros(u32),
    /// A search of nothing.
    #[error("nonces = 0, but a search tries at least one; allowed: 1 to {}", u64::MAX)]
    Nonces,
}

impl Limits {
    /// A start from a random number, so that two machines do not hash the same: one with room for all `nonces`, or
    /// for half of all there are where their number is open.
    pub fn random_start(random: u64, nonces: Option<u64>) -> u64 {
        let starts = u64::MAX - nonces.unwrap_or(1 << 63).saturating_sub(1);
        starts.checked_add(1).map_or(random, |starts| random % starts)
    }

    /// The nonces to try, both ends included. A count that reaches over the last nonce is cut there.
    pub fn range(&self) -> Result<RangeInclusive<u64>, LimitError> {
        if let Some(zeros) = self.zeros.filter(|zeros| *zeros > MAX_ZEROS) {
            return Err(LimitError::Zeros(zeros));
        }
        let last = match self.nonces {
            Some(nonces) => self.start.saturating_add(nonces.checked_sub(1).ok_or(LimitError::Nonces)?),
            None => u64::MAX,
        };
        Ok(self.start..=last)
    }
}

/// How to search.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// The kernel; see [`super::kernel::checked`].
    pub kernel: KernelRef,
    /// Threads that hash. The calling thread sleeps meanwhile.
    pub threads: NonZeroUsize,
    /// Whether each thread stays on a core of its own, where the system can do so and there are enough.
    pub pin: bool,
    /// Time between calls of the progress callback.
    pub interval: Duration,
    /// Set from outside to end the search after the pieces in work (some milliseconds).
    pub stop: &'a AtomicBool,
}

/// Every core that this process may run on.
pub fn all_cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// A search under way.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Nonces tried.
    pub hashes: u64,
    /// The best of them.
    pub best: Option<Solution>,
    /// Since the start.
    pub elapsed: Duration,
}

/// Why a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A nonce with enough zeros was found.
    Zeros,
    /// All nonces were tried.
    Nonces,
    /// The deadline passed.
    Deadline,
    /// The stop signal was set.
    Stopped,
}

impl End {
    /// The word for scripts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Zeros => "zeros",
            Self::Nonces => "nonces",
            Self::Deadline => "deadline",
            Self::Stopped => "stopped",
        }
    }
}

/// The result of a search.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The best of all nonces tried, the lowest of those with as many zeros; with [`End::Zeros`] the lowest nonce with at
    /// least as many zeros as were asked for. `None` if none was tried.
    pub best: Option<Solution>,
    /// The nonces that `best` is the best of, both ends included.
    pub searched: Option<RangeInclusive<u64>>,
    /// Nonces hashed: those in `searched`, and with [`End::Zeros`] also what other threads were at.
    pub hashes: u64,
    /// Why it ended.
    pub end: End,
    /// Time it took.
    pub elapsed: Duration,
}

/// The best and the first good enough of some nonces.
#[derive(Clone, Copy, Default)]
pub(super) struct Finds {
    pub(super) best: Option<Solution>,
    pub(super) first: Option<u64>,
}

impl Finds {
    fn add(&mut self, other: &Self) -> bool {
        let better = other.best.filter(|found| self.best.is_none_or(|best| found.beats(&best)));
        self.best = better.or(self.best);
        self.first = self.first.into_iter().chain(other.first).min();
        better.is_some()
    }
}

/// Tries one piece; knows of nonces with at least `floor` zeros elsewhere, which worse ones here do not matter against.
pub(super) fn scan_piece(
    kernel: KernelRef,
    job: &Job,
    range: (u64, u64),
    floor: u32,
    goal: Option<u32>,
) -> Finds {
    let mut finds = Finds::default();
    let ceiling = goal.unwrap_or(MAX_ZEROS);
    (kernel.scan)(job, range, floor.min(ceiling), &mut |nonce, lane| {
        let known = lane_zeros(lane);
        let count = if known < 16 { known } else { zeros(&job.hash(nonce)) };
        let better = match finds.best {
            Some(best) => (count, best.nonce) > (best.zeros, nonce),
            None => count >= floor,
        };
        if better {
            finds.best = Some(Solution::new(job, nonce));
        }
        if goal.is_some_and(|goal| count >= goal) {
            finds.first = finds.first.into_iter().chain([nonce]).min();
        }
        finds.best.map_or(floor, |best| best.zeros).min(ceiling)
    });
    finds
}

/// What the threads share.
struct Shared {
    /// The next nonce that nobody has taken; `None` after the last.
    next: Option<u64>,
    running: usize,
    hashes: u64,
    finds: Finds,
    improved: bool,
    end: Option<End>,
}

/// A lock whose holder panicked holds plain numbers that are still right.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The last nonce of the piece that begins with `first`: pieces end where kernels are at their best.
pub(super) fn piece_end(first: u64, last: u64, length: u64) -> u64 {
    let begin = first - first % TILE;
    begin.saturating_add(length - 1).min(last)
}

/// Searches until a limit is reached. `progress` is called on this thread, every [`Settings::interval`] and when there is a
/// new best.
pub fn search(
    job: &Job,
    limits: &Limits,
    settings: &Settings<'_>,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Outcome, LimitError> {
    let range = limits.range()?;
    let (first, last) = (*range.start(), *range.end());
    let began = Instant::now();
    let threads = settings.threads.get();
    // Small ranges are cut smaller, for every thread to have some.
    let share = (last - first) / threads as u64 / 4;
    let length = if share < PIECE { TILE } else { PIECE };
    let threads =
        threads.min(usize::try_from((last - first) / length).unwrap_or(usize::MAX).saturating_add(1));
    let shared = Mutex::new(Shared {
        next: Some(first),
        running: threads,
        hashes: 0,
        finds: Finds::default(),
        improved: false,
        end: None,
    });
    let floor = AtomicU32::new(0);
    let news = Condvar::new();
    let work = || {
        let mut state = lock(&shared);
        loop {
            let end = match (state.finds.first, state.next) {
                (Some(_), _) => Some(End::Zeros),
                (None, None) => Some(End::Nonces),
                _ if settings.stop.load(Ordering::Relaxed) => Some(End::Stopped),
                _ if limits.deadline.is_some_and(|deadline| Instant::now() >= deadline) => {
                    Some(End::Deadline)
                }
                _ => None,
            };
            let (None, Some(from)) = (end, state.next) else {
                state.end = state.end.or(end);
                break;
            };
            let to = piece_end(from, last, length);
            state.next = if to < last { Some(to + 1) } else { None };
            drop(state);
            let known = floor.load(Ordering::Relaxed);
            let finds = scan_piece(settings.kernel, job, (from, to), known, limits.zeros);
            floor.fetch_max(finds.best.map_or(0, |best| best.zeros), Ordering::Relaxed);
            state = lock(&shared);
            state.hashes = state.hashes.saturating_add(to - from).saturating_add(1);
            if state.finds.add(&finds) {
                state.improved = true;
                news.notify_all();
            }
        }
        state.running -= 1;
        news.notify_all();
    };
    pin::threads(threads, settings.pin, work, || {
        let mut state = lock(&shared);
        let mut due = began + settings.interval;
        while state.running > 0 {
            let wait = due.saturating_duration_since(Instant::now());
            state = news.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
            let tick = Instant::now() >= due;
            if tick || state.improved {
                state.improved = false;
                let now = Progress { hashes: state.hashes, best: state.finds.best, elapsed: began.elapsed() };
                drop(state);
                progress(&now);
                if tick {
                    due = Instant::now() + settings.interval;
                }
                state = lock(&shared);
            }
        }
    });
    let state = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    let goal = state.finds.first;
    let searched = match (goal, state.next) {
        (Some(found), _) => Some(first..=found),
        (None, Some(next)) => next.checked_sub(1).filter(|to| *to >= first).map(|to| first..=to),
        (None, None) => Some(range),
    };
    Ok(Outcome {
        best: goal.map(|nonce| Solution::new(job, nonce)).or(state.finds.best),
        searched,
        hashes: state.hashes,
        end: if goal.is_some() { End::Zeros } else { state.end.unwrap_or(End::Nonces) },
        elapsed: began.elapsed(),
    })
}
