//! Before a cycle: the terms of emission are written down, each pool with a weight gets its first epoch, and each closed
//! epoch its budget. And `reward epoch create`: an epoch of one pool, made manually; how it fits in with the others:
//! `timeline`.

use super::accrual::Basis;
use super::budget::{Budget, budgets};
use super::epochs::{EpochRow, created, epoch, starting_at};
use super::grid::{Change, EmissionTerms, Epoch, boundary_from, change};
use super::store::{
    carry_into, claimants, counted_in, emitted_to, schedule, timelines, undecided, weight_rows,
};
use crate::pool::{self, Asset, Pool};
use alloy::primitives::Address;
use base::amount::{self, Base};
use base::{Code, Error, Result, say};
use config::Config;
use evm::{At, Chain};
use rusqlite::{Connection, params};
use serde_json::json;
use state::columns::db_block;
use state::{Tx, WriteContext, rows};

/// The terms that the settings ask for, from a block yet to be found.
pub(super) fn wanted(config: &Config, asset: &Asset) -> Result<EmissionTerms> {
    let text = config.require("reward.block_reward")?;
    let basis = config.require("reward.basis")?;
    Ok(EmissionTerms {
        from_block: 0,
        epoch_blocks: config.number("reward.epoch_blocks")?,
        block_reward: amount::parse_flag("reward.block_reward", text, asset.decimals)?,
        asset: asset.address.to_string(),
        basis: basis
            .parse()
            .map_err(|_| Error::new(Code::InvalidValue, format!("reward.basis: \"{basis}\"")))?,
    })
}

/// Whether it is known from which block on rewards are paid: else a cycle must be told.
pub fn has_begun(conn: &Connection) -> Result<bool> {
    let sql =
        "SELECT EXISTS (SELECT 1 FROM pools WHERE reward_genesis_block IS NOT NULL AND retired_at IS NULL)";
    Ok(!schedule(conn)?.is_empty() || rows::one(conn, sql, [])?)
}

/// Brings schedule and first epochs up to date; changes nothing where they are.
pub(super) fn prepare(
    tx: &Tx<'_>,
    wanted: &EmissionTerms,
    pools: &[Pool],
    head: u64,
    from: Option<u64>,
) -> Result<Vec<String>> {
    let weights = weight_rows(tx.conn())?;
    let weighted = |pool: &&Pool| weights.iter().any(|row| row.pool_id == pool.id);
    let mut notes = Vec::new();
    match schedule(tx.conn())?.first() {
        None => {
            let genesis = pools.iter().filter(weighted).filter_map(|pool| pool.reward_genesis).min();
            let origin = from.or(genesis).ok_or_else(|| {
                let hint = say("run: ").run("reward cycle").with("from").of("BLOCK");
                Error::new(
                    Code::MissingSetting,
                    "the first reward cycle needs the block at which rewards begin",
                )
                .hint(hint.say(" (once; later runs go on by themselves)"))
            })?;
            put(tx, &EmissionTerms { from_block: origin, ..wanted.clone() })?;
        }
        Some(first) => {
            if from.is_some_and(|from| from != first.from_block) {
                let why = format!("rewards began at block {} already", first.from_block);
                return Err(Error::field(Code::InvalidValue, "from", why)
                    .hint(say("leave ").with("from").say(" out; the cycle goes on where it was")));
            }
        }
    }
    // What pools carry is counted in that token.
    same_token(tx.conn(), &wanted.asset)?;
    // Epochs made manually end on the grid of their day.
    let by_hand = created(tx.conn())?.iter().map(|row| row.epoch.end).max().unwrap_or_default();
    let open = undecided(tx.conn())?.max(head + 1).max(by_hand);
    if let Some(Change { withdrawn, announced }) = change(&schedule(tx.conn())?, wanted, open) {
        for from_block in &withdrawn {
            let sql = "DELETE FROM reward_schedule WHERE from_block = ?1";
            rows::run(tx.conn(), sql, [db_block(*from_block)?])?;
        }
        let first = withdrawn.first();
        let instead =
            first.map(|from| format!("those announced for epochs from block {from} on are withdrawn"));
        let terms = announced.as_ref();
        let holds = terms.map(|terms| format!("they hold for epochs from block {} on", terms.from_block));
        if let Some(terms) = &announced {
            put(tx, terms)?;
        } else {
            tx.event("reward.schedule_withdrawn", &wanted.asset, &json!({ "from_blocks": withdrawn }))?;
        }
        let what: Vec<String> = holds.into_iter().chain(instead).collect();
        notes.push(format!("the reward settings changed; {}", what.join("; ")));
    }
    let terms = schedule(tx.conn())?;
    let emitted = emitted_to(tx.conn())?;
    for pool in pools.iter().filter(weighted).filter(|pool| pool.reward_cursor.is_none()) {
        let weight = weights.iter().find(|row| row.pool_id == pool.id);
        let effective = weight.map_or(0, |row| row.effective_block);
        let earliest = pool.reward_genesis.unwrap_or(0).max(effective).max(emitted);
        let start = boundary_from(&terms, earliest).ok_or_else(|| {
            Error::new(Code::InvalidValue, format!("rewards of pool \"{}\" never start", pool.name))
        })?;
        if start > head {
            // Other settings may come first, and move the boundary.
            continue;
        }
        if pool.reward_genesis.is_some_and(|genesis| genesis < start) {
            let name = &pool.name;
            notes.push(format!("rewards of pool \"{name}\" begin at block {start}, the next epoch start"));
        }
        set_genesis(tx, pool, start)?;
        tx.event("reward.started", &pool.name, &json!({ "first_epoch": start }))?;
    }
    Ok(notes)
}

/// Writes where a pool's rewards begin.
pub(super) fn set_genesis(tx: &Tx<'_>, pool: &Pool, block: u64) -> Result<()> {
    let sql = "UPDATE pools SET reward_genesis_block = ?2, reward_cursor_block = ?2 WHERE id = ?1";
    rows::run(tx.conn(), sql, params![pool.id, db_block(block)?])
}

/// Rewards are counted in one token for ever.
pub(super) fn same_token(conn: &Connection, asset: &str) -> Result<()> {
    match counted_in(conn)?.filter(|other| other != asset) {
        None => Ok(()),
        Some(other) => {
            let why = format!("reward.asset is {asset}, but rewards are counted in {other}");
            Err(Error::new(Code::Conflict, why)
                .hint("set reward.asset back; another token needs a state file of its own"))
        }
    }
}

/// Fixes what each closed epoch has to give, in the order of the grid, for all pools at once. Which of the pools can be
/// paid now is no part of it.
pub(super) fn emit(work: &mut WriteContext<'_>, last_final: u64) -> Result<()> {
    // Only where there is anything to write, the others have to wait.
    while !due(work.state.conn(), last_final, 1)?.is_empty() {
        // By the weights and terms that stand there when it is written.
        work.state.write(work.permit, |tx| {
            due(tx.conn(), last_final, PER_WRITE)?.iter().try_for_each(|budget| put_budget(tx, budget))
        })?;
        work.stop.check()?;
    }
    Ok(())
}

/// Budgets that are written at once.
const PER_WRITE: usize = 5_000;

/// The next budgets, as many as `most`.
fn due(conn: &Connection, last_final: u64, most: usize) -> Result<Vec<Budget>> {
    let (schedule, claimants) = (schedule(conn)?, claimants(conn)?);
    let Some(origin) = schedule.first().map(|terms| terms.from_block) else { return Ok(Vec::new()) };
    let at = emitted_to(conn)?.max(origin);
    budgets(&schedule, &claimants, at, carry_into(conn, at)?, last_final).take(most).collect()
}

fn put_budget(tx: &Tx<'_>, budget: &Budget) -> Result<()> {
    let Budget { epoch, emission, carry_in, carry_out } = budget;
    rows::run(
        tx.conn(),
        "INSERT INTO reward_emissions VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            db_block(epoch.start)?,
            db_block(epoch.end)?,
            emission.to_string(),
            carry_in.to_string(),
            carry_out.to_string(),
            tx.now()
        ],
    )
}

fn put(tx: &Tx<'_>, terms: &EmissionTerms) -> Result<()> {
    let EmissionTerms { from_block, epoch_blocks, block_reward, asset, basis } = terms;
    let (from, blocks, reward) = (db_block(*from_block)?, db_block(*epoch_blocks)?, block_reward.to_string());
    rows::run(
        tx.conn(),
        "INSERT INTO reward_schedule VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![from, blocks, reward, asset, basis, tx.now()],
    )?;
    tx.event(
        "reward.schedule",
        asset,
        &json!({ "from_block": from_block, "epoch_blocks": epoch_blocks, "block_reward": reward,
                 "basis": basis.as_str() }),
    )?;
    Ok(())
}

/// The token that the settings name.
pub(super) fn reward_address(config: &Config) -> Result<Address> {
    config.address("reward.asset")?.ok_or_else(|| {
        Error::new(Code::MissingSetting, "reward.asset is not set").hint("set reward.asset in the profile")
    })
}

/// What the operator wants to give.
#[derive(Debug, Clone)]
pub struct NewEpoch {
    /// Its blocks, half-open.
    pub epoch: Epoch,
    /// What its holders share, besides what the pool carries; base units of the reward token.
    pub total: Base,
    /// How they are measured.
    pub basis: Basis,
}

/// The reward token of the settings: as the state knows it, or else as the chain says.
pub async fn token(work: &WriteContext<'_>, chain: impl FnOnce() -> Result<Chain>, at: At) -> Result<Asset> {
    let address = reward_address(work.config)?;
    match pool::asset(work.state.conn(), address)? {
        Some(token) => Ok(token),
        None => chain()?.view(at, async |view| pool::token(view, address).await).await,
    }
}

/// Makes an epoch, which is distributed when its last block is final: by `reward epoch distribute`, or by the next
/// cycle. Nothing is owed before.
///
/// Returns it, and whether it was made now: the same epoch a second time is no error.
/// `state_changed` where the total was worked out by other decimals; `conflict` where its blocks are taken, leave a gap, or are emitted already, and for another reward token than the one in use;
/// `invalid_value` off the grid.
pub fn create(
    work: &mut WriteContext<'_>,
    pool: &Pool,
    token: &Asset,
    wanted: &NewEpoch,
) -> Result<(EpochRow, bool)> {
    if wanted.total.is_zero() {
        return Err(Error::field(Code::InvalidAmount, "total", "an epoch gives something")
            .hint("name an amount above 0 in whole units of the reward token"));
    }
    work.state.write(work.permit, |tx| {
        let asset = token.address.to_string();
        let pool = &pool::by_id(tx.conn(), pool.id)?;
        if pool.retired_at.is_some() {
            return Err(pool::is_retired(pool));
        }
        if pool::asset(tx.conn(), token.address)?.is_some_and(|now| now.decimals != token.decimals) {
            return Err(state::changed(format_args!("the decimals of {}", token.symbol)));
        }
        if let Some(row) = starting_at(tx.conn(), pool, wanted.epoch.start)? {
            let same = row.epoch == wanted.epoch && row.part == wanted.total && row.asset == asset;
            if same && row.weight_ppm.is_none() {
                return Ok((row, false));
            }
        }
        same_token(tx.conn(), &asset)?;
        let timeline = timelines(tx.conn())?.remove(&pool.id).unwrap_or_default();
        let (schedule, earliest) = (schedule(tx.conn())?, pool.reward_genesis.unwrap_or(pool.deploy_block));
        timeline.place(&schedule, wanted.epoch, emitted_to(tx.conn())?, earliest)?;
        pool::put_asset(tx.conn(), token)?;
        let id = put_epoch(tx, pool, &asset, wanted)?;
        if timeline.cursor.is_none() {
            set_genesis(tx, pool, timeline.begins(&schedule, wanted.epoch.start, earliest))?;
        }
        Ok((epoch(tx.conn(), id)?, true))
    })
}

fn put_epoch(tx: &Tx<'_>, pool: &Pool, asset: &str, wanted: &NewEpoch) -> Result<i64> {
    let NewEpoch { epoch: Epoch { start, end }, total, basis } = wanted;
    rows::run(
        tx.conn(),
        "INSERT INTO pool_reward_epochs (pool_id, start_block, end_block, origin, basis, asset, part, status, created_at)
         VALUES (?1, ?2, ?3, 'manual', ?4, ?5, ?6, 'created', ?7)",
        params![pool.id, db_block(*start)?, db_block(*end)?, basis, asset, total.to_string(), tx.now()],
    )?;
    let id = tx.conn().last_insert_rowid();
    tx.event(
        "reward.epoch_created",
        &pool.name,
        &json!({ "epoch": id, "start_block": start, "end_block": end, "asset": asset,
                 "total": total.to_string(), "basis": basis.as_str() }),
    )?;
    Ok(id)
}
