//! Single facts that the services ask the records for.

use base::Result;
use base::amount::Base;
use rusqlite::{Connection, OptionalExtension, params};
use state::Tx;
use state::columns::{at, maybe_at, stored};
use std::collections::HashMap;

/// The newest block that any plant was tried in: probably the current one, or the one before.
pub fn last_block(conn: &Connection) -> Result<Option<u32>> {
    Ok(conn
        .prepare_cached("SELECT block_index FROM plantings ORDER BY block_index DESC LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?)
}

/// Why the works of a farmer in a block failed, in their order, as words.
pub fn work_failures(conn: &Connection, farmer: &str, block: u32) -> Result<Vec<String>> {
    let mut statement = conn.prepare_cached(
        "SELECT reason FROM works
         WHERE block_index = ?1 AND farmer_id = ?2 AND outcome = 'failed' AND reason IS NOT NULL ORDER BY id",
    )?;
    let rows = statement.query_map(params![block, farmer], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Zeros of our own best work that is confirmed in a block, by farmer.
pub fn own_works(conn: &Connection, block: u32) -> Result<HashMap<String, u32>> {
    let mut statement = conn.prepare_cached(
        "SELECT farmer_id, max(zeros) AS zeros FROM works WHERE block_index = ?1 AND outcome <> 'failed' GROUP BY farmer_id",
    )?;
    let rows = statement.query_map([block], |row| Ok((row.get("farmer_id")?, row.get("zeros")?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether a nonce was found for a farmer in a block.
pub fn has_nonce(conn: &Connection, farmer: &str, block: u32) -> Result<bool> {
    Ok(conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM nonces WHERE farmer_id = ?1 AND block_index = ?2 AND best_nonce IS NOT NULL)",
        )?
        .query_row(params![farmer, block], |row| row.get(0))?)
}

/// Whether an envelope with this hash is one of ours.
pub fn is_ours(conn: &Connection, hash: &str) -> Result<bool> {
    Ok(conn
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM operation_attempts WHERE hash = ?1)")?
        .query_row([hash], |row| row.get(0))?)
}

/// Hashes of all envelopes of an operation, whatever is recorded of them: that one was never found says little once its
/// effect is seen.
pub fn envelopes(conn: &Connection, key: &str) -> Result<Vec<String>> {
    let mut statement = conn.prepare_cached(
        "SELECT hash FROM operation_attempts
         WHERE operation_id = (SELECT id FROM operations WHERE key = ?1)
         ORDER BY attempt",
    )?;
    let found = statement.query_map([key], |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Whether a mint already stands for a pail.
pub fn is_counted(conn: &Connection, event: &str) -> Result<bool> {
    Ok(conn
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM foreign_mints WHERE event_id = ?1)")?
        .query_row([event], |row| row.get(0))?)
}

/// Notes which pail a mint stands for.
///
/// # Errors
/// `state_error` where it stands for another already.
pub fn count_mint(tx: &Tx<'_>, event: &str, farmer: &str, block: u32) -> Result<()> {
    tx.conn()
        .prepare_cached("INSERT INTO foreign_mints (event_id, farmer_id, block_index) VALUES (?1, ?2, ?3)")?
        .execute(params![event, farmer, block])?;
    Ok(())
}

/// How many stakes are neither back nor lost.
pub fn open_count(conn: &Connection) -> Result<usize> {
    Ok(conn.prepare_cached("SELECT count(*) FROM open_pails")?.query_row([], |row| row.get(0))?)
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
    let mut poolers = conn.prepare_cached("SELECT id, name FROM poolers ORDER BY added_at, id")?;
    let poolers: Vec<(String, String)> =
        poolers.query_map([], |row| Ok((row.get("id")?, row.get("name")?)))?.collect::<Result<_, _>>()?;
    let mut newest = conn.prepare_cached(
        "SELECT rewarded FROM block_operations WHERE pooler_id = ?1 AND harvested > 0
         ORDER BY block_index DESC LIMIT 1",
    )?;
    let mut found = Vec::new();
    for (id, pooler) in poolers {
        let reward: Option<String> = newest.query_row([id], |row| row.get(0)).optional()?;
        if let Some(reward) = reward {
            found.push(LastHarvest { pooler, reward: stored(&reward)? });
        }
    }
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
    let mut statement = conn.prepare_cached(
        "SELECT p.block_index, p.stake, coalesce(w.zeros, o.zeros) AS zeros, coalesce(w.gap, o.gap) AS gap, h.reward FROM plantings p
             LEFT JOIN works w ON w.farmer_id = p.farmer_id AND w.block_index = p.block_index AND w.outcome <> 'failed'
             LEFT JOIN open_pails o ON o.farmer_id = p.farmer_id AND o.block_index = p.block_index
             LEFT JOIN harvests h ON h.farmer_id = p.farmer_id AND h.block_index = p.block_index AND h.outcome <> 'failed'
         WHERE p.farmer_id = ?1 AND p.outcome = 'planted' AND p.block_index < ?2
         ORDER BY p.block_index DESC, w.zeros DESC LIMIT 1",
    )?;
    let mut rows = statement.query(params![farmer, before])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(Last {
        block: row.get("block_index")?,
        stake: at(row, "stake")?,
        zeros: row.get("zeros")?,
        gap: row.get("gap")?,
        reward: maybe_at(row, "reward")?,
    }))
}
