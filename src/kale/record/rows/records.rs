//! What was tried and what came of it: plantings, works, harvests, a pooler's figures, compensations.

use super::hands::Hand;
use crate::record::reason::Reason;
use base::Result;
use base::amount::Base;
use rusqlite::{Connection, OptionalExtension, params};
use state::Tx;
use state::columns::{at, stored};

/// What became of an attempt; `reason` is a stable word, the rest of the story stands in the event.
#[derive(Debug, Clone, Default)]
pub struct Trace<'a> {
    /// The operation, where there was one.
    pub operation: Option<i64>,
    /// Ledger that it happened in.
    pub ledger: Option<u32>,
    /// Why it failed.
    pub reason: Option<&'a str>,
}

/// Records a plant attempt; a success that is recorded already, and a reason that was told, are left. Returns whether it is
/// new.
pub fn planting(
    tx: &Tx<'_>,
    farmer: &str,
    block: u32,
    outcome: &str,
    stake: Base,
    trace: &Trace<'_>,
) -> Result<bool> {
    let changed = tx
        .conn()
        .prepare_cached(
            "INSERT INTO plantings (farmer_id, block_index, outcome, stake, operation_id, ledger, reason, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            farmer,
            block,
            outcome,
            stake.to_string(),
            trace.operation,
            trace.ledger,
            trace.reason,
            tx.now()
        ])?;
    Ok(changed == 1)
}

/// A work attempt.
#[derive(Debug, Clone)]
pub struct WorkRow<'a> {
    /// Row id of the farmer.
    pub farmer: &'a str,
    /// The block.
    pub block: u32,
    /// `worked`, `improved` or `failed`.
    pub outcome: &'a str,
    /// The nonce.
    pub nonce: u64,
    /// Its hash, lower-case hex.
    pub hash: &'a str,
    /// Leading zeros.
    pub zeros: u32,
    /// Ledgers from plant to work.
    pub gap: Option<u32>,
}

/// Records a work attempt; a success that is recorded already is left. Returns whether it is new.
pub fn work(tx: &Tx<'_>, row: &WorkRow<'_>, trace: &Trace<'_>) -> Result<bool> {
    let changed = tx
        .conn()
        .prepare_cached(
            "INSERT INTO works (farmer_id, block_index, outcome, nonce, hash, zeros, gap, operation_id, ledger, reason, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            row.farmer,
            row.block,
            row.outcome,
            row.nonce.to_string(),
            row.hash,
            row.zeros,
            row.gap,
            trace.operation,
            trace.ledger,
            trace.reason,
            tx.now()
        ])?;
    Ok(changed == 1)
}

/// How a stake ended, or why it could not be fetched.
#[derive(Debug, Clone)]
pub struct HarvestRow<'a> {
    /// Row id of the farmer.
    pub farmer: &'a str,
    /// The block.
    pub block: u32,
    /// `harvested`, `harvested_elsewhere`, `lost` or `failed`.
    pub outcome: &'a str,
    /// Stroops.
    pub stake: Base,
    /// Stroops, without the stake.
    pub reward: Base,
    /// What was expected.
    pub forecast: Option<Base>,
}

/// Records a harvest attempt or a loss; an end that is recorded already, and a reason that was told, are left. Returns
/// whether it is new.
pub fn harvest(tx: &Tx<'_>, row: &HarvestRow<'_>, trace: &Trace<'_>) -> Result<bool> {
    let changed = tx
        .conn()
        .prepare_cached(
            "INSERT INTO harvests (farmer_id, block_index, outcome, stake, reward, forecast, operation_id, ledger, reason, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            row.farmer,
            row.block,
            row.outcome,
            row.stake.to_string(),
            row.reward.to_string(),
            row.forecast.map(|f| f.to_string()),
            trace.operation,
            trace.ledger,
            trace.reason,
            tx.now()
        ])?;
    Ok(changed == 1)
}

/// The ledger of the first look at which a pail seemed lost.
pub fn missing_since(conn: &Connection, farmer: &str, block: u32) -> Result<Option<u32>> {
    let found: Option<Option<u32>> = conn
        .prepare_cached(
            "SELECT ledger FROM harvests
             WHERE farmer_id = ?1 AND block_index = ?2 AND outcome = 'failed' AND reason = ?3",
        )?
        .query_row(params![farmer, block, Reason::Missing.word()], |row| row.get(0))
        .optional()?;
    Ok(found.flatten())
}

/// A stake that is booked as lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Row id of the farmer.
    pub farmer: String,
    /// The block.
    pub block: u32,
    /// Stroops.
    pub stake: Base,
    /// What happened, in a stable word.
    pub reason: Option<String>,
}

/// Stakes that were booked as lost in blocks from `from` on, oldest first.
pub fn losses(conn: &Connection, from: u32) -> Result<Vec<Loss>> {
    let mut statement = conn.prepare_cached(
        "SELECT farmer_id, block_index, stake, reason FROM harvests
         WHERE block_index >= ?1 AND outcome = 'lost' ORDER BY block_index, farmer_id",
    )?;
    let mut rows = statement.query([from])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let stake = at(row, "stake")?;
        found.push(Loss {
            farmer: row.get("farmer_id")?,
            block: row.get("block_index")?,
            stake,
            reason: row.get("reason")?,
        });
    }
    Ok(found)
}

/// Takes a loss back, and what was to be compensated for it. Returns false where none is booked.
pub fn unlose(tx: &Tx<'_>, farmer: &str, block: u32) -> Result<bool> {
    let was_lost = tx
        .conn()
        .prepare_cached(
            "DELETE FROM harvests WHERE farmer_id = ?1 AND block_index = ?2 AND outcome = 'lost'",
        )?
        .execute(params![farmer, block])?;
    tx.conn()
        .prepare_cached("DELETE FROM pooler_compensations WHERE farmer_id = ?1 AND block_index = ?2")?
        .execute(params![farmer, block])?;
    // What is looked for from now on is another loss.
    undoubt(tx, farmer, block)?;
    Ok(was_lost == 1)
}

/// Forgets that a pail seemed lost: the next look that shows it so is the first one.
pub fn undoubt(tx: &Tx<'_>, farmer: &str, block: u32) -> Result<()> {
    tx.conn()
        .prepare_cached(
            "DELETE FROM harvests WHERE farmer_id = ?1 AND block_index = ?2 AND outcome = 'failed' AND reason = 'missing'",
        )?
        .execute(params![farmer, block])?;
    Ok(())
}

/// How a farmer's stake in a block ended. Amounts in stroops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The block.
    pub block: u32,
    /// `harvested`, `harvested_elsewhere` or `lost`.
    pub outcome: String,
    /// The stake.
    pub stake: Base,
    /// The reward, without the stake.
    pub reward: Base,
}

/// How the newest `limit` stakes of a farmer ended, the oldest first.
pub fn last_ends(conn: &Connection, farmer: &str, limit: u32) -> Result<Vec<Ended>> {
    let mut statement = conn.prepare_cached(
        "SELECT block_index, outcome, stake, reward FROM harvests
         WHERE farmer_id = ?1 AND outcome <> 'failed' ORDER BY block_index DESC LIMIT ?2",
    )?;
    let mut rows = statement.query(params![farmer, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(Ended {
            block: row.get("block_index")?,
            outcome: row.get("outcome")?,
            stake: at(row, "stake")?,
            reward: at(row, "reward")?,
        });
    }
    found.reverse();
    Ok(found)
}

/// What is added to a pooler's figures of a block. Amounts in stroops.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    /// Plants.
    pub planted: u32,
    /// Farmers with work.
    pub worked: u32,
    /// Harvests.
    pub harvested: u32,
    /// Stakes.
    pub staked: Base,
    /// Rewards.
    pub rewarded: Base,
}

/// Adds to the figures of the farmer's pooler for a block.
pub fn tally(tx: &Tx<'_>, farmer: &str, block: u32, add: Tally) -> Result<()> {
    let conn = tx.conn();
    let pooler: String = conn
        .prepare_cached("SELECT pooler_id FROM farmers WHERE id = ?1")?
        .query_row([farmer], |row| row.get(0))?;
    let before: Option<(String, String)> = conn
        .prepare_cached(
            "SELECT staked, rewarded FROM block_operations WHERE pooler_id = ?1 AND block_index = ?2",
        )?
        .query_row(params![pooler, block], |row| Ok((row.get("staked")?, row.get("rewarded")?)))
        .optional()?;
    let (staked, rewarded) = match &before {
        Some((staked, rewarded)) => (stored(staked)?, stored(rewarded)?),
        None => (Base::ZERO, Base::ZERO),
    };
    conn.prepare_cached(
        "INSERT INTO block_operations (pooler_id, block_index, planted, worked, harvested, staked, rewarded, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (pooler_id, block_index) DO UPDATE SET planted = planted + ?3, worked = worked + ?4,
             harvested = harvested + ?5, staked = ?6, rewarded = ?7, updated_at = ?8",
    )?
    .execute(params![
        pooler,
        block,
        add.planted,
        add.worked,
        add.harvested,
        staked.saturating_add(add.staked).to_string(),
        rewarded.saturating_add(add.rewarded).to_string(),
        tx.now()
    ])?;
    Ok(())
}

/// Books that a lost stake is owed, and by whom.
pub fn compensation(tx: &Tx<'_>, hand: &Hand, block: u32, stake: Base, reason: Reason) -> Result<()> {
    tx.conn()
        .prepare_cached(
            "INSERT INTO pooler_compensations (pooler_id, farmer_id, block_index, fault, amount, reason, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            hand.pooler,
            hand.who.id,
            block,
            reason.blame().word(),
            stake.to_string(),
            reason.word(),
            tx.now()
        ])?;
    Ok(())
}
