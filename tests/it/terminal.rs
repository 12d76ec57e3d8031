//! On a terminal: it asks and takes only a yes, it colours, it indents JSON. The terminal is a pseudo-terminal.

use crate::support::{Home, Run, digest};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::Child;

/// Starts it with stdin, stdout and stderr on one terminal; returns it and the other side of the terminal.
fn start(mut run: Run) -> (Child, File) {
    let master: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let slave = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    run.command.env("TERM", "xterm").stdin(slave.try_clone().unwrap());
    run.command.stdout(slave.try_clone().unwrap()).stderr(slave);
    // With `run` dropped here, only the child keeps its side open, so that its end is seen.
    (poolctl_testkit::watch::spawn(&mut run.command).unwrap(), File::from(master))
}

/// Types `input`, and returns exit code and screen.
fn on_terminal(run: Run, input: &str) -> (Option<i32>, String) {
    let (mut child, mut master) = start(run);
    master.write_all(input.as_bytes()).unwrap();
    let mut screen = Vec::new();
    let mut part = [0; 4096];
    // The end is an error on Linux.
    while let Ok(n) = master.read(&mut part) {
        if n == 0 {
            break;
        }
        screen.extend_from_slice(&part[..n]);
    }
    let code = child.wait().unwrap().code();
    (code, String::from_utf8_lossy(&screen).replace('\r', ""))
}

#[test]
fn it_asks_and_takes_only_a_yes() {
    let home = Home::ready();
    home.run("state backup copy.sqlite").ok();
    let before = digest(&home.state());
    for answer in ["n\n", "\n", "maybe\n", "\u{4}"] {
        let (code, screen) = on_terminal(home.run("state restore copy.sqlite"), answer);
        assert_eq!(code, Some(4), "{screen}");
        assert!(screen.contains("go on? [y/N]") && screen.contains("not confirmed"), "{screen}");
        assert_eq!(digest(&home.state()), before);
    }
    let (code, screen) = on_terminal(home.run("state restore copy.sqlite"), "yes\n");
    assert_eq!(code, Some(0), "{screen}");
    assert_eq!(home.run("events").json()["events"][0]["kind"], "state.restored");
}

/// Answers each question as it is put; returns exit code and screen.
fn answering(run: Run, answers: &[(&str, &str)]) -> (Option<i32>, String) {
    let (mut child, mut master) = start(run);
    let (mut screen, mut seen) = (String::new(), 0);
    for (question, answer) in answers {
        while !screen[seen..].contains(question) {
            let mut part = [0; 256];
            let n = master.read(&mut part).expect(&screen);
            screen.push_str(&String::from_utf8_lossy(&part[..n]));
        }
        seen = screen.len();
        master.write_all(answer.as_bytes()).unwrap();
    }
    let mut part = [0; 4096];
    while let Ok(n) = master.read(&mut part) {
        if n == 0 {
            break;
        }
        screen.push_str(&String::from_utf8_lossy(&part[..n]));
    }
    (child.wait().unwrap().code(), screen.replace('\r', ""))
}

const REGISTER: &str = "farmer register --pooler north --stake-percentage 0.25";

#[test]
fn a_passphrase_is_asked_for_and_not_shown() {
    let home = Home::ready();
    home.run("pooler add north").ok();
    let (new, again) = ("New passphrase for the key store: ", "The same again: ");
    let (code, screen) = answering(home.run(REGISTER), &[(new, "hunter2\n"), (again, "hunter3\n")]);
    assert_eq!(code, Some(12), "{screen}");
    assert!(screen.contains("differ") && !home.keys().exists(), "{screen}");
    let (code, screen) = answering(home.run(REGISTER), &[(new, "\n"), (again, "\n")]);
    assert_eq!(code, Some(12), "{screen}");
    let (code, screen) = answering(home.run(REGISTER), &[(new, "hunter2\n"), (again, "hunter2\n")]);
    assert_eq!(code, Some(0), "{screen}");
    assert!(!screen.contains("hunter"), "{screen}");
    let ask = "Passphrase of the key store: ";
    let (code, screen) = answering(home.run("farmer list --keys"), &[(ask, "hunter2\n")]);
    assert_eq!(code, Some(0), "{screen}");
    assert!(!screen.contains("hunter"), "{screen}");
    let (code, screen) = answering(home.run("farmer list --keys"), &[(ask, "hunter3\n")]);
    assert_eq!(code, Some(12), "{screen}");
}

#[test]
fn ctrl_c_at_a_secret_sets_the_terminal_back() {
    let home = Home::farming();
    let before = home.snapshot();
    let import = "farmer import --pooler north --stake-percentage 0.25";
    // Ctrl-C is a signal only for those who have the terminal as their own, so it is sent.
    let (mut child, mut master) = start(home.run(import));
    let mut screen = String::new();
    while !screen.contains("Secret key (S…): ") {
        let mut part = [0; 256];
        let n = master.read(&mut part).unwrap();
        screen.push_str(&String::from_utf8_lossy(&part[..n]));
    }
    let echoes = |master: &File| {
        let modes = rustix::termios::tcgetattr(master).unwrap().local_modes;
        modes.contains(rustix::termios::LocalModes::ECHO)
    };
    assert!(!echoes(&master));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(75));
    assert!(echoes(&master));
    assert_eq!(home.snapshot(), before);
}

#[test]
fn colours_and_indented_json() {
    let home = Home::ready();
    let (_, screen) = on_terminal(home.run("config show"), "");
    assert!(screen.contains("\u{1b}[1mKEY"), "{screen}");
    let (_, screen) = on_terminal(home.run("config show").env("NO_COLOR", "1"), "");
    assert!(!screen.contains('\u{1b}'), "{screen}");
    let (_, screen) = on_terminal(home.run("state path --json"), "");
    assert!(screen.starts_with("{\n  \"schema_version\": 1,\n"), "{screen}");
}

#[test]
fn a_second_signal_stops_at_once() {
    let home = Home::ready();
    home.run("state backup copy.sqlite").ok();
    let before = digest(&home.state());
    let (mut child, mut master) = start(home.run("state restore copy.sqlite"));
    let mut screen = String::new();
    while !screen.contains("[y/N]") {
        let mut part = [0; 256];
        let n = master.read(&mut part).unwrap();
        screen.push_str(&String::from_utf8_lossy(&part[..n]));
    }
    for signal in [Signal::TERM, Signal::INT] {
        kill_process(Pid::from_child(&child), signal).unwrap();
    }
    assert_eq!(child.wait().unwrap().code(), Some(75));
    assert_eq!(digest(&home.state()), before);
}
