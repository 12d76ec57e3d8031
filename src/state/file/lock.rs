//! One writer at a time: a kernel file lock beside the state file or the key store, which dies with its holder.

use super::connect::{Stamp, beside};
use base::files::folder_of;
use base::{Code, Error, Result, Stop, clock, say};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A lock file says less than this.
const MOST: u64 = 1 << 16;

/// Who holds the lock, written into the lock file for those who find it taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// The command, without its arguments' values.
    pub command: String,
    /// Since when, seconds since 1970.
    pub since: i64,
}

/// The held lock; dropping it, or dying, lets go. It belongs to the file, whatever links lead there.
///
/// What its file says while nobody holds it is how the last holder left the state: it names that holder where it was
/// killed, and the state as it was left where it was not.
#[derive(Debug)]
pub struct Lock {
    file: File,
    locked: PathBuf,
    /// What stood in the lock file.
    before: String,
    /// Whether the state was found sound, so that its present form may be vouched for.
    vouched: AtomicBool,
}

/// How the last run that wrote left the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastRun {
    /// As it is now.
    Orderly,
    /// It was killed.
    Killed,
    /// Nobody knows, or the file was changed since by something else.
    Unknown,
}

/// What the lock file says between two runs.
#[derive(Debug, Serialize, Deserialize)]
struct Left {
    left: Stamp,
}

const POLL: Duration = Duration::from_millis(25);

impl Lock {
    /// Takes the lock of the state file at `state`, waiting up to `wait` unless the operator wants to stop.
    ///
    /// # Errors
    /// `state_locked` naming the holder; `interrupted`; `io_error` where the lock file cannot be made.
    pub fn acquire(state: &Path, holder: &Holder, wait: Duration, stop: &Stop) -> Result<Self> {
        Self::of("state", Code::StateLocked, state, holder, wait, stop)
    }

    /// Takes the lock of the key store at `keys`, which several states may share.
    ///
    /// # Errors
    /// `keys_locked` naming the holder; `interrupted`; `io_error` where the lock file cannot be made.
    pub fn keys(keys: &Path, holder: &Holder, wait: Duration, stop: &Stop) -> Result<Self> {
        Self::of("key store", Code::KeysLocked, keys, holder, wait, stop)
    }

    fn of(
        what: &str,
        code: Code,
        named: &Path,
        holder: &Holder,
        wait: Duration,
        stop: &Stop,
    ) -> Result<Self> {
        let locked = canonical(named);
        let path = beside(&locked, ".lock");
        let io = |e: &io::Error| {
            Error::new(Code::Io, format!("cannot lock {what} {}: {}: {e}", named.display(), path.display()))
                .hint(format!("the folder of the {what} must exist and be writable"))
        };
        let deadline = Instant::now().checked_add(wait);
        let mut file = loop {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
                .map_err(|e| io(&e))?;
            match file.try_lock() {
                // Of a file that was removed meanwhile, a second holder would know nothing.
                Ok(()) if is_at(&file, &path) => break file,
                Ok(()) => {}
                Err(TryLockError::Error(e)) => return Err(io(&e)),
                Err(TryLockError::WouldBlock) if deadline.is_none_or(|end| Instant::now() < end) => {
                    stop.check()?;
                    std::thread::sleep(POLL);
                }
                Err(TryLockError::WouldBlock) => return Err(taken(what, code, named, &mut file)),
            }
        };
        let before = text(&mut file);
        rewrite(&mut file, &serde_json::to_string(holder).unwrap_or_default()).map_err(|e| io(&e))?;
        Ok(Self { file, locked, before, vouched: AtomicBool::new(false) })
    }

    /// How the last run that wrote left the state.
    pub(super) fn last_run(&self) -> LastRun {
        if self.vouched.load(Ordering::Relaxed) {
            return LastRun::Orderly;
        }
        if serde_json::from_str::<Holder>(&self.before).is_ok() {
            return LastRun::Killed;
        }
        match (serde_json::from_str::<Left>(&self.before), Stamp::of(&self.locked)) {
            (Ok(Left { left }), Ok(now)) if left == now => LastRun::Orderly,
            _ => LastRun::Unknown,
        }
    }

    /// The state was found sound: the next run need not look at all of it, unless this one is killed or it is changed by
    /// something else.
    pub(super) fn vouch(&self) {
        self.vouched.store(true, Ordering::Relaxed);
    }

    /// Something in the state or on its disk went wrong: the next run looks at all of it.
    pub fn doubt(&self) {
        self.vouched.store(false, Ordering::Relaxed);
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let left = if self.vouched.load(Ordering::Relaxed) {
            Stamp::of(&self.locked).ok().and_then(|left| serde_json::to_string(&Left { left }).ok())
        } else {
            // Never looked at, it is as it was before.
            Some(std::mem::take(&mut self.before))
        };
        // Where this fails, the holder still stands there, and the next run looks at the whole state.
        let _ = rewrite(&mut self.file, &left.unwrap_or_default());
    }
}

/// Where a file really is, or would be: links lead to it, and the lock is beside it.
fn canonical(path: &Path) -> PathBuf {
    let of_folder = || Some(fs::canonicalize(folder_of(path)).ok()?.join(path.file_name()?));
    fs::canonicalize(path).ok().or_else(of_folder).unwrap_or_else(|| path.to_owned())
}

fn is_at(file: &File, path: &Path) -> bool {
    let place = |found: fs::Metadata| (found.dev(), found.ino());
    let (Ok(open), Ok(there)) = (file.metadata(), fs::metadata(path)) else { return false };
    place(open) == place(there)
}

/// What a lock file says. One that cannot be read says nothing, and is then rewritten or an error.
fn text(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.take(MOST).read_to_string(&mut text));
    read.map(|_| text).unwrap_or_default()
}

fn rewrite(file: &mut File, text: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(text.as_bytes())
}

fn taken(what: &str, code: Code, locked: &Path, file: &mut File) -> Error {
    let holder = serde_json::from_str::<Holder>(&text(file)).ok();
    let who = holder.as_ref().map_or_else(
        || "another run".to_owned(),
        |h| format!("\"poolctl {}\" (pid {}) since {}", h.command, h.pid, clock::rfc3339(h.since)),
    );
    let e = Error::new(code, format!("{what} {} is locked by {who}", locked.display()))
        .hint(say("wait for it with ").with("wait").of("30s"));
    match holder {
        Some(h) => {
            e.detail("pid", h.pid).detail("command", h.command).detail("since", clock::rfc3339(h.since))
        }
        None => e,
    }
}
