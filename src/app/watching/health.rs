//! Of `health`: is the pool looked after; from the state alone, for cron, a monitoring system or a person.

use base::{Remedy, clock, forms};
use schemars::JsonSchema;
use serde::Serialize;
use state::runs::LastRun;
use watch::health::{Checked, InFlight, Trouble};

/// What the state says.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HealthOutput {
    /// Whether nothing is wrong.
    pub healthy: bool,
    /// Regular jobs, one by one; none where there is nothing to look after.
    pub checks: Vec<CheckView>,
    /// What is open and should not be.
    pub troubles: Vec<Trouble>,
    /// Transactions under way.
    pub operations: InFlight,
    /// When each scheduled command ended last, for runs that were for everything.
    pub runs: Vec<LastRun>,
    /// When it was looked, seconds since 1970.
    #[serde(skip)]
    pub now: i64,
}

/// One regular job.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CheckView {
    /// `sync`, `oracle`, `risk`, `cycle`, `plant`, `work` or `harvest`.
    pub check: &'static str,
    /// The pool, feed or pooler; null where it is one job for all.
    pub subject: Option<String>,
    /// `ok`, `overdue`, or `stalled` above twice the limit.
    pub status: &'static str,
    /// When it last went well, RFC 3339; null = never.
    #[schemars(with = "Option<forms::Time>")]
    pub last: Option<String>,
    /// Seconds since, or since there has been something to do; null where that is dated in the future.
    pub age_sec: Option<u64>,
    /// Oldest age that is well.
    pub limit_sec: u64,
    /// What does the job.
    pub fix: String,
}

impl CheckView {
    /// One job, with what does it as the face says it.
    pub fn of(checked: &Checked, say: fn(&Remedy) -> String) -> Self {
        let Checked { vital, age_sec, grade } = checked;
        Self {
            check: vital.check,
            subject: vital.subject.clone(),
            status: grade.as_str(),
            last: vital.last.map(clock::rfc3339),
            age_sec: *age_sec,
            limit_sec: vital.limit_sec,
            fix: say(&vital.fix),
        }
    }
}
