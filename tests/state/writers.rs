//! One way to write, beside others.

use crate::support::{Place, holder, run};
use base::{Code, Error, Part, Stop};
use serde_json::json;
use state::{Lock, Permit, State, meta_get};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

fn data_version(state: &State) -> String {
    meta_get(state.conn(), "data_version").unwrap().unwrap()
}

#[test]
fn nothing_is_written_but_through_write() {
    let place = Place::fresh();
    let lock = place.lock();
    let mut state = place.writer(&lock);
    let insert = "INSERT INTO members (address, added_at) VALUES ('0x1', 1)";
    let refused = |state: &State| {
        for sql in [insert, "DELETE FROM meta", "CREATE TABLE t (x)", "UPDATE meta SET value = '7'"] {
            let e = Error::from(state.conn().execute(sql, []).unwrap_err());
            assert!(e.to_string().contains("readonly"), "{sql}: {e}");
        }
    };
    refused(&state);
    refused(&place.reader());
    refused(&State::scratch(&place.path(), run()).unwrap());
    refused(&State::rehearse(&place.path(), run(), Duration::ZERO).unwrap());
    state.write(Permit::of(&lock), |tx| Ok(tx.conn().execute(insert, [])?)).unwrap();
    refused(&state);
    // A transaction of one's own is no way around it.
    state.conn().execute_batch("BEGIN IMMEDIATE").unwrap_err();
    state.conn().execute_batch("BEGIN").unwrap();
    refused(&state);
    state.conn().execute_batch("COMMIT").unwrap();
    let failed = state.write(Permit::of(&lock), |tx| {
        tx.conn().execute("INSERT INTO members (address, added_at) VALUES ('0x2', 1)", [])?;
        tx.event("member.added", "0x2", &json!({}))?;
        Err::<(), _>(Error::new(Code::Drift, "no"))
    });
    assert_eq!(failed.unwrap_err().code(), Code::Drift);
    refused(&state);
    let count = |table: &str| -> i64 {
        state.conn().query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    assert_eq!((count("members"), count("events")), (1, 0), "all or nothing");
}

#[test]
fn the_data_version_counts_the_writes_that_change_something() {
    let place = Place::fresh();
    let lock = place.lock();
    let mut state = place.writer(&lock);
    assert_eq!(data_version(&state), "0");
    state.write(Permit::of(&lock), |_| Ok(())).unwrap();
    assert_eq!(data_version(&state), "0");
    for want in ["1", "2"] {
        state.write(Permit::of(&lock), |tx| tx.event("kind", "subject", &json!({}))).unwrap();
        assert_eq!(data_version(&state), want);
    }
    let _ = state.write(Permit::of(&lock), |tx| {
        tx.event("kind", "subject", &json!({}))?;
        Err::<(), _>(Error::new(Code::Drift, "no"))
    });
    assert_eq!(data_version(&state), "2");
}

#[test]
fn a_dry_run_writes_to_a_copy() {
    let place = Place::lived_in();
    let mut scratch = State::scratch(&place.path(), run()).unwrap();
    scratch.write(Permit::dry_run(), |tx| tx.event("kind", "subject", &json!({}))).unwrap();
    let events = |state: &State| state::verify_chain(state.conn()).unwrap();
    let (copy, file) = (events(&scratch), events(&place.reader()));
    assert_eq!((&copy.broken, copy.events), (&None, file.events + 1));
}

#[test]
fn a_rehearsal_sees_what_it_wrote_and_nothing_of_it_lasts() {
    let place = Place::lived_in();
    let count = |state: &State| state::verify_chain(state.conn()).unwrap().events;
    let (reader, lock) = (place.reader(), place.lock());
    let (had, mut other) = (count(&reader), place.writer(&lock));
    other.conn().busy_timeout(Duration::ZERO).unwrap();
    let event = |state: &mut State, permit| state.write(permit, |tx| tx.event("kind", "subject", &json!({})));

    let mut state = State::rehearse(&place.path(), run(), Duration::ZERO).unwrap();
    let written = state.rehearsal().unwrap();
    // Before its first write nobody waits; from then on other writers do, and readers do not.
    event(&mut other, Permit::of(&lock)).unwrap();
    for more in 1..=2 {
        event(&mut state, Permit::dry_run()).unwrap();
        assert!(written.load(Ordering::Relaxed));
        assert_eq!((count(&state), count(&reader)), (had + 1 + more, had + 1));
        assert_eq!(event(&mut other, Permit::of(&lock)).unwrap_err().code(), Code::StateLocked);
    }
    let refused = state.conn().execute("DELETE FROM meta", []).unwrap_err();
    assert!(refused.to_string().contains("readonly"), "{refused}");
    state.after_bulk(u64::MAX).unwrap();

    // What fails takes all of it back.
    let failed = state.write(Permit::dry_run(), |tx| {
        tx.event("kind", "subject", &json!({}))?;
        Err::<(), _>(Error::new(Code::Drift, "no"))
    });
    assert_eq!(failed.unwrap_err().code(), Code::Drift);
    assert!(!written.load(Ordering::Relaxed));
    assert_eq!(count(&state), had + 1);
    event(&mut other, Permit::of(&lock)).unwrap();

    event(&mut state, Permit::dry_run()).unwrap();
    drop(state);
    event(&mut other, Permit::of(&lock)).unwrap();
    assert_eq!(count(&reader), had + 3);
}

/// Bytes that this thread has read and written.
fn traffic() -> [u64; 2] {
    let text = std::fs::read_to_string("/proc/thread-self/io").unwrap();
    ["rchar: ", "wchar: "]
        .map(|name| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().parse().unwrap())
}

#[test]
fn a_rehearsal_copies_nothing() {
    const MIB: u64 = 1 << 20;
    let place = Place::lived_in();
    let ballast = "INSERT INTO farm_alerts (subject, kind, message, first_seen, last_seen, count, closed_at)
         VALUES ('gone', 'not_ready', hex(zeroblob(40000000)), 0, 0, 1, 1)";
    place.outsider().execute(ballast, []).unwrap();
    let before = std::fs::read(place.path()).unwrap();
    assert!(before.len() as u64 > 64 * MIB);
    let spent = |body: &dyn Fn()| {
        let before = traffic();
        body();
        let after = traffic();
        [0, 1].map(|which| after[which] - before[which])
    };
    let [read, wrote] = spent(&|| {
        let mut state = State::rehearse(&place.path(), run(), Duration::ZERO).unwrap();
        state.write(Permit::dry_run(), |tx| tx.event("kind", "subject", &json!({}))).unwrap();
        assert!(state::last_event(state.conn()).unwrap() > 0);
    });
    assert!(read < MIB && wrote < MIB, "{read} {wrote}");
    let [read, _] = spent(&|| drop(State::scratch(&place.path(), run()).unwrap()));
    assert!(read > 64 * MIB, "a copy reads all of it: {read}");
    assert!(std::fs::read(place.path()).unwrap() == before, "the file is as it was");
}

#[test]
fn a_writer_is_told_who_has_the_state_alone() {
    let place = Place::fresh();
    let _held = place.alone();
    let begun = Instant::now();
    for wait in [Duration::ZERO, Duration::from_millis(60)] {
        let e = Lock::acquire(&place.path(), &holder(), wait, &Stop::default()).unwrap_err();
        assert_eq!(e.code(), Code::StateLocked);
        let said = e.to_string();
        let (pid, path) = (format!("pid {}", std::process::id()), place.path());
        for part in ["\"poolctl sync\"", &pid, "2023-11-14T22:13:20Z", path.to_str().unwrap()] {
            assert!(said.contains(part), "{said}");
        }
        assert!(e.remedy().unwrap().parts().contains(&Part::Field("wait")), "{e:?}");
    }
    assert!(begun.elapsed() >= Duration::from_millis(60), "the second one waited");
    // A reader needs no lock.
    place.reader();
}

#[test]
fn a_writer_gets_the_state_when_whoever_had_it_alone_is_done() {
    let place = Place::fresh();
    let held = place.alone();
    std::thread::scope(|scope| {
        let second = scope.spawn(|| {
            let lock = Lock::acquire(&place.path(), &holder(), Duration::from_mins(1), &Stop::default())?;
            let mut state = State::write_access(&place.path(), run(), &lock)?;
            state.write(Permit::of(&lock), |tx| tx.event("second", "x", &json!({})))
        });
        let mut state = place.writer(&held);
        for _ in 0..20 {
            state.write(Permit::of(&held), |tx| tx.event("first", "x", &json!({}))).unwrap();
            assert!(!second.is_finished());
        }
        drop(state);
        drop(held);
        assert_eq!(second.join().unwrap().unwrap(), 21, "after all of the first");
    });
    assert!(place.check().findings.is_empty());
}

#[test]
fn writers_write_at_the_same_time_and_nothing_of_it_is_lost() {
    const WRITERS: usize = 4;
    const WRITES: usize = 25;
    let place = Place::fresh();
    let first = place.lock();
    drop(place.writer(&first));
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let place = &place;
            scope.spawn(move || {
                let lock = Lock::acquire(&place.path(), &holder(), Duration::from_mins(1), &Stop::default())
                    .unwrap();
                let mut state = place.writer(&lock);
                for _ in 0..WRITES {
                    state
                        .write(Permit::of(&lock), |tx| {
                            let before: i64 = tx.conn().query_row(COUNTED, [], |row| row.get(0))?;
                            tx.meta_set("counted", &(before + 1).to_string())?;
                            tx.event("counted", &writer.to_string(), &json!({}))
                        })
                        .unwrap();
                }
            });
        }
    });
    let counted: i64 = place.reader().conn().query_row(COUNTED, [], |row| row.get(0)).unwrap();
    assert_eq!(counted, i64::try_from(WRITERS * WRITES).unwrap());
    let report = place.check();
    assert_eq!((report.events, report.findings.len()), (counted, 0), "{report:?}");
}

const COUNTED: &str = "SELECT coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'counted'), 0)";

#[test]
fn anothers_commit_is_waited_for_and_no_longer_than_that() {
    let place = Place::fresh().orderly();
    let patient = |wait| Lock::acquire(&place.path(), &holder(), wait, &Stop::default()).unwrap();
    let (lock, hasty) = (place.lock(), patient(Duration::from_millis(60)));
    let (mut state, mut other) = (place.writer(&lock), place.writer(&hasty));
    let write = |state: &mut State, lock: &Lock| {
        state.write(Permit::of(lock), |tx| tx.event("kind", "subject", &json!({})))
    };
    let begun = Instant::now();
    state
        .write(Permit::of(&lock), |tx| {
            let e = write(&mut other, &hasty).unwrap_err();
            assert_eq!(e.code(), Code::StateLocked, "{e}");
            tx.event("kind", "subject", &json!({}))
        })
        .unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(60), "it waited");
    // Who waits longer gets it.
    let patience = patient(Duration::from_mins(1));
    let mut other = place.writer(&patience);
    std::thread::scope(|scope| {
        let mut second = None;
        state
            .write(Permit::of(&lock), |tx| {
                second = Some(scope.spawn(|| write(&mut other, &patience)));
                std::thread::sleep(Duration::from_millis(30));
                tx.event("kind", "subject", &json!({}))
            })
            .unwrap();
        assert_eq!(second.unwrap().join().unwrap().unwrap(), 3);
    });
    assert!(place.check().findings.is_empty());
}

#[test]
fn who_wants_to_stop_does_not_wait() {
    let place = Place::fresh();
    let _held = place.alone();
    let stop = Stop::default();
    stop.flag().store(true, std::sync::atomic::Ordering::Relaxed);
    let e = Lock::acquire(&place.path(), &holder(), Duration::from_mins(1), &stop).unwrap_err();
    assert_eq!(e.code(), Code::Interrupted);
}

#[test]
fn a_reader_sees_the_state_before_an_unfinished_write() {
    let place = Place::fresh();
    let lock = place.lock();
    let mut state = place.writer(&lock);
    state
        .write(Permit::of(&lock), |tx| {
            tx.event("kind", "subject", &json!({}))?;
            let report = place.check();
            assert_eq!((report.events, report.findings.len()), (0, 0));
            Ok(())
        })
        .unwrap();
    assert_eq!(place.check().events, 1);
}

#[test]
fn a_look_is_of_one_moment() {
    let place = Place::fresh();
    let lock = place.lock();
    let mut state = place.writer(&lock);
    let reader = place.reader();
    let look = reader.look().unwrap();
    let count =
        || -> i64 { look.conn().query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap() };
    assert_eq!(count(), 0);
    state.write(Permit::of(&lock), |tx| tx.event("kind", "subject", &json!({}))).unwrap();
    assert_eq!(count(), 0);
    let within = reader.look().unwrap();
    drop(within);
    assert_eq!(count(), 0, "a look within a look ends with the outer one");
    drop(look);
    assert_eq!(state::verify_chain(reader.look().unwrap().conn()).unwrap().events, 1);
}
