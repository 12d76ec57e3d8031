//! What happens to the file as a whole: backup under way, restore, migration, and the stored state of this schema.

use crate::support::{FARM, POOLS, Place, holder, run, schema, structure};
use base::{Code, Part, Stop};
use rusqlite::Connection;
use serde_json::json;
use state::{
    APPLICATION_ID, Lease, Lock, Permit, SCHEMA_VERSION, State, backup, inspect, restore, schema_of,
};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn events(path: &Path) -> i64 {
    let conn = Connection::open(path).unwrap();
    conn.query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap()
}

/// Adds rows until the file has about so many bytes.
fn grow(state: &mut State, permit: Permit<'_>, bytes: usize) {
    let filling = "x".repeat(1_000_000);
    state
        .write(permit, |tx| {
            (0..bytes / filling.len()).try_for_each(|i| tx.meta_set(&format!("filling {i}"), &filling))
        })
        .unwrap();
}

#[test]
fn a_backup_is_whole_while_a_writer_writes() {
    let place = Place::fresh();
    let lock = place.lock();
    let mut state = place.writer(&lock);
    // So large that the copy takes longer than a commit: a copy in pieces would begin anew for ever.
    grow(&mut state, Permit::of(&lock), 24_000_000);
    let done = AtomicBool::new(false);
    let (copies, written) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut written = 0;
            while !done.load(Ordering::Relaxed) {
                state
                    .write(Permit::of(&lock), |tx| {
                        tx.event("first", "x", &json!({}))?;
                        tx.event("second", "x", &json!({}))
                    })
                    .unwrap();
                written += 2;
            }
            written
        });
        let copies: Vec<_> = (0..2)
            .map(|i| {
                backup(
                    place.reader().conn(),
                    &place.folder().join(format!("copy-{i}.sqlite")),
                    watch::check::must_be_sound,
                )
                .unwrap()
            })
            .collect();
        done.store(true, Ordering::Relaxed);
        (copies, writer.join().unwrap())
    });
    assert!(written > 4, "{written} events were written meanwhile");
    let mut last = 0;
    for copy in &copies {
        assert!(
            copy.events >= last && copy.events % 2 == 0,
            "a transaction is in it whole or not: {copies:?}"
        );
        last = copy.events;
        assert_eq!(inspect(&copy.path, watch::check::must_be_sound).unwrap().sha256, copy.sha256);
        assert_eq!(events(&copy.path), copy.events);
    }
    assert!(place.files("partial").is_empty() && place.files("copy-0.sqlite-wal").is_empty());
}

#[test]
fn a_restore_swaps_the_file_in_and_keeps_the_old_one() {
    let place = Place::lived_in();
    let lock = place.alone();
    let copy = place.folder().join("copy.sqlite");
    let before = backup(place.reader().conn(), &copy, watch::check::must_be_sound).unwrap();
    let mut state = place.writer(&lock);
    state.write(Permit::of(&lock), |tx| tx.event("later", "x", &json!({}))).unwrap();
    drop(state);
    // Somebody who looks at the old file meanwhile goes on seeing it.
    let reader = place.reader();
    let (report, kept) = restore(&copy, &place.path(), &run(), &lock, watch::check::must_be_sound).unwrap();
    let kept = kept.expect("the replaced state is kept");
    assert_eq!((report.events, events(&place.path())), (before.events, before.events));
    assert_eq!(events(&kept), before.events + 1);
    let seen: i64 = reader.conn().query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap();
    assert_eq!(seen, before.events + 1);
    drop(reader);
    assert!(place.check().findings.is_empty());
    assert_eq!(inspect(&kept, watch::check::must_be_sound).unwrap().events, before.events + 1);

    // And back: what was kept is a state like any other. Its clock stands still, so its name must be free first.
    let other = place.folder().join("other.sqlite");
    std::fs::rename(&kept, &other).unwrap();
    let (report, _) = restore(&other, &place.path(), &run(), &lock, watch::check::must_be_sound).unwrap();
    assert_eq!(report.events, before.events + 1);
    let mut state = place.writer(&lock);
    state.write(Permit::of(&lock), |tx| tx.event("still", "x", &json!({}))).unwrap();
    assert!(place.check().findings.is_empty());
}

#[test]
fn what_is_no_sound_state_is_not_restored() {
    let place = Place::lived_in();
    let lock = place.lock();
    let before = std::fs::read(place.path()).unwrap();
    let bad = place.folder().join("bad");
    let altered = {
        let other = Place::lived_in();
        other
            .outsider()
            .execute_batch("DROP TRIGGER events_no_update; UPDATE events SET actor = 'x'")
            .unwrap();
        std::fs::read(other.path()).unwrap()
    };
    for (bytes, codes) in [
        (Vec::new(), &[Code::StateForeign][..]),
        (b"garbage".repeat(1_000), &[Code::StateForeign]),
        (before[..before.len() / 2].to_vec(), &[Code::StateCorrupt, Code::CheckFailed]),
        (altered, &[Code::CheckFailed]),
    ] {
        std::fs::write(&bad, bytes).unwrap();
        let e = restore(&bad, &place.path(), &run(), &lock, watch::check::must_be_sound).unwrap_err();
        assert!(codes.contains(&e.code()), "{e:?}");
        assert!(std::fs::read(place.path()).unwrap() == before, "nothing was changed: {e}");
        assert!(place.files("restore").is_empty(), "{:?}", place.files("restore"));
    }
}

#[test]
fn an_older_state_is_migrated_after_a_backup() {
    let place = Place::empty();
    place.outsider().pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    assert_eq!(schema_of(&place.path()).unwrap(), 0);
    let old = std::fs::read(place.path()).unwrap();
    let e = State::read(&place.path(), run()).unwrap_err();
    assert_eq!(e.code(), Code::StateOutdated);
    assert!(e.remedy().unwrap().parts().contains(&Part::Command("state migrate")), "{e:?}");
    assert!(std::fs::read(place.path()).unwrap() == old, "reading migrates nothing");

    // Nor does who is not alone: others could be at work with the old one.
    let lock = place.lock();
    let e = State::write_access(&place.path(), run(), &lock).unwrap_err();
    assert_eq!((e.code(), std::fs::read(place.path()).unwrap() == old), (Code::StateOutdated, true));
    drop(lock);

    let lock = place.alone();
    drop(place.writer(&lock));
    assert_eq!(schema_of(&place.path()).unwrap(), SCHEMA_VERSION);
    let [copy] = &place.files("schema-0-")[..] else { panic!("{:?}", place.files("")) };
    assert_eq!(copy, "state.sqlite.schema-0-20231114T221320000Z");
    assert_eq!(schema_of(&place.folder().join(copy)).unwrap(), 0);
    assert_eq!(structure(&place.outsider()), schema());
    assert!(place.check().findings.is_empty());

    // Opened again, there is nothing left to do.
    drop(place.writer(&lock));
    assert_eq!(place.files("schema-0-").len(), 1);
}

#[test]
fn an_older_state_with_a_schema_of_its_own_is_not_migrated() {
    for (sql, named) in [
        ("CREATE TABLE events (wrong TEXT); INSERT INTO events VALUES ('kept')", "events"),
        (
            "CREATE TABLE t (x); CREATE TRIGGER evil AFTER INSERT ON t BEGIN UPDATE t SET x = 'x'; END",
            "CREATE TABLE t",
        ),
        ("CREATE VIEW more AS SELECT 1", "CREATE VIEW more"),
    ] {
        let place = Place::empty();
        let conn = place.outsider();
        conn.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        conn.execute_batch(sql).unwrap();
        drop(conn);
        let before = std::fs::read(place.path()).unwrap();
        let lock = place.lock();
        let e = State::write_access(&place.path(), run(), &lock).unwrap_err();
        assert_eq!(e.code(), Code::StateCorrupt, "{e}");
        assert!(e.to_string().contains(named), "{e}");
        assert!(std::fs::read(place.path()).unwrap() == before && place.files("schema-").is_empty(), "{e}");
        // Nor is it restored.
        let other = Place::fresh();
        let e = restore(&place.path(), &other.path(), &run(), &other.lock(), watch::check::must_be_sound)
            .unwrap_err();
        assert_eq!(e.code(), Code::CheckFailed, "{e}");
        assert!(e.to_string().contains(named), "{e}");
    }
}

/// What a file may have that is not the program's, and what of it the refusal names.
const FOREIGN: &[(&str, &str)] = &[
    (
        "CREATE TRIGGER evil AFTER INSERT ON pool_snapshots BEGIN UPDATE members SET name = 'x'; END",
        "CREATE TRIGGER evil",
    ),
    (
        "DROP TABLE runs; CREATE VIEW runs AS WITH RECURSIVE r (x) AS (SELECT 1 UNION ALL SELECT x FROM r)
         SELECT 'sync' AS command, x AS last_run_at, 0 AS exit_code, 1 AS last_success_at, 1 AS last_complete_at FROM r",
        "CREATE VIEW runs",
    ),
    ("CREATE TABLE mine (x)", "CREATE TABLE mine"),
    ("DROP TRIGGER events_no_delete", "CREATE TRIGGER events_no_delete"),
];

#[test]
fn a_state_with_a_schema_of_its_own_is_refused_everywhere() {
    for (sql, named) in FOREIGN {
        let place = Place::lived_in();
        place.outsider().execute_batch(sql).unwrap();
        let before = std::fs::read(place.path()).unwrap();
        let lock = place.lock();
        for e in [
            State::read(&place.path(), run()).unwrap_err(),
            State::glance(&place.path(), run()).unwrap_err(),
            State::scratch(&place.path(), run()).unwrap_err(),
            State::rehearse(&place.path(), run(), Duration::ZERO).unwrap_err(),
            State::write_access(&place.path(), run(), &lock).unwrap_err(),
        ] {
            assert_eq!(e.code(), Code::StateCorrupt, "{e}");
            assert!(e.to_string().contains(named), "{e}");
        }
        // The check says so, and looks at nothing that such a file could lead it astray with.
        let state = State::unjudged(&place.path(), run()).unwrap();
        let report = watch::check::check(state.conn(), true).unwrap();
        assert_eq!(report.checked, ["integrity_check", "schema"]);
        assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
        assert!(report.findings[0].check == "schema" && report.findings[0].message.contains(named));
        let e = backup(state.conn(), &place.folder().join("copy.sqlite"), watch::check::must_be_sound)
            .unwrap_err();
        assert_eq!(e.code(), Code::CheckFailed);
        drop(state);
        let other = Place::fresh();
        let kept = std::fs::read(other.path()).unwrap();
        let e = restore(&place.path(), &other.path(), &run(), &other.lock(), watch::check::must_be_sound)
            .unwrap_err();
        assert_eq!(e.code(), Code::CheckFailed, "{e}");
        assert!(std::fs::read(other.path()).unwrap() == kept);
        assert!(std::fs::read(place.path()).unwrap() == before, "{sql}");
    }
}

#[test]
fn a_state_is_made_with_a_log_and_a_copy_without() {
    let place = Place::lived_in();
    let lock = place.lock();
    // Bytes 18 and 19 of a file of SQLite's: 2 = with a write-ahead log, 1 = without.
    let mode = |path: &Path| std::fs::read(path).unwrap()[18..20].to_vec();
    let fresh = Place::fresh();
    assert_eq!((mode(&fresh.path()), fresh.files("")), (vec![2, 2], vec!["state.sqlite".to_owned()]));
    let copy = place.folder().join("copy.sqlite");
    backup(place.reader().conn(), &copy, watch::check::must_be_sound).unwrap();
    assert_eq!(mode(&copy), [1, 1]);
    let (_, kept) = restore(&copy, &place.path(), &run(), &lock, watch::check::must_be_sound).unwrap();
    assert_eq!((mode(&place.path()), mode(&kept.unwrap())), (vec![2, 2], vec![1, 1]));
    // Neither leaves a draft, or something beside the files.
    drop(lock);
    let mut left = place.files("");
    left.retain(|name| !name.contains("before-restore"));
    left.sort();
    assert_eq!(left, ["copy.sqlite", "state.sqlite", "state.sqlite.lock"]);
}

#[test]
fn what_a_killed_run_left_half_written_is_taken_back_by_whoever_reads_first() {
    for reads in [true, false] {
        let place = Place::lived_in();
        // A copy that was put in place by hand has no log; it is changed, and that is not finished.
        place.outsider().pragma_update(None, "journal_mode", "DELETE").unwrap();
        // What stood on a page that is free SQLite does not take back.
        place.outsider().execute_batch("VACUUM").unwrap();
        let before = std::fs::read(place.path()).unwrap();
        let other = Place::empty();
        let conn = place.outsider();
        conn.execute_batch(
            "PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN; UPDATE members SET added_at = 7",
        )
        .unwrap();
        conn.execute_batch(
            "CREATE TABLE big AS SELECT hex(randomblob(9000)) AS x FROM members, members, members",
        )
        .unwrap();
        std::fs::copy(place.path(), other.path()).unwrap();
        std::fs::copy(
            place.folder().join("state.sqlite-journal"),
            other.folder().join("state.sqlite-journal"),
        )
        .unwrap();
        conn.execute_batch("ROLLBACK").unwrap();
        assert!(std::fs::read(other.path()).unwrap() != before, "it is half written");
        if reads {
            assert!(other.check().findings.is_empty());
            assert!(std::fs::read(other.path()).unwrap() == before, "and is as it was");
        }
        let lock = other.lock();
        let mut state = other.writer(&lock);
        state.write(Permit::of(&lock), |tx| tx.event("kind", "subject", &json!({}))).unwrap();
        assert!(watch::check::check(state.conn(), true).unwrap().findings.is_empty());
    }
}

/// Writes over a page in the middle, as a failing disk does.
fn damage(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let root = bytes.len() / 2 / 4096 * 4096;
    bytes[root..root + 64].fill(0xa5);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_file_that_is_not_as_it_was_left_is_looked_at_before_anything_is_written() {
    let written = |place: &Place| damage(&place.path());
    let put_in_place = |place: &Place| {
        let other = place.folder().join("other.sqlite");
        std::fs::copy(place.path(), &other).unwrap();
        damage(&other);
        std::fs::rename(&other, place.path()).unwrap();
    };
    let killed = |place: &Place| {
        damage(&place.path());
        let holder = serde_json::to_string(&holder()).unwrap();
        std::fs::write(place.folder().join("state.sqlite.lock"), holder).unwrap();
    };
    let ways: [&dyn Fn(&Place); 3] = [&written, &put_in_place, &killed];
    for way in ways {
        let place = Place::lived_in();
        way(&place);
        let before = std::fs::read(place.path()).unwrap();
        for _ in 0..2 {
            let lock = place.lock();
            let e = State::write_access(&place.path(), run(), &lock).unwrap_err();
            assert_eq!(e.code(), Code::StateCorrupt, "{e}");
            assert!(e.remedy().unwrap().parts().contains(&Part::Command("state restore")), "{e:?}");
        }
        assert!(std::fs::read(place.path()).unwrap() == before);
    }

    // A run that ended in order vouches for the file, one that was killed does not.
    let place = Place::lived_in();
    let said = || std::fs::read_to_string(place.folder().join("state.sqlite.lock")).unwrap();
    let lock = place.lock();
    assert!(said().contains("\"pid\""), "{}", said());
    drop(place.writer(&lock));
    drop(lock);
    assert!(said().starts_with("{\"left\":"), "{}", said());
    let lock = place.lock();
    lock.doubt();
    drop(lock);
    let kept = said();
    assert!(kept.starts_with("{\"left\":"), "who did not open it says nothing new");
}

/// What SQLite may be told to believe is not believed, by whoever opens the file.
#[test]
fn every_connection_looks_at_what_it_reads() {
    let place = Place::lived_in();
    let lock = place.lock();
    let scratch = State::scratch(&place.path(), run()).unwrap();
    let glance = State::glance(&place.path(), run()).unwrap();
    let rehearsal = State::rehearse(&place.path(), run(), Duration::ZERO).unwrap();
    for state in [place.reader(), glance, scratch, rehearsal, place.writer(&lock)] {
        for (name, want) in
            [("cell_size_check", 1), ("trusted_schema", 0), ("foreign_keys", 1), ("query_only", 1)]
        {
            let found: i64 = state.conn().pragma_query_value(None, name, |row| row.get(0)).unwrap();
            assert!(
                found == want || name == "query_only" && state.conn().is_readonly("main").unwrap(),
                "{name}"
            );
        }
    }
}

#[test]
fn a_lock_belongs_to_the_file() {
    let place = Place::fresh().orderly();
    let link = place.folder().join("link.sqlite");
    std::os::unix::fs::symlink(place.path(), &link).unwrap();
    let lock = place.alone();
    let held = |path: &Path| Lock::acquire(path, &holder(), Duration::ZERO, &Stop::default());
    let relative = place.folder().join(".").join("state.sqlite");
    for path in [&link, &relative] {
        assert_eq!(held(path).unwrap_err().code(), Code::StateLocked);
    }
    drop(lock);
    // So does a lease.
    let (lock, other) = (place.lock(), held(&link).unwrap());
    let leased = lock.lease(&Lease::Pools).unwrap();
    assert_eq!(other.lease(&Lease::Pools).unwrap_err().code(), Code::LeaseHeld);
    drop((leased, lock, other));
    let lock = held(&link).unwrap();
    drop(State::write_access(&link, run(), &lock).unwrap());
    drop(lock);
    assert_eq!(place.files("link"), ["link.sqlite"], "nothing is beside the link");

    // Of a file with two names SQLite would keep two logs.
    let other = place.folder().join("other.sqlite");
    std::fs::hard_link(place.path(), &other).unwrap();
    for path in [place.path(), link, other.clone()] {
        let e = State::read(&path, run()).unwrap_err();
        assert_eq!(e.code(), Code::Conflict, "{e}");
        let lock = held(&path).unwrap();
        assert_eq!(State::write_access(&path, run(), &lock).unwrap_err().code(), Code::Conflict);
    }
    std::fs::remove_file(other).unwrap();
    place.reader();
    // The second name of a draft is that of a run that was killed when it had made the state: it goes by itself.
    let draft = place.folder().join(".state.sqlite.0123456789abcdef.draft");
    std::fs::hard_link(place.path(), &draft).unwrap();
    place.reader();
    assert!(!draft.exists());
}

#[test]
fn what_is_no_file_is_refused_at_once() {
    let place = Place::empty();
    let pipe = place.path();
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let socket = place.folder().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for path in [pipe.as_path(), &socket, place.folder(), Path::new("/dev/null")] {
        let e = State::read(path, run()).unwrap_err();
        assert_eq!(e.code(), Code::InvalidValue, "{e}");
        assert!(e.remedy().unwrap().parts().contains(&Part::Field("state")), "{e:?}");
        assert!(schema_of(path).is_err() && State::glance(path, run()).is_err());
        assert_eq!(inspect(path, watch::check::must_be_sound).unwrap_err().code(), Code::InvalidValue);
        assert_eq!(state::create(path).unwrap_err().code(), Code::Conflict);
    }
}

#[test]
fn the_stored_state_of_this_schema_opens_and_is_sound() {
    let place = Place::lived_in();
    assert_eq!(schema_of(&place.path()).unwrap(), SCHEMA_VERSION);
    let lock = place.lock();
    let state = place.writer(&lock);
    assert_eq!(structure(state.conn()), schema());
    let report = watch::check::check(state.conn(), true).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    assert!(report.events > 10);
    let pools = vault::pool::list(state.conn()).unwrap();
    assert_eq!(pools.iter().map(|pool| pool.name.as_str()).collect::<Vec<_>>(), ["growth", "stable"]);
    for pool in &pools {
        assert!(vault::pool::snapshot(state.conn(), pool).unwrap().is_some());
        assert!(vault::pool::holder_count(state.conn(), pool).unwrap() > 1);
    }
    assert_eq!(vault::feed::all(state.conn()).unwrap().len(), 2);
    drop(state);
    assert!(place.files("schema-").is_empty(), "migrated only if it is older");
    assert!(!POOLS.contains("/home/") && !POOLS.contains("/root"), "nobody's folders are in it");
}

/// Their steps are gone: nothing of them was released.
#[test]
fn a_state_of_a_development_build_is_refused_everywhere() {
    for version in 1..=5 {
        let place = Place::lived_in();
        place.outsider().pragma_update(None, "user_version", version).unwrap();
        let before = std::fs::read(place.path()).unwrap();
        let lock = place.lock();
        let other = Place::fresh();
        for e in [
            schema_of(&place.path()).unwrap_err(),
            State::read(&place.path(), run()).unwrap_err(),
            State::glance(&place.path(), run()).unwrap_err(),
            State::write_access(&place.path(), run(), &lock).unwrap_err(),
            inspect(&place.path(), watch::check::must_be_sound).unwrap_err(),
            restore(&place.path(), &other.path(), &run(), &other.lock(), watch::check::must_be_sound)
                .unwrap_err(),
        ] {
            assert_eq!(e.code(), Code::StateOutdated, "{e}");
            assert!(e.message().contains("of a development build"), "{e}");
            assert!(e.remedy().unwrap().parts().contains(&Part::Command("init")), "{e:?}");
        }
        assert!(std::fs::read(place.path()).unwrap() == before && place.files("schema-").is_empty());
    }
}

#[test]
fn the_stored_state_with_a_farm_is_sound() {
    let place = Place::farmed();
    let lock = place.lock();
    let state = place.writer(&lock);
    assert_eq!(structure(state.conn()), schema());
    let report = watch::check::check(state.conn(), true).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    assert_eq!(report.events, 109);
    let open = kale::rows::pails_before(state.conn(), u32::MAX).unwrap();
    assert_eq!(open.len(), 3);
    assert!(!FARM.contains("/home/") && !FARM.contains("/root"), "nobody's folders are in it");
}
