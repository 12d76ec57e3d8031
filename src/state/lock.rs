//! One writer at a time: a kernel file lock beside the state file or the key store, which dies with its holder.

use crate::clock;
use crate::context::Stop;
use crate::output::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

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

/// The held lock; dropping it, or dying, lets go.
#[derive(Debug)]
pub struct Lock {
    _file: File,
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
        locked: &Path,
        holder: &Holder,
        wait: Duration,
        stop: &Stop,
    ) -> Result<Self> {
        let path = lock_path(locked);
        let io = |e: &std::io::Error| {
            Error::new(Code::Io, format!("cannot lock {what} {}: {}: {e}", locked.display(), path.display()))
                .hint(format!("the folder of the {what} must exist and be writable"))
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|e| io(&e))?;
        let deadline = Instant::now() + wait;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(e)) => return Err(io(&e)),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    stop.check()?;
                    std::thread::sleep(POLL);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(taken(what, code, locked, &mut file));
                }
            }
        }
        let text = serde_json::to_string(holder).unwrap_or_default();
        file.set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(text.as_bytes()))
            .map_err(|e| io(&e))?;
        Ok(Self { _file: file })
    }
}

fn lock_path(state: &Path) -> PathBuf {
    let mut name = state.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

fn taken(what: &str, code: Code, locked: &Path, file: &mut File) -> Error {
    let mut text = String::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_string(&mut text));
    let holder = read.ok().and_then(|_| serde_json::from_str::<Holder>(&text).ok());
    let who = holder.as_ref().map_or_else(
        || "another run".to_owned(),
        |h| format!("\"poolctl {}\" (pid {}) since {}", h.command, h.pid, clock::rfc3339(h.since)),
    );
    let e = Error::new(code, format!("{what} {} is locked by {who}", locked.display()))
        .hint("wait for it with --wait 30s");
    match holder {
        Some(h) => {
            e.detail("pid", h.pid).detail("command", h.command).detail("since", clock::rfc3339(h.since))
        }
        None => e,
    }
}
