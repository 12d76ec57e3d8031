//! When something is overdue, and how grave it is what is wrong. Pure.

use base::clock;
use config::Severity;
use kale::alerts::{NOT_READY, SPONSOR_LOW};
use serde::Serialize;
use state::alert::Area;
use strum::IntoStaticStr;
use vault::risk::rules::Rule;

/// Seconds that every limit is given on top: cron begins by the minute, and a run takes its time.
pub const GRACE_SEC: u64 = 60;

/// How an age stands against its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr, Serialize)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Within its limit.
    Ok,
    /// Above its limit.
    Overdue,
    /// Above twice its limit, or dated in the future.
    Stalled,
}

impl Grade {
    /// Its stable word.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// How grave that is; what is long overdue is critical. `None` where nothing is wrong.
    pub const fn severity(self) -> Option<Severity> {
        match self {
            Self::Ok => None,
            Self::Overdue => Some(Severity::Warning),
            Self::Stalled => Some(Severity::Critical),
        }
    }
}

/// How grave something of this kind is that is open. What stops no money is a warning; all else is critical, and so is what is
/// not known here.
pub fn severity(area: Area, kind: &str) -> Severity {
    const WARNINGS: [Rule; 4] = [
        Rule::TvlCapExceeded,
        Rule::DailyWithdrawalLimitExceeded,
        Rule::UserDailyLimitExceeded,
        Rule::RiskUnknown,
    ];
    let warns = match area {
        Area::Risk => WARNINGS.iter().any(|rule| rule.as_str() == kind),
        Area::Farm => [NOT_READY, SPONSOR_LOW].contains(&kind),
        Area::Oracle | Area::Notify => true,
    };
    if warns { Severity::Warning } else { Severity::Critical }
}

/// The age at `now` of what happened at `then`, both seconds since 1970, and how it stands against `limit_sec`.
pub fn grade(then: i64, now: i64, limit_sec: u64) -> (Option<u64>, Grade) {
    let Some(age) = clock::age(then, now) else { return (None, Grade::Stalled) };
    let beyond = |limit: u64| age > limit.saturating_add(GRACE_SEC);
    let grade = if beyond(limit_sec.saturating_mul(2)) {
        Grade::Stalled
    } else if beyond(limit_sec) {
        Grade::Overdue
    } else {
        Grade::Ok
    };
    (Some(age), grade)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_include_their_edge_and_a_minute() {
        for (age, want) in [
            (0, Grade::Ok),
            (300, Grade::Ok),
            (360, Grade::Ok),
            (361, Grade::Overdue),
            (660, Grade::Overdue),
            (661, Grade::Stalled),
        ] {
            assert_eq!(grade(1_000_000 - age, 1_000_000, 300), (Some(age.unsigned_abs()), want), "{age}");
        }
    }

    #[test]
    fn what_stops_money_is_critical() {
        for (area, kind, want) in [
            (Area::Risk, "circuit_breaker_active", Severity::Critical),
            (Area::Risk, "contract_changed", Severity::Critical),
            (Area::Risk, "tvl_cap_exceeded", Severity::Warning),
            (Area::Risk, "something_new", Severity::Critical),
            (Area::Oracle, "stale", Severity::Warning),
            (Area::Farm, "stake_lost", Severity::Critical),
            (Area::Farm, "work_missed", Severity::Critical),
            (Area::Farm, "pail_expiring", Severity::Critical),
            (Area::Farm, "pail_out_of_sight", Severity::Critical),
            (Area::Farm, "farm_code_changed", Severity::Critical),
            (Area::Farm, "sponsor_low", Severity::Warning),
            (Area::Farm, "not_ready", Severity::Warning),
            (Area::Notify, "undelivered", Severity::Warning),
        ] {
            assert_eq!(severity(area, kind), want, "{kind}");
        }
        let grades = [Grade::Ok, Grade::Overdue, Grade::Stalled].map(Grade::severity);
        assert_eq!(grades, [None, Some(Severity::Warning), Some(Severity::Critical)]);
    }

    #[test]
    fn the_future_is_no_health() {
        assert_eq!(grade(1_000, 990, 300), (Some(0), Grade::Ok), "clocks are set back now and then");
        assert_eq!(grade(10_000, 1_000, 300), (None, Grade::Stalled));
        assert_eq!(grade(i64::MIN, i64::MAX, u64::MAX).1, Grade::Ok);
    }
}
