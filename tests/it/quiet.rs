//! `--quiet`: silence where all is well, everything where it is not; what is asked for by name is written all the same.

use crate::health::tended;
use crate::support::Home;

#[test]
fn nothing_is_written_where_all_is_well() {
    let home = Home::ready();
    for line in ["info -q", "config show -q", "state check --quiet", "events -q", "member list --csv -q"] {
        let ran = home.run(line).exits(0);
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""), "{line}");
    }
    // Warnings are not worth a mail either.
    let warned = || home.run("info").env("POOLCTL_EVM_CHAINID", "1");
    assert!(warned().exits(0).stderr.contains("warning: the environment names POOLCTL_EVM_CHAINID"));
    assert_eq!(warned().arg("-q").ok(), "");
    // Nor that it was a dry run.
    assert_eq!(home.run("config set oracle.cache_ttl_sec 60 --dry-run -q").ok(), "");
}

#[test]
fn everything_is_written_where_something_is_wrong() {
    let home = tended(99_999);
    let [loud, quiet] = ["health", "health -q"].map(|line| home.run(line).exits(5));
    let rows = |text: &str| text.lines().count();
    assert!(rows(&loud.stdout) > 3 && loud.stderr.starts_with("error: "), "{loud:?}");
    assert_eq!((rows(&quiet.stdout), rows(&quiet.stderr)), (rows(&loud.stdout), rows(&loud.stderr)));
    let ran = home.run("pool show nobody -q").env("POOLCTL_EVM_CHAINID", "1").exits(2);
    assert!(ran.stderr.contains("warning: ") && ran.stderr.contains("error: "), "{ran:?}");
    assert!(home.run("nonsense -q").exits(2).stderr.contains("error: "));
    assert!(home.run("sync --help -q").exits(0).stdout.contains("Usage: "));
}

#[test]
fn what_was_kept_back_comes_first() {
    let home = Home::ready();
    // It shows each step as it is done, and breaks off at its end.
    let folder = home.path().to_str().unwrap();
    let ran = home.run("demo -q").env("TMPDIR", folder).env("POOLCTL_CRASH_AT", "panic-shown:x").exits(1);
    assert!(ran.stdout.contains("$ poolctl sync --all\nPOOL "), "{}", ran.stdout);
    assert!(ran.stderr.starts_with("error: poolctl "), "{}", ran.stderr);
}

#[test]
fn what_is_asked_for_by_name_is_written_all_the_same() {
    let home = tended(10);
    assert_eq!(home.run("info --json -q").exits(0).envelope()["command"], "info");
    assert!(home.run("health --nagios -q").exits(0).stdout.starts_with("HEALTH OK"));
    assert!(home.run("report --html - -q").ok().starts_with("<!DOCTYPE html>"));
    assert!(home.run("info --metrics-file - -q").ok().contains("poolctl_run_exit_code{command=\"info\"} 0"));
    let sound = Home::ready();
    let mut backup = sound.run("state backup - -q");
    let output = poolctl_testkit::watch::output(&mut backup.command).unwrap();
    assert!(output.status.success() && output.stdout.starts_with(b"SQLite format 3"), "{:?}", output.stderr);
    // A file is written, and nothing is said of it.
    assert_eq!(home.run("metrics -q --metrics-file m.prom").ok(), "");
    assert!(home.path().join("m.prom").exists());
}
