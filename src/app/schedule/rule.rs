//! Which parts of the operator's schedule are due, and when the others are. Pure. Times are seconds since 1970.

use base::Exit;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use strum::{IntoStaticStr, VariantArray};

/// After a failure a part is tried again so many seconds later, or sooner where it is done more often than that.
pub const AGAIN: u64 = 300;

/// A run that does what is due and ends may do it so many seconds early: what is noted is when a part ended, and cron's minutes
/// are not exact.
pub const EARLY: u64 = 59;

/// A part waits for others at most so many seconds from when they began; only a cycle waits for a whole sync.
pub const PATIENCE: u64 = 120;

/// A part of the schedule, in the order in which parts begin.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr, VariantArray, Serialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Part {
    /// Figures and holders of the pools.
    Sync,
    /// The check of the feeds.
    Oracle,
    /// The check of the risk limits.
    Risk,
    /// The payment of rewards.
    Cycle,
    /// Whatever is due at the farm.
    Farm,
    /// The metrics file.
    Metrics,
    /// A copy of the state.
    Backup,
    /// Old rows into an archive.
    Prune,
}

impl Part {
    /// All of them.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// Its stable word, as in the setting that says how often it is done.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The parts whose results it reads.
    const fn reads(self) -> &'static [Self] {
        match self {
            Self::Risk => &[Self::Sync, Self::Oracle],
            Self::Cycle => &[Self::Sync, Self::Oracle, Self::Risk],
            Self::Prune => &[Self::Backup],
            _ => &[],
        }
    }

    /// Whether one that ended so did all that it was there for: also a check that found something, but no backup of a state that
    /// is not sound, which was not made.
    pub const fn is_done_by(self, exit: Exit) -> bool {
        exit.is_complete() && !matches!((self, exit), (Self::Backup, Exit::Found))
    }

    /// Whether it is to wait for parts that are under way, given since how many seconds each is.
    pub fn waits(self, under_way: &BTreeMap<Self, u64>) -> bool {
        // Both need the pools: beside a sync, a cycle could only wait for them.
        let is_in_vain = |other: Self| self == Self::Cycle && other == Self::Sync;
        let waits =
            |other: &Self| under_way.get(other).is_some_and(|age| is_in_vain(*other) || *age < PATIENCE);
        self.reads().iter().any(waits)
    }
}

/// When a part last ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Last {
    /// When.
    pub at: i64,
    /// Whether it did all that it was there for.
    pub complete: bool,
}

/// When a part is due that is done every so many seconds: at once where it never was, or where it is noted for the future.
pub fn due_at(every: u64, last: Option<Last>, now: i64) -> i64 {
    let believed = last.filter(|last| last.at <= now);
    let Some(Last { at, complete }) = believed else { return now };
    at.saturating_add_unsigned(if complete { every } else { every.min(AGAIN) })
}

/// Whether it is due, where that may be so many seconds early.
pub const fn is_due(due_at: i64, now: i64, early: u64) -> bool {
    due_at.saturating_sub_unsigned(early) <= now
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000;

    #[test]
    fn what_is_due_and_what_is_next() {
        let last = |ago: i64, complete| Some(Last { at: NOW - ago, complete });
        // How often, when it last ended, in how many seconds it is due, and whether a service does it now, and a single run.
        for (every, last, left, service, once) in [
            (300, None, 0, true, true),
            (300, last(0, true), 300, false, false),
            (300, last(240, true), 60, false, false),
            (300, last(241, true), 59, false, true),
            (300, last(300, true), 0, true, true),
            (300, last(301, true), -1, true, true),
            (60, last(1, true), 59, false, true),
            (60, last(0, true), 60, false, false),
            (86_400, last(3_600, true), 82_800, false, false),
            // What failed is tried again within five minutes.
            (86_400, last(299, false), 1, false, true),
            (86_400, last(300, false), 0, true, true),
            (86_400, last(100, false), 200, false, false),
            (60, last(60, false), 0, true, true),
            // A clock that was set back.
            (300, last(-1, true), 0, true, true),
            (300, last(-3_600, true), 0, true, true),
        ] {
            let due = due_at(every, last, NOW);
            let got = (due - NOW, is_due(due, NOW, 0), is_due(due, NOW, EARLY));
            assert_eq!(got, (left, service, once), "every {every}, {last:?}");
        }
    }

    #[test]
    fn a_part_waits_for_those_that_it_reads_and_not_for_ever() {
        let under_way = |parts: &[(Part, u64)]| parts.iter().copied().collect::<BTreeMap<_, _>>();
        for (part, others, waits) in [
            (Part::Risk, under_way(&[]), false),
            (Part::Risk, under_way(&[(Part::Sync, 0)]), true),
            (Part::Risk, under_way(&[(Part::Oracle, PATIENCE - 1)]), true),
            (Part::Risk, under_way(&[(Part::Sync, PATIENCE)]), false),
            (Part::Risk, under_way(&[(Part::Cycle, 0), (Part::Farm, 0)]), false),
            (Part::Cycle, under_way(&[(Part::Risk, 0)]), true),
            (Part::Cycle, under_way(&[(Part::Risk, PATIENCE)]), false),
            (Part::Cycle, under_way(&[(Part::Sync, PATIENCE)]), true),
            (Part::Prune, under_way(&[(Part::Backup, 0)]), true),
            (Part::Sync, under_way(&[(Part::Oracle, 0), (Part::Risk, 0)]), false),
            (Part::Farm, Part::ALL.iter().map(|part| (*part, 0)).collect(), false),
        ] {
            assert_eq!(part.waits(&others), waits, "{part:?}: {others:?}");
        }
        for (part, exit, done) in [
            (Part::Risk, Exit::Done, true),
            (Part::Risk, Exit::Found, true),
            (Part::Farm, Exit::Found, true),
            (Part::Backup, Exit::Done, true),
            (Part::Backup, Exit::Found, false),
            (Part::Sync, Exit::Partial, false),
            (Part::Sync, Exit::Transient, false),
        ] {
            assert_eq!(part.is_done_by(exit), done, "{part:?} {exit:?}");
        }
        // No two wait for each other.
        for part in Part::ALL {
            assert!(part.reads().iter().all(|other| other < part), "{part:?}");
        }
    }
}
