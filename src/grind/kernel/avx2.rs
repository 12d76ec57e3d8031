//! Four nonces at once with AVX2.
#![allow(
    clippy::inline_always,
    reason = "only what is inlined into a function with the target feature uses it"
)]
#![allow(unsafe_code, reason = "intrinsics; each with the reason why the CPU has the instruction")]

use super::super::block::Job;
use super::super::keccak::{Rows, Word, finish};
use super::super::walk::{Report, Sieve, Walk, scan};
use super::{Kernel, KernelRef};
use std::arch::x86_64::{
    __m256i, _mm256_add_epi64, _mm256_and_si256, _mm256_andnot_si256, _mm256_castsi256_pd,
    _mm256_cmpeq_epi64, _mm256_loadu_si256, _mm256_movemask_pd, _mm256_or_si256, _mm256_set_epi8,
    _mm256_set1_epi64x, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_slli_epi64, _mm256_srli_epi64,
    _mm256_storeu_si256, _mm256_xor_si256,
};

#[derive(Clone, Copy)]
#[repr(transparent)]
struct Ymm(__m256i);

// SAFETY, for every `unsafe` in this block: the type is private to this file and only `scan_avx2` uses it, which runs on a
// CPU with AVX2 (see `kernel`); the loads and stores are the unaligned ones, on arrays that are large enough.
impl Word for Ymm {
    const LANES: usize = 4;
    const FUSED: bool = false;

    #[inline(always)]
    fn splat(value: u64) -> Self {
        unsafe { Self(_mm256_set1_epi64x(value.cast_signed())) }
    }

    #[inline(always)]
    fn load(values: &[u64; 8]) -> Self {
        unsafe { Self(_mm256_loadu_si256(values.as_ptr().cast())) }
    }

    #[inline(always)]
    fn store(self) -> [u64; 8] {
        let mut values = [0; 8];
        unsafe { _mm256_storeu_si256(values.as_mut_ptr().cast(), self.0) };
        values
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        unsafe { Self(_mm256_xor_si256(self.0, other.0)) }
    }

    #[inline(always)]
    fn chi(self, b: Self, c: Self) -> Self {
        unsafe { Self(_mm256_xor_si256(self.0, _mm256_andnot_si256(b.0, c.0))) }
    }

    #[inline(always)]
    fn rol<const L: i32, const R: i32>(self) -> Self {
        unsafe {
            Self(match L {
                // Doubling leaves the shifters, of which there are fewer than adders, free.
                1 => _mm256_or_si256(_mm256_add_epi64(self.0, self.0), _mm256_srli_epi64::<R>(self.0)),
                // Whole bytes are one shuffle.
                8 => _mm256_shuffle_epi8(
                    self.0,
                    _mm256_set_epi8(
                        14, 13, 12, 11, 10, 9, 8, 15, 6, 5, 4, 3, 2, 1, 0, 7, 14, 13, 12, 11, 10, 9, 8, 15,
                        6, 5, 4, 3, 2, 1, 0, 7,
                    ),
                ),
                56 => _mm256_shuffle_epi8(
                    self.0,
                    _mm256_set_epi8(
                        8, 15, 14, 13, 12, 11, 10, 9, 0, 7, 6, 5, 4, 3, 2, 1, 8, 15, 14, 13, 12, 11, 10, 9,
                        0, 7, 6, 5, 4, 3, 2, 1,
                    ),
                ),
                _ => _mm256_or_si256(_mm256_slli_epi64::<L>(self.0), _mm256_srli_epi64::<R>(self.0)),
            })
        }
    }

    #[inline(always)]
    fn zero_lanes(self, mask: u64) -> u32 {
        unsafe {
            let masked = _mm256_and_si256(self.0, _mm256_set1_epi64x(mask.cast_signed()));
            let equal = _mm256_cmpeq_epi64(masked, _mm256_setzero_si256());
            _mm256_movemask_pd(_mm256_castsi256_pd(equal)).cast_unsigned()
        }
    }
}

#[derive(Debug)]
struct Avx2(());

/// The kernel, on a CPU that has what it needs.
pub(super) fn kernel() -> Option<KernelRef> {
    (std::arch::is_x86_feature_detected!("avx2")).then_some(&Avx2(()))
}

impl Kernel for Avx2 {
    fn name(&self) -> &'static str {
        "avx2"
    }

    fn lanes(&self) -> usize {
        Ymm::LANES
    }

    fn scan(&self, job: &Job, range: (u64, u64), floor: u32, report: &mut Report<'_>) {
        // SAFETY: a value of this type comes from `kernel` alone, which asked the CPU for AVX2.
        unsafe { scan_avx2(job, range, floor, report) }
    }
}

#[target_feature(enable = "avx2")]
fn scan_avx2(job: &Job, range: (u64, u64), floor: u32, report: &mut Report<'_>) {
    scan::<Ymm>(
        job,
        range,
        &mut Sieve::new(range, floor, report),
        |walk| step_four(walk),
        |state| finish_four(state),
    );
}

#[target_feature(enable = "avx2")]
#[inline(never)]
fn finish_four(state: &Rows<Ymm>) -> Ymm {
    finish(state)
}

#[target_feature(enable = "avx2")]
#[inline(never)]
fn step_four(walk: &mut Walk<Ymm>) -> Ymm {
    finish(walk.advance())
}
