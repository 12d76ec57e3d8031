//! Rows of `pool_reward_epochs` and `pool_rewards`, for reading.

use super::accrual::Basis;
use super::emission::CarryReason;
use super::grid::Epoch;
use crate::pool::holdings::MemberId;
use crate::pool::{Asset, Pool};
use alloy::primitives::B256;
use base::amount::Base;
use base::{Code, Error, Result, say};
use rusqlite::{Connection, params};
use state::columns::{at, db_block, maybe_at, stored};
use state::rows;
use state::rows::Row;
use strum::{EnumString, VariantNames};

/// Who made an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, strum::IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Origin {
    /// The grid of the reward settings.
    Cycle,
    /// The operator, by hand.
    Manual,
}

state::stored_as_word!(Origin);
crate::words!(Origin);

/// One pool's epoch as it stands in the state: part + carry in = distributed + carry out, once it is distributed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochRow {
    /// Row id.
    pub id: i64,
    /// Its pool's row id.
    pub pool_id: i64,
    /// Its blocks.
    pub epoch: Epoch,
    /// Hash of the last of them; `None` before it is distributed.
    pub last_hash: Option<B256>,
    /// Who made it.
    pub origin: Origin,
    /// How its holders are measured.
    pub basis: Basis,
    /// The reward token's address.
    pub asset: String,
    /// The pool's weight in millionths; `None` for one made manually.
    pub weight_ppm: Option<u32>,
    /// Sum of the weights of all pools; `None` for one made manually.
    pub weight_sum_ppm: Option<u64>,
    /// The pool's part of the emission, or the total given manually; reward base units, as all that follow.
    pub part: Base,
    /// Carried in from the pool's epoch before.
    pub carry_in: Base,
    /// Given to members.
    pub distributed: Base,
    /// Carried to the pool's next epoch.
    pub carry_out: Base,
    /// Why something is carried.
    pub reason: Option<CarryReason>,
    /// Members who got something.
    pub holders: u64,
    /// When it was made, seconds since 1970.
    pub created_at: i64,
    /// When it was distributed; `None` for one that is created only.
    pub distributed_at: Option<i64>,
}

#[cfg(test)]
impl EpochRow {
    /// One that was made manually and gives one base unit.
    pub(super) fn created(start: u64, end: u64) -> Self {
        Self {
            id: 1,
            pool_id: 1,
            epoch: Epoch { start, end },
            last_hash: None,
            origin: Origin::Manual,
            basis: Basis::TimeWeighted,
            asset: "0x".into(),
            weight_ppm: None,
            weight_sum_ppm: None,
            part: Base::ONE,
            carry_in: Base::ZERO,
            distributed: Base::ZERO,
            carry_out: Base::ZERO,
            reason: None,
            holders: 0,
            created_at: 0,
            distributed_at: None,
        }
    }
}

const EPOCH: &str = "SELECT id, pool_id, start_block, end_block, last_hash, origin, basis, asset, weight_ppm,
     weight_sum_ppm, part, carry_in, distributed, carry_out, carry_reason, holders, created_at, distributed_at
     FROM pool_reward_epochs";

fn read(row: &Row<'_>) -> Result<EpochRow> {
    Ok(state::from_row!(row => EpochRow {
        id, pool_id, origin, basis, asset, weight_ppm, weight_sum_ppm, holders, created_at, distributed_at
    } at { part, carry_in, distributed, carry_out } and {
        epoch: Epoch { start: row.get("start_block")?, end: row.get("end_block")? },
        last_hash: maybe_at(row, "last_hash")?,
        reason: row.get("carry_reason")?,
    }))
}

/// An epoch by its id.
pub fn epoch(conn: &Connection, id: i64) -> Result<EpochRow> {
    rows::first(conn, &format!("{EPOCH} WHERE id = ?1"), [id], read)?.ok_or_else(|| {
        Error::new(Code::UnknownEpoch, format!("no reward epoch {id}"))
            .hint(say("see them with: ").run("reward epoch list"))
            .detail("epoch", id)
    })
}

/// The newest epochs of one pool or of all, newest first: `limit` of them that come before the one of a pool, by row id, that
/// starts at a block.
pub fn newest(
    conn: &Connection,
    pool: Option<&Pool>,
    (block, of): (u64, i64),
    limit: u32,
) -> Result<Vec<EpochRow>> {
    let before = i64::try_from(block).unwrap_or(i64::MAX);
    let Some(pool) = pool else {
        let sql = format!(
            "{EPOCH} WHERE (start_block, pool_id) < (?1, ?2) ORDER BY start_block DESC, pool_id DESC LIMIT ?3"
        );
        return rows::all(conn, &sql, params![before, of, limit], read);
    };
    let sql = format!("{EPOCH} WHERE pool_id = ?1 AND start_block < ?2 ORDER BY start_block DESC LIMIT ?3");
    rows::all(conn, &sql, params![pool.id, before, limit], read)
}

/// How many epochs start before a block, of one pool or of all; `None` where they are too many to count.
pub fn count(conn: &Connection, pool: Option<&Pool>, before: u64) -> Result<Option<u64>> {
    let before = i64::try_from(before).unwrap_or(i64::MAX);
    let Some(pool) = pool else {
        let sql = "SELECT count(*) FROM (SELECT 1 FROM pool_reward_epochs WHERE start_block < ?1 LIMIT ?2)";
        return rows::count(conn, sql, params![before, rows::UNCOUNTED]);
    };
    let sql = "SELECT count(*) FROM
         (SELECT 1 FROM pool_reward_epochs WHERE pool_id = ?1 AND start_block < ?2 LIMIT ?3)";
    rows::count(conn, sql, params![pool.id, before, rows::UNCOUNTED])
}

/// The distributed epochs of a pool, in order.
pub fn distributed(conn: &Connection, pool: &Pool) -> Result<Vec<EpochRow>> {
    let sql = format!("{EPOCH} WHERE pool_id = ?1 AND status = 'distributed' ORDER BY start_block");
    rows::all(conn, &sql, [pool.id], read)
}

/// What the pool carried out of its epoch before the one that starts at `start`; zero before the first.
pub fn carry_before(conn: &Connection, pool_id: i64, start: u64) -> Result<Base> {
    let sql = "SELECT carry_out FROM pool_reward_epochs WHERE pool_id = ?1 AND start_block < ?2
         ORDER BY start_block DESC LIMIT 1";
    let found = rows::first(conn, sql, params![pool_id, db_block(start)?], |row| at(row, "carry_out"))?;
    Ok(found.unwrap_or_default())
}

/// Hands over the rewards of an epoch one by one, by member id.
pub fn each_reward(
    conn: &Connection,
    epoch_id: i64,
    mut body: impl FnMut(MemberId, Base) -> Result<()>,
) -> Result<()> {
    let sql = "SELECT member_id, amount FROM pool_rewards WHERE epoch_id = ?1 ORDER BY member_id";
    // Rewards are many: by position.
    rows::each(conn, sql, [epoch_id], |row| body(row.get(0)?, at(row, 1)?))
}

/// The token that an epoch's amounts are counted in.
pub fn token_of(conn: &Connection, row: &EpochRow) -> Result<Asset> {
    let missing = || Error::new(Code::StateCorrupt, format!("epoch {} has no reward token", row.id));
    crate::pool::asset(conn, stored(&row.asset)?)?.ok_or_else(missing)
}

/// The epoch of a pool that starts at a block.
pub fn starting_at(conn: &Connection, pool: &Pool, start: u64) -> Result<Option<EpochRow>> {
    let sql = format!("{EPOCH} WHERE pool_id = ?1 AND start_block = ?2");
    rows::first(conn, &sql, params![pool.id, db_block(start)?], read)
}

/// Epochs made manually and not distributed yet, of every pool, by pool and block. They stand at or after their
/// pool's cursor.
pub fn created(conn: &Connection) -> Result<Vec<EpochRow>> {
    // CROSS JOIN keeps the order: the pools are few, the epochs many.
    let sql = "SELECT e.* FROM pools p CROSS JOIN pool_reward_epochs e
             ON e.pool_id = p.id AND e.start_block >= p.reward_cursor_block
         WHERE e.status = 'created' ORDER BY e.pool_id, e.start_block";
    rows::all(conn, sql, [], read)
}
