//! The kernels: which there are, which of them this machine can run, and whether they hash correctly.

/// The scan by one word of a kernel, whose parts are compiled for its features, each as a function of its own (see
/// [`finish`](super::keccak::finish)).
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! scan_by {
    ($name:ident, $word:ty, $features:literal) => {
        #[target_feature(enable = $features)]
        #[inline(never)]
        fn $name(job: &Job, range: (u64, u64), sieve: &mut Sieve<'_, '_>) {
            #[target_feature(enable = $features)]
            #[inline(never)]
            fn last(state: &Rows<$word>) -> $word {
                finish(state)
            }

            #[target_feature(enable = $features)]
            #[inline(never)]
            fn step(walk: &mut Walk<$word>) -> $word {
                finish(walk.advance())
            }

            scan::<$word>(job, range, sieve, |walk| step(walk), |state| last(state));
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

use super::block::{Job, lane_zeros};
pub use super::walk::OnCandidate;

/// Hashes nonces, several at once.
#[derive(Debug)]
pub struct Kernel {
    /// The name it is chosen by.
    pub name: &'static str,
    /// Hashes at once.
    pub lanes: usize,
    /// Tries every nonce of a range, both ends included, once each and in any order, and calls the report with each that
    /// has at least so many leading zeros (and with the first lane of its digest, little endian). What the report answers
    /// is the floor from then on.
    pub scan: fn(&Job, (u64, u64), u32, &mut OnCandidate<'_>),
}

/// A kernel that this machine can run. A kernel is only to be had through [`available`] and [`by_name`], after the CPU was
/// asked for the instructions it needs.
pub type KernelRef = &'static Kernel;

/// Every kernel this machine can run, the fastest first. The last is always `portable`.
pub fn available() -> Vec<KernelRef> {
    let mut kernels: Vec<KernelRef> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        kernels.extend(avx512::kernel());
        kernels.extend(avx2::kernel());
    }
    #[cfg(target_arch = "aarch64")]
    kernels.extend(neon::kernels());
    kernels.push(&portable::KERNEL);
    kernels
}

/// The kernel of that name cannot be used here.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("kernel '{name}' is not available on this machine; available: {}", available.join(", "))]
pub struct UnknownKernel {
    /// The name that was asked for.
    pub name: String,
    /// The names of those that are available, the fastest first.
    pub available: Vec<&'static str>,
}

/// The kernel of that name, if this machine can run it.
pub fn by_name(name: &str) -> Result<KernelRef, UnknownKernel> {
    let kernels = available();
    kernels.iter().copied().find(|kernel| kernel.name == name).ok_or_else(|| UnknownKernel {
        name: name.to_owned(),
        available: kernels.iter().map(|kernel| kernel.name).collect(),
    })
}

/// A kernel computed another hash than the reference did.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("kernel '{kernel}' disagrees with the reference: index {index}, nonce {nonce}: {reason}")]
pub struct Disagreement {
    /// Name of the kernel.
    pub kernel: &'static str,
    /// Index of the farm's block in the failed case.
    pub index: u32,
    /// Nonce of the failed case.
    pub nonce: u64,
    /// What was wrong.
    pub reason: &'static str,
}

/// Compares a kernel with the reference (`tiny-keccak`) on `count` or a few more nonces, in ranges of random places and
/// lengths, and with random jobs that follow from `seed`.
pub fn check(kernel: KernelRef, count: u64, seed: u64) -> Result<(), Disagreement> {
    let mut random = SplitMix(seed);
    let mut tried = 0;
    while tried < count {
        let job = random.job();
        // Short ranges try the ends of words, long ones whole tiles; every fourth starts at a carry.
        let length =
            if random.next().is_multiple_of(64) { 3 * super::walk::TILE } else { 1 + random.next() % 97 };
        let length = length.min(count - tried).max(1);
        let first = match random.next() % 4 {
            0 => (random.next() << 32).wrapping_sub(length / 2),
            _ => random.next(),
        }
        .min(u64::MAX - (length - 1));
        check_range(kernel, &job, first, first + (length - 1))?;
        tried += length;
    }
    Ok(())
}

fn check_range(kernel: KernelRef, job: &Job, first: u64, last: u64) -> Result<(), Disagreement> {
    let failed = |nonce, reason| Err(Disagreement { kernel: kernel.name, index: job.index, nonce, reason });
    let mut found: Vec<(u64, u64)> = Vec::new();
    (kernel.scan)(job, (first, last), 0, &mut |nonce, lane| {
        found.push((nonce, lane));
        0
    });
    found.sort_unstable();
    let mut found = found.into_iter();
    for nonce in first..=last {
        let digest = job.hash(nonce);
        let Some(expected) = digest.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes)) else {
            continue;
        };
        match found.next() {
            Some((at, lane)) if at == nonce && lane == expected => {}
            Some((at, _)) if at == nonce => return failed(nonce, "another digest"),
            _ => return failed(nonce, "nonce not tried, or tried twice"),
        }
    }
    if found.next().is_some() {
        return failed(last, "more nonces tried than asked for");
    }
    // The same again as it is used: only what has at least one zero.
    let mut good = 0;
    (kernel.scan)(job, (first, last), 1, &mut |_, lane| {
        good += u64::from(lane_zeros(lane) >= 1);
        1
    });
    let expected = (first..=last).filter(|nonce| job.hash(*nonce)[0] < 16).count() as u64;
    if good == expected { Ok(()) } else { failed(first, "zeros miscounted") }
}

/// The fastest kernel that agrees with the reference on `count` nonces, and the ones that were refused before it.
///
/// `portable` is taken without a check when nothing else is left: it is plain Rust.
pub fn checked(wanted: Option<KernelRef>, count: u64, seed: u64) -> (KernelRef, Vec<Disagreement>) {
    let mut refused = Vec::new();
    for kernel in wanted.into_iter().chain(available()) {
        match check(kernel, count, seed) {
            Ok(()) => return (kernel, refused),
            Err(disagreement) => refused.push(disagreement),
        }
    }
    (&portable::KERNEL, refused)
}

/// Steele, Lea and Flood's generator: enough to choose test cases, with no dependency.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn job(&mut self) -> Job {
        let mut bytes = || {
            let mut bytes = [0; 32];
            for chunk in bytes.as_chunks_mut::<8>().0 {
                *chunk = self.next().to_le_bytes();
            }
            bytes
        };
        let (entropy, farmer) = (bytes(), bytes());
        Job { index: (self.next() >> 32) as u32, entropy, farmer }
    }
}
