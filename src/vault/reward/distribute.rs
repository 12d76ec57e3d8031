//! One pool's epoch becomes true: epoch, rewards, cursor, ledger and audit event in one transaction. What each member gets is
//! worked out before it, and what that follows from is looked at again within.

use super::accrual::{Accrual, Basis, Weights};
use super::balances::Compared;
use super::emission::{CarryReason, MemberParts, Share, split_members};
use super::epochs::EpochRow;
use super::grid::{EmissionTerms, Epoch};
use super::sound;
use super::store::{CARRY, EMISSION, PAYABLE, account, emission_at};
use crate::pool::holdings::{Holdings, MemberId};
use crate::pool::{self, Pool};
use base::amount::{Base, Delta, Digits};
use base::{Code, Error, Result};
use evm::BlockRef;
use rusqlite::{Connection, params};
use serde_json::json;
use state::bulk::{insert_all, more_of};
use state::columns::{at, db_block};
use state::{Account, Line, OwnerKind, Tx, rows};

/// A distributed epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distributed {
    /// Row id.
    pub id: i64,
    /// Its blocks.
    pub epoch: Epoch,
    /// Its amounts.
    pub sums: Sums,
}

/// What an epoch comes to: part + carry in = distributed + carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sums {
    /// The pool's part of the emission or the total given manually, base units, as all that follow.
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

/// An epoch that is due, and where its amount comes from.
#[derive(Clone, Copy)]
pub(super) enum Due<'a> {
    /// One of the grid, by the terms in force at its start.
    Grid(Epoch, &'a EmissionTerms),
    /// One made manually.
    Manual(&'a EpochRow),
}

impl Due<'_> {
    pub const fn epoch(&self) -> Epoch {
        match self {
            Self::Grid(epoch, _) => *epoch,
            Self::Manual(row) => row.epoch,
        }
    }

    const fn basis(&self) -> Basis {
        match self {
            Self::Grid(_, terms) => terms.basis,
            Self::Manual(row) => row.basis,
        }
    }

    fn asset(&self) -> &str {
        match self {
            Self::Grid(_, terms) => &terms.asset,
            Self::Manual(row) => &row.asset,
        }
    }
}

/// The parts of an epoch, worked out before the transaction.
pub(super) struct Draft<'a> {
    pub due: Due<'a>,
    /// (pool id, weight) of the pools that share the emission; none for one made manually.
    pub sharers: Vec<(i64, u32)>,
    pub last: LastBlock,
    /// How its holders were compared with the chain.
    pub compared: Compared,
    pub weights: Weights,
}

/// What the chain says of the last block of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LastBlock {
    pub block: BlockRef,
    /// Whether the pool is paused there.
    pub paused: bool,
}

/// Accrues an epoch from what was held before it; `drift` where the stored transfers do not fit.
pub(super) fn accrue(conn: &Connection, pool: &Pool, due: Due<'_>, opening: &Holdings) -> Result<Accrual> {
    let Epoch { start, end } = due.epoch();
    let mut accrual = Accrual::new(opening, start, end, due.basis());
    pool::each_movement(conn, pool.id, start, end, |movement| accrual.take(movement))?;
    Ok(accrual)
}

/// What an epoch has to give, by what stands in the state.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Amounts {
    share: Share,
    carry_in: Base,
}

impl Amounts {
    fn of(conn: &Connection, pool: &Pool, draft: &Draft<'_>) -> Result<Self> {
        sound::before_payment(conn, pool)?;
        Ok(Self { share: share(conn, pool, draft)?, carry_in: pool_carry(conn, pool)? })
    }
}

/// An epoch that is worked out to the last member.
pub(super) struct Decided {
    amounts: Amounts,
    shared: MemberParts,
    given: Base,
}

/// Works out what each member gets. Nothing is written.
pub(super) fn decide(conn: &Connection, pool: &Pool, draft: &Draft<'_>) -> Result<Decided> {
    let amounts = Amounts::of(conn, pool, draft)?;
    let past = || Error::new(Code::InvalidValue, "the carried rewards pass 256 bits");
    let amount = amounts.share.part.checked_add(amounts.carry_in).ok_or_else(past)?;
    let shared = split_members(amount, &draft.weights, draft.last.paused);
    let given = shared.rewards.iter().try_fold(Base::ZERO, |sum, (_, reward)| sum.checked_add(*reward));
    if given.and_then(|given| given.checked_add(shared.carry)) != Some(amount) {
        let why = format!("the epoch from block {} does not conserve its amount", draft.due.epoch().start);
        return Err(Error::new(Code::Bug, why));
    }
    Ok(Decided { amounts, shared, given: given.unwrap_or_default() })
}

/// A pool's part of what an epoch gives.
fn share(conn: &Connection, pool: &Pool, draft: &Draft<'_>) -> Result<Share> {
    let (epoch, terms, sharers) = match draft.due {
        Due::Manual(row) => return Ok(Share::whole(row.part)),
        Due::Grid(epoch, terms) => (epoch, terms, &draft.sharers),
    };
    let start = epoch.start;
    let none = || {
        let why = format!("pool \"{}\" has no weight in the epoch from block {start}", pool.name);
        Error::new(Code::Bug, why)
    };
    sharers.iter().find(|(id, _)| *id == pool.id).ok_or_else(none)?;
    // The budget was made before any pool was paid; weights change for epochs without one only.
    let row = emission_at(conn, start)?
        .ok_or_else(|| sound::unsound(&format!("the emission at block {start} is missing")))?;
    sound::before_share(conn, epoch, terms, sharers, &row)?;
    Ok(Share::of(row.total(), sharers, pool.id))
}

/// Writes a drafted epoch as it was decided; `state_changed` where there is something else to give by now.
pub(super) fn distribute(
    tx: &Tx<'_>,
    pool: &Pool,
    draft: &Draft<'_>,
    decided: &Decided,
) -> Result<Distributed> {
    let Epoch { start, end } = draft.due.epoch();
    let asset = draft.due.asset();
    let Decided { amounts, shared, given } = decided;
    if Amounts::of(tx.conn(), pool, draft)? != *amounts {
        return Err(state::changed(format_args!("what the epoch from block {start} gives")));
    }
    let Amounts { share: Share { part, unsplit, weight, weight_sum }, carry_in } = amounts.clone();
    let given = *given;
    let reason = CarryReason::of(shared, unsplit);

    let sums = Sums {
        part,
        carry_in,
        distributed: given,
        carry_out: shared.carry,
        reason,
        holders: shared.rewards.len() as u64,
    };
    let id = put(tx, pool, draft, (weight, weight_sum), &sums)?;
    insert_rewards(tx.conn(), id, &shared.rewards)?;
    rows::run(
        tx.conn(),
        "UPDATE pools SET reward_cursor_block = ?2, reward_carry = ?3 WHERE id = ?1",
        params![pool.id, db_block(end)?, shared.carry.to_string()],
    )?;
    let event = tx.event(
        "reward.distributed",
        &pool.name,
        &json!({ "epoch": id, "start_block": start, "end_block": end, "asset": asset,
                 "part": part.to_string(), "carry_in": carry_in.to_string(), "distributed": given.to_string(),
                 "carry_out": shared.carry.to_string(), "reason": reason.map(CarryReason::as_str),
                 "holders": shared.rewards.len(), "compared": draft.compared }),
    )?;
    tx.post(event, &lines(pool, asset, &sums))?;
    Ok(Distributed { id, epoch: Epoch { start, end }, sums })
}

/// Writes the epoch itself; returns its id.
fn put(
    tx: &Tx<'_>,
    pool: &Pool,
    draft: &Draft<'_>,
    (weight, weight_sum): (Option<u32>, Option<u64>),
    sums: &Sums,
) -> Result<i64> {
    let Epoch { start, end } = draft.due.epoch();
    let last_hash = draft.last.block.hash.to_string();
    let [part, carry_in, given, carry_out] =
        [sums.part, sums.carry_in, sums.distributed, sums.carry_out].map(|amount| amount.to_string());
    let (reason, holders) = (sums.reason, db_block(sums.holders)?);
    if let Due::Manual(row) = draft.due {
        rows::run(
            tx.conn(),
            "UPDATE pool_reward_epochs SET last_hash = ?2, carry_in = ?3, distributed = ?4, carry_out = ?5,
                 carry_reason = ?6, holders = ?7, status = 'distributed', distributed_at = ?8 WHERE id = ?1",
            params![row.id, last_hash, carry_in, given, carry_out, reason, holders, tx.now()],
        )?;
        return Ok(row.id);
    }
    rows::run(
        tx.conn(),
        "INSERT INTO pool_reward_epochs (pool_id, start_block, end_block, last_hash, origin, basis, asset,
             weight_ppm, weight_sum_ppm, part, carry_in, distributed, carry_out, carry_reason, holders,
             status, created_at, distributed_at)
         VALUES (?1, ?2, ?3, ?4, 'cycle', ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, 'distributed', ?15, ?15)",
        params![
            pool.id,
            db_block(start)?,
            db_block(end)?,
            last_hash,
            draft.due.basis(),
            draft.due.asset(),
            weight,
            weight_sum.map(db_block).transpose()?,
            part,
            carry_in,
            given,
            carry_out,
            reason,
            holders,
            tx.now(),
        ],
    )?;
    Ok(tx.conn().last_insert_rowid())
}

fn insert_rewards(conn: &Connection, epoch: i64, rewards: &[(MemberId, Base)]) -> Result<()> {
    const REWARD: &str = "INSERT INTO pool_rewards (epoch_id, member_id, amount) VALUES (?, ?, ?)";
    let more = more_of(3);
    let (mut long, mut short) =
        (conn.prepare_cached(&format!("{REWARD}{more}"))?, conn.prepare_cached(REWARD)?);
    insert_all((&mut long, &mut short), 3, rewards.iter().map(Ok), |statement, at, (member, amount)| {
        statement.raw_bind_parameter(at, epoch)?;
        statement.raw_bind_parameter(at + 1, member)?;
        statement.raw_bind_parameter(at + 2, Digits::from(*amount))?;
        Ok(())
    })
}

/// What the pool carries now; read inside the transaction, since the epochs before changed it.
fn pool_carry(conn: &Connection, pool: &Pool) -> Result<Base> {
    let sql = "SELECT reward_carry FROM pools WHERE id = ?1";
    rows::first(conn, sql, [pool.id], |row| at(row, "reward_carry"))?
        .ok_or_else(|| rusqlite::Error::QueryReturnedNoRows.into())
}

fn lines(pool: &Pool, asset: &str, sums: &Sums) -> Vec<Line> {
    let owner = pool.address.to_string();
    let of_pool = |purpose| account(OwnerKind::Pool, &owner, purpose, asset);
    let operator = account(OwnerKind::Operator, "operator", EMISSION, asset);
    let source = Account { overdraft: true, ..operator };
    vec![
        Line { account: source, amount: Delta::debit(sums.part) },
        Line { account: of_pool(CARRY), amount: Delta::debit(sums.carry_in) },
        Line { account: of_pool(CARRY), amount: Delta::credit(sums.carry_out) },
        Line { account: of_pool(PAYABLE), amount: Delta::credit(sums.distributed) },
    ]
}
