//! What was told, and the notifications that wait: statements only.

use super::rules::{Change, Condition, Edge};
use super::text::Notice;
use base::{Error, Result};
use rusqlite::{Connection, params};
use state::columns::word;
use state::rows::Row;
use state::{Tx, rows};

/// Why what waits for a channel is given up when that is no longer there. It says nothing of how the channel works.
const NOT_SET: &str = "the channel is no longer set";

/// What was told and holds still.
pub(super) fn told(conn: &Connection) -> Result<Vec<Condition>> {
    let sql =
        "SELECT area, subject, kind, topic, severity, since_at FROM notified ORDER BY area, subject, kind";
    rows::all(conn, sql, [], |row| {
        Ok(Condition {
            area: row.get("area")?,
            subject: row.get("subject")?,
            kind: row.get("kind")?,
            topic: row.get("topic")?,
            severity: word(row.get_ref("severity")?).map_err(rusqlite::Error::from)?,
            why: String::new(),
            since: row.get("since_at")?,
        })
    })
}

/// Notes that this is told now.
pub(super) fn tell(tx: &Tx<'_>, change: &Change) -> Result<()> {
    let Condition { area, subject, kind, topic, severity, since, .. } = &change.of;
    match change.change {
        Edge::Lost => Ok(()),
        Edge::Resolved => {
            let sql = "DELETE FROM notified WHERE area = ?1 AND subject = ?2 AND kind = ?3";
            rows::run(tx.conn(), sql, params![area, subject, kind])
        }
        Edge::New | Edge::Worse => {
            let sql = "INSERT INTO notified (area, subject, kind, topic, severity, since_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (area, subject, kind) DO UPDATE SET topic = ?4, severity = ?5";
            rows::run(tx.conn(), sql, params![area, subject, kind, topic, severity.as_str(), since])
        }
    }
}

/// Forgets what was told, so that all of it that still holds is told again; but of these channels, whose trouble the others
/// heard of and hear the end of.
pub(super) fn untell(tx: &Tx<'_>, channels: &[String]) -> Result<()> {
    let mut gone = told(tx.conn())?;
    gone.retain(|of| !of.is_about_one_of(channels));
    gone.into_iter().try_for_each(|of| tell(tx, &Change { change: Edge::Resolved, of }))
}

/// The address of a farmer, and the name of its pooler.
pub(super) fn farmer(conn: &Connection, id: &str) -> Result<Option<(String, String)>> {
    let sql = "SELECT f.address, p.name FROM farmers f JOIN poolers p ON p.id = f.pooler_id WHERE f.id = ?1";
    rows::first(conn, sql, [id], |row| Ok((row.get("address")?, row.get("name")?)))
}

/// The name of a pooler.
pub(super) fn pooler(conn: &Connection, id: &str) -> Result<Option<String>> {
    rows::value(conn, "SELECT name FROM poolers WHERE id = ?1", [id])
}

/// The events of losses behind an event, with their particulars.
pub(super) fn losses_after(conn: &Connection, after: i64) -> Result<Vec<(i64, String)>> {
    let sql = "SELECT id, payload FROM events WHERE kind = 'harvest.lost' AND id > ?1 ORDER BY id";
    rows::all(conn, sql, [after], |row| Ok((row.get("id")?, row.get("payload")?)))
}

/// The last event of a loss; 0 where there is none.
pub(super) fn last_loss(conn: &Connection) -> Result<i64> {
    let sql = "SELECT id FROM events WHERE kind = 'harvest.lost' ORDER BY id DESC LIMIT 1";
    Ok(rows::value(conn, sql, [])?.unwrap_or(0))
}

/// Queues a notification for a channel; it is due at once.
pub(super) fn queue(tx: &Tx<'_>, channel: &str, notice: &Notice) -> Result<()> {
    let sql =
        "INSERT INTO notifications (key, channel, content, created_at, next_at) VALUES (?1, ?2, ?3, ?4, ?4)";
    rows::run(tx.conn(), sql, params![key(), channel, stored(notice)?, tx.now()])
}

/// A name for a notification that no other has.
pub fn key() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn stored(notice: &Notice) -> Result<String> {
    serde_json::to_string(notice)
        .map_err(|e| Error::new(base::Code::Bug, format!("a notification cannot be written as JSON: {e}")))
}

/// A notification that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Its row.
    pub(super) id: i64,
    /// Its key, which goes with each try.
    pub key: String,
    /// The channel.
    pub channel: String,
    /// What it says.
    pub notice: Notice,
    /// Tries so far; this one is among them once it was claimed.
    pub attempts: u64,
}

/// The next ones of a channel that are due at `now`, so many at most.
pub(super) fn due(conn: &Connection, channel: &str, now: i64, most: u32) -> Result<Vec<Due>> {
    let sql = "SELECT id, key, channel, content, attempts FROM notifications
         WHERE channel = ?1 AND done_at IS NULL AND next_at <= ?2 ORDER BY next_at, id LIMIT ?3";
    rows::all(conn, sql, params![channel, now, most], |row| {
        let (key, content): (String, String) = (row.get("key")?, row.get("content")?);
        let notice = read(&key, &content)?;
        let (id, channel, attempts) = (row.get("id")?, row.get("channel")?, row.get("attempts")?);
        Ok(Due { id, key, channel, notice, attempts })
    })
}

fn read(key: &str, content: &str) -> Result<Notice> {
    serde_json::from_str(content)
        .map_err(|_| Error::corrupt(format!("notification {key} is not one as it is written")))
}

/// Counts a try that is about to be made, and keeps everybody from another one until `next_at`.
pub(super) fn claim(tx: &Tx<'_>, due: &Due, next_at: i64) -> Result<()> {
    let sql = "UPDATE notifications SET attempts = attempts + 1, next_at = ?2 WHERE id = ?1";
    rows::run(tx.conn(), sql, params![due.id, next_at])
}

/// It is sent.
pub(super) fn sent(tx: &Tx<'_>, due: &Due) -> Result<()> {
    let sql =
        "UPDATE notifications SET done_at = ?2, sent = 1, error = NULL WHERE id = ?1 AND done_at IS NULL";
    rows::run(tx.conn(), sql, params![due.id, tx.now()])
}

/// One that was sent without a queue: the channel works.
pub(super) fn sent_at_once(tx: &Tx<'_>, channel: &str, key: &str, notice: &Notice) -> Result<()> {
    let sql =
        "INSERT INTO notifications (key, channel, content, created_at, attempts, next_at, done_at, sent)
         VALUES (?1, ?2, ?3, ?4, 1, ?4, ?4, 1)";
    rows::run(tx.conn(), sql, params![key, channel, stored(notice)?, tx.now()])
}

/// It failed and is tried again.
pub(super) fn failed(tx: &Tx<'_>, due: &Due, next_at: i64, why: &str) -> Result<()> {
    let sql = "UPDATE notifications SET next_at = ?2, error = ?3 WHERE id = ?1 AND done_at IS NULL";
    rows::run(tx.conn(), sql, params![due.id, next_at, why])
}

/// It failed and is given up.
pub(super) fn given_up(tx: &Tx<'_>, due: &Due, why: &str) -> Result<()> {
    let sql = "UPDATE notifications SET done_at = ?2, error = ?3 WHERE id = ?1 AND done_at IS NULL";
    rows::run(tx.conn(), sql, params![due.id, tx.now(), why])
}

/// Nothing goes to a channel before `until`: it asked for that.
pub(super) fn hold(tx: &Tx<'_>, channel: &str, until: i64) -> Result<()> {
    let sql = "UPDATE notifications SET next_at = ?2 WHERE channel = ?1 AND done_at IS NULL AND next_at < ?2";
    rows::run(tx.conn(), sql, params![channel, until])
}

/// The channels for which some wait.
pub(super) fn waited_for(conn: &Connection) -> Result<Vec<String>> {
    rows::column(conn, "SELECT DISTINCT channel FROM notifications WHERE done_at IS NULL", [])
}

/// Gives up all that waits for a channel that is no longer set.
pub(super) fn drop_all(tx: &Tx<'_>, channel: &str) -> Result<()> {
    let sql = "UPDATE notifications SET done_at = ?2, error = ?3 WHERE channel = ?1 AND done_at IS NULL";
    rows::run(tx.conn(), sql, params![channel, tx.now(), NOT_SET])
}

/// Forgets what ended before.
pub(super) fn forget(tx: &Tx<'_>, before: i64) -> Result<()> {
    rows::run(tx.conn(), "DELETE FROM notifications WHERE done_at < ?1", [before])
}

/// Tries, and seconds that it waits, after which a notification that has not got through is told of.
const TELLING: [i64; 2] = [6, 3_600];

/// Since when and why a channel's notifications do not get through: one waits after several tries, or for long, or the last one
/// was given up.
pub(crate) fn stuck(conn: &Connection, channel: &str) -> Result<Option<(i64, String)>> {
    let sql = "SELECT created_at, attempts, error FROM notifications WHERE channel = ?1 AND done_at IS NULL
             AND attempts > 0 AND (attempts >= ?2 OR next_at - created_at > ?3) ORDER BY id LIMIT 1";
    let [tries, long] = TELLING;
    let stuck = rows::first(conn, sql, params![channel, tries, long], |row| {
        let (tried, why): (u64, Option<String>) = (row.get("attempts")?, row.get("error")?);
        Ok((
            row.get("created_at")?,
            format!("tried {}: {}", base::counted(tried, "time"), why.unwrap_or_default()),
        ))
    })?;
    stuck.map_or_else(|| failing(conn, channel), |stuck| Ok(Some(stuck)))
}

/// When and why the last notification of a channel was given up; `None` where it got through, or where there was none. What was
/// given up while the channel was not set does not count.
pub(super) fn failing(conn: &Connection, channel: &str) -> Result<Option<(i64, String)>> {
    let sql = "SELECT sent, done_at, error FROM notifications WHERE channel = ?1 AND done_at IS NOT NULL
             AND error IS NOT ?2 ORDER BY done_at DESC, id DESC LIMIT 1";
    let last = rows::first(conn, sql, [channel, NOT_SET], |row| {
        let why: Option<String> = row.get("error")?;
        Ok((row.get::<_, bool>("sent")?, row.get("done_at")?, why.unwrap_or_default()))
    })?;
    Ok(last.filter(|(sent, ..)| !sent).map(|(_, at, why)| (at, why)))
}

/// How many wait.
pub(super) fn waiting(conn: &Connection) -> Result<u64> {
    rows::one(conn, "SELECT count(*) FROM notifications WHERE done_at IS NULL", [])
}

/// A notification, for a list of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Row id; they were queued in this order.
    pub id: i64,
    /// Its key.
    pub key: String,
    /// The channel.
    pub channel: String,
    /// What it says.
    pub notice: Notice,
    /// When it was queued; times are seconds since 1970.
    pub created_at: i64,
    /// Tries so far.
    pub attempts: u64,
    /// When it is tried next, where it waits.
    pub next_at: i64,
    /// When it was sent or given up; `None` = it waits.
    pub done_at: Option<i64>,
    /// Whether it was sent.
    pub sent: bool,
    /// Why the last try failed.
    pub error: Option<String>,
}

/// So many, the newest first, of those that came before an id.
pub fn list(conn: &Connection, before: Option<i64>, limit: u32) -> Result<Vec<Listed>> {
    let sql = "SELECT id, key, channel, content, created_at, attempts, next_at, done_at, sent, error
         FROM notifications WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
    let read = |row: &Row<'_>| {
        let (key, content): (String, String) = (row.get("key")?, row.get("content")?);
        let notice = read(&key, &content)?;
        Ok(
            state::from_row!(row => Listed { id, channel, created_at, attempts, next_at, done_at, sent, error }
            and { key: key, notice: notice }),
        )
    };
    rows::all(conn, sql, params![before.unwrap_or(i64::MAX), limit], read)
}

/// How many there are; `None` where they are too many to count.
pub fn count(conn: &Connection) -> Result<Option<u64>> {
    rows::count(conn, "SELECT count(*) FROM (SELECT 1 FROM notifications LIMIT ?1)", [rows::UNCOUNTED])
}
