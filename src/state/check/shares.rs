//! Shares: what each member holds follows from the transfers, and all holders together have the token's supply.

use super::groups::{Groups, side_by_side};
use super::{base, each, overflow, sum, text};
use crate::amount::{Base, Delta};
use crate::output::Result;
use rusqlite::Connection;
use std::collections::BTreeMap;

type Holder = (i64, i64);

/// Shares of a member = Σ of its transfers, and Σ of a pool's holders = the supply at its last sync.
pub(super) fn shares_equal_transfers(conn: &Connection) -> Result<Vec<String>> {
    let mut holders =
        conn.prepare("SELECT pool_id, member_id, shares FROM user_pool_shares ORDER BY pool_id, member_id")?;
    // There is no index by member: SQLite sorts, beyond its cache in a file.
    let mut moves = conn.prepare(
        "SELECT pool_id, to_member AS member_id, shares, 1 FROM share_transfers WHERE to_member IS NOT NULL
         UNION ALL
         SELECT pool_id, from_member, shares, 0 FROM share_transfers WHERE from_member IS NOT NULL
         ORDER BY pool_id, member_id",
    )?;
    let holders: Groups<'_, Holder, Base> = Groups::new(
        &mut holders,
        |row| Ok((row.get(0)?, row.get(1)?)),
        |shares, row| {
            *shares = base(text(row, 2)?)?;
            Ok(())
        },
    )?;
    let moves: Groups<'_, Holder, Delta> = Groups::new(
        &mut moves,
        |row| Ok((row.get(0)?, row.get(1)?)),
        |held: &mut Delta, row| {
            let shares = base(text(row, 2)?)?;
            let change = if row.get(3)? { Delta::credit(shares) } else { Delta::debit(shares) };
            *held = held.checked_add(change).ok_or_else(overflow)?;
            Ok(())
        },
    )?;
    let mut found = Vec::new();
    let mut totals: BTreeMap<i64, Base> = BTreeMap::new();
    side_by_side(holders, moves, |(pool, member), shares, derived| {
        let want = derived.unwrap_or_default();
        match shares {
            Some(shares) => {
                let total = totals.entry(pool).or_default();
                *total = sum(*total, shares)?;
                if want != Delta::credit(shares) {
                    found
                        .push(format!("pool {pool}, member {member}: {shares} shares, transfers say {want}"));
                }
            }
            None if want.is_zero() => {}
            None => found.push(format!("pool {pool}, member {member}: {want} shares missing")),
        }
        Ok(())
    })?;
    each(
        conn,
        "SELECT p.id, s.total_shares FROM pools p
         JOIN pool_snapshots s ON s.pool_id = p.id AND s.block_number = p.synced_block
         WHERE p.cursor_block = p.synced_block",
        |row| {
            let (pool, total) = (row.get::<_, i64>(0)?, base(text(row, 1)?)?);
            let held = totals.get(&pool).copied().unwrap_or_default();
            if held != total {
                found.push(format!("pool {pool}: holders have {held} shares of {total}"));
            }
            Ok(())
        },
    )?;
    Ok(found)
}
