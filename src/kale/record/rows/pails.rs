//! Open pails: stakes that are neither back nor lost.

use base::Result;
use base::amount::Base;
use rusqlite::{Connection, OptionalExtension, Row, params};
use state::Tx;
use state::columns::{at, maybe_at};
use std::collections::BTreeMap;

/// A stake that is neither back nor lost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenPail {
    /// The block.
    pub block: u32,
    /// Row id of the farmer.
    pub farmer: String,
    /// Stroops.
    pub stake: Base,
    /// Ledger of the plant.
    pub planted_ledger: u32,
    /// When that ledger closed; `None` = not planted by poolctl.
    pub planted_time: Option<u64>,
    /// Ledger time from which the block may roll over.
    pub due: u64,
    /// Gap and zeros of the best confirmed work.
    pub work: Option<(u32, u32)>,
    /// Stroops that the harvest would pay, as of the last look.
    pub forecast: Option<Base>,
    /// Last ledger of the entry, as of the last look.
    pub live_until: Option<u32>,
    /// Why no harvest is tried.
    pub held: Option<String>,
}

const PAIL: &str = "SELECT block_index, farmer_id, stake, planted_ledger, planted_time, due_time, gap, zeros, forecast, live_until, held
     FROM open_pails";

/// Pails in block `block`, by farmer.
pub fn pails_in(conn: &Connection, block: u32) -> Result<Vec<OpenPail>> {
    let mut statement = conn.prepare_cached(&format!("{PAIL} WHERE block_index = ?1 ORDER BY farmer_id"))?;
    pails(&mut statement, block)
}

/// Pails in blocks before `block`, oldest first.
pub fn pails_before(conn: &Connection, block: u32) -> Result<Vec<OpenPail>> {
    let mut statement =
        conn.prepare_cached(&format!("{PAIL} WHERE block_index < ?1 ORDER BY block_index, farmer_id"))?;
    pails(&mut statement, block)
}

/// One pail.
pub fn pail(conn: &Connection, farmer: &str, block: u32) -> Result<Option<OpenPail>> {
    conn.prepare_cached(&format!("{PAIL} WHERE block_index = ?1 AND farmer_id = ?2"))?
        .query_row(params![block, farmer], |row| Ok(read(row)))
        .optional()?
        .transpose()
}

fn pails(statement: &mut rusqlite::Statement<'_>, block: u32) -> Result<Vec<OpenPail>> {
    let mut rows = statement.query([block])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

fn read(row: &Row<'_>) -> Result<OpenPail> {
    let gap: Option<u32> = row.get("gap")?;
    Ok(OpenPail {
        block: row.get("block_index")?,
        farmer: row.get("farmer_id")?,
        stake: at(row, "stake")?,
        planted_ledger: row.get("planted_ledger")?,
        planted_time: row.get("planted_time")?,
        due: row.get("due_time")?,
        work: gap.zip(row.get("zeros")?),
        forecast: maybe_at(row, "forecast")?,
        live_until: row.get("live_until")?,
        held: row.get("held")?,
    })
}

/// Notes a new pail; one that is there already is left as it is. Returns whether it is new.
pub fn open_pail(tx: &Tx<'_>, pail: &OpenPail) -> Result<bool> {
    let (gap, zeros) = pail.work.unzip();
    let changed = tx
        .conn()
        .prepare_cached(
            "INSERT INTO open_pails (block_index, farmer_id, stake, planted_ledger, planted_time, due_time, gap, zeros,
                 forecast, live_until, held)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            pail.block,
            pail.farmer,
            pail.stake.to_string(),
            pail.planted_ledger,
            pail.planted_time,
            pail.due,
            gap,
            zeros,
            pail.forecast.map(|f| f.to_string()),
            pail.live_until,
            pail.held
        ])?;
    Ok(changed == 1)
}

/// Notes confirmed work, if it is better than what is noted.
pub fn work_pail(tx: &Tx<'_>, farmer: &str, block: u32, gap: u32, zeros: u32) -> Result<()> {
    tx.conn()
        .prepare_cached(
            "UPDATE open_pails SET gap = ?3, zeros = ?4
             WHERE block_index = ?1 AND farmer_id = ?2 AND (zeros IS NULL OR zeros < ?4)",
        )?
        .execute(params![block, farmer, gap, zeros])?;
    Ok(())
}

/// Notes what the harvest would pay.
pub fn forecast_pail(tx: &Tx<'_>, farmer: &str, block: u32, forecast: Base) -> Result<()> {
    tx.conn()
        .prepare_cached("UPDATE open_pails SET forecast = ?3 WHERE block_index = ?1 AND farmer_id = ?2")?
        .execute(params![block, farmer, forecast.to_string()])?;
    Ok(())
}

/// Notes how long the pail's entry lives.
pub fn live_pail(tx: &Tx<'_>, farmer: &str, block: u32, live_until: u32) -> Result<()> {
    tx.conn()
        .prepare_cached(
            "UPDATE open_pails SET live_until = ?3
             WHERE block_index = ?1 AND farmer_id = ?2 AND live_until IS NOT ?3",
        )?
        .execute(params![block, farmer, live_until])?;
    Ok(())
}

/// Keeps a pail from being harvested until the operator has looked.
pub fn hold_pail(tx: &Tx<'_>, farmer: &str, block: u32, why: &str) -> Result<()> {
    tx.conn()
        .prepare_cached("UPDATE open_pails SET held = ?3 WHERE block_index = ?1 AND farmer_id = ?2")?
        .execute(params![block, farmer, why])?;
    Ok(())
}

/// Lets a held pail be harvested again.
pub fn release_pail(tx: &Tx<'_>, farmer: &str, block: u32) -> Result<()> {
    tx.conn()
        .prepare_cached("UPDATE open_pails SET held = NULL WHERE block_index = ?1 AND farmer_id = ?2")?
        .execute(params![block, farmer])?;
    Ok(())
}

/// How many pails of a farmer are open.
pub fn open_pails_of(conn: &Connection, farmer: &str) -> Result<usize> {
    Ok(conn
        .prepare_cached("SELECT count(*) FROM open_pails WHERE farmer_id = ?1")?
        .query_row([farmer], |row| row.get(0))?)
}

/// The pails that live no longer than to ledger `until`, by farmer: block, and last ledger.
pub fn pails_until(conn: &Connection, until: u32) -> Result<BTreeMap<String, Vec<(u32, u32)>>> {
    let mut statement = conn.prepare_cached(
        "SELECT farmer_id, block_index, live_until FROM open_pails WHERE live_until <= ?1 ORDER BY block_index",
    )?;
    let mut rows = statement.query([until])?;
    let mut found: BTreeMap<String, Vec<(u32, u32)>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        found
            .entry(row.get("farmer_id")?)
            .or_default()
            .push((row.get("block_index")?, row.get("live_until")?));
    }
    Ok(found)
}

/// The pails of a farmer that are held: block, and why.
pub fn held_pails(conn: &Connection, farmer: &str) -> Result<Vec<(u32, String)>> {
    let mut statement = conn.prepare_cached(
        "SELECT block_index, held FROM open_pails WHERE farmer_id = ?1 AND held IS NOT NULL ORDER BY block_index",
    )?;
    let found = statement.query_map([farmer], |row| Ok((row.get("block_index")?, row.get("held")?)))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// The stake is back or lost: the pail and its nonces are no longer needed.
pub fn close_pail(tx: &Tx<'_>, farmer: &str, block: u32) -> Result<()> {
    let conn = tx.conn();
    conn.prepare_cached("DELETE FROM open_pails WHERE block_index = ?1 AND farmer_id = ?2")?
        .execute(params![block, farmer])?;
    conn.prepare_cached("DELETE FROM nonces WHERE block_index = ?1 AND farmer_id = ?2")?
        .execute(params![block, farmer])?;
    Ok(())
}
