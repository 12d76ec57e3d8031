//! Grinding beside everything else: the threads hash on while the network is waited for.

use base::{Code, Error, Result};
use grind::kernel::{self, KernelRef};
use grind::scheduler::{Event, Farmer, raise};
use grind::search::all_cores;
use grind::{End, Settings};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Random inputs on which a kernel must agree with the reference before it is used.
const CHECKS: u64 = 4096;
/// Between two reports of the figures.
const INTERVAL: Duration = Duration::from_millis(100);

/// The kernel to grind with, and what was found wrong with those that are not used.
pub fn kernel(seed: u64) -> (KernelRef, Vec<String>) {
    let (kernel, refused) = kernel::checked(None, CHECKS, seed);
    let warnings =
        refused.iter().map(|wrong| format!("{wrong}; kernel {} is used instead", kernel.name)).collect();
    (kernel, warnings)
}

/// How the hashing goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Nonces tried.
    pub hashes: u64,
    /// Farmers that have all the zeros that count.
    pub done: usize,
    /// The fewest zeros that any of them has.
    pub lowest: u32,
    /// Time that the threads hashed.
    pub elapsed: Duration,
}

#[derive(Debug)]
struct Board {
    farmers: Vec<Farmer>,
    changed: BTreeSet<usize>,
    figures: Figures,
    ended: Option<End>,
}

/// Threads that grind until all farmers have enough, or it is stopped. Dropping it stops it.
#[derive(Debug)]
pub struct Grinder {
    stop: Arc<AtomicBool>,
    board: Arc<Mutex<Board>>,
    thread: Option<JoinHandle<()>>,
    begun: Instant,
}

fn lock(board: &Mutex<Board>) -> MutexGuard<'_, Board> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Grinder {
    /// Begins with all cores.
    pub fn start(kernel: KernelRef, farmers: Vec<Farmer>) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let board = Arc::new(Mutex::new(Board {
            farmers: farmers.clone(),
            changed: BTreeSet::new(),
            figures: Figures::default(),
            ended: None,
        }));
        let (flag, shared) = (Arc::clone(&stop), Arc::clone(&board));
        let run = move || {
            let settings =
                Settings { kernel, threads: all_cores(), pin: false, interval: INTERVAL, stop: &flag };
            let report = raise(&farmers, None, &settings, &mut |event| {
                let mut board = lock(&shared);
                match event {
                    Event::Improved { number, farmer } => {
                        if let Some(place) = board.farmers.get_mut(number) {
                            *place = *farmer;
                        }
                        board.changed.insert(number);
                    }
                    Event::Tick { hashes, done, lowest, elapsed } => {
                        board.figures = Figures { hashes, done, lowest, elapsed };
                    }
                }
            });
            let mut board = lock(&shared);
            board.ended = Some(report.as_ref().map_or(End::Stopped, |report| report.end));
            if let Ok(report) = report {
                board.figures.hashes = report.hashes;
                board.figures.elapsed = report.elapsed;
                board.farmers = report.shares.iter().map(|share| share.farmer).collect();
                // Where each search ended is worth keeping, improved or not.
                board.changed = (0..board.farmers.len()).collect();
            }
        };
        let thread = std::thread::Builder::new().name("grinder".to_owned()).spawn(run).map_err(|e| {
            Error::new(Code::Io, format!("cannot start the grinder's thread: {e}"))
                .hint("is the limit of processes or of memory reached?")
        })?;
        Ok(Self { stop, board, thread: Some(thread), begun: Instant::now() })
    }

    /// Where the search for each farmer stands that changed since the last call, by its place in the list.
    pub fn changed(&self) -> Vec<(usize, Farmer)> {
        let mut board = lock(&self.board);
        let changed = std::mem::take(&mut board.changed);
        changed.into_iter().filter_map(|n| Some((n, *board.farmers.get(n)?))).collect()
    }

    /// How it goes.
    pub fn figures(&self) -> Figures {
        lock(&self.board).figures
    }

    /// Why it ended, if it did.
    pub fn ended(&self) -> Option<End> {
        lock(&self.board).ended
    }

    /// Since it was started.
    pub fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Stops the threads and waits for them: a few milliseconds.
    pub fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been shown; what it had found stands on the board.
            let _ = thread.join();
        }
    }
}

impl Drop for Grinder {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use grind::{Job, Solution};

    fn farmer(number: u8, cap: u32) -> Farmer {
        let job = Job { index: 7, entropy: [3; 32], farmer: [number; 32] };
        Farmer { job, next: Some(0), best: None, cap }
    }

    fn wait(grinder: &Grinder) {
        while grinder.ended().is_none() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn it_ends_when_all_have_enough_and_says_where_each_stood() {
        let mut grinder = Grinder::start(kernel(1).0, vec![farmer(1, 3), farmer(2, 3)]).unwrap();
        wait(&grinder);
        assert_eq!(grinder.ended(), Some(End::Zeros));
        let found = grinder.changed();
        assert_eq!(found.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [0, 1]);
        for (_, farmer) in &found {
            let best = farmer.best.unwrap();
            assert!(best.zeros >= 3 && best == Solution::new(&farmer.job, best.nonce), "{best:?}");
            assert!(farmer.next.unwrap() > best.nonce);
        }
        assert!(grinder.changed().is_empty(), "told once");
        grinder.stop();
    }

    #[test]
    fn stopped_it_goes_on_where_it_was() {
        let mut grinder = Grinder::start(kernel(1).0, vec![farmer(1, 64)]).unwrap();
        while grinder.figures().hashes == 0 {
            std::thread::yield_now();
        }
        grinder.stop();
        assert_eq!(grinder.ended(), Some(End::Stopped));
        let (_, stood) = grinder.changed()[0];
        let next = stood.next.unwrap();
        assert!(next > 0 && grinder.figures().hashes == next, "one gapless range from 0: {stood:?}");
        let best = stood.best.unwrap();
        let again = Grinder::start(kernel(1).0, vec![stood]).unwrap();
        while again.figures().hashes == 0 {
            std::thread::yield_now();
        }
        drop(again);
        assert!(best.nonce < next);
    }
}
