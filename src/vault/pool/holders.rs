//! Holders of a pool: what each member has, now and after any block, from the replayed transfers.

use super::holdings::{Holdings, MemberId, Movement};
use super::store::Pool;
use base::amount::{Base, Delta, Digits};
use base::{Code, Error, Result, say};
use rusqlite::{Connection, Row, params};
use state::columns::{at, db_block, only};

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
    let address: String =
        conn.prepare_cached("SELECT address FROM members WHERE id = ?1")?.query_row([member], only)?;
    Err(Error::new(
        Code::Drift,
        format!(
            "its transfers do not add up: member {address} holds {before} base units of shares and would change by {change}"
        ),
    )
    .hint(say("transfers are missing: is the pool's deploy block right? see: ").run("pool show").of("POOL")))
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
    let mut statement = conn.prepare_cached(
        "SELECT shares, last_deposit_block, last_deposit_at FROM user_pool_shares
         WHERE pool_id = ?1 AND member_id = ?2",
    )?;
    let mut rows = statement.query(params![pool_id, member])?;
    let Some(row) = rows.next()? else { return Ok((Base::ZERO, None)) };
    let (block, seconds): (Option<u64>, Option<i64>) =
        (row.get("last_deposit_block")?, row.get("last_deposit_at")?);
    Ok((at(row, "shares")?, block.map(|block| Deposit { block, at: seconds })))
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
    conn.prepare_cached(
        "INSERT INTO user_pool_shares (pool_id, member_id, shares, last_deposit_block) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (pool_id, member_id) DO UPDATE SET shares = ?3,
             last_deposit_at = CASE WHEN ?4 IS NULL THEN last_deposit_at END,
             last_deposit_block = coalesce(?4, last_deposit_block)",
    )?
    .execute(params![pool_id, member, Digits::from(shares), deposit.map(db_block).transpose()?])?;
    Ok(())
}

/// Each member with shares at the pool's cursor, by id.
fn each_holder(
    conn: &Connection,
    pool_id: i64,
    mut body: impl FnMut(MemberId, Base) -> Result<()>,
) -> Result<()> {
    let mut statement = conn.prepare_cached(
        "SELECT member_id, shares FROM user_pool_shares WHERE pool_id = ?1 AND shares <> '0' ORDER BY member_id",
    )?;
    let mut rows = statement.query([pool_id])?;
    // Holders are many: by position.
    while let Some(row) = rows.next()? {
        body(row.get(0)?, at(row, 1)?)?;
    }
    Ok(())
}

/// What each member holds at the pool's cursor.
fn holdings_now(conn: &Connection, pool_id: i64) -> Result<Holdings> {
    let mut pairs = Vec::new();
    each_holder(conn, pool_id, |member, shares| {
        pairs.push((member, shares));
        Ok(())
    })?;
    Ok(Holdings::new(pairs))
}

/// Takes holdings at the pool's cursor back to what they were after block `start - 1`.
fn take_back_to(conn: &Connection, pool_id: i64, start: u64, holdings: &mut Holdings) -> Result<()> {
    let mut newest_first = conn.prepare_cached(
        "SELECT block_number, from_member, to_member, shares FROM share_transfers
         WHERE pool_id = ?1 AND block_number >= ?2 ORDER BY block_number DESC, log_index DESC",
    )?;
    let mut rows = newest_first.query(params![pool_id, db_block(start)?])?;
    while let Some(row) = rows.next()? {
        holdings.undo(&movement(row)?)?;
    }
    Ok(())
}

/// What each member held after block `start - 1`: the present holdings, taken back.
///
/// # Errors
/// `state_error`, `state_corrupt`, `drift`.
pub fn holdings_before(conn: &Connection, pool_id: i64, start: u64) -> Result<Holdings> {
    if !moved_before(conn, pool_id, start)? {
        return Ok(Holdings::default());
    }
    let mut holdings = holdings_now(conn, pool_id)?;
    take_back_to(conn, pool_id, start, &mut holdings)?;
    Ok(holdings)
}

/// What each member held after block `start - 1`, once it is sure that at `block`, which the pool's cursor is at or
/// beyond, they held the token's supply.
///
/// # Errors
/// `drift` with both figures.
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
    let mut held = Held::default();
    holdings.iter().for_each(|(_, shares)| held.add(shares));
    held.matches(pool, total_shares, block)?;
    take_back_to(conn, pool.id, start, &mut holdings)?;
    Ok(holdings)
}

/// Σ holders must be the pool's total of shares at the same block, at which the pool's cursor is, or beyond.
///
/// Returns the number of holders.
///
/// # Errors
/// `drift` with both figures.
pub fn holders_match(conn: &Connection, pool: &Pool, total_shares: Base, block: u64) -> Result<u64> {
    let mut held = Held::default();
    if moved_since(conn, pool.id, block)? {
        holdings_before(conn, pool.id, block + 1)?.iter().for_each(|(_, shares)| held.add(shares));
    } else {
        each_holder(conn, pool.id, |_, shares| {
            held.add(shares);
            Ok(())
        })?;
    }
    held.matches(pool, total_shares, block)?;
    Ok(held.count)
}

fn moved_since(conn: &Connection, pool_id: i64, block: u64) -> Result<bool> {
    Ok(conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM share_transfers WHERE pool_id = ?1 AND block_number > ?2)",
        )?
        .query_row(params![pool_id, db_block(block)?], only)?)
}

fn moved_before(conn: &Connection, pool_id: i64, block: u64) -> Result<bool> {
    Ok(conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM share_transfers WHERE pool_id = ?1 AND block_number < ?2)",
        )?
        .query_row(params![pool_id, db_block(block)?], only)?)
}

/// Number of holders, and their shares in all; `None` past 256 bits.
struct Held {
    count: u64,
    sum: Option<Base>,
}

impl Default for Held {
    fn default() -> Self {
        Self { count: 0, sum: Some(Base::ZERO) }
    }
}

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
        Err(Error::new(
            Code::Drift,
            format!(
                "its {count} holders have {held}, {} is {} at block {}",
                pool.abi.total_shares(),
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
}

/// The movements of a pool in blocks `from..to`, in order, one in memory at a time.
pub fn each_movement(
    conn: &Connection,
    pool_id: i64,
    from: u64,
    to: u64,
    mut body: impl FnMut(&Movement) -> Result<()>,
) -> Result<()> {
    let mut statement = conn.prepare_cached(
        "SELECT block_number, from_member, to_member, shares FROM share_transfers
         WHERE pool_id = ?1 AND block_number >= ?2 AND block_number < ?3 ORDER BY block_number, log_index",
    )?;
    let to = i64::try_from(to).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![pool_id, db_block(from)?, to])?;
    while let Some(row) = rows.next()? {
        body(&movement(row)?)?;
    }
    Ok(())
}

/// Movements are many: by position.
fn movement(row: &Row<'_>) -> Result<Movement> {
    Ok(Movement { block: row.get(0)?, from: row.get(1)?, to: row.get(2)?, shares: at(row, 3)? })
}
