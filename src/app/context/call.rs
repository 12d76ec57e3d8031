//! One call of a service: who makes it, by which words, and what it leaves for its end.

use base::{Error, Exit, Result, Stop};
use state::{Holder, Lock, Permit, Run, State, Watch, runs};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One call.
pub struct Call {
    /// The command's words: `pool list`.
    pub command: String,
    /// Stands in the audit log.
    pub run: Run,
    /// The wish to stop.
    pub stop: Stop,
    /// The operator agreed beforehand to what would be asked.
    pub agreed: bool,
    /// How long a lock is waited for.
    pub wait: Duration,
    found: Mutex<Found>,
}

/// What came up so far.
#[derive(Default)]
struct Found {
    warnings: Vec<String>,
    /// What the call went on in spite of.
    fault: Option<Error>,
    dry_run: bool,
    /// It is for a part only of what there is.
    partial: bool,
    /// What a scheduled command wrote to, with the lock, until it is noted how the call ended.
    kept: Option<(State, Lock)>,
    /// The state where it is noted how the call ended, and what was noted.
    noted: Option<(PathBuf, runs::Noted)>,
    /// The state that is read as one that nobody changes.
    watched: Option<Watch>,
}

impl Call {
    /// A call that nobody agreed to beforehand, and that waits for no lock.
    pub fn new(command: String, run: Run, stop: Stop) -> Self {
        Self { command, run, stop, agreed: false, wait: Duration::ZERO, found: Mutex::default() }
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something the operator should know, once.
    pub fn warn(&self, warning: impl Into<String>) {
        let (warning, mut found) = (warning.into(), self.found());
        if !found.warnings.contains(&warning) {
            found.warnings.push(warning);
        }
    }

    /// The warnings so far, which are then forgotten.
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.found().warnings)
    }

    /// Something that the call went on in spite of, and that ends it with a failure where nothing else does.
    pub fn fault(&self, fault: Error) {
        self.found().fault.get_or_insert(fault);
    }

    /// That, which is then forgotten.
    pub fn take_fault(&self) -> Option<Error> {
        self.found().fault.take()
    }

    /// Notes that nothing will be written; the output says so.
    pub fn set_dry_run(&self) {
        self.found().dry_run = true;
    }

    /// Whether nothing is written.
    pub fn dry_run(&self) -> bool {
        self.found().dry_run
    }

    /// Says whether the call is for everything there is: one for a few pools says nothing about the others, and its end is
    /// not noted.
    pub fn covers(&self, whole: bool) {
        self.found().partial = !whole;
    }

    /// Keeps what a scheduled command has written to, so that its end can be noted there. Others let go of it at once.
    pub fn keep(&self, state: State, lock: Lock) {
        let mut found = self.found();
        if !found.partial && runs::is_scheduled(&self.command) {
            found.kept = Some((state, lock));
        } else {
            close(state, lock);
        }
    }

    /// Keeps an eye on a state that is read as one that nobody changes; on none any more where none is given.
    pub fn watch(&self, state: Option<&State>) {
        self.found().watched = state.and_then(State::watch).cloned();
    }

    /// Whether what was read holds.
    pub fn has_read_one_moment(&self) -> Result<()> {
        self.found().watched.as_ref().map_or(Ok(()), Watch::is_unchanged)
    }

    /// Lets go of what was kept, since it is locked again.
    pub fn let_go(&self) {
        if let Some((state, lock)) = self.take_kept() {
            close(state, lock);
        }
    }

    fn take_kept(&self) -> Option<(State, Lock)> {
        self.found().kept.take()
    }

    /// Notes how a scheduled command ended, and lets go of the state: nobody waits for whoever reads the result.
    pub fn note_end(&self, exit: Exit) {
        let Some((state, lock)) = self.take_kept() else { return };
        match state.note_run(Permit::of(&lock), &self.command, exit) {
            Ok(noted) => self.found().noted = Some((state.path().to_owned(), noted)),
            Err(e) => self.warn(format!("cannot note in the state when this run ended: {e}")),
        }
        close(state, lock);
    }

    /// Notes that it ended otherwise after all: its result could not be written.
    pub fn amend_end(&self, exit: Exit) -> Result<()> {
        let noted = self.found().noted.take();
        let Some((path, noted)) = noted else { return Ok(()) };
        let lock = Lock::acquire(&path, &self.holder(), self.wait, &self.stop)?;
        let state = State::write_access(&path, self.run.clone(), &lock)?;
        let amended = state.amend_run(Permit::of(&lock), &noted, exit);
        close(state, lock);
        amended
    }

    /// Who holds a lock during this call.
    pub fn holder(&self) -> Holder {
        Holder { pid: std::process::id(), command: self.command.clone(), since: self.run.clock.now() }
    }
}

/// Closes the state, and only then lets go of its lock, which says how the file was left.
fn close(state: State, lock: Lock) {
    drop(state);
    drop(lock);
}
