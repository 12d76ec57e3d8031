//! What the services are measured against: loops of prepared statements that insert the same rows, ready to be bound, into
//! the same tables on the same connection, in one transaction.

use crate::world::{self, ASSET, BLOCKS, Story};
use alloy::primitives::{Address, B256, U256};
use anyhow::{Context as _, Result, ensure};
use evm::BlockRef;
use rusqlite::{Connection, params};
use state::Tx;
use std::collections::HashMap;
use std::path::Path;

/// All rows that a replay leaves behind, each table's in the order of its key.
pub struct Replayed {
    /// Members, whose ids are their places, from 1 on.
    members: Vec<String>,
    transfers: Vec<Transfer>,
    shares: Vec<(String, Option<u64>)>,
    head: BlockRef,
}

struct Transfer {
    block: u64,
    log_index: u64,
    tx_hash: B256,
    from: Option<i64>,
    to: Option<i64>,
    shares: String,
}

impl Replayed {
    pub fn new(story: Story, first: u64, logs: u64, head: BlockRef) -> Result<Self> {
        let mut ids: HashMap<Address, i64> = HashMap::new();
        let (mut members, mut held, mut transfers) = (Vec::new(), Vec::new(), Vec::new());
        for log in world::ranges(story, first, logs, head).flat_map(|range| range.logs) {
            let mut id = |place: usize| -> Result<Option<i64>> {
                let topic = log.inner.data.topics().get(place).context("a topic is missing")?;
                let address = Address::from_word(*topic);
                if address.is_zero() {
                    return Ok(None);
                }
                Ok(Some(*ids.entry(address).or_insert_with(|| {
                    members.push(address.to_string());
                    held.push((U256::ZERO, None));
                    i64::try_from(members.len()).unwrap_or(i64::MAX)
                })))
            };
            let (from, to) = (id(1)?, id(2)?);
            let shares = U256::from_be_slice(&log.inner.data.data);
            let place = |member: i64| usize::try_from(member - 1);
            if let Some(from) = from {
                held[place(from)?].0 -= shares;
            }
            if let Some(to) = to {
                let held = &mut held[place(to)?];
                held.0 += shares;
                held.1 = if from.is_none() { Some(log.block_number) } else { held.1 };
            }
            let (block, log_index, tx_hash) = (log.block_number, log.log_index, log.tx_hash);
            transfers.push(Transfer { block, log_index, tx_hash, from, to, shares: shares.to_string() });
        }
        let shares = held.into_iter().map(|(shares, deposit)| (shares.to_string(), deposit)).collect();
        Ok(Self { members, transfers, shares, head })
    }

    pub fn insert(&self, tx: &Tx<'_>) -> base::Result<()> {
        let conn = tx.conn();
        let mut member = conn.prepare("INSERT INTO members (address, added_at) VALUES (?1, ?2)")?;
        for address in &self.members {
            member.execute(params![address, tx.now()])?;
        }
        let mut transfer = conn.prepare(
            "INSERT INTO share_transfers (pool_id, block_number, log_index, tx_hash, from_member, to_member, shares)
             VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        for Transfer { block, log_index, tx_hash, from, to, shares } in &self.transfers {
            transfer.execute(params![block, log_index, tx_hash.as_slice(), from, to, shares])?;
        }
        let mut holder = conn.prepare(
            "INSERT INTO user_pool_shares (pool_id, member_id, shares, last_deposit_block) VALUES (1, ?1, ?2, ?3)",
        )?;
        for (member, (shares, deposit)) in (1_i64..).zip(&self.shares) {
            holder.execute(params![member, shares, deposit])?;
        }
        let BlockRef { number, hash, .. } = self.head;
        conn.execute(
            "UPDATE pools SET cursor_block = ?1, cursor_hash = ?2",
            params![number, hash.to_string()],
        )?;
        Ok(())
    }
}

/// Both states have the same rows of a replay.
pub fn same(a: &Path, b: &Path) -> Result<()> {
    let (a, b) = (Connection::open(a)?, Connection::open(b)?);
    for sql in [
        "SELECT id, address, name FROM members ORDER BY id",
        "SELECT * FROM share_transfers ORDER BY pool_id, block_number, log_index",
        "SELECT pool_id, member_id, shares, last_deposit_block FROM user_pool_shares ORDER BY pool_id, member_id",
        "SELECT cursor_block, cursor_hash FROM pools",
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name",
    ] {
        let (mut of_a, mut of_b) = (a.prepare(sql)?, b.prepare(sql)?);
        let columns = of_a.column_count();
        let (mut of_a, mut of_b) = (of_a.query([])?, of_b.query([])?);
        loop {
            let (row, other) = (of_a.next()?, of_b.next()?);
            let (Some(row), Some(other)) = (row, other) else {
                ensure!(row.is_none() && other.is_none(), "not as many rows: {sql}");
                break;
            };
            for column in 0..columns {
                let (found, expected) = (row.get_ref(column)?, other.get_ref(column)?);
                ensure!(found == expected, "{found:?} and {expected:?}: {sql}");
            }
        }
    }
    Ok(())
}

/// The rows of one epoch, to be paid.
pub struct Paid {
    /// As many digits as a reward has.
    amounts: Vec<String>,
}

impl Paid {
    pub fn new(holders: u64) -> Self {
        Self { amounts: (0..holders).map(|i| (1_000_000_000_000_000_000 + i * 7_919).to_string()).collect() }
    }

    pub fn epoch(&self, tx: &Tx<'_>, first: u64) -> base::Result<()> {
        tx.conn().execute(
            "INSERT INTO pool_reward_epochs (id, pool_id, start_block, end_block, last_hash, origin, basis, asset,
                 weight_ppm, weight_sum_ppm, part, carry_in, distributed, carry_out, holders, status,
                 created_at, distributed_at)
             VALUES (1, 1, ?1, ?2, '0x', 'cycle', 'snapshot', ?3, 1000000, 1000000, '1', '0', '1', '0', ?4,
                 'distributed', 1, 1)",
            params![first, first + BLOCKS, ASSET.to_string(), self.amounts.len() as u64],
        )?;
        Ok(())
    }

    pub fn insert(&self, tx: &Tx<'_>) -> base::Result<()> {
        let mut insert =
            tx.conn().prepare("INSERT INTO pool_rewards (epoch_id, member_id, amount) VALUES (1, ?1, ?2)")?;
        for (member, amount) in (1_i64..).zip(&self.amounts) {
            insert.execute(params![member, amount])?;
        }
        Ok(())
    }
}
