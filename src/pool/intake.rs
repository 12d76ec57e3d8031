//! Transfer logs on their way into the state: a few ranges of blocks are gathered, then written with their cursors at once.

use super::abi::sol::IERC20::Transfer;
use super::db_block;
use super::holders::{put_shares, shares_after};
use super::member_ids::MemberIds;
use super::store::Pool;
use crate::amount::{Base, Delta, Digits};
use crate::evm::{BlockRef, EventLog, LogRange};
use crate::guard::Permit;
use crate::output::{Code, Error, Result};
use crate::reward::accrual::MemberId;
use crate::state::bulk::{insert_all, more_of};
use crate::state::{State, Tx};
use alloy::primitives::{Address, B256};
use alloy::sol_types::SolEvent;
use rusqlite::{Connection, params};
use std::collections::HashMap;

/// Logs after which what was gathered is written. Addresses and transaction hashes come in no order, so that each new
/// row is in a page of its own; gathered, they share pages, and fewer of them go through the write-ahead log.
const LOGS: usize = 500_000;
/// Ranges after which it is written however few the logs are: what a kill costs is downloaded again.
const RANGES: u32 = 50;

/// What a replay came to, by pool id.
#[derive(Debug, Default)]
pub struct Replayed {
    /// Number of new transfers.
    pub taken: HashMap<i64, u64>,
    /// Why a pool's transfers cannot be right: `drift`, `not_a_contract`.
    pub failed: HashMap<i64, Error>,
}

/// Takes ranges of logs in, each log at most once. A pool whose logs cannot be right falls out and leaves the others done.
#[derive(Debug, Default)]
pub struct Intake {
    pools: HashMap<Address, Target>,
    ids: MemberIds,
    waiting: Vec<Waiting>,
    ranges: u32,
    end: Option<BlockRef>,
    replayed: Replayed,
}

#[derive(Debug, Clone, Copy)]
struct Target {
    pool_id: i64,
    /// First block that is not taken in yet.
    next: u64,
}

/// A decoded log that is not written yet.
#[derive(Debug)]
struct Waiting {
    pool_id: i64,
    block: u64,
    log_index: u64,
    tx_hash: B256,
    from: Address,
    to: Address,
    shares: Base,
}

impl Intake {
    /// Sets the pools that the next ranges are of; what was gathered of others must have been written.
    pub fn aim<'p>(&mut self, pools: impl IntoIterator<Item = &'p Pool>) {
        let target = |pool: &Pool| Target { pool_id: pool.id, next: pool.next_block() };
        self.pools = pools.into_iter().map(|pool| (pool.address, target(pool))).collect();
    }

    /// Takes the next range, and writes when enough is gathered.
    ///
    /// # Errors
    /// `state_error`; a pool's own failure is in what [`Intake::finish`] returns.
    pub fn push(&mut self, state: &mut State, permit: Permit<'_>, range: &LogRange) -> Result<()> {
        let before = self.waiting.len();
        let mut broken: Vec<(Address, i64, Error)> = Vec::new();
        for log in &range.logs {
            let Some(target) = self.pools.get(&log.inner.address) else { continue };
            if log.block_number < target.next {
                continue;
            }
            match decode(log) {
                Ok(Transfer { from, to, value }) => self.waiting.push(Waiting {
                    pool_id: target.pool_id,
                    block: log.block_number,
                    log_index: log.log_index,
                    tx_hash: log.tx_hash,
                    from,
                    to,
                    shares: value,
                }),
                Err(e) => broken.push((log.inner.address, target.pool_id, e)),
            }
        }
        if !broken.is_empty() {
            // The ranges before this one stand; of this one, nothing of such a pool is taken.
            let mut of_range = self.waiting.split_off(before);
            self.flush(state, permit)?;
            for (address, pool_id, e) in broken {
                self.pools.remove(&address);
                self.replayed.failed.entry(pool_id).or_insert(e);
            }
            of_range.retain(|log| !self.replayed.failed.contains_key(&log.pool_id));
            self.waiting = of_range;
        }
        self.end = Some(range.end);
        self.ranges += 1;
        if self.waiting.len() >= LOGS || self.ranges >= RANGES { self.flush(state, permit) } else { Ok(()) }
    }

    /// Writes what was gathered: transfers, shares and cursors move together.
    ///
    /// # Errors
    /// `state_error`; nothing of what was gathered is written then.
    pub fn flush(&mut self, state: &mut State, permit: Permit<'_>) -> Result<()> {
        let Some(end) = self.end.take() else { return Ok(()) };
        let waiting = std::mem::take(&mut self.waiting);
        self.ranges = 0;
        let done = state.write(permit, |tx| self.store(tx, &waiting, end));
        if done.is_err() {
            // The members of these ids were taken back.
            self.ids.forget();
        }
        done
    }

    /// What came of all ranges; the last of them must have been written.
    pub fn finish(self) -> Replayed {
        self.replayed
    }

    fn store(&mut self, tx: &Tx<'_>, waiting: &[Waiting], end: BlockRef) -> Result<()> {
        let known = newest_member(tx.conn())?;
        let mut moves = Vec::with_capacity(waiting.len());
        // Ids are given in the order of the logs, wherever the ranges were cut.
        for log in waiting {
            moves.push(Move { log, from: self.ids.of(tx, log.from)?, to: self.ids.of(tx, log.to)? });
        }
        moves.sort_by_key(|m| m.log.pool_id);
        for part in moves.chunk_by(|a, b| a.log.pool_id == b.log.pool_id) {
            let Some(pool_id) = part.first().map(|first| first.log.pool_id) else { continue };
            match holdings_after(tx.conn(), pool_id, part, known) {
                Ok(after) => {
                    insert(tx.conn(), part)?;
                    let first_new = after.partition_point(|held| held.member <= known);
                    let (old, new) = after.split_at(first_new);
                    for held in old {
                        put_shares(tx.conn(), pool_id, held.member, held.shares, held.deposit)?;
                    }
                    put_new(tx.conn(), pool_id, new)?;
                    *self.replayed.taken.entry(pool_id).or_default() += part.len() as u64;
                }
                Err(e) if e.code() == Code::Drift => {
                    self.pools.retain(|_, target| target.pool_id != pool_id);
                    self.replayed.failed.insert(pool_id, e);
                }
                Err(e) => return Err(e),
            }
        }
        let mut cursor =
            tx.conn().prepare_cached("UPDATE pools SET cursor_block = ?2, cursor_hash = ?3 WHERE id = ?1")?;
        for target in self.pools.values_mut().filter(|target| target.next <= end.number) {
            cursor.execute(params![target.pool_id, db_block(end.number)?, end.hash.to_string()])?;
            target.next = end.number + 1;
        }
        Ok(())
    }
}

/// A log with its members.
struct Move<'l> {
    log: &'l Waiting,
    from: Option<MemberId>,
    to: Option<MemberId>,
}

/// Members above this id have no rows that refer to them.
fn newest_member(conn: &Connection) -> Result<MemberId> {
    let newest: Option<MemberId> =
        conn.prepare_cached("SELECT max(id) FROM members")?.query_row([], |row| row.get(0))?;
    Ok(newest.unwrap_or_default())
}

/// What a member holds once one pool's moves are taken in.
struct Held {
    member: MemberId,
    shares: Base,
    /// Block of its last deposit among them.
    deposit: Option<u64>,
}

/// What each member that one pool's moves concern holds then, by id. Nothing is written.
fn holdings_after(conn: &Connection, pool_id: i64, moves: &[Move<'_>], known: MemberId) -> Result<Vec<Held>> {
    // Each side of each move, by member and then in order: a self-transfer is given before it is got.
    let mut sides: Vec<(MemberId, usize, bool)> = Vec::with_capacity(moves.len());
    for (place, Move { from, to, .. }) in moves.iter().enumerate() {
        sides.extend(from.map(|member| (member, place, false)));
        sides.extend(to.map(|member| (member, place, true)));
    }
    sides.sort_unstable();
    let mut after = Vec::new();
    for of_member in sides.chunk_by(|a, b| a.0 == b.0) {
        let (mut change, mut deposit, mut member) = (Delta::default(), None, 0);
        for (id, place, gets) in of_member {
            let Some(Move { log, from, .. }) = moves.get(*place) else { continue };
            let amount = if *gets { Delta::credit(log.shares) } else { Delta::debit(log.shares) };
            change = change.checked_add(amount).ok_or_else(|| overflow(log))?;
            if from.is_none() {
                deposit = Some(log.block);
            }
            member = *id;
        }
        let shares = shares_after(conn, pool_id, member, change, member > known)?;
        after.push(Held { member, shares, deposit });
    }
    Ok(after)
}

/// Members that were just made, who cannot have shares yet.
fn put_new(conn: &Connection, pool_id: i64, new: &[Held]) -> Result<()> {
    const HOLDER: &str =
        "INSERT INTO user_pool_shares (pool_id, member_id, shares, last_deposit_block) VALUES (?, ?, ?, ?)";
    let more = more_of(4);
    let (mut long, mut short) =
        (conn.prepare_cached(&format!("{HOLDER}{more}"))?, conn.prepare_cached(HOLDER)?);
    insert_all((&mut long, &mut short), 4, new.iter().map(Ok), |statement, at, held| {
        statement.raw_bind_parameter(at, pool_id)?;
        statement.raw_bind_parameter(at + 1, held.member)?;
        statement.raw_bind_parameter(at + 2, Digits::from(held.shares))?;
        statement.raw_bind_parameter(at + 3, held.deposit.map(db_block).transpose()?)?;
        Ok(())
    })
}

fn insert(conn: &Connection, moves: &[Move<'_>]) -> Result<()> {
    // One row at a time: hashes come in no order, see `state::bulk`.
    let mut transfer = conn.prepare_cached(
        "INSERT INTO share_transfers (pool_id, block_number, log_index, tx_hash, from_member, to_member, shares)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for Move { log, from, to } in moves {
        transfer.raw_bind_parameter(1, log.pool_id)?;
        transfer.raw_bind_parameter(2, db_block(log.block)?)?;
        transfer.raw_bind_parameter(3, db_block(log.log_index)?)?;
        transfer.raw_bind_parameter(4, log.tx_hash.as_slice())?;
        transfer.raw_bind_parameter(5, from)?;
        transfer.raw_bind_parameter(6, to)?;
        transfer.raw_bind_parameter(7, Digits::from(log.shares))?;
        transfer.raw_execute()?;
    }
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

fn overflow(log: &Waiting) -> Error {
    Error::new(Code::Drift, format!("its transfers up to block {} pass 256 bits", log.block))
}
