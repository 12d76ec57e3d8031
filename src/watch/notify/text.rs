//! A message in words: a title, a line for each change, and the same as the documented JSON. Pure; short enough for every
//! service, and without what looks like a secret.

use super::rules::{Change, Edge, Message};
use base::{clock, redact};
use config::Severity;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Bytes of text that go into a message: Discord takes the fewest, 2000 characters.
const MOST: usize = 1_500;
/// Changes that go into the JSON.
const MOST_CHANGES: usize = 200;

/// The form of the JSON: fields are added, never renamed.
const SCHEMA_VERSION: u32 = 1;

/// What is kept of a message until it is sent: the documented JSON, but for the key of the notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// One line: which profile, how grave, about what.
    pub title: String,
    /// A line for each change.
    pub text: String,
    /// How grave the gravest of it is.
    pub severity: Severity,
    /// Whether all of it is good news.
    pub resolved: bool,
    /// All else of the JSON.
    #[serde(flatten)]
    pub more: serde_json::Map<String, Value>,
}

impl Notice {
    /// A message of this profile, as of `now`.
    pub fn of(message: &Message, profile: &str, now: i64) -> Self {
        let resolved = message.is_resolved();
        let severity = message.severity();
        let gravity = if resolved { "resolved" } else { severity.as_str() };
        let topic = clean(&message.topic);
        let (profile, changes) = (clean(profile), message.changes.iter().take(MOST_CHANGES));
        let changes: Vec<Change> = changes.map(cleaned).collect();
        let more = json!({
            "schema_version": SCHEMA_VERSION, "source": "poolctl", "profile": profile, "topic": topic,
            "at": clock::rfc3339(now), "changes": changes, "more": message.changes.len() - changes.len(),
        });
        let more = if let Value::Object(more) = more { more } else { serde_json::Map::new() };
        Self {
            title: format!("poolctl {profile}: {gravity}: {topic}"),
            text: lines(message, now),
            severity,
            resolved,
            more,
        }
    }

    /// One that says that a channel works.
    pub fn test(profile: &str, now: i64) -> Self {
        let nothing = Message { topic: "test".to_owned(), changes: Vec::new() };
        let mut notice = Self::of(&nothing, profile, now);
        notice.title = format!("poolctl {profile}: test");
        "This channel gets notifications.".clone_into(&mut notice.text);
        notice.resolved = false;
        notice
    }
}

/// One line without secrets, and without what could steer a terminal.
fn clean(text: &str) -> String {
    redact::plain(&redact::said(text))
}

fn cleaned(change: &Change) -> Change {
    let mut change = change.clone();
    for text in [&mut change.of.subject, &mut change.of.kind, &mut change.of.topic, &mut change.of.why] {
        *text = clean(text);
    }
    change
}

/// The lines that there is room for, and how many there are more.
fn lines(message: &Message, now: i64) -> String {
    let mut text = String::new();
    for (done, change) in message.changes.iter().enumerate() {
        let line = line(&cleaned(change), now);
        if text.len() + line.len() > MOST {
            return format!("{text}and {} more", message.changes.len() - done);
        }
        text.push_str(&line);
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text
}

fn line(change: &Change, now: i64) -> String {
    let Change { change: edge, of } = change;
    // Underscores are italics to some.
    let mut what = format!("{}: {}", edge.as_str(), of.kind.replace('_', " "));
    if !of.subject.is_empty() && !of.topic.ends_with(&of.subject) {
        what = format!("{what} of {}", of.subject);
    }
    match edge {
        Edge::Resolved => {
            let age = clock::age(of.since, now).map(|age| format!(", after {}", clock::span(age)));
            what + &age.unwrap_or_default()
        }
        _ if of.why.is_empty() => what,
        _ => format!("{what}: {}", of.why),
    }
}

#[cfg(test)]
mod tests {
    use super::super::rules::Condition;
    use super::*;

    fn change(edge: Edge, subject: &str, why: &str) -> Change {
        let (topic, kind) = ("pool growth".to_owned(), "exchange_rate_drop".to_owned());
        let (area, subject, why) = ("risk".to_owned(), subject.to_owned(), why.to_owned());
        Change {
            change: edge,
            of: Condition { area, subject, kind, topic, severity: Severity::Critical, why, since: 0 },
        }
    }

    fn of(changes: Vec<Change>) -> Notice {
        Notice::of(&Message { topic: "pool growth".to_owned(), changes }, "mainnet", 3_700)
    }

    #[test]
    fn says_what_which_and_why() {
        let notice = of(vec![
            change(Edge::New, "growth", "it fell by 2 %"),
            change(Edge::Worse, "eth-usd", "stale"),
            change(Edge::Resolved, "growth", ""),
        ]);
        assert_eq!(notice.title, "poolctl mainnet: critical: pool growth");
        assert_eq!(
            notice.text,
            "new: exchange rate drop: it fell by 2 %\nworse: exchange rate drop of eth-usd: stale\n\
             resolved: exchange rate drop, after 1h 1m"
        );
        let json = serde_json::to_value(&notice).unwrap();
        assert_eq!(json["changes"][0]["change"], "new");
        assert_eq!(json["changes"][0]["since"], "1970-01-01T00:00:00Z");
        assert_eq!((&json["topic"], &json["more"]), (&"pool growth".into(), &0.into()));
        assert_eq!(serde_json::from_value::<Notice>(json).unwrap(), notice);
        assert_eq!(
            of(vec![change(Edge::Resolved, "growth", "")]).title,
            "poolctl mainnet: resolved: pool growth"
        );
    }

    #[test]
    fn a_long_message_is_cut_at_a_line_and_says_so() {
        for count in [1, 5, 6, 50, 1_000] {
            let notice = of((0..count).map(|_| change(Edge::New, "growth", &"é".repeat(2_000))).collect());
            assert!(notice.text.len() <= MOST + 30, "{}", notice.text.len());
            let lines = notice.text.lines().count();
            assert!(
                lines == count || notice.text.ends_with(&format!("and {} more", count - (lines - 1))),
                "{}",
                notice.text
            );
            let kept = notice.more["changes"].as_array().unwrap().len();
            assert_eq!(kept + usize::try_from(notice.more["more"].as_u64().unwrap()).unwrap(), count);
        }
    }

    #[test]
    fn no_secret_and_nothing_that_steers_a_terminal() {
        const SEED: &str = "SBU2RRGLXH3E5CQHTD3ODLDF2BWDCYUSSBLLZ5GNW7JXHDIYKXZWHOKR";
        let why = format!("{SEED} https://u:pass@h/KEY?k=KEY token=KEY \u{1b}[2J\u{202e}");
        let said = serde_json::to_string(&of(vec![change(Edge::New, &why, &why)])).unwrap();
        assert!(!said.contains("KEY") && !said.contains("pass") && !said.contains(SEED), "{said}");
        assert!(!said.contains("\\u001b") && !said.contains('\u{202e}'), "{said}");
    }
}
