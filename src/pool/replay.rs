//! The replay of pools: their share tokens' Transfer logs, range by range from their cursors, and the times of deposits.

use super::add::transfer_topic;
use super::intake::{Intake, Replayed};
use super::store::Pool;
use super::{db_block, stored_block};
use crate::context::Work;
use crate::evm::{self, PinnedView};
use crate::output::Result;
use alloy::primitives::Address;
use rusqlite::{Connection, params};
use std::collections::{BTreeMap, BTreeSet};

/// Pools whose logs travel in one query.
const POOLS_PER_QUERY: usize = 250;

/// Replays the transfers of `pools` from their cursors up to and including block `to`. Ranges are committed with
/// their cursor, so a replay that is cut off goes on where it was, and a log is taken at most once.
///
/// A pool whose transfers cannot be right stays where it was and leaves the others done.
///
/// # Errors
/// Those of the transport; a pool's own failure is in what is returned.
pub async fn replay_to(work: &mut Work<'_>, view: &PinnedView, pools: &[Pool], to: u64) -> Result<Replayed> {
    let mut behind: Vec<&Pool> = pools.iter().filter(|pool| pool.next_block() <= to).collect();
    behind.sort_by_key(|pool| pool.next_block());
    let mut intake = Intake::default();
    for chunk in behind.chunks(POOLS_PER_QUERY) {
        let Some(from) = chunk.first().map(|pool| pool.next_block()) else { continue };
        let addresses: Vec<Address> = chunk.iter().map(|pool| pool.address).collect();
        intake.aim(chunk.iter().copied());
        work.progress.begin("replaying transfers", Some(to + 1 - from));
        let (state, permit, progress, stop) = (&mut *work.state, work.permit, work.progress, work.stop);
        let ended = evm::replay(view, &addresses, transfer_topic(), from, to, |range| {
            let blocks = range.end.number + 1 - range.from;
            intake.push(state, permit, &range)?;
            progress.advance(blocks);
            stop.check()
        })
        .await;
        // However it ended: what came until then stands.
        let written = intake.flush(work.state, work.permit);
        ended.and(written)?;
        work.progress.end();
    }
    let replayed = intake.finish();
    work.state.after_bulk(replayed.taken.values().sum())?;
    date_deposits(work, view, pools).await?;
    Ok(replayed)
}

/// Gives deposits their time: logs carry only the block. Pools share the queries, since mostly they share blocks.
async fn date_deposits(work: &mut Work<'_>, view: &PinnedView, pools: &[Pool]) -> Result<()> {
    const PER_ROUND: usize = 1_000;
    let mut next = 0;
    loop {
        let mut due: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
        while let Some(pool) = pools.get(next).filter(|_| due.len() < PER_ROUND) {
            let blocks = undated(work.state.conn(), pool, PER_ROUND)?;
            let whole = blocks.len() < PER_ROUND;
            for block in blocks {
                due.entry(block).or_default().push(pool.id);
            }
            if !whole {
                // What is left of it comes first in the next round.
                break;
            }
            next += 1;
        }
        if due.is_empty() {
            return Ok(());
        }
        let numbers: Vec<u64> = due.keys().copied().collect();
        let headers = view.blocks_by_number(&numbers).await?;
        work.state.write(work.permit, |tx| {
            // Left alone, SQLite walks all holders of the pool for each block.
            let mut update = tx.conn().prepare_cached(
                "UPDATE user_pool_shares INDEXED BY user_pool_shares_undated SET last_deposit_at = ?3
                 WHERE pool_id = ?1 AND last_deposit_block = ?2 AND last_deposit_at IS NULL",
            )?;
            for header in &headers {
                for pool_id in due.get(&header.number).into_iter().flatten() {
                    update.execute(params![
                        pool_id,
                        db_block(header.number)?,
                        db_block(header.timestamp)?
                    ])?;
                }
            }
            Ok(())
        })?;
        work.stop.check()?;
    }
}

fn undated(conn: &Connection, pool: &Pool, most: usize) -> Result<BTreeSet<u64>> {
    let mut statement = conn.prepare_cached(
        "SELECT DISTINCT last_deposit_block FROM user_pool_shares
         WHERE pool_id = ?1 AND last_deposit_block IS NOT NULL AND last_deposit_at IS NULL LIMIT ?2",
    )?;
    let rows = statement.query_map(params![pool.id, db_block(most as u64)?], |row| row.get::<_, i64>(0))?;
    rows.map(|row| stored_block(row?)).collect()
}
