//! What an epoch emits and how it is shared out: over pools by weight, over members by what they accrued. Pure.

use crate::pool::holdings::MemberId;
use base::amount::{Base, Weight, split_largest_remainder};
use strum::{EnumString, VariantNames};

/// Emission of an epoch over pools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolParts {
    /// Part of each pool, in the order given.
    pub parts: Vec<Base>,
    /// What no pool gets, because all weights are zero; it joins the next epoch's emission.
    pub carry: Base,
}

/// Splits an epoch's emission over the pools taking part, ordered by pool id: Σ parts + carry = total.
pub fn split_pools(total: Base, weights_ppm: impl IntoIterator<Item = u32>) -> PoolParts {
    let weights: Vec<Weight> = weights_ppm.into_iter().map(Weight::from).collect();
    match split_largest_remainder(total, &weights) {
        Some(parts) => PoolParts { parts, carry: Base::ZERO },
        None => PoolParts { parts: vec![Base::ZERO; weights.len()], carry: total },
    }
}

/// What one pool gets of an emission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Its part.
    pub part: Base,
    /// What no pool gets.
    pub unsplit: Base,
    /// Its weight, millionths, where it has one; none for an epoch by hand.
    pub weight: Option<u32>,
    /// Sum of the weights of all; none for an epoch by hand.
    pub weight_sum: Option<u64>,
}

impl Share {
    /// All that an epoch by hand gives.
    pub const fn whole(part: Base) -> Self {
        Self { part, unsplit: Base::ZERO, weight: None, weight_sum: None }
    }

    /// Of an emission that these (pool id, weight) share.
    pub fn of(total: Base, sharers: &[(i64, u32)], pool_id: i64) -> Self {
        let split = split_pools(total, sharers.iter().map(|(_, ppm)| *ppm));
        let mut parts = sharers.iter().zip(split.parts);
        let own = parts.find(|((id, _), _)| *id == pool_id).map(|((_, ppm), part)| (*ppm, part));
        Self {
            part: own.map(|(_, part)| part).unwrap_or_default(),
            unsplit: split.carry,
            weight: own.map(|(ppm, _)| ppm),
            weight_sum: Some(sharers.iter().map(|(_, ppm)| u64::from(*ppm)).sum()),
        }
    }
}

/// Why an amount was carried to the pool's next epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, strum::IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum CarryReason {
    /// Nobody held shares in the epoch.
    NoHolders,
    /// The pool is paused.
    PoolPaused,
    /// The weights of all pools are zero.
    ZeroWeight,
}

state::stored_as_word!(CarryReason);
crate::words!(CarryReason);

impl CarryReason {
    /// The reason that stands with a pool's epoch: why the pool carries what it does, or else why no pool got
    /// anything of the emission, of which `unsplit` is carried.
    pub fn of(shared: &MemberParts, unsplit: Base) -> Option<Self> {
        match (shared.carry.is_zero(), unsplit.is_zero()) {
            (false, _) => shared.reason,
            (true, false) => Some(Self::ZeroWeight),
            (true, true) => None,
        }
    }
}

/// A pool's epoch, shared out: Σ rewards + carry = amount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberParts {
    /// Reward of each member, by id; never zero.
    pub rewards: Vec<(MemberId, Base)>,
    /// What nobody gets.
    pub carry: Base,
    /// Why not, where something is carried.
    pub reason: Option<CarryReason>,
}

/// Shares a pool's amount out over its members, who come in ascending order: ties go to the lower member id.
pub fn split_members(amount: Base, weights: &[(MemberId, Weight)], paused: bool) -> MemberParts {
    let carried = |reason| MemberParts { rewards: Vec::new(), carry: amount, reason: Some(reason) };
    if paused {
        return carried(CarryReason::PoolPaused);
    }
    let Some(parts) = split_largest_remainder(amount, weights.iter().map(|(_, weight)| weight)) else {
        return carried(CarryReason::NoHolders);
    };
    let members = weights.iter().map(|(member, _)| *member);
    let rewards = members.zip(parts).filter(|(_, part)| !part.is_zero()).collect();
    MemberParts { rewards, carry: Base::ZERO, reason: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_amount() -> impl Strategy<Value = Base> {
        prop_oneof![
            any::<[u64; 4]>().prop_map(Base::from_limbs),
            (0u64..50).prop_map(Base::from),
            Just(Base::MAX)
        ]
    }

    #[test]
    fn a_pool_gets_its_own_part() {
        let total = Base::from(10_u8);
        let of = |id| Share::of(total, &[(3, 1), (7, 2), (9, 0)], id);
        let share = |part: u8, weight| Share {
            part: Base::from(part),
            unsplit: Base::ZERO,
            weight,
            weight_sum: Some(3),
        };
        // 10 in parts of 1 to 2: 3 and 6, and the unit left over goes to the larger remainder.
        let want = [share(3, Some(1)), share(7, Some(2)), share(0, Some(0)), share(0, None)];
        assert_eq!([3, 7, 9, 5].map(of), want);
        let none = Share { part: Base::ZERO, unsplit: total, weight: Some(0), weight_sum: Some(0) };
        assert_eq!(Share::of(total, &[(3, 0)], 3), none);
    }

    #[test]
    fn nothing_is_lost_where_nobody_can_get_it() {
        let total = Base::from(200u8);
        let none = split_pools(total, [0, 0]);
        assert_eq!((none.parts.len(), none.carry), (2, total));
        let holders = [(7, Weight::from(1u8))];
        for (weights, paused, reason) in
            [(&[][..], false, CarryReason::NoHolders), (&holders, true, CarryReason::PoolPaused)]
        {
            let parts = split_members(total, weights, paused);
            assert_eq!((parts.carry, parts.reason), (total, Some(reason)));
        }
    }

    #[test]
    fn what_a_pool_carries_is_explained_before_what_nobody_emits() {
        let holders = [(7, Weight::from(1u8))];
        let n = |amount: u8| Base::from(amount);
        for (amount, paused, unsplit, want) in [
            (5, false, 0, None),
            (5, false, 9, Some(CarryReason::ZeroWeight)),
            (5, true, 0, Some(CarryReason::PoolPaused)),
            (5, true, 9, Some(CarryReason::PoolPaused)),
            (0, true, 0, None),
            (0, true, 9, Some(CarryReason::ZeroWeight)),
        ] {
            let shared = split_members(n(amount), &holders, paused);
            assert_eq!(CarryReason::of(&shared, n(unsplit)), want, "{amount} {paused} {unsplit}");
        }
        for reason in [CarryReason::NoHolders, CarryReason::PoolPaused, CarryReason::ZeroWeight] {
            assert_eq!(reason.as_str().parse(), Ok(reason));
        }
    }

    #[test]
    fn ties_go_to_the_lower_id() {
        let three = [2, 5, 9].map(|id| (id, Weight::from(1u8)));
        let parts = split_members(Base::from(10u8), &three, false);
        assert_eq!(parts.rewards, [(2, Base::from(4u8)), (5, Base::from(3u8)), (9, Base::from(3u8))]);
    }

    proptest! {
        /// emission = Σ pools + carry, and every pool's part = Σ members + carry.
        #[test]
        fn conservation(
            total in any_amount(),
            pools in proptest::collection::vec(
                (0u32..=1_000_000, proptest::collection::btree_map(1i64..1000, (any_amount(), 0u64..1000), 0..20), any::<bool>()),
                0..8,
            ),
        ) {
            let split = split_pools(total, pools.iter().map(|p| p.0));
            let given = split.parts.iter().try_fold(split.carry, |sum, part| sum.checked_add(*part));
            prop_assert_eq!(given, Some(total));
            for (part, (weight, members, paused)) in split.parts.iter().zip(&pools) {
                prop_assert!(*weight > 0 || part.is_zero());
                let weights: Vec<(MemberId, Weight)> = members
                    .iter()
                    .map(|(id, (shares, blocks))| (*id, Weight::from(*shares) * Weight::from(*blocks)))
                    .filter(|(_, w)| !w.is_zero())
                    .collect();
                let shared = split_members(*part, &weights, *paused);
                let sum = shared.rewards.iter().try_fold(shared.carry, |sum, (_, r)| sum.checked_add(*r));
                prop_assert_eq!(sum, Some(*part));
                prop_assert!(shared.rewards.windows(2).all(|w| w[0].0 < w[1].0));
                prop_assert!(shared.rewards.iter().all(|(id, r)| weights.iter().any(|(member, _)| member == id) && !r.is_zero()));
                prop_assert_eq!(shared.reason.is_some(), *paused || weights.is_empty());
            }
        }
    }
}
