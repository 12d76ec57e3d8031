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

use base::{Error, Result, counted};
use config::{Channel, Config};
use net::Fault;
use rules::{Condition, Message, changes, messages, pause};
use rusqlite::Connection;
use serde_json::json;
use state::Tx;
use std::slice;

/// The last loss that was told, in `meta`.
const LAST_LOSS: &str = "notified_loss";

/// How long what was sent or given up is kept.
const KEPT_SEC: i64 = 30 * 86_400;

/// What a try takes, in its time limits: the URL and the token may be printed by a command each, then it is sent.
const STEPS: i64 = 3;

/// Seconds beyond these in which nobody else makes another try.
const GRACE_SEC: i64 = 5;

/// What is to be told, and up to which loss.
struct News {
    changes: Vec<Change>,
    /// The last loss, where that is not the one that was noted.
    last_loss: Option<i64>,
}

/// What is to be told at `now`, where this was told already.
fn news(conn: &Connection, config: &Config, told: &[Condition], now: i64) -> Result<News> {
    let bad = |text: &str| Error::corrupt(format!("{LAST_LOSS} is \"{text}\", which is no event's number"));
    let noted = state::meta_get(conn, LAST_LOSS)?
        .map(|text| text.parse::<i64>().map_err(|_| bad(&text)))
        .transpose()?;
    let (losses, last) = facts::losses(conn, noted, now)?;
    let changes = changes(told, &facts::conditions(conn, config, now)?, &losses);
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

/// What a run would do at `now`, seconds since 1970, that sends at most so many to a channel; nothing is written.
pub fn outlook(
    conn: &Connection,
    config: &Config,
    channels: &[Channel],
    most: u32,
    now: i64,
) -> Result<Outlook> {
    let gone = waits_for_none(conn, channels)?;
    let mut told = rows::told(conn)?;
    told.retain(|of| gone.is_empty() || of.is_about_one_of(&gone));
    let News { changes, last_loss } = news(conn, config, &told, now)?;
    let new = self::notices(config, channels, &changes, now);
    let mut notices = Vec::new();
    for channel in channels {
        let waiting = rows::due(conn, &channel.name, now, most)?.into_iter().map(|due| due.notice);
        let own = new.iter().filter(|(name, _)| *name == channel.name).map(|(_, notice)| notice.clone());
        let sent = waiting.chain(own).take(usize::try_from(most).unwrap_or(usize::MAX));
        notices.extend(sent.map(|notice| (channel.name.clone(), notice)));
    }
    let idle = changes.is_empty() && last_loss.is_none() && notices.is_empty() && gone.is_empty();
    Ok(Outlook { changes, notices, idle })
}

/// Channels for which notifications wait, and that are no longer set.
fn waits_for_none(conn: &Connection, channels: &[Channel]) -> Result<Vec<String>> {
    let mut waited = rows::waited_for(conn)?;
    waited.retain(|name| !channels.iter().any(|channel| channel.name == *name));
    Ok(waited)
}

/// Queues what is to be told and was not yet, and forgets what ended long ago. Returns what changed. Where something waited for
/// a channel that is no longer set, what holds is told again: perhaps nobody heard of it.
pub fn take_in(tx: &Tx<'_>, config: &Config, channels: &[Channel]) -> Result<Vec<Change>> {
    let gone = waits_for_none(tx.conn(), channels)?;
    gone.iter().try_for_each(|channel| rows::drop_all(tx, channel))?;
    if !gone.is_empty() {
        rows::untell(tx, &gone)?;
    }
    let News { changes, last_loss } = news(tx.conn(), config, &rows::told(tx.conn())?, tx.now())?;
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
        let Some(mut due) = rows::due(tx.conn(), &channel.name, tx.now(), 1)?.pop() else { continue };
        due.attempts += 1;
        let limit = i64::try_from(config.number("notify.timeout_sec")?).unwrap_or(i64::MAX);
        let wait = pause(due.attempts, config.number("notify.retry_base_sec")?, None);
        let longest = limit.saturating_mul(STEPS).saturating_add(GRACE_SEC);
        rows::claim(tx, &due, tx.now().saturating_add(wait.max(longest)))?;
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

/// Records what became of a try. A channel that works again is told what holds once more: it missed what was given up.
pub fn record(tx: &Tx<'_>, config: &Config, due: &Due, result: Result<(), &Fault>) -> Result<Fate> {
    let Err(fault) = result else {
        if is_failing(tx.conn(), &due.channel)? {
            rows::untell(tx, slice::from_ref(&due.channel))?;
        }
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

/// Notes that a channel works again: a notification with this key got through. What holds is told once more.
pub fn works(tx: &Tx<'_>, channel: &str, key: &str, notice: &Notice) -> Result<()> {
    rows::untell(tx, &[channel.to_owned()])?;
    rows::sent_at_once(tx, channel, key, notice)
}
