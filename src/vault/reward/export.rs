//! An epoch's rewards with addresses, and the Merkle tree that takes them out of the ledger.
//!
//! Rewards in a tree are paid by a contract to whoever proves a claim. So that none is paid twice, the epoch is recorded as
//! exported before any proof leaves the program: from then on its unclaimed rewards cannot be claimed here, and those
//! that were claimed before are not in the tree. The tree of an exported epoch is the same for ever.

use super::epochs::{EpochRow, epoch, token_of};
use super::merkle::MerkleTree;
use super::store::{self, account};
use crate::pool::{Asset, Pool};
use alloy::primitives::{Address, B256};
use base::amount::{Base, Delta};
use base::{Code, Error, Result, say};
use rusqlite::{Connection, params};
use serde_json::json;
use state::columns::{at, db_block};
use state::{Line, OwnerKind, Tx, ValuePermit, WriteContext, rows};

/// What is exported of an epoch.
#[derive(Debug, Clone)]
pub struct Export {
    /// The epoch.
    pub row: EpochRow,
    /// Its pool.
    pub pool: Pool,
    /// The reward token.
    pub token: Asset,
    /// Each member's address and reward in base units, by member id. No address comes twice.
    pub rewards: Vec<(Address, Base)>,
    /// Their sum.
    pub total: Base,
    /// The tree over them, where it was asked for.
    pub tree: Option<MerkleTree>,
}

/// The record of an epoch that was exported to a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The tree's root.
    pub root: B256,
    /// Rewards in it.
    pub rewards: u64,
    /// Their sum, base units.
    pub total: Base,
    /// When, seconds since 1970.
    pub exported_at: i64,
}

/// The tree that an epoch was exported to, if it was.
pub fn exported(conn: &Connection, epoch_id: i64) -> Result<Option<Exported>> {
    let sql = "SELECT root, rewards, total, exported_at FROM reward_exports WHERE epoch_id = ?1";
    rows::first(conn, sql, [epoch_id], |row| {
        Ok(state::from_row!(row => Exported { rewards, exported_at } at { root, total }))
    })
}

/// Reads what an epoch gave, claimed or not. A view: nothing is recorded, and there are no proofs.
pub fn export(conn: &Connection, pool: Pool, row: EpochRow) -> Result<Export> {
    read(conn, pool, row, "")
}

/// The tree of an epoch that was exported; `None` where it was not. Its rewards must come to the recorded tree.
pub fn exported_tree(conn: &Connection, pool: Pool, row: EpochRow) -> Result<Option<Export>> {
    let Some(record) = exported(conn, row.id)? else { return Ok(None) };
    let found = unclaimed(conn, pool, row)?;
    let root = found.tree.as_ref().map(MerkleTree::root);
    if root != Some(record.root) || found.total != record.total {
        let (id, root) = (found.row.id, record.root);
        let why = format!("the rewards of epoch {id} do not come to root {root}, which was exported");
        return Err(Error::new(Code::StateCorrupt, why).hint(say("see: ").run("state check")));
    }
    Ok(Some(found))
}

/// Exports an epoch's unclaimed rewards to a tree and records it. An epoch that was exported gives the same tree again; one that
/// is not distributed, or with nothing left to claim, is an error.
pub fn export_tree(
    work: &mut WriteContext<'_>,
    agreed: &ValuePermit<'_>,
    pool: &Pool,
    row: &EpochRow,
) -> Result<Export> {
    work.state.write(agreed.permit(), |tx| {
        let row = &epoch(tx.conn(), row.id)?;
        if let Some(export) = exported_tree(tx.conn(), pool.clone(), row.clone())? {
            return Ok(export);
        }
        let export = unclaimed(tx.conn(), pool.clone(), row.clone())?;
        record(tx, &export)?;
        Ok(export)
    })
}

fn unclaimed(conn: &Connection, pool: Pool, row: EpochRow) -> Result<Export> {
    let mut found = read(conn, pool, row, "AND r.claimed_at IS NULL")?;
    found.tree = MerkleTree::new(found.rewards.iter().copied());
    if found.tree.is_none() {
        let id = found.row.id;
        let (why, hint) = if found.row.distributed.is_zero() {
            let hint = say("what it carries is given by a later epoch; see: ").run("reward epoch list");
            ("it gave nothing to anybody", hint)
        } else {
            let hint = say("see: ").run("reward export").of("EPOCH").say(", without ").with("merkle");
            ("all its rewards are claimed", hint)
        };
        return Err(Error::new(Code::InvalidValue, format!("epoch {id} has no tree: {why}")).hint(hint));
    }
    Ok(found)
}

fn read(conn: &Connection, pool: Pool, row: EpochRow, clause: &str) -> Result<Export> {
    if row.distributed_at.is_none() {
        return Err(Error::new(Code::InvalidValue, format!("epoch {} is not distributed yet", row.id))
            .hint(say("when its last block is final: ").run("reward epoch distribute").of(row.id))
            .detail("epoch", row.id));
    }
    let token = token_of(conn, &row)?;
    let (mut rewards, mut total) = (Vec::new(), Base::ZERO);
    let sql = format!(
        "SELECT m.address, r.amount FROM pool_rewards r LEFT JOIN members m ON m.id = r.member_id
         WHERE r.epoch_id = ?1 {clause} ORDER BY r.member_id"
    );
    let past = || Error::new(Code::StateCorrupt, format!("the rewards of epoch {} pass 256 bits", row.id));
    // Rewards are many: by position.
    rows::each(conn, &sql, [row.id], |found| {
        let amount: Base = at(found, 1)?;
        total = total.checked_add(amount).ok_or_else(past)?;
        rewards.push((at(found, 0)?, amount));
        Ok(())
    })?;
    Ok(Export { row, pool, token, rewards, total, tree: None })
}

fn record(tx: &Tx<'_>, export: &Export) -> Result<()> {
    let Export { row, pool, rewards, total, tree, .. } = export;
    let root = tree.as_ref().map(|tree| tree.root().to_string()).unwrap_or_default();
    let event = tx.event(
        "reward.exported",
        &pool.name,
        &json!({ "epoch": row.id, "root": root, "rewards": rewards.len(), "asset": row.asset,
                 "total": total.to_string() }),
    )?;
    rows::run(
        tx.conn(),
        "INSERT INTO reward_exports VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![row.id, root, db_block(rewards.len() as u64)?, total.to_string(), tx.now(), event],
    )?;
    let owner = pool.address.to_string();
    let account = |purpose| account(OwnerKind::Pool, &owner, purpose, &row.asset);
    tx.post(
        event,
        &[
            Line { account: account(store::PAYABLE), amount: Delta::debit(*total) },
            Line { account: account(store::EXPORTED), amount: Delta::credit(*total) },
        ],
    )
}
