//! `poolctl grind`: the nonce grinder on its own. It opens no config, no state and no network.

pub mod bench;
pub mod jobs;
pub mod single;

use crate::shell::prelude::*;
use grind::Settings;
use grind::kernel::{self, KernelRef};
use grind::search::all_cores;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Random inputs on which a kernel must agree with the reference before it is used.
const CHECKS: u64 = 4096;

/// Grind KALE nonces: one job from flags, many from NDJSON, or a bench of this machine
///
/// Needs no config, no state and no network, so it can run on any machine. The best nonce is the true
/// best of what was searched, the lowest of those with as many zeros. Without a start, each job begins at a random
/// nonce, so that two machines do not search the same ones; the output says where.
#[derive(Debug, Args)]
#[command(
    before_help = "Example: poolctl grind --index 37 --entropy AAAAAAn66y/43JP7M02rwTmONZoWOmu1OPYz/bmzJ8o= \
                   --farmer GBQHTQ7NTSKHVTSVM6EHUO3TU4P4BK2TAAII25V2TT2Q6OWXUJWEKALE --zeros 6"
)]
pub struct Grind {
    /// Index of the block
    #[arg(long, value_name = "N", required_unless_present_any = ["jobs", "bench"])]
    index: Option<u32>,
    /// Entropy of the block, hex or base64
    #[arg(long, required_unless_present_any = ["jobs", "bench"])]
    entropy: Option<String>,
    /// The farmer: G…, C… or 64 hex digits
    #[arg(long, required_unless_present_any = ["jobs", "bench"])]
    farmer: Option<String>,
    /// First nonce [default: a random one]
    #[arg(long, value_name = "NONCE")]
    start: Option<String>,
    /// Stop at the first nonce with at least Z zeros, 0 to 64
    #[arg(long, value_name = "Z")]
    zeros: Option<u32>,
    /// Try at most COUNT nonces
    #[arg(long, value_name = "COUNT")]
    nonces: Option<String>,
    /// Stop after S seconds
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(1..))]
    seconds: Option<u32>,
    /// Jobs as NDJSON from a file or stdin (-): {id, index, entropy, farmer, start?, nonces?, zeros?, until?}
    #[arg(long, value_name = "FILE", conflicts_with_all = ["index", "entropy", "farmer", "start", "zeros", "nonces", "seconds", "bench"])]
    jobs: Option<PathBuf>,
    /// With --jobs, write every improvement as it is found
    #[arg(long, requires = "jobs")]
    stream: bool,
    /// Measure every kernel and number of threads on this machine
    #[arg(long, conflicts_with_all = ["index", "entropy", "farmer", "start", "zeros", "nonces", "kernel"])]
    bench: bool,
    /// Threads [default: all cores]
    #[arg(long, value_name = "T")]
    threads: Option<usize>,
    /// Kernel: avx512, avx2, neon or portable [default: the fastest here]
    #[arg(long)]
    kernel: Option<String>,
}

impl Grind {
    pub fn run(self: Box<Self>, session: &Session) -> Result<Outcome> {
        let threads = match self.threads {
            None => all_cores(),
            Some(threads) => NonZeroUsize::new(threads).ok_or_else(|| {
                Error::new(Code::InvalidValue, "--threads: 0 threads would never end").hint("use 1 or more")
            })?,
        };
        let wanted = self.kernel.as_deref().map(kernel::by_name).transpose().map_err(|e| {
            Error::new(Code::InvalidValue, format!("--kernel: {e}")).detail("available", e.available.clone())
        })?;
        let stop = session.call.stop.flag();
        if self.bench {
            return bench::run(session, threads, self.seconds);
        }
        if let Some(path) = &self.jobs {
            let kernel = checked(session, wanted);
            return jobs::run(session, path, self.stream, &settings(kernel, threads, &stop));
        }
        let task = single::parse(&self)?;
        let kernel = checked(session, wanted);
        single::run(session, task, self.seconds, &settings(kernel, threads, &stop))
    }
}

fn settings(kernel: KernelRef, threads: NonZeroUsize, stop: &AtomicBool) -> Settings<'_> {
    Settings { kernel, threads, pin: false, interval: Duration::from_millis(100), stop }
}

/// The kernel to use: one that disagrees with the reference is refused with a warning, and the next one is taken.
fn checked(session: &Session, wanted: Option<KernelRef>) -> KernelRef {
    let seed = session.call.run.clock.now().unsigned_abs();
    let (kernel, refused) = kernel::checked(wanted, CHECKS, seed);
    for disagreement in refused {
        session.call.warn(format!("{disagreement}; kernel {} is used instead", kernel.name));
    }
    kernel
}

/// A number that no other machine has.
fn random() -> Result<u64> {
    getrandom::u64().map_err(|e| {
        Error::new(Code::Io, format!("the system gives no random start: {e}")).hint("give --start")
    })
}

/// Hashes a second, rounded down.
fn rate(hashes: u64, elapsed: Duration) -> u64 {
    let micros = elapsed.as_micros().max(1);
    u64::try_from(u128::from(hashes) * 1_000_000 / micros).unwrap_or(u64::MAX)
}

/// `123.4 MH/s` for a person.
fn shown_rate(rate: u64) -> String {
    for (unit, name) in [(1_000_000_000, "GH/s"), (1_000_000, "MH/s"), (1_000, "kH/s")] {
        if rate >= unit {
            return format!("{}.{} {name}", rate / unit, rate % unit * 10 / unit);
        }
    }
    format!("{rate} H/s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_rounded_down() {
        assert_eq!(rate(1_000, Duration::from_secs(2)), 500);
        assert_eq!(rate(u64::MAX, Duration::ZERO), u64::MAX);
        for (n, want) in
            [(999, "999 H/s"), (1_000, "1.0 kH/s"), (39_999_999, "39.9 MH/s"), (2_500_000_000, "2.5 GH/s")]
        {
            assert_eq!(shown_rate(n), want);
        }
    }
}
