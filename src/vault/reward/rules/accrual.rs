//! What each holder's part is measured by, from openings and movements alone. Pure.

use crate::pool::holdings::{Holdings, MemberId, Movement, impossible};
use base::amount::{Base, Weight};
use base::{Code, Error, Result};
use std::collections::BTreeMap;
use strum::{EnumString, VariantNames};

/// How a holder's part is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, strum::IntoStaticStr, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Basis {
    /// Σ over the epoch's blocks of the shares held after that block.
    TimeWeighted,
    /// Shares held after the epoch's last block.
    Snapshot,
}

state::stored_as_word!(Basis);
crate::words!(Basis);

/// What holders' parts are measured by: each member at most once, in ascending order, no weight zero.
pub type Weights = Vec<(MemberId, Weight)>;

/// An epoch being accrued: what each holder's part comes to, movement by movement.
#[derive(Debug)]
pub struct Accrual {
    start: u64,
    end: u64,
    basis: Basis,
    parts: BTreeMap<MemberId, Part>,
}

/// What a member holds at a moment of the epoch, and what it accrues if that stays so to the epoch's end.
#[derive(Debug, Default)]
struct Part {
    held: Base,
    /// Zero on the snapshot basis.
    weight: Weight,
}

impl Accrual {
    /// Of the epoch `[start, end)`; `opening` is what was held after block `start - 1`.
    pub fn new(opening: &Holdings, start: u64, end: u64, basis: Basis) -> Self {
        let mut accrual = Self { start, end, basis, parts: BTreeMap::new() };
        let part = |held| Part { held, weight: accrual.accrued(held, start) };
        accrual.parts = opening.iter().map(|(member, held)| (member, part(held))).collect();
        accrual
    }

    /// What shares come to that are held from a block on.
    fn accrued(&self, shares: Base, from: u64) -> Weight {
        match self.basis {
            Basis::TimeWeighted => Weight::from(shares) * Weight::from(self.end.saturating_sub(from)),
            Basis::Snapshot => Weight::ZERO,
        }
    }

    /// Takes the epoch's next movement. Shares got in block `b` count from `b` on, so a deposit in the last block
    /// earns one block's worth. `drift` for one that does not fit the holdings or lies outside the epoch.
    pub fn take(&mut self, m: &Movement) -> Result<()> {
        let Self { start, end, .. } = *self;
        if m.block < start || m.block >= end {
            let why = format!("a transfer in block {} stands in the epoch {start}..{end}", m.block);
            return Err(Error::new(Code::Drift, why));
        }
        if m.shares.is_zero() {
            return Ok(());
        }
        let moved = self.accrued(m.shares, m.block);
        if let Some(member) = m.from {
            let part = self.parts.get_mut(&member).ok_or_else(|| impossible(m, member))?;
            part.held = m.taken(member, part.held)?;
            // What the giver held until the end of the epoch is part of its weight already.
            part.weight = part.weight.checked_sub(moved).ok_or_else(|| impossible(m, member))?;
        }
        if let Some(member) = m.to {
            let part = self.parts.entry(member).or_default();
            part.held = m.given(member, part.held)?;
            part.weight += moved;
        }
        Ok(())
    }

    /// Who held shares in the epoch or moved some, by id, with what each holds after the last movement taken.
    pub fn members(&self) -> impl Iterator<Item = (MemberId, Base)> + '_ {
        self.parts.iter().map(|(member, part)| (*member, part.held))
    }

    /// The weights, and the holdings at the epoch's end.
    pub fn finish(self) -> (Weights, Holdings) {
        let basis = self.basis;
        let mut weights = Vec::with_capacity(self.parts.len());
        let closing = self.parts.into_iter().filter_map(|(member, Part { held, weight })| {
            let weight = if basis == Basis::Snapshot { Weight::from(held) } else { weight };
            if !weight.is_zero() {
                weights.push((member, weight));
            }
            (!held.is_zero()).then_some((member, held))
        });
        let closing = Holdings::new(closing);
        (weights, closing)
    }
}

/// Weights of one epoch `[start, end)`, and the holdings at its end: an [`Accrual`] of all its movements, in order.
pub fn accrue(
    opening: &Holdings,
    movements: &[Movement],
    start: u64,
    end: u64,
    basis: Basis,
) -> Result<(Weights, Holdings)> {
    let mut accrual = Accrual::new(opening, start, end, basis);
    movements.iter().try_for_each(|movement| accrual.take(movement))?;
    Ok(accrual.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn n(v: u64) -> Base {
        Base::from(v)
    }

    fn m(block: u64, from: Option<i64>, to: Option<i64>, shares: u64) -> Movement {
        Movement { block, from, to, shares: n(shares) }
    }

    fn weights(w: &[(MemberId, Weight)]) -> Vec<(i64, u64)> {
        w.iter().map(|(member, weight)| (*member, weight.to())).collect()
    }

    /// Of an epoch 100..110 before which nobody held anything.
    fn ten_blocks(moves: &[Movement], basis: Basis) -> Result<(Weights, Holdings)> {
        accrue(&Holdings::default(), moves, 100, 110, basis)
    }

    #[test]
    fn a_deposit_in_the_last_block_earns_one_block() {
        let opening = Holdings::new([(1, n(10))]);
        let moves = [m(109, None, Some(2), 10)];
        let (w, closing) = accrue(&opening, &moves, 100, 110, Basis::TimeWeighted).unwrap();
        assert_eq!(weights(&w), [(1, 100), (2, 10)]);
        assert_eq!(closing, Holdings::new([(1, n(10)), (2, n(10))]));
    }

    #[test]
    fn the_first_block_counts_whole() {
        let (w, _) = ten_blocks(&[m(100, None, Some(1), 3)], Basis::TimeWeighted).unwrap();
        assert_eq!(weights(&w), [(1, 30)]);
    }

    #[test]
    fn in_and_out_within_a_block_earns_nothing() {
        let moves = [m(105, None, Some(1), 7), m(105, Some(1), None, 7)];
        let none = (Weights::new(), Holdings::default());
        assert_eq!(ten_blocks(&moves, Basis::TimeWeighted).unwrap(), none);
    }

    #[test]
    fn snapshot_looks_at_the_end_only() {
        let moves = [m(100, None, Some(1), 7), m(109, Some(1), Some(2), 7)];
        let (w, _) = ten_blocks(&moves, Basis::Snapshot).unwrap();
        assert_eq!(weights(&w), [(2, 7)]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for bad in [m(105, Some(1), None, 1), m(99, None, Some(1), 1), m(110, None, Some(1), 1)] {
            let e = ten_blocks(&[bad], Basis::TimeWeighted).unwrap_err();
            assert_eq!(e.code(), Code::Drift, "{bad:?}");
        }
    }

    #[test]
    fn the_largest_supply_does_not_overflow() {
        let opening = Holdings::new([(1, Base::MAX)]);
        let (w, _) = accrue(&opening, &[], 0, u64::MAX, Basis::TimeWeighted).unwrap();
        assert_eq!(w, [(1, Weight::from(Base::MAX) * Weight::from(u64::MAX))]);
    }

    /// Random but possible histories: each step mints, burns or moves at most what is there.
    fn history() -> impl Strategy<Value = Vec<Movement>> {
        proptest::collection::vec((0u64..10, 0i64..4, 0i64..5, 0u64..100), 0..40).prop_map(|steps| {
            let mut held = Holdings::default();
            let mut blocks: Vec<u64> = steps.iter().map(|s| 100 + s.0).collect();
            blocks.sort_unstable();
            let mut moves = Vec::new();
            for (block, (_, a, b, shares)) in blocks.into_iter().zip(steps) {
                let from = (a > 0).then_some(a);
                let to = (b > 0 && Some(b) != from).then_some(b);
                let shares = from.map_or(n(shares), |member| held.of(member).min(n(shares)));
                let movement = Movement { block, from, to, shares };
                if from.is_none() && to.is_none() || held.apply(&movement).is_err() {
                    continue;
                }
                moves.push(movement);
            }
            moves
        })
    }

    proptest! {
        #[test]
        fn weights_are_the_sum_over_blocks(moves in history()) {
            let (w, closing) = ten_blocks(&moves, Basis::TimeWeighted).unwrap();
            // The definition itself, block by block.
            let mut held = Holdings::default();
            let mut want: BTreeMap<MemberId, Weight> = BTreeMap::new();
            for block in 100..110 {
                for movement in moves.iter().filter(|m| m.block == block) {
                    held.apply(movement).unwrap();
                }
                for (member, shares) in held.iter() {
                    *want.entry(member).or_default() += Weight::from(shares);
                }
            }
            prop_assert_eq!(w, want.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(&closing, &held);
            for movement in moves.iter().rev() {
                held.undo(movement).unwrap();
            }
            prop_assert_eq!(held, Holdings::default());
        }

        #[test]
        fn two_epochs_add_up_to_one(moves in history(), cut in 101u64..110) {
            let (first, second): (Vec<_>, Vec<_>) = moves.iter().partition(|m| m.block < cut);
            let (a, middle) = accrue(&Holdings::default(), &first, 100, cut, Basis::TimeWeighted).unwrap();
            let mut a = BTreeMap::from_iter(a);
            let (b, _) = accrue(&middle, &second, cut, 110, Basis::TimeWeighted).unwrap();
            for (member, weight) in b {
                *a.entry(member).or_default() += weight;
            }
            let (whole, _) = ten_blocks(&moves, Basis::TimeWeighted).unwrap();
            prop_assert_eq!(a.into_iter().collect::<Vec<_>>(), whole);
        }
    }
}
