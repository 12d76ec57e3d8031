//! The wall clock, handed in so that tests can hold it still. Chains have their own time; this one only
//! dates records.

use jiff::Timestamp;
use serde::{Serialize, Serializer};
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

/// Seconds since 1970 as RFC 3339 UTC, in a document.
pub fn serialize<S: Serializer>(second: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*second))
}

/// The same, or null.
pub fn serialize_if<S: Serializer>(second: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    second.map(rfc3339).serialize(serializer)
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
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let mut counts = UNITS.iter().scan(seconds, |left, (unit, name)| {
        let count = *left / unit;
        *left %= unit;
        Some((count, name))
    });
    let Some((count, name)) = counts.find(|(count, _)| *count > 0) else { return "0s".to_owned() };
    let next = counts.next().filter(|(count, _)| *count > 0);
    format!("{count}{name}") + &next.map(|(count, name)| format!(" {count}{name}")).unwrap_or_default()
}

/// The longest duration that is taken: a hundred years and some. Any time of day plus or minus it can be told.
pub const LONGEST: (&str, Duration) = ("5300w", Duration::from_hours(5_300 * 7 * 24));

/// Why a text is no duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadDuration {
    /// No whole number with a unit.
    Malformed,
    /// Longer than [`LONGEST`].
    TooLong,
}

/// Reads `30s`, `5m`, `2h`, `1d`, `1w` or `250ms`; a bare number is refused, since nobody can tell its unit.
pub fn duration(text: &str) -> Result<Duration, BadDuration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let unit_ms: u64 = match text.split_at(digits).1 {
        _ if digits == 0 => return Err(BadDuration::Malformed),
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 604_800_000,
        _ => return Err(BadDuration::Malformed),
    };
    // Digits alone can only fail to be a number by being too large a one.
    let span =
        text[..digits].parse().ok().and_then(|n: u64| n.checked_mul(unit_ms)).map(Duration::from_millis);
    span.filter(|span| *span <= LONGEST.1).ok_or(BadDuration::TooLong)
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
    }

    #[test]
    fn durations_have_a_unit_and_a_limit() {
        for (text, seconds) in [("30s", 30), ("5m", 300), ("2h", 7_200), ("1d", 86_400), ("13w", 7_862_400)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration(LONGEST.0), Ok(LONGEST.1));
        for bad in ["", "30", "s", "-1s", "+1s", "1.5s", "1 s", " 1s", "1s ", "1y", "é", "１s"] {
            assert_eq!(duration(bad), Err(BadDuration::Malformed), "{bad}");
        }
        for long in ["5301w", "3205440000001ms", "18446744073709551615s", "18446744073709551616s"] {
            assert_eq!(duration(long), Err(BadDuration::TooLong), "{long}");
        }
        assert_eq!(duration(&format!("{}s", "9".repeat(1_000))), Err(BadDuration::TooLong));
        let now = Timestamp::now();
        assert!(now.checked_sub(jiff::SignedDuration::try_from(LONGEST.1).unwrap()).is_ok());
        assert!(std::time::Instant::now().checked_add(LONGEST.1).is_some());
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
