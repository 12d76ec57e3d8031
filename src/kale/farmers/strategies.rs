//! The terms of farmers that have some of their own.

use crate::strategy::Strategy;
use base::Result;
use base::amount::Base;
use rusqlite::{Connection, Row, params};
use state::Tx;
use state::columns::maybe_at;
use std::collections::HashMap;

/// The terms in a row with the columns of `farmer_strategies`; all NULL where the farmer has none.
pub fn strategy_in(row: &Row<'_>) -> Result<Strategy> {
    Ok(Strategy {
        target_zeros: row.get("target_zeros")?,
        min_work_sec: row.get("min_work_sec")?,
        harvest_only: row.get("harvest_only")?,
        min_stake: maybe_at(row, "min_stake")?,
        max_stake: maybe_at(row, "max_stake")?,
        stake: None,
    })
}

/// Every farmer's own terms, by id.
pub fn strategies(conn: &Connection) -> Result<HashMap<String, Strategy>> {
    let mut statement = conn.prepare_cached(
        "SELECT farmer_id, target_zeros, min_work_sec, harvest_only, min_stake, max_stake FROM farmer_strategies",
    )?;
    let mut rows = statement.query([])?;
    let mut found = HashMap::new();
    while let Some(row) = rows.next()? {
        found.insert(row.get("farmer_id")?, strategy_in(row)?);
    }
    Ok(found)
}

/// Sets a farmer's own terms.
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
