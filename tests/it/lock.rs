//! A state that one run has alone: exit 11 names the holder, `--wait` waits, readers never do.

use crate::support::{Home, digest, ended, until};
use rustix::fs::inotify;
use state::Holder;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

fn lock_of(state: &Path) -> PathBuf {
    let mut path = state.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

/// Holds the state's lock as a run of poolctl would that replaces the state.
pub fn hold(state: &Path) -> File {
    let mut file = File::options().write(true).create(true).truncate(true).open(lock_of(state)).unwrap();
    // A process that another test is about to start has every open file for a moment.
    until("the lock is free", || file.try_lock().is_ok());
    let holder = Holder { pid: std::process::id(), command: "reward cycle".to_owned(), since: 1_700_000_000 };
    file.write_all(serde_json::to_string(&holder).unwrap().as_bytes()).unwrap();
    file
}

/// Tells when a lock file is opened, as whoever waits for it does again and again.
struct Opened(File);

impl Opened {
    fn of(state: &Path) -> Self {
        let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).unwrap();
        inotify::add_watch(&watch, lock_of(state), inotify::WatchFlags::OPEN).unwrap();
        Self(watch.into())
    }

    fn once(mut self) {
        until("the lock is waited for", || self.0.read(&mut [0; 4096]).is_ok_and(|read| read > 0));
    }
}

#[test]
fn a_locked_state_names_its_holder() {
    let home = Home::ready();
    let before = digest(&home.state());
    let held = hold(&home.state());
    for line in [
        "config set oracle.cache_ttl_sec 60 --wait 0s",
        "config set oracle.cache_ttl_sec 60 --wait 50ms",
        "config unset oracle.cache_ttl_sec --wait 0s",
    ] {
        let envelope = home.run(line).fails(11, "state_locked");
        let details = &envelope["error"]["details"];
        assert_eq!(details["pid"], std::process::id());
        assert_eq!(details["command"], "reward cycle");
        assert_eq!(details["since"], "2023-11-14T22:13:20Z");
        assert!(envelope["error"]["hint"].as_str().unwrap().contains("--wait"));
    }
    // Readers and dry runs never wait.
    home.run("events").ok();
    home.run("state check").ok();
    home.run("state backup copy.sqlite").ok();
    home.run("config set oracle.cache_ttl_sec 60 --dry-run").exits(0);
    assert_eq!(digest(&home.state()), before);
    drop(held);
    // A child that another test is just starting has the lock's file open until it is the program that it becomes.
    home.run("config set oracle.cache_ttl_sec 60").ok();
}

#[test]
fn waiting_succeeds_when_the_lock_is_released() {
    let home = Home::ready();
    let held = hold(&home.state());
    let opened = Opened::of(&home.state());
    let child = home.run("config set oracle.cache_ttl_sec 60 --wait 5m").spawn();
    opened.once();
    drop(held);
    let ran = ended(child);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_signal_ends_the_wait() {
    let home = Home::ready();
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let _held = hold(&home.state());
        let opened = Opened::of(&home.state());
        let child = home.run("config set oracle.cache_ttl_sec 60 --wait 5m --json").spawn();
        opened.once();
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), signal).unwrap();
        let ran = ended(child);
        assert_eq!(ran.code, Some(75), "{ran:?}");
        assert_eq!(ran.envelope()["error"]["code"], "interrupted");
    }
}

#[test]
fn the_lock_dies_with_its_holder() {
    let home = Home::ready();
    let held = hold(&home.state());
    let opened = Opened::of(&home.state());
    let mut child = home.run("config set oracle.cache_ttl_sec 60 --wait 5m").spawn();
    opened.once();
    child.kill().unwrap();
    child.wait().unwrap();
    drop(held);
    // As above: a child that is just being started may have the file open for a moment yet.
    home.run("config set oracle.cache_ttl_sec 60").ok();
}
