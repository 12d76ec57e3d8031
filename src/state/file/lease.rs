//! Leases: what must not be done twice at once is held by one run, in a lock file of its own beside the state.

use super::connect::beside;
use super::held::{self, Held, Holder, Mode, Patience};
use base::{Code, Error, Result};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// What one run at a time acts on. Those who want several take them in this order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lease {
    /// A part of the operator's schedule, by its word: held by the run that has it done.
    Schedule(String),
    /// The EVM pools: sync with its roll-back, rescan, payment of epochs, completion of withdrawals, retiring.
    Pools,
    /// The farmers of a pooler: plant, work, harvest, trustlines.
    Farm {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
    },
    /// An account whose sequence number or nonce is used.
    Account(String),
    /// Rows that are moved to an archive.
    Prune,
}

impl Lease {
    /// What stands between the kind of a lease and what it is of.
    pub const OF: char = ':';

    /// As it is named in the folder of leases.
    fn file(&self) -> String {
        match self {
            Self::Schedule(part) => format!("schedule{}{part}", Self::OF),
            Self::Pools => "pools".to_owned(),
            Self::Farm { id, .. } => format!("farm{}{id}", Self::OF),
            Self::Account(address) => format!("account{}{address}", Self::OF),
            Self::Prune => "prune".to_owned(),
        }
    }
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Schedule(part) => write!(f, "the scheduled {part} is"),
            Self::Pools => f.write_str("the pools are"),
            Self::Farm { name, .. } => write!(f, "the farm of pooler \"{name}\" is"),
            Self::Account(address) => write!(f, "the account {address} is"),
            Self::Prune => f.write_str("pruning is"),
        }
    }
}

/// A lease that is held; dropping it, or dying, lets go.
#[derive(Debug)]
pub struct Leased {
    held: Held,
    /// It is to look as if its holder had been killed.
    stays: bool,
}

impl Leased {
    /// Lets go as one who is killed does: the next run that finds nobody at work looks at the state.
    pub(super) fn break_off(mut self) {
        self.stays = true;
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        if !self.stays {
            self.held.remove();
        }
    }
}

/// Who holds what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseHolder {
    /// `pools`, `farm:ID`, `account:ADDRESS`, `prune`, `schedule:PART`; `run` for whoever has the state open for writing.
    pub lease: String,
    /// By whom; none where its file cannot be read.
    pub holder: Option<Holder>,
}

const RUN: &str = "run-";

/// Where the leases of a state are, by its canonical path.
fn folder(state: &Path) -> PathBuf {
    beside(state, ".locks")
}

/// Notes that a run has the state open for writing.
pub(super) fn enter(state: &Path, holder: &Holder, patience: &Patience) -> Result<Leased> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    // Another name each time: in another container, another process may have this number.
    let name = || format!("{RUN}{}-{}", holder.pid, COUNT.fetch_add(1, Ordering::Relaxed));
    patience
        .poll(|| take(state, &name(), holder))?
        .ok_or_else(|| Error::new(Code::Io, format!("cannot lock a file in {}", folder(state).display())))
}

/// Removes what runs that were killed left behind, and the folder where nobody is in it; whether one of them had the state
/// open for writing.
pub(super) fn sweep(state: &Path) -> Result<bool> {
    let mut killed = false;
    for (name, path) in files(state)? {
        let Some(mut left) = Held::take(&path, Mode::Alone)? else { continue };
        killed |= name.starts_with(RUN) && Holder::of(&left.text()).is_some();
        left.remove();
    }
    // Where others are in it, it stays.
    let _ = fs::remove_dir(folder(state));
    Ok(killed)
}

/// Takes a lease, waiting for it; `lease_held` names the holder.
pub(super) fn wait_for(state: &Path, lease: &Lease, holder: &Holder, patience: &Patience) -> Result<Leased> {
    patience.poll(|| take(state, &lease.file(), holder))?.ok_or_else(|| {
        held::taken(Code::LeaseHeld, &format!("{lease} held"), holder_of(state, lease).flatten())
    })
}

/// Takes a lease; none where somebody holds it.
pub(super) fn now(state: &Path, lease: &Lease, holder: &Holder) -> Result<Option<Leased>> {
    loop {
        let taken = take(state, &lease.file(), holder)?;
        // Whoever only looks who holds it has it for an instant.
        if taken.is_some() || holder_of(state, lease).is_some() {
            return Ok(taken);
        }
    }
}

fn take(state: &Path, name: &str, holder: &Holder) -> Result<Option<Leased>> {
    let folder = folder(state);
    match fs::create_dir_all(&folder) {
        // Whoever was the last to leave has just removed it: that is for the next try.
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(Error::new(Code::Io, format!("cannot create {}: {e}", folder.display())));
        }
        _ => {}
    }
    Ok(Held::by(&folder.join(name), holder)?.map(|held| Leased { held, stays: false }))
}

/// Who holds a lease, if somebody does.
#[allow(clippy::option_option, reason = "whether somebody holds it, and who, where that can be read")]
pub(super) fn holder_of(state: &Path, lease: &Lease) -> Option<Option<Holder>> {
    held::holder(&folder(state).join(lease.file()))
}

/// Who holds leases on the state at this canonical path, or has it open for writing; in the order of their names.
pub(super) fn all(state: &Path) -> Result<Vec<LeaseHolder>> {
    let mut found = Vec::new();
    for (name, path) in files(state)? {
        let Some(holder) = held::holder(&path) else { continue };
        let lease = if name.starts_with(RUN) { "run".to_owned() } else { name };
        found.push(LeaseHolder { lease, holder });
    }
    found.sort_by(|a, b| (&a.lease, pid(a)).cmp(&(&b.lease, pid(b))));
    Ok(found)
}

/// The files in the folder of leases, by name.
fn files(state: &Path) -> Result<Vec<(String, PathBuf)>> {
    let folder = folder(state);
    let io = |e: &std::io::Error| Error::new(Code::Io, format!("cannot read {}: {e}", folder.display()));
    let entries = match fs::read_dir(&folder) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|e| io(&e))?,
    };
    let file = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.map_err(|e| io(&e))?;
        Ok((entry.file_name().to_string_lossy().into_owned(), entry.path()))
    };
    entries.map(file).collect()
}

/// Who has the state open for writing.
pub(super) fn runs(state: &Path) -> Result<Vec<Option<Holder>>> {
    Ok(all(state)?.into_iter().filter(|found| found.lease == "run").map(|found| found.holder).collect())
}

fn pid(found: &LeaseHolder) -> u32 {
    found.holder.as_ref().map_or(0, |holder| holder.pid)
}
