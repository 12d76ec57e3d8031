//! `reward cycle`: every closed epoch of every pool, in order, up to the last final block.

use super::accrual::Holdings;
use super::distribute::{Distributed, distribute, draft};
use super::grid::{Epoch, Terms, closed_epoch, terms_at};
use super::prepare::{prepare, wanted};
use super::store::{schedule, weight_rows};
use crate::amount::Base;
use crate::context::Work;
use crate::evm::{At, Chain, PinnedView};
use crate::guard::ValuePermit;
use crate::output::{Code, Error, Result};
use crate::pool::abi;
use crate::pool::{self, Asset, Pool, ViewStamp};
use alloy::primitives::B256;
use rusqlite::{Connection, OptionalExtension};
use std::collections::{BTreeMap, HashMap};

/// What a cycle did for one pool.
#[derive(Debug, Clone)]
pub struct PoolCycle {
    /// Its name.
    pub pool: String,
    /// Epochs distributed now, in order.
    pub epochs: Vec<Distributed>,
    /// First block of the epoch that is still open.
    pub next_start: Option<u64>,
    /// End of that epoch: it can be distributed when the block before is final.
    pub next_end: Option<u64>,
    /// Why the pool's remaining epochs were not distributed.
    pub failure: Option<Error>,
}

/// What a cycle did.
#[derive(Debug, Clone)]
pub struct CycleReport {
    /// The view; its final block bounds what was paid on.
    pub view: ViewStamp,
    /// The last final block.
    pub final_block: u64,
    /// The reward token.
    pub asset: Asset,
    /// Pool by pool, those with a weight.
    pub pools: Vec<PoolCycle>,
    /// What the operator should know.
    pub notes: Vec<String>,
}

/// Distributes what is due. Running it again for the same blocks changes nothing.
///
/// # Errors
/// `missing_setting` without `reward.asset` or, on the first run, a genesis block; those of the transport. A
/// pool's own failure is in the report and leaves the others done.
pub async fn cycle(
    work: &mut Work<'_>,
    chain: &Chain,
    _agreed: &ValuePermit<'_>,
    from: Option<u64>,
    at: At,
) -> Result<CycleReport> {
    work.config.require("reward.asset")?;
    let weights = weight_rows(work.state.conn())?;
    if weights.is_empty() {
        return Err(Error::new(Code::MissingSetting, "no pool has a reward weight")
            .hint("give one with: poolctl reward set-weight POOL 1"));
    }
    // Finished epochs survive a view that starts over; they are reported once.
    let mut done: BTreeMap<i64, Vec<Distributed>> = BTreeMap::new();
    let known = pool::newest_known(&pool::list(work.state.conn())?);
    chain.view_above(at, known, async |view| one_view(work, view, from, &mut done).await).await
}

async fn one_view(
    work: &mut Work<'_>,
    view: &PinnedView,
    from: Option<u64>,
    done: &mut BTreeMap<i64, Vec<Distributed>>,
) -> Result<CycleReport> {
    let asset = reward_asset(work, view).await?;
    let terms = wanted(work.config, &asset)?;
    let head = view.block().number;
    let pools = pool::list(work.state.conn())?;
    let notes = work.state.write(work.permit, |tx| {
        pool::put_asset(tx.conn(), &asset)?;
        prepare(tx, &terms, &pools, head, from)
    })?;

    let terms = schedule(work.state.conn())?;
    let last_final = view.final_block().number;
    let pools: Vec<Pool> =
        pool::list(work.state.conn())?.into_iter().filter(|p| p.reward_cursor.is_some()).collect();
    let is_due = |p: &&Pool| p.reward_cursor.is_some_and(|at| closed_epoch(&terms, at, last_final).is_some());
    let mut failures: HashMap<i64, Error> = HashMap::new();
    let mut due: Vec<Pool> = Vec::new();
    for pool in pools.iter().filter(is_due) {
        match open_breaker(work.state.conn(), pool)? {
            Some(reason) => {
                failures.insert(pool.id, breaker_error(pool, &reason));
            }
            None => due.push(pool.clone()),
        }
    }
    if !due.is_empty() {
        pay(work, view, &terms, due, &mut failures, done).await?;
    }

    let pools = pool::list(work.state.conn())?.into_iter().filter(|p| p.reward_cursor.is_some());
    let report = pools.map(|pool| {
        let next_start = pool.reward_cursor;
        let length = next_start.and_then(|at| terms_at(&terms, at)).map(|t| t.epoch_blocks);
        PoolCycle {
            epochs: done.get(&pool.id).cloned().unwrap_or_default(),
            next_start,
            next_end: next_start.zip(length).map(|(at, length)| at + length),
            failure: failures
                .remove(&pool.id)
                .map(|e| e.context(format!("cannot pay pool \"{}\"", pool.name))),
            pool: pool.name,
        }
    });
    Ok(CycleReport {
        view: ViewStamp::new(view.block(), view.endpoint()),
        final_block: last_final,
        asset,
        pools: report.collect(),
        notes,
    })
}

async fn reward_asset(work: &Work<'_>, view: &PinnedView) -> Result<Asset> {
    let address = work.config.address("reward.asset")?.ok_or_else(|| {
        Error::new(Code::MissingSetting, "reward.asset is not set").hint("set reward.asset in the profile")
    })?;
    match pool::asset(work.state.conn(), address)? {
        Some(asset) => Ok(asset),
        None => pool::token(view, address).await,
    }
}

async fn pay(
    work: &mut Work<'_>,
    view: &PinnedView,
    terms: &[Terms],
    due: Vec<Pool>,
    failures: &mut HashMap<i64, Error>,
    done: &mut BTreeMap<i64, Vec<Distributed>>,
) -> Result<()> {
    let last_final = view.final_block().number;
    let (_, unsettled) = pool::settle_reorgs(work, view, &due).await?;
    failures.extend(unsettled);
    let names: Vec<String> = due.iter().map(|pool| pool.name.clone()).collect();
    let due: Vec<Pool> = pool::select(work.state.conn(), &names)?
        .into_iter()
        .filter(|pool| !failures.contains_key(&pool.id))
        .collect();
    let here = view.block().number;
    // A pool that is younger than the view has no holders to ask for.
    let (alive, unborn): (Vec<Pool>, Vec<Pool>) = due.into_iter().partition(|pool| pool.deploy_block <= here);
    let answers = ask(view, &alive).await?;
    failures.extend(pool::replay_to(work, view, &alive, here).await?.failed);
    let hashes = last_hashes(view, terms, alive.iter().chain(&unborn), last_final).await?;

    let closed = Closed { terms, last_final, hashes: &hashes };
    let unasked = unborn.into_iter().map(|pool| (pool, Ok((false, Base::ZERO))));
    for (pool, answer) in alive.into_iter().zip(answers).chain(unasked) {
        if failures.contains_key(&pool.id) {
            continue;
        }
        let slot = done.entry(pool.id).or_default();
        let paid = answer.and_then(|(paused, total_shares)| {
            // Nobody is paid by holders that do not add up.
            let holdings = pool::holdings_matched(work.state.conn(), &pool, total_shares, here)?;
            pay_pool(work, &pool, closed, paused, holdings, slot)
        });
        match paid {
            Ok(()) => {}
            Err(e) if e.code() == Code::Interrupted => return Err(e),
            Err(e) => {
                failures.insert(pool.id, e);
            }
        }
    }
    Ok(())
}

/// Whether each pool is paused, and its total shares.
async fn ask(view: &PinnedView, pools: &[Pool]) -> Result<Vec<Result<(bool, Base)>>> {
    if pools.is_empty() {
        return Ok(Vec::new());
    }
    let mut batch = view.batch();
    let asked: Vec<_> = pools.iter().map(|pool| abi::ask_holders(&mut batch, pool)).collect();
    let reply = batch.send().await?;
    Ok(asked.iter().map(|asked| asked.read(&reply)).collect())
}

/// Hash of the last block of every epoch that is about to be paid.
async fn last_hashes(
    view: &PinnedView,
    terms: &[Terms],
    pools: impl Iterator<Item = &Pool>,
    last_final: u64,
) -> Result<HashMap<u64, B256>> {
    const PER_ROUND: usize = 1_000;
    let mut blocks: Vec<u64> =
        pools.flat_map(|pool| epochs(terms, pool, last_final)).map(|e| e.end - 1).collect();
    blocks.sort_unstable();
    blocks.dedup();
    let mut hashes = HashMap::with_capacity(blocks.len());
    for chunk in blocks.chunks(PER_ROUND) {
        for block in view.blocks_by_number(chunk).await? {
            hashes.insert(block.number, block.hash);
        }
    }
    Ok(hashes)
}

fn epochs<'a>(terms: &'a [Terms], pool: &Pool, last_final: u64) -> impl Iterator<Item = Epoch> + use<'a> {
    let mut at = pool.reward_cursor;
    std::iter::from_fn(move || {
        let epoch = closed_epoch(terms, at?, last_final)?;
        at = Some(epoch.end);
        Some(epoch)
    })
}

/// What tells the epochs that are closed.
#[derive(Clone, Copy)]
struct Closed<'a> {
    terms: &'a [Terms],
    last_final: u64,
    /// Hash of each one's last block.
    hashes: &'a HashMap<u64, B256>,
}

/// Distributes all closed epochs of a pool; `holdings` are those at its cursor.
fn pay_pool(
    work: &mut Work<'_>,
    pool: &Pool,
    Closed { terms, last_final, hashes }: Closed<'_>,
    paused: bool,
    mut holdings: Holdings,
    done: &mut Vec<Distributed>,
) -> Result<()> {
    let Some(start) = pool.reward_cursor else { return Ok(()) };
    pool::take_back_to(work.state.conn(), pool.id, start, &mut holdings)?;
    let due: Vec<Epoch> = epochs(terms, pool, last_final).collect();
    work.progress.begin(&format!("distributing \"{}\"", pool.name), Some(due.len() as u64));
    let mut rows = 0;
    for epoch in due {
        work.stop.check()?;
        let in_force = terms_at(terms, epoch.start)
            .ok_or_else(|| Error::new(Code::Bug, format!("no terms at block {}", epoch.start)))?;
        let last_hash = hashes.get(&(epoch.end - 1)).copied().ok_or_else(|| {
            Error::new(Code::Bug, format!("the hash of block {} was not asked for", epoch.end - 1))
        })?;
        let draft = draft(work.state.conn(), pool, epoch, in_force, &mut holdings, last_hash, paused)?;
        let paid = work.state.write(work.permit, |tx| distribute(tx, pool, in_force, &draft))?;
        rows += paid.holders;
        done.push(paid);
        work.progress.advance(1);
    }
    work.progress.end();
    work.state.after_bulk(rows)
}

fn open_breaker(conn: &Connection, pool: &Pool) -> Result<Option<String>> {
    Ok(conn
        .prepare_cached("SELECT reason FROM circuit_breaker_status WHERE pool_id = ?1 AND active = 1")?
        .query_row([pool.id], |row| row.get(0))
        .optional()?)
}

fn breaker_error(pool: &Pool, reason: &str) -> Error {
    Error::new(Code::BreakerActive, format!("its circuit breaker is open: {reason}"))
        .hint(format!("when the cause is gone: poolctl risk reset-breaker {} --reason …", pool.name))
}
