//! Where files go that a command writes: links, pipes and devices stay what they are, and an unwritten file is told.

use crate::support::{Home, canary, digest};
use poolctl_testkit::watch;
use rustix::fs::{CWD, Mode, mkfifoat};
use std::fs::{self, File};
use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::JoinHandle;

/// The names in a home's folder.
fn names(home: &Home) -> Vec<PathBuf> {
    let mut names: Vec<_> = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names
}

/// A pipe, and what somebody reads from it.
fn pipe(path: &Path) -> JoinHandle<Vec<u8>> {
    mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).unwrap();
    let path = path.to_owned();
    std::thread::spawn(move || fs::read(path).unwrap())
}

#[test]
fn a_link_stays_and_its_target_is_written() {
    let home = Home::ready();
    let (link, real) = (home.path().join("link.prom"), home.path().join("real.prom"));
    symlink("real.prom", &link).unwrap();
    home.run("metrics --metrics-file link.prom").exits(0);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read_to_string(real).unwrap().contains("poolctl_run_exit_code{command=\"metrics\"} 0\n"));
}

#[test]
fn an_unwritten_metrics_file_is_the_result_of_metrics_and_a_warning_elsewhere() {
    let home = Home::ready();
    home.run("metrics --metrics-file nowhere/poolctl.prom").fails(1, "io_error");
    home.run("metrics --metrics-file .").fails(2, "invalid_value");
    assert!(
        home.run("state path --metrics-file nowhere/poolctl.prom")
            .exits(0)
            .stderr
            .contains("warning: cannot write")
    );
}

#[test]
fn stdout_is_no_place_for_two_documents() {
    let home = Home::ready();
    for path in ["-", "/dev/stdout"] {
        home.run(&format!("metrics --metrics-file {path}")).fails(2, "usage");
        home.run(&format!("report --html {path}")).fails(2, "usage");
        assert!(home.run(&format!("report --html {path}")).ok().starts_with("<!DOCTYPE html>"));
        assert!(
            home.run(&format!("state path --metrics-file {path}")).ok().contains("poolctl_run_exit_code")
        );
    }
    assert!(fs::symlink_metadata("/dev/stdout").unwrap().is_symlink());
}

#[test]
fn a_duration_has_a_limit() {
    let home = Home::ready();
    for line in ["state path --wait 18446744073709551615s", "events --since 18446744073709551615s"] {
        let envelope = home.run(line).fails(2, "invalid_value");
        assert!(envelope["error"]["message"].as_str().unwrap().contains("longer than 5300w"), "{envelope}");
    }
}

#[test]
fn a_pipe_as_config_is_refused() {
    let home = Home::ready();
    mkfifoat(CWD, home.path().join("pipe"), Mode::RUSR).unwrap();
    home.run("config show --config pipe").fails(2, "invalid_config");
}

#[test]
fn pipes_and_devices_stay_what_they_are_and_folders_are_refused() {
    let home = Home::ready();
    for (line, begins) in [
        ("metrics --metrics-file pipe", "# HELP"),
        ("report --html pipe", "<!DOCTYPE html>"),
        ("state backup pipe", "SQLite format 3"),
    ] {
        let read = pipe(&home.path().join("pipe"));
        home.run(line).exits(0);
        assert!(read.join().unwrap().starts_with(begins.as_bytes()), "{line}");
        assert!(fs::symlink_metadata(home.path().join("pipe")).unwrap().file_type().is_fifo(), "{line}");
        fs::remove_file(home.path().join("pipe")).unwrap();
        home.run(&line.replace("pipe", "/dev/null")).exits(0);
        assert!(fs::symlink_metadata("/dev/null").unwrap().file_type().is_char_device(), "{line}");
    }
    let before = names(&home);
    home.run("metrics --metrics-file .").fails(2, "invalid_value");
    home.run("report --html .").fails(2, "invalid_value");
    home.run("state backup .").fails(2, "conflict");
    home.run("state backup /dev/sda-is-none/x").fails(1, "io_error");
    assert_eq!(names(&home), before);
}

#[test]
fn a_backup_goes_to_stdout_whole_or_fails() {
    let home = Home::ready();
    home.run("config set oracle.cache_ttl_sec 60").ok();
    let before = names(&home);
    for path in ["-", "/dev/stdout", "/proc/self/fd/1"] {
        let sent = watch::output(&mut home.run(&format!("state backup {path}")).command).unwrap();
        assert_eq!((sent.status.code(), sent.stderr.as_slice()), (Some(0), b"".as_slice()), "{path}");
        assert_eq!(names(&home), before);
        fs::write(home.path().join("sent.sqlite"), sent.stdout).unwrap();
        home.run("state check --full --state sent.sqlite").ok();
        // What is redirected to a file is that file, byte by byte.
        let kept = home.path().join("kept.sqlite");
        let into = File::create(&kept).unwrap();
        let run = &mut home.run("state backup -").command;
        assert!(watch::spawn(run.stdout(into)).unwrap().wait().unwrap().success());
        assert_eq!(digest(&kept), digest(&home.path().join("sent.sqlite")));
        for name in ["kept.sqlite", "sent.sqlite"] {
            fs::remove_file(home.path().join(name)).unwrap();
        }
        let full = File::options().write(true).open("/dev/full").unwrap();
        let run = &mut home.run(&format!("state backup {path}")).command;
        let failed =
            watch::spawn(run.stdout(full).stderr(Stdio::piped())).unwrap().wait_with_output().unwrap();
        assert_eq!(failed.status.code(), Some(1));
        assert!(String::from_utf8(failed.stderr).unwrap().contains("cannot write to stdout: No space left"));
        home.run(&format!("state backup {path}")).fails(2, "usage");
        home.run(&format!("state prune --older-than 90d --archive {path}")).fails(2, "invalid_value");
        assert_eq!(names(&home), before);
    }
}

#[test]
fn a_fault_while_the_result_is_shown_is_a_bug_and_told_as_one() {
    let home = Home::ready();
    let secret = canary();
    let line = "config set oracle.cache_ttl_sec 60 --metrics-file run.prom";
    let ran = home.run(line).env("POOLCTL_CRASH_AT", &format!("panic-shown:{secret}")).exits(1);
    assert!(ran.stderr.contains("error: poolctl") && ran.stderr.contains("main.rs:"), "{}", ran.stderr);
    assert!(ran.stdout.is_empty());
    ran.hides(&secret);
    let told = fs::read_to_string(home.path().join("run.prom")).unwrap();
    assert!(told.contains("poolctl_run_exit_code{command=\"config set\"} 1\n"), "{told}");
    // What was committed stands.
    let set = home.run("config set oracle.cache_ttl_sec 1 --dry-run").json();
    assert_eq!(set["old"], "60");
}

#[test]
fn a_metrics_file_tells_that_the_result_was_not_written() {
    let home = Home::ready();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let run = &mut home.run("state path --metrics-file run.prom").command;
    let status = watch::spawn(run.stdout(full)).unwrap().wait().unwrap();
    assert_eq!(status.code(), Some(1));
    let told = fs::read_to_string(home.path().join("run.prom")).unwrap();
    assert!(told.contains("poolctl_run_exit_code{command=\"state path\"} 1\n"), "{told}");
}
