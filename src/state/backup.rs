//! Copies of the state that are checked before they are believed.

use super::{Lock, Run, check, open};
use crate::clock::Clock;
use crate::output::{Code, Error, Result, forms};
use alloy::hex;
use rusqlite::{Connection, OpenFlags};
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

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
pub fn backup(state: &super::State, target: &Path) -> Result<BackupReport> {
    backup_to(state.conn(), target)
}

pub(super) fn backup_to(conn: &Connection, target: &Path) -> Result<BackupReport> {
    if target.exists() {
        return Err(Error::new(Code::Conflict, format!("{} exists already", target.display()))
            .hint("it is left as it is; give the backup a new name"));
    }
    let draft = sibling(target, "partial");
    let copied = copy(conn, &draft).and_then(|()| publish(&draft, target));
    if copied.is_err() {
        let _ = fs::remove_file(&draft);
    }
    copied
}

fn copy(conn: &Connection, draft: &Path) -> Result<()> {
    let mut file = Connection::open(draft)?;
    {
        let backup = rusqlite::backup::Backup::new(conn, &mut file)?;
        // All at once: between two steps a writer's commit would make the copy begin anew, again and again.
        // In WAL mode nobody waits for it.
        backup.run_to_completion(i32::MAX, Duration::ZERO, None)?;
    }
    // One plain file, without a write-ahead log beside it.
    file.pragma_update(None, "journal_mode", "DELETE")?;
    file.close().map_err(|(_, e)| Error::from(e))
}

fn publish(draft: &Path, target: &Path) -> Result<BackupReport> {
    let events = sound(draft)?;
    let (bytes, sha256) = digest(draft).map_err(|e| io_error(draft, &e))?;
    File::open(draft).and_then(|f| f.sync_all()).map_err(|e| io_error(draft, &e))?;
    fs::rename(draft, target).map_err(|e| io_error(target, &e))?;
    Ok(BackupReport { path: target.to_owned(), bytes, sha256, events })
}

/// Checks a file as a state that could be restored; changes nothing.
///
/// # Errors
/// `io_error` where it is missing or cannot be read; `check_failed` and the `state_…` codes for what is no sound state.
pub fn inspect(source: &Path) -> Result<BackupReport> {
    if !source.exists() {
        return Err(Error::new(Code::Io, format!("there is no file {}", source.display())));
    }
    let events = sound(source)?;
    let (bytes, sha256) = digest(source).map_err(|e| io_error(source, &e))?;
    Ok(BackupReport { path: source.to_owned(), bytes, sha256, events })
}

/// Checks a file as a whole state and returns how many events it has.
fn sound(path: &Path) -> Result<i64> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let version = open::identify(&conn, path)?;
    if version < super::SCHEMA_VERSION {
        // Its invariants are those of an older schema; the structure is what can be judged.
        let word: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        return if word == "ok" { Ok(0) } else { Err(unsound(path, &word)) };
    }
    let report = check(&conn, true)?;
    match report.findings.first() {
        None => Ok(report.events),
        Some(finding) => Err(unsound(path, &finding.message)),
    }
}

fn unsound(path: &Path, why: &str) -> Error {
    Error::new(Code::CheckFailed, format!("{} is not a sound state: {why}", path.display()))
        .hint("see: poolctl state check --state FILE")
}

/// Verifies `source` and swaps it in for the state at `path`; the replaced file is kept beside it.
///
/// Returns the report on the state now in place, and where the replaced one is, if there was one.
///
/// # Errors
/// As [`backup`]; nothing is changed unless `source` is sound.
pub fn restore(
    source: &Path,
    path: &Path,
    run: &Run,
    _lock: &Lock,
) -> Result<(BackupReport, Option<PathBuf>)> {
    if !source.exists() {
        return Err(Error::new(Code::Io, format!("there is no file {}", source.display())));
    }
    let draft = sibling(path, "restore");
    let _ = fs::remove_file(&draft);
    let prepared = Connection::open_with_flags(source, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .map_err(Error::from)
        .and_then(|conn| open::identify(&conn, source).map(|_| conn))
        .and_then(|conn| copy(&conn, &draft))
        .and_then(|()| sound(&draft));
    let swapped = prepared.and_then(|_| {
        let kept = path.exists().then(|| stamped(path, "before-restore", run.clock));
        if let Some(kept) = &kept {
            set_aside(path, kept)?;
        }
        Ok((publish(&draft, path)?, kept))
    });
    if swapped.is_err() {
        let _ = fs::remove_file(&draft);
    }
    swapped
}

/// Keeps the present state under another name. A damaged file is copied as it is.
fn set_aside(path: &Path, kept: &Path) -> Result<()> {
    let whole = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .map_err(Error::from)
        .and_then(|conn| copy(&conn, kept));
    if whole.is_err() {
        let _ = fs::remove_file(kept);
        fs::copy(path, kept).map_err(|e| io_error(kept, &e))?;
    }
    for suffix in ["-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(&name) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(io_error(Path::new(&name), &e)),
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn migration_copy(path: &Path, found: u32, clock: Clock) -> PathBuf {
    stamped(path, &format!("schema-{found}"), clock)
}

pub(super) fn stamped(path: &Path, why: &str, clock: Clock) -> PathBuf {
    let stamp: String = clock.rfc3339().chars().filter(char::is_ascii_alphanumeric).collect();
    sibling(path, &format!("{why}-{stamp}"))
}

pub(super) fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

pub(super) fn digest(path: &Path) -> io::Result<(u64, String)> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path)?;
    let bytes = io::copy(&mut file, &mut Hasher(&mut hasher))?;
    Ok((bytes, hex::encode(hasher.finalize())))
}

struct Hasher<'a>(&'a mut Sha256);

impl io::Write for Hasher<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn io_error(path: &Path, e: &io::Error) -> Error {
    Error::new(Code::Io, format!("{}: {e}", path.display()))
        .hint("check free space and permissions of the folder")
}
