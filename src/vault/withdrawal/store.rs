//! Rows of `pool_withdrawals`.

use crate::pool::{Member, Pool};
use alloy::primitives::B256;
use base::amount::Base;
use base::{Code, Error, Result, say};
use rusqlite::{Connection, params};
use schemars::JsonSchema;
use serde::Serialize;
use state::columns::{at, maybe_at};
use state::rows::Row;
use state::{Tx, rows};
use strum::{EnumString, IntoStaticStr, VariantNames};

/// The status of a withdrawal.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema, EnumString, IntoStaticStr, VariantNames,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Status {
    /// Asked for; shares are reserved.
    Pending,
    /// Its transaction is known and not final yet.
    Processing,
    /// Its transaction moved the shares.
    Completed,
    /// It will not happen; nothing is reserved any more.
    Failed,
}

state::stored_as_word!(Status);
crate::words!(Status);

impl Status {
    /// Reads the word; an error lists the words there are.
    pub fn parse(flag: &str, word: &str) -> Result<Self> {
        word.parse().map_err(|_| {
            Error::new(Code::InvalidValue, format!("{flag}: invalid withdrawal status: \"{word}\""))
                .hint(format!("there are: {}", Self::VARIANTS.join(", ")))
        })
    }
}

/// A withdrawal. Times in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawal {
    /// Row id.
    pub id: i64,
    /// Row id of the pool.
    pub pool_id: i64,
    /// Who withdraws.
    pub member: Member,
    /// Shares, base units.
    pub shares: Base,
    /// What they were worth when it was asked for, asset base units.
    pub assets: Base,
    /// Where it stands.
    pub status: Status,
    /// The caller's key, by which it is asked for once.
    pub key: Option<String>,
    /// When it was asked for.
    pub requested_at: i64,
    /// When its transaction was first named without being final.
    pub processing_at: Option<i64>,
    /// When it was completed or failed.
    pub ended_at: Option<i64>,
    /// The transaction that moves the shares.
    pub tx: Option<B256>,
    /// Completed: whether the chain showed it; false = by the operator's word.
    pub verified: Option<bool>,
    /// Why it failed.
    pub error: Option<String>,
    /// Whether its shares still count as reserved.
    pub reserves: bool,
}

impl Withdrawal {
    /// Completed, and its transfer is among the replayed ones.
    pub fn is_replayed(&self) -> bool {
        self.status == Status::Completed && !self.reserves
    }
}

/// Columns of a withdrawal; the last one is what "reserved" means, wherever it is asked.
const COLUMNS: &str =
    "w.id, w.pool_id, w.member_id, m.address, m.name, w.shares, w.assets, w.status, w.idempotency_key,
     w.requested_at, w.processing_at, w.ended_at, w.tx_hash, w.verified, w.error,
     w.status IN ('pending', 'processing') OR (w.status = 'completed' AND NOT EXISTS (
         SELECT 1 FROM share_transfers t WHERE t.tx_hash = unhex(substr(w.tx_hash, 3))
             AND t.pool_id = w.pool_id AND t.from_member = w.member_id)) AS reserves
     FROM pool_withdrawals w JOIN members m ON m.id = w.member_id";

fn read(row: &Row<'_>) -> Result<Withdrawal> {
    Ok(state::from_row!(row => Withdrawal {
        id, pool_id, status, requested_at, processing_at, ended_at, verified, error, reserves
    } at { shares, assets } and {
        member: Member { id: row.get("member_id")?, address: at(row, "address")?, name: row.get("name")? },
        key: row.get("idempotency_key")?,
        tx: maybe_at(row, "tx_hash")?,
    }))
}

/// A withdrawal by its id.
pub fn find(conn: &Connection, id: i64) -> Result<Withdrawal> {
    rows::first(conn, &format!("SELECT {COLUMNS} WHERE w.id = ?1"), [id], read)?.ok_or_else(|| {
        Error::new(Code::UnknownWithdrawal, format!("no withdrawal {id}"))
            .hint(say("see them with: ").run("withdrawal list"))
            .detail("withdrawal", id)
    })
}

/// The withdrawals from a pool that are neither completed nor failed, by id.
pub fn open(conn: &Connection, pool: &Pool) -> Result<Vec<i64>> {
    let sql = "SELECT id FROM pool_withdrawals WHERE pool_id = ?1 AND status IN ('pending', 'processing') ORDER BY id";
    rows::column(conn, sql, [pool.id])
}

/// Refuses to go on with a withdrawal that is not as it was when it was decided about it: `state_changed`.
pub(super) fn must_be(conn: &Connection, found: &Withdrawal) -> Result<()> {
    if find(conn, found.id)? == *found {
        return Ok(());
    }
    Err(state::changed(format_args!("withdrawal {}", found.id)))
}

/// The withdrawal that was asked for with this key.
pub(super) fn by_key(conn: &Connection, key: &str) -> Result<Option<Withdrawal>> {
    rows::first(conn, &format!("SELECT {COLUMNS} WHERE w.idempotency_key = ?1"), [key], read)
}

/// The withdrawal that names this transaction.
pub(super) fn by_tx(conn: &Connection, tx: B256) -> Result<Option<i64>> {
    rows::value(conn, "SELECT id FROM pool_withdrawals WHERE tx_hash = ?1", [tx.to_string()])
}

/// Which withdrawals to list; `None` matches all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this pool, by row id.
    pub pool: Option<i64>,
    /// Of this member, by row id.
    pub member: Option<i64>,
    /// In this status.
    pub status: Option<Status>,
}

impl Filter {
    /// What must hold for a withdrawal that comes behind one with the time ?5 and the id ?6, and the order.
    const fn clause(&self) -> &'static str {
        match (self.member, self.pool) {
            (Some(_), _) => {
                "w.member_id = ?1 AND (?2 IS NULL OR w.pool_id = ?2) AND (w.requested_at, w.id) < (?5, ?6)
             AND (?3 IS NULL OR w.status = ?3) ORDER BY w.requested_at DESC, w.id DESC"
            }
            (None, Some(_)) => {
                "?1 IS NULL AND w.pool_id = ?2 AND (w.requested_at, w.id) < (?5, ?6)
             AND (?3 IS NULL OR w.status = ?3) ORDER BY w.requested_at DESC, w.id DESC"
            }
            (None, None) => {
                "?1 IS NULL AND ?2 IS NULL AND ?5 IS NOT NULL AND w.id < ?6
             AND (?3 IS NULL OR w.status = ?3) ORDER BY w.id DESC"
            }
        }
    }
}

/// In the list of all withdrawals, before the first one: its time and its id.
const FIRST: (i64, i64) = (i64::MAX, i64::MAX);

/// The withdrawals that fit, the newest first: `limit` of them, behind the one that was asked for then and has this id.
pub fn list(
    conn: &Connection,
    filter: &Filter,
    after: Option<(i64, i64)>,
    limit: u32,
) -> Result<Vec<Withdrawal>> {
    let (clause, (at, id)) = (filter.clause(), after.unwrap_or(FIRST));
    let values = params![filter.member, filter.pool, filter.status, limit, at, id];
    rows::all(conn, &format!("SELECT {COLUMNS} WHERE {clause} LIMIT ?4"), values, read)
}

/// How many withdrawals fit; `None` where they are too many to count.
pub fn count(conn: &Connection, filter: &Filter) -> Result<Option<u64>> {
    let (clause, (at, id)) = (filter.clause(), FIRST);
    let sql = format!("SELECT count(*) FROM (SELECT 1 FROM pool_withdrawals w WHERE {clause} LIMIT ?4)");
    rows::count(conn, &sql, params![filter.member, filter.pool, filter.status, rows::UNCOUNTED, at, id])
}

/// Shares of a member that its withdrawals from a pool have reserved, base units.
pub fn reserved(conn: &Connection, pool: &Pool, member: &Member) -> Result<Base> {
    let sql = format!("SELECT {COLUMNS} WHERE w.member_id = ?1 AND w.pool_id = ?2 AND w.status <> 'failed'");
    let mut sum = Base::ZERO;
    rows::each(conn, &sql, [member.id, pool.id], |row| {
        let found = read(row)?;
        if found.reserves {
            sum = sum.saturating_add(found.shares);
        }
        Ok(())
    })?;
    Ok(sum)
}

/// Stores what was asked for as a pending withdrawal, by a caller's key, and returns its id.
pub(super) fn insert(
    tx: &Tx<'_>,
    pool: &Pool,
    member: &Member,
    (shares, assets): (Base, Base),
    key: Option<&str>,
) -> Result<i64> {
    rows::run(
        tx.conn(),
        "INSERT INTO pool_withdrawals (pool_id, member_id, shares, assets, status, idempotency_key, requested_at)
         VALUES (?1, ?2, ?3, ?4, 'pending', ?5, ?6)",
        params![pool.id, member.id, shares.to_string(), assets.to_string(), key, tx.now()],
    )?;
    Ok(tx.conn().last_insert_rowid())
}

/// Its transaction is named and not final yet; a time that stands there stays.
pub(super) fn set_processing(tx: &Tx<'_>, id: i64, hash: B256) -> Result<()> {
    rows::run(
        tx.conn(),
        "UPDATE pool_withdrawals SET status = 'processing', tx_hash = ?2,
             processing_at = coalesce(processing_at, ?3) WHERE id = ?1",
        params![id, hash.to_string(), tx.now()],
    )
}

/// It is completed; a time that stands there stays.
pub(super) fn set_completed(tx: &Tx<'_>, id: i64, hash: Option<B256>, verified: bool) -> Result<()> {
    rows::run(
        tx.conn(),
        "UPDATE pool_withdrawals SET status = 'completed', tx_hash = ?2, verified = ?3,
             ended_at = coalesce(ended_at, ?4) WHERE id = ?1",
        params![id, hash.map(|hash| hash.to_string()), verified, tx.now()],
    )
}

/// It failed. Its transaction is free for another withdrawal; the audit log keeps which one it was.
pub(super) fn set_failed(tx: &Tx<'_>, id: i64, reason: &str) -> Result<()> {
    rows::run(
        tx.conn(),
        "UPDATE pool_withdrawals SET status = 'failed', tx_hash = NULL, verified = NULL, error = ?2, ended_at = ?3
         WHERE id = ?1",
        params![id, reason, tx.now()],
    )
}
