//! What farmers had when state and chain were last compared, and what was booked since.

use base::amount::{Base, Delta};
use base::{Code, Error, Result};
use rusqlite::{Connection, params};
use state::columns::at;
use state::{Tx, rows};
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
    let sql = "SELECT farmer_id, at FROM farm_baselines";
    rows::all(conn, sql, [], |row| Ok((row.get("farmer_id")?, row.get("at")?)))
}

/// A farmer's baseline, if it has one.
pub fn baseline(conn: &Connection, farmer: &str) -> Result<Option<Baseline>> {
    let sql = "SELECT ledger, block_index, held, looks FROM farm_baselines WHERE farmer_id = ?1";
    rows::first(conn, sql, [farmer], |row| {
        let (ledger, block, looks) = (row.get("ledger")?, row.get("block_index")?, row.get("looks")?);
        Ok(Baseline { farmer: farmer.to_owned(), ledger, block, held: at(row, "held")?, looks })
    })
}

/// Notes it, in the place of the one before.
pub fn set_baseline(tx: &Tx<'_>, baseline: &Baseline) -> Result<()> {
    let Baseline { farmer, ledger, block, held, looks } = baseline;
    let sql = "INSERT INTO farm_baselines (farmer_id, ledger, block_index, held, looks, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (farmer_id)
         DO UPDATE SET ledger = ?2, block_index = ?3, held = ?4, looks = ?5, at = ?6";
    rows::run(tx.conn(), sql, params![farmer, ledger, block, held.to_string(), looks, tx.now()])
}

/// What happened after the farm was last compared with the chain that makes the state know less than it: it was restored from
/// a backup, or a transaction was given up.
pub fn knows_less(conn: &Connection) -> Result<Option<&'static str>> {
    let newest = |kind: &str| -> Result<i64> {
        rows::one(conn, "SELECT coalesce(max(id), 0) FROM events WHERE kind = ?1", [kind])
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
    let sql = "SELECT farmer_id, block_index FROM harvests
         WHERE block_index >= ?1 AND outcome <> 'failed' AND outcome <> 'lost'";
    rows::all(conn, sql, [from], |row| Ok((row.get("farmer_id")?, row.get("block_index")?)))
}

/// What harvests gave a farmer after a ledger, less what plants took, by the records of blocks from `block` on.
pub fn moved_since(conn: &Connection, farmer: &str, ledger: u32, block: u32) -> Result<Delta> {
    let staked = "SELECT stake, '0' AS reward FROM plantings
         WHERE farmer_id = ?1 AND block_index >= ?2 AND outcome = 'planted' AND ledger > ?3";
    let came_back = "SELECT stake, reward FROM harvests
         WHERE farmer_id = ?1 AND block_index >= ?2 AND outcome <> 'failed' AND outcome <> 'lost' AND ledger > ?3";
    let mut sum = Delta::default();
    for (sql, moved) in [(staked, Delta::debit as fn(Base) -> Delta), (came_back, Delta::credit)] {
        rows::each(conn, sql, params![farmer, block, ledger], |row| {
            for column in ["stake", "reward"] {
                let amount = at(row, column)?;
                sum = sum.checked_add(moved(amount)).ok_or_else(|| {
                    Error::new(Code::StateCorrupt, format!("the stakes of farmer {farmer} pass 256 bits"))
                })?;
            }
            Ok(())
        })?;
    }
    Ok(sum)
}

/// Whether a harvest of ours for this farmer is booked by the transaction with this hash.
pub fn is_booked(conn: &Connection, hash: &str, farmer: &str) -> Result<bool> {
    let sql =
        "SELECT EXISTS (SELECT 1 FROM operation_attempts t JOIN harvests h ON h.operation_id = t.operation_id
         WHERE t.hash = ?1 AND h.farmer_id = ?2 AND h.outcome = 'harvested')";
    rows::one(conn, sql, [hash, farmer])
}
