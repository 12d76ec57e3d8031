//! What needs a look: what stands in the way of a pool, and the alerts and violations that hold.

use crate::health::severity;
use base::Result;
use config::{Config, Severity};
use kale::alerts::MISSED;
use kale::{enrol, farmers, loss};
use rusqlite::Connection;
use state::alert::{self, Alert, Area, Subject};
use std::collections::BTreeMap;
use vault::feed;
use vault::pool::Pool;
use vault::risk::rules::Rule;
use vault::risk::verdict::ReasonCode;
use vault::risk::{self, Barrier};

/// One thing that needs a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Money cannot move, or is at risk, until somebody acts.
    pub grave: bool,
    /// The pool, feed or farmer.
    pub subject: String,
    /// The rule, or the kind of refusal.
    pub kind: String,
    /// Why, in words.
    pub why: String,
    /// Since when, seconds since 1970, where that is recorded.
    pub since: Option<i64>,
}

/// Whether something of this kind is critical.
fn is_grave(area: Area, kind: &str) -> bool {
    severity(area, kind) == Severity::Critical
}

impl Alarm {
    fn of(area: Area, alert: Alert) -> Self {
        let Alert { subject, kind, message, first_seen, .. } = alert;
        Self { grave: is_grave(area, &kind), subject, kind, why: message, since: Some(first_seen) }
    }
}

/// Barriers and violations of a pool.
pub(super) fn of_pool(conn: &Connection, config: &Config, pool: &Pool, now: i64) -> Result<Vec<Alarm>> {
    let gate = risk::gate(conn, config, pool, now)?;
    // As a rule names it, which may say the same.
    let says =
        |barrier: &Barrier| barrier.rule().map_or_else(|| ReasonCode::from(barrier).as_str(), Rule::as_str);
    let barrier = |barrier: &Barrier| Alarm {
        grave: is_grave(Area::Risk, says(barrier)),
        subject: pool.name.clone(),
        kind: ReasonCode::from(barrier).as_str().to_owned(),
        why: barrier.why(),
        since: barrier.since(),
    };
    let mut found: Vec<Alarm> = gate.barriers.iter().map(barrier).collect();
    // Rules that say no more than a barrier does.
    let said = |alert: &Alert| gate.barriers.iter().any(|barrier| alert.kind == says(barrier));
    let violations = alert::list(conn, Subject::Pool(pool.id, &pool.name), None)?;
    let unsaid = violations.into_iter().filter(|alert| !said(alert));
    found.extend(unsaid.map(|alert| Alarm::of(Area::Risk, alert)));
    Ok(found)
}

/// Alerts of every feed.
pub(super) fn of_feeds(conn: &Connection) -> Result<Vec<Alarm>> {
    let mut found = Vec::new();
    for feed in feed::all(conn)? {
        let alerts = alert::list(conn, Subject::Feed(feed.id, &feed.name), None)?;
        found.extend(alerts.into_iter().map(|alert| Alarm::of(Area::Oracle, alert)));
    }
    Ok(found)
}

/// Alerts of the fee sponsor and of every farmer, who are named by address; stakes that will be lost among them, also where no
/// run has seen it.
pub(super) fn of_farmers(conn: &Connection, now: i64) -> Result<Vec<Alarm>> {
    let mut found = Vec::new();
    if let Some(sponsor) = enrol::last_sponsor(conn)? {
        let alerts = alert::list(conn, Subject::Farm(&sponsor), None)?;
        found.extend(alerts.into_iter().map(|alert| Alarm::of(Area::Farm, alert)));
    }
    let mut unseen: BTreeMap<String, String> = loss::unseen(conn, now)?.into_iter().collect();
    for farmer in farmers::list(conn, None, None)? {
        if let Some(why) = unseen.remove(&farmer.id) {
            let (subject, kind) = (farmer.address.clone(), MISSED.to_owned());
            found.push(Alarm { grave: is_grave(Area::Farm, MISSED), subject, kind, why, since: None });
        }
        for alert in alert::list(conn, Subject::Farm(&farmer.id), None)? {
            found.push(Alarm { subject: farmer.address.clone(), ..Alarm::of(Area::Farm, alert) });
        }
    }
    Ok(found)
}
