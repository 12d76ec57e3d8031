//! What a pail is worth: the contribution of gap, stake and zeros, and its share of the block's reward.

use soroban_sdk::{panic_with_error, Env, U256};

use crate::types::{Block, Error};

/// Stroops minted per block before any decay.
const FULL_REWARD: i128 = 25_050_000_000;
/// One, in the fixed point of the decay.
const ONE: i128 = 1_000_000_000_000;
/// What is kept each period, in the same fixed point (95 %).
const KEPT: i128 = 950_000_000_000;
/// First block of the first period.
const DECAY_START: u32 = 30_558;
/// Blocks of a period (30 days).
const DECAY_BLOCKS: u32 = 8_640;

/// floor(a * b / c) through 256 bits, for values that are never negative.
fn mul_div(env: &Env, a: i128, b: i128, c: i128) -> i128 {
    let wide = |value: i128| U256::from_u128(env, value.max(0).unsigned_abs());
    let quotient = wide(a).mul(&wide(b)).div(&wide(c));
    match quotient.to_u128().map(i128::try_from) {
        Some(Ok(value)) => value,
        _ => panic!(),
    }
}

/// Sum of the three normalised values; each counts at least 1, so zero zeros is work. Error 12 where a minimum lies above
/// its maximum.
pub fn contribution(env: &Env, block: &Block, gap: u32, stake: i128, zeros: u32) -> i128 {
    if !block.has_valid_ranges() {
        panic_with_error!(env, Error::BlockInvalid);
    }
    let values = [
        (i128::from(gap), i128::from(block.min_gap), i128::from(block.max_gap)),
        (stake, block.min_stake, block.max_stake),
        (i128::from(zeros), i128::from(block.min_zeros), i128::from(block.max_zeros)),
    ];
    let mut scale = 1;
    for (_, low, high) in values {
        scale = scale.max(high - low);
    }
    let mut sum = 0;
    for (value, low, high) in values {
        let range = (high - low).max(1);
        sum += mul_div(env, value.max(low).min(high) - low, scale, range).max(1);
    }
    sum
}

/// Stroops minted for a whole block, falling by 5 % every 30 days' worth of blocks.
fn block_reward(env: &Env, index: u32) -> i128 {
    let mut share = ONE;
    for _ in 0..index.saturating_sub(DECAY_START) / DECAY_BLOCKS {
        share = mul_div(env, share, KEPT, ONE);
    }
    mul_div(env, FULL_REWARD, share, ONE)
}

/// The pail's share of the block's reward and of the stakes that were never worked, in stroops.
pub fn reward(env: &Env, block: &Block, index: u32, gap: u32, stake: i128, zeros: u32) -> i128 {
    let pot = block_reward(env, index) + block.staked_total;
    mul_div(env, contribution(env, block, gap, stake, zeros), pot, block.normalized_total.max(1))
}
