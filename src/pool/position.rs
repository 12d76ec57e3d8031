//! What one member has in one pool, as the state knows it.

use super::members::Member;
use super::rate::underlying;
use super::store::{self, Pool, Snapshot};
use super::stored_base;
use base::Result;
use base::amount::Base;
use rusqlite::{Connection, OptionalExtension, params};
use vault::reward;

/// A member's position.
#[derive(Debug, Clone)]
pub struct Position {
    /// Shares at the pool's cursor.
    pub shares: Base,
    /// What they are worth by the last sync, rounded down; `None` before the first sync.
    pub underlying: Option<Base>,
    /// Rewards, by asset.
    pub rewards: reward::Totals,
    /// Block of the last deposit.
    pub last_deposit_block: Option<u64>,
    /// Time of that block, seconds since 1970.
    pub last_deposit_at: Option<i64>,
    /// The sync that it stands on.
    pub snapshot: Option<Snapshot>,
}

/// Reads a position; a member without shares has one of zero.
///
/// # Errors
/// `state_error`, `state_corrupt`.
pub fn position(conn: &Connection, pool: &Pool, member: &Member) -> Result<Position> {
    let row: Option<(String, Option<u64>, Option<i64>)> = conn
        .prepare_cached(
            "SELECT shares, last_deposit_block, last_deposit_at FROM user_pool_shares
             WHERE pool_id = ?1 AND member_id = ?2",
        )?
        .query_row(params![pool.id, member.id], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
        .optional()?;
    let (shares, last_deposit_block, last_deposit_at) = match row {
        None => (Base::ZERO, None, None),
        Some((text, block, at)) => (stored_base(&text)?, block, at),
    };
    let snapshot = store::snapshot(conn, pool)?;
    Ok(Position {
        shares,
        underlying: snapshot.as_ref().map(|s| underlying(shares, s.total_assets, s.total_shares)),
        rewards: reward::totals_of(conn, member.id, Some(pool.id))?,
        last_deposit_block,
        last_deposit_at,
        snapshot,
    })
}
