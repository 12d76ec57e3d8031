//! Before a cycle: the terms of emission are written down, each pool with a weight gets its first epoch, and each closed
//! epoch its budget.

use super::budget::{Budget, Claimant, budgets, sharers};
use super::epochs::created;
use super::grid::{Change, Terms, boundary_from, change, closed_epoch};
use super::store::{
    carry_into, claimants, counted_in, emission_at, emission_before, emitted_to, in_order_from, lanes,
    schedule, undecided, weight_rows,
};
use crate::pool::{Asset, Pool};
use crate::rows;
use base::amount::{self, Base};
use base::{Code, Error, Result, say};
use config::Config;
use rusqlite::{Connection, params};
use serde_json::json;
use state::columns::db_block;
use state::{Tx, Work};

/// The terms that the settings ask for, from a block yet to be found.
pub(super) fn wanted(config: &Config, asset: &Asset) -> Result<Terms> {
    let text = config.require("reward.block_reward")?;
    let basis = config.require("reward.basis")?;
    Ok(Terms {
        from_block: 0,
        epoch_blocks: config.number("reward.epoch_blocks")?,
        block_reward: amount::parse_flag("reward.block_reward", text, asset.decimals)?,
        asset: asset.address.to_string(),
        basis: basis
            .parse()
            .map_err(|_| Error::new(Code::InvalidValue, format!("reward.basis: \"{basis}\"")))?,
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
            put(tx, &Terms { from_block: origin, ..wanted.clone() })?;
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
pub(super) fn emit(work: &mut Work<'_>, last_final: u64) -> Result<Vec<String>> {
    /// Epochs that are written at once.
    const PER_WRITE: usize = 5_000;
    let (schedule, claimants) = (schedule(work.state.conn())?, claimants(work.state.conn())?);
    let Some(origin) = schedule.first().map(|terms| terms.from_block) else { return Ok(Vec::new()) };
    let missed = missed(work, &schedule, &claimants)?;
    if !missed.is_empty() {
        work.state.write(work.permit, |tx| missed.iter().try_for_each(|budget| put_budget(tx, budget)))?;
    }
    let conn = work.state.conn();
    let at = emitted_to(conn)?.max(origin);
    let carry = carry_into(conn, at)?;
    let left = emission_before(conn, at)?.map_or(Base::ZERO, |row| row.carry_out);
    let mut notes = Vec::new();
    let mut due = budgets(&schedule, &claimants, at, carry, last_final);
    loop {
        let some = due.by_ref().take(PER_WRITE).collect::<Result<Vec<Budget>>>()?;
        let Some(first) = some.first() else { return Ok(notes) };
        let restored = carry.checked_sub(left).filter(|more| first.epoch.start == at && !more.is_zero());
        work.state.write(work.permit, |tx| {
            if let Some(more) = restored {
                let start = first.epoch.start;
                let asset = schedule.last().map(|terms| terms.asset.as_str()).unwrap_or_default();
                let told = json!({ "start_block": start, "amount": more.to_string() });
                tx.event("reward.carry_restored", asset, &told)?;
                notes.push(format!(
                    "{more} base units that earlier versions carried and never gave are part of the epoch from block {start}"
                ));
            }
            some.iter().try_for_each(|budget| put_budget(tx, budget))
        })?;
        work.stop.check()?;
    }
}

/// The budgets of epochs that a pool lags behind with, and that earlier versions made only when they paid a first pool.
fn missed(work: &Work<'_>, schedule: &[Terms], claimants: &[Claimant]) -> Result<Vec<Budget>> {
    let conn = work.state.conn();
    let end = in_order_from(conn)?;
    let cursors = lanes(conn)?.into_values().filter_map(|lane| lane.weighted_from.and(lane.cursor));
    let from = cursors.min().filter(|at| *at < end).and_then(|at| boundary_from(schedule, at));
    let epoch = |start: u64| closed_epoch(schedule, start, end).filter(|_| start < end);
    let mut found = Vec::new();
    for epoch in std::iter::successors(from.and_then(epoch), |before| epoch(before.end)) {
        let shared = !sharers(claimants, epoch.start).is_empty();
        if shared && emission_at(conn, epoch.start)?.is_none() {
            let only = budgets(schedule, claimants, epoch.start, Base::ZERO, epoch.end).next();
            found.extend(only.transpose()?);
        }
    }
    Ok(found)
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

fn put(tx: &Tx<'_>, terms: &Terms) -> Result<()> {
    let Terms { from_block, epoch_blocks, block_reward, asset, basis } = terms;
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
