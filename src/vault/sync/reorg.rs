//! Reorganisations: seen by the hash of the block that a pool was read at, and taken back to common ground.

use super::intake::moved;
use crate::pool::holders::{add_shares, each_movement};
use crate::pool::holdings::MemberId;
use crate::pool::{self, Pool, Stand};
use alloy::primitives::B256;
use base::amount::Delta;
use base::{Code, Error, Result, say};
use evm::{PinnedView, common_ancestor};
use rusqlite::{Connection, params};
use serde_json::json;
use state::columns::{at, db_block};
use state::{Tx, WriteContext, rows};
use std::collections::{BTreeMap, HashMap};
use std::fmt;

/// A pool that was taken back.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct RolledBack {
    /// The pool's name.
    pub pool: String,
    /// The block it stood at, no longer canonical.
    pub from_block: u64,
    /// The last common block; `None` = nothing of it is left, it is replayed whole.
    pub to_block: Option<u64>,
}

impl fmt::Display for RolledBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pool, from_block, to_block } = self;
        match to_block {
            Some(to) => write!(f, "reorg: pool \"{pool}\" went back from block {from_block} to {to}"),
            None => write!(f, "reorg: pool \"{pool}\" was replayed whole, block {from_block} is gone"),
        }
    }
}

/// Checks each pool's cursor against the chain and takes back those that a reorg left behind.
///
/// Returns what was rolled back, and the pools that the endpoint cannot judge or where rewards were paid on a block that is
/// gone, of which nothing is changed, with why.
pub async fn settle_reorgs(
    work: &mut WriteContext<'_>,
    view: &PinnedView,
    pools: &[Pool],
) -> Result<(Vec<RolledBack>, HashMap<i64, Error>)> {
    let mut by_cursor: BTreeMap<(u64, B256), Vec<&Pool>> = BTreeMap::new();
    let here = (view.block().number, view.block().hash);
    for pool in pools {
        if let Some(cursor) = pool.cursor.filter(|cursor| *cursor != here) {
            by_cursor.entry(cursor).or_default().push(pool);
        }
    }
    let numbers: Vec<u64> = by_cursor.keys().map(|(number, _)| *number).collect();
    let found = if numbers.is_empty() { Vec::new() } else { view.canonical(&numbers).await? };
    let (mut rolled, mut unknown) = (Vec::new(), HashMap::new());
    for (((number, hash), pools), header) in by_cursor.into_iter().zip(found) {
        match header {
            Some(header) if header.hash == hash => {}
            // A node that lags must not look like a reorg.
            None => unknown.extend(pools.into_iter().map(|pool| (pool.id, behind(view, pool, number)))),
            Some(_) => {
                for pool in pools {
                    match roll_back(work, view, pool, number).await {
                        Ok(done) => rolled.push(done),
                        Err(e) if e.code() == Code::ReorgPastFinal => drop(unknown.insert(pool.id, e)),
                        Err(e) => return Err(e),
                    }
                }
            }
        }
    }
    Ok((rolled, unknown))
}

/// The refusal to move a pool back to an older block, or to go on at an endpoint that does not have the pool's; whoever asks
/// for an older block by its height has asked wrongly.
pub(super) fn behind(view: &PinnedView, pool: &Pool, number: u64) -> Error {
    let (name, endpoint, here) = (&pool.name, view.endpoint(), view.block().number);
    if number <= here {
        let why =
            format!("pool \"{name}\" stands at block {number}, which endpoint \"{endpoint}\" does not have");
        return Error::new(Code::Behind, why).hint(format!(
            "run it again; the endpoint reads at block {here}: if that stays so, use another (evm.rpc_urls)"
        ));
    }
    if view.is_by_height() {
        let why = format!("pool \"{name}\" stands at block {number}, block {here} is before it");
        return Error::new(Code::InvalidValue, why)
            .hint(say("a pool is not moved back: choose a later block (").with("at").say(")"));
    }
    let why =
        format!("pool \"{name}\" stands at block {number}, endpoint \"{endpoint}\" reads at block {here}");
    let hint =
        say("a pool is not moved back: the endpoint lags, or an earlier run read nearer to the head (");
    Error::new(Code::Behind, why).hint(hint.with("at").say(")"))
}

async fn roll_back(
    work: &mut WriteContext<'_>,
    view: &PinnedView,
    pool: &Pool,
    from_block: u64,
) -> Result<RolledBack> {
    let seen = Ground::of(work.state.conn(), pool)?;
    seen.is_of(pool)?;
    let checkpoints = checkpoints(work.state.conn(), pool)?;
    let ancestor = common_ancestor(view, &checkpoints).await?.and_then(|i| checkpoints.get(i).copied());
    let paid = seen.paid.filter(|(_, last)| ancestor.is_none_or(|(block, _)| block < *last));
    if let Some((epoch_start, last_block)) = paid {
        let why = format!(
            "pool \"{}\": the chain was reorganised below block {last_block}, on which the rewards of the \
             epoch from block {epoch_start} were paid",
            pool.name
        );
        return Err(Error::new(Code::ReorgPastFinal, why)
            .hint(
                "a final block does not change: check the endpoint's chain; nothing of this pool was changed",
            )
            .detail("pool", pool.name.clone())
            .detail("epoch_start", epoch_start));
    }
    work.state.write(work.permit, |tx| {
        seen.holds(tx.conn(), pool)?;
        let keep = ancestor.map(|(block, _)| block);
        take_back(tx, pool, keep)?;
        rows::run(
            tx.conn(),
            "DELETE FROM pool_snapshots WHERE pool_id = ?1 AND block_number > ?2",
            params![pool.id, keep.map_or(Ok(-1), db_block)?],
        )?;
        rows::run(
            tx.conn(),
            "UPDATE pools SET cursor_block = ?2, cursor_hash = ?3, synced_block =
                 (SELECT max(block_number) FROM pool_snapshots WHERE pool_id = ?1) WHERE id = ?1",
            params![pool.id, keep.map(db_block).transpose()?, ancestor.map(|(_, hash)| hash.to_string())],
        )?;
        tx.event(
            "pool.rolled_back",
            &pool.name,
            &json!({ "from_block": from_block, "to_block": keep, "endpoint": view.endpoint() }),
        )?;
        Ok(RolledBack { pool: pool.name.clone(), from_block, to_block: keep })
    })
}

/// What it is decided from which of a pool's transfers go, and which stay: looked at again in the write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ground {
    stand: Stand,
    /// Start and last block of the newest distributed epoch.
    pub paid: Option<(u64, u64)>,
}

impl Ground {
    pub fn of(conn: &Connection, pool: &Pool) -> Result<Self> {
        Ok(Self { stand: pool::stand(conn, pool.id)?, paid: last_paid(conn, pool)? })
    }

    /// Whether the pool was read on it.
    fn is_of(&self, pool: &Pool) -> Result<()> {
        if self.stand == pool.stand() { Ok(()) } else { Err(moved(pool)) }
    }

    /// Whether it is so still: `state_changed` where it is not.
    pub fn holds(&self, conn: &Connection, pool: &Pool) -> Result<()> {
        if Self::of(conn, pool)? == *self { Ok(()) } else { Err(moved(pool)) }
    }
}

/// Blocks whose hash is known: accepted syncs and last blocks of paid epochs, newest first.
pub(super) fn checkpoints(conn: &Connection, pool: &Pool) -> Result<Vec<(u64, B256)>> {
    let sql = "SELECT block_number, block_hash FROM pool_snapshots WHERE pool_id = ?1
         UNION SELECT end_block - 1, last_hash FROM pool_reward_epochs WHERE pool_id = ?1 AND last_hash IS NOT NULL
         ORDER BY 1 DESC";
    rows::all(conn, sql, [pool.id], |row| Ok((row.get("block_number")?, at(row, "block_hash")?)))
}

/// Start and last block of the newest distributed epoch.
fn last_paid(conn: &Connection, pool: &Pool) -> Result<Option<(u64, u64)>> {
    let sql = "SELECT start_block, end_block - 1 AS last_block FROM pool_reward_epochs
         WHERE pool_id = ?1 AND status = 'distributed' ORDER BY end_block DESC LIMIT 1";
    rows::first(conn, sql, [pool.id], |row| Ok((row.get("start_block")?, row.get("last_block")?)))
}

/// Undoes the transfers above `keep`.
pub(super) fn take_back(tx: &Tx<'_>, pool: &Pool, keep: Option<u64>) -> Result<()> {
    let first_gone = keep.map_or(0, |block| block + 1);
    let mut changes: BTreeMap<MemberId, Delta> = BTreeMap::new();
    each_movement(tx.conn(), pool.id, first_gone, u64::MAX, |m| {
        for (member, amount) in [(m.from, Delta::credit(m.shares)), (m.to, Delta::debit(m.shares))] {
            if let Some(member) = member {
                let slot = changes.entry(member).or_default();
                let past = || Error::new(Code::StateCorrupt, "shares pass 256 bits");
                *slot = slot.checked_add(amount).ok_or_else(past)?;
            }
        }
        Ok(())
    })?;
    let conn = tx.conn();
    let first_gone = db_block(first_gone)?;
    let sql = "DELETE FROM share_transfers WHERE pool_id = ?1 AND block_number >= ?2";
    rows::run(conn, sql, params![pool.id, first_gone])?;
    rows::run(conn, "UPDATE pools SET rewrites = rewrites + 1 WHERE id = ?1", [pool.id])?;
    for (member, shares) in changes {
        add_shares(conn, pool.id, member, shares)?;
    }
    rows::run(
        conn,
        "UPDATE user_pool_shares AS u SET last_deposit_at = NULL, last_deposit_block =
             (SELECT max(block_number) FROM share_transfers t
              WHERE t.pool_id = ?1 AND t.to_member = u.member_id AND t.from_member IS NULL)
         WHERE pool_id = ?1 AND last_deposit_block >= ?2",
        params![pool.id, first_gone],
    )
}
