//! Who may write: every run has the state together with others, through one lock file beside it; whoever replaces the state has
//! it alone. The key store is locked alone by whoever changes it.

use super::connect::{Stamp, beside};
use super::held::{self, Held, Holder, Mode, Patience};
use super::lease::{self, Lease, LeaseHolder, Leased};
use base::files::folder_of;
use base::{Code, Error, Result, Stop};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The right to write to a state; dropping it, or dying, lets go. It belongs to the file, whatever links lead there.
///
/// What the lock file says while nobody holds it is how the last runs left the state: it names one of them where they were
/// killed, and the state as it was left where they were not.
#[derive(Debug)]
pub struct Lock {
    door: Held,
    /// The canonical path of the state.
    locked: PathBuf,
    holder: Holder,
    patience: Patience,
    /// What stood in the lock file; none where others were at work.
    before: Option<String>,
    last_run: LastRun,
    alone: bool,
    /// Whether the state was found sound, so that its present form may be vouched for.
    vouched: AtomicBool,
    /// Something went wrong with it since.
    doubted: AtomicBool,
    /// That this run has the state; none once it has left.
    run: Option<Leased>,
}

/// How the last runs that wrote left the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastRun {
    /// As it is now; or others are at work on it, who have looked at it.
    Orderly,
    /// They were killed.
    Killed,
    /// Nobody knows, or the file was changed since by something else.
    Unknown,
}

/// What the lock file says between two runs.
#[derive(Debug, Serialize, Deserialize)]
struct Left {
    left: Stamp,
}

impl Lock {
    /// Takes part in the state at `state`, waiting up to `wait` for whoever has it alone, unless the operator wants to stop.
    ///
    /// # Errors
    /// `state_locked` naming the holder; `interrupted`; `io_error` where the lock file cannot be made.
    pub fn acquire(state: &Path, holder: &Holder, wait: Duration, stop: &Stop) -> Result<Self> {
        Self::of(state, Mode::Shared, holder, Patience { wait, stop: stop.clone() })
    }

    /// As [`Lock::acquire`], with nobody else at work: to migrate the state, or replace it.
    pub fn alone(state: &Path, holder: &Holder, wait: Duration, stop: &Stop) -> Result<Self> {
        Self::of(state, Mode::Alone, holder, Patience { wait, stop: stop.clone() })
    }

    /// Takes the lock of the key store at `keys`, which several states may share.
    ///
    /// # Errors
    /// `keys_locked` naming the holder; `interrupted`; `io_error` where the lock file cannot be made.
    pub fn keys(keys: &Path, holder: &Holder, wait: Duration, stop: &Stop) -> Result<Held> {
        let path = beside(&canonical(keys), ".lock");
        let found = Patience { wait, stop: stop.clone() }.poll(|| Held::by(&path, holder));
        found.map_err(|e| unmade("key store", keys, e))?.ok_or_else(|| {
            let what = format!("key store {} is locked", keys.display());
            held::taken(Code::KeysLocked, &what, held::holder(&path).flatten())
        })
    }

    fn of(state: &Path, mode: Mode, holder: &Holder, patience: Patience) -> Result<Self> {
        let locked = canonical(state);
        let path = beside(&locked, ".lock");
        let unmade = |e| unmade("state", state, e);
        if !folder_of(&locked).is_dir() {
            return Err(unmade(Error::new(Code::Io, format!("{}: there is no such folder", path.display()))));
        }
        // Alone at first: who finds nobody else looks at how the last runs left the file before anybody writes.
        let found = patience.poll(|| match Held::take(&path, Mode::Alone)? {
            None if mode == Mode::Shared => Held::take(&path, Mode::Shared).map(|door| door.zip(Some(false))),
            // Who has just opened the door to others has let go of it for an instant.
            Some(_) if mode == Mode::Alone && !lease::runs(&locked)?.is_empty() => Ok(None),
            door => Ok(door.zip(Some(true))),
        });
        let Some((mut door, first)) = found.map_err(unmade)? else {
            let who = held::holder(&path).flatten();
            let who = who.or_else(|| lease::runs(&locked).ok()?.into_iter().next().flatten());
            return Err(held::taken(Code::StateLocked, &format!("state {} is locked", state.display()), who));
        };
        let (mut before, mut last_run) = (None, LastRun::Orderly);
        if first {
            let mut text = door.text();
            // Who has just opened the door to others may seem to have left it.
            if lease::runs(&locked)?.is_empty() {
                if lease::sweep(&locked)? {
                    text = holder.text();
                }
                last_run = judge(&text, &locked);
            }
            door.say(&holder.text())
                .map_err(|e| unmade(Error::new(Code::Io, format!("{}: {e}", path.display()))))?;
            before = Some(text);
        }
        let run = lease::enter(&locked, holder, &patience).map_err(unmade)?;
        let lock = Self {
            door,
            locked,
            holder: holder.clone(),
            patience,
            before,
            last_run,
            alone: mode == Mode::Alone,
            vouched: AtomicBool::new(false),
            doubted: AtomicBool::new(false),
            run: Some(run),
        };
        if last_run == LastRun::Orderly {
            lock.open_door()?;
        }
        Ok(lock)
    }

    /// Lets others in.
    fn open_door(&self) -> Result<()> {
        if self.alone || self.before.is_none() {
            return Ok(());
        }
        self.door.share().map_err(|e| Error::new(Code::Io, format!("cannot share the state: {e}")))
    }

    /// How the last run that wrote left the state.
    pub(super) fn last_run(&self) -> LastRun {
        if self.vouched.load(Ordering::Relaxed) { LastRun::Orderly } else { self.last_run }
    }

    /// Whether nobody else is at work.
    pub(super) const fn is_alone(&self) -> bool {
        self.alone
    }

    /// How long another's commit is waited for.
    pub(super) const fn wait(&self) -> Duration {
        self.patience.wait
    }

    /// The state was found sound: the next run need not look at all of it, unless this one is killed or it is changed by
    /// something else.
    pub(super) fn vouch(&self) -> Result<()> {
        if !self.vouched.swap(true, Ordering::Relaxed) && self.last_run != LastRun::Orderly {
            self.open_door()?;
        }
        Ok(())
    }

    /// Something in the state or on its disk went wrong since it was opened: the next run that finds nobody at work looks at it.
    pub fn doubt(&self) {
        self.doubted.store(true, Ordering::Relaxed);
    }

    /// Takes a lease, waiting for it.
    ///
    /// # Errors
    /// `lease_held` naming the holder; `interrupted`; `io_error`.
    pub fn lease(&self, lease: &Lease) -> Result<Leased> {
        lease::wait_for(&self.locked, lease, &self.holder, &self.patience)
    }

    /// Takes a lease; none where another run holds it.
    pub fn try_lease(&self, lease: &Lease) -> Result<Option<Leased>> {
        lease::now(&self.locked, lease, &self.holder)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(run) = self.run.take()
            && self.vouched.load(Ordering::Relaxed)
            && self.doubted.load(Ordering::Relaxed)
        {
            run.break_off();
        }
        if !lease::runs(&self.locked).is_ok_and(|runs| runs.is_empty()) {
            return;
        }
        let left = if lease::sweep(&self.locked).unwrap_or(true) {
            // One that was killed beside this one.
            Some(self.holder.text())
        } else if self.vouched.load(Ordering::Relaxed) {
            Stamp::of(&self.locked).ok().and_then(|left| serde_json::to_string(&Left { left }).ok())
        } else {
            // Never looked at, it is as it was before.
            Some(self.before.take().unwrap_or_default())
        };
        // Where this fails, a holder still stands there, and the next run looks at the whole state.
        let _ = self.door.say(&left.unwrap_or_default());
    }
}

/// Who holds leases on a state, or has it open for writing.
pub fn leases(state: &Path) -> Result<Vec<LeaseHolder>> {
    lease::all(&canonical(state))
}

/// Who holds this lease on a state, if somebody does; the inner one is none where the holder cannot be read.
#[allow(clippy::option_option, reason = "whether somebody holds it, and who, where that can be read")]
pub fn lease_holder(state: &Path, lease: &Lease) -> Option<Option<Holder>> {
    lease::holder_of(&canonical(state), lease)
}

/// What a lock file that nobody holds says of the state.
fn judge(text: &str, locked: &Path) -> LastRun {
    if Holder::of(text).is_some() {
        return LastRun::Killed;
    }
    match (serde_json::from_str::<Left>(text), Stamp::of(locked)) {
        (Ok(Left { left }), Ok(now)) if left == now => LastRun::Orderly,
        _ => LastRun::Unknown,
    }
}

/// Where a file really is, or would be: links lead to it, and the lock is beside it.
fn canonical(path: &Path) -> PathBuf {
    let of_folder = || Some(fs::canonicalize(folder_of(path)).ok()?.join(path.file_name()?));
    fs::canonicalize(path).ok().or_else(of_folder).unwrap_or_else(|| path.to_owned())
}

/// An error of a lock that cannot be made.
fn unmade(what: &str, locked: &Path, e: Error) -> Error {
    if e.code() != Code::Io {
        return e;
    }
    Error::new(Code::Io, format!("cannot lock {what} {}: {e}", locked.display()))
        .hint(format!("the folder of the {what} must exist and be writable"))
}
