//! Transfer logs on their way into the state: a few ranges of blocks are gathered, then written with their cursors at once.

use super::member_ids::MemberIds;
use crate::pool::abi::sol::IERC20::Transfer;
use crate::pool::holders::{holders_match, put_shares, shares_after};
use crate::pool::holdings::MemberId;
use crate::pool::{self, Pool, Stand};
use alloy::primitives::{Address, B256};
use alloy::sol_types::SolEvent;
use base::amount::{Base, Delta, Digits};
use base::{Code, Error, Result, counted};
use evm::{BlockRef, EventLog, LogRange};
use rusqlite::{Connection, ErrorCode, params};
use state::bulk::{insert_all, more_of};
use state::columns::{at, db_block, maybe_at};
use state::{Permit, State, Tx, rows};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Logs after which what was gathered is written. Addresses and transaction hashes come in no order, so that each new
/// row is in a page of its own; gathered, they share pages, and fewer of them go through the write-ahead log. As many as are
/// written in about a second: so long every other writer waits, in a replay of millions.
const LOGS: usize = 150_000;
/// Ranges, and the time that they took, after which it is written however few the logs are: what a kill costs is downloaded
/// again. Both, since each write touches most pages of what is in no order.
const RANGES: u32 = 50;
const EVERY: Duration = Duration::from_secs(20);

/// Pools whose logs travel in one query.
pub(super) const POOLS_PER_QUERY: usize = 250;

/// What a replay came to, by pool id.
#[derive(Debug, Default)]
pub struct Replayed {
    /// Number of new transfers.
    pub taken: HashMap<i64, u64>,
    /// Members with shares, where these add up to the token's supply.
    pub holders: HashMap<i64, u64>,
    /// Why a pool's transfers cannot be right: `drift`, `not_a_contract`.
    pub failed: HashMap<i64, Error>,
}

/// What a pool's holders must have in all, share base units, at the block that a replay ends with.
pub type Goals<'p> = HashMap<i64, (&'p Pool, Base)>;

/// Takes ranges of logs in, each log at most once. A pool whose logs cannot be right falls out and leaves the others done.
///
/// What is written on the way of a long replay is unproved: the pool's cursor is beyond its last checkpoint. With the last
/// range each pool's holders are held against its goal, and where they differ nothing of it is written.
#[derive(Debug, Default)]
pub struct Intake<'p> {
    goals: Option<(u64, Goals<'p>)>,
    pools: HashMap<Address, Target>,
    ids: MemberIds,
    waiting: Vec<Waiting>,
    ranges: u32,
    /// When the first of them came.
    since: Option<Instant>,
    end: Option<BlockRef>,
    replayed: Replayed,
}

#[derive(Debug, Clone, Copy)]
struct Target {
    pool_id: i64,
    /// First block that is not taken in yet.
    next: u64,
    /// Which transfers are stored, by all that this run knows.
    stand: Stand,
}

/// A decoded log that is not written yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) pool_id: i64,
    pub(super) block: u64,
    pub(super) log_index: u64,
    pub(super) tx_hash: B256,
    pub(super) from: Address,
    pub(super) to: Address,
    pub(super) shares: Base,
}

impl<'p> Intake<'p> {
    /// Ends with block `to`, at which the holders must have what `goals` say.
    pub fn toward(to: u64, goals: Goals<'p>) -> Self {
        Self { goals: Some((to, goals)), ..Self::default() }
    }

    /// Sets the pools that the next ranges are of; what was gathered of others must have been written.
    pub fn aim<'q>(&mut self, pools: impl IntoIterator<Item = &'q Pool>) {
        let target = |pool: &Pool| Target { pool_id: pool.id, next: pool.next_block(), stand: pool.stand() };
        self.pools = pools.into_iter().map(|pool| (pool.address, target(pool))).collect();
    }

    /// Sets the one pool whose ranges come next, from the block after `keep`, which is returned.
    pub(super) fn aim_from(&mut self, pool: &Pool, keep: Option<u64>) -> u64 {
        let next = keep.map_or(pool.deploy_block, |block| block + 1);
        self.pools = HashMap::from([(pool.address, Target { pool_id: pool.id, next, stand: pool.stand() })]);
        next
    }

    /// Gathers a range, whose logs must be right, and writes nothing.
    pub(super) fn gather(&mut self, range: &LogRange) -> Result<()> {
        self.decode_all(range).into_iter().next().map_or(Ok(()), |(_, _, e)| Err(e))
    }

    /// How many logs wait to be written.
    pub(super) const fn len(&self) -> usize {
        self.waiting.len()
    }

    /// What was gathered.
    pub(super) fn gathered(self) -> Vec<Waiting> {
        self.waiting
    }

    fn decode_all(&mut self, range: &LogRange) -> Vec<(Address, i64, Error)> {
        let mut broken = Vec::new();
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
        broken
    }

    /// Takes the next range, and writes when enough is gathered; a pool's own failure is in what [`Intake::finish`] returns.
    pub fn push(&mut self, state: &mut State, permit: Permit<'_>, range: &LogRange) -> Result<()> {
        let before = self.waiting.len();
        let broken = self.decode_all(range);
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
        let since = *self.since.get_or_insert_with(Instant::now);
        // What comes with the last range is written once it is proved.
        let last = self.goals.as_ref().is_some_and(|(to, _)| range.end.number >= *to);
        let enough = self.waiting.len() >= LOGS || (self.ranges >= RANGES && since.elapsed() >= EVERY);
        if enough && !last { self.flush(state, permit) } else { Ok(()) }
    }

    /// Writes what was gathered: transfers, shares and cursors move together. `state_changed` where other transfers are stored
    /// of a pool than this run knows of.
    pub fn flush(&mut self, state: &mut State, permit: Permit<'_>) -> Result<()> {
        let Some(end) = self.end.take() else { return Ok(()) };
        let mut waiting = std::mem::take(&mut self.waiting);
        (self.ranges, self.since) = (0, None);
        loop {
            let written = state.write(permit, |tx| {
                self.is_known(tx)?;
                self.store(tx, &waiting, end)
            });
            let Err(e) = &written else { return Ok(()) };
            // The members of these ids were taken back.
            self.ids.forget();
            if e.code() != Code::Drift {
                return written;
            }
            // Where nothing is true, nothing is written, not even that something was tried.
            if self.pools.is_empty() {
                return Ok(());
            }
            waiting.retain(|log| !self.replayed.failed.contains_key(&log.pool_id));
        }
    }

    fn is_known(&self, tx: &Tx<'_>) -> Result<()> {
        for target in self.pools.values() {
            if pool::stand(tx.conn(), target.pool_id)? != target.stand {
                return Err(moved(&pool::by_id(tx.conn(), target.pool_id)?));
            }
        }
        Ok(())
    }

    /// What came of all ranges; the last of them must have been written.
    pub fn finish(self) -> Replayed {
        self.replayed
    }

    /// Writes what was gathered. Where a pool's logs cannot be right it falls out, and the transaction is to be taken back:
    /// within a savepoint, SQLite would walk through all the pages that it keeps for it after each statement of many rows.
    /// `drift` where pools fell out.
    pub(super) fn store(&mut self, tx: &Tx<'_>, waiting: &[Waiting], end: BlockRef) -> Result<()> {
        let stored = self.try_store(tx, waiting, end)?;
        if !stored.failed.is_empty() {
            self.pools.retain(|_, target| !stored.failed.contains_key(&target.pool_id));
            self.replayed.failed.extend(stored.failed);
            return Err(Error::new(Code::Drift, "the transfers of a pool do not add up"));
        }
        for (pool_id, count) in stored.taken {
            *self.replayed.taken.entry(pool_id).or_default() += count;
        }
        self.replayed.holders.extend(stored.holders);
        for target in self.pools.values_mut().filter(|target| target.next <= end.number) {
            (target.next, target.stand.cursor) = (end.number + 1, Some((end.number, end.hash)));
        }
        Ok(())
    }

    fn try_store(&mut self, tx: &Tx<'_>, waiting: &[Waiting], end: BlockRef) -> Result<Replayed> {
        let conn = tx.conn();
        let mut stored = Replayed::default();
        let known: Option<MemberId> = rows::one(conn, "SELECT max(id) FROM members", [])?;
        // Members above this id have no rows that refer to them.
        let known = known.unwrap_or_default();
        let mut moves = Vec::with_capacity(waiting.len());
        // Ids are given in the order of the logs, wherever the ranges were cut.
        for log in waiting {
            moves.push(Move { log, from: self.ids.of(tx, log.from)?, to: self.ids.of(tx, log.to)? });
        }
        moves.sort_by_key(|m| m.log.pool_id);
        for part in moves.chunk_by(|a, b| a.log.pool_id == b.log.pool_id) {
            let Some(pool_id) = part.first().map(|first| first.log.pool_id) else { continue };
            match put(conn, pool_id, part, known) {
                Ok(()) => drop(stored.taken.insert(pool_id, part.len() as u64)),
                Err(e) if e.code() == Code::Drift => drop(stored.failed.insert(pool_id, e)),
                Err(e) => return Err(e),
            }
        }
        let mut cursor =
            conn.prepare_cached("UPDATE pools SET cursor_block = ?2, cursor_hash = ?3 WHERE id = ?1")?;
        let goals = self.goals.as_ref().filter(|(to, _)| end.number >= *to).map(|(_, goals)| goals);
        for target in self.pools.values().filter(|target| target.next <= end.number) {
            let id = target.pool_id;
            cursor.execute(params![id, db_block(end.number)?, end.hash.to_string()])?;
            let goal = goals.and_then(|goals| goals.get(&id)).filter(|_| !stored.failed.contains_key(&id));
            let Some((pool, total)) = goal else { continue };
            match holders_match(conn, pool, *total, end.number) {
                Ok(count) => drop(stored.holders.insert(id, count)),
                Err(e) if e.code() == Code::Drift => drop(stored.failed.insert(id, e)),
                Err(e) => return Err(e),
            }
        }
        Ok(stored)
    }
}

/// What is returned where other transfers of a pool are stored than were decided from.
pub(super) fn moved(pool: &Pool) -> Error {
    state::changed(format_args!("what is stored of the transfers of pool \"{}\"", pool.name))
}

/// Writes one pool's transfers and the shares that come of them.
fn put(conn: &Connection, pool_id: i64, moves: &[Move<'_>], known: MemberId) -> Result<()> {
    let after = holdings_after(conn, pool_id, moves, known)?;
    insert(conn, moves)?;
    let (old, new) = after.split_at(after.partition_point(|held| held.member <= known));
    for held in old {
        put_shares(conn, pool_id, held.member, held.shares, held.deposit)?;
    }
    put_new(conn, pool_id, new)
}

/// A log with its members.
struct Move<'l> {
    log: &'l Waiting,
    from: Option<MemberId>,
    to: Option<MemberId>,
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
            let past = || drift(format!("its transfers up to block {} pass 256 bits", log.block));
            change = change.checked_add(amount).ok_or_else(past)?;
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

/// A pool's stored transfers in blocks `from..=to`, in order.
pub(super) fn stored(conn: &Connection, pool: &Pool, from: u64, to: u64) -> Result<Vec<Waiting>> {
    let sql = "SELECT t.block_number, t.log_index, t.tx_hash, f.address AS from_address,
             g.address AS to_address, t.shares FROM share_transfers t
         LEFT JOIN members f ON f.id = t.from_member LEFT JOIN members g ON g.id = t.to_member
         WHERE t.pool_id = ?1 AND t.block_number >= ?2 AND t.block_number <= ?3
         ORDER BY t.block_number, t.log_index";
    let to = i64::try_from(to).unwrap_or(i64::MAX);
    rows::all(conn, sql, params![pool.id, db_block(from)?, to], |row| {
        Ok(Waiting {
            pool_id: pool.id,
            block: row.get("block_number")?,
            log_index: row.get("log_index")?,
            tx_hash: B256::from(row.get::<_, [u8; 32]>("tx_hash")?),
            from: maybe_at(row, "from_address")?.unwrap_or(Address::ZERO),
            to: maybe_at(row, "to_address")?.unwrap_or(Address::ZERO),
            shares: at(row, "shares")?,
        })
    })
}

fn drift(why: String) -> Error {
    Error::new(Code::Drift, why)
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
        let Waiting { log_index, tx_hash, block, .. } = log;
        let twice = || format!("log {log_index} of transaction {tx_hash} came again in block {block}");
        transfer.raw_execute().map_err(|e| match e.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) => drift(twice()),
            _ => e.into(),
        })?;
    }
    Ok(())
}

/// Reads a Transfer log; one that is not of EIP-20 is an error.
pub fn decode(log: &EventLog) -> Result<Transfer> {
    // A longer one would be read by its first word.
    let data = log.inner.data.data.len();
    let decoded = if data == 32 {
        Transfer::decode_log(&log.inner).map(|log| log.data).map_err(|e| e.to_string())
    } else {
        Err(format!("its data has {}, not 32", counted(data, "byte")))
    };
    decoded.map_err(|e| {
        let (token, block) = (log.inner.address, log.block_number);
        let why = format!("token {token} wrote a Transfer log in block {block} that is not of EIP-20: {e}");
        Error::new(Code::NotAContract, why)
    })
}
