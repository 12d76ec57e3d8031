//! The state's file as such: what is opened at all, and how; its journal mode; what a killed run left beside it.

use crate::columns::only;
use base::{Code, Error, Result, say};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use strum::IntoStaticStr;

/// How long SQLite waits where another process keeps the whole file to itself, as it does for instants only.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How long it waits for what can wait.
pub(super) const INSTANT: Duration = Duration::from_millis(200);

/// What SQLite puts beside a file.
pub(super) const SIDES: [&str; 3] = ["-journal", "-wal", "-shm"];

/// How changes of a file are kept until they are whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
pub(super) enum Journal {
    /// A log beside the file: what a state has, from its birth.
    #[strum(serialize = "wal")]
    Wal,
    /// Nothing beside the file but while it is written: what a copy has, which is one plain file.
    #[strum(serialize = "delete")]
    Rollback,
}

impl Journal {
    /// Sets it, and believes it only when SQLite says so: where it cannot, it answers with the mode that stays.
    pub fn set(self, conn: &Connection) -> Result<()> {
        let word: &str = self.into();
        let answer: String = conn.query_row(&format!("PRAGMA journal_mode = {word}"), [], only)?;
        if answer.eq_ignore_ascii_case(word) {
            return Ok(());
        }
        let why = format!("state: SQLite keeps the journal mode \"{answer}\" where \"{word}\" is needed");
        Err(Error::new(Code::State, why).hint(
            "the file may be in use by another program, or be on a network disk; a local disk is needed",
        ))
    }

    /// Whether a closed file has it: SQLite's answer is that of a connection, also where the disk did not take the change.
    pub fn is_that_of(self, path: &Path) -> Result<()> {
        let mut header = [0; 20];
        fs::File::open(path)
            .and_then(|mut file| file.read_exact(&mut header))
            .map_err(|e| Error::new(Code::Io, format!("cannot read back {}: {e}", path.display())))?;
        let mode = match self {
            Self::Wal => 2,
            Self::Rollback => 1,
        };
        if header.ends_with(&[mode; 2]) {
            return Ok(());
        }
        Err(Error::new(Code::State, format!("the disk did not take the journal mode of {}", path.display()))
            .hint("see to its space, quota and health, then run the command again"))
    }
}

/// Brings all of the write-ahead log into the file.
/// `state_locked` where a reader is in the way, `state_error` where the disk refuses.
pub(super) fn checkpoint(conn: &Connection) -> Result<()> {
    let busy: bool = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], only)?;
    if !busy {
        return Ok(());
    }
    let why = "state: another run reads it, so its log cannot be brought into the file";
    Err(Error::new(Code::StateLocked, why).hint("run it again when the other has ended"))
}

/// The canonical path of a state that is there: a regular file that has this name alone.
pub(super) fn whole(path: &Path) -> Result<PathBuf> {
    let shown = path.display();
    let io = |e: &io::Error| match e.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            Error::new(Code::StateMissing, format!("there is no state at {shown}")).hint(
                say("create it with: ").run("init").say(" (or name another one with ").with("state").say(")"),
            )
        }
        _ => Error::new(Code::Io, format!("cannot look at state {shown}: {e}"))
            .hint(say("check the rights of its folder, or name another one with ").with("state")),
    };
    let found = fs::metadata(path).map_err(|e| io(&e))?;
    if !found.is_file() {
        return Err(Error::new(Code::InvalidValue, format!("state {shown} is not a regular file"))
            .hint(say("name a file with ").with("state").say("; it is not read")));
    }
    let whole = fs::canonicalize(path).map_err(|e| io(&e))?;
    if found.nlink() > 1 {
        has_one_name(&whole)?;
    }
    Ok(whole)
}

/// Refuses a file with several names (hard links): SQLite would keep a log for each of them, and mix them up.
fn has_one_name(path: &Path) -> Result<()> {
    // The other name may be that of a draft: of a run that was killed while it gave the file its own.
    let _ = base::files::sweep(path);
    match fs::metadata(path) {
        Ok(found) if found.nlink() > 1 => Err(Error::new(
            Code::Conflict,
            format!("state {} has {} names on its disk (hard links)", path.display(), found.nlink()),
        )
        .hint(format!(
            "SQLite keeps a log for each name, and mixes them up; leave one: find FOLDER -xdev -inum {}",
            found.ino()
        ))),
        _ => Ok(()),
    }
}

/// Opens a state that is there. What a killed run left half written in it is taken back first.
pub(super) fn connect(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let path = whole(path)?;
    if is_unfinished(&path) {
        // Reading takes it back, where this run may write; where it may not, the first query of the other connection
        // says so.
        let _ = open(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).and_then(|conn| probe(&conn));
    }
    open(&path, flags)
}

/// Opens a state for reading. Where no file can be made beside it, and none is there, it is opened as one that nobody
/// changes; then the second value tells afterwards whether that was so.
pub(super) fn connect_to_read(path: &Path) -> Result<(Connection, Option<Watch>)> {
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let refused = match conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())) {
        Err(e) => e.sqlite_error_code(),
        Ok(()) => None,
    };
    match refused {
        Some(
            ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::SystemIoFailure
            | ErrorCode::DiskFull,
        ) if is_at_rest(path) => {
            let watch = Watch { path: path.to_owned(), then: Stamp::of(path)? };
            // Whoever began to write before this was stamped has a log by now.
            if is_at_rest(path) { Ok((unchanging(path)?, Some(watch))) } else { Ok((conn, None)) }
        }
        // Whatever else is wrong, who looks at the file says.
        _ => Ok((conn, None)),
    }
}

/// Whether the file is all there is: no run has it open, or left something to be brought into it.
pub(super) fn is_at_rest(path: &Path) -> bool {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    !is_unfinished(&path) && !has_bytes(&beside(&path, "-wal"))
}

/// Opens a file that nobody changes meanwhile: SQLite then makes no log and no index of it, and takes no locks.
pub(super) fn unchanging(path: &Path) -> Result<Connection> {
    let path = whole(path)?;
    let mut url = url::Url::from_file_path(&path)
        .map_err(|()| Error::new(Code::Io, format!("cannot open state {}", path.display())))?;
    url.set_query(Some("immutable=1"));
    open(Path::new(url.as_str()), OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI)
}

/// Opens a file of SQLite's, with the settings that every connection has before anything is read.
pub(super) fn open(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let conn = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|e| Error::from(e).context(format!("cannot open state {}", path.display())))?;
    configure(&conn)?;
    Ok(conn)
}

/// Settings of every connection, before anything is read.
pub(super) fn configure(conn: &Connection) -> Result<()> {
    conn.busy_timeout(PATIENCE)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "cell_size_check", true)?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// The least that reads the file.
pub(super) fn probe(conn: &Connection) -> Result<()> {
    Ok(conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?)
}

/// Whether a run that was killed left a change half written in the file, and beside it what takes that back. A run that is
/// at it just now looks the same, and is waited for by SQLite.
pub(super) fn is_unfinished(path: &Path) -> bool {
    has_bytes(&beside(path, "-journal"))
}

/// Whether a file is there and not empty. What cannot be looked at may be: only what is not there is not.
fn has_bytes(path: &Path) -> bool {
    fs::metadata(path).map_or_else(|e| e.kind() != io::ErrorKind::NotFound, |found| found.len() > 0)
}

/// What is wrong with a file that reading says may not be written to.
pub(super) fn unfinished(path: &Path) -> Error {
    Error::new(
        Code::State,
        format!("state {} was left in the middle of a change by a run that was killed", path.display()),
    )
    .hint(
        say("whoever may write to it takes that back: run ")
            .run("state check")
            .say(" as the owner of the file"),
    )
}

/// A file of SQLite's own beside another.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// A state that is read as one that nobody changes: since no file can be made beside it, SQLite takes no lock, and sees
/// nothing of what others write meanwhile.
#[derive(Debug, Clone)]
pub struct Watch {
    path: PathBuf,
    then: Stamp,
}

impl Watch {
    /// Whether what was read since is one moment of the file.
    ///
    /// # Errors
    /// `state_locked` where somebody changed it meanwhile; `io_error`.
    pub fn is_unchanged(&self) -> Result<()> {
        if self.then == Stamp::of(&self.path)? {
            return Ok(());
        }
        let why = format!("state {} was written to while it was read", self.path.display());
        Err(Error::new(Code::StateLocked, why)
            .hint("run it again; with the right to write in its folder, nobody is in the way"))
    }
}

/// Which file stands at a path, and when it was last changed: what another one, or a changed one, differs in.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

impl Stamp {
    /// Of the file that stands there now.
    pub fn of(path: &Path) -> Result<Self> {
        let found = fs::metadata(path)
            .map_err(|e| Error::new(Code::Io, format!("cannot look at state {}: {e}", path.display())))?;
        let changed = (found.ctime(), found.ctime_nsec());
        Ok(Self { device: found.dev(), inode: found.ino(), bytes: found.size(), changed })
    }
}

/// A second connection to the file of another, which could write.
pub fn connect_again(conn: &Connection) -> Result<Connection> {
    open(Path::new(conn.path().unwrap_or_default()), OpenFlags::SQLITE_OPEN_READ_WRITE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_of_a_file_that_was_changed_does_not_hold() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.sqlite");
        fs::write(&path, "one").unwrap();
        let watch = Watch { path: path.clone(), then: Stamp::of(&path).unwrap() };
        fs::read(&path).unwrap();
        watch.is_unchanged().unwrap();
        // Of the same length, and with the times that it had.
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        std::thread::sleep(Duration::from_millis(20));
        fs::write(&path, "two").unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();
        assert_eq!(watch.is_unchanged().unwrap_err().code(), Code::StateLocked);
        fs::remove_file(&path).unwrap();
        assert_eq!(watch.is_unchanged().unwrap_err().code(), Code::Io);
    }

    #[test]
    fn a_mode_is_that_which_the_file_has() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.sqlite");
        assert_eq!(Journal::Wal.is_that_of(&path).unwrap_err().code(), Code::Io);
        for (mode, other) in [(Journal::Wal, Journal::Rollback), (Journal::Rollback, Journal::Wal)] {
            let conn =
                open(&path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE).unwrap();
            conn.execute_batch("CREATE TABLE IF NOT EXISTS t (x)").unwrap();
            mode.set(&conn).unwrap();
            drop(conn);
            mode.is_that_of(&path).unwrap();
            assert_eq!(other.is_that_of(&path).unwrap_err().code(), Code::State);
        }
    }

    #[test]
    fn a_mode_that_sqlite_does_not_take_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.sqlite");
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let conn = open(&path, flags).unwrap();
        Journal::Wal.set(&conn).unwrap();
        conn.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1)").unwrap();
        checkpoint(&conn).unwrap();
        // In memory there is no log: SQLite answers with what it keeps.
        let memory = Connection::open_in_memory().unwrap();
        assert_eq!(Journal::Wal.set(&memory).unwrap_err().code(), Code::State);
        // Whoever reads is in the way of bringing all of the log into the file.
        let reader = open(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        reader.execute_batch("BEGIN; SELECT * FROM t").unwrap();
        conn.execute_batch("INSERT INTO t VALUES (2)").unwrap();
        conn.busy_timeout(Duration::ZERO).unwrap();
        assert_eq!(checkpoint(&conn).unwrap_err().code(), Code::StateLocked);
    }
}
