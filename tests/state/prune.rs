//! `state prune`: what goes is in the archive, what stays is sound, and nothing else changes.

use crate::past::{self, BEGAN, BLOCK, FARMERS, Fate, HARVEST, ledger};
use crate::support::{Place, config, run, run_at, work};
use base::{Code, Progress, Silent, Stop};
use poolctl_testkit::tamper;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rusqlite::Connection;
use rusqlite::types::Value;
use state::{Lock, PruneReport, State, prune, prune_preview};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The tables that may lose rows.
const PRUNED: &[&str] = &[
    "events",
    "ledger_entries",
    "plantings",
    "works",
    "harvests",
    "nonces",
    "operations",
    "operation_attempts",
    "pool_snapshots",
    "oracle_alerts",
    "risk_violations",
    "farm_alerts",
];

const DAY: i64 = 86_400;
/// Long after the fixture.
const LATER: i64 = 1_810_000_000;

type Rows = BTreeMap<String, BTreeSet<String>>;

/// Every row of every table, as text.
fn rows_of(conn: &Connection) -> Rows {
    let mut names = conn.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").unwrap();
    let names: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut found = Rows::new();
    for name in names {
        let mut statement = conn.prepare(&format!("SELECT * FROM {name}")).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let values: Vec<Value> = (0..columns).map(|column| row.get(column)).collect::<Result<_, _>>()?;
            Ok(format!("{values:?}"))
        });
        found.insert(name, rows.unwrap().map(Result::unwrap).collect());
    }
    found
}

fn read_only(path: &Path) -> Connection {
    Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

/// Prunes at `now` what is older than `age` seconds.
fn pruned_at(place: &Place, lock: &Lock, now: i64, age: i64) -> base::Result<PruneReport> {
    let mut state = State::write_access(&place.path(), run_at(now), lock).unwrap();
    let (config, stop) = (config(&[]), Stop::default());
    let age = Duration::from_secs(u64::try_from(age).unwrap());
    prune(&mut work(&config, &mut state, lock, &stop), age, None)
}

/// The archive and the state together are what the state was; what was not to be pruned is as it was. Says how many rows
/// went.
fn is_split(before: &Rows, place: &Place, report: &PruneReport) -> usize {
    let after = rows_of(&place.outsider());
    let archive = report.archive.as_deref().map(|path| rows_of(&read_only(path))).unwrap_or_default();
    let none = BTreeSet::new();
    let mut gone = 0;
    for (table, rows) in before {
        let (left, archived) = (&after[table], archive.get(table).unwrap_or(&none));
        if table == "meta" || table == "pruned_events" {
            continue;
        }
        if !PRUNED.contains(&table.as_str()) {
            assert_eq!(rows, left, "{table}");
            continue;
        }
        assert_eq!(report.rows.get(table.as_str()).copied().unwrap_or(0), archived.len() as u64, "{table}");
        assert!(left.is_disjoint(archived), "{table}: {:?}", left.intersection(archived).next());
        let together: BTreeSet<&String> = left.union(archived).collect();
        assert!(rows.iter().all(|row| together.contains(row)), "{table}: a row is nowhere");
        let new: Vec<_> = together.iter().filter(|row| !rows.contains(**row)).collect();
        let may_be_new = matches!(table.as_str(), "events" | "ledger_entries");
        assert!(may_be_new || new.is_empty(), "{table}: {new:?}");
        gone += archived.len();
    }
    let tables: BTreeSet<&str> = archive.keys().map(String::as_str).collect();
    let want: BTreeSet<&str> = PRUNED.iter().copied().chain(["meta"]).collect();
    assert!(archive.is_empty() || tables == want, "{tables:?}");
    gone
}

#[track_caller]
fn is_sound(place: &Place) {
    let report = place.check();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

fn count(place: &Place, sql: &str) -> i64 {
    place.outsider().query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn a_state_that_lived_is_split_and_both_halves_are_sound() {
    let place = Place::farmed();
    let lock = place.lock();
    let before = rows_of(&place.outsider());
    let report = pruned_at(&place, &lock, LATER, 90 * DAY).unwrap();
    let gone = is_split(&before, &place, &report);
    assert_eq!(gone as u64, report.total());
    assert!(gone > 50, "{gone} rows went");
    is_sound(&place);
    for kept in ["farmer.registered", "reward.claimed", "trust.made", "risk.set", "state.pinned"] {
        assert!(count(&place, &format!("SELECT count(*) FROM events WHERE kind = '{kept}'")) > 0, "{kept}");
    }
    assert_eq!(count(&place, "SELECT count(*) FROM open_pails"), 3);
    let out = "SELECT count(*) FROM plantings p JOIN open_pails o USING (block_index, farmer_id)
        JOIN operations t ON t.id = p.operation_id JOIN operation_attempts a ON a.operation_id = t.id";
    assert_eq!(count(&place, out), 3, "what is out has its plant, its transaction and its envelope");

    // The archive says where it comes from, and is nothing that poolctl takes for a state.
    let archive = report.archive.clone().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&archive), mode(&place.path()));
    let meta: BTreeMap<String, String> = {
        let conn = read_only(&archive);
        let mut meta = conn.prepare("SELECT key, value FROM meta").unwrap();
        meta.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(meta["evm_chain_id"], "31337");
    assert_eq!(meta["prune_before"], report.before.clone().unwrap());
    assert!(meta["prune_first_event"].starts_with("4:") && meta.contains_key("prune_run"), "{meta:?}");
    let e = State::read(&archive, run()).unwrap_err();
    assert_eq!(e.code(), Code::StateForeign);
    assert!(e.message().contains("archive of pruned rows"), "{e}");

    // Its digest is in the log, and the log is unbroken.
    let digest: String = place
        .outsider()
        .query_row("SELECT payload ->> 'sha256' FROM events WHERE kind = 'state.archived'", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(
        (Some(&digest), state::inspect(&place.path(), watch::check::must_be_sound).unwrap().events > 0),
        (report.sha256.as_ref(), true)
    );
    let chain = state::verify_chain(&place.outsider()).unwrap();
    assert_eq!((chain.broken, chain.pruned), (None, i64::try_from(report.rows["events"]).unwrap()));

    // A second time there is nothing; later, there is what was too young.
    let again = pruned_at(&place, &lock, LATER + 1, 90 * DAY).unwrap();
    assert_eq!((again.total(), again.archive), (0, None));
    let before = rows_of(&place.outsider());
    let later = pruned_at(&place, &lock, LATER + 365 * DAY, 90 * DAY).unwrap();
    is_split(&before, &place, &later);
    is_sound(&place);
}

#[test]
fn a_preview_counts_what_the_prune_takes_and_writes_nothing() {
    let place = Place::farmed();
    let lock = place.lock();
    let before = (rows_of(&place.outsider()), place.files(""));
    let state = State::read(&place.path(), run_at(LATER)).unwrap();
    let age = Duration::from_hours(90 * 24);
    let preview = prune_preview(&state, age, &Silent, &Stop::default()).unwrap();
    drop(state);
    assert_eq!((rows_of(&place.outsider()), place.files("")), before);
    let report = pruned_at(&place, &lock, LATER, 90 * DAY).unwrap();
    assert_eq!(preview.rows, report.rows);
    assert!(preview.bytes > 10_000 && preview.bytes < report.bytes, "{preview:?}");
}

#[test]
fn what_is_refused_changes_nothing() {
    let place = Place::farmed();
    let lock = place.lock();
    let (before, files) = (rows_of(&place.outsider()), place.files(""));
    let e = pruned_at(&place, &lock, LATER, DAY - 1).unwrap_err();
    assert_eq!(e.code(), Code::InvalidValue);
    let taken = place.folder().join("taken");
    std::fs::write(&taken, "mine").unwrap();
    let refused = |target: &Path| {
        let mut state = State::write_access(&place.path(), run_at(LATER), &lock).unwrap();
        let (config, stop) = (config(&[]), Stop::default());
        let age = Duration::from_hours(24);
        prune(&mut work(&config, &mut state, &lock, &stop), age, Some(target)).unwrap_err().code()
    };
    assert_eq!(refused(&taken), Code::Conflict);
    assert_eq!(std::fs::read(&taken).unwrap(), b"mine");
    assert_eq!(refused(&place.folder().join("missing/archive")), Code::Io);
    std::fs::remove_file(&taken).unwrap();
    assert_eq!((rows_of(&place.outsider()), place.files("")), (before, files));
    // A harvest whose event is not there: the records contradict each other.
    let alter = |sql: &str| tamper(&place.outsider(), |conn| conn.execute_batch(sql)).unwrap();
    alter(
        "UPDATE events SET kind = 'harvest.unheard' WHERE id =
             (SELECT min(id) FROM events WHERE kind = 'harvest.harvested')",
    );
    let (before, files) = (rows_of(&place.outsider()), place.files(""));
    let e = pruned_at(&place, &lock, LATER, 90 * DAY).unwrap_err();
    assert_eq!(e.code(), Code::StateCorrupt, "{e}");
    assert_eq!((rows_of(&place.outsider()), place.files("")), (before, files));
    // An event that was altered.
    alter(
        "UPDATE events SET kind = 'harvest.harvested' WHERE kind = 'harvest.unheard';
         UPDATE events SET actor = 'nobody' WHERE kind = 'harvest.harvested'",
    );
    let (before, files) = (rows_of(&place.outsider()), place.files(""));
    let e = pruned_at(&place, &lock, LATER, 90 * DAY).unwrap_err();
    assert_eq!(e.code(), Code::CheckFailed, "{e}");
    assert_eq!((rows_of(&place.outsider()), place.files("")), (before, files));
}

#[test]
fn a_reader_goes_on_seeing_what_it_saw() {
    let place = Place::farmed();
    let lock = place.lock();
    let reader = place.reader();
    let look = reader.look().unwrap();
    let seen = rows_of(look.conn());
    pruned_at(&place, &lock, LATER, 90 * DAY).unwrap();
    assert_eq!(rows_of(look.conn()), seen);
    drop(look);
    assert!(rows_of(reader.conn())["events"].len() < seen["events"].len());
    is_sound(&place);
}

/// Another run, which writes when the archive is whole and nothing is deleted yet.
struct Beside(PathBuf, &'static str);

impl Progress for Beside {
    fn begin(&self, what: &str, _total: Option<u64>) {
        if what == "deleting" {
            Connection::open(&self.0).unwrap().execute_batch(self.1).unwrap();
        }
    }
    fn advance(&self, _steps: u64) {}
    fn note(&self, _text: &str) {}
    fn end(&self) {}
}

#[test]
fn what_may_not_go_any_more_when_it_is_deleted_stays() {
    let place = Place::farmed();
    let lock = place.lock();
    // The pail of the oldest harvest is out again; a transaction of another one was changed.
    let changes = "
        CREATE TEMP TABLE again AS SELECT farmer_id, block_index, stake, ledger FROM harvests
            WHERE outcome = 'harvested' ORDER BY id LIMIT 1;
        INSERT INTO open_pails (block_index, farmer_id, stake, planted_ledger, due_time)
            SELECT block_index, farmer_id, stake, 4294967295, 0 FROM again;
        UPDATE operations SET error = 'changed' WHERE id = (SELECT operation_id FROM harvests
            WHERE outcome = 'harvested' ORDER BY id LIMIT 1 OFFSET 1);";
    let other = "SELECT count(*) FROM operations WHERE error = 'changed'";
    let of_it = "SELECT (SELECT count(*) FROM plantings p JOIN open_pails o USING (farmer_id, block_index)
             WHERE o.planted_ledger = 4294967295 AND p.outcome = 'planted')
         + (SELECT count(*) FROM harvests h JOIN open_pails o USING (farmer_id, block_index)
             WHERE o.planted_ledger = 4294967295 AND h.outcome = 'harvested')
         + (SELECT count(*) FROM events e JOIN open_pails o ON o.farmer_id = e.subject
             AND o.block_index = e.payload ->> 'block' WHERE o.planted_ledger = 4294967295 AND e.kind = 'plant.planted')";
    let mut state = State::write_access(&place.path(), run_at(LATER), &lock).unwrap();
    let (config, stop, beside) = (config(&[]), Stop::default(), Beside(place.path(), changes));
    let mut work = work(&config, &mut state, &lock, &stop);
    work.progress = &beside;
    let age = Duration::from_secs(u64::try_from(90 * DAY).unwrap());
    let report = prune(&mut work, age, None).unwrap();
    assert!(report.total() > 50, "{report:?}");
    assert_eq!((count(&place, other), count(&place, of_it)), (1, 3));
    assert!(count(&place, "SELECT count(*) FROM events WHERE kind = 'state.prune_done'") == 1);
    let chain = state::verify_chain(&place.outsider()).unwrap();
    assert_eq!(chain.broken, None);
    // As it was before, it goes with the next one.
    place
        .outsider()
        .execute_batch(
            "DELETE FROM open_pails WHERE planted_ledger = 4294967295;
             UPDATE operations SET error = NULL WHERE error = 'changed';",
        )
        .unwrap();
    drop(state);
    let next = pruned_at(&place, &lock, LATER + 1, 90 * DAY).unwrap();
    assert!(next.total() > 0, "{next:?}");
    is_sound(&place);
}

#[test]
fn the_last_two_syncs_of_a_pool_stay() {
    let place = Place::farmed();
    let lock = place.lock();
    place
        .outsider()
        .execute_batch(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20)
             INSERT INTO pool_snapshots SELECT s.pool_id, s.block_number - i, s.block_hash, s.block_timestamp, s.endpoint,
                 s.synced_at - i, s.total_assets, s.total_shares, s.rate_e18, s.paused, s.min_deposit, s.max_deposit,
                 s.cooldown_sec FROM n, pool_snapshots s JOIN pools p ON p.id = s.pool_id AND p.synced_block = s.block_number
             WHERE true ON CONFLICT DO NOTHING",
        )
        .unwrap();
    let pools = vault::pool::list(place.reader().conn()).unwrap();
    let figures = || {
        let reader = place.reader();
        pools
            .iter()
            .map(|pool| {
                let block = pool.synced_block.unwrap();
                let rate = vault::pool::rate_before(reader.conn(), pool, block).unwrap();
                format!("{:?} {rate:?}", vault::pool::snapshot(reader.conn(), pool).unwrap())
            })
            .collect::<Vec<_>>()
    };
    let before = (rows_of(&place.outsider()), figures());
    let report = pruned_at(&place, &lock, LATER, 90 * DAY).unwrap();
    is_split(&before.0, &place, &report);
    assert_eq!(figures(), before.1);
    for pool in &pools {
        let sql = format!("SELECT count(*) FROM pool_snapshots WHERE pool_id = {}", pool.id);
        assert_eq!(count(&place, &sql), 2);
    }
    is_sound(&place);
}

fn fates() -> impl Strategy<Value = Vec<[Fate; 3]>> {
    // Mostly they harvest; what is still out is rare.
    let fate = prop_oneof![
        12 => Just(Fate::Harvested),
        1 => Just(Fate::Open),
        8 => proptest::sample::select(Fate::ALL.to_vec()),
    ];
    proptest::collection::vec([fate.clone(), fate.clone(), fate], 1..8)
}

/// Whether a farmer's rows of a block should still be there.
fn stays(season: &[[Fate; 3]], block: usize, farmer: usize, cut: i64) -> bool {
    let fate = season[block][farmer];
    let began = |block: usize| BEGAN + i64::try_from(block).unwrap() * BLOCK;
    // The newest block in which anybody tried to plant.
    let newest = season.iter().rposition(|fates| fates.iter().any(|fate| *fate != Fate::Idle)).unwrap_or(0);
    if block >= newest || began(block) + 5 >= cut || fate.is_out() || fate == Fate::Lost {
        return true;
    }
    if !fate.is_back() {
        return false;
    }
    // Its own harvest must be known while an older or contemporary stake of the farmer is sought.
    let ended = began(block) + HARVEST;
    let sought = (0..season.len())
        .any(|other| season[other][farmer].is_out() && ledger(began(other) + 5) <= ledger(ended));
    ended >= cut || sought
}

#[test]
fn whatever_the_past_what_should_go_goes_and_nothing_else() {
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() });
    let strategy = (fates(), 0..9 * BLOCK, 0..9 * BLOCK);
    let result = runner.run(&strategy, |(season, first, second)| {
        let place = Place::fresh();
        let lock = place.lock();
        past::begin(&place, &lock);
        past::season(&place, &lock, &season);
        is_sound(&place);
        let balances = rows_of(&place.outsider())["ledger_accounts"].clone();
        // Twice: what the first leaves is the second's whole past.
        for after in [first.min(second), first.max(second)] {
            let cut = BEGAN + after;
            let before = rows_of(&place.outsider());
            let report = pruned_at(&place, &lock, cut + DAY, DAY).unwrap();
            is_split(&before, &place, &report);
            is_sound(&place);
            prop_assert_eq!(&rows_of(&place.outsider())["ledger_accounts"], &balances);
            let conn = place.outsider();
            for (block, fates) in season.iter().enumerate() {
                for (farmer, fate) in fates.iter().enumerate().filter(|(_, fate)| **fate != Fate::Idle) {
                    let sql = "SELECT (SELECT count(*) FROM plantings WHERE block_index = ?1 AND farmer_id = ?2)
                        + (SELECT count(*) FROM works WHERE block_index = ?1 AND farmer_id = ?2)
                        + (SELECT count(*) FROM harvests WHERE block_index = ?1 AND farmer_id = ?2)
                        + (SELECT count(*) FROM operations WHERE plan ->> 'block' = ?1 AND plan ->> 'farmer' = ?2)";
                    let left: i64 = conn
                        .query_row(sql, rusqlite::params![block, FARMERS[farmer].0], |row| row.get(0))
                        .unwrap();
                    let want = stays(&season, block, farmer, cut);
                    prop_assert_eq!(left > 0, want, "block {}, farmer {}, {:?}: {} rows", block, farmer, fate, left);
                }
            }
        }
        Ok(())
    });
    result.unwrap();
}
