//! How nonces are enumerated so that rounds 0 and 1 of Keccak cost one exclusive or per lane.
//!
//! The low 32 bits of the nonce are the low half of lane 1 of the message, byte-swapped. Theta of round 0 spreads them to
//! eleven lanes, each only rotated, and pi puts those so that chi multiplies varying bits in one row alone (y = 2): bit i
//! with bit i + 18, and bit i with bit i + 5. So over nonce bits of which no two lie 5 or 18 apart **in that lane**, the
//! state after round 0 is an affine function, and with it (theta, rho and pi being linear) the state before chi of round 1.
//! One evaluation and one difference per bit are computed once, then a Gray code walks through all combinations, and each
//! step is 25 exclusive ors from memory instead of most of two rounds. The walk is checked against the reference in tests.
//!
//! Nonce bits 0 to 7 are the lane's bits 24 to 31, nonce bits 8 to 15 its bits 16 to 23. A walk changes nonce bits 3 to 12,
//! which are the lane's bits 27 to 31 and 16 to 20: less than 5 apart within either group, 7 to 15 between them. The three
//! lowest bits are different within a word of eight; narrower words take several walks. All in all, a tile is the 2^13
//! nonces from a multiple of 2^13, for every word.

use super::block::{Job, lane_mask};
use super::keccak::{Rows, Word, linear, round};

/// Nonces per tile.
pub(super) const TILE: u64 = 1 << 13;

/// Nonces that a thread takes at once: a few milliseconds of work, and what kernels do best. Taking fewer costs: a kernel
/// that hashes nine at once falls back to eight.
pub(super) const PIECE: u64 = 9 * TILE;

/// Bits that a walk changes.
const BITS: usize = 10;

/// Steps of a walk, the first included.
const STEPS: u32 = 1 << BITS;

/// Is told a nonce that may be good enough and the first lane of its digest; answers with the zeros that are of interest
/// from now on (nonces with fewer need not be reported).
pub type OnCandidate<'a> = dyn FnMut(u64, u64) -> u32 + 'a;

/// Walks needed for a tile.
pub(super) const fn walks<W: Word>() -> u32 {
    8 >> W::LANES.trailing_zeros()
}

/// The state before chi of round 1 for `W::LANES` nonces from `nonce`, a multiple of that.
#[inline(always)]
pub(super) fn start<W: Word>(job: &Job, nonce: u64) -> Rows<W> {
    let lanes = job.lanes(nonce);
    let mut a = [W::splat(0); 25];
    for (word, lane) in a.iter_mut().zip(lanes) {
        *word = W::splat(lane);
    }
    // Only the lowest bits differ within a word: nonce bits 0, 1, 2 are bits 24, 25, 26 of lane 1.
    a[1] = W::load(&std::array::from_fn(|i| lanes[1] ^ (i as u64) << 24));
    linear(&round(&a, 0))
}

#[inline(always)]
pub(super) fn xor<W: Word>(a: &Rows<W>, b: &Rows<W>) -> Rows<W> {
    let mut c = *a;
    for y in 0..5 {
        for x in 0..5 {
            c[y][x] = c[y][x].xor(b[y][x]);
        }
    }
    c
}

/// A walk over `STEPS` words of nonces.
///
/// Aligned for the widest word, or half of its loads and stores would touch two cache lines.
#[repr(align(64))]
pub(super) struct Walk<W> {
    state: Rows<W>,
    differences: [Rows<W>; BITS],
    first: u64,
    step: u32,
}

impl<W: Word> Walk<W> {
    /// Walk number `number` (below [`walks`]) of the tile that starts with nonce `tile`. Its first step is yet to be made.
    #[inline(always)]
    pub(super) fn new(job: &Job, tile: u64, number: u32) -> Self {
        let first = tile + u64::from(number) * W::LANES as u64;
        let mut state = start(job, first);
        let mut differences = [state; BITS];
        for (bit, difference) in differences.iter_mut().enumerate() {
            *difference = xor(difference, &start(job, first + (8 << bit)));
        }
        // The code is cyclic: its last word has the highest bit alone, and a step from there leads to zero.
        state = xor(&state, &differences[BITS - 1]);
        Self { state, differences, first, step: STEPS - 1 }
    }

    /// Makes a step, and returns the state before chi of round 1 there.
    #[inline(always)]
    pub(super) fn advance(&mut self) -> &Rows<W> {
        self.step = (self.step + 1) % STEPS;
        let bit = (self.step.trailing_zeros() as usize).min(BITS - 1);
        for (row, difference) in self.state.iter_mut().zip(&self.differences[bit]) {
            for (word, difference) in row.iter_mut().zip(difference) {
                word.add(difference);
            }
        }
        &self.state
    }

    /// The lowest nonce of the current step's word.
    #[inline(always)]
    pub(super) fn nonce(&self) -> u64 {
        self.first + u64::from((self.step ^ self.step >> 1) << 3)
    }
}

/// Lets through the hashes that are of interest.
pub(super) struct Sieve<'a, 'b> {
    first: u64,
    last: u64,
    pub(super) mask: u64,
    report: &'a mut OnCandidate<'b>,
}

impl<'a, 'b> Sieve<'a, 'b> {
    /// Reports nonces from `first` to `last`, both included, with at least `floor` zeros.
    pub(super) fn new((first, last): (u64, u64), floor: u32, report: &'a mut OnCandidate<'b>) -> Self {
        Self { first, last, mask: lane_mask(floor), report }
    }

    /// Reports what there is in `word`, the first lanes of the digests from `nonce` on.
    #[inline(always)]
    pub(super) fn sift<W: Word>(&mut self, word: W, nonce: u64) {
        let hits = word.zero_lanes(self.mask);
        if hits != 0 {
            self.hit(word.store(), hits, nonce);
        }
    }

    #[cold]
    #[inline(never)]
    fn hit(&mut self, lanes: [u64; 8], hits: u32, nonce: u64) {
        for (i, lane) in lanes.into_iter().enumerate() {
            // Asked first: a narrow word at the end of the nonces has no eight after it.
            if hits >> i & 1 == 1 {
                let nonce = nonce + i as u64;
                if (self.first..=self.last).contains(&nonce) {
                    self.mask = lane_mask((self.report)(nonce, lane));
                }
            }
        }
    }
}

/// Tries every nonce from `first` to `last`, both included.
///
/// `finish` takes the state before chi of round 1 to the first lane of the digest; `step` advances the walk and does so.
#[inline(always)]
pub(super) fn scan<W: Word>(
    job: &Job,
    (first, last): (u64, u64),
    sieve: &mut Sieve<'_, '_>,
    step: impl Fn(&mut Walk<W>) -> W,
    finish: impl Fn(&Rows<W>) -> W,
) {
    let mut nonce = first & !(W::LANES as u64 - 1);
    while nonce <= last {
        let tried = if nonce.is_multiple_of(TILE) && last - nonce >= TILE - 1 {
            for number in 0..walks::<W>() {
                let mut walk = Walk::<W>::new(job, nonce, number);
                for _ in 0..STEPS {
                    let word = step(&mut walk);
                    sieve.sift(word, walk.nonce());
                }
            }
            TILE
        } else {
            // The ends of a range: no walk, each word from the start.
            sieve.sift(finish(&start(job, nonce)), nonce);
            W::LANES as u64
        };
        match nonce.checked_add(tried) {
            Some(next) => nonce = next,
            None => break,
        }
    }
}
