//! Eight nonces in two streams of four with AVX2, and a ninth in the integer registers meanwhile.
//!
//! # What it costs, and the floor
//!
//! `avx2.s` is generated, so its instructions are known. A round of nine hashes is 613: 184 vector operations for each four
//! (40 for parities and theta's words, 25 for theta, 68 for rho without a rotate instruction, 50 for chi, 1 for iota), 61
//! loads, stores and broadcasts, and 184 integer instructions. With the walk's step, chi of round 1 and the end, nine hashes
//! are 13,431 instructions, 1,492 a hash, of which 7,969 are vector operations.
//!
//! Zen 4 does four of those a cycle and dispatches six instructions: 1,992 and 2,239 cycles for nine hashes, so the floor is
//! dispatch, **249 cycles a hash**. Measured: 2,410 cycles for the function alone (268 a hash), 2,326 for the eight without
//! the ninth (291). The state lies in memory: 16 registers would hold no more than one row of it with theta's words, `vpxor`
//! takes a lane from memory for nothing, and a store of 32 bytes fits in every cycle. Two streams, because theta makes a
//! round wait for the whole one before.
//!
//! Three rounds per turn of the loop instead of two: the same within 1 %.
#![allow(
    unsafe_code,
    reason = "intrinsics and assembly; each with the reason why the CPU has the instruction"
)]

use super::super::block::Job;
use super::super::keccak::{CONSTANTS, Rows, Word, finish};
use super::super::twin::{Base, Digests, Entry, scan_groups};
use super::super::walk::{OnCandidate, Sieve, Walk, scan};
use super::{Kernel, KernelRef};
use std::arch::naked_asm;
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

/// Eight nonces in two vectors.
#[derive(Clone, Copy)]
#[repr(C)]
struct Pair(Ymm, Ymm);

impl Word for Pair {
    const LANES: usize = 8;

    #[inline(always)]
    fn splat(value: u64) -> Self {
        Self(Ymm::splat(value), Ymm::splat(value))
    }

    #[inline(always)]
    fn load(values: &[u64; 8]) -> Self {
        let mut second = *values;
        second.rotate_left(4);
        Self(Ymm::load(values), Ymm::load(&second))
    }

    #[inline(always)]
    fn store(self) -> [u64; 8] {
        let (mut all, second) = (self.0.store(), self.1.store());
        all[4..].copy_from_slice(&second[..4]);
        all
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        Self(self.0.xor(other.0), self.1.xor(other.1))
    }

    #[inline(always)]
    fn chi(self, b: Self, c: Self) -> Self {
        Self(self.0.chi(b.0, c.0), self.1.chi(b.1, c.1))
    }

    #[inline(always)]
    fn rol<const L: i32, const R: i32>(self) -> Self {
        Self(self.0.rol::<L, R>(), self.1.rol::<L, R>())
    }

    #[inline(always)]
    fn zero_lanes(self, mask: u64) -> u32 {
        self.0.zero_lanes(mask) | self.1.zero_lanes(mask) << 4
    }
}

/// The kernel, on a CPU that has what it needs.
pub(super) fn kernel() -> Option<KernelRef> {
    let fit = std::arch::is_x86_feature_detected!("avx2")
        && std::arch::is_x86_feature_detected!("bmi1")
        && std::arch::is_x86_feature_detected!("bmi2");
    fit.then_some(&Kernel {
        name: "avx2",
        lanes: Ymm::LANES,
        // SAFETY: this is to be had from here alone, after the CPU was asked for these features.
        scan: |job, range, floor, report| unsafe { scan_avx2(job, range, floor, report) },
    })
}

#[target_feature(enable = "avx2,bmi1,bmi2")]
fn scan_avx2(job: &Job, range: (u64, u64), floor: u32, report: &mut OnCandidate<'_>) {
    scan_groups::<Pair>(
        job,
        range,
        &mut Sieve::new(range, floor, report),
        // SAFETY: the CPU has the three features, and each reference is to what the function reads, or writes.
        |base, entries, _, digests| {
            if let Some(entry) = entries.first() {
                unsafe { nine(base, entry, &CONSTANTS, digests) };
            }
            0
        },
        |range, sieve| scan_vectors(job, range, sieve),
    );
}

/// From a base and an entry of a table to the first lanes of nine digests: chi of round 1 to the end.
///
/// The text is made by `tools/rounds.py`, which says how. It needs AVX2, BMI1 and BMI2, reads the first three arguments and
/// writes the last.
#[unsafe(naked)]
unsafe extern "sysv64" fn nine(
    base: &Base<Pair>,
    entry: &Entry,
    constants: &[[u64; 2]; 23],
    digests: &mut Digests,
) {
    naked_asm!(include_str!("avx2.s"), options(raw))
}

scan_by!(scan_vectors, Ymm, "avx2");
