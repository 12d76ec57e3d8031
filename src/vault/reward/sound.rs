//! Before rewards move: the rows that they move by must agree with each other and with the ledger. A few rows by their
//! keys, in the transaction that moves the money; `state check` looks at all of them.

use super::budget::{Budget, sharers};
use super::grid::{EmissionTerms, Epoch, terms_at};
use super::store::{CARRY, EmissionRow, account, carry_into, claimants, read_emission, schedule};
use crate::pool::{AVAILABLE, Member, Pool};
use base::amount::{Base, Delta};
use base::{Code, Error, Remedy, Result};
use rusqlite::{Connection, params};
use state::columns::at;
use state::rows::Row;
use state::{OwnerKind, balance, derived_balance, rows};

/// What an epoch gave and what it left, which must conserve what was given.
fn conserved(row: &Row<'_>, epoch: i64) -> Result<(Base, Base)> {
    let [part, carry_in, distributed, carry_out]: [Base; 4] =
        [at(row, "part")?, at(row, "carry_in")?, at(row, "distributed")?, at(row, "carry_out")?];
    let (given, gone) = (part.checked_add(carry_in), distributed.checked_add(carry_out));
    if given.is_none() || given != gone {
        return Err(unsound(&format!(
            "epoch {epoch}: part {part} + carry {carry_in} is not distributed {distributed} + carry {carry_out}"
        )));
    }
    Ok((distributed, carry_out))
}

/// A pool's last paid epoch, and the cursor and the carry that the next one begins with: the epoch, the pool and one
/// account.
pub(super) fn before_payment(conn: &Connection, pool: &Pool) -> Result<()> {
    let name = &pool.name;
    let sql = "SELECT e.part, e.carry_in, e.distributed, e.carry_out, e.id, e.end_block, e.asset, p.reward_cursor_block,
             p.reward_carry
         FROM pools p JOIN pool_reward_epochs e ON e.pool_id = p.id
         WHERE p.id = ?1 AND e.status = 'distributed' ORDER BY e.start_block DESC LIMIT 1";
    let carries = &pool.reward_carry;
    let found = rows::first(conn, sql, [pool.id], |row| last_payment(conn, pool, row))?;
    match found {
        None if !carries.is_zero() => {
            Err(unsound(&format!("pool \"{name}\" carries {carries}, and was never paid")))
        }
        _ => Ok(()),
    }
}

fn last_payment(conn: &Connection, pool: &Pool, row: &Row<'_>) -> Result<()> {
    let name = &pool.name;
    let epoch: i64 = row.get("id")?;
    let (_, carry_out) = conserved(row, epoch)?;
    let (end, cursor): (i64, Option<i64>) = (row.get("end_block")?, row.get("reward_cursor_block")?);
    if cursor != Some(end) {
        let cursor = cursor.unwrap_or_default();
        return Err(unsound(&format!(
            "pool \"{name}\" is paid up to block {cursor}, and its last epoch {epoch} ends at {end}"
        )));
    }
    let carry = at(row, "reward_carry")?;
    let owner = pool.address.to_string();
    let account = account(OwnerKind::Pool, &owner, CARRY, &row.get::<_, String>("asset")?);
    let booked = balance(conn, &account)?;
    if carry != carry_out || booked != Delta::credit(carry) {
        return Err(unsound(&format!(
            "pool \"{name}\" carries {carry}, its last epoch {epoch} left {carry_out}, the ledger has {booked}"
        )));
    }
    Ok(())
}

/// The budget that a part of an epoch is taken from: two rows.
pub(super) fn before_share(
    conn: &Connection,
    epoch: Epoch,
    terms: &EmissionTerms,
    sharers: &[(i64, u32)],
    row: &EmissionRow,
) -> Result<()> {
    oddity(epoch, terms, sharers, row, carry_into(conn, epoch.start)?)?
        .map_or(Ok(()), |why| Err(unsound(&why)))
}

/// Every budget is the one that the settings of its day make.
pub fn odd_budgets(conn: &Connection) -> Result<Vec<String>> {
    let (schedule, claimants) = (schedule(conn)?, claimants(conn)?);
    let sql = "SELECT start_block, end_block, emission, carry_in, carry_out FROM reward_emissions
         ORDER BY start_block";
    let mut found = Vec::new();
    rows::each(conn, sql, [], |row| {
        let epoch = Epoch { start: row.get("start_block")?, end: row.get("end_block")? };
        found.extend(match terms_at(&schedule, epoch.start) {
            None => Some(format!("emission at block {}: no terms hold there", epoch.start)),
            Some(terms) => {
                let row = read_emission(row)?;
                oddity(epoch, terms, &sharers(&claimants, epoch.start), &row, row.carry_in)?
            }
        });
        Ok(())
    })?;
    Ok(found)
}

/// How a budget differs from what is due: by the terms and weights of its day, with what was left before it.
fn oddity(
    epoch: Epoch,
    terms: &EmissionTerms,
    sharers: &[(i64, u32)],
    row: &EmissionRow,
    left: Base,
) -> Result<Option<String>> {
    let due = Budget::of(epoch, terms, sharers, left)?;
    let is_due = (due.emission, due.carry_in, due.carry_out) == (row.emission, row.carry_in, row.carry_out);
    Ok((!is_due).then(|| {
        format!(
            "emission at block {}: it gives {} + carry {} and leaves {}; by the settings of its day, {} + {} and {}",
            epoch.start, row.emission, row.carry_in, row.carry_out, due.emission, due.carry_in, due.carry_out
        )
    }))
}

/// Every epoch whose reward a member is about to be credited with, and the accounts that it is credited to: the member's
/// own rows.
pub(super) fn before_claim(conn: &Connection, member: &Member, pool: Option<&Pool>) -> Result<()> {
    let sql = "SELECT e.part, e.carry_in, e.distributed, e.carry_out, r.epoch_id, e.status, r.amount,
             p.id IS NOT NULL AND a.address IS NOT NULL AS is_known
         FROM pool_rewards r LEFT JOIN pool_reward_epochs e ON e.id = r.epoch_id
         LEFT JOIN pools p ON p.id = e.pool_id LEFT JOIN assets a ON a.address = e.asset
         WHERE r.member_id = ?1 AND r.claimed_at IS NULL AND (?2 IS NULL OR e.pool_id = ?2)";
    let owner = member.address.to_string();
    rows::each(conn, sql, params![member.id, pool.map(|pool| pool.id)], |row| {
        let epoch: i64 = row.get("epoch_id")?;
        if !row.get::<_, bool>("is_known")? {
            return Err(unsound(&format!(
                "member {owner} has a reward of epoch {epoch}, of which the pool or the token is missing"
            )));
        }
        let status: String = row.get("status")?;
        let ((distributed, _), reward): (_, Base) = (conserved(row, epoch)?, at(row, "amount")?);
        if status != "distributed" || reward > distributed {
            return Err(unsound(&format!(
                "epoch {epoch} is {status} with {distributed} in all, and {reward} of it stands for member {owner}"
            )));
        }
        Ok(())
    })?;
    let sql = "SELECT asset FROM ledger_accounts WHERE owner_kind = 'member' AND owner = ?1 AND purpose = ?2";
    rows::each(conn, sql, params![owner, AVAILABLE], |row| {
        let account = account(OwnerKind::Member, &owner, AVAILABLE, &row.get::<_, String>(0)?);
        let (held, derived) = (balance(conn, &account)?, derived_balance(conn, &account)?);
        if held == derived {
            return Ok(());
        }
        Err(unsound(&format!("the account of member {owner} holds {held}, its entries sum to {derived}")))
    })
}

pub(super) fn unsound(why: &str) -> Error {
    Error::new(Code::StateCorrupt, format!("{why}; nothing is paid")).hint(Remedy::restore())
}
