//! What the operator wants of the work on a block, and whose is submitted when. Pure: ledger time goes in.

use crate::contract::BLOCK_SECONDS;
use crate::contract::model::Moment;
use crate::schedule;
use crate::settings::{Policy, Settings};

/// How long policy `insured` waits for the last farmer's first nonce, in seconds of ledger time.
const INSURED_WAIT: u64 = 10;

/// Seconds of ledger time that a submission needs at least: two ledgers.
const LEAST: u64 = 10;

/// What the operator wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Orders {
    /// When work is submitted.
    pub policy: Policy,
    /// When the best is submitted; else as the settings say.
    pub deadline: Option<Deadline>,
    /// Whether a run that is stopped leaves what was found, and submits none of it.
    pub abandon: bool,
}

/// When the best is submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// At this second of ledger time.
    At(u64),
    /// So many seconds after the block's clock began, 300 before it is due.
    Into(u64),
}

impl Orders {
    /// The deadline for a block that is due then, early enough for a transaction to get in.
    pub fn deadline_of(&self, due: u64, settings: &Settings) -> u64 {
        let wanted = match self.deadline {
            Some(Deadline::At(second)) => second,
            Some(Deadline::Into(seconds)) => due.saturating_sub(BLOCK_SECONDS).saturating_add(seconds),
            None => due.saturating_sub(settings.work_margin),
        };
        wanted.min(schedule::work_end(due).saturating_sub(LEAST))
    }
}

/// The times of one block's work, in seconds of ledger time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// When the grinding began.
    pub begun: u64,
    /// When the block's clock began, by which it is due.
    pub opened: u64,
    /// When the best is submitted.
    pub deadline: u64,
    /// The last ledger that may hold work.
    pub end: u64,
    /// How long policy `early` grinds at most.
    pub early: u64,
}

/// How one farmer's work stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PailProgress {
    /// Ledger of the plant.
    pub planted: u32,
    /// Zeros of the work that the pail has.
    pub has: Option<u32>,
    /// Zeros of the work that we have confirmed ourselves.
    pub own: Option<u32>,
    /// Zeros of the best nonce at hand.
    pub best: Option<u32>,
    /// More zeros are not aimed at.
    pub cap: u32,
    /// Before then (ledger time) only the deadline makes work due.
    pub from: u64,
}

impl PailProgress {
    /// Whether the nonce at hand would change the pail.
    pub fn improves(&self) -> bool {
        self.best.is_some_and(|best| self.has.is_none_or(|has| best > has))
    }

    /// Whether more zeros would earn nothing.
    pub fn has_enough(&self) -> bool {
        self.best.is_some_and(|best| best >= self.cap)
    }
}

/// The farmers (places in the list) whose work is to be submitted now.
pub fn due(policy: Policy, hours: &Hours, now: Moment, hands: &[PailProgress]) -> Vec<usize> {
    if now.time >= hours.end {
        return Vec::new();
    }
    let after = |seconds: u64| now.time >= hours.begun.saturating_add(seconds);
    let all_have_one = hands.iter().all(|hand| hand.best.is_some());
    let is_due = |hand: &PailProgress| {
        // The contract wants at least a ledger between plant and work.
        if now.ledger <= hand.planted || !hand.improves() {
            return false;
        }
        now.time >= hours.deadline
            || now.time >= hand.from
                && match policy {
                    Policy::Late => false,
                    Policy::Early => hand.has.is_none() && (hand.has_enough() || after(hours.early)),
                    Policy::Insured => hand.has.is_none() && (all_have_one || after(INSURED_WAIT)),
                }
    };
    hands.iter().enumerate().filter(|(_, hand)| is_due(hand)).map(|(n, _)| n).collect()
}

/// Whether a pail that has so much work, `own` of it ours, needs a shift: what somebody else did is not enough before it is
/// at the cap.
pub fn needs_work(policy: Policy, has: Option<u32>, own: Option<u32>, cap: u32) -> bool {
    has.is_none_or(|has| has < cap && (policy == Policy::Insured || own.is_none_or(|own| own < has)))
}

/// Whether more nonces for this farmer could still be of use.
pub fn is_open(policy: Policy, hand: &PailProgress) -> bool {
    // Less than what is at hand: the better one still goes out.
    let waits = policy != Policy::Insured && hand.improves();
    waits || needs_work(policy, hand.has, hand.own, hand.cap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOURS: Hours = Hours { begun: 1_010, opened: 1_000, deadline: 1_280, end: 1_299, early: 30 };

    fn hand(has: Option<u32>, best: Option<u32>) -> PailProgress {
        PailProgress { planted: 100, has, own: has, best, cap: 6, from: 0 }
    }

    fn at(time: u64) -> Moment {
        Moment { ledger: 101, time }
    }

    #[test]
    fn each_policy_keeps_its_hours() {
        let hands = [hand(None, Some(6)), hand(None, Some(3)), hand(None, None), hand(Some(2), Some(3))];
        for (policy, time, want) in [
            (Policy::Late, 1_279, vec![]),
            (Policy::Late, 1_280, vec![0, 1, 3]),
            (Policy::Late, 1_298, vec![0, 1, 3]),
            (Policy::Late, 1_299, vec![]),
            (Policy::Early, 1_010, vec![0]),
            (Policy::Early, 1_039, vec![0]),
            (Policy::Early, 1_040, vec![0, 1]),
            (Policy::Early, 1_280, vec![0, 1, 3]),
            (Policy::Insured, 1_019, vec![]),
            (Policy::Insured, 1_020, vec![0, 1]),
            (Policy::Insured, 1_280, vec![0, 1, 3]),
        ] {
            assert_eq!(due(policy, &HOURS, at(time), &hands), want, "{policy:?} at {time}");
        }
        let all = [hand(None, Some(0)), hand(None, Some(1))];
        assert_eq!(due(Policy::Insured, &HOURS, at(1_010), &all), [0, 1], "everybody has one");
    }

    #[test]
    fn nothing_but_the_deadline_is_earlier_than_the_least_time_of_work() {
        let hand = PailProgress { from: 1_180, ..hand(None, Some(6)) };
        for policy in [Policy::Early, Policy::Insured] {
            for (time, from, want) in [
                (1_179, 1_180, vec![]),
                (1_180, 1_180, vec![0]),
                (1_279, 1_290, vec![]),
                (1_280, 1_290, vec![0]),
            ] {
                let hand = PailProgress { from, ..hand };
                assert_eq!(due(policy, &HOURS, at(time), &[hand]), want, "{policy:?} at {time}");
            }
        }
    }

    #[test]
    fn nothing_goes_out_in_the_ledger_of_the_plant() {
        let now = Moment { ledger: 100, time: 1_280 };
        assert!(due(Policy::Late, &HOURS, now, &[hand(None, Some(6))]).is_empty());
    }

    #[test]
    fn grinding_goes_on_only_where_it_is_of_use() {
        for (policy, has, best, open) in [
            (Policy::Late, None, Some(6), true),
            (Policy::Late, Some(6), Some(6), false),
            (Policy::Late, Some(2), Some(3), true),
            (Policy::Early, Some(3), Some(3), false),
            (Policy::Insured, Some(3), Some(3), true),
            (Policy::Insured, Some(6), Some(6), false),
        ] {
            assert_eq!(is_open(policy, &hand(has, best)), open, "{policy:?} {has:?} {best:?}");
        }
    }

    #[test]
    fn a_strangers_work_is_enough_only_at_the_cap() {
        for policy in [Policy::Late, Policy::Early, Policy::Insured] {
            for (has, own, want) in [
                (None, None, true),
                (Some(0), None, true),
                (Some(5), None, true),
                (Some(6), None, false),
                (Some(7), None, false),
                (Some(3), Some(2), true),
                (Some(3), Some(3), policy == Policy::Insured),
            ] {
                assert_eq!(needs_work(policy, has, own, 6), want, "{policy:?} {has:?} {own:?}");
                let hand = PailProgress { own, ..hand(has, None) };
                assert_eq!(is_open(policy, &hand), want, "{policy:?} {has:?} {own:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_the_policy_only_better_work_goes_out_and_only_in_time(
            policy in 0usize..3, time in 1_000u64..1_320, ledger in 98u32..104,
            has in proptest::option::of(0u32..8), best in proptest::option::of(0u32..8), from in 1_000u64..1_320,
        ) {
            let policy = [Policy::Late, Policy::Early, Policy::Insured][policy];
            let hands = [PailProgress { from, ..hand(has, best) }];
            let out = !due(policy, &HOURS, Moment { ledger, time }, &hands).is_empty();
            prop_assert!(!out || (time < 1_299 && ledger > 100 && best.is_some() && best > has));
            prop_assert!(!out || time >= from.min(1_280));
            // At the deadline nothing that would help is held back.
            let must = (1_280..1_299).contains(&time) && ledger > 100 && best.is_some() && best > has;
            prop_assert!(!must || out);
        }
    }
}
