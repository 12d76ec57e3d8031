//! The wall clock, handed in so that tests can hold it still. Chains have their own time; this one only
//! dates records.

use jiff::Timestamp;
use std::time::Duration;

/// Where "now" comes from.
#[derive(Debug, Clone, Copy, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// Always this second since 1970-01-01 UTC.
    Fixed(i64),
}

impl Clock {
    /// Seconds since 1970-01-01 UTC.
    pub fn now(self) -> i64 {
        match self {
            Self::System => Timestamp::now().as_second(),
            Self::Fixed(second) => second,
        }
    }

    /// The present as RFC 3339 UTC with milliseconds.
    pub fn rfc3339(self) -> String {
        let now = match self {
            Self::System => Timestamp::now(),
            Self::Fixed(second) => Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH),
        };
        format!("{now:.3}")
    }
}

/// Seconds since 1970 as RFC 3339 UTC; the number itself where it is outside the calendar.
pub fn rfc3339(second: i64) -> String {
    Timestamp::from_second(second).map_or_else(|_| second.to_string(), |t| t.to_string())
}

/// Seconds by which a record may lie in the future: clocks are set back now and then.
const SKEW_SEC: i64 = 300;

/// The age of a record in seconds; `None` where it is dated so far in the future that its age cannot be told.
pub fn age(then: i64, now: i64) -> Option<u64> {
    let age = now.saturating_sub(then);
    (age >= -SKEW_SEC).then(|| u64::try_from(age).unwrap_or(0))
}

/// A span for a person: the two largest units, `3m 12s`.
pub fn span(seconds: u64) -> String {
    let parts = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let mut left = seconds;
    let mut words = Vec::new();
    for (unit, name) in parts {
        let n = left / unit;
        left %= unit;
        if n > 0 || (unit == 1 && words.is_empty()) {
            words.push(format!("{n}{name}"));
        } else if !words.is_empty() {
            break;
        }
        if words.len() == 2 {
            break;
        }
    }
    words.join(" ")
}

/// Reads `30s`, `5m`, `2h`, `1d`, `1w` or `250ms`; a bare number is refused, since nobody can tell its unit.
pub fn parse_span(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(split);
    let n: u64 = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(n)),
        "s" => Some(Duration::from_secs(n)),
        "m" => Some(Duration::from_secs(n.checked_mul(60)?)),
        "h" => Some(Duration::from_secs(n.checked_mul(3_600)?)),
        "d" => Some(Duration::from_secs(n.checked_mul(86_400)?)),
        "w" => Some(Duration::from_secs(n.checked_mul(604_800)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        for (s, want) in
            [(0, "0s"), (59, "59s"), (192, "3m 12s"), (3600, "1h"), (90_061, "1d 1h"), (3_601, "1h")]
        {
            assert_eq!(span(s), want);
        }
        assert_eq!(parse_span("30s"), Some(Duration::from_secs(30)));
        assert_eq!(parse_span("2h"), Some(Duration::from_hours(2)));
        assert_eq!(parse_span("13w"), Some(Duration::from_hours(13 * 7 * 24)));
        for bad in ["", "30", "s", "-1s", "1.5s", "1 s", "99999999999999999999s", "1y"] {
            assert_eq!(parse_span(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_record_of_the_far_future_has_no_age() {
        assert_eq!(age(100, 107), Some(7));
        assert_eq!(age(100, 100), Some(0));
        assert_eq!(age(400, 100), Some(0), "a clock that was set back a little");
        assert_eq!(age(401, 100), None);
        assert_eq!(age(i64::MAX, i64::MIN), None);
    }

    #[test]
    fn times_are_utc() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(Clock::Fixed(1).rfc3339(), "1970-01-01T00:00:01.000Z");
    }
}
