//! Points at which a kill or a disk that refused once did lasting harm, each by its name.

use super::strace::{self, Fault, Point};
use super::support::Home;
use super::sweep::Place;
use std::fs;

const ADD: &str = "--reward-split 0.2 --platform-fee 0.05";

/// A new state, and one that was restored, were switched to a write-ahead log by the first run that wrote.
#[test]
fn a_kill_at_the_first_write_locks_no_state() {
    let (mut reached, mut tried) = (0, 0);
    for restored in [false, true] {
        let home = Home::ready();
        if restored {
            home.run("state backup copy.sqlite").ok();
            home.run("state restore copy.sqlite --yes").ok();
        }
        for (syscall, nth, fault) in [
            ("unlink", 1, Fault::Kill),
            ("pwrite64", 1, Fault::Kill),
            ("pwrite64", 6, Fault::Kill),
            ("fsync", 1, Fault::Kill),
            ("fsync", 3, Fault::Kill),
            ("fsync", 4, Fault::Kill),
            ("fdatasync", 1, Fault::Kill),
            ("pwrite64", 1, Fault::Enospc),
            ("pwrite64", 6, Fault::Enospc),
        ] {
            let home = Place::fork(&home);
            let point = Point { syscall, nth, fault, call: String::new() };
            let line = format!("pooler add north {ADD}");
            let ran = strace::disturb(|under| Place::command(&home, under, &line, ""), &point);
            (reached, tried) = (reached + u32::from(ran.reached), tried + 1);
            home.run("pooler list").ok();
            home.run(&format!("pooler add south {ADD}")).ok();
            home.run("state check --full").ok();
        }
    }
    assert!(reached * 2 >= tried, "{reached} of {tried}: the points are no longer where they were");
}

/// What was not brought to the disk is no backup.
#[test]
fn a_backup_whose_fsync_fails_is_none() {
    let home = Home::ready();
    let line = "state backup copy.sqlite";
    let fork = Place::fork(&home);
    let (_, points) = strace::points(|under| Place::command(&fork, under, line, ""), fork.path());
    let points: Vec<&Point> = points
        .iter()
        .filter(|point| point.fault == Fault::Eio && matches!(point.syscall, "fsync" | "fdatasync"))
        .collect();
    let mut refused = 0;
    for point in points {
        let home = Place::fork(&home);
        let ran = strace::disturb(|under| Place::command(&home, under, line, ""), point);
        assert!(ran.reached, "{point}");
        let copy = home.path().join("copy.sqlite");
        let left: Vec<String> = fs::read_dir(home.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains("copy") && name != "copy.sqlite")
            .collect();
        assert_eq!(left, [""; 0], "{point}");
        // The copy itself; SQLite asks the folder too, for a journal that is gone when the copy gets its name.
        if point.call.contains(".draft>") {
            assert!(ran.output.status.code() == Some(1) && !copy.exists(), "{point}: {:?}", ran.output);
            refused += 1;
        }
        // Whatever has its name is a whole copy, without a log.
        if copy.exists() {
            assert_eq!(fs::read(&copy).unwrap()[18..20], [1, 1], "{point}");
            home.run("state restore copy.sqlite --yes").ok();
        }
    }
    assert!(refused >= 2, "{refused}");
}
