//! The terms of farmers that have some of their own.

use crate::strategy::Strategy;
use base::Result;
use base::amount::Base;
use rusqlite::{Connection, Row, params};
use state::Tx;
use state::columns::stored_base;
use std::collections::HashMap;

/// The terms in a row that has `target_zeros`, `min_work_sec`, `harvest_only`, `min_stake` and `max_stake` of
/// `farmer_strategies` from this column on; all NULL where the farmer has none.
///
/// # Errors
/// `state_error`, `state_corrupt`.
pub fn strategy_in(row: &Row<'_>, from: usize) -> Result<Strategy> {
    let stroops = |column: usize| -> Result<Option<Base>> {
        row.get::<_, Option<String>>(from + column)?.map(|text| stored_base(&text)).transpose()
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
