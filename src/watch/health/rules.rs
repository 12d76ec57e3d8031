//! When something is overdue. Pure.

use base::clock;
use serde::Serialize;
use strum::IntoStaticStr;

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
    fn the_future_is_no_health() {
        assert_eq!(grade(1_000, 990, 300), (Some(0), Grade::Ok), "clocks are set back now and then");
        assert_eq!(grade(10_000, 1_000, 300), (None, Grade::Stalled));
        assert_eq!(grade(i64::MIN, i64::MAX, u64::MAX).1, Grade::Ok);
    }
}
