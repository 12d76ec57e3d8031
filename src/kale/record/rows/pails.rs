//! Open pails: stakes that are neither back nor lost.

use crate::contract::BLOCK_SECONDS;
use base::Result;
use base::amount::Base;
use rusqlite::{Connection, params};
use state::columns::maybe_at;
use state::rows::Row;
use state::{Tx, rows};
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
    /// When a run first saw that the block had ended without work, in seconds since 1970.
    pub missed_at: Option<i64>,
}

const PAIL: &str = "SELECT block_index, farmer_id, stake, planted_ledger, planted_time, due_time, gap, zeros, forecast, live_until, held,
         missed_at FROM open_pails";

/// Pails in block `block`, by farmer.
pub fn pails_in(conn: &Connection, block: u32) -> Result<Vec<OpenPail>> {
    rows::all(conn, &format!("{PAIL} WHERE block_index = ?1 ORDER BY farmer_id"), [block], read)
}

/// Pails in blocks before `block`, oldest first.
pub fn pails_before(conn: &Connection, block: u32) -> Result<Vec<OpenPail>> {
    rows::all(conn, &format!("{PAIL} WHERE block_index < ?1 ORDER BY block_index, farmer_id"), [block], read)
}

/// One pail.
pub fn pail(conn: &Connection, farmer: &str, block: u32) -> Result<Option<OpenPail>> {
    let sql = format!("{PAIL} WHERE block_index = ?1 AND farmer_id = ?2");
    rows::first(conn, &sql, params![block, farmer], read)
}

fn read(row: &Row<'_>) -> Result<OpenPail> {
    let gap: Option<u32> = row.get("gap")?;
    Ok(
        state::from_row!(row => OpenPail { planted_ledger, planted_time, live_until, held, missed_at } at { stake } and {
            block: row.get("block_index")?,
            farmer: row.get("farmer_id")?,
            due: row.get("due_time")?,
            work: gap.zip(row.get("zeros")?),
            forecast: maybe_at(row, "forecast")?,
        }),
    )
}

/// How many of these, those that are held aside, are of the block before `index`, and of blocks before that.
pub fn rolled_and_older(pails: &[OpenPail], index: u32) -> (usize, usize) {
    let open = pails.iter().filter(|pail| pail.held.is_none());
    let rolled = open.clone().filter(|pail| pail.block.saturating_add(1) == index).count();
    (rolled, open.count() - rolled)
}

/// Notes a new pail; one that is there already is left as it is. Returns whether it is new.
pub fn open_pail(tx: &Tx<'_>, pail: &OpenPail) -> Result<bool> {
    let OpenPail { block, farmer, planted_ledger, planted_time, due, live_until, held, .. } = pail;
    let (stake, forecast) = (pail.stake.to_string(), pail.forecast.map(|f| f.to_string()));
    let (gap, zeros) = pail.work.unzip();
    rows::put(
        tx.conn(),
        "INSERT INTO open_pails (block_index, farmer_id, stake, planted_ledger, planted_time, due_time, gap, zeros,
             forecast, live_until, held)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING",
        params![
            block, farmer, stake, planted_ledger, planted_time, due, gap, zeros, forecast, live_until, held
        ],
    )
}

/// Notes confirmed work of an open pail, if it is better than what is noted; whether it is.
pub fn work_pail(tx: &Tx<'_>, farmer: &str, block: u32, gap: u32, zeros: u32) -> Result<bool> {
    let sql = "UPDATE open_pails SET gap = ?3, zeros = ?4, missed_at = NULL
         WHERE block_index = ?1 AND farmer_id = ?2 AND (zeros IS NULL OR zeros < ?4)";
    rows::put(tx.conn(), sql, params![block, farmer, gap, zeros])
}

/// Notes that the block has ended without work; false where that is noted, or there is work or nothing at stake.
pub fn miss_pail(tx: &Tx<'_>, farmer: &str, block: u32) -> Result<bool> {
    let sql = "UPDATE open_pails SET missed_at = ?3 WHERE block_index = ?1 AND farmer_id = ?2
         AND zeros IS NULL AND stake <> '0' AND missed_at IS NULL";
    rows::put(tx.conn(), sql, params![block, farmer, tx.now()])
}

/// The pails of a farmer whose stakes will be lost, as runs have seen.
pub fn missed_of(conn: &Connection, farmer: &str) -> Result<Vec<OpenPail>> {
    let sql = format!("{PAIL} WHERE farmer_id = ?1 AND missed_at IS NOT NULL ORDER BY block_index");
    rows::all(conn, &sql, [farmer], read)
}

/// Seconds after the end of a block in which work of its last second may become known.
const TOLD_BY: u32 = 30;

/// The pails whose stakes will be lost at `now`, seconds since 1970, oldest first: a run has seen it, or more time has passed
/// since the plant than was left of the block then.
pub fn missed_pails(conn: &Connection, now: i64) -> Result<Vec<OpenPail>> {
    let sql = format!(
        "{PAIL} WHERE zeros IS NULL AND stake <> '0' AND held IS NULL AND (missed_at IS NOT NULL OR EXISTS (
             SELECT 1 FROM plantings p WHERE p.farmer_id = open_pails.farmer_id
                 AND p.block_index = open_pails.block_index AND p.outcome = 'planted'
                 AND p.at + due_time - coalesce(planted_time, due_time - {BLOCK_SECONDS}) + {TOLD_BY} <= ?1))
         ORDER BY block_index, farmer_id"
    );
    rows::all(conn, &sql, [now], read)
}

/// Notes what the harvest would pay.
pub fn forecast_pail(tx: &Tx<'_>, farmer: &str, block: u32, forecast: Base) -> Result<()> {
    let sql = "UPDATE open_pails SET forecast = ?3 WHERE block_index = ?1 AND farmer_id = ?2";
    rows::run(tx.conn(), sql, params![block, farmer, forecast.to_string()])
}

/// Notes how long the pail's entry lives.
pub fn live_pail(tx: &Tx<'_>, farmer: &str, block: u32, live_until: u32) -> Result<()> {
    let sql = "UPDATE open_pails SET live_until = ?3
         WHERE block_index = ?1 AND farmer_id = ?2 AND live_until IS NOT ?3";
    rows::run(tx.conn(), sql, params![block, farmer, live_until])
}

/// Keeps a pail from being harvested until the operator has looked; false where none is open.
pub fn hold_pail(tx: &Tx<'_>, farmer: &str, block: u32, why: &str) -> Result<bool> {
    let sql = "UPDATE open_pails SET held = ?3 WHERE block_index = ?1 AND farmer_id = ?2";
    rows::put(tx.conn(), sql, params![block, farmer, why])
}

/// Lets a held pail be harvested again.
pub fn release_pail(tx: &Tx<'_>, farmer: &str, block: u32) -> Result<()> {
    let sql = "UPDATE open_pails SET held = NULL WHERE block_index = ?1 AND farmer_id = ?2";
    rows::run(tx.conn(), sql, params![block, farmer])
}

/// How many pails of a farmer are open.
pub fn open_pails_of(conn: &Connection, farmer: &str) -> Result<usize> {
    rows::one(conn, "SELECT count(*) FROM open_pails WHERE farmer_id = ?1", [farmer])
}

/// The pails that live no longer than to ledger `until`, by farmer: block, and last ledger.
pub fn pails_until(conn: &Connection, until: u32) -> Result<BTreeMap<String, Vec<(u32, u32)>>> {
    let sql = "SELECT farmer_id, block_index, live_until FROM open_pails WHERE live_until <= ?1 ORDER BY block_index";
    let mut found: BTreeMap<String, Vec<(u32, u32)>> = BTreeMap::new();
    rows::each(conn, sql, [until], |row| {
        let lives = (row.get("block_index")?, row.get("live_until")?);
        found.entry(row.get("farmer_id")?).or_default().push(lives);
        Ok(())
    })?;
    Ok(found)
}

/// The pails of a farmer that are held: block, and why.
pub fn held_pails(conn: &Connection, farmer: &str) -> Result<Vec<(u32, String)>> {
    let sql = "SELECT block_index, held FROM open_pails WHERE farmer_id = ?1 AND held IS NOT NULL ORDER BY block_index";
    rows::all(conn, sql, [farmer], |row| Ok((row.get("block_index")?, row.get("held")?)))
}

/// The stake is back or lost: the pail and its nonces are no longer needed.
pub fn close_pail(tx: &Tx<'_>, farmer: &str, block: u32) -> Result<()> {
    let pail = "DELETE FROM open_pails WHERE block_index = ?1 AND farmer_id = ?2";
    let nonces = "DELETE FROM nonces WHERE block_index = ?1 AND farmer_id = ?2";
    [pail, nonces].into_iter().try_for_each(|sql| rows::run(tx.conn(), sql, params![block, farmer]))
}
