//! The archive: an SQLite file with the very rows that go, written, read back and on the disk before anything is deleted.

use super::select::{Cut, Selection};
use super::tables::{Copying, Counts, EVENTS, Sink, TABLES};
use crate::columns::only;
use crate::file::{ARCHIVE_ID, digest, io_error, sibling, stamped};
use crate::rows::Row;
use crate::{Run, State, events, rows};
use base::clock::Clock;
use base::{Code, Error, Result, Stop, files, say};
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, params};
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

/// A finished archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Archive {
    /// Where it is to be.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// SHA-256, lower-case hex.
    pub sha256: String,
    /// What is in it.
    pub counts: Counts,
}

/// Where an archive stands until it is whole.
fn draft_of(path: &Path) -> PathBuf {
    sibling(path, "partial")
}

/// Writes and checks the archive of everything before `cut`, still under the name of a draft; `None` where nothing is
/// that old.
/// `conflict` where `path` exists; `io_error`, `state_error` where the disk refuses; `check_failed` where what is read
/// back is not what was written; those of [`Selection::walk`]. Nothing is left behind.
pub(super) fn write(
    state: &State,
    path: &Path,
    cut: &Cut,
    stop: &Stop,
    progress: &mut dyn FnMut(u64),
) -> Result<Option<Archive>> {
    if files::is_there(path)? {
        // Where there is nothing to be pruned, there is nothing to refuse: the prune may have been this one.
        let look = state.look()?;
        Selection::new(look.conn(), cut, stop)?.walk(&mut Taken(path), progress)?;
        return Ok(None);
    }
    let draft = draft_of(path);
    remove(&draft)?;
    // What SQLite says of its files names none of them.
    let named = |e: Error| match e.code() {
        Code::State => e.context(format!("cannot write the archive {}", path.display())),
        _ => e,
    };
    let written = fill(state, &draft, cut, stop, progress).map_err(named).and_then(|counts| {
        if counts.total() == 0 {
            return Ok(None);
        }
        check(&draft, &counts)?;
        File::open(&draft).and_then(|file| file.sync_all()).map_err(|e| io_error(&draft, &e))?;
        let (bytes, sha256) = digest(&draft).map_err(|e| io_error(&draft, &e))?;
        Ok(Some(Archive { path: path.to_owned(), bytes, sha256, counts }))
    });
    if !matches!(written, Ok(Some(_))) {
        remove(&draft)?;
    }
    written
}

/// Refuses the first row: the name of its archive is taken.
struct Taken<'p>(&'p Path);

impl Sink for Taken<'_> {
    fn take(&mut self, _table: usize, _row: &Row<'_>) -> Result<()> {
        Err(Error::new(Code::Conflict, format!("{} exists already", self.0.display())).hint(
            say("it is left as it is, and nothing was pruned; give the archive a new name with ")
                .with("archive"),
        ))
    }
}

fn remove(draft: &Path) -> Result<()> {
    match fs::remove_file(draft) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(io_error(draft, &e)),
        _ => Ok(()),
    }
}

fn fill(
    state: &State,
    draft: &Path,
    cut: &Cut,
    stop: &Stop,
    progress: &mut dyn FnMut(u64),
) -> Result<Counts> {
    let io = |e: &std::io::Error| io_error(draft, e);
    let mode = fs::metadata(state.path()).map_err(|e| io_error(state.path(), &e))?.permissions();
    OpenOptions::new().write(true).create_new(true).open(draft).map_err(|e| io(&e))?;
    fs::set_permissions(draft, mode).map_err(|e| io(&e))?;
    let conn = Connection::open_with_flags(
        draft,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    // A draft that is thrown away if this fails needs no journal; it is brought to the disk as a whole, at the end.
    conn.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536")?;
    conn.pragma_update(None, "foreign_keys", false)?;
    conn.pragma_update(None, "application_id", ARCHIVE_ID)?;
    conn.pragma_update(None, "user_version", super::super::SCHEMA_VERSION)?;
    let look = state.look()?;
    conn.execute_batch("BEGIN")?;
    build(look.conn(), &conn)?;
    let mut copying = Copying::into(&conn)?;
    Selection::new(look.conn(), cut, stop)?.walk(&mut copying, progress)?;
    let counts = std::mem::take(&mut copying.counts);
    drop(copying);
    describe(look.conn(), &conn, cut, state.run())?;
    // What of a pail goes with its harvest is looked up by it.
    conn.execute_batch(
        "CREATE INDEX plantings_by_block ON plantings (block_index, farmer_id);
         CREATE INDEX works_by_block ON works (block_index, farmer_id);
         CREATE INDEX harvests_by_block ON harvests (block_index, farmer_id);
         COMMIT",
    )?;
    conn.close().map_err(|(_, e)| Error::from(e))?;
    Ok(counts)
}

/// The tables as they are in the state. Their keys of farmers, pools and accounts are those of the state.
fn build(state: &Connection, archive: &Connection) -> Result<()> {
    let mut definition = state.prepare("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?1")?;
    for name in TABLES.iter().map(|table| table.name).chain(["meta"]) {
        let sql: String = definition.query_row([name], only)?;
        archive.execute_batch(&sql)?;
    }
    Ok(())
}

/// Where the rows come from, and up to when: the state's own facts, and those of this run.
fn describe(state: &Connection, archive: &Connection, cut: &Cut, run: &Run) -> Result<()> {
    let mut insert = archive.prepare("INSERT INTO meta VALUES (?1, ?2)")?;
    let mut facts = state.prepare("SELECT key, value FROM meta")?;
    let mut facts = rows::of(&mut facts, [])?;
    while let Some(row) = &facts.next()? {
        let (key, value): (String, String) = (row.get("key")?, row.get("value")?);
        insert.execute(params![key, value])?;
    }
    let mut ends = archive.prepare(
        "SELECT 'first' AS place, id, hash FROM events WHERE id = (SELECT min(id) FROM events)
         UNION ALL SELECT 'last', id, hash FROM events WHERE id = (SELECT max(id) FROM events)",
    )?;
    let mut ends = rows::of(&mut ends, [])?;
    while let Some(row) = &ends.next()? {
        let (place, id, hash): (String, i64, String) = (row.get("place")?, row.get("id")?, row.get("hash")?);
        insert.execute(params![format!("prune_{place}_event"), format!("{id}:{hash}")])?;
    }
    for (key, value) in
        [("prune_before", cut.at()), ("prune_run", &run.id), ("prune_at", &run.clock.rfc3339())]
    {
        insert.execute(params![key, value])?;
    }
    Ok(())
}

/// Reads a draft back: it is sound, has as many rows as were written, and the hash of each event fits.
fn check(draft: &Path, counts: &Counts) -> Result<()> {
    let bad = |why: String| {
        Err(Error::new(Code::CheckFailed, format!("the archive {} is not sound: {why}", draft.display()))
            .hint("nothing was pruned; check the disk"))
    };
    let conn = read_only(draft)?;
    let word: String = conn.query_row("PRAGMA quick_check", [], only)?;
    if word != "ok" {
        return bad(word);
    }
    for (table, written) in TABLES.iter().zip(counts.0) {
        let found: u64 = conn.prepare(&table.count())?.query_row([], only)?;
        if found != written {
            return bad(format!("{written} rows of {} were written, {found} are in it", table.name));
        }
    }
    let [events, ..] = &TABLES;
    let mut statement = conn.prepare(&events.all())?;
    let mut rows = rows::of(&mut statement, [])?;
    while let Some(row) = &rows.next()? {
        if !events::is_intact(row)? {
            return bad(format!(
                "event {}: its hash does not fit its contents, in the state neither",
                row.get::<_, i64>("id")?
            ));
        }
    }
    Ok(())
}

fn read_only(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags)
        .map_err(|e| Error::from(e).context(format!("archive {}", path.display())))
}

impl Archive {
    /// Gives the draft its name, which must be free, and brings that to the disk. Done already, it is only checked.
    ///
    /// # Errors
    /// `drift` where neither it nor its draft is the file that was written; `conflict` where its name is taken by
    /// another file; `io_error`.
    pub fn publish(&self) -> Result<()> {
        let draft = draft_of(&self.path);
        let io = |e: &std::io::Error| io_error(&self.path, e);
        if !self.is(&self.path)? {
            if !self.is(&draft)? {
                let why = format!(
                    "the archive {} of an interrupted prune is not where it was, or was changed",
                    self.path.display()
                );
                return Err(Error::new(Code::Drift, why));
            }
            if !files::rename_new(&draft, &self.path).map_err(|e| io(&e))? {
                return Err(Error::new(Code::Conflict, format!("{} exists already", self.path.display()))
                    .hint("move it away and run the same command again: it goes on"));
            }
            base::killpoint::reach();
        }
        remove(&draft)?;
        // Its rows are deleted next: a folder that cannot be brought to the disk ends it here.
        File::open(files::folder_of(&self.path)).and_then(|folder| folder.sync_all()).map_err(|e| io(&e))
    }

    /// Whether there is a file, and it is this one.
    fn is(&self, path: &Path) -> Result<bool> {
        if !files::is_there(path)? {
            return Ok(false);
        }
        Ok(digest(path).map_err(|e| io_error(path, &e))? == (self.bytes, self.sha256.clone()))
    }

    /// For reading.
    pub fn open(&self) -> Result<Connection> {
        read_only(&self.path)
    }
}

/// The name that an archive gets by itself.
pub(super) fn beside(state: &Path, clock: Clock) -> PathBuf {
    stamped(state, "pruned", clock)
}

/// Removes drafts of runs that were killed, of the names that archives get by themselves; `kept` is gone on with.
pub(super) fn sweep_unless(state: &Path, kept: Option<&Path>) -> Result<()> {
    let kept = kept.map(draft_of);
    let Some((folder, name)) = state.parent().zip(state.file_name()) else { return Ok(()) };
    let prefix = format!("{}.pruned-", name.to_string_lossy());
    for entry in fs::read_dir(folder).map_err(|e| io_error(folder, &e))? {
        let entry = entry.map_err(|e| io_error(folder, &e))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_draft = name.starts_with(&prefix) && name.ends_with(".partial");
        if is_draft && kept.as_ref() != Some(&entry.path()) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// An event of the archive.
#[derive(Debug)]
pub(super) struct Archived {
    pub id: i64,
    pub kind: String,
    pub farmer: String,
    pub block: Option<i64>,
    pub key: Option<String>,
    pub prev_hash: String,
    pub hash: String,
    /// The whole row.
    pub row: Vec<Value>,
}

/// The next events after `after`, oldest first.
pub(super) fn events_after(archive: &Connection, after: i64, limit: usize) -> Result<Vec<Archived>> {
    let sql =
        "SELECT *, json_extract(payload, '$.block') AS block, json_extract(payload, '$.key') AS key FROM events
         WHERE id > ?1 ORDER BY id LIMIT ?2";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    rows::all(archive, sql, params![after, limit], |row| {
        Ok(crate::from_row!(row => Archived { id, kind, block, key, prev_hash, hash } and {
            farmer: row.get("subject")?,
            row: super::tables::kept(EVENTS, row)?,
        }))
    })
}
