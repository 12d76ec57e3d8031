//! What a farmer is farmed by: how much is staked, how many zeros are enough, when work may go out, whether it plants at all.
//! Pure; stakes in stroops, times in seconds of ledger time.

mod program;

pub use program::Program;
pub(crate) use program::failed;

use crate::contract::{BLOCK_SECONDS, Block, DECIMALS};
use base::amount::{Base, PPM, mul_div, pow10, to_units};
use base::{Code, Error, Result};
use std::collections::HashMap;

/// Zeros that are enough in a block whose own range is not known, where no target is set.
const ENOUGH: u32 = 6;
/// The highest target.
pub const MOST_TARGET: u32 = 16;
/// The longest time before work is submitted: a block lasts a second longer.
pub const LONGEST_MIN_WORK: u64 = BLOCK_SECONDS - 1;

/// Terms of a farmer, or of all; `None` = not set here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Strategy {
    /// Zeros that are enough; never more than count in the block.
    pub target_zeros: Option<u32>,
    /// Seconds of a block before which no work is submitted, except at the deadline.
    pub min_work_sec: Option<u64>,
    /// Nothing is planted.
    pub harvest_only: Option<bool>,
    /// Least stake: so much, or nothing where the balance is smaller.
    pub min_stake: Option<Base>,
    /// Most stake; it wins over the least.
    pub max_stake: Option<Base>,
    /// Staked in the place of the farmer's part: of an answer of `strategy.command` alone.
    pub stake: Option<Base>,
}

/// One term; `None` = as for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// [`Strategy::target_zeros`].
    TargetZeros(Option<u32>),
    /// [`Strategy::min_work_sec`].
    MinWork(Option<u64>),
    /// [`Strategy::harvest_only`].
    HarvestOnly(Option<bool>),
    /// [`Strategy::min_stake`].
    MinStake(Option<Base>),
    /// [`Strategy::max_stake`].
    MaxStake(Option<Base>),
}

impl Strategy {
    /// These terms, and the other's where one is not set.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            target_zeros: self.target_zeros.or(other.target_zeros),
            min_work_sec: self.min_work_sec.or(other.min_work_sec),
            harvest_only: self.harvest_only.or(other.harvest_only),
            min_stake: self.min_stake.or(other.min_stake),
            max_stake: self.max_stake.or(other.max_stake),
            stake: self.stake.or(other.stake),
        }
    }

    /// Changes one term.
    pub const fn set(&mut self, term: Term) {
        match term {
            Term::TargetZeros(zeros) => self.target_zeros = zeros,
            Term::MinWork(seconds) => self.min_work_sec = seconds,
            Term::HarvestOnly(only) => self.harvest_only = only,
            Term::MinStake(stake) => self.min_stake = stake,
            Term::MaxStake(stake) => self.max_stake = stake,
        }
    }

    /// Refuses a least stake above the most that is set beside it.
    pub fn check(&self) -> Result<()> {
        match (self.min_stake, self.max_stake) {
            (Some(least), Some(most)) if least > most => {
                let (least, most) = (kale(least), kale(most));
                let why = format!("a least stake of {least} KALE is above the most stake, {most} KALE");
                Err(Error::new(Code::InvalidValue, why)
                    .hint("lower the least stake, or raise the most stake"))
            }
            _ => Ok(()),
        }
    }

    /// Whether it is planted for.
    pub fn plants(&self) -> bool {
        self.harvest_only != Some(true)
    }

    /// When its work may go out at the earliest, the deadline aside, in a block whose clock began then.
    pub fn work_from(&self, opened: u64) -> u64 {
        opened.saturating_add(self.min_work_sec.unwrap_or_default())
    }

    /// Zeros that are enough in this block: no more than count there.
    pub fn enough(&self, block: &Block) -> u32 {
        let most = if block.max_zeros == 0 { self.target_zeros.unwrap_or(ENOUGH) } else { block.max_zeros };
        self.target_zeros.map_or(most, |target| target.min(most)).min(grind::block::MAX_ZEROS)
    }

    /// Stroops to stake: the farmer's part of its balance, rounded down, or what a command said; at least the least stake
    /// where the balance allows it, else nothing; at most the most stake, and `block`, the most that counts in the block.
    pub fn stake(&self, balance: Base, part_ppm: u32, block: Option<Base>) -> Result<Base> {
        let wrong = || Error::new(Code::Bug, format!("a stake of {part_ppm} millionths"));
        let one = pow10(PPM).filter(|one| Base::from(part_ppm) <= *one).ok_or_else(wrong)?;
        let part = mul_div(balance, Base::from(part_ppm), one).ok_or_else(wrong)?;
        let capped = |stake| [self.max_stake, block].into_iter().flatten().fold(stake, Base::min);
        let least = self.min_stake.map_or(Base::ZERO, capped);
        Ok(match self.stake {
            Some(said) => capped(said.min(balance)),
            None if part >= least => capped(part),
            None if balance >= least => least,
            None => Base::ZERO,
        })
    }

    /// Name and text of each term, as the audit log has them.
    pub fn words(&self) -> [(&'static str, Option<String>); 5] {
        [
            ("target_zeros", self.target_zeros.map(|zeros| zeros.to_string())),
            ("min_work_sec", self.min_work_sec.map(|seconds| seconds.to_string())),
            ("harvest_only", self.harvest_only.map(|only| only.to_string())),
            ("min_stake", self.min_stake.map(kale)),
            ("max_stake", self.max_stake.map(kale)),
        ]
    }
}

/// For a person; empty where nothing is set.
impl std::fmt::Display for Strategy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let set: Vec<String> = self
            .words()
            .into_iter()
            .filter_map(|(name, text)| Some(format!("{} {}", name.replace('_', " "), text?)))
            .collect();
        f.write_str(&set.join(", "))
    }
}

fn kale(stroops: Base) -> String {
    to_units(stroops, DECIMALS)
}

/// The terms for a block, by farmer id. Who is not named keeps its own.
pub type Answer = HashMap<String, Strategy>;

/// What was said of a block.
#[derive(Debug, Clone)]
pub struct Heard {
    pub(crate) block: u32,
    /// When it was asked, in seconds of ledger time.
    pub(crate) at: u64,
    /// What it answered, or why there is no answer.
    pub(crate) answer: Result<Answer>,
}

impl Heard {
    /// A block may never begin without us: what was said of it does not stand for ever.
    pub(crate) fn is_old(&self, now: u64) -> bool {
        let blocks = if self.answer.is_ok() { 2 } else { 1 };
        now >= self.at.saturating_add(blocks * BLOCK_SECONDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::model::unseen;
    use proptest::prelude::{any, prop_assert, proptest};

    fn base(n: Option<u64>) -> Option<Base> {
        n.map(Base::from)
    }

    #[test]
    fn a_stake_is_the_part_within_its_bounds() {
        for (balance, ppm, least, most, block, want) in [
            (1_000, 250_000, None, None, None, 250),
            (3, 500_000, None, None, None, 1),
            (1_000, 0, None, None, None, 0),
            (1_000, 1_000_000, None, None, None, 1_000),
            (1_000, 500_000, None, Some(400), None, 400),
            (1_000, 500_000, None, Some(400), Some(300), 300),
            (1_000, 500_000, None, Some(400), Some(700), 400),
            (1_000, 500_000, None, None, Some(0), 0),
            (0, 1_000_000, None, None, Some(9), 0),
            // The least: as much, where the balance allows it, else nothing.
            (1_000, 100_000, Some(300), None, None, 300),
            (1_000, 500_000, Some(300), None, None, 500),
            (300, 100_000, Some(300), None, None, 300),
            (299, 100_000, Some(300), None, None, 0),
            (299, 0, Some(0), None, None, 0),
            (1_000, 0, Some(300), None, None, 300),
            // More than the most, or than counts in the block, is never staked.
            (1_000, 100_000, Some(300), Some(200), None, 200),
            (250, 100_000, Some(300), Some(200), None, 200),
            (199, 100_000, Some(300), Some(200), None, 0),
            (1_000, 100_000, Some(300), None, Some(50), 100 / 2),
            (1_000, 100_000, Some(300), Some(200), Some(150), 150),
        ] {
            let terms = Strategy { min_stake: base(least), max_stake: base(most), ..Strategy::default() };
            let got = terms.stake(Base::from(balance), ppm, base(block)).unwrap();
            assert_eq!(got, Base::from(want), "{balance} {ppm} {least:?} {most:?} {block:?}");
        }
        let wrong = Strategy::default().stake(Base::ONE, 1_000_001, None).unwrap_err();
        assert_eq!(wrong.code(), Code::Bug);
    }

    #[test]
    fn zeros_that_are_enough() {
        for (target, in_block, want) in [
            (None, 0, ENOUGH),
            (None, 4, 4),
            (None, 9, 9),
            (Some(5), 0, 5),
            (Some(5), 4, 4),
            (Some(5), 9, 5),
            (Some(16), 0, 16),
            (None, u32::MAX, 64),
        ] {
            let block = Block { max_zeros: in_block, ..unseen(0) };
            let terms = Strategy { target_zeros: target, ..Strategy::default() };
            assert_eq!(terms.enough(&block), want, "{target:?} {in_block}");
        }
    }

    #[test]
    fn a_least_stake_above_the_most_is_refused() {
        let terms =
            |least, most| Strategy { min_stake: base(least), max_stake: base(most), ..Strategy::default() };
        for (least, most, good) in [
            (None, Some(1), true),
            (Some(1), None, true),
            (Some(2), Some(2), true),
            (Some(3), Some(2), false),
        ] {
            assert_eq!(terms(least, most).check().is_ok(), good, "{least:?} {most:?}");
        }
        assert_eq!(terms(Some(3), Some(20_000_000)).to_string(), "min stake 0.0000003, max stake 2.0000000");
    }

    #[test]
    fn what_was_said_is_forgotten_after_a_block_or_two() {
        for (answer, old) in [(Ok(Answer::new()), 1_600), (Err(failed("failed")), 1_300)] {
            let heard = Heard { block: 7, at: 1_000, answer };
            assert!(!heard.is_old(old - 1) && heard.is_old(old), "{heard:?}");
        }
    }

    proptest! {
        #[test]
        fn a_stake_keeps_its_bounds(
            balance in any::<u128>(), ppm in 0u32..=1_000_000, block in any::<Option<u128>>(),
            least in any::<Option<u128>>(), most in any::<Option<u128>>(), said in any::<Option<u128>>(),
        ) {
            let base = |n: Option<u128>| n.map(Base::from);
            let terms = Strategy {
                min_stake: base(least), max_stake: base(most), stake: base(said), ..Strategy::default()
            };
            let (balance, block) = (Base::from(balance), base(block));
            let got = terms.stake(balance, ppm, block).unwrap();
            prop_assert!(got <= balance);
            prop_assert!([terms.max_stake, block].into_iter().flatten().all(|cap| got <= cap));
            if terms.stake.is_none() && !got.is_zero() {
                let caps = [terms.max_stake, block].into_iter().flatten();
                let least = terms.min_stake.map_or(Base::ZERO, |least| caps.fold(least, Base::min));
                prop_assert!(got >= least, "so much or nothing");
            }
        }
    }
}
