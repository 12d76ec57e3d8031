//! What a service is handed: settings, state, the right to write, a place for progress, and the wish to stop.

use base::{Code, Error, Result};
use config::Config;
use state::{Permit, State};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where long work reports how far it is. Nothing here may fail or wait.
pub trait Progress {
    /// A new stretch of work; `total` in its own steps, if known.
    fn begin(&self, what: &str, total: Option<u64>);
    /// So many steps more are done.
    fn advance(&self, steps: u64);
    /// A word on how it stands, beside the figures.
    fn note(&self, text: &str);
    /// The stretch is over.
    fn end(&self);
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _what: &str, _total: Option<u64>) {}
    fn advance(&self, _steps: u64) {}
    fn note(&self, _text: &str) {}
    fn end(&self) {}
}

/// Set by the first SIGTERM or Ctrl-C: finish the step at hand, record it, stop.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// The flag itself, for the signal handler.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }

    /// Whether the operator wants to stop.
    pub fn wanted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// To be called between steps.
    ///
    /// # Errors
    /// `interrupted` when the operator wants to stop.
    pub fn check(&self) -> Result<()> {
        if self.wanted() {
            return Err(Error::new(Code::Interrupted, "interrupted; what was finished is recorded")
                .hint("run the same command again to go on"));
        }
        Ok(())
    }
}

/// What a writing service works with.
pub struct Work<'a> {
    /// Settings in force.
    pub config: &'a Config,
    /// The state, opened for writing, or the private copy of a dry run.
    pub state: &'a mut State,
    /// The right to write to it.
    pub permit: Permit<'a>,
    /// Where progress goes.
    pub progress: &'a dyn Progress,
    /// The wish to stop.
    pub stop: &'a Stop,
}
