//! Old rows go into an archive, and then out of the state.
//!
//! The order is what makes it safe to be killed anywhere: the archive is written, read back and on the disk; then the state
//! notes it (`state.archived`, with its digest); then it gets its name; then rows are deleted, step by step, each step with
//! its declaration (`state.pruned`). Until the note, nothing has happened; from then on the next prune goes on.

mod archive;
mod delete;
mod select;
mod tables;

use super::{Lease, State, WriteContext, meta_get};
use crate::Permit;
use archive::Archive;
use base::{Code, Error, Progress, Result, Stop, say};
use rusqlite::Connection;
use schemars::JsonSchema;
use select::{Cut, Selection};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tables::{Counting, Counts, TABLES};

/// The least age that may be asked for: no alert, limit or rate looks back further than a day.
pub const LEAST_AGE: Duration = Duration::from_hours(24);

/// In `meta` while rows of an archive are still to be deleted: the id of its `state.archived` event.
const PENDING: &str = "prune_pending";

/// What a prune did, or would do.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct PruneReport {
    /// Rows that are older than this (RFC 3339) went; `None` where an interrupted prune was ended.
    pub before: Option<String>,
    /// Where they are now; `None` where there were none, and in a dry run.
    pub archive: Option<PathBuf>,
    /// SHA-256 of the archive, lower-case hex.
    pub sha256: Option<String>,
    /// Size of the archive; in a dry run, of the values that would be in it.
    pub bytes: u64,
    /// Rows by table, those without any left out.
    pub rows: BTreeMap<String, u64>,
    /// Whether it went on with a prune that was interrupted.
    pub resumed: bool,
}

impl PruneReport {
    /// Rows of all tables.
    pub fn total(&self) -> u64 {
        self.rows.values().sum()
    }
}

/// Refuses an age below [`LEAST_AGE`].
pub fn check_age(age: Duration) -> Result<()> {
    if age >= LEAST_AGE {
        return Ok(());
    }
    let span = base::clock::span(age.as_secs());
    let why = format!("rows of {span} are too young to be pruned; allowed: from 1d on");
    Err(Error::new(Code::InvalidValue, why)
        .hint("limits, alerts and rates look back over a day: write 1d or more"))
}

/// Since when rows stay, in seconds since 1970.
fn before(now: i64, age: Duration) -> Result<i64> {
    check_age(age)?;
    Ok(i64::try_from(age.as_secs()).map_or(i64::MIN, |age| now.saturating_sub(age)))
}

/// Counts what is older than `age`; writes nothing.
///
/// # Errors
/// `invalid_value` for an age below [`LEAST_AGE`]; `state_corrupt` where the rows contradict each other.
pub fn prune_preview(
    state: &State,
    age: Duration,
    progress: &dyn Progress,
    stop: &Stop,
) -> Result<PruneReport> {
    let before = before(state.run().clock.now(), age)?;
    let look = state.look()?;
    if let Some((_, archive)) = pending(look.conn())? {
        return Ok(report(None, &archive, true));
    }
    let cut = Cut::new(look.conn(), before)?;
    let mut counting = Counting::default();
    progress.begin("looking", None);
    let walked =
        Selection::new(look.conn(), &cut, stop)?.walk(&mut counting, &mut |rows| progress.advance(rows));
    progress.end();
    walked?;
    let (before, rows) = (Some(cut.at().to_owned()), named(&counting.counts));
    Ok(PruneReport { before, bytes: counting.bytes, rows, ..PruneReport::default() })
}

/// Moves what is older than `age` into the archive at `target`, or beside the state; a prune that was interrupted is ended
/// instead.
///
/// # Errors
/// `invalid_value` for an age below [`LEAST_AGE`]; `lease_held` where another run prunes; `conflict` where `target` exists; `io_error`, `state_error` where the
/// disk refuses, with nothing deleted; `check_failed`, `state_corrupt`; `interrupted`, to be gone on with.
pub fn prune(work: &mut WriteContext<'_>, age: Duration, target: Option<&Path>) -> Result<PruneReport> {
    let before = before(work.state.run().clock.now(), age)?;
    let _lease = work.permit.lease(&Lease::Prune)?;
    let WriteContext { state, permit, progress, stop, .. } = work;
    let permit = *permit;
    // The audit log names the archive, and is read from anywhere.
    let absolute = |path: &Path| {
        std::path::absolute(path)
            .map_err(|e| Error::new(Code::InvalidValue, format!("{}: {e}", path.display())))
    };
    let home = absolute(state.path())?;
    archive::sweep_unless(&home, pending(state.conn())?.map(|(_, archive)| archive.path).as_deref())?;
    if let Some((event, archive)) = pending(state.conn())? {
        match execute(state, permit, event, &archive, *progress, stop) {
            // What was deleted of it is in the archive alone; what was not is still here, and is pruned afresh.
            Err(e) if e.code() == Code::Drift => forget(state, permit, event, &e)?,
            Err(e) => return Err(e),
            Ok(()) => return Ok(report(None, &archive, true)),
        }
    }
    let target = target.map_or_else(|| Ok(archive::beside(&home, state.run().clock)), absolute)?;
    let cut = Cut::new(state.conn(), before)?;
    progress.begin("archiving", None);
    let written = archive::write(state, &target, &cut, stop, &mut |rows| progress.advance(rows));
    progress.end();
    let Some(archive) = written? else {
        return Ok(PruneReport { before: Some(cut.at().to_owned()), ..PruneReport::default() });
    };
    base::killpoint::reach();
    let facts = json!({
        "before": cut.at(), "sha256": archive.sha256, "bytes": archive.bytes, "rows": delete::rows(&archive.counts),
    });
    let event = state.write(permit, |tx| {
        let event = tx.event("state.archived", &archive.path.to_string_lossy(), &facts)?;
        tx.meta_set(PENDING, &event.to_string())?;
        Ok(event)
    })?;
    execute(state, permit, event, &archive, *progress, stop)?;
    Ok(report(Some(cut.at().to_owned()), &archive, false))
}

/// Gives the archive its name, and deletes what is in it.
fn execute(
    state: &mut State,
    permit: Permit<'_>,
    event: i64,
    archive: &Archive,
    progress: &dyn Progress,
    stop: &Stop,
) -> Result<()> {
    archive.publish()?;
    let conn = archive.open()?;
    let source = delete::Source { event, archive: &conn, path: &archive.path };
    progress.begin("deleting", archive.counts.0.first().copied());
    let deleted = delete::run(state, permit, &source, progress, stop);
    progress.end();
    deleted?;
    state.write(permit, |tx| {
        tx.event("state.prune_done", &archive.path.to_string_lossy(), &json!({ "archived": event }))?;
        tx.meta_unset(PENDING)
    })?;
    state.after_bulk(u64::MAX)
}

/// Gives up an interrupted prune whose archive is not there any more.
fn forget(state: &mut State, permit: Permit<'_>, event: i64, why: &Error) -> Result<()> {
    tracing::warn!("{}; what it had not deleted yet is pruned afresh", why.message());
    state.write(permit, |tx| {
        let facts = json!({ "archived": event, "why": why.message() });
        tx.event("state.prune_abandoned", "prune", &facts)?;
        tx.meta_unset(PENDING)
    })
}

/// Whether a prune that was begun can be gone on with.
///
/// # Errors
/// `state_corrupt` where it cannot be told what is still to be deleted.
pub fn can_go_on(conn: &Connection) -> Result<()> {
    pending(conn).map(drop)
}

/// The archive whose rows are still to be deleted, and the event that says so.
fn pending(conn: &Connection) -> Result<Option<(i64, Archive)>> {
    let Some(text) = meta_get(conn, PENDING)? else { return Ok(None) };
    let bad = || {
        Error::new(Code::StateCorrupt, format!("meta.{PENDING} is \"{text}\", and no event says so"))
            .hint(say("run: ").run("events").with("verify"))
    };
    let event: i64 = text.parse().map_err(|_| bad())?;
    let (path, payload): (String, String) = conn
        .prepare("SELECT subject, payload FROM events WHERE id = ?1 AND kind = 'state.archived'")?
        .query_row([event], |row| Ok((row.get("subject")?, row.get("payload")?)))
        .map_err(|_| bad())?;
    let facts: Value = serde_json::from_str(&payload).map_err(|_| bad())?;
    let mut counts = Counts::default();
    for (slot, table) in counts.0.iter_mut().zip(&TABLES) {
        *slot = facts["rows"][table.name].as_u64().unwrap_or(0);
    }
    let sha256 = facts["sha256"].as_str().ok_or_else(bad)?.to_owned();
    let bytes = facts["bytes"].as_u64().ok_or_else(bad)?;
    Ok(Some((event, Archive { path: path.into(), bytes, sha256, counts })))
}

fn named(counts: &Counts) -> BTreeMap<String, u64> {
    counts.named().map(|(name, count)| (name.to_owned(), count)).collect()
}

fn report(before: Option<String>, archive: &Archive, resumed: bool) -> PruneReport {
    PruneReport {
        before,
        archive: Some(archive.path.clone()),
        sha256: Some(archive.sha256.clone()),
        bytes: archive.bytes,
        rows: named(&archive.counts),
        resumed,
    }
}
