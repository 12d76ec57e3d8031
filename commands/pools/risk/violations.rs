//! `poolctl risk violations`: which rules pools broke, from when to when.

use crate::pools::Shown;
use crate::shell::prelude::*;
use state::alert::Subject;
use vault::pool;

/// Show the violations of pools: those that are open, or all of them
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl risk violations main --closed")]
pub struct Violations {
    /// Names or addresses; none = all
    #[arg(value_name = "POOL")]
    pools: Vec<String>,
    #[command(flatten)]
    shown: Shown,
}

impl Violations {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let look = state.look()?;
        // Those of retired pools are history, and shown with all others.
        let pools = match self.pools.as_slice() {
            [] => pool::list(look.conn())?,
            names => pool::select(look.conn(), names)?,
        };
        let subjects: Vec<Subject<'_>> =
            pools.iter().map(|pool| Subject::Pool(pool.id, &pool.name)).collect();
        self.shown.outcome(session, look.conn(), &subjects, "POOL")
    }
}
