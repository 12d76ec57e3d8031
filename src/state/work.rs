//! What a service is handed: settings, state, the right to write, a place for progress, and the wish to stop.

use super::{Permit, State};
use config::Config;

use base::{Progress, Stop};

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
