//! What was tried and what came of it: plantings, works, harvests, a pooler's figures, compensations.

use super::FarmerRow;
use crate::record::reason::Reason;
use base::Result;
use base::amount::Base;
use rusqlite::{Connection, params};
use state::columns::at;
use state::{Tx, rows};

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
    let Trace { operation, ledger, reason } = trace;
    rows::put(
        tx.conn(),
        "INSERT INTO plantings (farmer_id, block_index, outcome, stake, operation_id, ledger, reason, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
        params![farmer, block, outcome, stake.to_string(), operation, ledger, reason, tx.now()],
    )
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
    let WorkRow { farmer, block, outcome, nonce, hash, zeros, gap } = row;
    let Trace { operation, ledger, reason } = trace;
    let (nonce, now) = (nonce.to_string(), tx.now());
    rows::put(
        tx.conn(),
        "INSERT INTO works (farmer_id, block_index, outcome, nonce, hash, zeros, gap, operation_id, ledger, reason, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING",
        params![farmer, block, outcome, nonce, hash, zeros, gap, operation, ledger, reason, now],
    )
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
    let HarvestRow { farmer, block, outcome, stake, reward, forecast } = row;
    let Trace { operation, ledger, reason } = trace;
    let (stake, reward, forecast) = (stake.to_string(), reward.to_string(), forecast.map(|f| f.to_string()));
    rows::put(
        tx.conn(),
        "INSERT INTO harvests (farmer_id, block_index, outcome, stake, reward, forecast, operation_id, ledger, reason, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING",
        params![farmer, block, outcome, stake, reward, forecast, operation, ledger, reason, tx.now()],
    )
}

/// The ledger of the first look at which a pail seemed lost.
pub fn missing_since(conn: &Connection, farmer: &str, block: u32) -> Result<Option<u32>> {
    let sql = "SELECT ledger FROM harvests
         WHERE farmer_id = ?1 AND block_index = ?2 AND outcome = 'failed' AND reason = ?3";
    Ok(rows::value(conn, sql, params![farmer, block, Reason::Missing.as_str()])?.flatten())
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
    let sql = "SELECT farmer_id, block_index, stake, reason FROM harvests
         WHERE block_index >= ?1 AND outcome = 'lost' ORDER BY block_index, farmer_id";
    rows::all(conn, sql, [from], |row| {
        let (farmer, block) = (row.get("farmer_id")?, row.get("block_index")?);
        Ok(Loss { farmer, block, stake: at(row, "stake")?, reason: row.get("reason")? })
    })
}

/// Takes a loss back, and what was to be compensated for it. Returns false where none is booked.
pub fn unlose(tx: &Tx<'_>, farmer: &str, block: u32) -> Result<bool> {
    let lost = "DELETE FROM harvests WHERE farmer_id = ?1 AND block_index = ?2 AND outcome = 'lost'";
    let owed = "DELETE FROM pooler_compensations WHERE farmer_id = ?1 AND block_index = ?2";
    let was_lost = rows::put(tx.conn(), lost, params![farmer, block])?;
    rows::put(tx.conn(), owed, params![farmer, block])?;
    // What is looked for from now on is another loss.
    undoubt(tx, farmer, block)?;
    Ok(was_lost)
}

/// Forgets that a pail seemed lost: the next look that shows it so is the first one.
pub fn undoubt(tx: &Tx<'_>, farmer: &str, block: u32) -> Result<()> {
    rows::run(
        tx.conn(),
        "DELETE FROM harvests WHERE farmer_id = ?1 AND block_index = ?2 AND outcome = 'failed' AND reason = 'missing'",
        params![farmer, block],
    )
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
    let sql = "SELECT block_index, outcome, stake, reward FROM harvests
         WHERE farmer_id = ?1 AND outcome <> 'failed' ORDER BY block_index DESC LIMIT ?2";
    let mut found: Vec<Ended> = rows::all(conn, sql, params![farmer, limit], |row| {
        let (block, outcome) = (row.get("block_index")?, row.get("outcome")?);
        Ok(Ended { block, outcome, stake: at(row, "stake")?, reward: at(row, "reward")? })
    })?;
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
    let Tally { planted, worked, harvested, staked, rewarded } = add;
    let pooler: String = rows::one(conn, "SELECT pooler_id FROM farmers WHERE id = ?1", [farmer])?;
    let before = "SELECT staked, rewarded FROM block_operations WHERE pooler_id = ?1 AND block_index = ?2";
    let before: Option<(Base, Base)> = rows::first(conn, before, params![pooler, block], |row| {
        Ok((at(row, "staked")?, at(row, "rewarded")?))
    })?;
    let before = before.unwrap_or_default();
    let staked = before.0.saturating_add(staked).to_string();
    let rewarded = before.1.saturating_add(rewarded).to_string();
    rows::run(
        tx.conn(),
        "INSERT INTO block_operations (pooler_id, block_index, planted, worked, harvested, staked, rewarded, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (pooler_id, block_index) DO UPDATE SET planted = planted + ?3, worked = worked + ?4,
             harvested = harvested + ?5, staked = ?6, rewarded = ?7, updated_at = ?8",
        params![pooler, block, planted, worked, harvested, staked, rewarded, tx.now()],
    )
}

/// Books that a lost stake is owed, and by whom.
pub fn compensation(tx: &Tx<'_>, hand: &FarmerRow, block: u32, stake: Base, reason: Reason) -> Result<()> {
    let (fault, amount, reason) = (reason.blame().as_str(), stake.to_string(), reason.as_str());
    rows::run(
        tx.conn(),
        "INSERT INTO pooler_compensations (pooler_id, farmer_id, block_index, fault, amount, reason, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
        params![hand.pooler, hand.who.id, block, fault, amount, reason, tx.now()],
    )
}

/// What a pooler's farmers have lost since the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The pooler's name.
    pub pooler: String,
    /// How many stakes.
    pub stakes: u64,
    /// Stroops.
    pub stake: Base,
}

/// What was lost by pooler, in the order in which they came.
pub fn lost_by_pooler(conn: &Connection) -> Result<Vec<Lost>> {
    let sql = "SELECT p.name, coalesce(c.amount, '0') AS amount FROM poolers p
         LEFT JOIN pooler_compensations c ON c.pooler_id = p.id ORDER BY p.added_at, p.id";
    let mut found: Vec<Lost> = Vec::new();
    rows::each(conn, sql, [], |row| {
        let (pooler, amount): (String, Base) = (row.get("name")?, at(row, "amount")?);
        if found.last().is_none_or(|last| last.pooler != pooler) {
            found.push(Lost { pooler, stakes: 0, stake: Base::ZERO });
        }
        if let Some(last) = found.last_mut() {
            last.stakes += u64::from(amount > Base::ZERO);
            last.stake = last.stake.saturating_add(amount);
        }
        Ok(())
    })?;
    Ok(found)
}
