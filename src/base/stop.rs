//! The wish to stop.

use crate::{Code, Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    pub fn check(&self) -> Result<()> {
        if self.wanted() {
            return Err(Error::new(Code::Interrupted, "interrupted; what was finished is recorded")
                .hint("run the same command again to go on"));
        }
        Ok(())
    }
}
