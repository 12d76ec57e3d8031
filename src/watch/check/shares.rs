//! Shares: what each member holds follows from the transfers, and all holders together have the token's supply.

use super::groups::{Groups, side_by_side};
use super::{each, overflow, sum};
use base::amount::{Base, Weight};
use base::{Result, counted};
use rusqlite::Connection;
use state::columns::at;
use std::collections::BTreeMap;
use std::fmt;

type Holder = (i64, i64);

/// What a member got and gave in all. It comes in no order, so that either may pass what there ever was at once.
#[derive(Default)]
struct Moved {
    got: Weight,
    gave: Weight,
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.got.checked_sub(self.gave) {
            Some(left) => write!(f, "{left}"),
            None => write!(f, "-{}", self.gave - self.got),
        }
    }
}

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
            *shares = at(row, 2)?;
            Ok(())
        },
    )?;
    let moves: Groups<'_, Holder, Moved> = Groups::new(
        &mut moves,
        |row| Ok((row.get(0)?, row.get(1)?)),
        |moved: &mut Moved, row| {
            let shares = Weight::from(at::<Base>(row, 2)?);
            let side = if row.get(3)? { &mut moved.got } else { &mut moved.gave };
            *side = side.checked_add(shares).ok_or_else(overflow)?;
            Ok(())
        },
    )?;
    let mut found = Vec::new();
    let mut totals: BTreeMap<i64, Base> = BTreeMap::new();
    side_by_side(holders, moves, |(pool, member), shares, moved| {
        let moved = moved.unwrap_or_default();
        let held = shares.unwrap_or_default();
        let total = totals.entry(pool).or_default();
        *total = sum(*total, held)?;
        if moved.gave.checked_add(Weight::from(held)) != Some(moved.got) {
            let said = shares.map_or_else(|| "no row".to_owned(), |shares| counted(shares, "share"));
            found.push(format!("pool {pool}, member {member}: {said}, transfers say {moved}"));
        }
        Ok(())
    })?;
    each(
        conn,
        "SELECT p.id, s.total_shares FROM pools p
         JOIN pool_snapshots s ON s.pool_id = p.id AND s.block_number = p.synced_block
         WHERE p.cursor_block = p.synced_block",
        |row| {
            let (pool, total): (i64, Base) = (row.get("id")?, at(row, "total_shares")?);
            let held = totals.get(&pool).copied().unwrap_or_default();
            if held != total {
                found.push(format!("pool {pool}: holders have {held} shares of {total}"));
            }
            Ok(())
        },
    )?;
    Ok(found)
}
