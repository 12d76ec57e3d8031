//! Killed at every step – each request, each commit – and run again: the same end as undisturbed.

use super::desk::{Desk, Dump, lasting, same, sound};
use super::rescan::{BETWEEN, lost};
use crate::support::{BINARY, Home, Ran, Run};
use poolctl_testkit::{steps, units};
use std::os::unix::process::ExitStatusExt as _;

/// How a run ended that was to be killed at some step.
pub enum Ended {
    /// By SIGKILL.
    Killed,
    /// By itself.
    Whole(Ran),
}

/// Runs a command that is killed at its `step`-th step.
pub fn crash_at(mut run: Run, step: u64) -> Ended {
    run.command.env("POOLCTL_CRASH_AT", step.to_string());
    let output = poolctl_testkit::watch::output(&mut run.command).unwrap();
    match output.status.signal() {
        Some(signal) => {
            assert_eq!(signal, 9, "{output:?}");
            Ended::Killed
        }
        None => Ended::Whole(Ran::of(BINARY, output)),
    }
}

/// Kills `command` at its `step`-th step in a copy of the home and runs it again; false when it has fewer steps.
fn killed_and_done(home: &Home, command: &str, exit: i32, step: u64, want: &Dump) -> bool {
    let copy = home.fork();
    match crash_at(copy.run(command), step) {
        Ended::Whole(ran) => {
            assert_eq!(ran.code, Some(exit), "{command} at {step}: {ran:?}");
            same(want, &lasting(&copy.sqlite()));
            return false;
        }
        Ended::Killed => {}
    }
    // What it left is sound, before anybody fixes anything.
    sound(&copy);
    copy.run(command).exits(exit);
    same(want, &lasting(&copy.sqlite()));
    sound(&copy);
    true
}

/// Every step of a command. Returns how many there were.
fn every_step(home: &Home, command: &str) -> u64 {
    every_step_to(home, command, 0)
}

/// The same for a command that ends with this exit code.
fn every_step_to(home: &Home, command: &str, exit: i32) -> u64 {
    let whole = home.fork();
    whole.run(command).exits(exit);
    let want = lasting(&whole.sqlite());
    steps::each(|step| killed_and_done(home, command, exit, step, &want))
}

#[test]
fn sync() {
    let desk = Desk::ready();
    desk.setting("evm.log_blocks = 25");
    let steps = every_step(&desk.home, "sync");
    assert!(steps >= 16, "{steps}");
}

#[test]
fn sync_across_a_reorg() {
    let desk = Desk::ready();
    desk.run("sync").ok();
    let world = &desk.world;
    world.deposit(world.eighteen.vault, world.bob, units(1, 18)).unwrap();
    world.node.mine(3).unwrap();
    desk.run("sync").ok();
    world.node.rollback(12).unwrap();
    world.deposit(world.six.vault, world.dave, units(2, 6)).unwrap();
    world.node.mine(15).unwrap();
    let steps = every_step(&desk.home, "sync");
    assert!(steps >= 16, "{steps}");
}

#[test]
fn pool_rescan() {
    let desk = Desk::ready();
    desk.run("sync").ok();
    lost(&desk.home, "growth", BETWEEN);
    desk.world.deposit(desk.world.eighteen.vault, desk.world.dave, units(1, 18)).unwrap();
    desk.world.node.mine(3).unwrap();
    let steps = every_step(&desk.home, "pool rescan growth");
    assert!(steps >= 8, "{steps}");
}

#[test]
fn sync_that_opens_the_breaker() {
    let desk = Desk::ready();
    desk.run("sync").ok();
    desk.world.loss(desk.world.eighteen.vault, units(100, 18)).unwrap();
    let steps = every_step(&desk.home, "sync --at latest");
    assert!(steps >= 8, "{steps}");
    desk.run("sync --at latest").exits(0);
    assert_eq!(desk.one("SELECT count(*) FROM circuit_breaker_status WHERE active = 1"), "1");
}

#[test]
fn reset_breaker() {
    let desk = Desk::ready();
    desk.run("sync").ok();
    desk.world.loss(desk.world.eighteen.vault, units(100, 18)).unwrap();
    desk.run("sync --at latest").exits(0);
    assert_eq!(every_step(&desk.home, "risk reset-breaker growth --reason seen"), 2, "one commit");
}

#[test]
fn reward_cycle() {
    let desk = Desk::weighted();
    desk.setting("evm.log_blocks = 25");
    let epochs = (desk.final_block() + 1 - desk.genesis()) / 10;
    let steps = every_step(&desk.home, &format!("reward cycle --from {}", desk.genesis()));
    // Each epoch of each pool is a commit of its own: a step before and one after it.
    assert!(steps >= 4 * epochs + 10, "{steps}");
}

#[test]
fn reward_claim() {
    let desk = Desk::weighted();
    desk.first_cycle();
    assert_eq!(every_step(&desk.home, "reward claim alice --all"), 2, "one commit, and nothing else");
}

#[test]
fn withdrawals() {
    let desk = Desk::ready();
    desk.run("sync").ok();
    desk.run("risk set stable --max-tvl unlimited --breaker-threshold 0.1").ok();
    let (world, node) = (&desk.world, &desk.world.node);
    // With the breaker that it opens.
    let request = "withdrawal request stable alice 500 --idempotency-key k";
    assert_eq!(every_step(&desk.home, request), 2, "one commit");
    desk.run(request).exits(0);
    let breakers = "SELECT count(*) FROM circuit_breaker_status WHERE active = 1";
    assert_eq!(desk.one(breakers), "1");
    assert_eq!(every_step(&desk.home, "withdrawal fail 1 --reason x"), 2, "one commit");
    let tx = world.withdraw(world.six.vault, world.alice, units(500, 6)).unwrap().tx;
    let complete = format!("withdrawal complete 1 --tx {tx}");
    let steps = every_step_to(&desk.home, &complete, 76);
    assert!(steps >= 4, "{steps}: it is in process from one commit on");
    node.mine(2).unwrap();
    let steps = every_step(&desk.home, &complete);
    assert!(steps >= 4, "{steps}: requests and one commit");
    assert_eq!(every_step(&desk.home, "withdrawal complete 1 --unverified"), 2, "one commit");
}
