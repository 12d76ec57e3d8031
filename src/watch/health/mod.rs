//! Whether the pool is looked after: how long ago each regular job last went well, and what is open. State only.

mod facts;
mod fix;
mod rules;

pub use facts::{Vital, alerts, in_flight, vitals};
pub use rules::{GRACE_SEC, Grade, grade, severity};

use base::{Result, clock, counted, forms};
use config::Config;
use rusqlite::Connection;
use schemars::JsonSchema;
use serde::Serialize;
use state::State;
use state::alert::Area;

/// A regular job with its verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The job.
    pub vital: Vital,
    /// Seconds since it last went well, or since it became due; `None` where that lies in the future.
    pub age_sec: Option<u64>,
    /// How that stands against its limit.
    pub grade: Grade,
}

impl Checked {
    /// When it must have gone well again, seconds since 1970.
    pub fn due_at(&self) -> i64 {
        let limit = i64::try_from(self.vital.limit_sec).unwrap_or(i64::MAX);
        self.vital.last.unwrap_or(self.vital.since).saturating_add(limit)
    }

    /// Its age against its limit, for a person.
    pub fn age_in_words(&self) -> String {
        match (self.age_sec, self.vital.last) {
            (None, _) => "dated in the future".to_owned(),
            (Some(age), Some(_)) => {
                format!("{} ago, the limit is {}", clock::span(age), clock::span(self.vital.limit_sec))
            }
            (Some(age), None) => format!("never, {} after it was due", clock::span(age)),
        }
    }
}

/// Something that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "TroubleView")]
pub struct Trouble {
    /// `risk`, `oracle`, `farm` or `notify`.
    #[schemars(with = "String")]
    pub area: Area,
    /// The pool, feed, farmer or channel.
    pub subject: String,
    /// The rule or the kind of alert.
    pub kind: String,
    /// Why, as it was said last.
    pub why: String,
    /// Since when, RFC 3339.
    #[serde(serialize_with = "clock::serialize")]
    #[schemars(with = "forms::Time")]
    pub since: i64,
}

/// Transactions that are not settled and recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "OperationsView")]
pub struct InFlight {
    /// How many.
    #[serde(rename = "in_flight")]
    pub count: usize,
    /// Age of the oldest in seconds.
    pub oldest_sec: Option<u64>,
    /// Oldest age that is well.
    pub limit_sec: u64,
    /// `ok`, `overdue`, or `stalled` above twice the limit.
    #[serde(rename = "status")]
    #[schemars(with = "String")]
    pub grade: Grade,
}

impl InFlight {
    /// How many, and how old the oldest is, in words.
    pub fn why(&self) -> String {
        let age = self.oldest_sec.map_or_else(|| "dated in the future".to_owned(), clock::span);
        format!("{} not settled, the oldest for {age}", counted(self.count, "transaction"))
    }
}

/// What a look at the state found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthReport {
    /// Job by job.
    pub checks: Vec<Checked>,
    /// Everything that is open.
    pub troubles: Vec<Trouble>,
    /// What is under way.
    pub operations: InFlight,
}

impl HealthReport {
    /// Nothing is overdue, nothing is open, nothing is stuck.
    pub fn is_healthy(&self) -> bool {
        self.checks.iter().all(|check| check.grade == Grade::Ok)
            && self.troubles.is_empty()
            && self.operations.grade == Grade::Ok
    }
}

/// Looks at the state as it stands at `now`, seconds since 1970.
pub fn look(state: &State, config: &Config, now: i64) -> Result<HealthReport> {
    of(state.look()?.conn(), config, now)
}

/// The same on one moment of the state, or within a write.
pub fn of(conn: &Connection, config: &Config, now: i64) -> Result<HealthReport> {
    let checks = vitals(conn, config, now)?
        .into_iter()
        .map(|vital| {
            let (age_sec, grade) = grade(vital.last.unwrap_or(vital.since), now, vital.limit_sec);
            Checked { vital, age_sec, grade }
        })
        .collect();
    Ok(HealthReport {
        checks,
        troubles: alerts(conn, config, now)?,
        operations: in_flight(conn, config, now)?,
    })
}
