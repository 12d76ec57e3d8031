//! `state prune` on what a farm left behind: killed anywhere, on a full disk, and what every other command makes of it.

use crate::desk::{BINARY, Desk, Home, KALE, Ran};
use crate::same::{self, facts};
use poolctl_testkit::cli::Run;
use poolctl_testkit::tamper;
use rusqlite::Connection;
use rusqlite::types::Value as Sql;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const DAYS: i64 = 100;
const PRUNE: &str = "state prune --older-than 90d";

/// Columns of seconds since 1970.
const TIMES: &[(&str, &[&str])] = &[
    ("plantings", &["at"]),
    ("works", &["at"]),
    ("harvests", &["at"]),
    ("nonces", &["updated_at"]),
    ("operations", &["planned_at", "settled_at", "recorded_at"]),
    ("operation_attempts", &["signed_at", "sent_at"]),
    ("pooler_compensations", &["at"]),
    ("farm_alerts", &["first_seen", "last_seen", "closed_at"]),
];

/// Makes everything that is recorded older, as if it had been recorded then. The hashes are made anew, as src/state/events.rs
/// says they are made.
fn age(state: &Path, days: i64) {
    let conn = Connection::open(state).unwrap();
    tamper(&conn, |conn| {
        for (table, columns) in TIMES {
            for column in *columns {
                conn.execute(&format!("UPDATE {table} SET {column} = {column} - ?1"), [days * 86_400])
                    .unwrap();
            }
        }
        conn.execute(
            "UPDATE events SET at = strftime('%Y-%m-%dT%H:%M:%fZ', at, ?1)",
            [format!("-{days} days")],
        )
        .unwrap();
        let mut head = "0".repeat(64);
        let mut last = 0;
        let mut events = conn
            .prepare("SELECT id, at, run_id, actor, kind, subject, payload FROM events ORDER BY id")
            .unwrap();
        let events: Vec<(i64, [String; 6])> = events
            .query_map([], |row| {
                let text = |i| row.get::<_, String>(i);
                Ok((row.get(0)?, [text(1)?, text(2)?, text(3)?, text(4)?, text(5)?, text(6)?]))
            })
            .unwrap()
            .map(Result::unwrap)
            .collect();
        for (id, texts) in events {
            let mut row = vec![json!(id)];
            row.extend(texts.iter().map(|text| json!(text)));
            let hash = alloy::hex::encode(Sha256::digest(format!("{head}{}", Value::Array(row))));
            conn.execute("UPDATE events SET prev_hash = ?2, hash = ?3 WHERE id = ?1", (id, &head, &hash))
                .unwrap();
            (last, head) = (id, hash);
        }
        conn.execute("UPDATE meta SET value = ?1 WHERE key = 'audit_head'", [format!("{last}:{head}")])
            .unwrap();
    });
}

/// Three farmers after four blocks, long ago: all came back but one stake that is lost, and one was harvested by a stranger.
/// The pails of a fifth block are out, and due.
fn lived() -> Desk {
    let desk = Desk::with_farmers(3, 1_000 * KALE);
    desk.configure(same::STAKES);
    let stranger = desk.stranger();
    for block in 0..5 {
        desk.ripen();
        desk.run("plant").exits_one_of(&[0, 5]);
        if block > 0 {
            desk.run("harvest").exits_one_of(&[0, 5]);
        }
        desk.network.advance(2).unwrap();
        let index = desk.farm().index;
        let idle = usize::from(block == 1);
        for farmer in &desk.farmers[idle..] {
            desk.work(farmer, 1);
        }
        // Seen by us, and booked as such.
        desk.run("block").exits(0);
        if block == 2 {
            desk.ripen();
            desk.plant(&stranger, 0);
            desk.harvest(&stranger, &desk.farmers[2], index);
        }
    }
    desk.ripen();
    desk.plant(&stranger, 0);
    for outcome in ["harvested", "harvested_elsewhere", "lost"] {
        let count: i64 = desk.value(&format!("SELECT count(*) FROM harvests WHERE outcome = '{outcome}'"));
        assert!(count > 0, "nothing was {outcome}");
    }
    age(&desk.state(), DAYS);
    desk.run("state check --full").exits(0);
    desk
}

type Rows = BTreeMap<String, BTreeSet<String>>;

fn rows_of(path: &Path) -> Rows {
    let conn = Connection::open(path).unwrap();
    let mut names = conn.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").unwrap();
    let names: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    names
        .into_iter()
        .map(|name| {
            let mut statement = conn.prepare(&format!("SELECT * FROM {name}")).unwrap();
            let columns = statement.column_count();
            let rows = statement.query_map([], |row| {
                let values: Vec<Sql> = (0..columns).map(|at| row.get(at)).collect::<Result<_, _>>()?;
                Ok(format!("{values:?}"))
            });
            let rows = rows.unwrap().map(Result::unwrap).collect();
            (name, rows)
        })
        .collect()
}

/// Every row is in exactly one of the two, and nothing is in the archive that was not in the state.
#[track_caller]
fn is_split(before: &Rows, state: &Path, archive: &Path, when: &str) {
    let (state, archive) = (rows_of(state), rows_of(archive));
    for (table, rows) in before.iter().filter(|(table, _)| *table != "meta") {
        let none = BTreeSet::new();
        let (left, gone) = (&state[table], archive.get(table).unwrap_or(&none));
        assert!(left.is_disjoint(gone) && gone.is_subset(rows), "{table}, {when}");
        assert!(rows.iter().all(|row| left.contains(row) || gone.contains(row)), "{table}, {when}");
    }
    assert!(archive["harvests"].len() >= 5 && archive["events"].len() >= 30, "{when}");
}

/// A copy of a desk's state alone.
struct Copied {
    home: Home,
}

impl Copied {
    fn of(desk: &Desk) -> Self {
        let home = Home::empty();
        std::fs::copy(desk.state(), home.path().join("farm.sqlite")).unwrap();
        Self { home }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn state(&self) -> PathBuf {
        self.path("farm.sqlite")
    }

    fn run(&self, line: &str) -> Run {
        self.home.run(line).env("POOLCTL_STATE", self.state().to_str().unwrap())
    }

    #[track_caller]
    fn ok(&self, line: &str) -> Ran {
        self.run(line).exits(0)
    }

    fn files(&self, part: &str) -> Vec<PathBuf> {
        let all = std::fs::read_dir(self.home.path()).unwrap().map(|entry| entry.unwrap().path());
        all.filter(|path| path.to_string_lossy().contains(part)).collect()
    }
}

#[test]
fn killed_at_every_step_it_is_undone_or_finished_by_the_next_run() {
    let desk = lived();
    let before = rows_of(&desk.state());
    for (line, part) in [(PRUNE.to_owned(), ".pruned-"), (format!("{PRUNE} --archive old.db"), "old.db")] {
        let mut steps = 0;
        loop {
            steps += 1;
            let when = format!("{line} killed at {steps}");
            let copy = Copied::of(&desk);
            let mut run = copy.run(&line).env("POOLCTL_CRASH_AT", &steps.to_string());
            let output = poolctl_testkit::watch::output(&mut run.command).unwrap();
            let killed = output.status.signal() == Some(9);
            assert!(killed || output.status.success(), "{when}: {output:?}");
            // What it left is sound, and every row is somewhere.
            copy.ok("state check --full");
            if killed {
                copy.ok(&line);
            }
            let [archive] = &copy.files(part)[..] else { panic!("{when}: {:?}", copy.files("")) };
            is_split(&before, &copy.state(), archive, &when);
            copy.ok("state check --full");
            copy.ok("events --verify");
            let again = copy.ok("state prune --older-than 90d --json").last();
            assert_eq!(
                (&again["data"]["rows"], &again["data"]["archive"]),
                (&json!({}), &json!(null)),
                "{when}"
            );
            if !killed {
                break;
            }
        }
        assert!(steps > 8, "{steps} steps");
    }
}

#[test]
fn where_the_disk_is_full_nothing_is_deleted_and_nothing_left_behind() {
    let desk = lived();
    let copy = Copied::of(&desk);
    let before = rows_of(&copy.state());
    let files = copy.files("");
    // A limit on the size of files stands for the full disk; the state itself is read only until the archive is whole.
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$0\" state prune --older-than 90d --json", BINARY])
        .current_dir(copy.home.path())
        .env_clear()
        .env("HOME", copy.home.path())
        .env("POOLCTL_STATE", copy.state());
    let ran = Ran::of(BINARY, poolctl_testkit::watch::output(&mut limited).unwrap());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let error = &ran.last()["error"];
    assert!(error["message"].as_str().unwrap().contains(".pruned-"), "{error}");
    assert_eq!(rows_of(&copy.state()), before);
    let left: Vec<_> = copy.files("").into_iter().filter(|path| !files.contains(path)).collect();
    assert!(left.iter().all(|path| path.ends_with("farm.sqlite.lock")), "{left:?}");
    copy.ok(PRUNE);
    copy.ok("state check --full");
}

#[test]
fn an_archive_that_is_moved_away_meanwhile_stops_nothing() {
    let desk = lived();
    let before = rows_of(&desk.state());
    let copy = Copied::of(&desk);
    // Killed after the first of its deletions: the name of the archive is the fifth step, the deletion the sixth.
    let mut at = 1;
    let moved = loop {
        let copy = Copied::of(&desk);
        copy.run(PRUNE).env("POOLCTL_CRASH_AT", &at.to_string()).ends();
        let left = rows_of(&copy.state());
        if left["events"].iter().any(|row| row.contains("state.pruned")) {
            break copy;
        }
        at += 1;
    };
    drop(copy);
    let [archive] = &moved.files(".pruned-")[..] else { panic!("{:?}", moved.files("")) };
    let away = moved.path("away.db");
    std::fs::rename(archive, &away).unwrap();
    let data = moved.ok(&format!("{PRUNE} --json")).last()["data"].clone();
    assert_eq!(data["resumed"], false);
    moved.ok("state check --full");
    moved.ok("events --verify");
    // What the first had deleted is in the one that was moved, the rest in the new one.
    let (state, first) = (rows_of(&moved.state()), rows_of(&away));
    let second = data["archive"].as_str().map(|path| rows_of(Path::new(path))).unwrap_or_default();
    for (table, rows) in before.iter().filter(|(table, _)| *table != "meta") {
        let has = |place: &Rows, row: &String| place.get(table).is_some_and(|rows| rows.contains(row));
        for row in rows {
            assert!(has(&state, row) != has(&first, row) || has(&second, row), "{table}: {row}");
        }
    }
}

#[test]
fn what_is_wrong_is_refused_and_nothing_changes() {
    let desk = lived();
    let copy = Copied::of(&desk);
    let before = rows_of(&copy.state());
    for (line, exit, code) in [
        ("state prune", 2, "usage"),
        ("state prune --older-than 90", 2, "invalid_value"),
        ("state prune --older-than 23h", 2, "invalid_value"),
        ("state prune --older-than 23h --dry-run", 2, "invalid_value"),
        ("state prune --older-than 90d --archive farm.sqlite", 2, "conflict"),
        ("state prune --older-than 90d --archive missing/old.db", 1, "io_error"),
        ("state prune --older-than 90d --state missing.sqlite", 2, "state_missing"),
    ] {
        copy.run(line).fails(exit, code);
        assert_eq!(rows_of(&copy.state()), before, "{line}");
    }
    assert!(copy.files("partial").is_empty() && copy.files("pruned").is_empty());
    let preview = copy.ok(&format!("{PRUNE} --dry-run --json")).last();
    assert_eq!((&preview["dry_run"], &preview["data"]["archive"]), (&json!(true), &json!(null)));
    assert_eq!(rows_of(&copy.state()), before);
    // Another run has the state alone.
    let lock = std::fs::File::create(copy.path("farm.sqlite.lock")).unwrap();
    lock.lock().unwrap();
    copy.run(&format!("{PRUNE} --wait 0s")).fails(11, "state_locked");
    drop(lock);
    let done = copy.ok(&format!("{PRUNE} --json")).last()["data"].clone();
    assert_eq!(done["rows"], preview["data"]["rows"]);
    let archive = done["archive"].as_str().unwrap();
    let digest = alloy::hex::encode(Sha256::digest(std::fs::read(archive).unwrap()));
    assert_eq!(done["sha256"], digest);
    for line in ["state check", "events", "events --verify", "farmer list"] {
        let e = copy.run(&format!("{line} --state {archive}")).fails(1, "state_foreign");
        assert!(e["error"]["message"].as_str().unwrap().contains("archive of pruned rows"), "{e}");
    }
}

#[test]
fn the_farm_goes_on_as_if_nothing_had_been_pruned() {
    let whole = lived();
    let pruned = whole.fork();
    pruned.run(PRUNE).exits(0);
    assert!(rows_of(&pruned.state())["events"].len() < rows_of(&whole.state())["events"].len() - 20);
    let id = &whole.farmers[0].id;
    for line in ["block", "farm plan", "farmer list"] {
        assert_eq!(whole.run(line).json(), pruned.run(line).json(), "{line}");
    }
    // What is drawn of the past is what is kept of it.
    let show = |desk: &Desk| {
        let mut shown = desk.run(&format!("farmer show {id}")).json();
        let blocks = shown["blocks"].take();
        (shown, blocks.as_array().unwrap().clone())
    };
    let ((one, every), (other, kept)) = (show(&whole), show(&pruned));
    assert_eq!(one, other);
    assert!(!kept.is_empty() && kept.len() < every.len(), "{kept:?} of {every:?}");
    assert!(kept.iter().all(|block| every.contains(block)), "{kept:?} of {every:?}");
    // Stakes come back, others go out: the same on chain, and the same is booked.
    for line in ["harvest", "plant", "harvest"] {
        let (one, other) = (whole.run(line).ends().1, pruned.run(line).ends().1);
        assert_eq!(one.code, other.code, "{line}: {one:?} {other:?}");
        assert!([0, 3].map(Some).contains(&one.code), "{line}: {one:?}");
        let [want, got] = [&whole, &pruned].map(|desk| {
            let mut facts = facts(desk);
            // Those that are closed are pruned.
            facts.get_mut("farm_alerts").unwrap().retain(|alert| alert.ends_with("| 1"));
            facts
        });
        for what in [
            "open_pails",
            "block_operations",
            "pooler_compensations",
            "ledger_accounts",
            "farm_alerts",
            "chain",
        ] {
            assert_eq!(want[what], got[what], "{what}, after {line}");
        }
        pruned.is_sound();
    }
    pruned.run("events --verify").exits(0);
}
