//! `poolctl events`: the audit log, filtered, followed, or walked from its first row to its last.

use crate::shell::options::bad_duration;
use crate::shell::prelude::*;
use app::paging::PageEnd;
use base::clock::{self, BadDuration};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use state::{ChainReport, Event, EventFilter, State};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// Show the newest events of the audit log, oldest first; follow the log, or verify it
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl events --kind reward. --since 24h")]
pub struct Events {
    /// Only this kind; with a trailing dot, all kinds with this prefix
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Only about this subject: a pool, a member, a setting
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// Only those of this run
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// Only since this time (RFC 3339), or not longer ago than this (as in 24h)
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Timestamp>,
    /// Then wait for new ones, until Ctrl-C; with --json an object a line, the result last
    #[arg(long, short, conflicts_with_all = ["after", "csv"])]
    follow: bool,
    /// Verify the whole hash chain instead; exit code 5 names the first broken row
    #[arg(long, conflicts_with_all = ["kind", "subject", "run", "since", "limit", "after", "all", "csv", "follow"])]
    verify: bool,
    #[command(flatten)]
    paging: Paging,
}

/// What `events` shows.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EventsOutput {
    /// The events, oldest first; empty with `--verify`. The next page has older ones.
    pub events: Vec<Event>,
    /// Where the page ends.
    #[serde(flatten)]
    pub end: PageEnd,
    /// The walk over the chain, with `--verify`.
    pub chain: Option<ChainReport>,
}

impl Events {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let state = App::open_lenient(session)?.read()?;
        if self.verify {
            let chain = state::verify_chain(state.look()?.conn())?;
            let failure = chain.clone().into_result().err();
            let output = EventsOutput { events: Vec::new(), end: PageEnd::default(), chain: Some(chain) };
            return Ok(Outcome::of(output).but(failure));
        }
        let window = self.paging.window();
        let filter = EventFilter {
            kind: self.kind,
            subject: self.subject,
            run_id: self.run,
            // The same form as in the log, where times are compared as texts.
            since: self.since.map(|time| format!("{time:.3}")),
            after: window.after()?,
            limit: window.limit,
        };
        if self.follow {
            return follow(session, &state, &filter);
        }
        let look = state.look()?;
        let total = state::count_events(look.conn(), &filter)?;
        let filter = EventFilter { limit: Some(window.reach()), ..filter };
        let found = state::list_events(look.conn(), &filter)?;
        let (mut events, end) = window.page(found, total, |event| event.id.to_string());
        events.sort_unstable_by_key(|event| event.id);
        let output = EventsOutput { events, end, chain: None };
        Outcome::list(output, |output| (&output.events, &output.end), self.paging.csv)
    }
}

const HEADS: [&str; 6] = [">ID", "AT", "ACTOR", "KIND", "SUBJECT", "PAYLOAD"];

fn row(Event { id, at, actor, kind, subject, payload, .. }: &Event) -> [String; 6] {
    cells![id, at, actor, kind, subject, said(payload)]
}

/// The particulars for a person: `name value, name value`.
fn said(value: &Value) -> String {
    let within = |value: &Value| match value {
        Value::Object(_) => format!("({})", said(value)),
        other => said(other),
    };
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(values) => format!("[{}]", values.iter().map(within).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{name} {}", within(value)));
            fields.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// Reads a time, or a span before now.
fn since(text: &str) -> Result<Timestamp> {
    let refuse = || {
        Error::new(Code::InvalidValue, format!("\"{text}\" is neither a time nor a span"))
            .hint("write 2026-11-21T08:00:00Z, or a span before now: 30m, 24h, 7d")
    };
    match clock::duration(text) {
        Ok(span) => SignedDuration::try_from(span)
            .ok()
            .and_then(|span| Timestamp::now().checked_sub(span).ok())
            .ok_or_else(refuse),
        Err(why @ BadDuration::TooLong) => Err(bad_duration(text, why)),
        Err(BadDuration::Malformed) => text.parse().map_err(|_| refuse()),
    }
}

impl Present for EventsOutput {
    fn present(&self, page: &mut Page) {
        match &self.chain {
            Some(chain) if chain.broken.is_none() => {
                let pruned = match chain.pruned {
                    0 => String::new(),
                    pruned => format!(" ({pruned} more were pruned)"),
                };
                page.line(format!(
                    "{}, unbroken{pruned}; last hash {}",
                    counted(chain.events, "event"),
                    chain.head
                ));
            }
            Some(chain) => {
                page.line(format!(
                    "{} unbroken from the first; last good hash {}",
                    counted(chain.events, "event"),
                    chain.head
                ));
            }
            None if self.events.is_empty() => {
                page.line("no events");
            }
            None => {
                page.rows(HEADS, &self.events, row);
            }
        }
    }
}

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
fn follow(session: &Session, state: &State, filter: &EventFilter) -> Result<Outcome> {
    let place = identity(state)?;
    let mut teller = Teller { session, shown: 0 };
    let (mut before, mut last_id) = {
        let look = state.look()?;
        (state::list_events(look.conn(), filter)?, state::last_event(look.conn())?)
    };
    before.sort_unstable_by_key(|event| event.id);
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
    let outcome = Outcome::of(output);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_takes_a_time_or_a_span() {
        assert_eq!(since("2026-11-21T08:00:00Z").unwrap().as_second(), 1_795_248_000);
        let hour_ago = Timestamp::now().as_second() - since("1h").unwrap().as_second();
        assert!((3_600..3_605).contains(&hour_ago), "{hour_ago}");
        for bad in ["", "yesterday", "-1h", "24", "99999999999999999s"] {
            assert_eq!(since(bad).unwrap_err().code(), Code::InvalidValue, "{bad}");
        }
    }
}
