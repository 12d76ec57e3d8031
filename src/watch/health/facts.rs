//! What the state says of the regular jobs, of what is open, and of what is under way.

use super::rules::grade;
use super::{Grade, InFlight, Trouble};
use crate::notify::rows as notices;
use base::{Remedy, Result, run};
use config::Config;
use kale::alerts::MISSED;
use kale::loss;
use rusqlite::{Connection, params};
use state::alert::{self, Alert, Area};
use state::rows;
use state::rows::Row;
use state::runs::{self, LastRun};
use vault::risk::rules::Rule;
use vault::{pool, reward, risk};

/// A limit in force, which is set in minutes, in seconds.
fn seconds(config: &Config, name: &str) -> Result<u64> {
    config.number(name).map(|minutes| minutes.saturating_mul(60))
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
    pub fix: Remedy,
}

/// Every job that the state gives reason for: without pools nothing is to be synced.
pub fn vitals(conn: &Connection, config: &Config, now: i64) -> Result<Vec<Vital>> {
    let runs = runs::last_runs(conn)?;
    let mut found = of_pools(conn, config, &runs, now)?;
    found.extend(of_feeds(conn, config)?);
    found.extend(of_rewards(conn, config, &runs, now)?);
    found.extend(of_farm(conn, config)?);
    Ok(found)
}

/// Sync by pool, and the risk check of all.
fn of_pools(conn: &Connection, config: &Config, runs: &[LastRun], now: i64) -> Result<Vec<Vital>> {
    // A sync of all that ended well found every pool as it was, where it wrote no new figures.
    let all = runs::success_of(runs, "sync", now);
    let limit_sec = seconds(config, "health.sync_max_age_min")?;
    let sql = "SELECT p.name, p.added_at, s.synced_at FROM pools p
         LEFT JOIN pool_snapshots s ON s.pool_id = p.id AND s.block_number = p.synced_block
         WHERE p.retired_at IS NULL ORDER BY p.id";
    let mut found: Vec<Vital> = rows::all(conn, sql, [], |row| {
        let since = row.get("added_at")?;
        let last = row.get::<_, Option<i64>>("synced_at")?.max(all.filter(|at| *at >= since));
        let (subject, fix) = (row.get("name")?, run("sync").with("all"));
        Ok(Vital { check: "sync", subject, last, since, limit_sec, fix })
    })?;
    if let Some(since) = found.iter().map(|vital| vital.since).min() {
        let check = runs.iter().find(|run| run.command == "risk check");
        let last = check.and_then(|run| run.complete_at);
        let (limit_sec, fix) = (seconds(config, "risk.check_interval_min")?, run("risk check").with("all"));
        found.push(Vital { check: "risk", subject: None, last, since, limit_sec, fix });
    }
    Ok(found)
}

/// The check of each feed; a fixed price needs none.
fn of_feeds(conn: &Connection, config: &Config) -> Result<Vec<Vital>> {
    let sql = "SELECT name, added_at, checked_at FROM oracle_feeds
         WHERE kind <> 'fixed' AND removed_at IS NULL ORDER BY id";
    let limit_sec = seconds(config, "health.oracle_max_age_min")?;
    rows::all(conn, sql, [], |row| {
        let (last, since) = (row.get("checked_at")?, row.get("added_at")?);
        let (subject, fix) = (row.get("name")?, run("oracle check"));
        Ok(Vital { check: "oracle", subject, last, since, limit_sec, fix })
    })
}

/// The reward cycle, once a pool has a weight.
fn of_rewards(conn: &Connection, config: &Config, runs: &[LastRun], now: i64) -> Result<Option<Vital>> {
    let sql = "SELECT min(w.set_at) FROM pools p JOIN pool_reward_weights w ON w.pool_id = p.id
         WHERE w.weight_ppm > 0 AND p.retired_at IS NULL";
    let since: Option<i64> = rows::one(conn, sql, [])?;
    let Some(since) = since else { return Ok(None) };
    let paid = reward::last_paid(conn)?.map(|(at, _)| at);
    let last = paid.max(runs::success_of(runs, "reward cycle", now));
    let (limit_sec, fix) = (seconds(config, "health.cycle_max_age_min")?, run("reward cycle"));
    Ok(Some(Vital { check: "cycle", subject: None, last, since, limit_sec, fix }))
}

/// Plant, work and harvest of each pooler that has active farmers that plant: what was done, not what was tried.
fn of_farm(conn: &Connection, config: &Config) -> Result<Vec<Vital>> {
    let sql = "SELECT p.id, p.name, min(f.status_at) AS since FROM poolers p JOIN farmers f ON f.pooler_id = p.id
             LEFT JOIN farmer_strategies s ON s.farmer_id = f.id
         WHERE f.status = 'active' AND coalesce(s.harvest_only, ?1) = 0 GROUP BY p.id ORDER BY p.added_at, p.id";
    // Whether farmers plant nothing unless they have terms of their own.
    let harvest_only = config.get("strategy.harvest_only") == Some("true");
    let pooler = |row: &Row<'_>| Ok((row.get("id")?, row.get("name")?, row.get("since")?));
    let poolers: Vec<(String, String, i64)> = rows::all(conn, sql, [harvest_only], pooler)?;
    let mut found = Vec::new();
    for (id, name, since) in poolers {
        for (check, limit, newest, last) in [
            (
                "plant",
                "health.plant_max_age_min",
                "SELECT block_index FROM block_operations WHERE pooler_id = ?1 AND planted > 0
                 ORDER BY block_index DESC LIMIT 1",
                "SELECT max(d.at) FROM plantings d JOIN farmers f ON f.id = d.farmer_id
                 WHERE d.block_index = ?1 AND d.outcome = 'planted' AND f.pooler_id = ?2",
            ),
            (
                "work",
                "health.work_max_age_min",
                "SELECT block_index FROM block_operations WHERE pooler_id = ?1 AND worked > 0
                 ORDER BY block_index DESC LIMIT 1",
                "SELECT max(d.at) FROM works d JOIN farmers f ON f.id = d.farmer_id
                 WHERE d.block_index = ?1 AND d.outcome <> 'failed' AND f.pooler_id = ?2",
            ),
            (
                "harvest",
                "health.harvest_max_age_min",
                "SELECT block_index FROM block_operations WHERE pooler_id = ?1 AND harvested > 0
                 ORDER BY block_index DESC LIMIT 1",
                "SELECT max(d.at) FROM harvests d JOIN farmers f ON f.id = d.farmer_id
                 WHERE d.block_index = ?1 AND d.outcome IN ('harvested', 'harvested_elsewhere')
                     AND f.pooler_id = ?2",
            ),
        ] {
            let last: Option<i64> = match rows::value::<i64>(conn, newest, [&id])? {
                Some(block) => rows::one(conn, last, params![block, id])?,
                None => None,
            };
            let (limit_sec, fix) = (seconds(config, limit)?, run("farm run").with("once"));
            found.push(Vital { check, subject: Some(name.clone()), last, since, limit_sec, fix });
        }
    }
    Ok(found)
}

/// Everything that is open: alerts and violations, and breakers and pauses, ours or an engine's, and stakes that will be
/// lost, that no run has come upon yet; and channels that notifications do not get through to.
pub fn alerts(conn: &Connection, config: &Config, now: i64) -> Result<Vec<Trouble>> {
    let told = |(area, Alert { subject, kind, message: why, first_seen: since, .. }): (Area, Alert)| {
        Trouble { area, subject, kind, why, since }
    };
    let mut found: Vec<Trouble> = alert::open(conn)?.into_iter().map(told).collect();
    // Where no run has looked since: the records and the time that has passed say enough.
    found.extend(loss::unseen(conn, now)?.into_iter().map(|(subject, why)| {
        let (area, kind) = (Area::Farm, MISSED.to_owned());
        Trouble { area, subject, kind, why, since: now }
    }));
    for trouble in found.iter_mut().filter(|trouble| trouble.area == Area::Farm) {
        // The id tells nobody whose stake it is.
        let sql = "SELECT coalesce(name, address) FROM farmers WHERE id = ?1";
        let Some(who) = rows::value::<String>(conn, sql, [&trouble.subject])? else { continue };
        trouble.why = format!("{who}: {}", trouble.why);
    }
    for pool in pool::active(conn)? {
        let gate = risk::gate(conn, config, &pool, now)?;
        // An engine's answer holds since it was heard.
        let heard = gate.row.as_ref().and_then(|row| row.refreshed_at);
        for barrier in &gate.barriers {
            let Some(rule @ (Rule::CircuitBreakerActive | Rule::EmergencyPause)) = barrier.rule() else {
                continue;
            };
            let (area, subject, kind) = (Area::Risk, pool.name.clone(), rule.as_str().to_owned());
            let is_told =
                |known: &Trouble| known.area == area && known.subject == subject && known.kind == kind;
            if !found.iter().any(is_told) {
                let since = barrier.since().or(heard).unwrap_or(now);
                found.push(Trouble { area, subject, kind, why: barrier.why(), since });
            }
        }
    }
    for channel in config.channels()? {
        if let Some((since, why)) = notices::stuck(conn, &channel.name)? {
            let kind = "undelivered".to_owned();
            found.push(Trouble { area: Area::Notify, subject: channel.name, kind, why, since });
        }
    }
    Ok(found)
}

/// What was begun on chain and is not settled and recorded.
pub fn in_flight(conn: &Connection, config: &Config, now: i64) -> Result<InFlight> {
    let since = outbox::open_since(conn)?;
    let limit_sec = seconds(config, "health.operation_max_age_min")?;
    let oldest = since.iter().map(|(_, planned)| *planned).min();
    let (oldest_sec, grade) = oldest.map_or((None, Grade::Ok), |planned| grade(planned, now, limit_sec));
    Ok(InFlight { count: since.len(), oldest_sec, limit_sec, grade })
}
