//! What a pool's rewards come to in a year, by its TVL. Pure, in integers alone.

use alloy::primitives::Uint;
use base::amount::{Base, pow10};

/// Seconds of a year of 365 days.
const YEAR_SEC: u64 = 31_536_000;

/// Compounding steps of a year.
const DAYS: u64 = 365;

/// Decimals of the answers.
pub const DECIMALS: u8 = 6;

/// Decimals that daily growth is computed with.
const FINE: u8 = 40;

/// Growth beyond so many bits, at [`FINE`] decimals, is past 256 bits at [`DECIMALS`].
const MOST_BITS: usize = 400;

type Big = Uint<1024, 16>;

/// What the yield of a pool depends on.
#[derive(Debug, Clone, Copy)]
pub struct YieldInputs {
    /// Emission of a block over all pools, base units of the reward token.
    pub block_reward: Base,
    /// Seconds per block; at least 1.
    pub block_time_sec: u64,
    /// The pool's weight, millionths.
    pub weight_ppm: u32,
    /// Sum of all weights, millionths.
    pub weight_sum_ppm: u64,
    /// Decimals of the reward token.
    pub reward_decimals: u8,
    /// Price of a whole reward token, 18 decimals.
    pub reward_price_e18: Base,
    /// What the pool holds, base units of its asset.
    pub tvl: Base,
    /// Decimals of that asset.
    pub asset_decimals: u8,
    /// Price of a whole unit of it, 18 decimals.
    pub asset_price_e18: Base,
}

/// Yields of a year as parts of 1, six decimals, cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Yields {
    /// Simple: a year's emission over TVL.
    pub apr_e6: Base,
    /// Compounded daily: (1 + APR / 365)^365 - 1. `None` where it is too large for every digit to be certain, from
    /// about 10^32 on.
    pub apy_e6: Option<Base>,
}

/// A year's emission for the pool, base units of the reward token, cut. `None` past 256 bits.
pub fn yearly_emission(terms: &YieldInputs) -> Option<Base> {
    if terms.weight_sum_ppm == 0 {
        return Some(Base::ZERO);
    }
    let yearly = Big::from(terms.block_reward) * Big::from(YEAR_SEC) * Big::from(terms.weight_ppm);
    narrow(yearly.checked_div(Big::from(terms.block_time_sec) * Big::from(terms.weight_sum_ppm))?)
}

/// The yields; `None` where TVL or its price is zero, or a figure passes 256 bits.
pub fn yields(terms: &YieldInputs) -> Option<Yields> {
    let (gain, stake) = ratio(terms)?;
    let apr_e6 = narrow((gain * scale(DECIMALS)?).checked_div(stake)?)?;
    Some(Yields { apr_e6, apy_e6: daily_compounded(gain, stake) })
}

/// Daily growth between two bounds, so that every digit of the answer is certain.
fn daily_compounded(gain: Big, stake: Big) -> Option<Base> {
    let one = scale(FINE)?;
    let (gain, daily) = (gain * one, stake * Big::from(DAYS));
    let low = compounded(one + gain / daily, one, false)?;
    let high = compounded(one + gain.div_ceil(daily), one, true)?;
    let cut = |growth: Big| narrow((growth - one) / (one / scale(DECIMALS)?));
    let (low, high) = (cut(low)?, cut(high)?);
    (low == high).then_some(low)
}

/// Value gained in a year and value at stake, in one unit.
fn ratio(terms: &YieldInputs) -> Option<(Big, Big)> {
    let emitted = Big::from(terms.block_reward) * Big::from(YEAR_SEC) * Big::from(terms.weight_ppm);
    let gain = emitted * Big::from(terms.reward_price_e18) * scale(terms.asset_decimals)?;
    let time = Big::from(terms.block_time_sec) * Big::from(terms.weight_sum_ppm.max(1));
    let stake =
        time * Big::from(terms.tvl) * Big::from(terms.asset_price_e18) * scale(terms.reward_decimals)?;
    // Room for the digits that follow.
    (!stake.is_zero() && gain.bit_len() <= 850 && stake.bit_len() <= 1_000).then_some((gain, stake))
}

/// `growth`^365, rounded up or down at every step.
fn compounded(growth: Big, one: Big, up: bool) -> Option<Big> {
    let product = |a: Big, b: Big| {
        let product = a * b;
        let rounded = if up { product.div_ceil(one) } else { product / one };
        (rounded.bit_len() <= MOST_BITS).then_some(rounded)
    };
    if growth.bit_len() > MOST_BITS {
        return None;
    }
    let mut result = one;
    for bit in (0..u64::BITS - DAYS.leading_zeros()).rev() {
        result = product(result, result)?;
        if DAYS >> bit & 1 == 1 {
            result = product(result, growth)?;
        }
    }
    Some(result)
}

fn scale(decimals: u8) -> Option<Big> {
    pow10(decimals).map(Big::from)
}

fn narrow(value: Big) -> Option<Base> {
    (value.bit_len() <= 256).then(|| value.to())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::amount::to_units;
    use proptest::prelude::*;

    const E18: u64 = 1_000_000_000_000_000_000;

    /// One block a year of 1,000,000 tokens of 18 decimals at a price of 1.
    fn terms(reward: u64, tvl: u64) -> YieldInputs {
        YieldInputs {
            block_reward: Base::from(reward) * Base::from(E18),
            block_time_sec: YEAR_SEC,
            weight_ppm: 1,
            weight_sum_ppm: 1,
            reward_decimals: 18,
            reward_price_e18: Base::from(E18),
            tvl: Base::from(tvl) * Base::from(E18),
            asset_decimals: 18,
            asset_price_e18: Base::from(E18),
        }
    }

    fn shown(terms: &YieldInputs) -> Option<(String, String)> {
        yields(terms).map(|y| {
            let apy = y.apy_e6.map_or_else(|| "too large".to_owned(), |apy| to_units(apy, DECIMALS));
            (to_units(y.apr_e6, DECIMALS), apy)
        })
    }

    /// (1 + r/365)^365 - 1, worked out with 80 digits elsewhere.
    #[test]
    fn known_yields() {
        for (reward, tvl, apr, apy) in [
            (0, 1, "0.000000", "0.000000"),
            (1, 1_000_000, "0.000001", "0.000001"),
            (1, 3, "0.333333", "0.395400"),
            (5, 100, "0.050000", "0.051267"),
            (1, 10, "0.100000", "0.105155"),
            (1, 1, "1.000000", "1.714567"),
            (10, 1, "10.000000", "19252.832707"),
            (1, 2_000_000, "0.000000", "0.000000"),
            // 2^365 - 1 has 110 digits.
            (365, 1, "365.000000", "too large"),
            (8_271, 1, "8271.000000", "too large"),
        ] {
            let want = Some((apr.to_owned(), apy.to_owned()));
            assert_eq!(shown(&terms(reward, tvl)), want, "{reward} to {tvl}");
        }
    }

    #[test]
    fn decimals_prices_weights_and_time_are_told_apart() {
        let plain = terms(1, 10);
        let other = YieldInputs {
            block_reward: Base::from(3_000_000u64),
            block_time_sec: YEAR_SEC / 2,
            weight_ppm: 250_000,
            weight_sum_ppm: 1_500_000,
            reward_decimals: 6,
            reward_price_e18: Base::from(2 * E18),
            tvl: Base::from(4_000_000_000u64),
            asset_decimals: 8,
            asset_price_e18: Base::from(E18 / 2),
        };
        // 3 x 2 blocks x 1/6 x 2 = 2 a year, to 40 x 0.5 = 20.
        assert_eq!(shown(&other), shown(&plain));
        assert_eq!(yearly_emission(&other), Some(Base::from(1_000_000u64)));
    }

    #[test]
    fn without_a_stake_or_beyond_256_bits_there_is_no_yield() {
        let plain = terms(1, 1);
        for none in [
            YieldInputs { tvl: Base::ZERO, ..plain },
            YieldInputs { asset_price_e18: Base::ZERO, ..plain },
            YieldInputs { block_reward: Base::MAX, reward_price_e18: Base::MAX, ..plain },
            YieldInputs { block_reward: Base::MAX, reward_price_e18: Base::MAX, asset_decimals: 77, ..plain },
            YieldInputs { reward_decimals: 78, ..plain },
        ] {
            assert_eq!(yields(&none), None, "{none:?}");
        }
        let free = YieldInputs { weight_ppm: 0, weight_sum_ppm: 0, ..plain };
        assert_eq!(shown(&free), Some(("0.000000".into(), "0.000000".into())));
        assert_eq!(yearly_emission(&free), Some(Base::ZERO));
    }

    proptest! {
        /// Compounding never loses, and more reward never yields less.
        #[test]
        fn ordered(reward in 0u64..10_000_000, more in 0u64..10_000_000, tvl in 1_000_000u64..1_000_000_000) {
            let (a, b) = (yields(&terms(reward, tvl)), yields(&terms(reward + more, tvl)));
            if let (Some(a), Some(b)) = (a, b) {
                prop_assert!(b.apr_e6 >= a.apr_e6);
                prop_assert!(a.apy_e6.is_none_or(|apy| apy >= a.apr_e6));
                prop_assert!(a.apy_e6.zip(b.apy_e6).is_none_or(|(a, b)| b >= a));
            }
        }
    }
}
