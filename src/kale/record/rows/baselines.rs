//! What farmers had when state and chain were last compared, and what was booked since.

use super::{only, put};
use base::amount::{Base, Delta};
use base::{Code, Error, Result};
use rusqlite::{Connection, Row, params};
use state::Tx;
use state::columns::at;
use std::collections::{HashMap, HashSet};

/// What a farmer's account held when it was last compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baseline {
    /// Row id of the farmer.
    pub farmer: String,
    /// As of this ledger.
    pub ledger: u32,
    /// The farm's block then.
    pub block: u32,
    /// Stroops of KALE.
    pub held: Base,
    /// How often what the account holds since was not explained.
    pub looks: u32,
}

/// When each farmer was last compared, in seconds since 1970, by row id.
pub fn baselines_at(conn: &Connection) -> Result<HashMap<String, i64>> {
    let mut statement = conn.prepare_cached("SELECT farmer_id, at FROM farm_baselines")?;
    let rows = statement.query_map([], |row| Ok((row.get("farmer_id")?, row.get("at")?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A farmer's baseline, if it has one.
pub fn baseline(conn: &Connection, farmer: &str) -> Result<Option<Baseline>> {
    let mut statement = conn
        .prepare_cached("SELECT ledger, block_index, held, looks FROM farm_baselines WHERE farmer_id = ?1")?;
    let read = |row: &Row<'_>| {
        let (ledger, block, looks) = (row.get("ledger")?, row.get("block_index")?, row.get("looks")?);
        Ok(Baseline { farmer: farmer.to_owned(), ledger, block, held: at(row, "held")?, looks })
    };
    statement.query_and_then([farmer], read)?.next().transpose()
}

/// Notes it, in the place of the one before.
pub fn set_baseline(tx: &Tx<'_>, baseline: &Baseline) -> Result<()> {
    let Baseline { farmer, ledger, block, held, looks } = baseline;
    let sql = "INSERT INTO farm_baselines (farmer_id, ledger, block_index, held, looks, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (farmer_id)
         DO UPDATE SET ledger = ?2, block_index = ?3, held = ?4, looks = ?5, at = ?6";
    put(tx, sql, params![farmer, ledger, block, held.to_string(), looks, tx.now()]).map(drop)
}

/// What happened after the farm was last compared with the chain that makes the state know less than it: it was restored from
/// a backup, or a transaction was given up.
pub fn knows_less(conn: &Connection) -> Result<Option<&'static str>> {
    let newest = |kind: &str| -> Result<i64> {
        only(conn, "SELECT coalesce(max(id), 0) FROM events WHERE kind = ?1", [kind])
    };
    let compared = newest("farm.reconciled")?;
    for (kind, why) in [
        ("state.restored", "the state was restored from a backup"),
        ("operation.given_up", "a transaction was given up"),
    ] {
        if newest(kind)? > compared {
            return Ok(Some(why));
        }
    }
    Ok(None)
}

/// The stakes that came back from blocks from `from` on, by farmer and block.
pub fn harvested_since(conn: &Connection, from: u32) -> Result<HashSet<(String, u32)>> {
    let mut statement = conn.prepare_cached(
        "SELECT farmer_id, block_index FROM harvests
         WHERE block_index >= ?1 AND outcome <> 'failed' AND outcome <> 'lost'",
    )?;
    let rows = statement.query_map([from], |row| Ok((row.get("farmer_id")?, row.get("block_index")?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What harvests gave a farmer after a ledger, less what plants took, by the records of blocks from `block` on.
pub fn moved_since(conn: &Connection, farmer: &str, ledger: u32, block: u32) -> Result<Delta> {
    let mut staked = conn.prepare_cached(
        "SELECT stake, '0' AS reward FROM plantings
         WHERE farmer_id = ?1 AND block_index >= ?2 AND outcome = 'planted' AND ledger > ?3",
    )?;
    let mut came_back = conn.prepare_cached(
        "SELECT stake, reward FROM harvests
         WHERE farmer_id = ?1 AND block_index >= ?2 AND outcome <> 'failed' AND outcome <> 'lost' AND ledger > ?3",
    )?;
    let mut sum = Delta::default();
    for (statement, moved) in
        [(&mut staked, Delta::debit as fn(Base) -> Delta), (&mut came_back, Delta::credit)]
    {
        let mut rows = statement.query(params![farmer, block, ledger])?;
        while let Some(row) = rows.next()? {
            for column in ["stake", "reward"] {
                let amount = at(row, column)?;
                sum = sum.checked_add(moved(amount)).ok_or_else(|| {
                    Error::new(Code::StateCorrupt, format!("the stakes of farmer {farmer} pass 256 bits"))
                })?;
            }
        }
    }
    Ok(sum)
}

/// Whether a harvest of ours for this farmer is booked by the transaction with this hash.
pub fn is_booked(conn: &Connection, hash: &str, farmer: &str) -> Result<bool> {
    let sql =
        "SELECT EXISTS (SELECT 1 FROM operation_attempts t JOIN harvests h ON h.operation_id = t.operation_id
         WHERE t.hash = ?1 AND h.farmer_id = ?2 AND h.outcome = 'harvested')";
    only(conn, sql, [hash, farmer])
}
