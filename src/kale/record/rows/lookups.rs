//! Single facts that the services ask the records for.

use base::Result;
use base::amount::Base;
use rusqlite::{Connection, params};
use state::columns::{at, maybe_at};
use state::{Tx, rows};
use std::collections::HashMap;

/// The newest block that any plant was tried in: probably the current one, or the one before.
pub fn last_block(conn: &Connection) -> Result<Option<u32>> {
    let sql = "SELECT block_index FROM plantings ORDER BY block_index DESC LIMIT 1";
    rows::value(conn, sql, [])
}

/// The farm's block as the records have it. Times in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastSeen {
    /// Its number.
    pub block: u32,
    /// When a plant was last tried in it.
    pub at: i64,
    /// When a plant rolls it over, by the ledger's time; `None` where nothing of ours is in it.
    pub due: Option<i64>,
}

/// The newest block that any plant was tried in.
pub fn last_seen(conn: &Connection) -> Result<Option<LastSeen>> {
    let Some(block) = last_block(conn)? else { return Ok(None) };
    let at: Option<i64> = rows::one(conn, "SELECT max(at) FROM plantings WHERE block_index = ?1", [block])?;
    let due = rows::one(conn, "SELECT max(due_time) FROM open_pails WHERE block_index = ?1", [block])?;
    Ok(at.map(|at| LastSeen { block, at, due }))
}

/// How many stakes were recorded as lost since `since`, seconds since 1970, and what they held, in stroops.
pub fn lost_since(conn: &Connection, since: i64) -> Result<(u64, Base)> {
    let mut lost = (0, Base::ZERO);
    let sql = "SELECT stake FROM harvests INDEXED BY harvests_lost WHERE outcome = 'lost' AND at >= ?1";
    rows::each(conn, sql, [since], |row| {
        let stake: Base = at(row, "stake")?;
        lost = (lost.0 + u64::from(stake > Base::ZERO), lost.1.saturating_add(stake));
        Ok(())
    })?;
    Ok(lost)
}

/// Why the works of a farmer in a block failed, in their order, as words.
pub fn work_failures(conn: &Connection, farmer: &str, block: u32) -> Result<Vec<String>> {
    let sql = "SELECT reason FROM works
         WHERE block_index = ?1 AND farmer_id = ?2 AND outcome = 'failed' AND reason IS NOT NULL ORDER BY id";
    rows::column(conn, sql, params![block, farmer])
}

/// Zeros of our own best work that is confirmed in a block, by farmer.
pub fn own_works(conn: &Connection, block: u32) -> Result<HashMap<String, u32>> {
    let sql = "SELECT farmer_id, max(zeros) AS zeros FROM works WHERE block_index = ?1 AND outcome <> 'failed' GROUP BY farmer_id";
    rows::all(conn, sql, [block], |row| Ok((row.get("farmer_id")?, row.get("zeros")?)))
}

/// Whether a nonce was found for a farmer in a block.
pub fn has_nonce(conn: &Connection, farmer: &str, block: u32) -> Result<bool> {
    rows::one(
        conn,
        "SELECT EXISTS (SELECT 1 FROM nonces WHERE farmer_id = ?1 AND block_index = ?2 AND best_nonce IS NOT NULL)",
        params![farmer, block],
    )
}

/// Whether an envelope with this hash is one of ours.
pub fn is_ours(conn: &Connection, hash: &str) -> Result<bool> {
    rows::one(conn, "SELECT EXISTS (SELECT 1 FROM operation_attempts WHERE hash = ?1)", [hash])
}

/// Hashes of all envelopes of an operation, whatever is recorded of them: that one was never found says little once its
/// effect is seen.
pub fn envelopes(conn: &Connection, key: &str) -> Result<Vec<String>> {
    let sql = "SELECT hash FROM operation_attempts
         WHERE operation_id = (SELECT id FROM operations WHERE key = ?1)
         ORDER BY attempt";
    rows::column(conn, sql, [key])
}

/// Whether a mint already stands for a pail.
pub fn is_counted(conn: &Connection, event: &str) -> Result<bool> {
    rows::one(conn, "SELECT EXISTS (SELECT 1 FROM foreign_mints WHERE event_id = ?1)", [event])
}

/// Notes which pail a mint stands for. An error where it stands for another already.
pub fn count_mint(tx: &Tx<'_>, event: &str, farmer: &str, block: u32) -> Result<()> {
    let sql = "INSERT INTO foreign_mints (event_id, farmer_id, block_index) VALUES (?1, ?2, ?3)";
    rows::run(tx.conn(), sql, params![event, farmer, block])
}

/// How many stakes are neither back nor lost.
pub fn open_count(conn: &Connection) -> Result<usize> {
    rows::one(conn, "SELECT count(*) FROM open_pails", [])
}

/// What the farmers of a pooler got for the newest block that was harvested for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastHarvest {
    /// The pooler's name.
    pub pooler: String,
    /// Stroops of rewards, stakes aside.
    pub reward: Base,
}

/// The last harvest of each pooler that has harvested, in the order in which they came.
pub fn last_harvests(conn: &Connection) -> Result<Vec<LastHarvest>> {
    let poolers = "SELECT id, name FROM poolers ORDER BY added_at, id";
    let newest = "SELECT rewarded FROM block_operations WHERE pooler_id = ?1 AND harvested > 0
         ORDER BY block_index DESC LIMIT 1";
    let mut found = Vec::new();
    rows::each(conn, poolers, [], |pooler| {
        let id: String = pooler.get("id")?;
        if let Some(reward) = rows::first(conn, newest, [id], |row| at(row, "rewarded"))? {
            found.push(LastHarvest { pooler: pooler.get("name")?, reward });
        }
        Ok(())
    })?;
    Ok(found)
}

/// How a farmer's last block before went, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Last {
    /// Its number.
    pub block: u32,
    /// Stroops that were staked.
    pub stake: Base,
    /// Zeros of its work.
    pub zeros: Option<u32>,
    /// Ledgers from plant to work.
    pub gap: Option<u32>,
    /// Stroops that it paid.
    pub reward: Option<Base>,
}

/// How the last block before this one went in which a farmer planted.
pub fn last_planted(conn: &Connection, farmer: &str, before: u32) -> Result<Option<Last>> {
    let sql = "SELECT p.block_index, p.stake, coalesce(w.zeros, o.zeros) AS zeros, coalesce(w.gap, o.gap) AS gap, h.reward FROM plantings p
             LEFT JOIN works w ON w.farmer_id = p.farmer_id AND w.block_index = p.block_index AND w.outcome <> 'failed'
             LEFT JOIN open_pails o ON o.farmer_id = p.farmer_id AND o.block_index = p.block_index
             LEFT JOIN harvests h ON h.farmer_id = p.farmer_id AND h.block_index = p.block_index AND h.outcome <> 'failed'
         WHERE p.farmer_id = ?1 AND p.outcome = 'planted' AND p.block_index < ?2
         ORDER BY p.block_index DESC, w.zeros DESC LIMIT 1";
    rows::first(conn, sql, params![farmer, before], |row| {
        let (block, zeros, gap) = (row.get("block_index")?, row.get("zeros")?, row.get("gap")?);
        Ok(Last { block, stake: at(row, "stake")?, zeros, gap, reward: maybe_at(row, "reward")? })
    })
}
