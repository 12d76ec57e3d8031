//! What happens to the file as a whole: backup under way, restore, migration, and the stored state of this schema.

use crate::support::{FARM, FIXTURE, Place, run, schema, structure};
use poolctl::Code;
use poolctl::guard::Permit;
use poolctl::state::{self, APPLICATION_ID, SCHEMA_VERSION, State, backup, inspect, restore, schema_of};
use rusqlite::Connection;
use serde_json::json;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

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
            .map(|i| backup(&place.reader(), &place.folder().join(format!("copy-{i}.sqlite"))).unwrap())
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
        assert_eq!(inspect(&copy.path).unwrap().sha256, copy.sha256);
        assert_eq!(events(&copy.path), copy.events);
    }
    assert!(place.files("partial").is_empty() && place.files("copy-0.sqlite-wal").is_empty());
}

#[test]
fn a_restore_swaps_the_file_in_and_keeps_the_old_one() {
    let place = Place::lived_in();
    let lock = place.lock();
    let copy = place.folder().join("copy.sqlite");
    let before = backup(&place.reader(), &copy).unwrap();
    let mut state = place.writer(&lock);
    state.write(Permit::of(&lock), |tx| tx.event("later", "x", &json!({}))).unwrap();
    drop(state);
    // Somebody who looks at the old file meanwhile goes on seeing it.
    let reader = place.reader();
    let (report, kept) = restore(&copy, &place.path(), &run(), &lock).unwrap();
    let kept = kept.expect("the replaced state is kept");
    assert_eq!((report.events, events(&place.path())), (before.events, before.events));
    assert_eq!(events(&kept), before.events + 1);
    let seen: i64 = reader.conn().query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap();
    assert_eq!(seen, before.events + 1);
    drop(reader);
    assert!(place.check().findings.is_empty());
    assert_eq!(inspect(&kept).unwrap().events, before.events + 1);

    // And back: what was kept is a state like any other. Its clock stands still, so its name must be free first.
    let other = place.folder().join("other.sqlite");
    std::fs::rename(&kept, &other).unwrap();
    let (report, _) = restore(&other, &place.path(), &run(), &lock).unwrap();
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
        let e = restore(&bad, &place.path(), &run(), &lock).unwrap_err();
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
    assert!(e.hint_text().unwrap().contains("state migrate"), "{e:?}");
    assert!(std::fs::read(place.path()).unwrap() == old, "reading migrates nothing");

    let lock = place.lock();
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
fn a_failed_migration_leaves_the_old_state_and_says_where_its_copy_is() {
    let place = Place::empty();
    let conn = place.outsider();
    conn.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    conn.execute_batch("CREATE TABLE events (wrong TEXT); INSERT INTO events VALUES ('kept')").unwrap();
    drop(conn);
    let lock = place.lock();
    let e = State::write_access(&place.path(), run(), &lock).unwrap_err();
    assert!(e.hint_text().unwrap().contains("schema-0-"), "{e:?}");
    assert_eq!(schema_of(&place.path()).unwrap(), 0);
    let kept: String = place.outsider().query_row("SELECT wrong FROM events", [], |row| row.get(0)).unwrap();
    assert_eq!((kept.as_str(), structure(&place.outsider()).len()), ("kept", 1));
}

#[test]
fn the_stored_state_of_this_schema_opens_and_is_sound() {
    let place = Place::stored();
    assert_eq!(schema_of(&place.path()).unwrap(), 1);
    let lock = place.lock();
    let state = place.writer(&lock);
    assert_eq!(structure(state.conn()), schema());
    let report = state::check(state.conn(), true).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    assert!(report.events > 10);
    let pools = poolctl::pool::list(state.conn()).unwrap();
    assert_eq!(pools.iter().map(|pool| pool.name.as_str()).collect::<Vec<_>>(), ["growth", "stable"]);
    for pool in &pools {
        assert!(poolctl::pool::snapshot(state.conn(), pool).unwrap().is_some());
        assert!(poolctl::pool::holder_count(state.conn(), pool).unwrap() > 1);
    }
    assert_eq!(poolctl::oracle::all(state.conn()).unwrap().len(), 2);
    drop(state);
    assert_eq!(place.files("schema-").len(), usize::from(SCHEMA_VERSION > 1), "migrated only if it is older");
    assert!(!FIXTURE.contains("/home/") && !FIXTURE.contains("/root"), "nobody's folders are in it");
}

#[test]
fn the_stored_state_with_a_farm_is_migrated_and_sound() {
    let place = Place::empty();
    place.outsider().execute_batch(FARM).unwrap();
    assert_eq!(schema_of(&place.path()).unwrap(), 2);
    let lock = place.lock();
    let state = place.writer(&lock);
    assert_eq!(structure(state.conn()), schema());
    let report = state::check(state.conn(), true).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    assert_eq!(report.events, 109);
    let open = poolctl::kale::rows::pails_before(state.conn(), u32::MAX).unwrap();
    assert_eq!(open.len(), 3);
    assert!(!FARM.contains("/home/") && !FARM.contains("/root"), "nobody's folders are in it");
}
