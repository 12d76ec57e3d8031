//! Two nonces at once with NEON, on CPUs with the SHA-3 extension in fewer instructions.
//!
//! Chosen at run time: `neon-sha3` uses `eor3`, `bcax` and, for the rotation by one in theta and the others, `xar` with
//! zero; `neon` every 64-bit Arm CPU has.
#![allow(unsafe_code, reason = "intrinsics; each with the reason why the CPU has the instruction")]

use super::super::block::Job;
use super::super::keccak::{Rows, Word, finish};
use super::super::walk::{Sieve, Walk, scan};
use super::{Kernel, KernelRef};
use std::arch::aarch64::{
    uint64x2_t, vbicq_u64, vdupq_n_u64, veorq_u64, vgetq_lane_u64, vld1q_u64, vshlq_n_u64, vsriq_n_u64,
    vst1q_u64, vtstq_u64,
};
use std::arch::asm;

/// An instruction of the SHA-3 extension. As assembly, because the intrinsics are only inlined into functions that declare
/// the extension, which the methods of a trait cannot.
macro_rules! sha3 {
    ($text:literal, $out:ident, $a:expr, $b:expr, const $c:ident) => {
        asm!(".arch_extension sha3", $text, lateout(vreg) $out, in(vreg) $a, in(vreg) $b, const $c,
            options(pure, nomem, nostack, preserves_flags))
    };
    ($text:literal, $out:ident, $a:expr, $b:expr, $c:expr) => {
        asm!(".arch_extension sha3", $text, lateout(vreg) $out, in(vreg) $a, in(vreg) $b, in(vreg) $c,
            options(pure, nomem, nostack, preserves_flags))
    };
}

/// Two lanes of the state; with `SHA3`, on a CPU that has this extension.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Two<const SHA3: bool>(uint64x2_t);

// SAFETY, for every `unsafe` in this block: NEON is part of the target; with `SHA3` the type is used by `scan_sha3` alone,
// which runs on a CPU with that extension (see `kernels`); the loads and stores are on arrays that are large enough.
impl<const SHA3: bool> Word for Two<SHA3> {
    const LANES: usize = 2;
    const FUSED: bool = SHA3;

    #[inline(always)]
    fn splat(value: u64) -> Self {
        unsafe { Self(vdupq_n_u64(value)) }
    }

    #[inline(always)]
    fn load(values: &[u64; 8]) -> Self {
        unsafe { Self(vld1q_u64(values.as_ptr())) }
    }

    #[inline(always)]
    fn store(self) -> [u64; 8] {
        let mut values = [0; 8];
        unsafe { vst1q_u64(values.as_mut_ptr(), self.0) };
        values
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        unsafe { Self(veorq_u64(self.0, other.0)) }
    }

    #[inline(always)]
    fn xor3(self, b: Self, c: Self) -> Self {
        if SHA3 {
            let sum: uint64x2_t;
            unsafe { sha3!("eor3 {0:v}.16b, {1:v}.16b, {2:v}.16b, {3:v}.16b", sum, self.0, b.0, c.0) }
            Self(sum)
        } else {
            self.xor(b).xor(c)
        }
    }

    #[inline(always)]
    fn chi(self, b: Self, c: Self) -> Self {
        if SHA3 {
            let result: uint64x2_t;
            unsafe { sha3!("bcax {0:v}.16b, {1:v}.16b, {2:v}.16b, {3:v}.16b", result, self.0, c.0, b.0) }
            Self(result)
        } else {
            unsafe { Self(veorq_u64(self.0, vbicq_u64(c.0, b.0))) }
        }
    }

    #[inline(always)]
    fn rol<const L: i32, const R: i32>(self) -> Self {
        if SHA3 {
            let rotated: uint64x2_t;
            // The instruction rotates to the right, after an exclusive or, here with nothing.
            unsafe {
                sha3!("xar {0:v}.2d, {1:v}.2d, {2:v}.2d, #{3}", rotated, self.0, vdupq_n_u64(0), const R)
            }
            Self(rotated)
        } else {
            unsafe { Self(vsriq_n_u64::<R>(vshlq_n_u64::<L>(self.0), self.0)) }
        }
    }

    #[inline(always)]
    fn zero_lanes(self, mask: u64) -> u32 {
        // All bits of a lane that has any bit of the mask; of a mask without bits, none.
        unsafe {
            let other = vtstq_u64(self.0, vdupq_n_u64(mask));
            u32::from(vgetq_lane_u64::<0>(other) == 0) | u32::from(vgetq_lane_u64::<1>(other) == 0) << 1
        }
    }
}

/// The kernels for this CPU, the faster first.
pub(super) fn kernels() -> impl Iterator<Item = KernelRef> {
    let sha3: KernelRef = &Kernel {
        name: "neon-sha3",
        lanes: 2,
        // SAFETY: this is to be had from here alone, after the CPU was asked for the extension.
        scan: |job, range, floor, report| unsafe {
            scan_sha3(job, range, &mut Sieve::new(range, floor, report));
        },
    };
    let neon: KernelRef = &Kernel {
        name: "neon",
        lanes: 2,
        // SAFETY: this is to be had from here alone, after the CPU was asked for NEON.
        scan: |job, range, floor, report| unsafe {
            scan_neon(job, range, &mut Sieve::new(range, floor, report));
        },
    };
    let sha3 = std::arch::is_aarch64_feature_detected!("sha3").then_some(sha3);
    let neon = std::arch::is_aarch64_feature_detected!("neon").then_some(neon);
    sha3.into_iter().chain(neon)
}

scan_by!(scan_neon, Two<false>, "neon");
scan_by!(scan_sha3, Two<true>, "neon,sha3");
