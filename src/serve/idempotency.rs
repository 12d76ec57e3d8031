//! `Idempotency-Key`: the same key and request have the same answer, whoever asks again, and the act is done once.

use crate::Face;
use crate::answer::Refusal;
use crate::tokens::{Token, hash};
use axum::http::StatusCode;
use base::{Code, Result};
use rusqlite::params;
use rustix::io::Errno;
use rustix::process::{Pid, getpid, test_kill_process};
use state::{Tx, rows};

/// How long an answer is kept, seconds.
const KEPT: i64 = 24 * 3600;
/// After so many seconds a request that has no answer was killed: every act can be repeated.
const STALE: i64 = 300;
/// Most characters of a key.
const LONGEST: usize = 200;

/// What there is of a request with this key.
pub enum Before {
    /// Nothing: it is this one's to do.
    Nothing,
    /// Its answer.
    Answer(StatusCode, Vec<u8>),
}

/// A key as clients may choose it.
pub fn key(text: &str) -> Result<&str, Refusal> {
    let fits = (1..=LONGEST).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    if fits {
        return Ok(text);
    }
    let why = format!("Idempotency-Key: 1 to {LONGEST} visible ASCII characters are wanted");
    Err(Refusal::new(StatusCode::BAD_REQUEST, Code::InvalidValue, why))
}

/// Takes a key for a request, or finds what it was answered.
pub fn begin(face: &dyn Face, run: &str, token: &Token, key: &str, request: &str) -> Result<Before, Refusal> {
    let mut before = Ok(Before::Nothing);
    face.write(&mut |tx| {
        before = taken(tx, run, token, key, &hash(request))?;
        Ok(())
    })?;
    before
}

type Row = (String, Option<u16>, Option<String>, i64, String);

fn taken(tx: &Tx<'_>, run: &str, token: &Token, key: &str, request: &str) -> Result<Result<Before, Refusal>> {
    let now = tx.now();
    rows::run(tx.conn(), "DELETE FROM answers WHERE at < ?1", [now - KEPT])?;
    let sql = "SELECT request, status, body, at, run_id FROM answers WHERE token_id = ?1 AND key = ?2";
    let known: Option<Row> = rows::first(tx.conn(), sql, params![token.id, key], |row| {
        Ok((row.get("request")?, row.get("status")?, row.get("body")?, row.get("at")?, row.get("run_id")?))
    })?;
    Ok(match known {
        Some((other, ..)) if other != request => {
            let why = "this Idempotency-Key stands for another request already";
            Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, Code::Conflict, why))
        }
        Some((_, Some(status), Some(body), ..)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
            Ok(Before::Answer(status, body.into_bytes()))
        }
        // That of a server that was killed is this one's to do.
        Some((.., by)) if by == run => {
            let why = "the request with this Idempotency-Key is at work";
            Err(Refusal::new(StatusCode::CONFLICT, Code::StateLocked, why).after(1))
        }
        Some((.., at, by)) if now - at < STALE && is_alive(&by) => {
            let why = "another server works on the request with this Idempotency-Key";
            let left = u64::try_from(STALE - (now - at)).unwrap_or(1);
            Err(Refusal::new(StatusCode::CONFLICT, Code::StateLocked, why).after(left))
        }
        _ => {
            let sql = "INSERT OR REPLACE INTO answers VALUES (?1, ?2, ?3, ?4, NULL, NULL, ?5)";
            rows::run(tx.conn(), sql, params![token.id, key, request, run, now])?;
            Ok(Before::Nothing)
        }
    })
}

/// Who works on a request: this process, and which of its runs.
pub fn worker(run: &str) -> String {
    format!("{} {run}", std::process::id())
}

/// Whether the process of a [`worker`] is there still. One that took its number since is waited for in vain, for a while.
fn is_alive(worker: &str) -> bool {
    let pid = worker.split_once(' ').and_then(|(pid, _)| pid.parse().ok()).and_then(Pid::from_raw);
    // In a container each run has the same number; this one is not that one.
    let is_mine = pid.is_some_and(|pid| pid == getpid());
    !is_mine && pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

/// Lets go of a key under which nothing was done.
pub fn release(face: &dyn Face, token: &Token, key: &str) -> Result<()> {
    face.write(&mut |tx| forget(tx, token, key))
}

fn forget(tx: &Tx<'_>, token: &Token, key: &str) -> Result<()> {
    rows::run(tx.conn(), "DELETE FROM answers WHERE token_id = ?1 AND key = ?2", params![token.id, key])
}

/// Keeps the answer. One that may be another the next time is not kept: the request can be made again.
pub fn end(face: &dyn Face, token: &Token, key: &str, status: StatusCode, body: &[u8]) -> Result<()> {
    let body = String::from_utf8_lossy(body);
    face.write(&mut |tx| {
        if status.is_server_error() || status == StatusCode::CONFLICT {
            return forget(tx, token, key);
        }
        let sql = "UPDATE answers SET status = ?3, body = ?4 WHERE token_id = ?1 AND key = ?2";
        rows::run(tx.conn(), sql, params![token.id, key, status.as_u16(), body])
    })
}
