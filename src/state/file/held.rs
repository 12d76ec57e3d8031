//! A file that one run, or several together, keep locked in the kernel: it dies with its holder, and says who that is.

use crate::runs;
use base::{Code, Error, Result, Stop, clock, say};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A lock file says less than this, bytes.
const MOST: u64 = 1 << 16;

const POLL: Duration = Duration::from_millis(25);

/// Whoever only looks whether a file is locked has it for an instant; that is no holder.
const GRACE: Duration = Duration::from_millis(100);

/// Who holds a lock, written into its file for those who find it taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// The command, without its arguments' values.
    pub command: String,
    /// Since when, seconds since 1970.
    pub since: i64,
}

impl Holder {
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn of(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"poolctl {}\" (pid {}) since {}", self.command, self.pid, clock::rfc3339(self.since))
    }
}

/// How a file is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Beside others who do the same.
    Shared,
    /// By nobody else.
    Alone,
}

/// How long a lock is waited for, and what ends that earlier.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    pub wait: Duration,
    pub stop: Stop,
}

impl Patience {
    /// Asks until there is an answer; none when the time is over.
    pub fn poll<T>(&self, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<Option<T>> {
        let deadline = Instant::now().checked_add(self.wait.max(GRACE));
        loop {
            if let Some(found) = ask()? {
                return Ok(Some(found));
            }
            if deadline.is_some_and(|end| Instant::now() >= end) {
                return Ok(None);
            }
            self.stop.check()?;
            std::thread::sleep(POLL);
        }
    }
}

/// A locked file; dropping it, or dying, lets go.
#[derive(Debug)]
pub struct Held {
    file: File,
    path: PathBuf,
}

impl Held {
    /// Locks the file at `path`, which is made where it is not there; none where others, or no folder, are in the way.
    pub(super) fn take(path: &Path, mode: Mode) -> Result<Option<Self>> {
        let io = |e: &io::Error| Error::new(Code::Io, format!("cannot lock {}: {e}", path.display()));
        loop {
            let file = match OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
            {
                // Whoever was the last to leave a folder of locks removes it.
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
                opened => opened.map_err(|e| io(&e))?,
            };
            let locked = match mode {
                Mode::Shared => file.try_lock_shared(),
                Mode::Alone => file.try_lock(),
            };
            match locked {
                // Of a file that was removed meanwhile, a second holder would know nothing.
                Ok(()) if is_at(&file, path) => return Ok(Some(Self { file, path: path.to_owned() })),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(e)) => return Err(io(&e)),
            }
        }
    }

    /// Locks it alone for this holder.
    pub(super) fn by(path: &Path, holder: &Holder) -> Result<Option<Self>> {
        let Some(mut held) = Self::take(path, Mode::Alone)? else { return Ok(None) };
        held.say(&holder.text())
            .map_err(|e| Error::new(Code::Io, format!("cannot write {}: {e}", path.display())))?;
        Ok(Some(held))
    }

    /// Others may lock it too from now on.
    pub(super) fn share(&self) -> io::Result<()> {
        self.file.lock_shared()
    }

    /// What the file says. One that cannot be read says nothing.
    pub(super) fn text(&mut self) -> String {
        read(&mut self.file)
    }

    pub(super) fn say(&mut self, text: &str) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(text.as_bytes())
    }

    /// Leaves no file behind when it is dropped.
    pub(super) fn remove(&self) {
        // One that stays is locked by nobody.
        let _ = fs::remove_file(&self.path);
    }
}

/// Who has the file locked alone, if somebody has: what it says of them, nothing where it cannot be read, or not be told.
#[allow(clippy::option_option, reason = "whether somebody holds it, and who, where that can be read")]
pub(super) fn holder(path: &Path) -> Option<Option<Holder>> {
    let mut file = match File::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return None,
        Err(_) => return Some(None),
        Ok(file) => file,
    };
    match file.try_lock_shared() {
        Ok(()) => None,
        Err(TryLockError::WouldBlock) => Some(Holder::of(&read(&mut file))),
        Err(TryLockError::Error(_)) => Some(None),
    }
}

/// The error for a lock that is `taken`, as in: `state x is locked by …`.
pub(super) fn taken(code: Code, taken: &str, holder: Option<Holder>) -> Error {
    let who = holder.as_ref().map_or_else(|| "another run".to_owned(), ToString::to_string);
    // A service has it for as long as it lives.
    let is_service = |holder: &Holder| holder.command == runs::FARM;
    let hint = if code == Code::LeaseHeld && holder.as_ref().is_some_and(is_service) {
        say("where that is a service, stop it for this; else wait for it with ")
    } else {
        say("wait for it with ")
    };
    let e = Error::new(code, format!("{taken} by {who}")).hint(hint.with("wait").of("30s"));
    match holder {
        Some(h) => {
            e.detail("pid", h.pid).detail("command", h.command).detail("since", clock::rfc3339(h.since))
        }
        None => e,
    }
}

fn read(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.take(MOST).read_to_string(&mut text));
    read.map(|_| text).unwrap_or_default()
}

fn is_at(file: &File, path: &Path) -> bool {
    let place = |found: fs::Metadata| (found.dev(), found.ino());
    let (Ok(open), Ok(there)) = (file.metadata(), fs::metadata(path)) else { return false };
    place(open) == place(there)
}
