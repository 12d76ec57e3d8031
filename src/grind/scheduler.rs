//! Many farmers in one block: which of them is hashed for next.
//!
//! Each thread takes a piece of nonces for the farmer with the fewest zeros (of those, the one with the fewest nonces
//! tried), until every farmer has reached the cap or time is up. A piece that was taken is finished, so what was tried for
//! a farmer is one gapless range, and a later run resumes behind it.

use super::block::{Job, MAX_ZEROS};
use super::pin;
use super::search::{End, LimitError, Settings, Solution, lock, piece_end, scan_piece};
use super::walk::PIECE;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Where the search for one farmer stands: what goes in, what comes out, and what is worth saving in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Farmer {
    /// What is hashed for this farmer.
    pub job: Job,
    /// The first nonce not tried; `None` after the last, 2^64 - 1.
    pub next: Option<u64>,
    /// The best nonce so far.
    pub best: Option<Solution>,
    /// Enough zeros: more earn nothing.
    pub cap: u32,
}

/// What was done for one farmer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The state to resume from.
    pub farmer: Farmer,
    /// Nonces tried in this run.
    pub hashes: u64,
}

/// The result of a run over many farmers.
#[derive(Clone, Debug)]
pub struct SearchReport {
    /// One entry per farmer, in the order given.
    pub shares: Vec<Share>,
    /// Nonces tried in all.
    pub hashes: u64,
    /// Why it ended: [`End::Zeros`] if all are at their caps, [`End::Nonces`] if those that are not have no nonces left.
    pub end: End,
    /// Time it took.
    pub elapsed: Duration,
}

/// What the callback is told.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A farmer has a better nonce. `farmer.next` is behind all that was tried without a gap at this moment: saving it is
    /// safe, resuming from it repeats a few milliseconds at most.
    Improved {
        /// Position of the farmer in the list given.
        number: usize,
        /// Its state.
        farmer: &'a Farmer,
    },
    /// Comes every [`Settings::interval`].
    Tick {
        /// Nonces tried for all farmers.
        hashes: u64,
        /// Farmers that have reached their caps.
        done: usize,
        /// The fewest zeros that any farmer has; 0 also for one without a nonce.
        lowest: u32,
        /// Since the start.
        elapsed: Duration,
    },
}

struct Entry {
    farmer: Farmer,
    hashes: u64,
    /// The first nonce nobody has taken.
    free: Option<u64>,
    /// Nonces tried or in work.
    claimed: u64,
    /// Its place in the queue, if it is there.
    queued: Option<Key>,
    /// First nonces of the pieces in work.
    taken: Vec<u64>,
}

impl Entry {
    fn zeros(&self) -> u32 {
        self.farmer.best.map_or(0, |best| best.zeros)
    }

    fn done(&self) -> bool {
        self.farmer.best.is_some_and(|best| best.zeros >= self.farmer.cap)
    }
}

/// Order of the queue: zeros, nonces claimed, position in the list.
type Key = (u32, u64, usize);

struct Shared {
    entries: Vec<Entry>,
    /// Farmers that can be hashed for, the next first.
    queue: BTreeSet<Key>,
    improved: BTreeSet<usize>,
    hashes: u64,
    running: usize,
    end: Option<End>,
}

impl Shared {
    /// Puts a farmer where it belongs in the queue, or takes it out if there is nothing to do for it.
    fn enqueue(&mut self, number: usize) {
        let entry = &mut self.entries[number];
        if let Some(key) = entry.queued.take() {
            self.queue.remove(&key);
        }
        if !entry.done() && entry.free.is_some() {
            let key = (entry.zeros(), entry.claimed, number);
            entry.queued = Some(key);
            self.queue.insert(key);
        }
    }
}

/// Hashes for all `farmers` until each has reached its cap, or `deadline`, or the stop signal. `event` is called on this
/// thread.
pub fn raise(
    farmers: &[Farmer],
    deadline: Option<Instant>,
    settings: &Settings<'_>,
    event: &mut dyn FnMut(Event<'_>),
) -> Result<SearchReport, LimitError> {
    if let Some(farmer) = farmers.iter().find(|farmer| farmer.cap > MAX_ZEROS) {
        return Err(LimitError::Zeros(farmer.cap));
    }
    let began = Instant::now();
    let threads = settings.threads.get();
    let entry = |farmer: &Farmer| {
        let (farmer, free) = (*farmer, farmer.next);
        Entry { farmer, hashes: 0, free, claimed: 0, queued: None, taken: Vec::new() }
    };
    let mut shared = Shared {
        entries: farmers.iter().map(entry).collect(),
        queue: BTreeSet::new(),
        improved: BTreeSet::new(),
        hashes: 0,
        running: threads,
        end: None,
    };
    for number in 0..farmers.len() {
        shared.enqueue(number);
    }
    let shared = Mutex::new(shared);
    let news = Condvar::new();
    let work = || {
        let mut state = lock(&shared);
        loop {
            if settings.stop.load(Ordering::Relaxed) {
                state.end = state.end.or(Some(End::Stopped));
                break;
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                state.end = state.end.or(Some(End::Deadline));
                break;
            }
            let Some((_, _, number)) = state.queue.pop_first() else {
                break;
            };
            let entry = &mut state.entries[number];
            let Some(from) = entry.free else { continue };
            let to = piece_end(from, u64::MAX, PIECE);
            entry.free = to.checked_add(1);
            entry.taken.push(from);
            let count = (to - from).saturating_add(1);
            entry.claimed = entry.claimed.saturating_add(count);
            let (job, known) = (entry.farmer.job, entry.farmer.best);
            // Back in the queue at once: another thread takes the next piece if this is the only one to be raised.
            state.enqueue(number);
            drop(state);
            // Ties count: a piece with lower nonces may be finished later.
            let floor = known.map_or(0, |best| best.zeros);
            let finds = scan_piece(settings.kernel, &job, (from, to), floor, None);
            state = lock(&shared);
            state.hashes = state.hashes.saturating_add(count);
            let entry = &mut state.entries[number];
            entry.hashes = entry.hashes.saturating_add(count);
            entry.taken.retain(|taken| *taken != from);
            entry.farmer.next = entry.taken.iter().min().copied().or(entry.free);
            if let Some(found) = finds.best
                && entry.farmer.best.is_none_or(|best| found.beats(&best))
            {
                entry.farmer.best = Some(found);
                state.improved.insert(number);
                news.notify_all();
            }
            state.enqueue(number);
        }
        state.running -= 1;
        news.notify_all();
    };
    pin::threads(threads, settings.pin, work, || {
        let mut due = began + settings.interval;
        let mut state = lock(&shared);
        loop {
            while let Some(number) = state.improved.pop_first() {
                let farmer = state.entries[number].farmer;
                drop(state);
                event(Event::Improved { number, farmer: &farmer });
                state = lock(&shared);
            }
            if state.running == 0 {
                break;
            }
            if Instant::now() >= due {
                let done = state.entries.iter().filter(|entry| entry.done()).count();
                let lowest = state.entries.iter().map(Entry::zeros).min().unwrap_or(0);
                let hashes = state.hashes;
                drop(state);
                event(Event::Tick { hashes, done, lowest, elapsed: began.elapsed() });
                due = Instant::now() + settings.interval;
                state = lock(&shared);
                continue;
            }
            let wait = due.saturating_duration_since(Instant::now());
            state = news.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    });
    let state = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    let all_done = state.entries.iter().all(Entry::done);
    let share = |entry: &Entry| Share { farmer: entry.farmer, hashes: entry.hashes };
    Ok(SearchReport {
        hashes: state.hashes,
        end: if all_done { End::Zeros } else { state.end.unwrap_or(End::Nonces) },
        shares: state.entries.iter().map(share).collect(),
        elapsed: began.elapsed(),
    })
}
