//! The rule of the schedule: every part is done as often as it is to be, whatever fails, and by whichever kind of run.

use app::schedule::rule::{AGAIN, EARLY, Last, PATIENCE, Part, due_at, is_due};
use proptest::prelude::*;
use std::collections::BTreeMap;

const BEGIN: i64 = 1_700_000_000;

/// Looks at a part each so many seconds for some time; it takes a while, and fails now and then. When it ended, and how.
fn course(every: u64, step: u64, early: u64, takes: u64, fails: &[bool]) -> Vec<Last> {
    let (mut now, mut ended) = (BEGIN, Vec::new());
    let mut fails = fails.iter().cycle();
    while now < BEGIN + 40 * i64::try_from(every.max(step)).unwrap() {
        let last = ended.last().copied();
        if is_due(due_at(every, last, now), now, early) {
            now += i64::try_from(takes).unwrap();
            ended.push(Last { at: now, complete: !fails.next().unwrap() });
        }
        now += i64::try_from(step).unwrap();
    }
    ended
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// A service is never early, and late by no more than the time between two looks.
    #[test]
    fn a_service_keeps_the_pauses(
        every in 1_u64..5_000, step in 1_u64..30, takes in 0_u64..1_000, fails in prop::collection::vec(any::<bool>(), 1..8),
    ) {
        for pair in course(every, step, 0, takes, &fails).windows(2) {
            let pause = (pair[1].at - pair[0].at).unsigned_abs() - takes;
            let want = if pair[0].complete { every } else { every.min(AGAIN) };
            prop_assert!((want..want + step).contains(&pause), "{pause} s, not {want}");
        }
    }

    /// From cron each minute: what takes less than a minute is done in each minute that it is due in, and in no other.
    #[test]
    fn from_cron_no_minute_is_skipped(minutes in 1_u64..60, takes in 0_u64..58) {
        let mut last: Option<Last> = None;
        let mut done = Vec::new();
        for minute in 0..minutes * 6 {
            let now = BEGIN + i64::try_from(minute * 60).unwrap();
            if is_due(due_at(minutes * 60, last, now), now, EARLY) {
                done.push(minute);
                last = Some(Last { at: now + i64::try_from(takes).unwrap(), complete: true });
            }
        }
        let want: Vec<u64> = (0..6).map(|n| n * minutes).collect();
        prop_assert_eq!(done, want);
    }

    /// Whatever the clock said when it was noted, no part rests for longer than it is to.
    #[test]
    fn no_clock_makes_a_part_rest_for_ever(
        every in 1_u64..1_000_000, at in any::<i64>(), now in BEGIN..BEGIN + 1_000_000, complete in any::<bool>(),
    ) {
        let due = due_at(every, Some(Last { at, complete }), now);
        prop_assert!(due <= now + i64::try_from(every).unwrap(), "{due}");
    }

    /// None waits once the others have been under way for long, and of all that are due one always begins.
    #[test]
    fn somebody_always_begins(ages in prop::collection::btree_map(0_usize..8, 0_u64..1_000, 0..8)) {
        let under_way: BTreeMap<Part, u64> = ages.into_iter().map(|(n, age)| (Part::ALL[n], age)).collect();
        for part in Part::ALL {
            let waits = part.waits(&under_way);
            let sync = *part == Part::Cycle && under_way.contains_key(&Part::Sync);
            prop_assert!(!waits || sync || under_way.values().any(|age| *age < PATIENCE));
            prop_assert!(!part.waits(&BTreeMap::new()));
        }
    }
}
