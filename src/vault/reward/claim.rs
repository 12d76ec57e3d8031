//! Claims: exactly the unclaimed rows are marked, and exactly their sum is credited, in one transaction.

use super::sound;
use super::store::{self, account};
use crate::pool::{AVAILABLE, Member, Pool};
use base::amount::{Base, Delta, Quantity};
use base::{Code, Error, Result};
use rusqlite::{Connection, params};
use serde_json::json;
use state::columns::at;
use state::rows::Row;
use state::{Line, OwnerKind, Tx, ValuePermit, WriteContext, rows};
use std::collections::BTreeMap;

/// Unclaimed rewards of a member in one pool, in one asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The pool's name.
    pub pool: String,
    /// The pool's address.
    pub pool_address: String,
    /// The reward token's address.
    pub asset: String,
    /// The sum.
    pub amount: Quantity,
    /// Epochs that it comes from.
    pub epochs: u64,
}

/// What a claim did.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Id of the audit event, which names the ledger transaction; `None` where there was nothing to claim.
    pub event: Option<i64>,
    /// What was credited, by pool and asset.
    pub credited: Vec<Pending>,
}

/// What a member can claim, in one pool or in all.
pub fn pending(conn: &Connection, member: &Member, pool: Option<&Pool>) -> Result<Vec<Pending>> {
    unclaimed(conn, member, pool, false)
}

/// What a member has in Merkle trees, to be claimed on chain only, in one pool or in all.
pub fn pending_on_chain(conn: &Connection, member: &Member, pool: Option<&Pool>) -> Result<Vec<Pending>> {
    unclaimed(conn, member, pool, true)
}

fn unclaimed(
    conn: &Connection,
    member: &Member,
    pool: Option<&Pool>,
    in_trees: bool,
) -> Result<Vec<Pending>> {
    // A reward whose epoch is not there is no reward less: its row cannot be read.
    let sql = "SELECT p.name, p.address, e.asset, a.symbol, a.decimals, r.amount
         FROM pool_rewards r LEFT JOIN pool_reward_epochs e ON e.id = r.epoch_id
         LEFT JOIN pools p ON p.id = e.pool_id LEFT JOIN assets a ON a.address = e.asset
         LEFT JOIN reward_exports x ON x.epoch_id = r.epoch_id
         WHERE r.member_id = ?1 AND r.claimed_at IS NULL AND (?2 IS NULL OR coalesce(e.pool_id, ?2) = ?2)
             AND (x.epoch_id IS NOT NULL) = ?3";
    let mut sums = Sums::new();
    rows::each(conn, sql, params![member.id, pool.map(|pool| pool.id), in_trees], |row| {
        take(&mut sums, row)
    })?;
    Ok(sums.into_values().collect())
}

/// Sums by pool and asset.
type Sums = BTreeMap<(String, String), Pending>;

/// Adds a reward to the sums.
fn take(sums: &mut Sums, row: &Row<'_>) -> Result<()> {
    let (pool, asset): (String, String) = (row.get("name")?, row.get("asset")?);
    let (pool_address, symbol, decimals): (_, String, u8) =
        (row.get("address")?, row.get("symbol")?, row.get("decimals")?);
    let sum = sums.entry((pool.clone(), asset.clone())).or_insert_with(|| {
        let amount = Quantity::new(Base::ZERO, decimals, symbol);
        Pending { pool, pool_address, asset, amount, epochs: 0 }
    });
    store::add(&mut sum.amount, at(row, "amount")?)?;
    sum.epochs += 1;
    Ok(())
}

/// What each member can claim, in one pool or in all, by row id: of `limit` members behind this one.
pub fn pending_of_all(
    conn: &Connection,
    pool: Option<&Pool>,
    after: i64,
    limit: u32,
) -> Result<Vec<(Member, Vec<Pending>)>> {
    // A reward whose member or epoch is not there is no reward less, as in [`unclaimed`].
    let sql = "SELECT r.member_id, m.address AS member, m.name AS member_name, p.name, p.address, e.asset,
             a.symbol, a.decimals, r.amount
         FROM pool_rewards r LEFT JOIN members m ON m.id = r.member_id
         LEFT JOIN pool_reward_epochs e ON e.id = r.epoch_id
         LEFT JOIN pools p ON p.id = e.pool_id LEFT JOIN assets a ON a.address = e.asset
         LEFT JOIN reward_exports x ON x.epoch_id = r.epoch_id
         WHERE r.member_id > ?1 AND r.claimed_at IS NULL AND (?2 IS NULL OR coalesce(e.pool_id, ?2) = ?2)
             AND x.epoch_id IS NULL
         ORDER BY r.member_id, r.epoch_id";
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = rows::of(&mut statement, params![after, pool.map(|pool| pool.id)])?;
    let mut found: Vec<(Member, Sums)> = Vec::new();
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    while let Some(row) = &rows.next()? {
        let id: i64 = row.get("member_id")?;
        if found.last().is_none_or(|(member, _)| member.id != id) {
            if found.len() == most {
                break;
            }
            let (address, name) = (at(row, "member")?, row.get("member_name")?);
            found.push((Member { id, address, name }, Sums::new()));
        }
        if let Some((_, sums)) = found.last_mut() {
            take(sums, row)?;
        }
    }
    Ok(found.into_iter().map(|(member, sums)| (member, sums.into_values().collect())).collect())
}

/// Claims everything that is pending for a member, in one pool or in all: exactly what was agreed to, else it is
/// `state_changed`.
pub fn claim(
    work: &mut WriteContext<'_>,
    agreed: &ValuePermit<'_>,
    member: &Member,
    pool: Option<&Pool>,
    agreed_to: &[Pending],
) -> Result<Claimed> {
    work.state.write(agreed.permit(), |tx| {
        sound::before_claim(tx.conn(), member, pool)?;
        let credited = pending(tx.conn(), member, pool)?;
        if credited != agreed_to {
            return Err(state::changed(format_args!("what {} can claim", member.shown())));
        }
        if credited.is_empty() {
            return Ok(Claimed { event: None, credited });
        }
        let event = record(tx, member, pool, &credited)?;
        Ok(Claimed { event: Some(event), credited })
    })
}

fn record(tx: &Tx<'_>, member: &Member, pool: Option<&Pool>, credited: &[Pending]) -> Result<i64> {
    let address = member.address.to_string();
    let amounts: Vec<_> = credited
        .iter()
        .map(|c| json!({ "pool": c.pool, "asset": c.asset, "amount": c.amount.base.to_string(), "epochs": c.epochs }))
        .collect();
    let event = tx.event("reward.claimed", &address, &json!({ "credited": amounts }))?;
    let marked = tx.conn().execute(
        "UPDATE pool_rewards SET claimed_at = ?3, claim_id = ?4
         WHERE member_id = ?1 AND claimed_at IS NULL
             AND NOT EXISTS (SELECT 1 FROM reward_exports x WHERE x.epoch_id = pool_rewards.epoch_id)
             AND (?2 IS NULL OR epoch_id IN (SELECT id FROM pool_reward_epochs WHERE pool_id = ?2))",
        params![member.id, pool.map(|pool| pool.id), tx.now(), event],
    )?;
    let counted: u64 = credited.iter().map(|c| c.epochs).sum();
    if marked as u64 != counted {
        let why = format!("{marked} rewards would be marked, {counted} were summed up");
        return Err(Error::new(Code::Bug, why));
    }
    let lines: Vec<Line> = credited
        .iter()
        .flat_map(|Pending { pool_address, asset, amount, .. }| {
            let from = account(OwnerKind::Pool, pool_address, store::PAYABLE, asset);
            let to = account(OwnerKind::Member, &address, AVAILABLE, asset);
            [(from, Delta::debit(amount.base)), (to, Delta::credit(amount.base))]
        })
        .map(|(account, amount)| Line { account, amount })
        .collect();
    tx.post(event, &lines)?;
    Ok(event)
}

/// What a pool owes its members in all, in one asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// The pool's name.
    pub pool: String,
    /// The reward token's address.
    pub asset: String,
    /// The sum.
    pub amount: Quantity,
}

/// What each pool owes its members in all, from the ledger.
pub fn owed(conn: &Connection, pool: Option<&Pool>) -> Result<Vec<Owed>> {
    let sql = "SELECT p.name, l.asset, a.symbol, a.decimals, l.balance FROM ledger_accounts l
         LEFT JOIN pools p ON p.address = l.owner LEFT JOIN assets a ON a.address = l.asset
         WHERE l.owner_kind = 'pool' AND l.purpose = ?1 AND l.balance <> '0' AND (?2 IS NULL OR coalesce(p.id, ?2) = ?2)
         ORDER BY p.id, a.symbol";
    rows::all(conn, sql, params![store::PAYABLE, pool.map(|pool| pool.id)], |row| {
        let symbol: String = row.get("symbol")?;
        let amount = Quantity::new(at(row, "balance")?, row.get("decimals")?, symbol);
        Ok(Owed { pool: row.get("name")?, asset: row.get("asset")?, amount })
    })
}
