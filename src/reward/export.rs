//! An epoch's rewards with addresses, and their Merkle tree.

use super::epochs::{EpochRow, token_of};
use super::merkle::MerkleTree;
use crate::amount::Base;
use crate::output::{Code, Error, Result};
use crate::pool::{Asset, Pool, stored_address, stored_base};
use alloy::primitives::Address;
use rusqlite::Connection;

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
    /// The tree over them, where it was asked for.
    pub tree: Option<MerkleTree>,
}

/// Reads what an epoch gave.
///
/// # Errors
/// `invalid_value` for an epoch that is not distributed, and for the tree of one that gave nothing; `state_error`,
/// `state_corrupt`.
pub fn export(conn: &Connection, pool: Pool, row: EpochRow, merkle: bool) -> Result<Export> {
    if row.distributed_at.is_none() {
        return Err(Error::new(Code::InvalidValue, format!("epoch {} is not distributed yet", row.id))
            .hint(format!("when its last block is final: poolctl reward epoch distribute {}", row.id))
            .detail("epoch", row.id));
    }
    let token = token_of(conn, &row)?;
    let mut rewards = Vec::new();
    let mut statement = conn.prepare_cached(
        "SELECT m.address, r.amount FROM pool_rewards r JOIN members m ON m.id = r.member_id
         WHERE r.epoch_id = ?1 ORDER BY r.member_id",
    )?;
    let mut rows = statement.query([row.id])?;
    while let Some(found) = rows.next()? {
        let address: String = found.get(0)?;
        rewards.push((stored_address(&address)?, stored_base(&found.get::<_, String>(1)?)?));
    }
    let tree = if merkle {
        let tree = MerkleTree::new(rewards.iter().copied());
        let none = || {
            Error::new(
                Code::InvalidValue,
                format!("epoch {} gave nothing to anybody: there is no tree", row.id),
            )
            .hint("what it carries is given by a later epoch; see: poolctl reward epoch list")
        };
        Some(tree.ok_or_else(none)?)
    } else {
        None
    };
    Ok(Export { row, pool, token, rewards, tree })
}
