//! The terms of farmers that have some of their own.

use super::amount;
use crate::strategy::Strategy;
use crate::strategy::question::Last;
use base::Result;
use base::amount::Base;
use rusqlite::{Connection, Row, params};
use state::Tx;
use std::collections::HashMap;

/// The terms in a row that has `target_zeros`, `min_work_sec`, `harvest_only`, `min_stake` and `max_stake` of
/// `farmer_strategies` from this column on; all NULL where the farmer has none.
///
/// # Errors
/// `state_error`, `state_corrupt`.
pub fn strategy_in(row: &Row<'_>, from: usize) -> Result<Strategy> {
    let stroops = |column: usize| -> Result<Option<Base>> {
        row.get::<_, Option<String>>(from + column)?.map(|text| amount(&text)).transpose()
    };
    Ok(Strategy {
        target_zeros: row.get(from)?,
        min_work_sec: row.get(from + 1)?,
        harvest_only: row.get(from + 2)?,
        min_stake: stroops(3)?,
        max_stake: stroops(4)?,
        stake: None,
    })
}

/// Every farmer's own terms, by id.
///
/// # Errors
/// `state_error`, `state_corrupt`.
pub fn strategies(conn: &Connection) -> Result<HashMap<String, Strategy>> {
    let mut statement = conn.prepare_cached(
        "SELECT farmer_id, target_zeros, min_work_sec, harvest_only, min_stake, max_stake FROM farmer_strategies",
    )?;
    let mut rows = statement.query([])?;
    let mut found = HashMap::new();
    while let Some(row) = rows.next()? {
        found.insert(row.get(0)?, strategy_in(row, 1)?);
    }
    Ok(found)
}

/// How the last block before this one went in which a farmer planted.
///
/// # Errors
/// `state_error`, `state_corrupt`.
pub fn last_planted(conn: &Connection, farmer: &str, before: u32) -> Result<Option<Last>> {
    let mut statement = conn.prepare_cached(
        "SELECT p.block_index, p.stake, coalesce(w.zeros, o.zeros), coalesce(w.gap, o.gap), h.reward FROM plantings p
             LEFT JOIN works w ON w.farmer_id = p.farmer_id AND w.block_index = p.block_index AND w.outcome <> 'failed'
             LEFT JOIN open_pails o ON o.farmer_id = p.farmer_id AND o.block_index = p.block_index
             LEFT JOIN harvests h ON h.farmer_id = p.farmer_id AND h.block_index = p.block_index AND h.outcome <> 'failed'
         WHERE p.farmer_id = ?1 AND p.outcome = 'planted' AND p.block_index < ?2
         ORDER BY p.block_index DESC, w.zeros DESC LIMIT 1",
    )?;
    let mut rows = statement.query(params![farmer, before])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(Last {
        block: row.get(0)?,
        stake: amount(&row.get::<_, String>(1)?)?,
        zeros: row.get(2)?,
        gap: row.get(3)?,
        reward: row.get::<_, Option<String>>(4)?.map(|text| amount(&text)).transpose()?,
    }))
}

/// Sets a farmer's own terms.
///
/// # Errors
/// `state_error`.
pub fn set_strategy(tx: &Tx<'_>, farmer: &str, terms: &Strategy) -> Result<()> {
    let text = |stroops: Option<Base>| stroops.map(|stroops| stroops.to_string());
    tx.conn()
        .prepare_cached(
            "INSERT OR REPLACE INTO farmer_strategies
                 (farmer_id, target_zeros, min_work_sec, harvest_only, min_stake, max_stake)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            farmer,
            terms.target_zeros,
            terms.min_work_sec,
            terms.harvest_only,
            text(terms.min_stake),
            text(terms.max_stake)
        ])?;
    Ok(())
}
