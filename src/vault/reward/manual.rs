//! `reward epoch create`: an epoch of one pool, made manually. How it fits in with the others: `lane`.

use super::accrual::Basis;
use super::cycle::reward_address;
use super::epochs::{EpochRow, epoch, starting_at};
use super::grid::Epoch;
use super::prepare::{same_token, set_genesis};
use super::store::{emitted_to, lanes, schedule};
use crate::pool::{self, Asset, Pool};
use crate::rows;
use base::amount::Base;
use base::{Code, Error, Result};
use evm::{At, Chain};
use rusqlite::params;
use serde_json::json;
use state::columns::db_block;
use state::{Tx, Work};

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
pub async fn token(work: &Work<'_>, chain: impl FnOnce() -> Result<Chain>, at: At) -> Result<Asset> {
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
/// `conflict` where its blocks are taken, leave a gap, or are emitted already, and for another reward token than the one in use;
/// `invalid_value` off the grid.
pub fn create(
    work: &mut Work<'_>,
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
        if let Some(row) = starting_at(tx.conn(), pool, wanted.epoch.start)? {
            let same = row.epoch == wanted.epoch && row.part == wanted.total && row.asset == asset;
            if same && row.weight_ppm.is_none() {
                return Ok((row, false));
            }
        }
        same_token(tx.conn(), &asset)?;
        let lane = lanes(tx.conn())?.remove(&pool.id).unwrap_or_default();
        let (schedule, earliest) = (schedule(tx.conn())?, pool.reward_genesis.unwrap_or(pool.deploy_block));
        lane.place(&schedule, wanted.epoch, emitted_to(tx.conn())?, earliest)?;
        pool::put_asset(tx.conn(), token)?;
        let id = put(tx, pool, &asset, wanted)?;
        if lane.cursor.is_none() {
            set_genesis(tx, pool, lane.begins(&schedule, wanted.epoch.start, earliest))?;
        }
        Ok((epoch(tx.conn(), id)?, true))
    })
}

fn put(tx: &Tx<'_>, pool: &Pool, asset: &str, wanted: &NewEpoch) -> Result<i64> {
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
