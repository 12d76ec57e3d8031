//! What a pail is worth: the contribution of gap, stake and zeros, and its share of the block. Exact, pure.
//!
//! Source: the contract's public source (`utils.rs`, `contract.rs`); every intermediate is 256 bits or more, as there.

use super::Block;
use base::amount::{Base, mul_div};

/// Stroops given out per block before any decay: 2,505 KALE.
const FULL_REWARD: u128 = 25_050_000_000;
/// One, in the fixed point of the decay.
const ONE: u128 = 1_000_000_000_000;
/// What a period keeps of the one before, in the same fixed point: 95 %.
const KEPT: u128 = 950_000_000_000;
/// Block from which the periods of the decay are counted.
const DECAY_START: u32 = 30_558;
/// Blocks of a period: 30 days.
const DECAY_BLOCKS: u32 = 8_640;

/// Stroops that block `index` gives out, apart from forfeited stakes.
pub fn block_reward(index: u32) -> i128 {
    let mut share = ONE;
    for _ in 0..index.saturating_sub(DECAY_START) / DECAY_BLOCKS {
        share = share * KEPT / ONE;
        if share == 0 {
            break;
        }
    }
    // At most FULL_REWARD, and never negative.
    i128::try_from(FULL_REWARD * share / ONE).unwrap_or_default()
}

/// Whether no minimum lies above its maximum; the contract refuses work in another block (error 12).
pub const fn has_valid_ranges(block: &Block) -> bool {
    block.min_gap <= block.max_gap && block.min_stake <= block.max_stake && block.min_zeros <= block.max_zeros
}

/// n(gap), n(stake), n(zeros) by the ranges of `block`: each range is stretched to the largest of the three, and each
/// part counts at least 1.
pub fn normalized(block: &Block, gap: u32, stake: i128, zeros: u32) -> [Base; 3] {
    let values = [
        (Base::from(gap), Base::from(block.min_gap), Base::from(block.max_gap)),
        (unsigned(stake), unsigned(block.min_stake), unsigned(block.max_stake)),
        (Base::from(zeros), Base::from(block.min_zeros), Base::from(block.max_zeros)),
    ];
    let range = |low: Base, high: Base| high.saturating_sub(low).max(Base::ONE);
    let scale = values.iter().map(|(_, low, high)| range(*low, *high)).max().unwrap_or(Base::ONE);
    values.map(|(value, low, high)| {
        let above = value.max(low).min(high).saturating_sub(low);
        // Both factors are below 2^127.
        (above * scale / range(low, high)).max(Base::ONE)
    })
}

/// The sum of the three parts; below 2^129.
pub fn contribution(block: &Block, gap: u32, stake: i128, zeros: u32) -> Base {
    normalized(block, gap, stake, zeros).into_iter().sum()
}

/// Stroops that a harvest gives a contribution of `contribution` in block `index` as it stands, without the stake.
/// `None` where it passes 127 bits, which the contract refuses to pay.
pub fn share(block: &Block, index: u32, contribution: Base) -> Option<i128> {
    let pot = unsigned(block_reward(index)) + unsigned(block.staked_total);
    let total = unsigned(block.normalized_total).max(Base::ONE);
    i128::try_from(mul_div(contribution, pot, total)?).ok()
}

/// An amount that is never negative.
pub(super) fn unsigned(amount: i128) -> Base {
    Base::from(amount.max(0).unsigned_abs())
}
