//! Alarms that go somewhere: what `health` finds, and losses, as notifications to channels. An outbox of its own: what is to
//! be told is written first, each try is written before it is made, and no network is waited for inside a write. A killed run
//! sends again what it may have sent, under the same key.

mod facts;
mod payload;
pub(crate) mod rows;
mod rules;
mod send;
mod text;

pub use rows::{Due, Listed, count, key, list};
pub use rules::{Change, Edge};
pub use send::{Target, send};
pub use text::Notice;

use base::{Result, counted};
use config::{Channel, Config};
use net::Fault;
use rules::{Message, changes, messages, pause};
use rusqlite::Connection;
use serde_json::json;
use state::Tx;

/// The last loss that was told, in `meta`.
const LAST_LOSS: &str = "notified_loss";

/// How long what was sent or given up is kept.
const KEPT_SEC: i64 = 30 * 86_400;

/// Seconds beyond the time limit of a try in which nobody else makes another one.
const GRACE_SEC: i64 = 5;

/// What is to be told, and up to which loss.
struct News {
    changes: Vec<Change>,
    /// The last loss, where that is not the one that was noted.
    last_loss: Option<i64>,
}

fn news(conn: &Connection, config: &Config, now: i64) -> Result<News> {
    let noted = state::meta_get(conn, LAST_LOSS)?.and_then(|text| text.parse().ok());
    let (losses, last) = facts::losses(conn, noted, now)?;
    let changes = changes(&rows::told(conn)?, &facts::conditions(conn, config, now)?, &losses);
    Ok(News { changes, last_loss: Some(last).filter(|last| noted != Some(*last)) })
}

/// The notifications that these changes make.
fn notices(config: &Config, channels: &[Channel], changes: &[Change], now: i64) -> Vec<(String, Notice)> {
    let to_all = |message: Message| {
        let heard = channels.iter().filter_map(move |channel| Some((channel, message.routed(channel)?)));
        heard.map(|(channel, message)| (channel.name.clone(), Notice::of(&message, &config.profile, now)))
    };
    messages(changes).into_iter().flat_map(to_all).collect()
}

/// What a run would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outlook {
    /// What is to be told.
    pub changes: Vec<Change>,
    /// What would be sent: a channel, and what it would get.
    pub notices: Vec<(String, Notice)>,
    /// Whether there is anything to write at all.
    pub idle: bool,
}

/// What a run would do at `now`, seconds since 1970; nothing is written.
pub fn outlook(conn: &Connection, config: &Config, channels: &[Channel], now: i64) -> Result<Outlook> {
    let News { changes, last_loss } = news(conn, config, now)?;
    let mut waiting = Vec::new();
    for channel in channels {
        waiting.extend(rows::due(conn, &channel.name, now)?.map(|due| (due.channel, due.notice)));
    }
    let gone = waits_for_none(conn, channels)?;
    let idle = changes.is_empty() && last_loss.is_none() && waiting.is_empty() && gone.is_empty();
    let new = notices(config, channels, &changes, now);
    Ok(Outlook { changes, notices: waiting.into_iter().chain(new).collect(), idle })
}

/// Channels for which notifications wait, and that are no longer set.
fn waits_for_none(conn: &Connection, channels: &[Channel]) -> Result<Vec<String>> {
    let mut waited = rows::waited_for(conn)?;
    waited.retain(|name| !channels.iter().any(|channel| channel.name == *name));
    Ok(waited)
}

/// Queues what is to be told and was not yet, and forgets what ended long ago. Returns what changed.
pub fn take_in(tx: &Tx<'_>, config: &Config, channels: &[Channel]) -> Result<Vec<Change>> {
    for channel in waits_for_none(tx.conn(), channels)? {
        rows::drop_all(tx, &channel, "the channel is no longer set")?;
    }
    let News { changes, last_loss } = news(tx.conn(), config, tx.now())?;
    for change in &changes {
        rows::tell(tx, change)?;
    }
    if let Some(last) = last_loss {
        tx.meta_set(LAST_LOSS, &last.to_string())?;
    }
    for (channel, notice) in notices(config, channels, &changes, tx.now()) {
        rows::queue(tx, &channel, &notice)?;
    }
    rows::forget(tx, tx.now().saturating_sub(KEPT_SEC))?;
    Ok(changes)
}

/// The next notification of each of these channels that is due; the try is counted.
pub fn claim<'c>(
    tx: &Tx<'_>,
    config: &Config,
    channels: impl IntoIterator<Item = &'c Channel>,
) -> Result<Vec<Due>> {
    let mut claimed = Vec::new();
    for channel in channels {
        let Some(mut due) = rows::due(tx.conn(), &channel.name, tx.now())? else { continue };
        due.attempts += 1;
        let limit = i64::try_from(config.number("notify.timeout_sec")?).unwrap_or(i64::MAX);
        let wait = pause(due.attempts, config.number("notify.retry_base_sec")?, None);
        rows::claim(tx, &due, tx.now().saturating_add(wait.max(limit.saturating_add(GRACE_SEC))))?;
        claimed.push(due);
    }
    Ok(claimed)
}

/// What became of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It was sent.
    Sent,
    /// It failed, for this reason, and is tried again at this time, seconds since 1970.
    Waits(String, i64),
    /// It failed, for this reason, and is not tried again.
    GivenUp(String),
}

/// Records what became of a try.
pub fn record(tx: &Tx<'_>, config: &Config, due: &Due, result: Result<(), &Fault>) -> Result<Fate> {
    let Err(fault) = result else {
        rows::sent(tx, due)?;
        return Ok(Fate::Sent);
    };
    let base_sec = config.number("notify.retry_base_sec")?;
    let next_at = tx.now().saturating_add(pause(due.attempts, base_sec, fault.retry_after));
    if fault.asks_to_wait() {
        rows::hold(tx, &due.channel, next_at)?;
    }
    if due.attempts < config.number("notify.attempts")? {
        rows::failed(tx, due, next_at, &fault.words)?;
        return Ok(Fate::Waits(fault.words.clone(), next_at));
    }
    let why = format!("given up after {}: {}", counted(due.attempts, "attempt"), fault.words);
    rows::given_up(tx, due, &why)?;
    let facts =
        json!({ "key": due.key, "title": due.notice.title, "attempts": due.attempts, "why": fault.words });
    tx.event("notify.given_up", &due.channel, &facts)?;
    Ok(Fate::GivenUp(why))
}

/// How many notifications wait.
pub fn waiting(conn: &Connection) -> Result<u64> {
    rows::waiting(conn)
}

/// Whether the last notification of a channel was given up, so that one that gets through is worth a note.
pub fn is_failing(conn: &Connection, channel: &str) -> Result<bool> {
    Ok(rows::failing(conn, channel)?.is_some())
}

/// Notes that a channel works: a notification with this key got through.
pub fn works(tx: &Tx<'_>, channel: &str, key: &str, notice: &Notice) -> Result<()> {
    rows::sent_at_once(tx, channel, key, notice)
}
