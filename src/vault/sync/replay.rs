//! The replay of pools: their share tokens' Transfer logs, range by range from their cursors, until their holders have what
//! the token says, and the times of deposits.

use super::intake::{Goals, Intake, POOLS_PER_QUERY, Replayed};
use super::overlap::overlap;
use super::reread::reread;
use crate::pool::abi::sol::transfer_topic;
use crate::pool::holders::holders_match;
use crate::pool::{self, Pool};
use alloy::primitives::Address;
use base::amount::Base;
use base::{Code, Result};
use evm::PinnedView;
use rusqlite::params;
use state::columns::db_block;
use state::{WriteContext, rows};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Replays the transfers of `pools` from their cursors up to and including block `to`, after which their holders have
/// `totals` in all (share base units, by pool id). A pool's transfers and cursor are committed together and only then; of a
/// long replay what was downloaded is committed on the way too, unproved, so that one that is cut off goes on where it was.
///
/// The last blocks before the cursors are read a second time first: see `overlap`. Transfers that do not add up are read again,
/// from the last block at which they did and at another endpoint too, before the pool fails, which leaves the others done.
pub async fn replay_to(
    work: &mut WriteContext<'_>,
    view: &PinnedView,
    pools: &[Pool],
    totals: &BTreeMap<i64, Base>,
    to: u64,
) -> Result<Replayed> {
    let goals: Goals<'_> =
        pools.iter().filter_map(|pool| Some((pool.id, (pool, *totals.get(&pool.id)?)))).collect();
    let mut replayed = overlap(work, view, &goals, to).await?;
    let settled =
        |pool: &Pool| replayed.holders.contains_key(&pool.id) || replayed.failed.contains_key(&pool.id);
    let mut behind: Vec<&Pool> =
        pools.iter().filter(|pool| pool.next_block() <= to && !settled(pool)).collect();
    behind.sort_by_key(|pool| pool.next_block());
    let mut intake = Intake::toward(to, goals.clone());
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
    let straight = intake.finish();
    replayed.taken.extend(straight.taken);
    replayed.holders.extend(straight.holders);
    let contradicted: HashSet<i64> = replayed.failed.keys().copied().collect();
    replayed.failed.extend(straight.failed);
    for (id, (pool, total)) in goals {
        if contradicted.contains(&id) {
            continue;
        }
        if !replayed.failed.contains_key(&id) && !replayed.holders.contains_key(&id) {
            // It stands there already, or beyond.
            match holders_match(work.state.conn(), pool, total, to) {
                Ok(count) => drop(replayed.holders.insert(id, count)),
                Err(e) if e.code() == Code::Drift => drop(replayed.failed.insert(id, e)),
                Err(e) => return Err(e),
            }
        }
        if let Some(e) = replayed.failed.remove(&id) {
            match if e.code() == Code::Drift { reread(work, view, pool, total, to, e).await? } else { Err(e) }
            {
                Ok((taken, count)) => {
                    replayed.taken.insert(id, taken);
                    replayed.holders.insert(id, count);
                }
                Err(e) => drop(replayed.failed.insert(id, e)),
            }
        }
    }
    work.state.after_bulk(replayed.taken.values().sum())?;
    date_deposits(work, view, pools).await?;
    Ok(replayed)
}

/// Gives deposits their time: logs carry only the block. Pools share the queries, since mostly they share blocks.
pub(super) async fn date_deposits(
    work: &mut WriteContext<'_>,
    view: &PinnedView,
    pools: &[Pool],
) -> Result<()> {
    const PER_ROUND: usize = 1_000;
    let mut next = 0;
    loop {
        let mut due: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
        let mut stands = Vec::new();
        while let Some(pool) = pools.get(next).filter(|_| due.len() < PER_ROUND) {
            let sql = "SELECT DISTINCT last_deposit_block FROM user_pool_shares
         WHERE pool_id = ?1 AND last_deposit_block IS NOT NULL AND last_deposit_at IS NULL LIMIT ?2";
            let values = params![pool.id, db_block(PER_ROUND as u64)?];
            let blocks: BTreeSet<u64> =
                rows::all(work.state.conn(), sql, values, |row| Ok(row.get("last_deposit_block")?))?;
            stands.push((pool.id, pool::stand(work.state.conn(), pool.id)?));
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
            // Who has replaced a pool's transfers meanwhile gives their deposits a time too.
            let mut same = BTreeSet::new();
            for (id, stand) in stands {
                if pool::stand(tx.conn(), id)? == stand {
                    same.insert(id);
                }
            }
            // Left alone, SQLite walks all holders of the pool for each block.
            let mut update = tx.conn().prepare_cached(
                "UPDATE user_pool_shares INDEXED BY user_pool_shares_undated SET last_deposit_at = ?3
                 WHERE pool_id = ?1 AND last_deposit_block = ?2 AND last_deposit_at IS NULL",
            )?;
            for header in &headers {
                let of_block = due.get(&header.number).into_iter().flatten();
                for pool_id in of_block.filter(|id| same.contains(id)) {
                    let (block, at) = (db_block(header.number)?, db_block(header.timestamp)?);
                    update.execute(params![pool_id, block, at])?;
                }
            }
            Ok(())
        })?;
        work.stop.check()?;
    }
}
