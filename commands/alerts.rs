//! What `oracle alerts` and `risk violations` have in common: alerts that opened once, were counted, and closed.

use crate::output::{Outcome, Page, Present, Table};
use crate::views::age;
use base::{Result, clock, forms};
use clap::Args;
use rusqlite::Connection;
use schemars::JsonSchema;
use serde::Serialize;
use state::alert::{self, Alert, Subject};
use watch::metrics::Gauge;

/// Which alerts are shown.
#[derive(Debug, Args)]
pub struct Shown {
    /// The closed ones too, the newest first
    #[arg(long)]
    closed: bool,
    /// With --closed: at most so many
    #[arg(long, value_name = "N", default_value_t = 50, requires = "closed", value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

/// Alerts, the newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AlertsOutput {
    /// One by one.
    pub alerts: Vec<AlertView>,
    /// How many of them are open.
    pub open: usize,
    #[serde(skip)]
    head: &'static str,
    #[serde(skip)]
    now: i64,
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
    #[serde(skip)]
    since: i64,
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
    /// The alerts of these subjects; `head` names them for a person.
    ///
    /// # Errors
    /// `state_error`.
    pub fn of(
        conn: &Connection,
        subjects: &[Subject<'_>],
        shown: &Shown,
        head: &'static str,
        now: i64,
    ) -> Result<Outcome> {
        let limit = shown.closed.then_some(shown.limit);
        let mut found = Vec::new();
        let mut gauges = Vec::new();
        for subject in subjects {
            let alerts = alert::list(conn, *subject, limit)?;
            let (label, name) = match subject {
                Subject::Pool(_, name) => ("pool", name),
                Subject::Feed(_, name) => ("feed", name),
                Subject::Farm(name) => ("farmer", name),
            };
            gauges.push(Gauge {
                name: "poolctl_alerts_open",
                help: "Alerts that hold.",
                labels: vec![(label, (*name).to_owned())],
                value: alert::list(conn, *subject, None)?.len().to_string(),
            });
            found.extend(alerts);
        }
        found.sort_by_key(|alert| std::cmp::Reverse(alert.id));
        if let Some(limit) = limit {
            found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        }
        let alerts: Vec<AlertView> = found.into_iter().map(AlertView::from).collect();
        let open = alerts.iter().filter(|alert| alert.open).count();
        Ok(Outcome::of(&Self { alerts, open, head, now })?.gauges(gauges))
    }
}

impl Present for AlertsOutput {
    fn present(&self, page: &mut Page) {
        if self.alerts.is_empty() {
            page.line("nothing to show");
            return;
        }
        let mut table = Table::new(&[self.head, "KIND", "STATE", ">SINCE", ">SEEN", "WHY"]);
        for alert in &self.alerts {
            table.row([
                alert.subject.clone(),
                alert.kind.clone(),
                if alert.open { "OPEN" } else { "closed" }.to_owned(),
                format!("{} ago", clock::span(age(alert.since, self.now))),
                format!("{} times", alert.count),
                alert.why.clone(),
            ]);
        }
        page.table(table);
    }
}
