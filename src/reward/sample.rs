//! Which members of an epoch are compared with the chain.

use super::accrual::MemberId;
use base::amount::Base;
use std::collections::BTreeMap;

/// What was drawn.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Drawn {
    /// Each member with its shares, by id.
    pub members: Vec<(MemberId, Base)>,
    /// Of how many.
    pub of: u64,
}

/// `most` of all members of an epoch, or all of them.
///
/// A member is in a sample of `n` where its `mix(seed, member)` is among the `n` lowest (`SplitMix64`), so that size and seed
/// tell the sample again.
pub(super) fn sample(all: impl Iterator<Item = (MemberId, Base)>, most: usize, seed: u64) -> Drawn {
    // No two members share a `mix`.
    let mut lowest: BTreeMap<u64, (MemberId, Base)> = BTreeMap::new();
    let (mut of, mut beyond) = (0, None);
    for (member, shares) in all {
        of += 1;
        let key = mix(seed, member);
        if beyond.is_none_or(|beyond| key < beyond) {
            lowest.insert(key, (member, shares));
            if lowest.len() > most {
                beyond = lowest.pop_last().map(|(key, _)| key);
            }
        }
    }
    let mut members: Vec<(MemberId, Base)> = lowest.into_values().collect();
    members.sort_unstable();
    Drawn { members, of }
}

/// One step of `SplitMix64` (Steele, Lea, Flood 2014) from the `member`-th state after `seed`.
fn mix(seed: u64, member: MemberId) -> u64 {
    let mut z = seed.wrapping_add(member.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::btree_map;
    use proptest::prelude::*;

    #[test]
    fn the_reference_sequence() {
        // The first outputs of SplitMix64 from state 1234567, as published with it.
        let got: Vec<u64> = (1..=3).map(|n| mix(1_234_567, n)).collect();
        assert_eq!(got, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn all_are_taken_up_to_the_limit() {
        let all = [(2, Base::from(7)), (5, Base::ZERO), (9, Base::ONE)];
        for most in 3..6 {
            assert_eq!(sample(all.into_iter(), most, 7), Drawn { members: all.into(), of: 3 });
        }
        assert_eq!(sample(all.into_iter(), 0, 7), Drawn { members: Vec::new(), of: 3 });
    }

    proptest! {
        #[test]
        fn a_sample_is_of_that_size_in_order_and_told_by_its_seed(
            all in btree_map(1..10_000i64, 0..1_000u64, 1..200), most in 1usize..50, seed: u64,
        ) {
            let all = || all.iter().map(|(member, shares)| (*member, Base::from(*shares)));
            let drawn = sample(all(), most, seed);
            let mut lowest: Vec<(MemberId, Base)> = all().collect();
            prop_assert_eq!(drawn.of, lowest.len() as u64);
            lowest.sort_unstable_by_key(|(member, _)| mix(seed, *member));
            lowest.truncate(most);
            lowest.sort_unstable();
            prop_assert_eq!(drawn.members, lowest);
        }

        /// Each member is drawn as often as another, whatever its id.
        #[test]
        fn nobody_is_left_out(first in 0..1_000_000i64) {
            let all = first..first + 10;
            let mut times: BTreeMap<MemberId, u32> = BTreeMap::new();
            for seed in 0..1_000 {
                let drawn = sample(all.clone().map(|member| (member, Base::ONE)), 3, seed * 0x1234_5677);
                for (member, _) in drawn.members {
                    *times.entry(member).or_default() += 1;
                }
            }
            prop_assert!(all.into_iter().all(|member| (200..400).contains(&times[&member])), "{:?}", times);
        }
    }
}
