//! Of `health`: is the pool looked after; from the state alone, for cron, a monitoring system or a person.

use base::{Remedy, clock, forms};
use schemars::JsonSchema;
use serde::Serialize;
use state::alert::Area;
use state::runs::LastRun;
use watch::health::{Checked, Trouble};

/// What the state says.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HealthOutput {
    /// Whether nothing is wrong.
    pub healthy: bool,
    /// Regular jobs, one by one; none where there is nothing to look after.
    pub checks: Vec<CheckView>,
    /// What is open and should not be.
    pub troubles: Vec<TroubleView>,
    /// Transactions under way.
    pub operations: OperationsView,
    /// When each scheduled command ended last, for runs that were for everything.
    pub runs: Vec<RunView>,
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
    pub mend: String,
}

/// Something that is open.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TroubleView {
    /// `risk`, `oracle` or `farm`.
    pub area: &'static str,
    /// The pool, feed or farmer.
    pub subject: String,
    /// The rule or the kind of alert.
    pub kind: String,
    /// Why, as it was said last.
    pub why: String,
    /// Since when, RFC 3339.
    #[schemars(with = "forms::Time")]
    pub since: String,
}

/// Transactions that are not settled and recorded.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OperationsView {
    /// How many.
    pub in_flight: usize,
    /// Age of the oldest in seconds.
    pub oldest_sec: Option<u64>,
    /// Oldest age that is well.
    pub limit_sec: u64,
    /// `ok`, `overdue`, or `stalled` above twice the limit.
    pub status: &'static str,
}

/// The last run of a scheduled command.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RunView {
    /// Its words.
    pub command: String,
    /// When it ended, RFC 3339.
    #[schemars(with = "forms::Time")]
    pub at: String,
    /// How it ended.
    pub exit_code: u8,
    /// When one last ended with exit code 0.
    #[schemars(with = "Option<forms::Time>")]
    pub last_success: Option<String>,
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
            mend: say(&vital.mend),
        }
    }
}

impl From<&Trouble> for TroubleView {
    fn from(trouble: &Trouble) -> Self {
        Self {
            area: match trouble.area {
                Area::Risk => "risk",
                Area::Oracle => "oracle",
                Area::Farm => "farm",
            },
            subject: trouble.subject.clone(),
            kind: trouble.kind.clone(),
            why: trouble.why.clone(),
            since: clock::rfc3339(trouble.since),
        }
    }
}

impl From<&LastRun> for RunView {
    fn from(run: &LastRun) -> Self {
        Self {
            command: run.command.clone(),
            at: clock::rfc3339(run.at),
            exit_code: run.exit_code,
            last_success: run.success_at.map(clock::rfc3339),
        }
    }
}
