//! The reward formula: the vectors, and what holds for all values.

use crate::vectors::{block, number, stroops, vectors};
use base::amount::Base;
use kale::model::{harvested, worked};
use kale::reward::{block_reward, contribution, normalized, share};
use kale::{Block, Pail};
use proptest::prelude::*;

#[test]
fn every_block_reward() {
    let vectors = vectors()["block_rewards"].take();
    for vector in vectors.as_array().unwrap() {
        assert_eq!(block_reward(number(&vector["index"])), stroops(&vector["block_reward"]), "{vector}");
    }
    assert_eq!(vectors.as_array().unwrap().len(), 12);
    assert_eq!(block_reward(u32::MAX), 0);
}

#[test]
fn every_normalization() {
    let vectors = vectors()["normalizations"].take();
    for vector in vectors.as_array().unwrap() {
        let got = normalized(
            &block(&vector["block"]),
            number(&vector["gap"]),
            stroops(&vector["stake"]),
            number(&vector["zeros"]),
        );
        let got = got.map(|part| part.to_string());
        assert_eq!(serde_json::json!(got), vector["normalized"], "{vector}");
    }
    assert_eq!(vectors.as_array().unwrap().len(), 60);
}

#[test]
fn the_product_may_pass_128_bits() {
    // The gap is at the end of its range, so its part is the scale, 2^100: times a pot of 2^90, over 2^101.
    let block = Block {
        max_gap: 1,
        max_stake: 1 << 100,
        normalized_total: 1 << 101,
        staked_total: (1 << 90) - 25_050_000_000,
        ..unranged()
    };
    let part = contribution(&block, 1, 0, 0);
    assert_eq!(share(&block, 7, part), Some(1_i128 << 89));
    // What does not fit an i128 is not paid.
    let block = Block { normalized_total: 1, ..block };
    assert_eq!(share(&block, 7, part), None);
}

fn unranged() -> Block {
    Block {
        entropy: [0; 32],
        max_gap: 0,
        max_stake: 0,
        max_zeros: 0,
        min_gap: 0,
        min_stake: 0,
        min_zeros: 0,
        normalized_total: 0,
        staked_total: 0,
        timestamp: 0,
    }
}

/// Stroops: all of KALE that there will ever be is far below 2^80.
const MOST: i128 = 1 << 80;

prop_compose! {
    fn ranges()(
        gap in any::<[u16; 2]>(), stake in [0..MOST, 0..MOST], zeros in [0u32..=64, 0u32..=64],
    ) -> Block {
        Block {
            max_gap: gap[0].max(gap[1]).into(),
            min_gap: gap[0].min(gap[1]).into(),
            max_stake: stake[0].max(stake[1]),
            min_stake: stake[0].min(stake[1]),
            max_zeros: zeros[0].max(zeros[1]),
            min_zeros: zeros[0].min(zeros[1]),
            ..unranged()
        }
    }
}

proptest! {
    #[test]
    fn parts_lie_between_one_and_the_scale(
        block in ranges(), gap in any::<u32>(), stake in 0..MOST, zeros in 0u32..=64,
    ) {
        let scale = [
            i128::from(block.max_gap - block.min_gap),
            block.max_stake - block.min_stake,
            i128::from(block.max_zeros - block.min_zeros),
            1,
        ];
        let scale = Base::from(scale.into_iter().max().unwrap().unsigned_abs());
        for part in normalized(&block, gap, stake, zeros) {
            prop_assert!(part >= Base::ONE && part <= scale);
        }
        // At the top of a range that is one at all, the part is the whole scale.
        if block.max_gap > block.min_gap {
            let top = normalized(&block, block.max_gap.saturating_add(gap), stake, zeros)[0];
            prop_assert_eq!(top, scale);
        }
    }

    #[test]
    fn more_of_anything_never_counts_less(
        block in ranges(), gap in 0u32..=70_000, stake in 0..MOST, zeros in 0u32..=63,
        more in (0u32..=70_000, 0..MOST, 0u32..=1),
    ) {
        let less = normalized(&block, gap, stake, zeros);
        let more = normalized(&block, gap + more.0, stake + more.1, zeros + more.2);
        for (less, more) in less.into_iter().zip(more) {
            prop_assert!(more >= less);
        }
    }

    #[test]
    fn a_block_pays_no_more_than_its_pot(
        block in ranges(),
        index in 0u32..200_000,
        farmers in prop::collection::vec((1u32..=70_000, 0..MOST, prop::option::of(0u32..=64)), 1..20),
    ) {
        // Everybody plants; those without zeros forfeit.
        let planted = farmers.iter().map(|(_, stake, _)| stake).sum();
        let mut block = Block { staked_total: planted, ..block };
        let mut pails = Vec::new();
        for (gap, stake, zeros) in &farmers {
            let pail = Pail { gap: None, sequence: 1, stake: *stake, zeros: None };
            if let Some(zeros) = zeros {
                let (after, pail) = worked(&block, &pail, *gap, *zeros).unwrap();
                block = after;
                pails.push(pail);
            }
        }
        let forfeited: i128 =
            farmers.iter().filter(|(.., zeros)| zeros.is_none()).map(|(_, stake, _)| stake).sum();
        prop_assert_eq!(block.staked_total, forfeited);
        let pot = block_reward(index) + forfeited;
        let paid: i128 = pails.iter().map(|pail| harvested(index, &block, pail).unwrap()).sum();
        prop_assert!(paid <= pot);
        // Rounding down loses less than a stroop a farmer.
        let workers = i128::try_from(pails.len()).unwrap();
        prop_assert!(workers == 0 || pot - paid < workers);
    }
}
