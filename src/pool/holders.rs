//! Holders of a pool: the share token's Transfer logs replayed into the state, once each, and read back.

use super::abi::sol::IERC20::Transfer;
use super::add::transfer_topic;
use super::store::Pool;
use super::{db_block, stored_base, stored_block};
use crate::amount::{Base, Delta};
use crate::context::Work;
use crate::evm::{self, EventLog, LogRange, PinnedView};
use crate::output::{Code, Error, Result};
use crate::reward::accrual::{Holdings, MemberId, Movement};
use crate::state::Tx;
use alloy::primitives::Address;
use alloy::sol_types::SolEvent;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Pools whose logs travel in one query.
const POOLS_PER_QUERY: usize = 250;

/// Replays the transfers of `pools` from their cursors up to and including block `to`. Every range is committed
/// with its cursor, so a replay that is cut off goes on where it was, and a log is taken at most once.
///
/// A pool whose transfers cannot be right stays where it was and leaves the others done.
///
/// # Errors
/// Those of the transport; a pool's own failure is in what is returned.
pub async fn replay_to(work: &mut Work<'_>, view: &PinnedView, pools: &[Pool], to: u64) -> Result<Replayed> {
    let next = |pool: &Pool| pool.cursor.map_or(pool.deploy_block, |(block, _)| block + 1);
    let mut behind: Vec<&Pool> = pools.iter().filter(|pool| next(pool) <= to).collect();
    behind.sort_by_key(|pool| next(pool));
    let mut replayed = Replayed::default();
    let mut ids = MemberIds::default();
    for chunk in behind.chunks(POOLS_PER_QUERY) {
        let Some(from) = chunk.first().map(|pool| next(pool)) else { continue };
        let mut by_address: HashMap<Address, (i64, u64)> =
            chunk.iter().map(|pool| (pool.address, (pool.id, next(pool)))).collect();
        let addresses: Vec<Address> = chunk.iter().map(|pool| pool.address).collect();
        work.progress.begin("replaying transfers", Some(to + 1 - from));
        let stop = work.stop;
        let (state, permit, progress) = (&mut *work.state, work.permit, work.progress);
        evm::replay(view, &addresses, transfer_topic(), from, to, |range| {
            let blocks = range.end.number + 1 - range.from;
            state.write(permit, |tx| take(tx, &range, &mut by_address, &mut ids, &mut replayed))?;
            progress.advance(blocks);
            stop.check()
        })
        .await?;
        work.progress.end();
    }
    date_deposits(work, view, pools).await?;
    Ok(replayed)
}

/// What a replay came to, by pool id.
#[derive(Debug, Default)]
pub struct Replayed {
    /// Number of new transfers.
    pub taken: HashMap<i64, u64>,
    /// Why a pool's transfers cannot be right: `drift`, `not_a_contract`.
    pub failed: HashMap<i64, Error>,
}

/// Ids of members by address, so that a long replay does not look each up anew.
#[derive(Default)]
struct MemberIds(HashMap<Address, MemberId>);

impl MemberIds {
    const MOST: usize = 500_000;

    fn of(&mut self, tx: &Tx<'_>, address: Address) -> Result<Option<MemberId>> {
        if address.is_zero() {
            return Ok(None);
        }
        if let Some(id) = self.0.get(&address) {
            return Ok(Some(*id));
        }
        let text = address.to_string();
        let found: Option<MemberId> = tx
            .conn()
            .prepare_cached("SELECT id FROM members WHERE address = ?1")?
            .query_row([&text], |row| row.get(0))
            .optional()?;
        let id = if let Some(id) = found {
            id
        } else {
            tx.conn()
                .prepare_cached("INSERT INTO members (address, added_at) VALUES (?1, ?2)")?
                .execute(params![text, tx.now()])?;
            tx.conn().last_insert_rowid()
        };
        if self.0.len() >= Self::MOST {
            self.0.clear();
        }
        self.0.insert(address, id);
        Ok(Some(id))
    }
}

/// One pool's part of a range, before any of it is written.
#[derive(Default)]
struct Part<'l> {
    moves: Vec<(&'l EventLog, Base, Option<MemberId>, Option<MemberId>)>,
    changes: BTreeMap<MemberId, Change>,
}

impl<'l> Part<'l> {
    fn add(&mut self, tx: &Tx<'_>, ids: &mut MemberIds, log: &'l EventLog) -> Result<()> {
        let transfer = decode(log)?;
        let (from, to) = (ids.of(tx, transfer.from)?, ids.of(tx, transfer.to)?);
        for (member, amount) in [(from, Delta::debit(transfer.value)), (to, Delta::credit(transfer.value))] {
            if let Some(member) = member {
                let change = self.changes.entry(member).or_default();
                change.shares = change.shares.checked_add(amount).ok_or_else(|| overflow(log))?;
                if from.is_none() {
                    change.deposit = Some(log.block_number);
                }
            }
        }
        self.moves.push((log, transfer.value, from, to));
        Ok(())
    }

    /// What each member holds afterwards; nothing is written yet.
    fn after(&self, conn: &Connection, pool_id: i64) -> Result<Vec<(MemberId, Base, &Change)>> {
        self.changes
            .iter()
            .map(|(member, change)| {
                Ok((*member, shares_after(conn, pool_id, *member, change.shares)?, change))
            })
            .collect()
    }
}

/// Takes one range into the state: transfers, shares and cursors move together. A pool whose part cannot be right
/// is taken out of `pools`.
fn take(
    tx: &Tx<'_>,
    range: &LogRange,
    pools: &mut HashMap<Address, (i64, u64)>,
    ids: &mut MemberIds,
    replayed: &mut Replayed,
) -> Result<()> {
    let mut parts: BTreeMap<i64, Part<'_>> = BTreeMap::new();
    for log in &range.logs {
        let Some((pool_id, next)) = pools.get(&log.inner.address).copied() else { continue };
        if log.block_number < next {
            continue;
        }
        if let Err(e) = parts.entry(pool_id).or_default().add(tx, ids, log) {
            pools.remove(&log.inner.address);
            parts.remove(&pool_id);
            replayed.failed.insert(pool_id, its_own(e)?);
        }
    }
    let mut insert = tx.conn().prepare_cached(
        "INSERT INTO share_transfers (pool_id, block_number, log_index, tx_hash, from_member, to_member, shares)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for (pool_id, part) in &parts {
        let after = match part.after(tx.conn(), *pool_id) {
            Ok(after) => after,
            Err(e) => {
                pools.retain(|_, (id, _)| id != pool_id);
                replayed.failed.insert(*pool_id, its_own(e)?);
                continue;
            }
        };
        for (log, shares, from, to) in &part.moves {
            insert.execute(params![
                pool_id,
                db_block(log.block_number)?,
                db_block(log.log_index)?,
                log.tx_hash.as_slice(),
                from,
                to,
                shares.to_string()
            ])?;
        }
        for (member, shares, change) in after {
            put_shares(tx.conn(), *pool_id, member, shares, change.deposit)?;
        }
        *replayed.taken.entry(*pool_id).or_default() += part.moves.len() as u64;
    }
    let mut cursor =
        tx.conn().prepare_cached("UPDATE pools SET cursor_block = ?2, cursor_hash = ?3 WHERE id = ?1")?;
    for (pool_id, next) in pools.values_mut().filter(|(_, next)| *next <= range.end.number) {
        cursor.execute(params![*pool_id, db_block(range.end.number)?, range.end.hash.to_string()])?;
        *next = range.end.number + 1;
    }
    Ok(())
}

#[derive(Default)]
struct Change {
    shares: Delta,
    deposit: Option<u64>,
}

/// An error that is one pool's own; any other ends the replay.
fn its_own(e: Error) -> Result<Error> {
    if matches!(e.code(), Code::Drift | Code::NotAContract) { Ok(e) } else { Err(e) }
}

/// What a member holds after a change; below zero is a drift.
fn shares_after(conn: &Connection, pool_id: i64, member: MemberId, change: Delta) -> Result<Base> {
    let held: Option<String> = conn
        .prepare_cached("SELECT shares FROM user_pool_shares WHERE pool_id = ?1 AND member_id = ?2")?
        .query_row(params![pool_id, member], |row| row.get(0))
        .optional()?;
    let before = held.map_or(Ok(Base::ZERO), |text| stored_base(&text))?;
    if let Some(after) = Delta::credit(before).checked_add(change).filter(|sum| !sum.is_negative()) {
        return Ok(after.magnitude());
    }
    let address: String = conn
        .prepare_cached("SELECT address FROM members WHERE id = ?1")?
        .query_row([member], |row| row.get(0))?;
    Err(Error::new(
        Code::Drift,
        format!(
            "its transfers do not add up: member {address} holds {before} base units of shares and would change by {change}"
        ),
    )
    .hint("transfers are missing: is the pool's deploy block right? see: poolctl pool show POOL"))
}

/// Adds to what a member holds; below zero is a drift.
pub(super) fn add_shares(conn: &Connection, pool_id: i64, member: MemberId, shares: Delta) -> Result<()> {
    put_shares(conn, pool_id, member, shares_after(conn, pool_id, member, shares)?, None)
}

fn put_shares(
    conn: &Connection,
    pool_id: i64,
    member: MemberId,
    shares: Base,
    deposit: Option<u64>,
) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO user_pool_shares (pool_id, member_id, shares, last_deposit_block) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (pool_id, member_id) DO UPDATE SET shares = ?3,
             last_deposit_at = CASE WHEN ?4 IS NULL THEN last_deposit_at END,
             last_deposit_block = coalesce(?4, last_deposit_block)",
    )?
    .execute(params![pool_id, member, shares.to_string(), deposit.map(db_block).transpose()?])?;
    Ok(())
}

/// Reads a Transfer log.
///
/// # Errors
/// `not_a_contract` for one that is not of EIP-20.
pub(crate) fn decode(log: &EventLog) -> Result<Transfer> {
    Transfer::decode_log(&log.inner).map(|log| log.data).map_err(|e| {
        Error::new(
            Code::NotAContract,
            format!(
                "token {} wrote a Transfer log in block {} that is not of EIP-20: {e}",
                log.inner.address, log.block_number
            ),
        )
    })
}

fn overflow(log: &EventLog) -> Error {
    Error::new(
        Code::Drift,
        format!("transfers of {} in block {} pass 256 bits", log.inner.address, log.block_number),
    )
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

/// What each member holds at the pool's cursor.
fn holdings_now(conn: &Connection, pool_id: i64) -> Result<Holdings> {
    let mut statement = conn.prepare_cached(
        "SELECT member_id, shares FROM user_pool_shares WHERE pool_id = ?1 AND shares <> '0'",
    )?;
    let mut rows = statement.query([pool_id])?;
    let mut pairs = Vec::new();
    while let Some(row) = rows.next()? {
        pairs.push((row.get(0)?, stored_base(&row.get::<_, String>(1)?)?));
    }
    Ok(Holdings::new(pairs))
}

/// What each member held after block `start - 1`: the present holdings, taken back.
///
/// # Errors
/// `state_error`, `state_corrupt`, `drift`.
pub fn holdings_before(conn: &Connection, pool_id: i64, start: u64) -> Result<Holdings> {
    let mut holdings = holdings_now(conn, pool_id)?;
    for movement in movements_from(conn, pool_id, start, u64::MAX)?.iter().rev() {
        holdings.undo(movement)?;
    }
    Ok(holdings)
}

/// Σ holders must be the token's supply at the same block, at which the pool's cursor is, or beyond.
///
/// Returns the number of holders.
///
/// # Errors
/// `drift` with both figures.
pub fn holders_match(conn: &Connection, pool: &Pool, total_shares: Base, block: u64) -> Result<u64> {
    let holdings = holdings_before(conn, pool.id, block + 1)?;
    let (mut count, mut sum) = (0, Some(Base::ZERO));
    for (_, shares) in holdings.iter() {
        count += 1;
        sum = sum.and_then(|sum| sum.checked_add(shares));
    }
    if sum == Some(total_shares) {
        return Ok(count);
    }
    let held = sum.map_or_else(|| "more than 2^256".to_owned(), |sum| pool.shares(sum).to_string());
    Err(Error::new(
        Code::Drift,
        format!(
            "its {count} holders have {held}, totalSupply() is {} at block {}",
            pool.shares(total_shares),
            block
        ),
    )
    .hint(format!(
        "the token moves shares without Transfer logs, or it is older than deploy block {}",
        pool.deploy_block
    ))
    .detail("pool", pool.name.clone())
    .detail("holders", sum.map(|s| s.to_string()))
    .detail("total_supply", total_shares.to_string()))
}

/// Movements of a pool in order.
pub type Movements = Vec<Movement>;

/// The movements of a pool in blocks `from..to`, in order.
///
/// # Errors
/// `state_error`, `state_corrupt`.
pub fn movements_from(conn: &Connection, pool_id: i64, from: u64, to: u64) -> Result<Movements> {
    let mut statement = conn.prepare_cached(
        "SELECT block_number, from_member, to_member, shares FROM share_transfers
         WHERE pool_id = ?1 AND block_number >= ?2 AND block_number < ?3 ORDER BY block_number, log_index",
    )?;
    let to = i64::try_from(to).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![pool_id, db_block(from)?, to])?;
    let mut movements = Vec::new();
    while let Some(row) = rows.next()? {
        movements.push(Movement {
            block: stored_block(row.get(0)?)?,
            from: row.get(1)?,
            to: row.get(2)?,
            shares: stored_base(&row.get::<_, String>(3)?)?,
        });
    }
    Ok(movements)
}
