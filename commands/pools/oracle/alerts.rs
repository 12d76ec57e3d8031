//! `poolctl oracle alerts`: what feeds were refused for, from when to when.

use crate::output::Outcome;
use crate::pools::alerts::Shown;
use crate::shell::session::Session;
use app::App;
use app::pools::alerts::AlertsOutput;
use base::Result;
use clap::Args;
use state::alert::Subject;

/// Show the alerts of feeds: those that are open, or all of them
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl oracle alerts --closed")]
pub struct Alerts {
    /// Names; none = all
    #[arg(value_name = "FEED")]
    feeds: Vec<String>,
    #[command(flatten)]
    shown: Shown,
}

impl Alerts {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let feeds = super::chosen(&state, &self.feeds)?;
        let subjects: Vec<Subject<'_>> =
            feeds.iter().map(|feed| Subject::Feed(feed.id, &feed.name)).collect();
        let (limit, now) = (self.shown.limit(), session.call.run.clock.now());
        Outcome::document(&AlertsOutput::of(state.conn(), &subjects, limit, "FEED", now)?)
    }
}
