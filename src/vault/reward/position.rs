//! What one member has in one pool, as the state knows it.

use super::store::{Totals, totals_of};
use crate::pool::{self, Deposit, Member, Pool, Snapshot, underlying};
use base::Result;
use base::amount::Base;
use rusqlite::Connection;

/// A member's position.
#[derive(Debug, Clone)]
pub struct Position {
    /// Shares at the pool's cursor.
    pub shares: Base,
    /// What they are worth by the last sync, rounded down; `None` before the first sync.
    pub underlying: Option<Base>,
    /// Rewards, by asset.
    pub rewards: Totals,
    /// The last deposit, if there was one.
    pub last_deposit: Option<Deposit>,
    /// The sync that it stands on.
    pub snapshot: Option<Snapshot>,
}

/// Reads a position; a member without shares has one of zero.
pub fn position(conn: &Connection, pool: &Pool, member: &Member) -> Result<Position> {
    let (shares, last_deposit) = pool::holding(conn, pool.id, member.id)?;
    let snapshot = pool::snapshot(conn, pool)?;
    Ok(Position {
        shares,
        underlying: snapshot.as_ref().map(|s| underlying(shares, s.total_assets, s.total_shares)),
        rewards: totals_of(conn, member.id, Some(pool.id))?,
        last_deposit,
        snapshot,
    })
}
