//! Eight nonces at once with AVX-512, and a ninth in the integer registers meanwhile.
//!
//! # What it costs, and the floor
//!
//! `avx512.s` is generated, so its instructions are known; `nine` loops over a table's entries in it.
//!
//! | for nine hashes | vector operations | vector moves, loads, stores | integer instructions |
//! |---|---|---|---|
//! | the walk's step, chi of round 1 | 60 | 40 | 167 |
//! | each of 7 turns of three rounds | 282 | 88 | 553 |
//! | the lane that decides, the test | 15 | 1 | 37 |
//! | all | 2,049 | 657 | 4,075 |
//!
//! That is 6,781 instructions, 753 a hash. A round is 94 vector operations: 10 `vpternlogq` for the parities, 5 `vprolq` and
//! 5 operations for theta's words, 25 for theta, 24 `vprolq` for rho, 25 `vpternlogq` for chi. Iota costs none: its constant
//! is a third input where lane 0 is used next. Moves are there because `vpternlogq` overwrites an input; they take a slot in
//! dispatch but no pipe.
//!
//! On Zen 4 a 512-bit operation takes two of four 256-bit pipes, so two are done a cycle (measured: `vpxorq` 2.0,
//! `vpternlogq` 1.9, `vprolq` 1.0, mixed as in a round at best 1.99). The floor of the vectors is 2,049 / 2 = 1,025 cycles,
//! 114 a hash. Six instructions are dispatched a cycle; the floor of that is 6,781 / 6 = 1,130 cycles for nine hashes, **126 a
//! hash**. Measured for the function alone: 1,258 to 1,272 cycles, 140 to 141 a hash. The integers cost 40 to 70 of them.
//!
//! What is lost: theta makes all of a round wait for all of the one before, and two schedulers of 32 entries do not see far
//! enough to fill that gap and all pipes.
//!
//! # What was tried and is not here
//!
//! In assembly, cycles for nine hashes. The first three with an order that was searched less long, 1,302:
//!
//! - Theta's words from memory, to spare the register file's ports: 1,329 at least for one of the five, 1,600 for all.
//! - Integers in bursts between 2 to 10 vector instructions, denser in parts of a round, ahead by up to 24, or in another order
//!   of rows: 1,307 to 1,327.
//! - A turn that ends within chi, one or two rows early, so that theta's first words are there sooner: that order itself. By
//!   columns, before any search: 1,443 instead of 1,329.
//! - Seven rounds per turn: 2 to 7 % slower. All 21: 2,300, as they do not fit in the instruction cache.
//! - Fewer moves at the end of a turn (24 instead of 31) by another allocation of registers: 1 % slower.
//!
//! From intrinsics, cycles for eight hashes, or nine with the integers, of the rounds alone:
//!
//! - Theta by `vpternlogq` from the parities, which saves forming its five words: 1,342 instead of 1,292, and 1,357 instead of
//!   1,344 with the integers. There are more values alive than registers.
//! - Two streams of eight interleaved: 1,318 for each eight. Two of four in 256-bit registers: 1,273, but 2,025 with the
//!   integers. Half of the state lies in memory then, of which Zen 4 stores 32 bytes a cycle.
//! - Rounds unrolled: 1,309 all, 1,348 by threes; with the integers 7 % slower, as the instruction cache has 32 KiB.
//! - Rows interleaved instead of rounds: 1,372 instead of 1,344. Integers first: 7 % slower.
//! - The walk's step a lane per round, in the rounds' shadow: no faster; in registers, without the way through memory: 6 %
//!   slower. Iota's constants from a table of whole vectors: 5 % slower. The compiler then keeps other values in memory.
//! - Reckoned, not built: to linearise one round more (then quadratic in the changing bits) saves 69 operations and takes 25
//!   more stores and 25 more loads of whole vectors.
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
    __m512i, _mm512_loadu_si512, _mm512_rol_epi64, _mm512_set1_epi64, _mm512_storeu_si512,
    _mm512_ternarylogic_epi64, _mm512_testn_epi64_mask, _mm512_xor_si512,
};
use std::ops::Range;

#[derive(Clone, Copy)]
#[repr(transparent)]
struct Zmm(__m512i);

// SAFETY, for every `unsafe` in this block: the type is private to this file and only `scan_avx512` uses it, which runs on
// a CPU with AVX-512 F (see `kernel`); the loads and stores are the unaligned ones, on arrays of that length.
impl Word for Zmm {
    const LANES: usize = 8;

    #[inline(always)]
    fn splat(value: u64) -> Self {
        unsafe { Self(_mm512_set1_epi64(value.cast_signed())) }
    }

    #[inline(always)]
    fn load(values: &[u64; 8]) -> Self {
        unsafe { Self(_mm512_loadu_si512(values.as_ptr().cast())) }
    }

    #[inline(always)]
    fn store(self) -> [u64; 8] {
        let mut values = [0; 8];
        unsafe { _mm512_storeu_si512(values.as_mut_ptr().cast(), self.0) };
        values
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        unsafe { Self(_mm512_xor_si512(self.0, other.0)) }
    }

    #[inline(always)]
    fn xor3(self, b: Self, c: Self) -> Self {
        unsafe { Self(_mm512_ternarylogic_epi64::<0x96>(self.0, b.0, c.0)) }
    }

    #[inline(always)]
    fn chi(self, b: Self, c: Self) -> Self {
        unsafe { Self(_mm512_ternarylogic_epi64::<0xd2>(self.0, b.0, c.0)) }
    }

    #[inline(always)]
    fn rol<const L: i32, const R: i32>(self) -> Self {
        unsafe { Self(_mm512_rol_epi64::<L>(self.0)) }
    }

    #[inline(always)]
    fn zero_lanes(self, mask: u64) -> u32 {
        unsafe { u32::from(_mm512_testn_epi64_mask(self.0, _mm512_set1_epi64(mask.cast_signed()))) }
    }
}

/// The kernel, on a CPU that has what it needs.
pub(super) fn kernel() -> Option<KernelRef> {
    let fit = std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("bmi1")
        && std::arch::is_x86_feature_detected!("bmi2");
    fit.then_some(&Kernel {
        name: "avx512",
        lanes: Zmm::LANES,
        // SAFETY: this is to be had from here alone, after the CPU was asked for these features.
        scan: |job, range, floor, report| unsafe { scan_avx512(job, range, floor, report) },
    })
}

#[target_feature(enable = "avx512f,bmi1,bmi2")]
fn scan_avx512(job: &Job, range: (u64, u64), floor: u32, report: &mut OnCandidate<'_>) {
    scan_groups::<Zmm>(
        job,
        range,
        &mut Sieve::new(range, floor, report),
        // SAFETY: the CPU has the three features, each reference is to what the function reads, or writes, and
        // it returns a pointer into the entries or to their end.
        |base, entries, mask, digests| unsafe {
            let Range { start, end } = entries.as_ptr_range();
            nine(base, start, &CONSTANTS, digests, end, mask).offset_from_unsigned(start)
        },
        |range, sieve| scan_vectors(job, range, sieve),
    );
}

scan_by!(scan_vectors, Zmm, "avx512f,bmi1,bmi2");

/// From a base and entries of a table to the first lanes of nine digests: chi of round 1 to the end.
///
/// Goes from `entry` on to the first that leads to a digest whose first lane has no bit of `mask`, writes the nine lanes
/// there, and returns it; or `end`, with the last nine. There must be at least one entry.
///
/// The text is made by `tools/rounds.py`, which says how. It needs AVX-512 F, BMI1 and BMI2.
#[unsafe(naked)]
unsafe extern "sysv64" fn nine(
    base: &Base<Zmm>,
    entry: *const Entry,
    constants: &[[u64; 2]; 23],
    digests: &mut Digests,
    end: *const Entry,
    mask: u64,
) -> *const Entry {
    naked_asm!(include_str!("avx512.s"), options(raw))
}
