//! Opening and creating the state file, and refusing what is not one.

use super::connect::{self, Journal, Watch};
use super::identity::{APPLICATION_ID, identify};
use super::lock::LastRun;
use super::{Lock, backup, schema, steps};
use crate::columns::only;
use crate::{Permit, Run, Tx, runs};
use base::files::{self, Access, Draft};
use base::{Code, Error, Exit, Remedy, Result, killpoint, say};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, MAIN_DB, OpenFlags, TransactionBehavior};
#[cfg(debug_assertions)]
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Rows after which the write-ahead log is worth shrinking.
const BULK_ROWS: u64 = 50_000;

/// Memory for pages of a file that is written to, in KiB; taken as it is needed. A replay touches indexes all over.
const CACHE_KIB: i64 = 160 * 1024;

#[cfg(debug_assertions)]
thread_local! {
    /// What runs before the next write, see [`State::before_next_write`].
    static BEFORE_WRITE: Cell<Option<Box<dyn FnOnce()>>> = const { Cell::new(None) };
}

/// An open state file.
#[derive(Debug)]
pub struct State {
    conn: Connection,
    path: PathBuf,
    run: Run,
    watch: Option<Watch>,
    /// Of a rehearsal: whether it has written, so that other writers wait.
    rehearsal: Option<Arc<AtomicBool>>,
}

impl State {
    const fn new(conn: Connection, path: PathBuf, run: Run, watch: Option<Watch>) -> Self {
        Self { conn, path, run, watch, rehearsal: None }
    }

    /// Opens for reading only; never waits for a writer. In a folder that may not be written, a state that no run has open
    /// is opened as one that nobody changes: see [`State::watch`].
    ///
    /// # Errors
    /// `state_missing`, `state_foreign`, `state_too_new`, `state_outdated`, `state_corrupt`; `invalid_value` for what is no
    /// file, `conflict` for one with several names.
    pub fn read(path: &Path, run: Run) -> Result<Self> {
        let state = Self::unjudged(path, run)?;
        schema::must_be_own(&state.conn, path, steps::SCHEMA_VERSION)?;
        Ok(state)
    }

    /// As [`State::read`], for the check that is to say what is wrong with it: whatever else its schema has.
    pub fn unjudged(path: &Path, run: Run) -> Result<Self> {
        let (conn, watch) = connect::connect_to_read(path)?;
        is_of_today(&conn, path)?;
        Ok(Self::new(conn, path.to_owned(), run, watch))
    }

    /// As [`State::read`], for those who would rather know nothing than wait for an instant, or leave a trace: no file is
    /// made beside the state, as even a reader's log index is.
    ///
    /// # Errors
    /// As [`State::read`], and `state_error` where another process keeps the whole file to itself.
    pub fn glance(path: &Path, run: Run) -> Result<Self> {
        let conn = if connect::is_at_rest(path) {
            // No run has it open. Should one begin to write this very moment, the worst is that nothing is known.
            connect::unchanging(path)?
        } else {
            connect::connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?
        };
        conn.busy_timeout(Duration::ZERO)?;
        is_of_today(&conn, path)?;
        schema::must_be_own(&conn, path, steps::SCHEMA_VERSION)?;
        Ok(Self::new(conn, path.to_owned(), run, None))
    }

    /// Opens for writing, migrating an older schema after an automatic backup. The whole file is looked at where the last
    /// run was killed, or where it is not the file that the last run left.
    pub fn write_access(path: &Path, run: Run, lock: &Lock) -> Result<Self> {
        let conn = connect::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // Tidying is no reason not to go on.
        let _ = files::sweep(path);
        let found = identify(&conn, path)?;
        schema::must_be_own(&conn, path, found)?;
        if found < steps::SCHEMA_VERSION && !lock.is_alone() {
            return Err(outdated(path, found));
        }
        match lock.last_run() {
            LastRun::Orderly => {}
            LastRun::Killed => must_be_whole(&conn, path, "quick_check")?,
            LastRun::Unknown => must_be_whole(&conn, path, "integrity_check")?,
        }
        conn.busy_timeout(lock.wait())?;
        Journal::Wal.set(&conn)?;
        conn.pragma_update(None, "synchronous", "FULL")?;
        if found < steps::SCHEMA_VERSION {
            let copy = backup::stamped(path, &format!("schema-{found}"), run.clock);
            // Judged by its structure: the invariants are those of today.
            backup::backup(&conn, &copy, |_| Ok(0))?;
            steps::migrate(&conn, found).map_err(|e| {
                e.context(format!("cannot migrate state {}", path.display()))
                    .hint(format!("the state before the migration is kept at {}", copy.display()))
            })?;
            schema::must_be_own(&conn, path, steps::SCHEMA_VERSION)?;
        }
        lock.vouch()?;
        conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
        // What takes back a long statement that fails: in bulk each touches so many pages that it would go to a file.
        conn.pragma_update(None, "temp_store", "MEMORY")?;
        conn.pragma_update(None, "query_only", true)?;
        Ok(Self::new(conn, path.to_owned(), run, None))
    }

    /// For a dry run, on the file itself: what is written is seen here alone, and taken back when this is dropped. From the
    /// first write on other writers wait, so nothing is to be waited for any more: see [`State::rehearsal`]. Who may not
    /// write to the file gets a private copy.
    pub fn rehearse(path: &Path, run: Run, wait: Duration) -> Result<Self> {
        let conn = connect::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        if conn.is_readonly(MAIN_DB)? || connect::probe(&conn).is_err() {
            // As who may not write to it; what else is wrong with the file is told there.
            return Self::scratch(path, run);
        }
        // The last one to close a file brings its log into it: that is a writer's, who notes how it left the file.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        is_of_today(&conn, path)?;
        schema::must_be_own(&conn, path, steps::SCHEMA_VERSION)?;
        conn.busy_timeout(wait)?;
        // Nothing of it goes to a disk.
        conn.pragma_update(None, "cache_spill", false)?;
        conn.pragma_update(None, "temp_store", "MEMORY")?;
        conn.pragma_update(None, "query_only", true)?;
        let rehearsal = Some(Arc::default());
        Ok(Self { rehearsal, ..Self::new(conn, path.to_owned(), run, None) })
    }

    /// A private copy that vanishes when closed: for a dry run of what waits for the network between its writes.
    pub fn scratch(path: &Path, run: Run) -> Result<Self> {
        let source = Self::read(path, run.clone())?;
        // An empty name is a temporary database that spills to disk only under memory pressure.
        let mut conn = Connection::open("")?;
        {
            let copy = rusqlite::backup::Backup::new(&source.conn, &mut conn)?;
            // In one step, so that no writer's commit makes it begin anew.
            copy.run_to_completion(i32::MAX, Duration::ZERO, None)?;
        }
        connect::configure(&conn)?;
        conn.pragma_update(None, "query_only", true)?;
        // What was copied is one moment of the file, unless somebody changed it under the copy.
        source.watch().map_or(Ok(()), Watch::is_unchanged)?;
        Ok(Self::new(conn, path.to_owned(), run, None))
    }

    /// Where the file was opened as one that nobody changes: what tells afterwards whether that was so.
    pub const fn watch(&self) -> Option<&Watch> {
        self.watch.as_ref()
    }

    /// For queries. Writing through it fails: the connection is `query_only` outside [`State::write`].
    pub const fn conn(&self) -> &Connection {
        &self.conn
    }

    /// Several queries on one and the same state, whatever others commit meanwhile. It is cheaper too: SQLite locks
    /// the file once, and not for each query.
    pub fn look(&self) -> Result<Look<'_>> {
        let own = self.conn.is_autocommit();
        if own {
            self.conn.execute_batch("BEGIN")?;
        }
        Ok(Look { conn: &self.conn, own })
    }

    /// Of a rehearsal: whether it has written by now.
    pub fn rehearsal(&self) -> Option<Arc<AtomicBool>> {
        self.rehearsal.clone()
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Who writes.
    pub const fn run(&self) -> &Run {
        &self.run
    }

    /// The one way to write: everything that `body` does becomes true at once, or not at all.
    ///
    /// # Errors
    /// What `body` returns, after rolling back; `state_error` where the disk or a constraint refuses.
    pub fn write<T>(&mut self, _permit: Permit<'_>, body: impl FnOnce(&Tx<'_>) -> Result<T>) -> Result<T> {
        #[cfg(debug_assertions)]
        if let Some(hook) = BEFORE_WRITE.take() {
            hook();
        }
        self.conn.pragma_update(None, "query_only", false)?;
        let result = match &self.rehearsal {
            None => Self::commit(&mut self.conn, &self.run, body),
            Some(written) => Self::try_out(&self.conn, &self.run, written, body),
        };
        self.conn.pragma_update(None, "query_only", true)?;
        result
    }

    /// Lets a test do what another run does between a decision and its write: `hook` runs once, before this thread's next
    /// write begins. Compiled out of release builds.
    #[cfg(debug_assertions)]
    #[doc(hidden)]
    pub fn before_next_write(hook: impl FnOnce() + 'static) {
        BEFORE_WRITE.set(Some(Box::new(hook)));
    }

    fn commit<T>(conn: &mut Connection, run: &Run, body: impl FnOnce(&Tx<'_>) -> Result<T>) -> Result<T> {
        let before = conn.total_changes();
        let inner = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let tx = Tx::new(&inner, run);
        let value = body(&tx)?;
        if inner.total_changes() == before {
            return Ok(value);
        }
        tx.count()?;
        killpoint::reach();
        inner.commit()?;
        killpoint::reach();
        Ok(value)
    }

    /// Writes, in a transaction that stays open. Where that fails, all that was written is taken back, that of earlier writes too:
    /// who rehearses must not go on then.
    fn try_out<T>(
        conn: &Connection,
        run: &Run,
        written: &AtomicBool,
        body: impl FnOnce(&Tx<'_>) -> Result<T>,
    ) -> Result<T> {
        if conn.is_autocommit() {
            conn.execute_batch("BEGIN IMMEDIATE")?;
        }
        let done = body(&Tx::new(conn, run));
        if done.is_err() && !conn.is_autocommit() {
            conn.execute_batch("ROLLBACK")?;
        }
        written.store(done.is_ok(), Ordering::Relaxed);
        done
    }

    /// Notes when a run of a scheduled command ended, and how, so that one with nothing to do stays short.
    pub fn note_run(&self, permit: Permit<'_>, command: &str, exit: Exit) -> Result<runs::Noted> {
        self.note(permit, |conn| runs::put(conn, command, exit, self.run.clock.now()))
    }

    /// Notes that a run ended otherwise than it had noted.
    pub fn amend_run(&self, permit: Permit<'_>, noted: &runs::Noted, exit: Exit) -> Result<()> {
        self.note(permit, |conn| runs::amend(conn, noted, exit))
    }

    /// Writes what is no fact of the audit log: the data version stays as it is, and the disk need not have it before the
    /// next commit.
    pub fn note<T>(&self, _permit: Permit<'_>, body: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.conn.execute_batch("PRAGMA query_only = 0; PRAGMA synchronous = NORMAL")?;
        let noted = body(&self.conn);
        self.conn.execute_batch("PRAGMA synchronous = FULL; PRAGMA query_only = 1")?;
        noted
    }

    /// To be called when so many rows were written: shrinks the write-ahead log if they are many. Readers and writers in
    /// the way are no error, and are hardly waited for.
    pub fn after_bulk(&self, rows: u64) -> Result<()> {
        if rows < BULK_ROWS || self.rehearsal.is_some() {
            return Ok(());
        }
        let wait: u64 = self.conn.pragma_query_value(None, "busy_timeout", |row| row.get(0))?;
        self.conn.busy_timeout(connect::INSTANT)?;
        let shrunk = self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        self.conn.busy_timeout(Duration::from_millis(wait))?;
        Ok(shrunk?)
    }
}

/// One moment of the state, until dropped. See [`State::look`].
#[derive(Debug)]
pub struct Look<'a> {
    conn: &'a Connection,
    own: bool,
}

impl Look<'_> {
    /// For queries.
    pub const fn conn(&self) -> &Connection {
        self.conn
    }
}

impl Drop for Look<'_> {
    fn drop(&mut self) {
        if self.own {
            // Nothing was written, so there is nothing that could fail to be.
            let _ = self.conn.execute_batch("COMMIT");
        }
    }
}

/// Creates a new state file with the whole schema; the file appears complete or not at all.
///
/// # Errors
/// `conflict` where the file exists, `io_error`/`state_error` where it cannot be written.
pub fn create(path: &Path) -> Result<()> {
    let taken = || {
        Error::new(Code::Conflict, format!("state {} exists already", path.display()))
            .hint(say("it is left as it is; choose another place with ").with("state"))
    };
    if path.exists() {
        return Err(taken());
    }
    let io = |e: std::io::Error| {
        Error::new(Code::Io, format!("cannot create state {}: {e}", path.display()))
            .hint(say("choose a writable folder with ").with("state"))
    };
    std::fs::create_dir_all(files::folder_of(path)).map_err(io)?;
    let draft = Draft::beside(path, Access::Shared).map_err(io)?;
    build(draft.path())?;
    if draft.publish_new().map_err(io)? { Ok(()) } else { Err(taken()) }
}

/// The schema version of the state file at `path`, which may be older than this program's.
pub fn schema_of(path: &Path) -> Result<u32> {
    identify(&connect::connect_to_read(path)?.0, path)
}

fn build(draft: &Path) -> Result<()> {
    let conn = connect::open(draft, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    Journal::Wal.set(&conn)?;
    conn.execute_batch(&format!(
        "PRAGMA application_id = {APPLICATION_ID}; BEGIN IMMEDIATE; {}
         INSERT INTO meta VALUES ('data_version', '0');
         PRAGMA user_version = {}; COMMIT;",
        steps::SCHEMA,
        steps::SCHEMA_VERSION
    ))?;
    connect::checkpoint(&conn)?;
    conn.close().map_err(|(_, e)| Error::from(e))?;
    Journal::Wal.is_that_of(draft)
}

/// Refuses a state of another schema than this program's.
fn is_of_today(conn: &Connection, path: &Path) -> Result<()> {
    let found = identify(conn, path)?;
    if found == steps::SCHEMA_VERSION { Ok(()) } else { Err(outdated(path, found)) }
}

fn outdated(path: &Path, found: u32) -> Error {
    let why = format!(
        "state {} has schema {found}, this poolctl reads schema {}",
        path.display(),
        steps::SCHEMA_VERSION
    );
    Error::new(Code::StateOutdated, why)
        .hint(say("run: ").run("state migrate").say(" (it makes a backup first)"))
}

/// Refuses a file that SQLite finds damaged.
fn must_be_whole(conn: &Connection, path: &Path, pragma: &str) -> Result<()> {
    let word: String = conn.query_row(&format!("PRAGMA {pragma}(1)"), [], only)?;
    if word == "ok" {
        return Ok(());
    }
    Err(Error::new(Code::StateCorrupt, format!("state {} is damaged: {word}", path.display()))
        .hint(say("nothing was changed; ").then(Remedy::restore())))
}
