//! The terms of a farmer: how a harvest is shared out. Pure, in stroops.

use base::amount::{Base, PPM, Weight, split_largest_remainder};
use base::{Code, Error, Remedy, Result};

/// One in millionths, the unit of ratios.
pub const ONE_PPM: u32 = 1_000_000;

/// Who gets what of a reward. Made only from ratios whose sum is at most 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RewardSplit {
    reward_split_ppm: u32,
    platform_fee_ppm: u32,
}

/// A reward, shared out; the parts add up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// The farmer's.
    pub farmer: Base,
    /// The pooler's, for the work.
    pub pooler: Base,
    /// The operator's, for running it.
    pub platform: Base,
}

impl RewardSplit {
    /// Terms of so many millionths for pooler and operator; the farmer gets the rest.
    /// `invalid_weight` where both together pass 1.
    pub fn new(reward_split_ppm: u32, platform_fee_ppm: u32) -> Result<Self> {
        match reward_split_ppm.checked_add(platform_fee_ppm) {
            Some(sum) if sum <= ONE_PPM => Ok(Self { reward_split_ppm, platform_fee_ppm }),
            _ => {
                let [split, fee] = [reward_split_ppm, platform_fee_ppm].map(ratio);
                let why = format!(
                    "a reward split of {split} and a platform fee of {fee} are more than the whole reward"
                );
                let both = Remedy::default().with("reward-split").say(" and ").with("platform-fee");
                Err(Error::new(Code::InvalidWeight, why).hint(both.say(" together are at most 1")))
            }
        }
    }

    /// The pooler's part, in millionths.
    pub const fn reward_split_ppm(self) -> u32 {
        self.reward_split_ppm
    }

    /// The operator's part, in millionths.
    pub const fn platform_fee_ppm(self) -> u32 {
        self.platform_fee_ppm
    }

    /// Shares out a reward (the stake is no part of it: it returns to the farmer whole). What does not divide goes to
    /// the largest remainder; ties to the farmer, then the pooler.
    pub fn share(self, reward: Base) -> Result<Shares> {
        let rest = ONE_PPM - self.reward_split_ppm - self.platform_fee_ppm;
        let weights = [rest, self.reward_split_ppm, self.platform_fee_ppm].map(Weight::from);
        match split_largest_remainder(reward, &weights).as_deref() {
            Some(&[farmer, pooler, platform]) => Ok(Shares { farmer, pooler, platform }),
            _ => Err(Error::new(Code::Bug, format!("a reward of {reward} stroops cannot be shared out"))),
        }
    }
}

/// A ratio in millionths as a plain decimal: `0.25`.
pub fn ratio(ppm: u32) -> String {
    let text = base::amount::to_units(Base::from(ppm), PPM);
    let short = text.trim_end_matches('0');
    short.strip_suffix('.').unwrap_or(short).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shares() {
        for (split, fee, reward, want) in [
            (0, 0, 10, [10, 0, 0]),
            (1_000_000, 0, 10, [0, 10, 0]),
            (0, 1_000_000, 10, [0, 0, 10]),
            (200_000, 50_000, 1_000, [750, 200, 50]),
            // 0.75, 0.2 and 0.05 of one stroop: the largest remainder has it.
            (200_000, 50_000, 1, [1, 0, 0]),
            // 1.5, 1.5, 0: the tie is the farmer's.
            (500_000, 0, 3, [2, 1, 0]),
            // 0.5, 0.25, 0.25 of 2 stroops: 1, 0.5, 0.5; the tie is the pooler's.
            (250_000, 250_000, 2, [1, 1, 0]),
            (1, 999_999, 1, [0, 0, 1]),
        ] {
            let shares = RewardSplit::new(split, fee).unwrap().share(Base::from(reward)).unwrap();
            let [farmer, pooler, platform] = want.map(Base::from);
            assert_eq!(shares, Shares { farmer, pooler, platform }, "{split} {fee} {reward}");
        }
        for (split, fee) in [(1_000_000, 1), (500_001, 500_000), (u32::MAX, 1), (u32::MAX, u32::MAX)] {
            assert_eq!(RewardSplit::new(split, fee).unwrap_err().code(), Code::InvalidWeight);
        }
    }

    #[test]
    fn ratios_are_shown_without_padding() {
        for (ppm, want) in [(0, "0"), (250_000, "0.25"), (1, "0.000001"), (1_000_000, "1")] {
            assert_eq!(ratio(ppm), want);
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nobody_is_a_stroop_off(
            reward in any::<u128>(), split in 0u32..=1_000_000, fee in 0u32..=1_000_000,
        ) {
            prop_assume!(split + fee <= 1_000_000);
            let reward = Base::from(reward);
            let shares = RewardSplit::new(split, fee).unwrap().share(reward).unwrap();
            prop_assert_eq!(shares.farmer + shares.pooler + shares.platform, reward);
            for (part, ppm) in [
                (shares.farmer, 1_000_000 - split - fee), (shares.pooler, split), (shares.platform, fee),
            ] {
                // |part - reward × ppm| < 1 stroop, in millionths.
                let exact = reward * Base::from(ppm);
                let got = part * Base::from(1_000_000u32);
                prop_assert!(got.abs_diff(exact) < Base::from(1_000_000u32));
            }
        }
    }
}
