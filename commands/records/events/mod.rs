//! `poolctl events`: the audit log, filtered, followed, or walked from its first row to its last.

pub mod follow;

use crate::shell::options::bad_duration;
use crate::shell::prelude::*;
use base::clock::{self, BadDuration};
use jiff::{SignedDuration, Timestamp};
use state::{ChainReport, Event, EventFilter};

/// Show the audit log, follow it, or verify it
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl events --kind reward. --since 24h")]
pub struct Events {
    /// Only this kind, or with a trailing dot all kinds that begin so
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
    /// The newest so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Then wait for new ones, until Ctrl-C; with --json an object a line, the result last
    #[arg(long, short)]
    follow: bool,
    /// Walk the whole chain of hashes instead; exit code 5 names the first broken row
    #[arg(long, conflicts_with_all = ["kind", "subject", "run", "since", "limit", "follow"])]
    verify: bool,
}

/// What `events` shows.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EventsOutput {
    /// The events, oldest first; empty with `--verify`.
    pub events: Vec<Event>,
    /// The walk over the chain, with `--verify`.
    pub chain: Option<ChainReport>,
}

impl Events {
    /// # Errors
    /// Those of opening the state; `check_failed` for a broken chain.
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let state = App::open_lenient(session)?.read()?;
        if self.verify {
            let chain = state::verify_chain(state.conn())?;
            let failure = chain.clone().into_result().err();
            return Ok(Outcome::of(&EventsOutput { events: Vec::new(), chain: Some(chain) })?.but(failure));
        }
        let filter = EventFilter {
            kind: self.kind,
            subject: self.subject,
            run_id: self.run,
            // The same form as in the log, where times are compared as texts.
            since: self.since.map(|time| format!("{time:.3}")),
            limit: Some(self.limit),
        };
        if self.follow {
            return follow::run(session, &state, &filter);
        }
        Outcome::of(&EventsOutput { events: state::list_events(state.conn(), &filter)?, chain: None })
    }
}

const HEADS: [&str; 6] = [">ID", "AT", "ACTOR", "KIND", "SUBJECT", "PAYLOAD"];

fn row(Event { id, at, actor, kind, subject, payload, .. }: &Event) -> [String; 6] {
    cells![id, at, actor, kind, subject, payload.to_string()]
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
                page.line(format!("{} events, unbroken{pruned}; last hash {}", chain.events, chain.head));
            }
            Some(chain) => {
                page.line(format!(
                    "the first {} events are unbroken; last good hash {}",
                    chain.events, chain.head
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
