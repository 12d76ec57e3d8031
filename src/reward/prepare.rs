//! Before a cycle: the terms of emission are written down, and each pool with a weight gets its first epoch.

use super::accrual::Basis;
use super::epochs::created;
use super::grid::{Terms, boundary_from};
use super::store::{counted_in, emitted_to, schedule, weight_rows};
use crate::amount;
use crate::config::Config;
use crate::output::{Code, Error, Result};
use crate::pool::{Asset, Pool, db_block};
use crate::state::Tx;
use rusqlite::params;
use serde_json::json;

/// The terms that the settings ask for, from a block yet to be found.
pub(super) fn wanted(config: &Config, asset: &Asset) -> Result<Terms> {
    let text = config.require("reward.block_reward")?;
    let basis = config.require("reward.basis")?;
    Ok(Terms {
        from_block: 0,
        epoch_blocks: config.number("reward.epoch_blocks")?,
        block_reward: amount::parse_flag("reward.block_reward", text, asset.decimals)?,
        asset: asset.address.to_string(),
        basis: Basis::parse(basis)
            .ok_or_else(|| Error::new(Code::InvalidValue, format!("reward.basis: \"{basis}\"")))?,
    })
}

/// Brings schedule and first epochs up to date; changes nothing where they are.
pub(super) fn prepare(
    tx: &Tx<'_>,
    wanted: &Terms,
    pools: &[Pool],
    head: u64,
    from: Option<u64>,
) -> Result<Vec<String>> {
    let weights = weight_rows(tx.conn())?;
    let weighted = |pool: &&Pool| weights.iter().any(|row| row.pool_id == pool.id);
    let mut notes = Vec::new();
    let mut terms = schedule(tx.conn())?;
    match terms.first() {
        None => {
            let genesis = pools.iter().filter(weighted).filter_map(|pool| pool.reward_genesis).min();
            let origin = from.or(genesis).ok_or_else(|| {
                Error::new(
                    Code::MissingSetting,
                    "the first reward cycle needs the block at which rewards begin",
                )
                .hint("run: poolctl reward cycle --from BLOCK (once; later runs go on by themselves)")
            })?;
            put(tx, &Terms { from_block: origin, ..wanted.clone() })?;
        }
        Some(first) => {
            if from.is_some_and(|from| from != first.from_block) {
                return Err(Error::new(
                    Code::InvalidValue,
                    format!("--from: rewards began at block {} already", first.from_block),
                )
                .hint("leave --from out; the cycle goes on where it was"));
            }
        }
    }
    if let Some(other) = counted_in(tx.conn())?.filter(|other| *other != wanted.asset) {
        // What pools carry is counted in that token.
        return Err(Error::new(
            Code::Conflict,
            format!("reward.asset is {}, but rewards are counted in {other}", wanted.asset),
        )
        .hint("set reward.asset back; another token needs a state file of its own"));
    }
    let same = |a: &Terms| Terms { from_block: 0, ..a.clone() } == Terms { from_block: 0, ..wanted.clone() };
    if terms.last().is_some_and(|last| !same(last)) {
        // A change that was announced but is not in force yet is replaced.
        tx.conn().execute(
            "DELETE FROM reward_schedule WHERE from_block > ?1 AND from_block > (SELECT min(from_block) FROM reward_schedule)",
            [db_block(head)?],
        )?;
        terms = schedule(tx.conn())?;
        if terms.last().is_some_and(|last| !same(last)) {
            // Epochs made by hand end on the grid of their day.
            let by_hand = created(tx.conn())?.iter().map(|row| row.epoch.end).max().unwrap_or_default();
            let start = emitted_to(tx.conn())?.max(head + 1).max(by_hand);
            let start = boundary_from(&terms, start).unwrap_or(start);
            put(tx, &Terms { from_block: start, ..wanted.clone() })?;
            notes.push(format!("the reward settings changed; they hold for epochs from block {start} on"));
        }
    }
    let terms = schedule(tx.conn())?;
    let emitted = emitted_to(tx.conn())?;
    for pool in pools.iter().filter(weighted).filter(|pool| pool.reward_cursor.is_none()) {
        let effective =
            weights.iter().find(|row| row.pool_id == pool.id).map_or(0, |row| row.effective_block);
        let earliest = pool.reward_genesis.unwrap_or(0).max(effective).max(emitted);
        let start = boundary_from(&terms, earliest).ok_or_else(|| {
            Error::new(Code::InvalidValue, format!("rewards of pool \"{}\" begin never", pool.name))
        })?;
        if pool.reward_genesis.is_some_and(|genesis| genesis < start) {
            notes.push(format!(
                "rewards of pool \"{}\" begin at block {start}, the next epoch start",
                pool.name
            ));
        }
        tx.conn().execute(
            "UPDATE pools SET reward_genesis_block = ?2, reward_cursor_block = ?2 WHERE id = ?1",
            params![pool.id, db_block(start)?],
        )?;
        tx.event("reward.started", &pool.name, &json!({ "first_epoch": start }))?;
    }
    Ok(notes)
}

fn put(tx: &Tx<'_>, terms: &Terms) -> Result<()> {
    tx.conn().execute(
        "INSERT INTO reward_schedule VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            db_block(terms.from_block)?,
            db_block(terms.epoch_blocks)?,
            terms.block_reward.to_string(),
            terms.asset,
            terms.basis.word(),
            tx.now()
        ],
    )?;
    tx.event(
        "reward.schedule",
        &terms.asset,
        &json!({ "from_block": terms.from_block, "epoch_blocks": terms.epoch_blocks,
                 "block_reward": terms.block_reward.to_string(), "basis": terms.basis.word() }),
    )?;
    Ok(())
}
