//! The walk for kernels that hash eight nonces in vectors and one in integers at once.

use super::block::Job;
use super::keccak::{Rows, Word};
use super::walk::{Sieve, TILE, start, xor};

/// Combinations of the bits in a [`Twin`]'s table, and the other combinations.
const INNER: usize = 1 << INNER_BITS.len();
const OUTER: usize = 1 << OUTER_BITS.len();

/// The walk's nonce bits that are in the lane neither 5 nor 18 apart from the nonce bits 0 to 2, so that changing them makes
/// the same difference in every hash of a word.
const INNER_BITS: [u32; 5] = [3, 4, 8, 9, 10];
const OUTER_BITS: [u32; 5] = [5, 6, 7, 11, 12];

/// The state before chi of round 1 of a word of nonces, and of one nonce more.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Base<W> {
    words: Rows<W>,
    integers: Rows<u64>,
}

impl<W: Word> Base<W> {
    #[inline(always)]
    fn xor(&self, other: &Self) -> Self {
        Self { words: xor(&self.words, &other.words), integers: xor(&self.integers, &other.integers) }
    }
}

/// What is to be added to a [`Base`], in every hash of a word alike.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Entry {
    words: Rows<u64>,
    integers: Rows<u64>,
}

/// Two walks in step, one over words and one over integers, that write nothing: half of the bits are in a table.
struct Twin<W> {
    base: Base<W>,
    differences: [Base<W>; OUTER_BITS.len()],
    table: [Entry; INNER],
}

impl<W: Word> Twin<W> {
    /// Walks from these two nonces, of which the walk's bits are zero.
    ///
    /// Without closures, which need not be inlined and then would be without the caller's target features.
    #[inline(always)]
    fn new(job: &Job, (words, integers): (u64, u64)) -> Self {
        let base: Base<W> = Base { words: start(job, words), integers: start(job, integers) };
        let mut differences = [base; OUTER_BITS.len()];
        for i in 0..OUTER_BITS.len() {
            differences[i] = base.xor(&Base {
                words: start(job, words + (1 << OUTER_BITS[i])),
                integers: start(job, integers + (1 << OUTER_BITS[i])),
            });
        }
        let mut table = [Entry { words: [[0; 5]; 5], integers: [[0; 5]; 5] }; INNER];
        for i in 0..INNER_BITS.len() {
            let difference = base.xor(&Base {
                words: start(job, words + (1 << INNER_BITS[i])),
                integers: start(job, integers + (1 << INNER_BITS[i])),
            });
            let mut entry = Entry { words: [[0; 5]; 5], integers: difference.integers };
            for y in 0..5 {
                for x in 0..5 {
                    entry.words[y][x] = difference.words[y][x].store()[0];
                }
            }
            for k in 0..1 << i {
                table[k + (1 << i)] = Entry {
                    words: xor(&table[k].words, &entry.words),
                    integers: xor(&table[k].integers, &entry.integers),
                };
            }
        }
        Self { base, differences, table }
    }

    /// Turns to outer combination number `outer`, from the one before.
    #[inline(always)]
    fn turn(&mut self, outer: usize) {
        if outer > 0 {
            self.base = self.base.xor(&self.differences[outer.trailing_zeros() as usize % OUTER_BITS.len()]);
        }
    }

    /// What these two combinations add to a nonce.
    #[inline(always)]
    fn offset(outer: usize, inner: usize) -> u64 {
        let (outer, inner) = ((outer ^ outer >> 1) as u64, inner as u64);
        (inner & 3) << 3 | (inner >> 2) << 8 | (outer & 7) << 5 | (outer >> 3) << 11
    }
}

/// Tiles per group: eight for the vectors, one for the integers.
const GROUP: u64 = 9 * TILE;

/// The first lanes of nine digests.
#[repr(C, align(64))]
pub(super) struct Digests([u64; 8], u64);

/// Tries every nonce from `first` to `last`, both included: whole groups by `nine`, which takes eight nonces in a word and
/// one in integers to the first lanes of their digests, for some entries, and answers how many it passed over before those
/// because they have no zeros in the mask's bits (or that it passed over all); and the ends by `rest`.
#[inline(always)]
pub(super) fn scan_groups<W: Word>(
    job: &Job,
    (first, last): (u64, u64),
    sieve: &mut Sieve<'_, '_>,
    nine: impl Fn(&Base<W>, &[Entry], u64, &mut Digests) -> usize,
    rest: impl Fn((u64, u64), &mut Sieve<'_, '_>),
) {
    let holds_group = |nonce| nonce <= last && last - nonce >= GROUP - 1;
    let mut nonce = first;
    if let Some(aligned) = first.checked_next_multiple_of(TILE)
        && holds_group(aligned)
    {
        if first < aligned {
            rest((first, aligned - 1), sieve);
        }
        nonce = aligned;
        while holds_group(nonce) {
            scan_group(job, nonce, sieve, &nine);
            match nonce.checked_add(GROUP) {
                Some(next) => nonce = next,
                None => return,
            }
        }
    }
    if nonce <= last {
        rest((nonce, last), sieve);
    }
}

/// Nine tiles from `nonce` on: while the words walk through one of the first eight, the integers do an eighth of the last.
#[inline(always)]
fn scan_group<W: Word>(
    job: &Job,
    nonce: u64,
    sieve: &mut Sieve<'_, '_>,
    nine: &impl Fn(&Base<W>, &[Entry], u64, &mut Digests) -> usize,
) {
    let mut digests = Digests([0; 8], 0);
    for number in 0..8 {
        let (words, integers) = (nonce + number * TILE, nonce + 8 * TILE + number);
        let mut twin = Twin::<W>::new(job, (words, integers));
        for outer in 0..OUTER {
            twin.turn(outer);
            let mut inner = 0;
            loop {
                inner += nine(&twin.base, &twin.table[inner..], sieve.mask, &mut digests);
                if inner >= INNER {
                    break;
                }
                let offset = Twin::<W>::offset(outer, inner);
                sieve.sift(W::load(&digests.0), words + offset);
                sieve.sift(digests.1, integers + offset);
                inner += 1;
                if inner == INNER {
                    break;
                }
            }
        }
    }
}
