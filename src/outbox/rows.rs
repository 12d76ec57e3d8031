//! The rows: every intended transaction by its key, each signed envelope of it, and what became of them.

use super::chain::Signed;
use base::{Code, Error, Result, clock, say};
use rusqlite::{Connection, params};
use serde_json::Value;
use state::rows::Row;
use state::{Tx, rows};
use std::fmt::Display;
use strum::{EnumString, IntoStaticStr, VariantNames};

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum OperationState {
    /// Intended; no envelope of it is under way.
    Planned,
    /// An envelope is signed and stored; it may have been sent.
    Signed,
    /// An envelope has been sent.
    Sent,
    /// It took effect on chain, and what follows from that is not recorded yet.
    Confirmed,
    /// It has no effect, and cannot have one.
    Failed,
    /// Its time ran out without effect.
    Expired,
    /// It took effect on chain, and what follows from that is recorded.
    Recorded,
}

/// How an envelope ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum AttemptOutcome {
    /// In a block, with success.
    Confirmed,
    /// In a block without success, or refused for good.
    Failed,
    /// In no block, and in none to come.
    Expired,
}

state::stored_as_word!(OperationState, AttemptOutcome);

/// An intended transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Row id, for tables that refer to it.
    pub id: i64,
    /// The chain that it is for: [`super::Chain::NAME`].
    pub network: String,
    /// What makes it the same intention: `plant:<network>:<farmer>:<block>`.
    pub key: String,
    /// What is done: `plant`.
    pub kind: String,
    /// To whom or what: a farmer.
    pub subject: String,
    /// How far it is.
    pub state: OperationState,
    /// Everything that its effects are recorded from.
    pub plan: Value,
}

/// A signed envelope of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// From 1.
    pub attempt: u32,
    /// Lower-case hex.
    pub hash: String,
    /// As it is sent.
    pub envelope: String,
    /// Seconds of the chain's time until which it may take effect; `None` = until its number is used.
    pub valid_until: Option<u64>,
    /// Whether it ended, in whichever way.
    pub ended: bool,
}

const COLUMNS: &str = "id, network, key, kind, subject, state, plan";

/// An operation by its key.
pub fn find(conn: &Connection, key: &str) -> Result<Option<Operation>> {
    rows::first(conn, &format!("SELECT {COLUMNS} FROM operations WHERE key = ?1"), [key], read)
}

/// Every operation that may have an effect on chain which is not recorded, oldest first.
pub fn open(conn: &Connection) -> Result<Vec<Operation>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM operations
         WHERE state IN ('planned', 'signed', 'sent', 'confirmed') ORDER BY id"
    );
    rows::all(conn, &sql, [], read)
}

/// Those of one network.
pub fn open_on(conn: &Connection, network: &str) -> Result<Vec<Operation>> {
    let mut found = open(conn)?;
    found.retain(|operation| operation.network == network);
    Ok(found)
}

/// When each operation that is not settled and recorded was planned, by its id, oldest first.
pub fn open_since(conn: &Connection) -> Result<Vec<(i64, i64)>> {
    let sql = "SELECT id, planned_at FROM operations
         WHERE state IN ('planned', 'signed', 'sent', 'confirmed') ORDER BY id";
    rows::all(conn, sql, [], |row| Ok((row.get("id")?, row.get("planned_at")?)))
}

fn read(row: &Row<'_>) -> Result<Operation> {
    let plan: String = row.get("plan")?;
    Ok(state::from_row!(row => Operation { id, network, key, kind, subject, state } and {
        plan: serde_json::from_str(&plan)
            .map_err(|e| Error::corrupt(format!("operations: a plan cannot be read: {e}")))?,
    }))
}

/// The envelopes of an operation, oldest first.
pub fn attempts(conn: &Connection, id: i64) -> Result<Vec<Attempt>> {
    let sql =
        "SELECT attempt, hash, envelope, valid_until, outcome IS NOT NULL AS ended FROM operation_attempts
         WHERE operation_id = ?1 ORDER BY attempt";
    rows::all(conn, sql, [id], |row| {
        Ok(state::from_row!(row => Attempt { attempt, hash, envelope, valid_until, ended }))
    })
}

/// The envelope of an operation that is to be looked up: its last, unless that has ended and the operation goes on without it.
pub(super) fn under_way(conn: &Connection, operation: &Operation) -> Result<Option<Attempt>> {
    let last = attempts(conn, operation.id)?.pop();
    Ok(last.filter(|last| !last.ended || operation.state == OperationState::Confirmed))
}

/// The last envelopes of a kind of operation, the newest first: when each was signed, in seconds since 1970, and the most
/// that it could cost, in stroops. Those that lie far back are not looked for.
pub fn offers(conn: &Connection, network: &str, kind: &str, most: u32) -> Result<Vec<(i64, i64)>> {
    let sql = "SELECT a.signed_at, a.max_fee FROM operations o
         JOIN operation_attempts a ON a.operation_id = o.id
         WHERE o.id > (SELECT coalesce(max(id), 0) FROM operations) - 1000 AND o.kind = ?1 AND o.network = ?3
         ORDER BY o.id DESC, a.attempt DESC LIMIT ?2";
    rows::all(conn, sql, params![kind, most, network], |row| {
        let fee: String = row.get("max_fee")?;
        let odd = || format!("operation_attempts: invalid fee: \"{fee}\"");
        Ok((row.get("signed_at")?, fee.parse().map_err(|_| Error::new(Code::StateCorrupt, odd()))?))
    })
}

/// Stroops that an account paid since then (seconds since 1970) in fees: for transactions of others, and for its own.
pub fn spent_by(conn: &Connection, payer: &str, since: i64) -> Result<i64> {
    let sql = "SELECT coalesce(sum(CAST(payload ->> 'fee' AS INTEGER)), 0) FROM events INDEXED BY events_by_time
         WHERE at >= ?1 AND kind IN ('operation.confirmed', 'operation.failed') AND coalesce(payload ->> 'payer', payload ->> 'source') = ?2";
    rows::one(conn, sql, params![clock::rfc3339(since), payer])
}

/// How far an operation is by now; `None` = it was pruned.
pub(super) fn state_of(conn: &Connection, id: i64) -> Result<Option<OperationState>> {
    rows::value(conn, "SELECT state FROM operations WHERE id = ?1", [id])
}

/// What is said of an operation that is not as it was read: another run led it on.
pub(super) fn changed(operation: impl Display) -> Error {
    Error::new(Code::StateChanged, format!("operation {operation} was led on by another run meanwhile"))
        .hint(say("run it again; see: ").run("operations list"))
}

/// How many envelopes of an operation there are.
pub fn attempts_made(conn: &Connection, id: i64) -> Result<u32> {
    rows::one(conn, "SELECT coalesce(max(attempt), 0) FROM operation_attempts WHERE operation_id = ?1", [id])
}

/// The most that an envelope of this kind which took effect could cost, in the chain's smallest unit, among the newest
/// operations.
pub fn highest_fee(conn: &Connection, network: &str, kind: &str) -> Result<Option<u64>> {
    const NEWEST: u32 = 500;
    let sql = "SELECT max(CAST(a.max_fee AS INTEGER))
         FROM (SELECT id, kind, network FROM operations ORDER BY id DESC LIMIT ?2) o
         JOIN operation_attempts a ON a.operation_id = o.id
         WHERE o.kind = ?1 AND o.network = ?3 AND a.outcome = 'confirmed'";
    rows::one(conn, sql, params![kind, NEWEST, network])
}

/// Plans an operation, or plans anew one that ended without effect or got no further; returns its id.
///
/// # Errors
/// `state_changed` for one that another run has led on: it may have an effect, or is another network's.
pub fn plan(tx: &Tx<'_>, network: &str, key: &str, kind: &str, subject: &str, plan: &Value) -> Result<i64> {
    let conn = tx.conn();
    let text = plan.to_string();
    let again = "UPDATE operations SET state = 'planned', plan = ?2, planned_at = ?3,
             settled_at = NULL, recorded_at = NULL, error = NULL
         WHERE key = ?1 AND network = ?4 AND state IN ('planned', 'failed', 'expired')
         RETURNING id";
    if let Some(id) = rows::value(conn, again, params![key, text, tx.now(), network])? {
        return Ok(id);
    }
    let new = "INSERT INTO operations (key, kind, subject, state, plan, planned_at, network)
         VALUES (?1, ?2, ?3, 'planned', ?4, ?5, ?6) ON CONFLICT (key) DO NOTHING RETURNING id";
    let id = rows::value(conn, new, params![key, kind, subject, text, tx.now(), network])?;
    id.ok_or_else(|| changed(format_args!("\"{key}\"")))
}

/// Stores a signed envelope, before it is sent for the first time, to this endpoint, with the plan that it was made by; returns
/// its number.
///
/// # Errors
/// `state_changed` where another run has signed or ended it; `bug` while an older envelope may still land.
pub fn signed(tx: &Tx<'_>, id: i64, plan: &Value, new: &Signed, endpoint: &str) -> Result<u32> {
    let conn = tx.conn();
    // First of all, before anything is stored: of two runs that planned it, one signs, and not always the last that did.
    let first = "UPDATE operations SET state = 'signed', plan = ?2 WHERE id = ?1 AND state = 'planned'";
    if !rows::put(conn, first, params![id, plan.to_string()])? {
        return Err(changed(id));
    }
    let open = "SELECT count(*) > count(outcome) FROM operation_attempts WHERE operation_id = ?1";
    if rows::one(conn, open, [id])? {
        return Err(Error::new(Code::Bug, format!("operation {id} has an envelope that may still land")));
    }
    let attempt = attempts_made(conn, id)? + 1;
    rows::run(
        conn,
        "INSERT INTO operation_attempts
             (operation_id, attempt, hash, envelope, valid_until, max_fee, endpoint, signed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            id,
            attempt,
            new.hash,
            new.envelope,
            new.validity.map(|validity| validity.until),
            new.max_fee.to_string(),
            endpoint,
            tx.now(),
        ],
    )?;
    Ok(attempt)
}

/// Notes that an envelope was sent, `times` times in all.
pub fn sent(tx: &Tx<'_>, id: i64, attempt: u32, times: u32, endpoint: &str) -> Result<()> {
    let conn = tx.conn();
    let sql = "UPDATE operation_attempts
         SET sends = max(sends, ?3), sent_at = coalesce(sent_at, ?4), endpoint = ?5
         WHERE operation_id = ?1 AND attempt = ?2";
    rows::run(conn, sql, params![id, attempt, times, tx.now(), endpoint])?;
    rows::run(conn, "UPDATE operations SET state = 'sent' WHERE id = ?1 AND state = 'signed'", [id])
}

/// Ends an envelope; false where it had ended before.
pub fn end_attempt(
    tx: &Tx<'_>,
    id: i64,
    attempt: u32,
    outcome: AttemptOutcome,
    error: Option<&str>,
) -> Result<bool> {
    let sql = "UPDATE operation_attempts SET outcome = ?3, error = ?4
         WHERE operation_id = ?1 AND attempt = ?2 AND outcome IS NULL";
    rows::put(tx.conn(), sql, params![id, attempt, outcome, error])
}

/// This envelope ended without effect and the next one will be made.
///
/// # Errors
/// `state_changed` where another run has ended it, or the operation.
pub fn again(tx: &Tx<'_>, id: i64, attempt: u32, outcome: AttemptOutcome, error: &str) -> Result<()> {
    let conn = tx.conn();
    let is_open = end_attempt(tx, id, attempt, outcome, Some(error))?;
    let back = |from| set_state(conn, id, from, OperationState::Planned);
    if is_open && (back(OperationState::Sent)? || back(OperationState::Signed)?) {
        return Ok(());
    }
    Err(changed(id))
}

/// Ends an operation that was found in the state `from`: what follows from it is recorded in the same write. False where it is
/// not in that state any more; then nothing is changed.
pub fn end(
    tx: &Tx<'_>,
    id: i64,
    from: OperationState,
    state: OperationState,
    error: Option<&str>,
) -> Result<bool> {
    let sql = "UPDATE operations SET state = ?3, settled_at = ?4, recorded_at = ?4, error = ?5
         WHERE id = ?1 AND state = ?2";
    rows::put(tx.conn(), sql, params![id, from, state, tx.now(), error])
}

fn set_state(conn: &Connection, id: i64, from: OperationState, state: OperationState) -> Result<bool> {
    rows::put(conn, "UPDATE operations SET state = ?3 WHERE id = ?1 AND state = ?2", params![id, from, state])
}
