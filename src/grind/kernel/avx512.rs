//! Eight nonces at once with AVX-512, and a ninth in the integer registers meanwhile.
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
            let (eight, one) = step_nine(&mut vectors, &mut integers);
            sieve.sift(eight, vectors.nonce());
            sieve.sift(one, integers.nonce());
        }
    }
}

#[target_feature(enable = "avx512f,bmi1,bmi2")]
#[inline(never)]
fn step_nine(vectors: &mut Walk<Zmm>, integers: &mut Walk<Integer>) -> (Zmm, Integer) {
    finish_two(&vectors.advance(), &integers.advance())
}

#[target_feature(enable = "avx512f,bmi1,bmi2")]
#[inline(never)]
fn finish_eight(vectors: &Rows<Zmm>) -> Zmm {
    finish(vectors)
}

#[target_feature(enable = "avx512f,bmi1,bmi2")]
#[inline(never)]
fn step_eight(vectors: &mut Walk<Zmm>) -> Zmm {
    finish(&vectors.advance())
}
