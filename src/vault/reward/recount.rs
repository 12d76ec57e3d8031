//! What the holders of a pool accrued in each of its epochs, from a stream of movements. Pure.

use super::accrual::{Basis, Weights, accrue};
use super::grid::Epoch;
use crate::pool::holdings::{Holdings, Movement};
use base::Result;

/// A pool on its way through its epochs. It keeps the holders and the movements of one stretch of blocks, however
/// many epochs there are.
pub struct Recount {
    holdings: Holdings,
    /// Movements in blocks below this one are part of `holdings`.
    at: u64,
    waiting: Vec<Movement>,
    weights: Weights,
}

impl Recount {
    /// Begins with what was held after block `at - 1`.
    pub const fn new(holdings: Holdings, at: u64) -> Self {
        Self { holdings, at, waiting: Vec::new(), weights: Weights::new() }
    }

    /// Takes the next movement, in order.
    pub fn push(&mut self, movement: Movement) {
        self.waiting.push(movement);
    }

    /// Goes on to block `next`, below which all movements were pushed. Returns the epoch's weights when `next` is its
    /// end or beyond; until then what it accrued so far is kept, and the same epoch must be named again. `drift` for movements
    /// that do not fit.
    pub fn through(&mut self, epoch: Epoch, basis: Basis, next: u64) -> Result<Option<Weights>> {
        if self.at < epoch.start {
            let to = next.min(epoch.start);
            for movement in self.before(to) {
                self.holdings.apply(&movement)?;
            }
            self.at = to;
        }
        let to = next.min(epoch.end);
        if self.at < to {
            let movements = self.before(to);
            let opening = std::mem::take(&mut self.holdings);
            // What is accrued up to a block and from it on adds up to the whole.
            let (weights, closing) = accrue(&opening, &movements, self.at, to, basis)?;
            self.holdings = closing;
            self.at = to;
            if basis == Basis::TimeWeighted && !self.weights.is_empty() {
                join(&mut self.weights, weights);
            } else {
                self.weights = weights;
            }
        }
        Ok((self.at >= epoch.end).then(|| std::mem::take(&mut self.weights)))
    }

    fn before(&mut self, block: u64) -> Vec<Movement> {
        let count = self.waiting.partition_point(|movement| movement.block < block);
        let later = self.waiting.split_off(count);
        std::mem::replace(&mut self.waiting, later)
    }
}

/// Adds more weights of the same epoch.
fn join(weights: &mut Weights, more: Weights) {
    weights.extend(more);
    weights.sort_by_key(|(member, _)| *member);
    weights.dedup_by(|(member, weight), (before, sum)| {
        let same = member == before;
        if same {
            *sum += *weight;
        }
        same
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::amount::Base;

    fn mint(block: u64, to: i64, shares: u64) -> Movement {
        Movement { block, from: None, to: Some(to), shares: Base::from(shares) }
    }

    fn shown(weights: &Weights) -> Vec<(i64, u64)> {
        weights.iter().map(|(member, weight)| (*member, weight.to())).collect()
    }

    /// Two epochs, with all cuts of the stream.
    #[test]
    fn a_stream_in_any_pieces_comes_to_the_same() {
        let moves = [mint(3, 1, 5), mint(12, 2, 7), mint(19, 1, 1), mint(20, 3, 2), mint(29, 2, 1)];
        let epochs = [Epoch { start: 10, end: 20 }, Epoch { start: 20, end: 30 }];
        for (basis, want) in [
            (Basis::TimeWeighted, [vec![(1, 51), (2, 56)], vec![(1, 60), (2, 71), (3, 20)]]),
            (Basis::Snapshot, [vec![(1, 6), (2, 7)], vec![(1, 6), (2, 8), (3, 2)]]),
        ] {
            for width in 1..=35 {
                let mut recount = Recount::new(Holdings::default(), 0);
                let mut found = Vec::new();
                let mut next = 0;
                while next < 31 {
                    let to = next + width;
                    for movement in moves.iter().filter(|m| m.block >= next && m.block < to) {
                        recount.push(*movement);
                    }
                    next = to;
                    while let Some(epoch) = epochs.get(found.len()) {
                        match recount.through(*epoch, basis, next).unwrap() {
                            Some(weights) => found.push(shown(&weights)),
                            None => break,
                        }
                    }
                }
                assert_eq!(found, want, "{basis:?} in pieces of {width}");
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let burn = Movement { block: 5, from: Some(1), to: None, shares: Base::ONE };
        for epoch in [Epoch { start: 0, end: 10 }, Epoch { start: 10, end: 20 }] {
            let mut recount = Recount::new(Holdings::default(), 0);
            recount.push(burn);
            let e = recount.through(epoch, Basis::TimeWeighted, 20).unwrap_err();
            assert_eq!(e.code(), base::Code::Drift);
        }
    }
}
