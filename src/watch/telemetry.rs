//! The state as gauges for Prometheus: pools, prices, rewards, the farm, what is late and what is open. No network.

use crate::health::{self, HealthReport};
use crate::metrics::{EXIT_CODE, Gauge, LAST_RUN, LAST_SUCCESS};
use base::Result;
use base::amount::{Base, E18, to_units};
use config::Config;
use kale::contract::DECIMALS;
use kale::rows::{self, Lost};
use rusqlite::Connection;
use state::alert::Area;
use state::{State, runs};
use std::collections::BTreeMap;
use vault::risk::rules::Rule;
use vault::{oracle, pool, risk};

/// Everything that the state tells at `now`, seconds since 1970; the samples of one name stand together.
pub fn gauges(state: &State, config: &Config, now: i64) -> Result<Vec<Gauge>> {
    let look = state.look()?;
    let conn = look.conn();
    let report = health::of(conn, config, now)?;
    let mut all = Gauges::default();
    let labels = [("version", env!("CARGO_PKG_VERSION"))];
    all.add("poolctl_build_info", "The poolctl that wrote this.", &labels, 1);
    let bytes = std::fs::metadata(state.path()).map(|file| file.len()).unwrap_or_default();
    all.add("poolctl_state_size_bytes", "Size of the state file, its log aside.", &[], bytes);
    of_runs(&mut all, conn)?;
    of_health(&mut all, &report);
    of_pools(&mut all, conn, config, now)?;
    of_feeds(&mut all, conn, now)?;
    of_rewards(&mut all, conn)?;
    of_farm(&mut all, conn, now)?;
    Ok(all.0)
}

#[derive(Default)]
struct Gauges(Vec<Gauge>);

impl Gauges {
    #[expect(clippy::needless_pass_by_value, reason = "a number, or a decimal that was just made")]
    fn add(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: &[(&'static str, &str)],
        value: impl ToString,
    ) {
        let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.0.push(Gauge { name, help, labels, value: value.to_string() });
    }
}

fn of_runs(all: &mut Gauges, conn: &Connection) -> Result<()> {
    for run in runs::last_runs(conn)? {
        let labels = [("command", run.command.as_str())];
        all.add(LAST_RUN.0, LAST_RUN.1, &labels, run.at);
        if let Some(at) = run.success_at {
            all.add(LAST_SUCCESS.0, LAST_SUCCESS.1, &labels, at);
        }
        all.add(EXIT_CODE.0, EXIT_CODE.1, &labels, run.exit_code);
    }
    Ok(())
}

fn of_health(all: &mut Gauges, report: &HealthReport) {
    let healthy = u8::from(report.is_healthy());
    all.add("poolctl_healthy", "1 while nothing is overdue, open or stuck.", &[], healthy);
    for check in &report.checks {
        let subject = check.vital.subject.as_deref().unwrap_or_default();
        let labels = [("check", check.vital.check), ("subject", subject)];
        if let Some(age) = check.age_sec {
            let help = "Time since a regular job last went well, or since it was due for the first time.";
            all.add("poolctl_check_age_seconds", help, &labels, age);
        }
        let help = "Age of a regular job that is still well.";
        all.add("poolctl_check_limit_seconds", help, &labels, check.vital.limit_sec);
    }
    let mut open: BTreeMap<(&'static str, &str), usize> = BTreeMap::new();
    for trouble in &report.troubles {
        let label = match trouble.area {
            Area::Risk => "pool",
            Area::Oracle => "feed",
            Area::Farm => "farmer",
            Area::Notify => "channel",
        };
        *open.entry((label, &trouble.subject)).or_default() += 1;
    }
    for check in &report.checks {
        if let Some((_, label)) =
            [("sync", "pool"), ("oracle", "feed")].iter().find(|(job, _)| *job == check.vital.check)
        {
            open.entry((label, check.vital.subject.as_deref().unwrap_or_default())).or_default();
        }
    }
    for ((label, subject), count) in open {
        all.add("poolctl_alerts_open", "Alerts that hold.", &[(label, subject)], count);
    }
    let operations = &report.operations;
    let help = "Transactions that are not settled and recorded.";
    all.add("poolctl_operations_in_flight", help, &[], operations.count);
    let help = "Age of the oldest transaction that is not settled; 0 where there is none.";
    all.add("poolctl_operations_oldest_age_seconds", help, &[], operations.oldest_sec.unwrap_or_default());
}

fn of_pools(all: &mut Gauges, conn: &Connection, config: &Config, now: i64) -> Result<()> {
    let pools = pool::active(conn)?;
    let snapshots = pool::snapshots(conn)?;
    for pool in &pools {
        let labels = [("pool", pool.name.as_str())];
        if let Some(s) = snapshots.get(&pool.id) {
            let (tvl, help) =
                (to_units(s.total_assets, pool.asset.decimals), "TVL in whole units of the pool's asset.");
            all.add("poolctl_pool_total_value_locked", help, &labels, tvl);
            let shares = to_units(s.total_shares, pool.share_decimals);
            all.add("poolctl_pool_shares", "Shares in whole units.", &labels, shares);
            let rate = to_units(s.rate_e18, E18);
            all.add("poolctl_pool_exchange_rate_ratio", "Assets per share.", &labels, rate);
            let help = "When the pool's figures were read.";
            all.add("poolctl_pool_synced_timestamp_seconds", help, &labels, s.synced_at);
            all.add("poolctl_pool_synced_block", "Block of the pool's figures.", &labels, s.block.number);
            if let Some(paused) = s.paused {
                all.add("poolctl_pool_paused", "1 while the pool is paused.", &labels, u8::from(paused));
            }
        }
        let barriers = risk::gate(conn, config, pool, now)?.barriers;
        let open = barriers.iter().any(|barrier| barrier.rule() == Some(Rule::CircuitBreakerActive));
        let help = "1 while a circuit breaker of the pool is open.";
        all.add("poolctl_risk_breaker_open", help, &labels, u8::from(open));
    }
    Ok(())
}

fn of_feeds(all: &mut Gauges, conn: &Connection, now: i64) -> Result<()> {
    for feed in oracle::standings(conn, now)? {
        let labels = [("feed", feed.feed.as_str()), ("asset", feed.asset.as_str())];
        if let Some(price) = feed.price_e18 {
            all.add("poolctl_oracle_price", "Last accepted price.", &labels, to_units(price, E18));
        }
        if let Some(age) = feed.age_sec {
            let help = "Age of the last accepted price against its block, and the time since.";
            all.add("poolctl_oracle_price_age_seconds", help, &labels, age);
        }
        let help = "Quotes of the feed that were refused in a row.";
        all.add("poolctl_oracle_refused_quotes", help, &labels, feed.failure_streak);
    }
    Ok(())
}

fn of_rewards(all: &mut Gauges, conn: &Connection) -> Result<()> {
    if let Some((at, block)) = vault::reward::last_paid(conn)? {
        let help = "When a pool was last paid.";
        all.add("poolctl_reward_distributed_timestamp_seconds", help, &[], at);
        let help = "Block up to which a pool is paid.";
        all.add("poolctl_reward_distributed_block", help, &[], block);
    }
    Ok(())
}

fn of_farm(all: &mut Gauges, conn: &Connection, now: i64) -> Result<()> {
    let hands = rows::hands(conn)?;
    if hands.is_empty() {
        return Ok(());
    }
    let mut by_status: BTreeMap<&str, usize> = BTreeMap::new();
    for hand in &hands {
        *by_status.entry(hand.status.as_str()).or_default() += 1;
    }
    for (status, count) in by_status {
        all.add("poolctl_farm_farmers", "Farmers by status.", &[("status", status)], count);
    }
    if let Some(block) = rows::last_block(conn)? {
        all.add("poolctl_farm_block_index", "The farm's block, as it was seen last.", &[], block);
    }
    let pails = rows::pails_before(conn, u32::MAX)?;
    all.add("poolctl_farm_open_pails", "Stakes neither back nor lost.", &[], pails.len());
    let held = pails.iter().filter(|pail| pail.held.is_some()).count();
    all.add("poolctl_farm_held_pails", "Stakes that wait for the operator's decision.", &[], held);
    let stake = pails.iter().fold(Base::ZERO, |sum, pail| sum.saturating_add(pail.stake));
    all.add("poolctl_farm_open_stake_kale", "What is at stake.", &[], to_units(stake, DECIMALS));
    let missed = rows::missed_pails(conn, now)?;
    let help = "Stakes that will be lost: no work got in before their block ended.";
    all.add("poolctl_kale_stakes_missed", help, &[], missed.len());
    let stake = missed.iter().fold(Base::ZERO, |sum, pail| sum.saturating_add(pail.stake));
    all.add("poolctl_kale_stake_missed_kale", "What they come to.", &[], to_units(stake, DECIMALS));
    let lost = rows::lost_by_pooler(conn)?;
    for Lost { pooler, stakes, .. } in &lost {
        all.add("poolctl_kale_stakes_lost_total", "Stakes that are lost.", &[("pooler", pooler)], stakes);
    }
    for Lost { pooler, stake, .. } in &lost {
        let (help, stake) = ("What they come to.", to_units(*stake, DECIMALS));
        all.add("poolctl_kale_stake_lost_kale", help, &[("pooler", pooler)], stake);
    }
    for pooler in rows::last_harvests(conn)? {
        let labels = [("pooler", pooler.pooler.as_str())];
        let help = "Rewards of the newest block that was harvested.";
        all.add("poolctl_farm_last_reward_kale", help, &labels, to_units(pooler.reward, DECIMALS));
    }
    Ok(())
}
