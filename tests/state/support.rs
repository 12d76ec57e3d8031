//! A state file in a folder of its own, as the library opens it and as an outsider does.

use base::clock::Clock;
use base::{Silent, Stop};
use config::{Config, Sources};
use rusqlite::Connection;
use state::{Holder, Lock, Permit, Run, State, WriteContext};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use watch::check::CheckReport;

/// The rows of a state that the program itself wrote: two pools, synced, paid, claimed.
pub const POOLS: &str = include_str!("../fixtures/pools.sql");

/// The same with a farm, whose last stakes are still out.
pub const FARM: &str = include_str!("../fixtures/farm.sql");

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

    fn with(rows: &str) -> Self {
        let place = Self::fresh();
        place.outsider().execute_batch(rows).unwrap();
        drop(place.writer(&place.lock()));
        place
    }

    /// A state with [`POOLS`].
    pub fn lived_in() -> Self {
        Self::with(POOLS)
    }

    /// A state with [`FARM`].
    pub fn farmed() -> Self {
        Self::with(FARM)
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
        // A program that another test starts has all open files until it runs, and so the lock that was just let go of.
        Lock::acquire(&self.path(), &holder(), Duration::from_secs(5), &Stop::default()).unwrap()
    }

    /// With nobody else at work, as whoever migrates or replaces the state.
    pub fn alone(&self) -> Lock {
        Lock::alone(&self.path(), &holder(), Duration::ZERO, &Stop::default()).unwrap()
    }

    /// With a state that was looked at, so that its next writer lets others in at once.
    pub fn orderly(self) -> Self {
        drop(self.writer(&self.lock()));
        self
    }

    pub fn writer(&self, lock: &Lock) -> State {
        State::write_access(&self.path(), run(), lock).unwrap()
    }

    pub fn reader(&self) -> State {
        State::read(&self.path(), run()).unwrap()
    }

    pub fn check(&self) -> CheckReport {
        watch::check::check(self.reader().conn(), true).unwrap()
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
pub fn work<'a>(
    config: &'a Config,
    state: &'a mut State,
    lock: &'a Lock,
    stop: &'a Stop,
) -> WriteContext<'a> {
    WriteContext { config, state, permit: Permit::of(lock), progress: &Silent, stop }
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
