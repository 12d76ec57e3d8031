//! Holders of a pool: what each member has, now and after any block, from the replayed transfers.

use super::holdings::{Holdings, MemberId, Movement};
use super::store::Pool;
use base::amount::{Base, Delta, Digits};
use base::{Code, Error, Result, counted, say};
use rusqlite::{Connection, params};
use state::columns::{at, db_block};
use state::rows;
use state::rows::Row;

/// What a member holds after a change; below zero is a drift. One `is_new` has no shares yet.
pub fn shares_after(
    conn: &Connection,
    pool_id: i64,
    member: MemberId,
    change: Delta,
    is_new: bool,
) -> Result<Base> {
    let before = if is_new { Base::ZERO } else { holding(conn, pool_id, member)?.0 };
    if let Some(after) = Delta::credit(before).checked_add(change).filter(|sum| !sum.is_negative()) {
        return Ok(after.magnitude());
    }
    let address: String = rows::one(conn, "SELECT address FROM members WHERE id = ?1", [member])?;
    let why = format!(
        "its transfers do not add up: member {address} holds {before} base units of shares and would change by {change}"
    );
    Err(Error::new(Code::Drift, why).hint(
        say("transfers are missing: is the pool's deploy block right? see: ").run("pool show").of("POOL"),
    ))
}

/// A member's last deposit into a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deposit {
    /// Its block.
    pub block: u64,
    /// Time of that block, seconds since 1970; `None` = not known yet.
    pub at: Option<i64>,
}

/// What a member holds at the pool's cursor, share base units, and its last deposit, if there was one.
pub fn holding(conn: &Connection, pool_id: i64, member: MemberId) -> Result<(Base, Option<Deposit>)> {
    let sql = "SELECT shares, last_deposit_block, last_deposit_at FROM user_pool_shares
         WHERE pool_id = ?1 AND member_id = ?2";
    let found = rows::first(conn, sql, params![pool_id, member], |row| {
        let (block, seconds): (Option<u64>, _) =
            (row.get("last_deposit_block")?, row.get("last_deposit_at")?);
        Ok((at(row, "shares")?, block.map(|block| Deposit { block, at: seconds })))
    });
    Ok(found?.unwrap_or_default())
}

/// Adds to what a member holds; below zero is a drift.
pub fn add_shares(conn: &Connection, pool_id: i64, member: MemberId, shares: Delta) -> Result<()> {
    put_shares(conn, pool_id, member, shares_after(conn, pool_id, member, shares, false)?, None)
}

pub(crate) fn put_shares(
    conn: &Connection,
    pool_id: i64,
    member: MemberId,
    shares: Base,
    deposit: Option<u64>,
) -> Result<()> {
    rows::run(
        conn,
        "INSERT INTO user_pool_shares (pool_id, member_id, shares, last_deposit_block) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (pool_id, member_id) DO UPDATE SET shares = ?3,
             last_deposit_at = CASE WHEN ?4 IS NULL THEN last_deposit_at END,
             last_deposit_block = coalesce(?4, last_deposit_block)",
        params![pool_id, member, Digits::from(shares), deposit.map(db_block).transpose()?],
    )
}

/// Each member with shares at the pool's cursor, by id.
const HOLDERS: &str =
    "SELECT member_id, shares FROM user_pool_shares WHERE pool_id = ?1 AND shares <> '0' ORDER BY member_id";

/// Holders are many: by position.
fn holder(row: &Row<'_>) -> Result<(MemberId, Base)> {
    Ok((row.get(0)?, at(row, 1)?))
}

/// What each member holds at the pool's cursor.
fn holdings_now(conn: &Connection, pool_id: i64) -> Result<Holdings> {
    Ok(Holdings::new(rows::all::<_, Vec<_>>(conn, HOLDERS, [pool_id], holder)?))
}

/// Takes holdings at the pool's cursor back to what they were after block `start - 1`.
fn take_back_to(conn: &Connection, pool_id: i64, start: u64, holdings: &mut Holdings) -> Result<()> {
    let newest_first = "SELECT block_number, from_member, to_member, shares FROM share_transfers
         WHERE pool_id = ?1 AND block_number >= ?2 ORDER BY block_number DESC, log_index DESC";
    rows::each(conn, newest_first, params![pool_id, db_block(start)?], |row| holdings.undo(&movement(row)?))
}

/// What each member held after block `start - 1`: the present holdings, taken back.
pub fn holdings_before(conn: &Connection, pool_id: i64, start: u64) -> Result<Holdings> {
    if !moved_before(conn, pool_id, start)? {
        return Ok(Holdings::default());
    }
    let mut holdings = holdings_now(conn, pool_id)?;
    take_back_to(conn, pool_id, start, &mut holdings)?;
    Ok(holdings)
}

/// What each member held after block `start - 1`, once it is sure that at `block`, which the pool's cursor is at or
/// beyond, they held the token's supply; `drift` has both figures.
pub fn opening_matched(
    conn: &Connection,
    pool: &Pool,
    total_shares: Base,
    block: u64,
    start: u64,
) -> Result<Holdings> {
    if moved_since(conn, pool.id, block)? || !moved_before(conn, pool.id, start)? {
        holders_match(conn, pool, total_shares, block)?;
        return holdings_before(conn, pool.id, start);
    }
    // The holders are read once for both.
    let mut holdings = holdings_now(conn, pool.id)?;
    let mut held = NOBODY;
    holdings.iter().for_each(|(_, shares)| held.add(shares));
    held.matches(pool, total_shares, block)?;
    take_back_to(conn, pool.id, start, &mut holdings)?;
    Ok(holdings)
}

/// Σ holders must be the pool's total of shares at the same block, at which the pool's cursor is, or beyond; `drift` has both
/// figures. Returns the number of holders.
pub fn holders_match(conn: &Connection, pool: &Pool, total_shares: Base, block: u64) -> Result<u64> {
    let mut held = NOBODY;
    if moved_since(conn, pool.id, block)? {
        holdings_before(conn, pool.id, block + 1)?.iter().for_each(|(_, shares)| held.add(shares));
    } else {
        rows::each(conn, HOLDERS, [pool.id], |row| {
            held.add(holder(row)?.1);
            Ok(())
        })?;
    }
    held.matches(pool, total_shares, block)?;
    Ok(held.count)
}

fn moved_since(conn: &Connection, pool_id: i64, block: u64) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM share_transfers WHERE pool_id = ?1 AND block_number > ?2)";
    rows::one(conn, sql, params![pool_id, db_block(block)?])
}

fn moved_before(conn: &Connection, pool_id: i64, block: u64) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM share_transfers WHERE pool_id = ?1 AND block_number < ?2)";
    rows::one(conn, sql, params![pool_id, db_block(block)?])
}

/// Number of holders, and their shares in all; `None` past 256 bits.
struct Held {
    count: u64,
    sum: Option<Base>,
}

const NOBODY: Held = Held { count: 0, sum: Some(Base::ZERO) };

impl Held {
    fn add(&mut self, shares: Base) {
        self.count += 1;
        self.sum = self.sum.and_then(|sum| sum.checked_add(shares));
    }

    fn matches(&self, pool: &Pool, total_shares: Base, block: u64) -> Result<()> {
        let Self { count, sum } = *self;
        if sum == Some(total_shares) {
            return Ok(());
        }
        let held = sum.map_or_else(|| "more than 2^256".to_owned(), |sum| pool.shares(sum).to_string());
        let (named, total) = (pool.abi.total_shares(), pool.shares(total_shares));
        let why = format!(
            "balances of {} sum to {held}, {named} is {total} at block {block}",
            counted(count, "holder")
        );
        let hint = format!(
            "the token moves shares without Transfer logs, or it is older than deploy block {}",
            pool.deploy_block
        );
        Err(Error::new(Code::Drift, why)
            .hint(hint)
            .detail("pool", pool.name.clone())
            .detail("holders", sum.map(|s| s.to_string()))
            .detail("total_supply", total_shares.to_string()))
    }
}

/// The movements of a pool in blocks `from..to`, in order, one in memory at a time.
pub fn each_movement(
    conn: &Connection,
    pool_id: i64,
    from: u64,
    to: u64,
    mut body: impl FnMut(&Movement) -> Result<()>,
) -> Result<()> {
    let sql = "SELECT block_number, from_member, to_member, shares FROM share_transfers
         WHERE pool_id = ?1 AND block_number >= ?2 AND block_number < ?3 ORDER BY block_number, log_index";
    let to = i64::try_from(to).unwrap_or(i64::MAX);
    rows::each(conn, sql, params![pool_id, db_block(from)?, to], |row| body(&movement(row)?))
}

/// Movements are many: by position.
fn movement(row: &Row<'_>) -> Result<Movement> {
    Ok(Movement { block: row.get(0)?, from: row.get(1)?, to: row.get(2)?, shares: at(row, 3)? })
}
