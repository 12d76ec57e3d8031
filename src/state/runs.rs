//! When each scheduled command last ran: what tells a monitor of runs that had nothing to do.

use super::rows;
use base::{Exit, Result, clock, forms};
use rusqlite::{Connection, params};
use schemars::JsonSchema;
use serde::Serialize;

/// The service that looks after the farm.
pub const FARM: &str = "farm run";

/// The commands that cron or a service runs, by their words. Of others a note is left only where they are a part of the schedule.
pub const SCHEDULED: &[&str] =
    &["sync", "oracle check", "risk check", "reward cycle", "plant", "work", "harvest", FARM];

/// Those that farm.
pub const FARMING: &[&str] = &["plant", "work", "harvest", FARM];

/// Whether the end of such a command is noted.
pub fn is_scheduled(command: &str) -> bool {
    SCHEDULED.contains(&command)
}

/// The last run of a scheduled command.
// Times are seconds since 1970, by the machine's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "RunView")]
pub struct LastRun {
    /// Its words.
    pub command: String,
    /// When it ended, RFC 3339.
    #[serde(serialize_with = "clock::serialize")]
    #[schemars(with = "forms::Time")]
    pub at: i64,
    /// How it ended.
    pub exit_code: u8,
    /// When one last ended with exit code 0.
    #[serde(rename = "last_success", serialize_with = "clock::serialize_if")]
    #[schemars(with = "Option<forms::Time>")]
    pub success_at: Option<i64>,
    /// When one last did all it was there for: exit code 0, or 5 of a check that found something.
    #[serde(skip)]
    pub complete_at: Option<i64>,
}

/// The last run of every scheduled command that ever ran, by name.
pub fn last_runs(conn: &Connection) -> Result<Vec<LastRun>> {
    let sql = "SELECT command, last_run_at, exit_code, last_success_at, last_complete_at FROM runs ORDER BY command";
    rows::all(conn, sql, [], |row| {
        Ok(LastRun {
            command: row.get("command")?,
            at: row.get("last_run_at")?,
            exit_code: row.get("exit_code")?,
            success_at: row.get("last_success_at")?,
            complete_at: row.get("last_complete_at")?,
        })
    })
}

/// When `command` last succeeded, if its clock can be believed.
pub fn success_of(runs: &[LastRun], command: &str, now: i64) -> Option<i64> {
    let run = runs.iter().find(|run| run.command == command)?;
    run.success_at.filter(|at| clock::age(*at, now).is_some())
}

/// What was noted of a run, and what stood there before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    command: String,
    at: i64,
    success_at: Option<i64>,
    complete_at: Option<i64>,
}

pub(super) fn put(conn: &Connection, command: &str, exit: Exit, now: i64) -> Result<Noted> {
    let before = last_runs(conn)?.into_iter().find(|run| run.command == command);
    let (success_at, complete_at) = before.map_or((None, None), |run| (run.success_at, run.complete_at));
    let success = (exit == Exit::Done).then_some(now);
    let complete = exit.is_complete().then_some(now);
    let sql = "INSERT INTO runs (command, last_run_at, exit_code, last_success_at, last_complete_at)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (command) DO UPDATE SET last_run_at = ?2, exit_code = ?3,
             last_success_at = coalesce(?4, last_success_at), last_complete_at = coalesce(?5, last_complete_at)";
    rows::run(conn, sql, params![command, now, exit.code(), success, complete])?;
    Ok(Noted { command: command.to_owned(), at: now, success_at, complete_at })
}

/// The run did not end as was noted. A later one that has noted its own end meanwhile stands.
pub(super) fn amend(conn: &Connection, noted: &Noted, exit: Exit) -> Result<()> {
    let Noted { command, at, success_at, complete_at } = noted;
    let complete_at = if exit.is_complete() { Some(at) } else { complete_at.as_ref() };
    conn.execute(
        "UPDATE runs SET exit_code = ?3, last_success_at = ?4, last_complete_at = ?5
         WHERE command = ?1 AND last_run_at = ?2",
        params![command, at, exit.code(), success_at, complete_at],
    )?;
    Ok(())
}
