//! Runs that end at any moment, and the run after them: one effect on chain, and the same state in the end.

use crate::support::*;
use base::Stop;
use futures_util::future::FutureExt;
use outbox::submit;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use stellar::submit::Intent;

/// Polls the submission so many times, and drops it; whether it came to its end.
fn dies_after(polls: usize, bench: &Bench, intents: &[Intent]) -> bool {
    let (client, stop, options) = (bench.client(), Stop::default(), options());
    let mut seat = bench.seat();
    run(async {
        let mut desk = seat.desk(&client, &options, &stop);
        let mut work = pin!(submit(&mut desk, consent(), intents, &Everybody, &Notes));
        let mut left = polls;
        poll_fn(|cx| {
            if left == 0 {
                return Poll::Ready(false);
            }
            left -= 1;
            work.as_mut().poll_unpin(cx).map(|done| {
                for result in done.expect("results") {
                    confirmed(&result);
                }
                true
            })
        })
        .await
    })
}

#[test]
fn a_run_that_dies_at_any_moment_is_finished_by_the_next() {
    let mut phases = std::collections::BTreeSet::new();
    for polls in 1.. {
        let bench = Bench::ticking();
        bench.fund("ada", 100 * XLM);
        bench.fund("bob", 100 * XLM);
        bench.fund("cid", 100 * XLM);
        let intents = [pay("pay:1", "ada", "bob", XLM), bench.plant("cid", 0)];
        let is_done = dies_after(polls, &bench, &intents);
        let mut seat = bench.seat();
        let states = seat.operations();
        phases.extend(states.iter().filter_map(|row| row.split(' ').nth(1).map(str::to_owned)));
        let client = bench.client();
        for (_, settled) in seat.settle(&client, &options(), true) {
            settled.expect("a known outcome");
        }
        for result in seat.submit(&client, &intents, &options()) {
            result.expect("done, now or before");
        }
        assert_eq!(
            seat.operations(),
            ["pay:1 recorded 1 1", "plant:cid recorded 1 1"],
            "died after {polls} polls"
        );
        assert_eq!(bench.balance("bob"), 101 * XLM, "died after {polls} polls");
        let account = bench.account("ada").expect("ada");
        assert_eq!(account.balance, 99 * XLM - 100, "died after {polls} polls");
        if is_done {
            break;
        }
    }
    // That it was sent is noted a little later; `statuses` has a run that ends then.
    for phase in ["planned", "signed", "recorded"] {
        assert!(phases.contains(phase), "no run died while an operation was {phase}: {phases:?}");
    }
}
