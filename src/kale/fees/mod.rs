//! What a round of farming may cost in fees, and who pays it. Pure; amounts in stroops of lumens, times in seconds.

mod lack;
pub mod purse;
pub mod sponsor;
mod turns;

pub use lack::{Lack, lacks};
pub use turns::{BUSY, FARMERS, LEDGER, PATIENCE, RUN, assign, begin, ledgers, short_of};

use crate::record::plan::kind;
use crate::record::rows::OpenPail;
use strum::IntoStaticStr;

/// What is added to what a call was offered before: prices move, and a sponsor's envelope pays for one operation more.
const MORE: i64 = 4;
/// Offers that are older bind nobody to more than the settings would offer.
const FRESH_SEC: u64 = 3_600;
/// What the resources of a call are taken for where none was ever sent: 0.05 XLM.
const RESOURCES: i64 = 500_000;

/// The most that each call of a round may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fees {
    /// Of a plant.
    pub plant: i64,
    /// Of work.
    pub work: i64,
    /// Of a harvest.
    pub harvest: i64,
}

impl Fees {
    /// Of all three: what must be there before anything is staked.
    pub const fn round(self) -> i64 {
        self.plant.saturating_add(self.after_plant())
    }

    /// What a pail still takes that was never worked.
    pub const fn after_plant(self) -> i64 {
        self.work.saturating_add(self.harvest)
    }

    /// What an open pail still takes.
    pub const fn owed(self, pail: &OpenPail) -> i64 {
        match pail.work {
            Some(_) => self.harvest,
            None => self.after_plant(),
        }
    }

    /// What must be there for an operation of this kind and what follows from it; `None` for one that is no part of a round.
    pub fn needed(self, kind: &str) -> Option<i64> {
        match kind {
            kind::PLANT => Some(self.round()),
            kind::WORK => Some(self.after_plant()),
            kind::HARVEST | kind::EXTEND => Some(self.harvest),
            _ => None,
        }
    }
}

/// The most that a call may cost, by what was offered for its like before (how long ago, and how much), or else by the
/// settings: an inclusion at its cap, twice where a sponsor pays, and its resources.
pub fn bid(before: &[(u64, i64)], max_inclusion: u32) -> i64 {
    let cap = i64::from(max_inclusion).saturating_mul(2).saturating_add(RESOURCES);
    let expected = |(age, offered): &(u64, i64)| {
        let expected = offered.saturating_add(offered / MORE);
        if *age > FRESH_SEC { expected.min(cap) } else { expected }
    };
    before.iter().map(expected).max().unwrap_or(cap)
}

/// Who pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Payer {
    /// The sponsor.
    Sponsor,
    /// The farmer its plant, the submitters the rest.
    Submitters,
    /// The farmer.
    Itself,
}

impl Payer {
    /// Its stable word.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Who pays for each of these, given what each takes and whether it could pay that itself; `None` = nobody can. A sponsor
/// that has enough `left` pays for all; else for those alone who cannot pay, in their order, as far as it goes.
pub fn payers(left: Option<i64>, each: &[(i64, bool)]) -> Vec<Option<Payer>> {
    let all = each.iter().fold(0_i64, |sum, (cost, _)| sum.saturating_add(*cost));
    let enough = left.is_some_and(|left| left >= all);
    let mut left = left.unwrap_or_default();
    let payer = |(cost, can): &(i64, bool)| match (enough, can) {
        (true, _) => Some(Payer::Sponsor),
        (false, true) => Some(Payer::Itself),
        (false, false) if left > 0 && left >= *cost => {
            left -= cost;
            Some(Payer::Sponsor)
        }
        (false, false) => None,
    };
    each.iter().map(payer).collect()
}

/// How long `spare` lasts at the rate of a day in which so much was spent; `None` where nothing was.
pub fn lasts_sec(spare: i64, spent: i64) -> Option<u64> {
    const DAY: u128 = 86_400;
    let (spare, spent) = (u128::try_from(spare.max(0)).ok()?, u128::try_from(spent).ok()?);
    Some(u64::try_from((spare * DAY).checked_div(spent)?).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bid_follows_what_was_offered_lately() {
        const CAP: i64 = 2 * 100 + RESOURCES;
        for (before, want) in [
            (&[][..], CAP),
            (&[(0, 1_000)], 1_250),
            (&[(0, 1_000), (10, 4_000), (20, 2_000)], 5_000),
            // A price of an hour ago that nobody asks any more must not keep everybody from planting for ever.
            (&[(3_600, 8_000_000)], 10_000_000),
            (&[(3_601, 8_000_000)], CAP),
            (&[(90_000, 1_000)], 1_250),
            (&[(90_000, 8_000_000), (0, 1_000)], CAP),
            (&[(0, i64::MAX)], i64::MAX),
            (&[(0, 0)], 0),
        ] {
            assert_eq!(bid(before, 100), want, "{before:?}");
        }
    }

    #[test]
    fn each_call_needs_what_follows_from_it() {
        let fees = Fees { plant: 5, work: 3, harvest: 2 };
        for (kind, want) in [
            (kind::PLANT, Some(10)),
            (kind::WORK, Some(5)),
            (kind::HARVEST, Some(2)),
            (kind::EXTEND, Some(2)),
            (kind::TRUST, None),
        ] {
            assert_eq!(fees.needed(kind), want, "{kind}");
        }
    }

    #[test]
    fn a_sponsor_that_cannot_pay_for_all_pays_for_those_who_have_nothing() {
        use Payer::{Itself, Sponsor};
        let (rich, poor) = ((10, true), (10, false));
        for (left, each, want) in [
            (None, &[rich, poor][..], &[Some(Itself), None][..]),
            (Some(20), &[rich, poor], &[Some(Sponsor), Some(Sponsor)]),
            (Some(19), &[rich, poor], &[Some(Itself), Some(Sponsor)]),
            (Some(19), &[poor, poor], &[Some(Sponsor), None]),
            (Some(9), &[rich, poor, rich], &[Some(Itself), None, Some(Itself)]),
            // It owes more than it has for what is open already.
            (Some(-1), &[rich, poor], &[Some(Itself), None]),
            (Some(-1), &[(0, false)], &[None]),
            (Some(0), &[], &[]),
        ] {
            assert_eq!(payers(left, each), want, "{left:?} {each:?}");
        }
    }

    #[test]
    fn what_is_left_lasts_as_long_as_the_last_day_says() {
        for (spare, spent, want) in [
            (10, 0, None),
            (10, 10, Some(86_400)),
            (5, 10, Some(43_200)),
            (0, 10, Some(0)),
            (-5, 10, Some(0)),
            (10, -1, None),
            (i64::MAX, 1, Some(u64::MAX)),
        ] {
            assert_eq!(lasts_sec(spare, spent), want, "{spare} {spent}");
        }
    }

    proptest! {
        #[test]
        fn a_sponsor_is_never_counted_on_for_more_than_it_has(
            left in any::<Option<i64>>(),
            each in proptest::collection::vec((0..=i64::MAX / 64, any::<bool>()), 0..40),
        ) {
            let payers = payers(left, &each);
            let paid = |(payer, (cost, _)): (&Option<Payer>, &(i64, bool))| {
                if *payer == Some(Payer::Sponsor) { i128::from(*cost) } else { 0 }
            };
            let sum: i128 = payers.iter().zip(&each).map(paid).sum();
            prop_assert!(sum <= i128::from(left.unwrap_or_default().max(0)));
            for (payer, (_, can)) in payers.iter().zip(&each) {
                prop_assert!(payer.is_some() || !can, "who has lumens is never left out");
                prop_assert!(*payer != Some(Payer::Itself) || *can);
            }
        }
    }
}
