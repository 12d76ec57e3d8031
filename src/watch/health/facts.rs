//! What the state says of the regular jobs, of what is open, and of what is under way.

use super::rules::grade;
use super::{Grade, InFlight, Trouble};
use base::{Remedy, Result, run};
use config::Config;
use rusqlite::{Connection, OptionalExtension, Row, params};
use state::alert::{self, Area};
use state::columns::only;
use state::operations;
use state::runs::{self, LastRun};
use vault::risk::rules::Rule;
use vault::{pool, reward, risk};

/// The limits in force, in seconds, and who is to plant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    sync: u64,
    cycle: u64,
    oracle: u64,
    risk: u64,
    plant: u64,
    work: u64,
    harvest: u64,
    operation: u64,
    /// Whether farmers plant nothing unless they have terms of their own.
    harvest_only: bool,
}

impl Limits {
    /// Reads them.
    pub fn of(config: &Config) -> Result<Self> {
        let minutes = |name: &str| config.number(name).map(|minutes| minutes.saturating_mul(60));
        Ok(Self {
            sync: minutes("health.sync_max_age_min")?,
            cycle: minutes("health.cycle_max_age_min")?,
            oracle: minutes("health.oracle_max_age_min")?,
            risk: minutes("risk.check_interval_min")?,
            plant: minutes("health.plant_max_age_min")?,
            work: minutes("health.work_max_age_min")?,
            harvest: minutes("health.harvest_max_age_min")?,
            operation: minutes("health.operation_max_age_min")?,
            harvest_only: config.get("strategy.harvest_only") == Some("true"),
        })
    }
}

/// A job that must go well now and then. Times in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vital {
    /// `sync`, `oracle`, `risk`, `cycle`, `plant`, `work` or `harvest`.
    pub check: &'static str,
    /// The pool, feed or pooler; `None` where it is one job for all.
    pub subject: Option<String>,
    /// When it last went well; `None` = never.
    pub last: Option<i64>,
    /// Since when there has been something to do for it.
    pub since: i64,
    /// Oldest age that is well, in seconds.
    pub limit_sec: u64,
    /// What does the job.
    pub mend: Remedy,
}

/// Every job that the state gives reason for: without pools nothing is to be synced.
pub fn vitals(conn: &Connection, limits: &Limits, now: i64) -> Result<Vec<Vital>> {
    let runs = runs::last_runs(conn)?;
    let mut found = of_pools(conn, limits, &runs, now)?;
    found.extend(of_feeds(conn, limits)?);
    found.extend(of_rewards(conn, limits, &runs, now)?);
    found.extend(of_farm(conn, limits)?);
    Ok(found)
}

/// Sync by pool, and the risk check of all.
fn of_pools(conn: &Connection, limits: &Limits, runs: &[LastRun], now: i64) -> Result<Vec<Vital>> {
    // A sync of all that ended well found every pool as it was, where it wrote no new figures.
    let all = runs::success_of(runs, "sync", now);
    let mut statement = conn.prepare_cached(
        "SELECT p.name, p.added_at, s.synced_at FROM pools p
         LEFT JOIN pool_snapshots s ON s.pool_id = p.id AND s.block_number = p.synced_block ORDER BY p.id",
    )?;
    let mut found: Vec<Vital> = statement
        .query_map([], |row| {
            let (name, since, synced): (String, i64, Option<i64>) =
                (row.get("name")?, row.get("added_at")?, row.get("synced_at")?);
            let last = synced.max(all.filter(|at| *at >= since));
            Ok(Vital {
                check: "sync",
                subject: Some(name),
                last,
                since,
                limit_sec: limits.sync,
                mend: run("sync").with("all"),
            })
        })?
        .collect::<Result<_, _>>()?;
    if let Some(since) = found.iter().map(|vital| vital.since).min() {
        let check = runs.iter().find(|run| run.command == "risk check");
        found.push(Vital {
            check: "risk",
            subject: None,
            last: check.and_then(|run| run.complete_at),
            since,
            limit_sec: limits.risk,
            mend: run("risk check").with("all"),
        });
    }
    Ok(found)
}

/// The check of each feed; a fixed price needs none.
fn of_feeds(conn: &Connection, limits: &Limits) -> Result<Vec<Vital>> {
    let mut statement = conn.prepare_cached(
        "SELECT name, added_at, checked_at FROM oracle_feeds WHERE kind <> 'fixed' ORDER BY id",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(Vital {
            check: "oracle",
            subject: row.get("name")?,
            last: row.get("checked_at")?,
            since: row.get("added_at")?,
            limit_sec: limits.oracle,
            mend: run("oracle check"),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The reward cycle, once a pool has a weight.
fn of_rewards(conn: &Connection, limits: &Limits, runs: &[LastRun], now: i64) -> Result<Option<Vital>> {
    let since: Option<i64> = conn
        .prepare_cached("SELECT min(set_at) FROM pool_reward_weights WHERE weight_ppm > 0")?
        .query_row([], only)?;
    let Some(since) = since else { return Ok(None) };
    let paid = reward::last_paid(conn)?.map(|(at, _)| at);
    Ok(Some(Vital {
        check: "cycle",
        subject: None,
        last: paid.max(runs::success_of(runs, "reward cycle", now)),
        since,
        limit_sec: limits.cycle,
        mend: run("reward cycle"),
    }))
}

/// Plant, work and harvest of each pooler that has active farmers that plant: what was done, not what was tried.
fn of_farm(conn: &Connection, limits: &Limits) -> Result<Vec<Vital>> {
    let mut statement = conn.prepare_cached(
        "SELECT p.id, p.name, min(f.status_at) AS since FROM poolers p JOIN farmers f ON f.pooler_id = p.id
             LEFT JOIN farmer_strategies s ON s.farmer_id = f.id
         WHERE f.status = 'active' AND coalesce(s.harvest_only, ?1) = 0 GROUP BY p.id ORDER BY p.added_at, p.id",
    )?;
    let pooler = |row: &Row<'_>| Ok((row.get("id")?, row.get("name")?, row.get("since")?));
    let poolers: Vec<(String, String, i64)> =
        statement.query_map([limits.harvest_only], pooler)?.collect::<Result<_, _>>()?;
    let mut found = Vec::new();
    for (id, name, since) in poolers {
        for (check, limit_sec, newest, last) in [
            (
                "plant",
                limits.plant,
                "SELECT block_index FROM block_operations WHERE pooler_id = ?1 AND planted > 0
                 ORDER BY block_index DESC LIMIT 1",
                "SELECT max(d.at) FROM plantings d JOIN farmers f ON f.id = d.farmer_id
                 WHERE d.block_index = ?1 AND d.outcome = 'planted' AND f.pooler_id = ?2",
            ),
            (
                "work",
                limits.work,
                "SELECT block_index FROM block_operations WHERE pooler_id = ?1 AND worked > 0
                 ORDER BY block_index DESC LIMIT 1",
                "SELECT max(d.at) FROM works d JOIN farmers f ON f.id = d.farmer_id
                 WHERE d.block_index = ?1 AND d.outcome <> 'failed' AND f.pooler_id = ?2",
            ),
            (
                "harvest",
                limits.harvest,
                "SELECT block_index FROM block_operations WHERE pooler_id = ?1 AND harvested > 0
                 ORDER BY block_index DESC LIMIT 1",
                "SELECT max(d.at) FROM harvests d JOIN farmers f ON f.id = d.farmer_id
                 WHERE d.block_index = ?1 AND d.outcome IN ('harvested', 'harvested_elsewhere')
                     AND f.pooler_id = ?2",
            ),
        ] {
            let block: Option<i64> = conn.prepare_cached(newest)?.query_row([&id], only).optional()?;
            let last: Option<i64> = match block {
                Some(block) => conn.prepare_cached(last)?.query_row(params![block, id], only)?,
                None => None,
            };
            found.push(Vital {
                check,
                subject: Some(name.clone()),
                last,
                since,
                limit_sec,
                mend: run("farm run").with("once"),
            });
        }
    }
    Ok(found)
}

/// Everything that is open: alerts and violations, and breakers and pauses, ours or an engine's, that no check has come
/// upon yet.
pub fn alerts(conn: &Connection, config: &Config, now: i64) -> Result<Vec<Trouble>> {
    let mut found: Vec<Trouble> = alert::open(conn)?
        .into_iter()
        .map(|(area, alert)| Trouble {
            area,
            subject: alert.subject,
            kind: alert.kind,
            why: alert.message,
            since: alert.first_seen,
        })
        .collect();
    for pool in pool::list(conn)? {
        let gate = risk::gate(conn, config, &pool, now)?;
        // An engine's answer holds since it was heard.
        let heard = gate.row.as_ref().and_then(|row| row.refreshed_at);
        for barrier in &gate.barriers {
            let Some(rule @ (Rule::CircuitBreakerActive | Rule::EmergencyPause)) = barrier.rule() else {
                continue;
            };
            let kind = rule.as_str();
            let is_told = |known: &Trouble| {
                known.area == Area::Risk && known.subject == pool.name && known.kind == kind
            };
            if !found.iter().any(is_told) {
                found.push(Trouble {
                    area: Area::Risk,
                    subject: pool.name.clone(),
                    kind: kind.to_owned(),
                    why: barrier.why(),
                    since: barrier.since().or(heard).unwrap_or(now),
                });
            }
        }
    }
    Ok(found)
}

/// What was begun on chain and is not settled and recorded.
pub fn in_flight(conn: &Connection, limits: &Limits, now: i64) -> Result<InFlight> {
    let since = operations::open_since(conn)?;
    let limit_sec = limits.operation;
    let (oldest_sec, verdict) = since
        .iter()
        .map(|(_, planned)| *planned)
        .min()
        .map_or((None, Grade::Ok), |planned| grade(planned, now, limit_sec));
    Ok(InFlight { count: since.len(), oldest_sec, limit_sec, grade: verdict })
}
