//! Keccak-f[1600] over any word: what each kernel does in its own registers, written once.
//!
//! A [`Word`] is one 64-bit lane of the state for `LANES` hashes at once. Only the parts a 76-byte message needs are here:
//! the state is `a[x + 5y]` as in FIPS 202, section 3.1.2, rounds are numbered from 0.

use std::hint::black_box;

/// The round constants of iota (FIPS 202, section 3.2.5).
const RC: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

/// The constants of rounds 1 to 23 and the same rotated by one, for the kernels in assembly.
#[cfg(target_arch = "x86_64")]
pub(super) static CONSTANTS: [[u64; 2]; 23] = {
    let mut pairs = [[0; 2]; 23];
    let mut i = 0;
    while i < 23 {
        pairs[i] = [RC[i + 1], RC[i + 1].rotate_left(1)];
        i += 1;
    }
    pairs
};

/// A state before chi, by rows: `b[y][x]`.
pub(super) type Rows<W> = [[W; 5]; 5];

/// One lane of the state for several hashes at once.
pub(super) trait Word: Copy {
    /// Hashes per word, a power of two, at most 8.
    const LANES: usize;

    /// Whether a three-input exclusive or costs one instruction. Then theta is added to a lane without forming its five
    /// words first, otherwise forming them saves instructions.
    const FUSED: bool = false;

    fn splat(value: u64) -> Self;
    fn load(values: &[u64; 8]) -> Self;
    fn store(self) -> [u64; 8];
    fn xor(self, other: Self) -> Self;

    /// Exclusive or in place, in memory.
    #[inline(always)]
    fn add(&mut self, other: &Self) {
        *self = self.xor(*other);
    }

    /// `self ^ (!b & c)`, the step chi.
    fn chi(self, b: Self, c: Self) -> Self;

    /// Rotation to the left by `L`, 1 to 63, with `R = 64 - L`: stable Rust computes no constant from a constant parameter.
    fn rol<const L: i32, const R: i32>(self) -> Self;

    /// Bit `i` set: in hash `i` every bit of `mask` is zero.
    fn zero_lanes(self, mask: u64) -> u32;

    #[inline(always)]
    fn xor3(self, b: Self, c: Self) -> Self {
        self.xor(b).xor(c)
    }
}

/// What theta adds to column x: the parity of column x - 1 and the rotated parity of column x + 1.
#[derive(Clone, Copy)]
struct Effect<W>(W, W);

impl<W: Word> Effect<W> {
    #[inline(always)]
    fn new(left: W, right: W) -> Self {
        if W::FUSED { Self(left, right.rol::<1, 63>()) } else { Self(left.xor(right.rol::<1, 63>()), left) }
    }

    #[inline(always)]
    fn add(self, lane: W) -> W {
        if W::FUSED { lane.xor3(self.0, self.1) } else { lane.xor(self.0) }
    }
}

#[inline(always)]
fn parities<W: Word>(a: &[W; 25]) -> [W; 5] {
    [
        a[0].xor3(a[5], a[10]).xor3(a[15], a[20]),
        a[1].xor3(a[6], a[11]).xor3(a[16], a[21]),
        a[2].xor3(a[7], a[12]).xor3(a[17], a[22]),
        a[3].xor3(a[8], a[13]).xor3(a[18], a[23]),
        a[4].xor3(a[9], a[14]).xor3(a[19], a[24]),
    ]
}

#[inline(always)]
fn effects<W: Word>(a: &[W; 25]) -> [Effect<W>; 5] {
    let c = parities(a);
    [
        Effect::new(c[4], c[1]),
        Effect::new(c[0], c[2]),
        Effect::new(c[1], c[3]),
        Effect::new(c[2], c[4]),
        Effect::new(c[3], c[0]),
    ]
}

/// Theta and rho of lane `a[i]`, which lies in column `i % 5`.
macro_rules! lane {
    ($a:ident, $d:ident, $i:tt, 0) => {
        $d[$i % 5].add($a[$i])
    };
    ($a:ident, $d:ident, $i:tt, $l:tt) => {
        $d[$i % 5].add($a[$i]).rol::<$l, { 64 - $l }>()
    };
}

/// Theta, rho and pi of one row of the result.
macro_rules! row {
    ($a:ident, $d:ident, $(($i:tt, $l:tt)),+) => {
        [$( lane!($a, $d, $i, $l) ),+]
    };
}

/// Theta, rho and pi.
#[inline(always)]
pub(super) fn linear<W: Word>(a: &[W; 25]) -> Rows<W> {
    let d = effects(a);
    [
        row!(a, d, (0, 0), (6, 44), (12, 43), (18, 21), (24, 14)),
        row!(a, d, (3, 28), (9, 20), (10, 3), (16, 45), (22, 61)),
        row!(a, d, (1, 1), (7, 6), (13, 25), (19, 8), (20, 18)),
        row!(a, d, (4, 27), (5, 36), (11, 10), (17, 15), (23, 56)),
        row!(a, d, (2, 62), (8, 55), (14, 39), (15, 41), (21, 2)),
    ]
}

/// Chi and iota.
#[inline(always)]
pub(super) fn nonlinear<W: Word>(b: &Rows<W>, round: usize) -> [W; 25] {
    let mut a = [b[0][0]; 25];
    for y in 0..5 {
        for x in 0..5 {
            a[x + 5 * y] = b[y][x].chi(b[y][(x + 1) % 5], b[y][(x + 2) % 5]);
        }
    }
    a[0] = a[0].xor(W::splat(RC[round]));
    a
}

/// One whole round.
#[inline(always)]
pub(super) fn round<W: Word>(a: &[W; 25], round: usize) -> [W; 25] {
    nonlinear(&linear(a), round)
}

/// Round 23, as far as the first lane of the digest needs it.
#[inline(always)]
pub(super) fn first_lane<W: Word>(a: &[W; 25]) -> W {
    let c = parities(a);
    let b0 = Effect::new(c[4], c[1]).add(a[0]);
    let b1 = Effect::new(c[0], c[2]).add(a[6]).rol::<44, 20>();
    let b2 = Effect::new(c[1], c[3]).add(a[12]).rol::<43, 21>();
    b0.chi(b1, b2).xor(W::splat(RC[23]))
}

/// Makes the compiler align the stack frame, and with it the words it spills there.
///
/// It decides so before it knows what it will spill; without an aligned local it then spills words of 32 and 64 bytes to
/// addresses that straddle cache lines, which takes up to half of the speed.
#[repr(align(64))]
struct Aligned(#[allow(dead_code, reason = "only its alignment matters")] u8);

/// From the state before chi of round 1 to the first lane of the digest.
///
/// The rounds are a loop and not a row of 21 copies: the copies would not fit in the first-level instruction cache once two
/// streams are interleaved, and the loop is no slower for one. For the same reason callers give this a function of its own.
#[inline(always)]
pub(super) fn finish<W: Word>(b: &Rows<W>) -> W {
    black_box(&mut Aligned(0));
    let mut a = nonlinear(b, 1);
    for i in 2..23 {
        a = round(&a, i);
    }
    first_lane(&a)
}
