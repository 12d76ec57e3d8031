//! Eight nonces at once with AVX-512, and a ninth in the integer registers meanwhile.
//!
//! # What it costs, and the floor
//!
//! Counted in the disassembly of `finish_nine` (rustc 1.95), which is nearly all that is executed:
//!
//! | per round (of 21 whole ones) | vectors (8 hashes) | integers (1 hash) |
//! |---|---|---|
//! | parities, theta's words, theta | 10 `vpternlogq`, 5 `vprolq`, 5 + 25 `vpxorq` | 20 + 5 + 25 `xor`, 5 `rorx` |
//! | rho | 24 `vprolq` | 24 `rorx` |
//! | chi, iota | 25 `vpternlogq`, 1 `vpxorq` | 25 `andn`, 25 + 1 `xor` |
//! | work | 95 | 130 |
//! | copies, spills, reloads, the loop | 25 | 71 |
//!
//! 21 times 321 instructions, 249 before and after (chi of round 1, and of round 23 the one lane that decides the zeros), and
//! about 190 for the step of the walk: 7,180 instructions for nine hashes, **798 a hash**. The vector operations among them
//! are 2,066 for eight hashes, 258 a hash, where 24 such rounds are 2,280, 285 a hash.
//!
//! On Zen 4 a 512-bit operation takes two of four 256-bit pipes, so two are done a cycle (measured: `vpxorq` 2.0,
//! `vpternlogq` 1.9, `vprolq` 1.0, mixed as in a round at best 1.99). The floor of the vectors is 2,066 / 2 = 1,033 cycles for
//! eight hashes, 129 a hash. Six instructions are dispatched a cycle; the floor of that is 7,180 / 6 = 1,197 cycles for nine
//! hashes, 133 a hash. Measured: 1,430 cycles for nine, **159 a hash**, 84 % of the latter floor. `finish_nine` alone takes
//! 1,310 to 1,335. Vectors without the ninth hash take 1,292 there: the integers cost some 40 cycles and give a hash.
//!
//! What is lost: theta makes all of a round wait for all of the one before (without that dependency, in an experiment, 110
//! cycles fewer), two schedulers of 32 entries do not see far enough to fill that gap and all pipes (about another 100), and
//! the step of the walk moves 25 vectors to memory and back (70).
//!
//! # What was tried and is not here
//!
//! Cycles for eight hashes, or nine with the integers, of the rounds alone.
//!
//! - Theta by `vpternlogq` from the parities, which saves forming its five words: 1,342 instead of 1,292, and 1,357 instead of
//!   1,344 with the integers. There are more values alive than registers.
//! - Two streams of eight interleaved: 1,318 for each eight. Two of four in 256-bit registers: 1,273, but 2,025 with the
//!   integers. Half of the state lies in memory then, of which Zen 4 stores 32 bytes a cycle.
//! - Rounds unrolled: 1,309 all, 1,348 by threes; with the integers 7 % slower, as the instruction cache has 32 KiB.
//! - Rows interleaved instead of rounds: 1,372 instead of 1,344. Integers first: 7 % slower.
//! - The walk's step a lane per round, in the rounds' shadow: no faster; in registers, without the way through memory: 6 %
//!   slower. Iota's constants from a table of whole vectors: 5 % slower. The compiler then keeps other values in memory.
//! - The best of 11,400 orders of one round's operations, found by random search on the machine, as assembly: 1,221 instead
//!   of 1,292, vectors alone. Not to be had from intrinsics.
//! - Reckoned, not built: to linearise one round more (then quadratic in the changing bits) saves 69 operations and takes 25
//!   more stores and 25 more loads of whole vectors.
#![allow(
    clippy::inline_always,
    reason = "only what is inlined into a function with the target feature uses it"
)]
#![allow(unsafe_code, reason = "intrinsics; each with the reason why the CPU has the instruction")]

use super::super::block::Job;
use super::super::keccak::{Rows, Word, finish, finish_two};
use super::super::walk::{Report, STEPS, Sieve, TILE, Walk, scan};
use super::{Kernel, KernelRef};
use std::arch::asm;
use std::arch::x86_64::{
    __m512i, _mm512_loadu_si512, _mm512_rol_epi64, _mm512_set1_epi64, _mm512_storeu_si512,
    _mm512_ternarylogic_epi64, _mm512_testn_epi64_mask, _mm512_xor_si512,
};

#[derive(Clone, Copy)]
#[repr(transparent)]
struct Zmm(__m512i);

// SAFETY, for every `unsafe` in this block: the type is private to this file and only `scan_avx512` uses it, which runs on
// a CPU with AVX-512 F (see `kernel`); the loads and stores are the unaligned ones, on arrays of that length.
impl Word for Zmm {
    const LANES: usize = 8;
    const FUSED: bool = false;

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

/// One nonce in integer registers, next to the vectors.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Integer(u64);

impl Word for Integer {
    const LANES: usize = 1;
    const FUSED: bool = false;

    #[inline(always)]
    fn splat(value: u64) -> Self {
        Self(value)
    }

    #[inline(always)]
    fn load(values: &[u64; 8]) -> Self {
        Self(values[0])
    }

    #[inline(always)]
    fn store(self) -> [u64; 8] {
        self.0.store()
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        Self(self.0 ^ other.0)
    }

    /// As assembly for the same reason as `rol`.
    #[inline(always)]
    fn add(&mut self, other: &Self) {
        // SAFETY: reads one reference, reads and writes the other, and changes the flags.
        unsafe {
            asm!("mov {2}, [{1}]", "xor [{0}], {2}", in(reg) &raw mut self.0, in(reg) &raw const other.0, out(reg) _,
                options(nostack));
        }
    }

    #[inline(always)]
    fn chi(self, b: Self, c: Self) -> Self {
        Self(self.0 ^ (!b.0 & c.0))
    }

    /// As assembly: written in Rust, the compiler finds that several of these could be one vector rotation, and moves the
    /// whole stream into the vector registers, where it is in the way.
    #[inline(always)]
    fn rol<const L: i32, const R: i32>(self) -> Self {
        let rotated: u64;
        // SAFETY: only `scan_avx512` uses this private type, on a CPU with BMI2 (see `kernel`); no memory, flags or stack.
        unsafe {
            asm!("rorx {}, {}, {}", lateout(reg) rotated, in(reg) self.0, const R,
                options(pure, nomem, nostack, preserves_flags));
        }
        Self(rotated)
    }

    #[inline(always)]
    fn zero_lanes(self, mask: u64) -> u32 {
        self.0.zero_lanes(mask)
    }
}

#[derive(Debug)]
struct Avx512(());

/// The kernel, on a CPU that has what it needs.
pub(super) fn kernel() -> Option<KernelRef> {
    let fit = std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("bmi1")
        && std::arch::is_x86_feature_detected!("bmi2");
    fit.then_some(&Avx512(()))
}

impl Kernel for Avx512 {
    fn name(&self) -> &'static str {
        "avx512"
    }

    fn lanes(&self) -> usize {
        Zmm::LANES
    }

    fn scan(&self, job: &Job, range: (u64, u64), floor: u32, report: &mut Report<'_>) {
        // SAFETY: a value of this type comes from `kernel` alone, which asked the CPU for these features.
        unsafe { scan_avx512(job, range, floor, report) }
    }
}

/// Tiles per group: eight for the vectors, one for the integers.
const GROUP: u64 = 9 * TILE;

#[target_feature(enable = "avx512f,bmi1,bmi2")]
fn scan_avx512(job: &Job, (first, last): (u64, u64), floor: u32, report: &mut Report<'_>) {
    let mut sieve = Sieve::new((first, last), floor, report);
    let mut nonce = first;
    if let Some(aligned) = first.checked_next_multiple_of(TILE)
        && holds_group(aligned, last)
    {
        if first < aligned {
            scan_vectors(job, (first, aligned - 1), &mut sieve);
        }
        nonce = aligned;
        while holds_group(nonce, last) {
            scan_group(job, nonce, &mut sieve);
            match nonce.checked_add(GROUP) {
                Some(next) => nonce = next,
                None => return,
            }
        }
    }
    if nonce <= last {
        scan_vectors(job, (nonce, last), &mut sieve);
    }
}

fn holds_group(nonce: u64, last: u64) -> bool {
    nonce <= last && last - nonce >= GROUP - 1
}

#[target_feature(enable = "avx512f,bmi1,bmi2")]
#[inline(never)]
fn scan_vectors(job: &Job, range: (u64, u64), sieve: &mut Sieve<'_, '_>) {
    scan::<Zmm>(job, range, sieve, |walk| step_eight(walk), |state| finish_eight(state));
}

/// Nine tiles from `nonce` on: while the vectors walk through one of the first eight, the integers do an eighth of the last.
#[target_feature(enable = "avx512f,bmi1,bmi2")]
#[inline(never)]
fn scan_group(job: &Job, nonce: u64, sieve: &mut Sieve<'_, '_>) {
    for number in 0..8 {
        let mut vectors = Walk::<Zmm>::new(job, nonce + u64::from(number) * TILE, 0);
        let mut integers = Walk::<Integer>::new(job, nonce + 8 * TILE, number);
        for _ in 0..STEPS {
            let (eight, one) = finish_nine(vectors.advance(), integers.advance());
            sieve.sift(eight, vectors.nonce());
            sieve.sift(one, integers.nonce());
        }
    }
}

#[target_feature(enable = "avx512f,bmi1,bmi2")]
#[inline(never)]
fn finish_nine(vectors: &Rows<Zmm>, integers: &Rows<Integer>) -> (Zmm, Integer) {
    finish_two(vectors, integers)
}

#[target_feature(enable = "avx512f,bmi1,bmi2")]
#[inline(never)]
fn finish_eight(vectors: &Rows<Zmm>) -> Zmm {
    finish(vectors)
}

#[target_feature(enable = "avx512f,bmi1,bmi2")]
#[inline(never)]
fn step_eight(vectors: &mut Walk<Zmm>) -> Zmm {
    finish(vectors.advance())
}
