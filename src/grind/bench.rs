//! How fast this machine hashes: every kernel and number of threads, in turns with a scalar reference.
//!
//! Machines change their pace from second to second. So everything is measured in short turns, round after round, and the
//! ratio to the reference is taken within the same run.

use super::block::Job;
use super::kernel::{KernelRef, available};
use super::search::{LimitError, Limits, Settings, search};
use std::num::NonZeroUsize;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Measurements of one kernel with one number of threads.
#[derive(Clone, Debug)]
pub struct Row {
    /// Name of the kernel, or `tiny-keccak`.
    pub kernel: &'static str,
    /// Hashes at once.
    pub lanes: usize,
    /// Threads.
    pub threads: usize,
    /// Hashes a second, one value per round.
    pub rates: Vec<f64>,
}

impl Row {
    /// The middle of the rounds, in hashes a second; 0 without a round.
    pub fn median(&self) -> f64 {
        let mut rates = self.rates.clone();
        rates.sort_by(f64::total_cmp);
        rates.get(rates.len() / 2).copied().unwrap_or(0.0)
    }

    /// The fastest round, in hashes a second: what the machine gives when nothing else runs.
    pub fn best(&self) -> f64 {
        self.rates.iter().copied().fold(0.0, f64::max)
    }
}

/// Turns per kernel and number of threads.
const ROUNDS: u32 = 7;

#[allow(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "a rate, for people to read")]
fn rate(hashes: u64, elapsed: Duration) -> f64 {
    hashes as f64 / elapsed.as_secs_f64()
}

fn reference(job: &Job, time: Duration) -> f64 {
    let began = Instant::now();
    let mut hashes = 0;
    while began.elapsed() < time {
        for _ in 0..256 {
            std::hint::black_box(job.hash(hashes));
            hashes += 1;
        }
    }
    rate(hashes, began.elapsed())
}

/// Measures for about `time` in all, with 1, 2, 4, … and all of `settings.threads` threads. Ends early, with the rounds done,
/// when the stop signal is set. `settings.kernel` does not matter: all are measured. The first row is the reference:
/// `tiny-keccak`, one thread.
pub fn bench(time: Duration, settings: &Settings<'_>) -> Result<Vec<Row>, LimitError> {
    let job = Job { index: 1, entropy: [0x5a; 32], farmer: [0xc3; 32] };
    let mut counts: Vec<usize> = std::iter::successors(Some(1), |count| Some(count * 2))
        .take_while(|count| *count < settings.threads.get())
        .collect();
    counts.push(settings.threads.get());
    let kernels = available();
    let row = |kernel, lanes, threads| Row { kernel, lanes, threads, rates: Vec::new() };
    let of_kernel = |kernel: &KernelRef| {
        let (name, lanes) = (kernel.name, kernel.lanes);
        counts.iter().map(move |threads| row(name, lanes, *threads))
    };
    let mut rows = vec![row("tiny-keccak", 1, 1)];
    rows.extend(kernels.iter().flat_map(of_kernel));
    let turn = time / ROUNDS / u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let mut start = 0;
    for _ in 0..ROUNDS {
        for (number, row) in rows.iter_mut().enumerate() {
            if settings.stop.load(Ordering::Relaxed) {
                return Ok(rows);
            }
            let Some(kernel) = number.checked_sub(1).and_then(|place| kernels.get(place / counts.len()))
            else {
                row.rates.push(reference(&job, turn));
                continue;
            };
            let threads = NonZeroUsize::new(row.threads).unwrap_or(NonZeroUsize::MIN);
            let settings = Settings { kernel, threads, ..*settings };
            let limits = Limits { start, deadline: Some(Instant::now() + turn), ..Limits::default() };
            let outcome = search(&job, &limits, &settings, &mut |_| {})?;
            row.rates.push(rate(outcome.hashes, outcome.elapsed));
            // Other nonces each time: a result must not come from something that was learnt.
            start += 1 << 40;
        }
    }
    Ok(rows)
}
