//! `poolctl events --follow`: what is in the log, and then what comes, line by line.

use super::row;
use crate::shell::prelude::*;
use state::{Event, EventFilter, State};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// How often it is looked for more.
const POLL: Duration = Duration::from_millis(200);

/// A line of the stream.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Line<'a> {
    /// An event of the log.
    Event(&'a Event),
}

/// How far it was followed; with `--json` in the stream's last line.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FollowOutput {
    /// Events that were shown.
    pub shown: u64,
    /// The last event of the log when it ended, shown or not; 0 where there was none.
    pub last_id: i64,
}

/// Follows the log until the operator wants to stop, or nobody reads any more.
///
/// # Errors
/// `conflict` where another state is put in this one's place; `state_error`, `io_error`.
pub fn run(session: &Session, state: &State, filter: &EventFilter) -> Result<Outcome> {
    let place = identity(state)?;
    let mut teller = Teller { session, shown: 0 };
    let (before, mut last_id) = {
        let look = state.look()?;
        (state::list_events(look.conn(), filter)?, state::last_event(look.conn())?)
    };
    let mut is_read = teller.tell(&before)?;
    while is_read && !session.call.stop.wanted() {
        let new = newer(session, state, last_id)?;
        if let Some(last) = new.last() {
            last_id = last.id;
            let wanted: Vec<Event> = new.into_iter().filter(|event| filter.takes(event)).collect();
            is_read = teller.tell(&wanted)?;
        } else if identity(state)? == place {
            is_read = Console::wait(POLL)?;
        } else {
            return Err(Error::new(Code::Conflict, "another state was put in the place of the followed one")
                .hint("it was restored from a backup; follow its log with the same command"));
        }
    }
    let output = FollowOutput { shown: teller.shown, last_id };
    let outcome = Outcome::of(&output)?;
    Ok(if session.options.json { outcome.streamed() } else { outcome })
}

/// The next events. A state that was opened as one that nobody changes shows none: it is opened anew.
fn newer(session: &Session, state: &State, last_id: i64) -> Result<Vec<Event>> {
    if state.watch().is_none() {
        return state::events_after(state.conn(), last_id);
    }
    let state = State::read(state.path(), session.call.run.clone())?;
    session.call.watch(Some(&state));
    let new = state::events_after(state.conn(), last_id);
    // Somebody writes just now: what was read is no one moment.
    let new = if session.call.has_read_one_moment().is_ok() { new } else { Ok(Vec::new()) };
    session.call.watch(None);
    new
}

/// Which file stands at the state's place.
fn identity(state: &State) -> Result<Option<(u64, u64)>> {
    match std::fs::metadata(state.path()) {
        Ok(file) => Ok(Some((file.dev(), file.ino()))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::new(Code::Io, format!("cannot look at {}: {e}", state.path().display()))),
    }
}

struct Teller<'s> {
    session: &'s Session,
    shown: u64,
}

impl Teller<'_> {
    /// Writes the events; false where nobody reads them any more.
    fn tell(&mut self, events: &[Event]) -> Result<bool> {
        for event in events {
            if self.session.options.json {
                if !Console::tell(&Line::Event(event))? {
                    return Ok(false);
                }
            } else {
                let mut page = Page::default();
                page.line(row(event).join("  "));
                self.session.console.present(&page)?;
            }
            self.shown += 1;
        }
        Ok(true)
    }
}

impl Present for FollowOutput {
    /// The events are on stdout, and nothing else.
    fn present(&self, _page: &mut Page) {}
}
