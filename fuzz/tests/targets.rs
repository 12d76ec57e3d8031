//! A short pass over every target, and what a trial finds.

#![allow(clippy::unwrap_used)]

use poolctl_fuzz::decoders::{ALL, Decoder};
use poolctl_fuzz::{Ended, Fault, LONGEST_TIME, Trial, guard, memory_of, pool, repeat};
use poolctl_testkit::watch;
use rustix::time::{ClockId, clock_gettime};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{fs, thread};

/// Inputs of each target here.
const INPUTS: u64 = 400;

fn kept(name: &str) -> Vec<Vec<u8>> {
    pool::load(Path::new(pool::CORPUS), name).unwrap()
}

/// Each target, on as many threads as there are processors.
fn each(body: impl Fn(Decoder) + Sync) {
    watch::test();
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().unwrap().get() {
            scope.spawn(|| {
                while let Some(decoder) = ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
                    body(*decoder);
                }
            });
        }
    });
}

#[test]
fn every_target_takes_some_and_refuses_some_within_its_bounds() {
    each(|decoder| {
        let mut before = |_: &[u8]| {};
        let mut trial = Trial::new(decoder, &mut before);
        if let Err(found) = trial.run(&kept(decoder.name), 16 << 10, 1, |count| count < INPUTS) {
            panic!("{}: {found:?}", decoder.name);
        }
        let tally = trial.tally;
        assert!(
            trial.count() >= INPUTS && tally.taken > 0 && tally.refused > 0,
            "{}: {tally:?}",
            decoder.name
        );
    });
}

#[test]
fn every_kept_input_belongs_to_a_target() {
    let names: BTreeSet<String> = ALL.iter().map(|decoder| decoder.name.to_owned()).collect();
    assert_eq!(names.len(), ALL.len());
    let folders = fs::read_dir(pool::CORPUS).unwrap();
    let folders: BTreeSet<String> = folders.map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names, folders);
}

#[test]
fn inputs_follow_from_the_seed() {
    let inputs = |seed| {
        let mut inputs = Vec::new();
        let mut before = |input: &[u8]| inputs.push(input.to_vec());
        let mut trial = Trial::new(target("endpoints"), &mut before);
        trial.run(&kept("endpoints"), 100, seed, |count| count < 2000).unwrap();
        inputs
    };
    let first = inputs(7);
    assert_eq!(first, inputs(7));
    assert_ne!(first, inputs(8));
    let different: BTreeSet<&Vec<u8>> = first.iter().collect();
    assert!(different.len() > 1000, "{}", different.len());
}

fn target(name: &str) -> Decoder {
    *ALL.iter().find(|decoder| decoder.name == name).unwrap()
}

/// What a trial of one input finds.
fn found(read: fn(&[u8]) -> bool, input: &[u8]) -> Option<Fault> {
    let decoder = Decoder { name: "bad", room: 1000, read };
    let mut before = |_: &[u8]| {};
    let read = Trial::new(decoder, &mut before).read(input.to_vec());
    read.err().map(|found| {
        assert_eq!(found.input, input);
        found.fault
    })
}

#[test]
fn a_panic_too_much_memory_and_too_much_time_are_found() {
    assert_eq!(found(|bytes| bytes[0] == 0, b""), Some(Fault::Panic));
    assert_eq!(found(|bytes| bytes[0] == 0, b"1"), None);
    // Of 500 bytes, themselves included, 3,000 are the most.
    assert_eq!(found(|bytes| bytes.repeat(4).len() == 2000, &[0; 500]), None);
    let much = |bytes: &[u8]| bytes.repeat(6).len() == 3000;
    assert_eq!(found(much, &[0; 500]), Some(Fault::Memory(3500, 3000)));
    assert_eq!(memory_of(Decoder { name: "bad", room: 1000, read: much }, 500), 3000);
    // Many small ones that grow, and are gone at its end.
    let grown = |bytes: &[u8]| (0..bytes.len()).map(|n| vec![0_u8; n]).collect::<Vec<_>>().is_empty();
    assert!(matches!(found(grown, &[0; 500]), Some(Fault::Memory(took, 3000)) if took > 124_000));
    // It is the processor's time that counts: asleep, none passes.
    let asleep = |_: &[u8]| {
        thread::sleep(Duration::from_millis(20));
        true
    };
    assert_eq!(found(asleep, b""), None);
    let slow = |_: &[u8]| {
        let busy = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
        let start = busy();
        while busy() < start + LONGEST_TIME + Duration::from_millis(50) {}
        true
    };
    assert!(matches!(found(slow, b""), Some(Fault::Time(took)) if took > LONGEST_TIME));
}

#[test]
fn what_ends_or_holds_the_process_is_found_from_outside() {
    let folder = tempfile::tempdir().unwrap();
    let current = folder.path().join("input");
    let ended = |script: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(&current).stdout(Stdio::piped());
        guard(&mut watch::spawn(&mut command).unwrap(), &current, Duration::from_millis(700)).unwrap()
    };
    let said = |good, text: &str| Ended::Said(good, text.to_owned());
    assert_eq!(ended("echo all is well"), said(true, "all is well"));
    assert_eq!(ended("echo found one; exit 1"), said(false, "found one"));
    let Ended::Within(input, why) = ended("printf deadly > \"$1\"; kill -ABRT $$") else { panic!() };
    assert_eq!(input, b"deadly");
    assert!(why.starts_with("it ends the process: signal: 6 (SIGABRT)"), "{why}");
    let Ended::Within(input, why) = ended("printf endless > \"$1\"; exec sleep 60") else { panic!() };
    assert_eq!((input.as_slice(), why.as_str()), (&b"endless"[..], "it does not end within 0 s"));
}

#[test]
fn an_input_that_is_found_is_kept_and_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("words")).unwrap();
    assert!(pool::load(folder.path(), "words").unwrap_err().to_string().contains("no inputs in"));
    let path = pool::keep(folder.path(), "words", b"found").unwrap();
    assert_eq!(path, pool::keep(folder.path(), "words", b"found").unwrap());
    pool::keep(folder.path(), "words", b"another").unwrap();
    let mut kept = pool::load(folder.path(), "words").unwrap();
    kept.sort();
    assert_eq!(kept, [b"another".to_vec(), b"found".to_vec()]);
    assert_eq!(repeat(target("words")), "cargo run -p poolctl-fuzz -- words --seconds 0");
}

#[test]
fn the_command_tries_what_it_is_told() {
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_poolctl-fuzz"));
        let output = watch::output(command.args(args)).unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, out, err) = run(&["words", "endpoints", "--seconds", "0"]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert_eq!(out.lines().count(), 2, "{out}");
    let count = kept("words").len();
    assert!(out.contains(&format!("{count} inputs")), "{out}");
    let (code, _, err) = run(&["nonsense"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("no such target; --list names them"), "{err}");
    let (code, out, _) = run(&["--list"]);
    assert_eq!((code, out.lines().count()), (Some(0), ALL.len()));
}
