//! The files of `examples/`, and whether cron and systemd take them.
#![allow(clippy::missing_panics_doc, clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use crate::tools;
use std::path::PathBuf;
use std::process::{Command, Output};

/// Where an example is.
pub fn path(name: &str) -> PathBuf {
    tools::workspace().unwrap().join("examples").join(name)
}

/// The text of an example.
pub fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap()
}

/// The command of a crontab's line, as cron gives it to the shell.
#[track_caller]
pub fn job(line: &str) -> String {
    let mut rest = line;
    for _ in 0..5 {
        let (field, after) = rest.split_once(char::is_whitespace).unwrap();
        assert!(field.bytes().all(|b| b"0123456789*/,-".contains(&b)), "{line}");
        rest = after.trim_start();
    }
    // cron's own: a percent sign is written with a backslash.
    assert!(!rest.replace("\\%", "").contains('%'), "{line}");
    rest.replace("\\%", "%")
}

/// What a unit starts, in order, as systemd reads it: lines that go on are one, and `$$` is a dollar sign.
pub fn starts(unit: &str) -> Vec<String> {
    let joined = unit.replace("\\\n", " ");
    let starts = joined.lines().filter_map(|line| line.strip_prefix("ExecStart="));
    starts.map(|line| line.replace("$$", "$")).collect()
}

/// The lines of a crontab that are jobs.
pub fn jobs(table: &str) -> Vec<&str> {
    table.lines().filter(|line| line.starts_with(|c: char| c == '*' || c.is_ascii_digit())).collect()
}

/// Demands that systemd takes the units of a folder of examples, and the hardening of the services among them; where
/// there is no systemd, that each line is a section, a setting or a comment.
#[track_caller]
pub fn systemd_accepts(binary: &str, folder: &str, names: &[&str]) {
    let systemd = |args: &[&str], units: &[PathBuf]| -> Output {
        Command::new("systemd-analyze").args(args).args(units).output().unwrap()
    };
    let texts = names.iter().map(|name| text(&format!("{folder}/{name}")));
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        for line in texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()) {
            let is_section = line.starts_with('[') && line.ends_with(']');
            assert!(line.is_empty() || line.starts_with('#') || is_section || line.contains('='), "{line}");
        }
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let units: Vec<PathBuf> = names.iter().map(|name| scratch.path().join(name)).collect();
    for (path, text) in units.iter().zip(texts) {
        // The program is looked for, and is not installed here.
        std::fs::write(path, text.replace("/usr/local/bin/poolctl", binary)).unwrap();
    }
    let output = systemd(&["verify", "--man=no"], &units);
    let said = String::from_utf8_lossy(&output.stderr);
    // It may complain of other units of the machine.
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("poolctl")).collect();
    assert!(output.status.success() && ours.is_empty(), "{said}");
    for unit in units.into_iter().filter(|unit| unit.extension().is_some_and(|kind| kind == "service")) {
        // From 0, safe, to 100.
        let output = systemd(&["security", "--offline=true", "--threshold=20"], &[unit]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}
