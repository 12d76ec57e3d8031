//! Whether the number that the farm gives its block can be right: held against the blocks' own entries. Pure.
//!
//! A roll-over writes `FarmIndex`, `Block(FarmIndex)` and the clock (the open block's time) together. So the block of the
//! number began no earlier than the clock, there is none after it, and the clock's block is no other one's.

use super::{BLOCK_SECONDS, Block, Farm};
use std::collections::BTreeMap;

/// Seconds of the clock within which the current block is there, if anybody has planted in it: temporary entries live an
/// hour at least. One that is missing later has expired, or its administrator removed it.
const SURELY_THERE: u64 = 10 * BLOCK_SECONDS;

/// The numbers of the blocks that tell whether `index` can be right; `known` is the newest block that was believed in, or
/// the next one.
pub fn witnesses(index: u32, known: Option<u32>) -> impl Iterator<Item = u32> {
    [index.checked_sub(1), Some(index), index.checked_add(1), known].into_iter().flatten()
}

/// What contradicts the farm's number, at this ledger time, if anything does; `blocks` are those of the [`witnesses`] that
/// are there.
pub fn contradiction(
    farm: &Farm,
    blocks: &BTreeMap<u32, Block>,
    known: Option<u32>,
    time: u64,
) -> Option<String> {
    let (index, open) = (farm.index, farm.open.as_ref()?);
    let clock = open.timestamp;
    let begun = |index: u32| blocks.get(&index).map(|block| block.timestamp);
    if let Some(later) = index.checked_add(1).filter(|later| blocks.contains_key(later)) {
        return Some(format!("Block({later}) is there"));
    }
    if let Some(begun) = begun(index) {
        return (begun < clock).then(|| format!("Block({index}) began at {begun}, and the clock at {clock}"));
    }
    // The clock is that of the newest block: the one that began with it is the current one.
    let earlier = [index.checked_sub(1), known].into_iter().flatten().filter(|earlier| *earlier != index);
    for earlier in earlier {
        if let Some(begun) = begun(earlier).filter(|begun| *begun >= clock) {
            return Some(format!("Block({earlier}) began at {begun}, with the clock at {clock}"));
        }
    }
    let planted = open.min_stake != i128::MAX;
    if planted && time < clock.saturating_add(SURELY_THERE) {
        return Some(format!("Block({index}) is missing, and there were plants since {clock}"));
    }
    // Nothing that is there tells. What is known may be the next block, that a plant was tried in and did not begin.
    let known = known?;
    if index.saturating_add(1) < known {
        return Some(format!("block {known} has been seen already"));
    }
    // From one clock to the next it takes a block's time. A block begins within that time of its clock.
    let passed = clock.checked_sub(begun(known)?)?.saturating_add(BLOCK_SECONDS - 1);
    let most = u64::from(known).saturating_add(passed / BLOCK_SECONDS);
    (u64::from(index) > most)
        .then(|| format!("Block({index}) is missing, and {most} is the most since {known}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::model::{Model, Moment, planting_block, unseen};
    use proptest::prelude::*;
    use stellar_xdr::{ContractId, Hash, ScAddress};

    const CLOCK: u64 = 1_000_000;

    fn block(timestamp: u64) -> Block {
        Block { max_stake: 0, min_stake: 0, timestamp, ..unseen(timestamp) }
    }

    fn doubted(index: u32, clock: u64, blocks: &[(u32, u64)], known: Option<u32>, time: u64) -> bool {
        let farm = Farm { index, open: Some(block(clock)), paused: false, asset: None };
        let blocks = blocks.iter().map(|(index, time)| (*index, block(*time))).collect();
        contradiction(&farm, &blocks, known, time).is_some()
    }

    #[test]
    fn the_blocks_say_which_number_is_right() {
        let around = [(4, CLOCK - 301), (5, CLOCK)];
        let now = CLOCK + 20;
        assert!(!doubted(5, CLOCK, &around, Some(5), now));
        assert!(!doubted(5, CLOCK, &around, Some(4), now));
        assert!(!doubted(5, CLOCK, &around, None, now), "nothing is known before");
        // Back, and ahead, by one and by more; with and without something known before.
        for known in [None, Some(4), Some(5)] {
            assert!(doubted(4, CLOCK, &around, known, now), "one back, {known:?}");
            assert!(doubted(1, CLOCK, &[(1, CLOCK - 1_300), (2, CLOCK - 1_000)], known, now), "{known:?}");
            assert!(doubted(6, CLOCK, &around, known, now), "one ahead, {known:?}");
            assert!(doubted(9, CLOCK, &[], known, now), "far ahead, {known:?}");
            assert!(doubted(0, CLOCK, &[], known, now), "no number at all, {known:?}");
        }
        // Nobody has planted for an hour: what is there, and what was known, decides.
        let late = CLOCK + 3_600;
        assert!(!doubted(5, CLOCK, &around, Some(5), late));
        assert!(doubted(6, CLOCK, &around, None, late));
        assert!(doubted(9, CLOCK, &around, Some(5), late));
        assert!(doubted(9, CLOCK, &[(4, CLOCK - 301)], Some(4), late), "one block's time, and five blocks");
        assert!(doubted(3, CLOCK, &around, Some(5), late));
        // A day later all is gone; what is known stays the least.
        assert!(!doubted(5, CLOCK, &[], Some(5), CLOCK + 90_000));
        assert!(!doubted(7, CLOCK, &[], Some(5), CLOCK + 90_000));
        assert!(!doubted(4, CLOCK, &[], Some(5), CLOCK + 90_000), "a plant of block 5 was tried");
        assert!(doubted(3, CLOCK, &[], Some(5), CLOCK + 90_000));
    }

    #[test]
    fn a_block_that_was_removed_stops_the_farm_for_fifty_minutes_at_most() {
        let around = [(4, CLOCK - 300)];
        assert!(doubted(5, CLOCK, &around, Some(5), CLOCK + 2_999));
        assert!(!doubted(5, CLOCK, &around, Some(5), CLOCK + 3_000));
        assert!(!doubted(5, CLOCK, &around, Some(4), CLOCK + 3_000));
        // The next plant takes a number, and the clock goes on.
        assert!(!doubted(6, CLOCK, &[(6, CLOCK + 100)], Some(5), CLOCK + 100));
    }

    #[test]
    fn a_farm_that_nobody_has_planted_in_is_believed() {
        let farm = Farm { index: 0, open: Some(unseen(CLOCK)), paused: false, asset: None };
        for age in [0, 299, 300, 90_000] {
            assert_eq!(contradiction(&farm, &BTreeMap::new(), None, CLOCK + age), None, "age {age}");
        }
    }

    proptest! {
        /// Whatever is planted, and when: the true number is never doubted, and no other one is believed.
        #[test]
        fn the_true_number_is_believed_and_no_other(
            steps in prop::collection::vec((0u64..700, any::<bool>()), 1..20), lie in 0u32..30, lag in 0usize..3,
            later in 0u64..2_700,
        ) {
            let mut model = Model::new(CLOCK);
            let (mut time, mut ledger, mut indices) = (CLOCK, 1, Vec::new());
            for (farmer, (wait, keep)) in (0u8..).zip(steps) {
                (time, ledger) = (time + wait, ledger + 1);
                let farmer = ScAddress::Contract(ContractId(Hash([farmer; 32])));
                model.plant(&farmer, 1, Moment { ledger, time }).unwrap();
                indices.push(model.farm.index);
                let known = indices.iter().rev().nth(lag).copied();
                prop_assert_eq!(contradiction(&model.farm, &model.blocks, known, time + later), None);
                // A block goes only when it is a day old; here, those that nobody looks at any more.
                if !keep {
                    model.blocks.retain(|index, _| *index + 3 > model.farm.index);
                }
                if lie != model.farm.index {
                    let told = Farm { index: lie, ..model.farm.clone() };
                    let told = contradiction(&told, &model.blocks, known, time + later);
                    prop_assert!(told.is_some(), "{} instead of {}", lie, model.farm.index);
                }
                let (next, begun) = planting_block(&model.farm, model.blocks.get(&model.farm.index), time + 300).unwrap();
                prop_assert_eq!((next.index, begun.timestamp), (model.farm.index + 1, time + 300));
            }
        }
    }
}
