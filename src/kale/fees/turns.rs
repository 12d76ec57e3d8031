//! Whose turn it is: how calls are spread over the submitters, and when the first must go out. Pure; times in seconds.
//!
//! The network keeps one pending transaction of an account, and a contract call fills one: a submitter gets out one call a
//! ledger.

use base::counted;

/// Seconds of a ledger, about.
pub const LEDGER: u64 = 5;
/// Calls that a submitter sends one after the other before the farm is looked at again.
pub const RUN: usize = 4;
/// Farmers whose work and harvest one submitter gets out in a block: two calls each, and a third of the block for the rest.
pub const FARMERS: usize = 20;
/// How long the first call of a submitter may wait for its ledger, in seconds; each behind it, a ledger longer.
pub const PATIENCE: u64 = 30;
/// How long a submitter may be busy with [`RUN`] calls, in seconds.
pub const BUSY: u64 = PATIENCE + RUN as u64 * LEDGER;

/// Which submitter sends each call; `None` = none of them. Of a call it is known whether its farmer can send it itself, of a
/// submitter how many it can pay for; within so many ledgers each sends one a ledger. Where not all get out, those of farmers
/// that can send them themselves are left out, and no others while there is money.
pub fn assign(calls: &[bool], means: &[usize], ledgers: usize) -> Vec<Option<usize>> {
    let mut load = vec![0_usize; means.len()];
    let mut assigned = vec![None; calls.len()];
    let order = [false, true].into_iter().flat_map(|can| (0..calls.len()).map(move |place| (place, can)));
    for (place, can) in order.filter(|(place, can)| calls.get(*place) == Some(can)) {
        let most = |means: &usize| if can { ledgers.min(*means) } else { *means };
        let free = load.iter().zip(means).enumerate().filter(|(_, (load, means))| **load < most(means));
        let Some((submitter, _)) = free.min_by_key(|(_, (load, _))| **load) else { continue };
        if let (Some(slot), Some(load)) = (assigned.get_mut(place), load.get_mut(submitter)) {
            *slot = Some(submitter);
            *load += 1;
        }
    }
    assigned
}

/// Ledgers in which a call may still be sent at `now` that must be in one by `until`: the first closes after the next.
pub const fn ledgers(now: u64, until: u64) -> u64 {
    (until.saturating_sub(now) / LEDGER).saturating_sub(1)
}

/// When so many calls must begin to go out through so many submitters, to be out by the deadline: a ledger for each, and a
/// quarter of the time to spare. Without submitters, at the deadline.
pub fn begin(calls: usize, submitters: usize, deadline: u64) -> u64 {
    let ledgers = calls.checked_div(submitters).map_or(0, |_| calls.div_ceil(submitters));
    let ledgers = u64::try_from(ledgers + ledgers / 4).unwrap_or(u64::MAX);
    deadline.saturating_sub(ledgers.saturating_mul(LEDGER))
}

/// How many more submitters so many farmers take.
pub fn short_of(farmers: usize, submitters: usize) -> Option<String> {
    let wanted = farmers.div_ceil(FARMERS);
    (submitters > 0 && wanted > submitters).then(|| {
        format!(
            "{} can send the work and harvest of {} in a block, and there are {farmers}: the \
             other farmers' own accounts send theirs; {wanted} submitters would do",
            counted(submitters, "submitter"),
            counted(submitters * FARMERS, "farmer")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn calls_are_spread_and_what_does_not_fit_goes_by_own_accounts() {
        const ALL: usize = usize::MAX;
        // Calls by whether the farmer can send them, what each submitter can pay, ledgers; who sends.
        type Case<'a> = (&'a [bool], &'a [usize], usize, &'a [Option<usize>]);
        let (rich, poor) = (true, false);
        let cases: &[Case<'_>] = &[
            (&[], &[ALL], 9, &[]),
            (&[rich, poor], &[], 9, &[None, None]),
            (&[rich; 3], &[ALL], 3, &[Some(0), Some(0), Some(0)]),
            (&[rich; 3], &[ALL], 2, &[Some(0), Some(0), None]),
            (&[rich; 3], &[ALL], 0, &[None, None, None]),
            (&[rich; 5], &[ALL, ALL], 2, &[Some(0), Some(1), Some(0), Some(1), None]),
            // Who cannot send it itself comes first, and is sent for while there is money, however late.
            (&[rich, poor], &[ALL], 1, &[None, Some(0)]),
            (&[poor; 3], &[ALL], 1, &[Some(0), Some(0), Some(0)]),
            (&[poor; 3], &[1, 1], 9, &[Some(0), Some(1), None]),
            (&[rich; 3], &[0, 2], 9, &[Some(1), Some(1), None]),
        ];
        for (calls, means, ledgers, want) in cases {
            assert_eq!(assign(calls, means, *ledgers), *want, "{calls:?} {means:?} {ledgers}");
        }
    }

    #[test]
    fn the_first_work_goes_out_so_early_that_the_last_is_in_time() {
        for (calls, submitters, want) in [
            (0, 1, 1_000),
            (1, 1, 995),
            (4, 1, 975),
            (12, 1, 925),
            (12, 4, 985),
            (13, 4, 975),
            (12, 0, 1_000),
        ] {
            assert_eq!(begin(calls, submitters, 1_000), want, "{calls} {submitters}");
        }
        for (now, until, want) in [(281, 299, 2), (290, 299, 0), (295, 299, 0), (300, 299, 0), (0, 299, 58)] {
            assert_eq!(ledgers(now, until), want, "{now}");
        }
        assert_eq!(short_of(20, 1), None);
        assert_eq!(short_of(21, 0), None);
        assert!(
            short_of(41, 2).is_some_and(|why| why.contains("40 farmers") && why.contains("3 submitters"))
        );
    }

    proptest! {
        #[test]
        fn nobody_is_forgotten_for_thrift(
            calls in proptest::collection::vec(any::<bool>(), 0..80),
            means in proptest::collection::vec(0_usize..40, 0..6),
            ledgers in 0_usize..40,
        ) {
            let assigned = assign(&calls, &means, ledgers);
            prop_assert_eq!(assigned.len(), calls.len());
            let mut load = vec![0_usize; means.len()];
            for submitter in assigned.iter().flatten() {
                load[*submitter] += 1;
            }
            prop_assert!(load.iter().zip(&means).all(|(load, means)| load <= means), "none pays more than it has");
            let poor = calls.iter().filter(|can| !**can).count();
            let paid: usize = means.iter().sum();
            let left_out = calls.iter().zip(&assigned).filter(|(can, by)| !**can && by.is_none()).count();
            prop_assert_eq!(left_out, poor.saturating_sub(paid), "who cannot send itself goes first");
            // A call of one who can send it itself never waits beyond the last ledger.
            let rich_sent = calls.iter().zip(&assigned).any(|(can, by)| *can && by.is_some());
            if rich_sent && poor == 0 {
                prop_assert!(load.iter().all(|load| *load <= ledgers));
            }
            let room: usize = means.iter().map(|means| (*means).min(ledgers)).sum();
            let sent = assigned.iter().flatten().count();
            prop_assert!(sent >= calls.len().min(room), "what fits goes through the submitters");
        }
    }
}
