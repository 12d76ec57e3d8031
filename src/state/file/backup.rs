//! Copies of the state that are checked before they are believed.

use super::connect::{self, Journal};
use super::{Lock, identity, schema, steps};
use crate::Run;
use crate::columns::only;
use alloy::hex;
use base::clock::Clock;
use base::files::{Access, Draft};
use base::{Code, Error, Result, forms, say};
use rusqlite::{Connection, OpenFlags};
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Judges a state of today's schema: how many audit events it has, or `check_failed` with what is wrong.
pub type Sound = fn(&Connection) -> Result<i64>;

/// A finished, checked copy.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct BackupReport {
    /// Where it is.
    pub path: PathBuf,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the file, lower-case hex.
    #[schemars(with = "forms::Digest")]
    pub sha256: String,
    /// Number of audit events in it.
    pub events: i64,
}

/// Copies an open state to `target` with SQLite's backup API, checks the copy, and only then gives it its name.
///
/// # Errors
/// `conflict` where `target` exists; `io_error`/`state_error` where the disk refuses; `check_failed` for a copy
/// that is not sound.
pub fn backup(conn: &Connection, target: &Path, sound: Sound) -> Result<BackupReport> {
    let taken = || {
        Error::new(Code::Conflict, format!("{} exists already", target.display()))
            .hint("it is left as it is; give the backup a new name")
    };
    if target.symlink_metadata().is_ok() {
        return Err(taken());
    }
    let (draft, report) = checked(conn, target, target, sound)?;
    if !draft.publish_new().map_err(|e| io_error(target, &e))? {
        return Err(taken());
    }
    Ok(report)
}

/// As [`backup`], for what is no file: `send` gets the checked copy, from its beginning on, and sends it to `target`. The
/// copy is beside the state, and gone afterwards.
pub fn send_backup(
    conn: &Connection,
    target: &Path,
    sound: Sound,
    send: impl FnOnce(&mut File) -> Result<()>,
) -> Result<BackupReport> {
    let (draft, report) = checked(conn, Path::new(conn.path().unwrap_or_default()), target, sound)?;
    let mut copy = File::open(draft.path()).map_err(|e| io_error(draft.path(), &e))?;
    send(&mut copy)?;
    Ok(report)
}

/// A checked copy that is a draft still, beside what is named first, and the report on it as `target`.
fn checked(conn: &Connection, beside: &Path, target: &Path, sound: Sound) -> Result<(Draft, BackupReport)> {
    let draft = Draft::beside(beside, Access::Shared).map_err(|e| io_error(beside, &e))?;
    copy(conn, draft.path()).map_err(|e| e.context(format!("cannot write {}", target.display())))?;
    let report = report(draft.path(), target, sound)?;
    Ok((draft, report))
}

/// Checks a file, and reports on it as `target`.
fn report(file: &Path, target: &Path, sound: Sound) -> Result<BackupReport> {
    let events = events_of(file, sound)?;
    let (bytes, sha256) = digest(file).map_err(|e| io_error(target, &e))?;
    Ok(BackupReport { path: target.to_owned(), bytes, sha256, events })
}

/// Copies into an empty file: one plain file, without a write-ahead log beside it.
fn copy(conn: &Connection, draft: &Path) -> Result<()> {
    let mut file = connect::open(draft, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    {
        let backup = rusqlite::backup::Backup::new(conn, &mut file)?;
        // All at once: between two steps a writer's commit would make the copy begin anew, again and again.
        // In WAL mode nobody waits for it.
        backup.run_to_completion(i32::MAX, Duration::ZERO, None)?;
    }
    Journal::Rollback.set(&file)?;
    file.close().map_err(|(_, e)| Error::from(e))?;
    Journal::Rollback.is_that_of(draft)
}

/// Checks a file as a state that could be restored; changes nothing.
///
/// # Errors
/// `io_error` where it is missing or cannot be read; `check_failed` and the `state_…` codes for what is no sound state.
pub fn inspect(source: &Path, sound: Sound) -> Result<BackupReport> {
    is_there(source)?;
    report(source, source, sound)
}

fn is_there(source: &Path) -> Result<()> {
    match fs::metadata(source) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err(Error::new(Code::InvalidValue, format!("{} is not a regular file", source.display()))
            .hint("name a backup that poolctl made")),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            Err(Error::new(Code::Io, format!("there is no file {}", source.display())))
        }
        Err(e) => Err(io_error(source, &e)),
    }
}

/// Opens a copy to read it. What may be beside it stays there.
fn open_copy(path: &Path) -> Result<(Connection, u32)> {
    let conn = connect::open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let version = identity::identify(&conn, path)?;
    Ok((conn, version))
}

/// Checks a file as a whole state and returns how many events it has.
fn events_of(path: &Path, sound: Sound) -> Result<i64> {
    let (conn, version) = open_copy(path)?;
    if version < steps::SCHEMA_VERSION {
        // Its invariants are those of an older schema; the structure is what can be judged.
        if let Some(found) = schema::difference(&conn, version)? {
            return Err(unsound(path, &found.why));
        }
        let word: String = conn.query_row("PRAGMA integrity_check", [], only)?;
        return if word == "ok" { Ok(0) } else { Err(unsound(path, &word)) };
    }
    sound(&conn).map_err(|e| if e.code() == Code::CheckFailed { unsound(path, e.message()) } else { e })
}

fn unsound(path: &Path, why: &str) -> Error {
    Error::new(Code::CheckFailed, format!("{} is not a sound state: {why}", path.display()))
        .hint(say("see: ").run("state check").with("state").of("FILE"))
}

/// Verifies `source` and swaps it in for the state at `path`, which `lock` has alone; the replaced file is kept beside it.
///
/// Returns the report on the source, as the state that is now in place, and where the replaced one is, if there was one.
///
/// # Errors
/// As [`backup`]; `state_locked` where somebody reads the state for long. Nothing is changed unless `source` is sound.
pub fn restore(
    source: &Path,
    path: &Path,
    run: &Run,
    lock: &Lock,
    sound: Sound,
) -> Result<(BackupReport, Option<PathBuf>)> {
    is_there(source)?;
    // Through a link, what it leads to is replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let (draft, report) = checked(&open_copy(source)?.0, path, path, sound)?;
    let state = connect::open(draft.path(), OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    Journal::Wal.set(&state)?;
    connect::checkpoint(&state)?;
    state.close().map_err(|(_, e)| Error::from(e))?;
    Journal::Wal.is_that_of(draft.path())?;
    let kept = target.exists().then(|| stamped(path, "before-restore", run.clock));
    if let Some(kept) = &kept {
        set_aside(&target, kept)?;
    }
    draft.replace().map_err(|e| io_error(path, &e))?;
    lock.vouch()?;
    Ok((report, kept))
}

/// Keeps the present state under another name, and leaves nothing beside it that could be taken for a part of the next. A
/// damaged file is copied as it is, with what is beside it.
fn set_aside(path: &Path, kept: &Path) -> Result<()> {
    let kept_whole = connect::open(path, OpenFlags::SQLITE_OPEN_READ_WRITE).and_then(|conn| {
        let draft = Draft::beside(kept, Access::Shared).map_err(|e| io_error(kept, &e))?;
        copy(&conn, draft.path())?;
        // Up to the swap, the file itself is the whole state.
        Ok((draft, connect::checkpoint(&conn)))
    });
    if let Ok((draft, settled)) = kept_whole {
        settled?;
        if !draft.publish_new().map_err(|e| io_error(kept, &e))? {
            return Err(Error::new(Code::Conflict, format!("{} exists already", kept.display())));
        }
    } else {
        for suffix in ["", "-journal", "-wal"] {
            let (from, to) = (connect::beside(path, suffix), connect::beside(kept, suffix));
            if from.exists() {
                fs::copy(&from, &to)
                    .and_then(|_| File::open(&to)?.sync_all())
                    .map_err(|e| io_error(&to, &e))?;
            }
        }
    }
    for suffix in connect::SIDES {
        let side = connect::beside(path, suffix);
        match fs::remove_file(&side) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(io_error(&side, &e)),
            _ => {}
        }
    }
    Ok(())
}

pub(crate) fn stamped(path: &Path, why: &str, clock: Clock) -> PathBuf {
    let stamp: String = clock.rfc3339().chars().filter(char::is_ascii_alphanumeric).collect();
    sibling(path, &format!("{why}-{stamp}"))
}

pub(crate) fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

pub(crate) fn digest(path: &Path) -> io::Result<(u64, String)> {
    let mut hasher = Sha256::new();
    let mut file = BufReader::with_capacity(1 << 16, File::open(path)?);
    let mut total = 0;
    loop {
        let read = match file.fill_buf() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        if read.is_empty() {
            return Ok((total, hex::encode(hasher.finalize())));
        }
        hasher.update(read);
        let count = read.len();
        file.consume(count);
        total += count as u64;
    }
}

pub(crate) fn io_error(path: &Path, e: &io::Error) -> Error {
    Error::new(Code::Io, format!("{}: {e}", path.display()))
        .hint("check free space and permissions of the folder")
}
