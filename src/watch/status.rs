//! One look at everything: what needs attention first, then pools, the farm, what is under way and what is due. State only.

use crate::health::{self, Checked, InFlight, Trouble, severity};
use crate::report::chain_totals;
use base::amount::{Base, mul_div, pow10};
use base::{Remedy, Result, run};
use config::{Config, Severity};
use kale::rows::{LastSeen, last_seen, lost_since, pails_before};
use kale::{Status as Life, farmers};
use rusqlite::Connection;
use state::State;
use state::runs::{self, LastRun};
use std::cmp::Reverse;
use vault::oracle::{self, Price};
use vault::pool::{self, Pool, Snapshot};
use vault::risk::rules::Rule;

/// Something that needs attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attention {
    /// How grave it is.
    pub severity: Severity,
    /// The rule, the kind of alert, or what is late: `sync_overdue`.
    pub kind: String,
    /// The pool, feed, farmer or pooler; `None` where it is one job for all.
    pub subject: Option<String>,
    /// Why, in words.
    pub why: String,
    /// Since when, seconds since 1970; `None` where that is not known.
    pub since: Option<i64>,
    /// What can be done.
    pub fix: Remedy,
}

/// A pool with the figures of its last sync.
#[derive(Debug, Clone)]
pub struct PoolLine {
    /// The pool.
    pub pool: Pool,
    /// Its figures; `None` before the first sync.
    pub snapshot: Option<Snapshot>,
    /// The price of its asset that may be used now.
    pub price: Option<Price>,
    /// TVL by that price, in hundredths, rounded down.
    pub usd_cents: Option<Base>,
}

/// The farm. Amounts in stroops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FarmLine {
    /// Active farmers.
    pub active: usize,
    /// The block, as it was last seen.
    pub seen: Option<LastSeen>,
    /// Stakes neither back nor lost.
    pub open: usize,
    /// Those of them that wait for the operator's decision.
    pub held: usize,
    /// What is at stake.
    pub at_stake: Base,
    /// How many stakes were lost in the last 24 h, and what they held.
    pub lost_day: (u64, Base),
    /// What was lost since the beginning, by the ledger.
    pub lost: Base,
}

/// Everything.
#[derive(Debug, Clone)]
pub struct Status {
    /// What needs attention, the gravest first.
    pub attention: Vec<Attention>,
    /// Every pool.
    pub pools: Vec<PoolLine>,
    /// The farm, where there are farmers.
    pub farm: Option<FarmLine>,
    /// Transactions under way.
    pub operations: InFlight,
    /// The regular jobs with their limits; what is due first comes first.
    pub jobs: Vec<Checked>,
    /// When each scheduled command ended last.
    pub runs: Vec<LastRun>,
}

/// Seconds of a day.
const DAY: i64 = 86_400;

/// Looks at the state as it is at `now`, seconds since 1970.
pub fn look(state: &State, config: &Config, now: i64) -> Result<Status> {
    let look = state.look()?;
    let conn = look.conn();
    let report = health::of(conn, config, now)?;
    let attention = attention(report.troubles, &report.checks, report.operations, now);
    let mut jobs = report.checks;
    jobs.sort_by_key(Checked::due_at);
    Ok(Status {
        attention,
        pools: pools(conn, now)?,
        farm: farm(conn, now)?,
        operations: report.operations,
        jobs,
        runs: runs::last_runs(conn)?,
    })
}

/// What needs attention, the gravest first: breakers and pauses before all else, and of what is equally grave the oldest.
fn attention(troubles: Vec<Trouble>, jobs: &[Checked], operations: InFlight, now: i64) -> Vec<Attention> {
    let mut found: Vec<Attention> = troubles.into_iter().map(open).collect();
    found.extend(jobs.iter().filter_map(late));
    if let Some(severity) = operations.grade.severity() {
        let age = operations.oldest_sec.and_then(|age| i64::try_from(age).ok());
        found.push(Attention {
            severity,
            kind: format!("operations_{}", operations.grade.as_str()),
            subject: None,
            why: base::counted(operations.count, "transaction") + " not settled",
            since: age.map(|age| now.saturating_sub(age)),
            fix: run("operations settle"),
        });
    }
    let stops = [Rule::CircuitBreakerActive, Rule::EmergencyPause].map(Rule::as_str);
    found.sort_by_key(|one| (Reverse(one.severity), !stops.contains(&one.kind.as_str()), one.since));
    found
}

fn open(trouble: Trouble) -> Attention {
    let (severity, fix) = (severity(trouble.area, &trouble.kind), trouble.fix());
    let Trouble { subject, kind, why, since, .. } = trouble;
    Attention { severity, kind, subject: Some(subject), why, since: Some(since), fix }
}

fn late(job: &Checked) -> Option<Attention> {
    let severity = job.grade.severity()?;
    Some(Attention {
        severity,
        kind: format!("{}_{}", job.vital.check, job.grade.as_str()),
        subject: job.vital.subject.clone(),
        why: job.age_in_words(),
        since: Some(job.due_at()),
        fix: job.vital.fix.clone(),
    })
}

fn pools(conn: &Connection, now: i64) -> Result<Vec<PoolLine>> {
    let mut snapshots = pool::snapshots(conn)?;
    let line = |pool: Pool| {
        let snapshot = snapshots.remove(&pool.id);
        let price = oracle::cached_of(conn, &pool.asset, now)?;
        let usd_cents = snapshot
            .as_ref()
            .zip(price.as_ref())
            .and_then(|(snapshot, price)| cents(snapshot.total_assets, pool.asset.decimals, price.price_e18));
        Ok(PoolLine { pool, snapshot, price, usd_cents })
    };
    pool::active(conn)?.into_iter().map(line).collect()
}

/// What an amount is worth in hundredths, rounded down; `None` past 256 bits.
fn cents(amount: Base, decimals: u8, price_e18: Base) -> Option<Base> {
    Some(mul_div(amount, price_e18, pow10(decimals)?)? / pow10(16)?)
}

fn farm(conn: &Connection, now: i64) -> Result<Option<FarmLine>> {
    let known = farmers::list(conn, None, None)?;
    if known.is_empty() {
        return Ok(None);
    }
    let pails = pails_before(conn, u32::MAX)?;
    Ok(Some(FarmLine {
        active: known.iter().filter(|farmer| farmer.status == Life::Active).count(),
        seen: last_seen(conn)?,
        open: pails.len(),
        held: pails.iter().filter(|pail| pail.held.is_some()).count(),
        at_stake: pails.iter().fold(Base::ZERO, |sum, pail| sum.saturating_add(pail.stake)),
        lost_day: lost_since(conn, now.saturating_sub(DAY))?,
        lost: chain_totals(conn)?.1,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{Grade, Vital, grade};
    use kale::alerts::{LOST, SPONSOR_LOW};
    use state::alert::Area;

    const NOW: i64 = 1_000_000;

    fn trouble(area: Area, kind: &str, since: i64) -> Trouble {
        Trouble { area, subject: "x".to_owned(), kind: kind.to_owned(), why: "why".to_owned(), since }
    }

    fn job(check: &'static str, age: i64) -> Checked {
        let fix = run("sync");
        let vital = Vital { check, subject: None, last: Some(NOW - age), since: 0, limit_sec: 300, fix };
        let (age_sec, grade) = grade(NOW - age, NOW, 300);
        Checked { vital, age_sec, grade }
    }

    #[test]
    fn the_gravest_comes_first() {
        let none = InFlight { count: 0, oldest_sec: None, limit_sec: 60, grade: Grade::Ok };
        let stuck = InFlight { count: 2, oldest_sec: Some(900), limit_sec: 60, grade: Grade::Stalled };
        let troubles = vec![
            trouble(Area::Oracle, "stale", 5),
            trouble(Area::Notify, "undelivered", 6),
            trouble(Area::Farm, LOST, 4),
            trouble(Area::Farm, SPONSOR_LOW, 1),
            trouble(Area::Risk, "tvl_cap_exceeded", 3),
            trouble(Area::Risk, "risk_unknown", 2),
            trouble(Area::Risk, "circuit_breaker_active", 9),
        ];
        let jobs = [job("sync", 400), job("oracle", 10), job("risk", 5_000)];
        let found = attention(troubles, &jobs, stuck, NOW);
        let kinds: Vec<(&str, &str)> =
            found.iter().map(|one| (one.severity.as_str(), one.kind.as_str())).collect();
        let want = [
            ("critical", "circuit_breaker_active"),
            ("critical", LOST),
            ("critical", "risk_stalled"),
            ("critical", "operations_stalled"),
            ("warning", SPONSOR_LOW),
            ("warning", "risk_unknown"),
            ("warning", "tvl_cap_exceeded"),
            ("warning", "stale"),
            ("warning", "undelivered"),
            ("warning", "sync_overdue"),
        ];
        assert_eq!(kinds, want);
        assert!(attention(Vec::new(), &jobs[1..2], none, NOW).is_empty());
    }

    #[test]
    fn worth_is_exact_and_rounded_down() {
        let e18 = |price: &str| base::amount::parse_units(price, 18).unwrap();
        let n = |value: u64| Base::from(value);
        for (amount, decimals, price, want) in [
            (n(1_234_567), 6, "1", Some(n(123))),
            (n(1_000_000), 6, "0.999999", Some(n(99))),
            (n(5), 0, "2000.015", Some(n(1_000_007))),
            (n(0), 18, "1", Some(n(0))),
            (Base::MAX, 77, "1", Some(n(115))),
            (Base::MAX, 0, "1000", None),
            (n(1), 78, "1", None),
        ] {
            assert_eq!(cents(amount, decimals, e18(price)), want, "{amount} at {price}");
        }
    }
}
