//! `sync`: figures and holders of pools at one pinned block, taken into the state only if they fit together.

use super::intake::Replayed;
use super::reorg::{RolledBack, behind, settle_reorgs};
use super::replay::replay_to;
use crate::pool::abi::{self, Reading};
use crate::pool::contract::{self, Answered};
use crate::pool::holders::holders_match;
use crate::pool::known::Contract;
use crate::pool::{self, Pool, newest_known};
use crate::risk;
use crate::risk::rules::{Rule, RuleResult, rate_drop};
use base::amount::{Base, Quantity};
use base::{Code, Error, Result, counted};
use evm::{At, Chain, PinnedView, ViewStamp};
use rusqlite::{Connection, params};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use state::alert::{self, Subject};
use state::columns::db_block;
use state::{Lease, Tx, WriteContext, rows};
use std::collections::{BTreeMap, HashMap};

/// The alerts that a sync raises and closes by a pool's figures.
fn of_figures() -> [&'static str; 2] {
    [Rule::ExchangeRateDrop.as_str(), INCONSISTENT]
}

/// The alert of a contract whose exchange rate is not TVL over shares.
const INCONSISTENT: &str = "inconsistent_state";

/// How a pool fared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SyncStatus {
    /// New figures were taken in.
    Synced,
    /// It stood at this block already.
    #[default]
    Unchanged,
    /// See its error; its figures are those of the sync before.
    Failed,
}

/// One pool's part of a sync.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct PoolSync {
    /// Its name.
    pub pool: String,
    /// How it fared.
    pub status: SyncStatus,
    /// TVL.
    pub total_assets: Option<Quantity>,
    /// Shares.
    pub total_shares: Option<Quantity>,
    /// Assets per share.
    pub exchange_rate: Option<Quantity>,
    /// Whether it is paused.
    pub paused: Option<bool>,
    /// Members with shares.
    pub holders: Option<u64>,
    /// Transfers that were new.
    pub transfers: u64,
    /// Alerts that hold: `contract_changed`, `exchange_rate_drop`, `inconsistent_state`.
    pub alerts: Vec<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// The same as an error.
    #[serde(skip)]
    pub failure: Option<Error>,
}

impl PoolSync {
    fn figures(&mut self, pool: &Pool, total_assets: Base, total_shares: Base, rate_e18: Base) {
        self.total_assets = Some(pool.asset.quantity(total_assets));
        self.total_shares = Some(pool.shares(total_shares));
        self.exchange_rate = Some(Quantity::new(rate_e18, 18, ""));
    }

    /// The figures of a pool that stands at this block already, and what was found wrong with them.
    fn unchanged(&mut self, conn: &Connection, pool: &Pool) -> Result<()> {
        let none = || Error::new(Code::StateCorrupt, format!("pool \"{}\" has no snapshot", pool.name));
        let s = pool::snapshot(conn, pool)?.ok_or_else(none)?;
        self.figures(pool, s.total_assets, s.total_shares, s.rate_e18);
        (self.paused, self.holders) = (s.paused, Some(pool::holder_count(conn, pool)?));
        let open = alert::list(conn, Subject::Pool(pool.id, &pool.name), None)?;
        let raised = |kind: &str| kind == contract::CHANGED || of_figures().contains(&kind);
        let own = open.into_iter().rev().filter(|alert| raised(&alert.kind));
        self.alerts = own.map(|alert| format!("{}: {}", alert.kind, alert.message)).collect();
        Ok(())
    }
}

/// What a sync did.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SyncReport {
    /// The block and endpoint of every figure in it.
    pub view: ViewStamp,
    /// Pools that a reorg took back first.
    pub rolled_back: Vec<RolledBack>,
    /// Pool by pool.
    pub pools: Vec<PoolSync>,
}

/// Syncs `pools` at one block. A pool that fails leaves the others done.
pub async fn sync(work: &mut WriteContext<'_>, chain: &Chain, pools: &[Pool], at: At) -> Result<SyncReport> {
    let _lease = work.permit.lease(&Lease::Pools)?;
    let mut rolled_back = Vec::new();
    state::anew_async(async || {
        let known = newest_known(&pool::again(work.state.conn(), pools)?);
        chain
            .view_above(at, known, async |view| {
                // Read anew: a view that starts over finds what the first one stored.
                let now = pool::again(work.state.conn(), pools)?;
                let (rolled, failed) = settle_reorgs(work, view, &now).await?;
                let now = if rolled.is_empty() { now } else { pool::again(work.state.conn(), pools)? };
                rolled_back.extend(rolled);
                let pools = one_view(work, view, now, failed).await?;
                Ok(SyncReport { view: ViewStamp::of(view), rolled_back: rolled_back.clone(), pools })
            })
            .await
    })
    .await
}

async fn one_view(
    work: &mut WriteContext<'_>,
    view: &PinnedView,
    pools: Vec<Pool>,
    mut failed: HashMap<i64, Error>,
) -> Result<Vec<PoolSync>> {
    let here = view.block().number;
    for pool in &pools {
        let newest = pool.synced_block.max(pool.cursor.map(|(block, _)| block)).filter(|block| *block > here);
        let unborn = (pool.deploy_block > here).then_some(pool.deploy_block);
        if let Some(block) = newest.or(unborn) {
            failed.entry(pool.id).or_insert_with(|| behind(view, pool, block));
        }
    }
    let stale =
        |pool: &&Pool| !failed.contains_key(&pool.id) && pool.synced_block.is_none_or(|block| block < here);
    let due: Vec<Pool> = pools.iter().filter(stale).cloned().collect();
    let (mut readings, mut changed) = (HashMap::new(), HashMap::new());
    if !due.is_empty() {
        let contracts = read(view, &due, &mut readings, &mut failed).await?;
        changed = contract::keep(work, view, &contracts)?;
    }
    let due: Vec<Pool> = due.into_iter().filter(|pool| readings.contains_key(&pool.id)).collect();
    let totals: BTreeMap<i64, Base> =
        readings.iter().map(|(id, reading)| (*id, reading.total_shares)).collect();
    let replayed =
        if due.is_empty() { Replayed::default() } else { replay_to(work, view, &due, &totals, here).await? };
    failed.extend(replayed.failed);

    let mut report = Vec::with_capacity(pools.len());
    let mut accepted = Vec::new();
    let look = work.state.look()?;
    for pool in pools {
        let mut line = PoolSync {
            pool: pool.name.clone(),
            transfers: replayed.taken.get(&pool.id).copied().unwrap_or_default(),
            alerts: Vec::from_iter(changed.get(&pool.id).map(|why| format!("{}: {why}", contract::CHANGED))),
            ..PoolSync::default()
        };
        let outcome = match (failed.remove(&pool.id), readings.remove(&pool.id)) {
            (Some(e), _) => Err(e),
            (None, None) => line.unchanged(look.conn(), &pool),
            (None, Some(reading)) => {
                holders_match(look.conn(), &pool, reading.total_shares, here).map(|holders| {
                    line.status = SyncStatus::Synced;
                    line.figures(&pool, reading.total_assets, reading.total_shares, reading.rate_e18);
                    (line.paused, line.holders) = (reading.paused, Some(holders));
                    accepted.push((report.len(), pool.clone(), reading));
                })
            }
        };
        if let Err(e) = outcome {
            line.status = SyncStatus::Failed;
            line.error = Some(e.to_string());
            line.failure = Some(e.context(format!("cannot sync pool \"{}\"", pool.name)));
        }
        report.push(line);
    }
    drop(look);
    if !accepted.is_empty() {
        let alerts = work.state.write(work.permit, |tx| store_all(tx, view, &accepted))?;
        for ((at, ..), alerts) in accepted.iter().zip(alerts) {
            if let Some(line) = report.get_mut(*at) {
                line.alerts.extend(alerts);
            }
        }
    }
    Ok(report)
}

/// Reads figures and contracts in one batch.
async fn read<'p>(
    view: &PinnedView,
    due: &'p [Pool],
    readings: &mut HashMap<i64, Reading>,
    failed: &mut HashMap<i64, Error>,
) -> Result<Vec<(&'p Pool, Contract)>> {
    let mut batch = view.batch();
    let asked = due.iter().map(|pool| abi::ask(&mut batch, pool)).collect::<Result<Vec<_>>>()?;
    let contracts: Vec<_> = due.iter().map(|pool| contract::ask(&mut batch, pool)).collect();
    let reply = batch.send().await?;
    for (pool, asked) in due.iter().zip(asked) {
        match asked.read(&reply, pool) {
            Ok(reading) => drop(readings.insert(pool.id, reading)),
            Err(e) => drop(failed.insert(pool.id, e)),
        }
    }
    let can_pause = |reading: &Reading| Answered::Pause(reading.paused.is_some());
    let answered = due.iter().map(|pool| readings.get(&pool.id).map_or(Answered::Nothing, can_pause));
    let answered: Vec<_> = answered.collect();
    let read = contract::read(view, &reply, due, &contracts, &answered).await?;
    failed.extend(read.failed);
    Ok(read.found)
}

fn store_all(
    tx: &Tx<'_>,
    view: &PinnedView,
    accepted: &[(usize, Pool, Reading)],
) -> Result<Vec<Vec<String>>> {
    let block = view.block();
    let number = db_block(block.number)?;
    let mut all = Vec::with_capacity(accepted.len());
    for (_, seen, reading) in accepted {
        // By what it is now: its figures were read, and its transfers replayed, for the pool as it was.
        let pool = &pool::by_id(tx.conn(), seen.id)?;
        let is_same = (&pool.asset, pool.synced_block) == (&seen.asset, seen.synced_block);
        if !is_same || pool.cursor != Some((block.number, block.hash)) {
            return Err(state::changed(format_args!("pool \"{}\"", pool.name)));
        }
        let before = pool::rate_before(tx.conn(), pool, block.number)?;
        rows::run(
            tx.conn(),
            "INSERT INTO pool_snapshots (pool_id, block_number, block_hash, block_timestamp, endpoint, synced_at,
                 total_assets, total_shares, rate_e18, paused, min_deposit, max_deposit, cooldown_sec)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            params![
                pool.id,
                number,
                block.hash.to_string(),
                db_block(block.timestamp)?,
                view.endpoint(),
                tx.now(),
                reading.total_assets.to_string(),
                reading.total_shares.to_string(),
                reading.rate_e18.to_string(),
                reading.paused,
                reading.limits.min_deposit.map(|min| min.to_string()),
                reading.limits.max_deposit.stored(pool.abi).map(|max| max.to_string()),
                reading.limits.cooldown_sec,
            ],
        )?;
        let sql = "UPDATE pools SET synced_block = ?2 WHERE id = ?1";
        rows::run(tx.conn(), sql, params![pool.id, number])?;
        let drop = match before.zip(reading.rate()) {
            Some((before, now)) => rate_drop(before, now, pool.max_rate_drop_ppm),
            None => RuleResult::Ok,
        };
        let identity = if reading.consistent {
            RuleResult::Ok
        } else {
            RuleResult::Violated(format!(
                "exchange rate {} is not TVL {} over {}",
                Quantity::new(reading.rate_e18, 18, ""),
                pool.asset.quantity(reading.total_assets),
                pool.shares(reading.total_shares)
            ))
        };
        if let RuleResult::Violated(why) = &drop {
            risk::trip(tx, pool, Rule::ExchangeRateDrop, why)?;
        }
        let mut alerts = Vec::new();
        for (word, verdict) in of_figures().into_iter().zip([drop, identity]) {
            let why = match verdict {
                RuleResult::Ok => None,
                RuleResult::Violated(why) | RuleResult::Unknown(why) => Some(why),
            };
            alert::edge(tx, Subject::Pool(pool.id, &pool.name), word, why.as_deref())?;
            alerts.extend(why.map(|why| format!("{word}: {why}")));
        }
        all.push(alerts);
    }
    let subject = match accepted {
        [(_, pool, _)] => pool.name.clone(),
        many => counted(many.len(), "pool"),
    };
    tx.event(
        "pool.synced",
        &subject,
        &json!({ "block": block.number, "hash": block.hash, "endpoint": view.endpoint(), "pools": accepted.len() }),
    )?;
    Ok(all)
}
