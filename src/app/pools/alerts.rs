//! Alerts that opened once, were counted, and closed.

use crate::Document;
use crate::paging::{PageEnd, Window};
use base::{Result, clock, forms};
use rusqlite::Connection;
use schemars::JsonSchema;
use serde::Serialize;
use state::alert::{self, Alert, Subject};
use watch::metrics::Gauge;

/// Alerts, the newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AlertsOutput {
    /// One by one.
    pub alerts: Vec<AlertView>,
    /// How many of them are open.
    pub open: usize,
    /// Where the page ends.
    #[serde(flatten)]
    pub end: PageEnd,
    /// What the subjects are, for a person.
    #[serde(skip)]
    pub head: &'static str,
    /// When it was looked, seconds since 1970.
    #[serde(skip)]
    pub now: i64,
    #[serde(skip)]
    gauges: Vec<Gauge>,
}

/// One alert.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AlertView {
    /// Alerts are numbered in the order in which they were opened.
    pub id: i64,
    /// The feed or the pool.
    pub subject: String,
    /// The kind of refusal, or the rule.
    pub kind: String,
    /// Why, as it was said last.
    pub why: String,
    /// Whether it holds still.
    pub open: bool,
    /// When it was opened, RFC 3339.
    #[schemars(with = "forms::Time")]
    pub first_seen: String,
    /// When it was last found to hold.
    #[schemars(with = "forms::Time")]
    pub last_seen: String,
    /// How often it was found to hold.
    pub count: u64,
    /// When it was closed; null while it is open.
    #[schemars(with = "Option<forms::Time>")]
    pub closed_at: Option<String>,
    /// When it was opened, seconds since 1970.
    #[serde(skip)]
    pub since: i64,
}

impl From<Alert> for AlertView {
    fn from(alert: Alert) -> Self {
        Self {
            id: alert.id,
            subject: alert.subject,
            kind: alert.kind,
            why: alert.message,
            open: alert.closed_at.is_none(),
            first_seen: clock::rfc3339(alert.first_seen),
            last_seen: clock::rfc3339(alert.last_seen),
            count: alert.count,
            closed_at: alert.closed_at.map(clock::rfc3339),
            since: alert.first_seen,
        }
    }
}

impl AlertsOutput {
    /// The alerts of these subjects, which `head` names for a person: the open ones, or all.
    pub fn of(
        conn: &Connection,
        subjects: &[Subject<'_>],
        all: bool,
        window: &Window,
        head: &'static str,
        now: i64,
    ) -> Result<Self> {
        let (mut found, mut gauges, mut total) = (Vec::new(), Vec::new(), Some(0));
        let before = window.after()?.unwrap_or(i64::MAX);
        for subject in subjects {
            if all {
                found.extend(alert::list(conn, *subject, Some((before, window.reach())))?);
                total = total.zip(alert::count(conn, *subject)?).map(|(sum, more)| sum + more);
            }
            let (label, name) = match subject {
                Subject::Pool(_, name) => ("pool", name),
                Subject::Feed(_, name) => ("feed", name),
                Subject::Farm(name) => ("farmer", name),
            };
            let open = alert::list(conn, *subject, None)?;
            let gauge = Gauge::new("poolctl_alerts_open", "Alerts that hold.", open.len());
            if !all {
                total = total.map(|sum| sum + open.len() as u64);
                found.extend(open.into_iter().filter(|alert| alert.id < before));
            }
            gauges.push(Gauge { labels: vec![(label, (*name).to_owned())], ..gauge });
        }
        found.sort_by_key(|alert| std::cmp::Reverse(alert.id));
        let (found, end) = window.page(found, total, |alert| alert.id.to_string());
        let alerts: Vec<AlertView> = found.into_iter().map(AlertView::from).collect();
        let open = alerts.iter().filter(|alert| alert.open).count();
        Ok(Self { alerts, open, end, head, now, gauges })
    }
}

impl Document for AlertsOutput {
    fn gauges(&self) -> Vec<Gauge> {
        self.gauges.clone()
    }
}
