//! Killed at every step – each request, each commit – of plant, work and harvest, and run again: one effect on chain,
//! and the same end as undisturbed.

use crate::desk::{BINARY, Desk, Ran, XLM};
use crate::same::{self, Facts, facts, pails_agree, same};
use crate::submitter;
use poolctl_sandbox::stellar::Keypair;
use poolctl_testkit::steps;
use std::os::unix::process::ExitStatusExt;
use std::sync::Mutex;

/// Kills `line` at its `step`-th step on a copy of everything and runs it again; false when it has fewer steps.
fn killed_and_done(desk: &Desk, line: &str, step: u64, code: i32, want: &Facts) -> bool {
    let when = format!("{line} killed at {step}");
    let mut run = desk.run(line).env("POOLCTL_CRASH_AT", &step.to_string());
    let output = {
        let _ledgers = desk.ledgers();
        poolctl_testkit::watch::output(&mut run.command).unwrap()
    };
    if output.status.signal().is_none() {
        assert_eq!(output.status.code(), Some(code), "{when}: {:?}", Ran::of(BINARY, output));
        desk.run(line).exits(0);
        same(want, &facts(desk), &when);
        return false;
    }
    assert_eq!(output.status.signal(), Some(9), "{when}");
    // What it left is sound, before anybody fixes anything.
    desk.is_sound();
    let (_, again) = desk.run(line).ends();
    // What the killed run had booked already, as a failure or as done, is none of the next run.
    assert!([0, 5, code].map(Some).contains(&again.code), "{when}: {again:?}");
    // Once more, there is nothing left to do.
    desk.run(line).exits(0);
    same(want, &facts(desk), &when);
    pails_agree(desk, &when);
    desk.is_sound();
    true
}

/// Every step of a command that ends with `code`. Returns how many there were.
fn every_step(desk: Desk, line: &str, code: i32) -> u64 {
    let whole = desk.fork();
    whole.run(line).exits(code);
    whole.run(line).exits(0);
    let want = facts(&whole);
    pails_agree(&whole, "undisturbed");
    let desk = Mutex::new(desk);
    steps::each(|step| {
        let copy = desk.lock().unwrap().fork();
        killed_and_done(&copy, line, step, code, &want)
    })
}

#[test]
fn plant() {
    let steps = every_step(same::ripe(), "plant", 0);
    assert!(steps >= 20, "{steps}");
}

#[test]
fn plant_with_a_sponsor_for_the_fees() {
    let desk = same::ripe();
    let sponsor = Keypair::derive("poolctl farm test: sponsor");
    desk.run("farmer import --sponsor").input(&sponsor.secret).exits(0);
    desk.network.fund(&sponsor.address, 100 * XLM).unwrap();
    let before = desk.wallet(&desk.farmers[0]).lumens;
    let whole = desk.fork();
    whole.run("plant").exits(0);
    assert_eq!(whole.wallet(&whole.farmers[0]).lumens, before, "the sponsor pays");
    let steps = every_step(desk, "plant", 0);
    assert!(steps >= 20, "{steps}");
}

#[test]
fn work() {
    let steps = every_step(same::ground(), "work", 0);
    assert!(steps >= 20, "{steps}");
}

#[test]
fn harvest() {
    let steps = every_step(same::rolled(), "harvest", 5);
    assert!(steps >= 12, "{steps}");
}

#[test]
fn harvest_that_extends_lives() {
    let desk = same::planted();
    desk.run("harvest").exits(0);
    let until: u32 = desk.value("SELECT min(live_until) FROM open_pails");
    let (ledger, _) = desk.network.latest().unwrap();
    desk.network.advance(until - ledger - 100).unwrap();
    let whole = desk.fork();
    whole.run("harvest --extend").exits(0);
    assert!(whole.value::<u32>("SELECT min(live_until) FROM open_pails") > until);
    let steps = every_step(desk, "harvest --extend", 0);
    assert!(steps >= 12, "{steps}");
}

#[test]
fn reconcile() {
    let steps = every_step(same::forgotten(), "farm reconcile", 5);
    assert!(steps >= 5, "{steps}");
}

#[test]
fn work_through_a_submitter() {
    let desk = submitter::with(same::ground_at(201), same::STAKES, 1);
    let steps = every_step(desk, "work --deadline 200s", 0);
    assert!(steps >= 20, "{steps}");
}

#[test]
fn harvest_through_a_submitter() {
    let desk = submitter::with(same::rolled_well(), same::STAKES, 1);
    let steps = every_step(desk, "harvest", 0);
    assert!(steps >= 12, "{steps}");
}
