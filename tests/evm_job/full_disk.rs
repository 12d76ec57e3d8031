//! A disk that fills up while rewards are distributed: said clearly, nothing half-done, and made up for with room.

use super::desk::{Desk, lasting, rows, same, says, sound};
use crate::support::{BINARY, Home, Ran};
use poolctl_testkit::steps;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Makes writes beyond so many blocks of 512 bytes of any file fail, rather than end the process.
const CRAMPED: &str = "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"";

fn cramped(home: &Home, blocks: u64, line: &str) -> Ran {
    let mut command = Command::new("sh");
    command.args(["-c", CRAMPED, &blocks.to_string(), BINARY]).args(line.split_whitespace());
    command.current_dir(home.path()).env_clear().env("HOME", home.path()).env("USER", "tester");
    Ran::of(BINARY, poolctl_testkit::watch::output(command.stdin(Stdio::null())).unwrap())
}

fn epochs(home: &Home) -> usize {
    rows(&home.sqlite(), "SELECT id FROM pool_reward_epochs").len()
}

#[test]
fn a_disk_that_fills_up_in_a_distribution_leaves_whole_epochs_only() {
    let desk = Desk::ready();
    desk.run("reward set-weight growth 1").ok();
    desk.world.node.mine(60).unwrap();
    desk.run("sync").ok();
    let cycle = format!("reward cycle --from {}", desk.genesis());
    let whole = desk.home.fork();
    whole.run(&cycle).ok();
    let all = epochs(&whole);
    let undisturbed = lasting(&whole.sqlite());

    // From no room for anything to room for all: somewhere between, epochs are done and the next one is cut off.
    let cut_off = AtomicUsize::new(0);
    steps::each(|step| {
        let blocks = 56 + 24 * step;
        let home = desk.home.fork();
        let ran = cramped(&home, blocks, &format!("{cycle} --json"));
        let done = epochs(&home);
        if ran.code == Some(0) {
            assert_eq!(done, all);
            return false;
        }
        assert!(done < all, "{blocks} blocks: {}", ran.stdout);
        assert_eq!(ran.code, Some(1), "{blocks} blocks: {}{}", ran.stdout, ran.stderr);
        let envelope = ran.envelope();
        assert_eq!(envelope["error"]["code"], "state_error", "{envelope}");
        says(&envelope["error"]["message"], &["disk"]);
        says(&envelope["error"]["hint"], &["space", "run"]);
        cut_off.fetch_add(usize::from(done > 0), Ordering::Relaxed);
        // What is there is whole, and the books say so.
        sound(&home);
        home.run(&cycle).ok();
        sound(&home);
        same(&undisturbed, &lasting(&home.sqlite()));
        true
    });
    let cut_off = cut_off.into_inner();
    assert!(cut_off >= 3, "{cut_off} runs were cut off between the first epoch and the last");
}
