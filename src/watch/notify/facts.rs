//! What holds now and should not, as `health` finds it, and the losses that were not told yet: each with its topic and severity.

use super::rows;
use super::rules::Condition;
use crate::health::{self, Checked, Trouble, severity};
use base::amount::{Base, to_people};
use base::{Error, Result};
use config::{Config, Severity};
use kale::alerts::LOST;
use kale::contract::DECIMALS;
use rusqlite::Connection;
use serde::Deserialize;
use state::alert::Area;
use state::columns::stored;

/// What holds at `now`, seconds since 1970.
pub(super) fn conditions(conn: &Connection, config: &Config, now: i64) -> Result<Vec<Condition>> {
    let report = health::of(conn, config, now)?;
    let mut found: Vec<Condition> = report.checks.iter().filter_map(job).collect();
    for open in report.troubles {
        found.push(trouble(conn, open)?);
    }
    if let Some(severity) = report.operations.grade.severity() {
        let operations = &report.operations;
        let age = operations.oldest_sec.and_then(|age| i64::try_from(age).ok());
        found.push(Condition {
            area: "transaction".to_owned(),
            subject: String::new(),
            kind: "unsettled".to_owned(),
            topic: "transactions".to_owned(),
            severity,
            why: operations.why(),
            since: now.saturating_sub(age.unwrap_or_default()),
        });
    }
    Ok(found)
}

/// A job that is late.
fn job(checked: &Checked) -> Option<Condition> {
    let severity = checked.grade.severity()?;
    let vital = &checked.vital;
    let subject = vital.subject.clone().unwrap_or_default();
    let topic = match vital.check {
        "sync" => format!("pool {subject}"),
        "risk" | "cycle" => "pools".to_owned(),
        "oracle" => "prices".to_owned(),
        "plant" | "work" | "harvest" => farm(&subject),
        _ => "schedule".to_owned(),
    };
    let since = vital.last.unwrap_or(vital.since);
    let (area, kind) = ("job".to_owned(), vital.check.to_owned());
    Some(Condition { area, subject, kind, topic, severity, why: checked.age_in_words(), since })
}

/// The farmers of a pooler are one farm.
fn farm(pooler: &str) -> String {
    format!("farm {pooler}")
}

fn trouble(conn: &Connection, open: Trouble) -> Result<Condition> {
    let Trouble { area, subject, kind, why, since } = open;
    let severity = severity(area, &kind);
    let (subject, topic) = match area {
        Area::Risk => (subject.clone(), format!("pool {subject}")),
        Area::Oracle => (subject, "prices".to_owned()),
        Area::Notify => (subject, "notifications".to_owned()),
        Area::Farm => match rows::farmer(conn, &subject)? {
            Some((address, pooler)) => (address, farm(&pooler)),
            // The sponsor of all, or the contract.
            None => (subject, "farms".to_owned()),
        },
    };
    Ok(Condition { area: Condition::area(area).to_owned(), subject, kind, topic, severity, why, since })
}

/// What the audit log says of a loss.
#[derive(Deserialize)]
struct Loss {
    farmer: String,
    block: u64,
    stake: String,
    reason: String,
    cause: String,
    pooler: String,
}

/// Losses of stakes behind the event `after`, and the last event of the kind. The first look tells none: those are history.
pub(super) fn losses(conn: &Connection, after: Option<i64>, now: i64) -> Result<(Vec<Condition>, i64)> {
    let Some(after) = after else { return Ok((Vec::new(), rows::last_loss(conn)?)) };
    let (mut found, mut last) = (Vec::new(), after);
    for (event, payload) in rows::losses_after(conn, after)? {
        last = event;
        let loss: Loss = serde_json::from_str(&payload)
            .map_err(|_| Error::corrupt(format!("event {event} is not a loss as one is written")))?;
        let stake: Base = stored(&loss.stake)?;
        if stake == Base::ZERO {
            continue;
        }
        let pooler = rows::pooler(conn, &loss.pooler)?.unwrap_or(loss.pooler);
        found.push(Condition {
            area: Condition::area(Area::Farm).to_owned(),
            subject: loss.farmer,
            kind: LOST.to_owned(),
            topic: farm(&pooler),
            severity: Severity::Critical,
            why: format!(
                "block {}: {} KALE: {}, by {}",
                loss.block,
                to_people(stake, DECIMALS),
                loss.reason,
                loss.cause
            ),
            since: now,
        });
    }
    Ok((found, last))
}
