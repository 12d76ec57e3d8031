//! A state file in a folder of its own, as the library opens it and as an outsider does.

use base::clock::Clock;
use base::{Silent, Stop};
use config::{Config, Sources};
use rusqlite::Connection;
use state::{Holder, Lock, Permit, Run, State, Work};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use watch::check::CheckReport;

/// A dump of a state that the program itself wrote; its first lines say how.
pub const FIXTURE: &str = include_str!("../fixtures/state-v1.sql");

/// The same of schema 2, with a farm.
pub const FARM: &str = include_str!("../fixtures/state-v2.sql");

pub struct Place {
    folder: TempDir,
}

impl Place {
    /// A folder without a state.
    pub fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A state without rows.
    pub fn fresh() -> Self {
        let place = Self::empty();
        state::create(&place.path()).unwrap();
        place
    }

    /// The state of the fixture as it was stored, of schema 1: two pools, synced, paid, claimed.
    pub fn stored() -> Self {
        let place = Self::empty();
        place.outsider().execute_batch(FIXTURE).unwrap();
        place
    }

    /// The state of the fixture, with the schema of today.
    pub fn lived_in() -> Self {
        let place = Self::stored();
        place.migrate();
        place
    }

    /// Takes an older state to the schema of today, without the copy that is kept of it.
    fn migrate(&self) {
        let lock = self.lock();
        drop(self.writer(&lock));
        for copy in self.files(".schema-") {
            std::fs::remove_file(self.folder().join(copy)).unwrap();
        }
    }

    /// The state of the second fixture, migrated: two pools and a farm, whose last stakes are still out.
    pub fn farmed() -> Self {
        let place = Self::empty();
        place.outsider().execute_batch(FARM).unwrap();
        place.migrate();
        place
    }

    /// The same, two years later, after a prune.
    pub fn pruned() -> Self {
        let place = Self::farmed();
        let lock = place.lock();
        let mut state = State::write_access(&place.path(), run_at(1_860_000_000), &lock).unwrap();
        let (config, stop) = (config(&[]), Stop::default());
        let work = &mut work(&config, &mut state, &lock, &stop);
        let report = state::prune(work, Duration::from_hours(24), None).unwrap();
        assert!(report.rows["events"] > 20 && report.rows["harvests"] > 0, "{report:?}");
        place
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self) -> PathBuf {
        self.folder().join("state.sqlite")
    }

    /// The names of all files beside the state that contain `part`.
    pub fn files(&self, part: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder()).unwrap();
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).filter(|n| n.contains(part)).collect()
    }

    /// The file as any SQLite tool opens it.
    pub fn outsider(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    pub fn lock(&self) -> Lock {
        Lock::acquire(&self.path(), &holder(), Duration::ZERO, &Stop::default()).unwrap()
    }

    pub fn writer(&self, lock: &Lock) -> State {
        State::write_access(&self.path(), run(), lock).unwrap()
    }

    pub fn reader(&self) -> State {
        State::read(&self.path(), run()).unwrap()
    }

    pub fn check(&self) -> CheckReport {
        state::check(self.reader().conn(), true).unwrap()
    }
}

pub fn run() -> Run {
    run_at(1_700_000_000)
}

/// A run at this second.
pub fn run_at(second: i64) -> Run {
    Run { id: "run".into(), actor: "tester".into(), clock: Clock::Fixed(second) }
}

pub fn holder() -> Holder {
    Holder { pid: std::process::id(), command: "sync".into(), since: 1_700_000_000 }
}

/// What a service is handed.
pub fn work<'a>(config: &'a Config, state: &'a mut State, lock: &'a Lock, stop: &'a Stop) -> Work<'a> {
    Work { config, state, permit: Permit::of(lock), progress: &Silent, stop }
}

/// The settings of the sandbox profile with these on top.
pub fn config(settings: &[(&'static str, String)]) -> Config {
    let flags = settings.iter().map(|(key, value)| (*key, value.clone(), "--set")).collect();
    let sources = Sources { flags, data_dir: "/data".into(), ..Sources::default() };
    Config::resolve(&sources).unwrap()
}

/// (type, name, definition) of everything in a database, white space and comments aside.
pub fn structure(conn: &Connection) -> Vec<(String, String, String)> {
    let mut statement =
        conn.prepare("SELECT type, name, coalesce(sql, '') FROM sqlite_master ORDER BY type, name").unwrap();
    let rows = statement.query_map([], |row| {
        let sql: String = row.get(2)?;
        let code = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
        let words: Vec<String> = code.flat_map(str::split_whitespace).map(str::to_owned).collect();
        Ok((row.get(0)?, row.get(1)?, words.join(" ")))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// The structure of `schema.sql`.
pub fn schema() -> Vec<(String, String, String)> {
    let conn = Connection::open_in_memory().unwrap();
    conn.execute_batch(include_str!("../../schema.sql")).unwrap();
    structure(&conn)
}
