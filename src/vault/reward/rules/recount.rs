//! Epochs computed anew: what the holders of a pool accrued in each, from a stream of movements, and what was paid against
//! what that comes to, member by member. Pure.

use super::accrual::{Basis, Weights, accrue};
use super::grid::Epoch;
use crate::pool::holdings::{Holdings, MemberId, Movement};
use base::amount::Base;
use base::{Code, Error, Result};
use std::iter::Peekable;

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

/// A member whose reward is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mismatch {
    /// The member.
    pub member: MemberId,
    /// What stands in the state, base units; `None` = no row.
    pub stored: Option<Base>,
    /// What it comes to, base units; `None` = nothing is due.
    pub computed: Option<Base>,
}

/// Walks the computed rewards of an epoch along the stored ones.
///
/// Both come in ascending order of members, each member at most once, and no reward is zero. Nothing is kept but
/// the place of the walk, so an epoch may have any number of members.
pub struct Walk<I: Iterator<Item = (MemberId, Base)>> {
    computed: Peekable<I>,
    last: Option<MemberId>,
    /// Stored rows seen.
    pub rows: u64,
}

impl<I: Iterator<Item = (MemberId, Base)>> Walk<I> {
    /// Begins with what was computed.
    pub fn new(computed: impl IntoIterator<IntoIter = I>) -> Self {
        Self { computed: computed.into_iter().peekable(), last: None, rows: 0 }
    }

    /// Takes the next stored reward, in order; what differs goes to `found`.
    pub fn stored(&mut self, member: MemberId, amount: Base, mut found: impl FnMut(Mismatch)) -> Result<()> {
        if self.last.is_some_and(|last| last >= member) {
            let why = format!("the reward of member {member} does not come in order");
            return Err(Error::new(Code::StateCorrupt, why));
        }
        self.last = Some(member);
        self.rows += 1;
        while let Some((due, computed)) = self.computed.next_if(|(due, _)| *due <= member) {
            if due == member {
                if computed != amount {
                    found(Mismatch { member, stored: Some(amount), computed: Some(computed) });
                }
                return Ok(());
            }
            found(Mismatch { member: due, stored: None, computed: Some(computed) });
        }
        found(Mismatch { member, stored: Some(amount), computed: None });
        Ok(())
    }

    /// Ends the walk: what is left was computed and never stored.
    pub fn end(self, mut found: impl FnMut(Mismatch)) {
        for (member, computed) in self.computed {
            found(Mismatch { member, stored: None, computed: Some(computed) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

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
            assert_eq!(e.code(), Code::Drift);
        }
    }

    fn walk(computed: &[(i64, u64)], stored: &[(i64, u64)]) -> Vec<(i64, Option<u64>, Option<u64>)> {
        let mut found = Vec::new();
        let mut take =
            |m: Mismatch| found.push((m.member, m.stored.map(|n| n.to()), m.computed.map(|n| n.to())));
        let mut walk = Walk::new(computed.iter().map(|(member, n)| (*member, Base::from(*n))));
        for (member, n) in stored {
            walk.stored(*member, Base::from(*n), &mut take).unwrap();
        }
        assert_eq!(walk.rows, stored.len() as u64);
        walk.end(&mut take);
        found
    }

    #[test]
    fn every_kind_of_difference() {
        let due = [(1, 10), (3, 30), (5, 50)];
        assert_eq!(walk(&due, &due), []);
        assert_eq!(walk(&due, &[(1, 10), (3, 31), (5, 50)]), [(3, Some(31), Some(30))]);
        assert_eq!(walk(&due, &[(1, 10), (5, 50)]), [(3, None, Some(30))]);
        assert_eq!(walk(&due, &[(1, 10), (3, 30)]), [(5, None, Some(50))]);
        assert_eq!(
            walk(&due, &[(1, 10), (2, 7), (3, 30), (5, 50), (9, 1)]),
            [(2, Some(7), None), (9, Some(1), None)]
        );
        assert_eq!(walk(&due, &[(2, 10), (3, 30), (5, 50)]), [(1, None, Some(10)), (2, Some(10), None)]);
        assert_eq!(walk(&[], &[(4, 1)]), [(4, Some(1), None)]);
    }

    #[test]
    fn stored_rows_out_of_order_are_refused() {
        let mut walk = Walk::new(Vec::new());
        walk.stored(2, Base::ONE, |_| ()).unwrap();
        for member in [2, 1] {
            assert_eq!(walk.stored(member, Base::ONE, |_| ()).unwrap_err().code(), Code::StateCorrupt);
        }
    }

    proptest! {
        #[test]
        fn finds_what_a_comparison_of_maps_finds(
            computed in proptest::collection::btree_map(0i64..20, 1u64..4, 0..20),
            stored in proptest::collection::btree_map(0i64..20, 1u64..4, 0..20),
        ) {
            let mut want = BTreeMap::new();
            for member in computed.keys().chain(stored.keys()) {
                let (a, b) = (stored.get(member).copied(), computed.get(member).copied());
                if a != b {
                    want.insert(*member, (*member, a, b));
                }
            }
            let list = |map: BTreeMap<i64, u64>| map.into_iter().collect::<Vec<_>>();
            prop_assert_eq!(walk(&list(computed), &list(stored)), want.into_values().collect::<Vec<_>>());
        }
    }
}
