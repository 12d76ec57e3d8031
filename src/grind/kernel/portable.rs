//! The kernel for every machine: one nonce at a time in plain Rust.

use super::super::keccak::{Word, finish};
use super::super::walk::{OnCandidate, Sieve, scan};
use super::Kernel;

impl Word for u64 {
    const LANES: usize = 1;

    #[inline(always)]
    fn splat(value: u64) -> Self {
        value
    }

    #[inline(always)]
    fn load(values: &[u64; 8]) -> Self {
        values[0]
    }

    #[inline(always)]
    fn store(self) -> [u64; 8] {
        [self, 0, 0, 0, 0, 0, 0, 0]
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        self ^ other
    }

    #[inline(always)]
    fn chi(self, b: Self, c: Self) -> Self {
        self ^ (!b & c)
    }

    #[inline(always)]
    fn rol<const L: i32, const R: i32>(self) -> Self {
        self.rotate_left(L.cast_unsigned())
    }

    #[inline(always)]
    fn zero_lanes(self, mask: u64) -> u32 {
        u32::from(self & mask == 0)
    }
}

/// Always available.
pub(super) static KERNEL: Kernel = Kernel {
    name: "portable",
    lanes: 1,
    scan: |job, range, floor, report| {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("bmi1") && std::arch::is_x86_feature_detected!("bmi2") {
            // SAFETY: the two features were asked for in the line above.
            #[allow(unsafe_code)]
            return unsafe { scan_bmi(job, range, floor, report) };
        }
        scan::<u64>(job, range, &mut Sieve::new(range, floor, report), |walk| finish(walk.advance()), finish);
    },
};

/// The same with `andn` and `rorx`, which spare a copy each.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "bmi1,bmi2")]
fn scan_bmi(job: &super::super::block::Job, range: (u64, u64), floor: u32, report: &mut OnCandidate<'_>) {
    scan::<u64>(job, range, &mut Sieve::new(range, floor, report), |walk| finish(walk.advance()), finish);
}
