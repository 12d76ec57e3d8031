//! One pool's epoch becomes true: epoch, rewards, cursor, ledger and audit event in one transaction.

use super::accrual::{Holdings, MemberId, accrue};
use super::emission::{CarryReason, emission, split_members, split_pools};
use super::grid::{Epoch, Terms};
use super::store::{EmissionRow, emission_at, emission_before, participants};
use crate::amount::{Base, Delta, Weight};
use crate::output::{Code, Error, Result};
use crate::pool::{Pool, db_block};
use crate::state::{Account, Line, OwnerKind, Tx};
use alloy::primitives::B256;
use rusqlite::{Connection, params};
use serde_json::json;
use std::collections::BTreeMap;

/// Account purposes of the reward ledger.
pub(super) mod purpose {
    /// What the operator has emitted; goes below zero.
    pub const EMISSION: &str = "reward_emission";
    /// What a pool owes its members.
    pub const PAYABLE: &str = "reward_payable";
    /// What a pool carries to its next epoch.
    pub const CARRY: &str = "reward_carry";
    /// What a member has claimed and not yet been paid out.
    pub const AVAILABLE: &str = "available";
}

/// A distributed epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distributed {
    /// Row id.
    pub id: i64,
    /// Its blocks.
    pub epoch: Epoch,
    /// The pool's part of the emission, base units.
    pub part: Base,
    /// Carried in from the epoch before.
    pub carry_in: Base,
    /// Given to members.
    pub distributed: Base,
    /// Carried to the next epoch.
    pub carry_out: Base,
    /// Why something was carried.
    pub reason: Option<CarryReason>,
    /// Members who got something.
    pub holders: u64,
}

/// The parts of an epoch, worked out before the transaction.
pub(super) struct Draft {
    pub epoch: Epoch,
    pub last_hash: B256,
    pub weights: BTreeMap<MemberId, Weight>,
    pub paused: bool,
}

/// Accrues an epoch and moves `holdings` to its end.
pub(super) fn draft(
    conn: &Connection,
    pool: &Pool,
    epoch: Epoch,
    terms: &Terms,
    holdings: &mut Holdings,
    last_hash: B256,
    paused: bool,
) -> Result<Draft> {
    let movements = crate::pool::movements_from(conn, pool.id, epoch.start, epoch.end)?;
    let opening = std::mem::take(holdings);
    let (weights, closing) = accrue(opening, &movements, epoch.start, epoch.end, terms.basis)?;
    *holdings = closing;
    Ok(Draft { epoch, last_hash, weights, paused })
}

/// The emission of an epoch: as it was frozen, or as the terms give it now.
fn emission_row(tx: &Tx<'_>, epoch: Epoch, terms: &Terms, weights: &[u32]) -> Result<EmissionRow> {
    if let Some(row) = emission_at(tx.conn(), epoch.start)? {
        return Ok(row);
    }
    let too_large =
        || Error::new(Code::InvalidValue, "reward.block_reward: an epoch's emission passes 256 bits");
    let carry_in = emission_before(tx.conn(), epoch.start)?.map_or(Base::ZERO, |row| row.carry_out);
    let emission = emission(terms.block_reward, epoch.end - epoch.start).ok_or_else(too_large)?;
    let total = emission.checked_add(carry_in).ok_or_else(too_large)?;
    let carry_out = split_pools(total, weights).carry;
    tx.conn().execute(
        "INSERT INTO reward_emissions VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            db_block(epoch.start)?,
            db_block(epoch.end)?,
            emission.to_string(),
            carry_in.to_string(),
            carry_out.to_string(),
            tx.now()
        ],
    )?;
    Ok(EmissionRow { emission, carry_in, carry_out })
}

/// Writes a drafted epoch.
pub(super) fn distribute(tx: &Tx<'_>, pool: &Pool, terms: &Terms, draft: &Draft) -> Result<Distributed> {
    let Epoch { start, end } = draft.epoch;
    let taking_part = participants(tx.conn(), start)?;
    let weights: Vec<u32> = taking_part.iter().map(|(_, ppm)| *ppm).collect();
    let position = taking_part.iter().position(|(id, _)| *id == pool.id).ok_or_else(|| {
        Error::new(Code::Bug, format!("pool \"{}\" has no weight in the epoch from block {start}", pool.name))
    })?;
    let row = emission_row(tx, draft.epoch, terms, &weights)?;
    // Frozen with the emission row: weights change for epochs that are not emitted yet only.
    let total = row.emission.saturating_add(row.carry_in);
    let split = split_pools(total, &weights);
    let part = split.parts.get(position).copied().unwrap_or_default();
    let carry_in = pool_carry(tx.conn(), pool)?;
    let amount = part
        .checked_add(carry_in)
        .ok_or_else(|| Error::new(Code::InvalidValue, "the carried rewards pass 256 bits"))?;
    let shared = split_members(amount, &draft.weights, draft.paused);
    let given = shared.rewards.iter().try_fold(Base::ZERO, |sum, (_, reward)| sum.checked_add(*reward));
    if given.and_then(|given| given.checked_add(shared.carry)) != Some(amount) {
        return Err(Error::new(
            Code::Bug,
            format!("the epoch from block {start} does not conserve its amount"),
        ));
    }
    let given = given.unwrap_or_default();
    let reason = CarryReason::of(&shared, split.carry);

    let sum_ppm: u64 = weights.iter().map(|ppm| u64::from(*ppm)).sum();
    tx.conn()
        .prepare_cached(
            "INSERT INTO pool_reward_epochs (pool_id, start_block, end_block, last_hash, origin, basis, asset,
                 weight_ppm, weight_sum_ppm, part, carry_in, distributed, carry_out, carry_reason, holders,
                 status, created_at, distributed_at)
             VALUES (?1, ?2, ?3, ?4, 'cycle', ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, 'distributed', ?15, ?15)",
        )?
        .execute(params![
            pool.id,
            db_block(start)?,
            db_block(end)?,
            draft.last_hash.to_string(),
            terms.basis.word(),
            terms.asset,
            weights.get(position),
            db_block(sum_ppm)?,
            part.to_string(),
            carry_in.to_string(),
            given.to_string(),
            shared.carry.to_string(),
            reason.map(CarryReason::word),
            db_block(shared.rewards.len() as u64)?,
            tx.now(),
        ])?;
    let id = tx.conn().last_insert_rowid();
    let mut insert = tx
        .conn()
        .prepare_cached("INSERT INTO pool_rewards (epoch_id, member_id, amount) VALUES (?1, ?2, ?3)")?;
    for (member, reward) in &shared.rewards {
        insert.execute(params![id, member, reward.to_string()])?;
    }
    tx.conn()
        .prepare_cached("UPDATE pools SET reward_cursor_block = ?2, reward_carry = ?3 WHERE id = ?1")?
        .execute(params![pool.id, db_block(end)?, shared.carry.to_string()])?;
    let event = tx.event(
        "reward.distributed",
        &pool.name,
        &json!({ "epoch": id, "start_block": start, "end_block": end, "asset": terms.asset,
                 "part": part.to_string(), "carry_in": carry_in.to_string(), "distributed": given.to_string(),
                 "carry_out": shared.carry.to_string(), "reason": reason.map(CarryReason::word),
                 "holders": shared.rewards.len() }),
    )?;
    tx.post(event, &lines(pool, terms, part, carry_in, given, shared.carry))?;
    Ok(Distributed {
        id,
        epoch: draft.epoch,
        part,
        carry_in,
        distributed: given,
        carry_out: shared.carry,
        reason,
        holders: shared.rewards.len() as u64,
    })
}

/// What the pool carries now; read inside the transaction, since the epochs before changed it.
fn pool_carry(conn: &Connection, pool: &Pool) -> Result<Base> {
    let text: String = conn
        .prepare_cached("SELECT reward_carry FROM pools WHERE id = ?1")?
        .query_row([pool.id], |row| row.get(0))?;
    crate::pool::stored_base(&text)
}

fn lines(pool: &Pool, terms: &Terms, part: Base, carry_in: Base, given: Base, carry_out: Base) -> Vec<Line> {
    let of_pool = |purpose| Account {
        owner_kind: OwnerKind::Pool,
        owner: pool.address.to_string(),
        purpose,
        asset: terms.asset.clone(),
        overdraft: false,
    };
    let source = Account {
        owner_kind: OwnerKind::Operator,
        owner: "operator".into(),
        purpose: purpose::EMISSION,
        asset: terms.asset.clone(),
        overdraft: true,
    };
    vec![
        Line { account: source, amount: Delta::debit(part) },
        Line { account: of_pool(purpose::CARRY), amount: Delta::debit(carry_in) },
        Line { account: of_pool(purpose::CARRY), amount: Delta::credit(carry_out) },
        Line { account: of_pool(purpose::PAYABLE), amount: Delta::credit(given) },
    ]
}
