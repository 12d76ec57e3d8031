//! When scheduled commands ran last, and that `health` believes it.

use super::desk::Desk;
use poolctl_testkit::{Fault, Rule, watch};
use serde_json::Value;

/// The note on a command: exit code, and whether it has succeeded and looked at everything.
fn note(desk: &Desk, command: &str) -> Vec<String> {
    desk.rows(&format!(
        "SELECT exit_code, last_success_at IS NOT NULL, last_complete_at IS NOT NULL FROM runs WHERE command = '{command}'"
    ))
}

fn set_back(desk: &Desk) {
    desk.meddle(
        "UPDATE runs SET last_run_at = 1, last_success_at = min(last_success_at, 1), last_complete_at = min(last_complete_at, 1)",
    );
}

#[test]
fn a_run_with_nothing_to_do_is_noted_and_changes_nothing_else() {
    let desk = Desk::bare();
    desk.furnish();
    for line in ["sync --all", "reward cycle"] {
        desk.run(line).ok();
    }
    for (line, command) in [("sync", "sync"), ("reward cycle", "reward cycle")] {
        set_back(&desk);
        let version = desk.one("SELECT value FROM meta WHERE key = 'data_version'");
        desk.unchanged(|| desk.run(line).ok());
        assert_eq!(version, desk.one("SELECT value FROM meta WHERE key = 'data_version'"));
        let age = desk.one(&format!(
            "SELECT unixepoch() - last_success_at < 100 FROM runs WHERE command = '{command}'"
        ));
        assert_eq!(age, "1", "{line} left no note");
    }
    desk.sound();
}

#[test]
fn a_result_that_could_not_be_written_is_no_success() {
    let desk = Desk::ready();
    let full = |line: &str| {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        watch::spawn(desk.run(line).command.stdout(full)).unwrap().wait().unwrap().code()
    };
    assert_eq!(full("sync"), Some(1));
    assert_eq!(note(&desk, "sync"), ["1 | 0 | 0"], "it has never succeeded");
    desk.run("sync").ok();
    set_back(&desk);
    desk.world.node.mine(2).unwrap();
    assert_eq!(full("sync --metrics-file run.prom"), Some(1));
    assert_eq!(note(&desk, "sync"), ["1 | 1 | 1"]);
    assert_eq!(desk.one("SELECT last_success_at || last_complete_at || (last_run_at > 1) FROM runs"), "111");
    let told = std::fs::read_to_string(desk.home.path().join("run.prom")).unwrap();
    assert!(told.contains("poolctl_run_exit_code{command=\"sync\"} 1\n"), "{told}");
    // A finding is one, shown or not.
    assert_eq!((full("risk check"), note(&desk, "risk check")), (Some(5), vec!["5 | 0 | 1".to_owned()]));
    desk.sound();
}

#[test]
fn a_dry_run_one_pool_and_an_admins_command_are_not_noted() {
    let desk = Desk::ready();
    for line in ["sync growth", "sync --dry-run", "risk set growth --max-tvl 100", "pool list"] {
        desk.run(line).exits(0);
    }
    assert_eq!(desk.rows("SELECT command FROM runs"), Vec::<String>::new());
    desk.run("sync").ok();
    assert_eq!(desk.rows("SELECT command FROM runs"), ["sync"]);
}

#[test]
fn a_failure_keeps_the_last_success_and_a_finding_is_a_whole_look() {
    let desk = Desk::ready();
    desk.run("sync").ok();
    assert_eq!(note(&desk, "sync"), ["0 | 1 | 1"]);
    // Limits were never set: the check finds that.
    desk.run("risk check").fails(5, "check_failed");
    assert_eq!(note(&desk, "risk check"), ["5 | 0 | 1"]);
    desk.world.node.mine(3).unwrap();
    desk.wire.fault(Rule::new(Fault::Refuse));
    desk.run("sync").fails(75, "unreachable");
    assert_eq!(note(&desk, "sync"), ["75 | 1 | 1"], "the success before is not forgotten");
    desk.meddle("UPDATE runs SET last_success_at = unixepoch() - 5000 WHERE command = 'sync'");
    desk.meddle("UPDATE pool_snapshots SET synced_at = unixepoch() - 5000");
    desk.meddle("UPDATE pools SET added_at = unixepoch() - 90000");
    let envelope = desk.run("health").fails(5, "check_failed");
    let synced =
        envelope["data"]["checks"].as_array().unwrap().iter().find(|check| check["check"] == "sync").unwrap();
    assert_eq!(synced["status"], "stalled", "{envelope}");
    // It is back, and the block is still the same for the pool: nothing is written but the note.
    desk.wire.heal();
    desk.run("sync").ok();
    let envelope = desk.run("health --json").exits_one_of(&[0, 5]).envelope();
    let checks: &Vec<Value> = envelope["data"]["checks"].as_array().unwrap();
    for check in checks.iter().filter(|check| check["check"] == "sync") {
        assert_eq!(check["status"], "ok", "{envelope}");
    }
}

#[test]
fn whoever_comes_while_a_run_ends_is_not_let_in_early() {
    let desk = Desk::ready();
    // Two runs at once: the lock is one, and each leaves its note.
    let both: Vec<_> = ["sync --wait 60s", "risk check --wait 60s"].map(|line| desk.run(line).spawn()).into();
    for mut child in both {
        child.wait().unwrap();
    }
    assert_eq!(desk.rows("SELECT command FROM runs ORDER BY command"), ["risk check", "sync"]);
    desk.sound();
}
