//! What each epoch of the grid has to give, and which pools share it: a function of the schedule, the pools' first
//! epochs, their weights and their epochs by hand. When a cycle runs, and which pool it fails for, is no part of it. Pure.
//!
//! Budgets are made in the order of the grid from its origin, for all pools at once, and before any pool is paid for the
//! epoch. What no pool can get, because nobody takes part or all weights are zero, is carried to the next epoch.

use super::emission::split_pools;
use super::grid::{EmissionTerms, Epoch, boundary_from, closed_epoch, terms_at};
use base::amount::Base;
use base::{Code, Error, Result};

/// A pool with a claim to emissions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claimant {
    /// The pool's row id.
    pub pool_id: i64,
    /// Where its rewards begin.
    pub begins: u64,
    /// (first block, millionths) of each of its weights, in order.
    pub weights: Vec<(u64, u32)>,
    /// Its epochs by hand, in order: it takes no part in what they cover.
    pub by_hand: Vec<Epoch>,
}

impl Claimant {
    /// Its weight in the epoch that starts at `start`; `None` where it takes no part.
    pub fn weight_at(&self, start: u64) -> Option<u32> {
        let begun = self.by_hand.partition_point(|epoch| epoch.start <= start);
        let covered = begun.checked_sub(1).and_then(|last| self.by_hand.get(last));
        if start < self.begins || covered.is_some_and(|epoch| epoch.end > start) {
            return None;
        }
        let in_force = self.weights.partition_point(|(from, _)| *from <= start).checked_sub(1)?;
        self.weights.get(in_force).map(|(_, ppm)| *ppm)
    }
}

/// (pool id, weight) of the pools taking part in the epoch that starts at `start`, in the order of `claimants`.
pub fn sharers(claimants: &[Claimant], start: u64) -> Vec<(i64, u32)> {
    claimants.iter().filter_map(|pool| Some((pool.pool_id, pool.weight_at(start)?))).collect()
}

/// What an epoch has to give: emission + carry in = Σ parts of the pools + carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// Its blocks.
    pub epoch: Epoch,
    /// Block reward × blocks, reward base units, as all that follow.
    pub emission: Base,
    /// What no pool got before.
    pub carry_in: Base,
    /// What no pool gets now.
    pub carry_out: Base,
}

impl Budget {
    /// The budget of an epoch that these pools share, each with its weight; an error past 256 bits.
    pub fn of(epoch: Epoch, terms: &EmissionTerms, sharers: &[(i64, u32)], carry_in: Base) -> Result<Self> {
        let too_large = || {
            Error::new(Code::InvalidValue, "reward.block_reward: an epoch's emission passes 256 bits")
                .detail("start_block", epoch.start)
        };
        let blocks = Base::from(epoch.end - epoch.start);
        let emission = terms.block_reward.checked_mul(blocks).ok_or_else(too_large)?;
        let total = emission.checked_add(carry_in).ok_or_else(too_large)?;
        let carry_out = split_pools(total, sharers.iter().map(|(_, ppm)| *ppm)).carry;
        Ok(Self { epoch, emission, carry_in, carry_out })
    }
}

/// The budgets of the closed epochs from block `at` on, of which the first takes in `carry`.
pub fn budgets<'a>(
    schedule: &'a [EmissionTerms],
    claimants: &'a [Claimant],
    at: u64,
    mut carry: Base,
    last_final: u64,
) -> impl Iterator<Item = Result<Budget>> + use<'a> {
    let mut next = boundary_from(schedule, at);
    std::iter::from_fn(move || {
        let epoch = closed_epoch(schedule, next?, last_final)?;
        let budget =
            Budget::of(epoch, terms_at(schedule, epoch.start)?, &sharers(claimants, epoch.start), carry);
        next = budget.as_ref().ok().map(|budget| budget.epoch.end);
        carry = budget.as_ref().map_or(carry, |budget| budget.carry_out);
        Some(budget)
    })
}

#[cfg(test)]
mod tests {
    use super::EmissionTerms as T;
    use super::*;

    fn claimant(pool_id: i64, begins: u64, weights: &[(u64, u32)]) -> Claimant {
        Claimant { pool_id, begins, weights: weights.to_vec(), by_hand: Vec::new() }
    }

    /// (start, emission, carry in, carry out)
    fn shown(budgets: impl Iterator<Item = Result<Budget>>) -> Vec<(u64, u64, u64, u64)> {
        let row = |b: Budget| (b.epoch.start, b.emission.to(), b.carry_in.to(), b.carry_out.to());
        budgets.map(|budget| row(budget.unwrap())).collect()
    }

    #[test]
    fn who_takes_part() {
        let mut pool = claimant(1, 30, &[(20, 7), (50, 0)]);
        pool.by_hand = vec![Epoch { start: 60, end: 85 }, Epoch { start: 100, end: 110 }];
        for (start, want) in [
            (20, None),
            (30, Some(7)),
            (49, Some(7)),
            (50, Some(0)),
            (60, None),
            (80, None),
            (85, Some(0)),
            (90, Some(0)),
            (100, None),
            (110, Some(0)),
        ] {
            assert_eq!(pool.weight_at(start), want, "{start}");
        }
        assert_eq!(claimant(1, 0, &[(20, 7)]).weight_at(19), None);
    }

    #[test]
    fn what_nobody_gets_waits_for_the_first_who_does() {
        // One pool begins at 50; until then the other one has no weight.
        let schedule = [T::every(10, 10)];
        let pools = [claimant(1, 50, &[(0, 1_000_000)]), claimant(2, 10, &[(0, 0)])];
        let all = shown(budgets(&schedule, &pools, 10, Base::ZERO, 69));
        let rows = [(10, 0, 20), (20, 20, 40), (30, 40, 60), (40, 60, 80), (50, 80, 0), (60, 0, 0)];
        assert_eq!(all, rows.map(|(start, carry_in, carry_out)| (start, 20, carry_in, carry_out)));
        // Nobody at all is no different, and a run that ends anywhere is gone on with.
        assert_eq!(shown(budgets(&schedule, &pools[..1], 10, Base::ZERO, 69)), all);
        for cut in 0..all.len() {
            let carry = cut.checked_sub(1).map_or(0, |last| all[last].3);
            let at = 10 + 10 * cut as u64;
            assert_eq!(shown(budgets(&schedule, &pools, at, Base::from(carry), 69)), all[cut..]);
        }
        assert_eq!(shown(budgets(&schedule, &pools, 10, Base::ZERO, 18)), []);
        assert_eq!(shown(budgets(&[], &pools, 10, Base::ZERO, 100)), []);
    }

    #[test]
    fn epochs_by_hand_leave_their_part_to_the_others() {
        let schedule = [T::every(10, 10)];
        let mut alone = claimant(1, 10, &[(0, 1)]);
        alone.by_hand = vec![Epoch { start: 20, end: 40 }];
        let rows = shown(budgets(&schedule, std::slice::from_ref(&alone), 10, Base::ZERO, 49));
        assert_eq!(rows, [(10, 20, 0, 0), (20, 20, 0, 20), (30, 20, 20, 40), (40, 20, 40, 0)]);
        let pools = [alone, claimant(2, 10, &[(0, 1)])];
        let rows = shown(budgets(&schedule, &pools, 10, Base::ZERO, 49));
        assert!(rows.iter().all(|row| row.3 == 0), "{rows:?}");
        assert_eq!(sharers(&pools, 20), [(2, 1)]);
    }

    #[test]
    fn an_emission_past_256_bits_ends_them() {
        let schedule = [EmissionTerms { block_reward: Base::MAX, ..T::every(10, 2) }];
        let found: Vec<_> = budgets(&schedule, &[], 10, Base::ZERO, 50).collect();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].as_ref().unwrap_err().code(), Code::InvalidValue);
    }
}
