//! How fast ledgers close, measured between two of them: lengths are set in seconds, and the network counts ledgers. Pure.

use crate::replies::Ledger;

/// Fewer ledgers than these say nothing of the pace.
const FEW: u32 = 100;
/// Seconds of a ledger, where nothing is measured.
const USUAL: u64 = 5;
/// The most seconds that a ledger takes. The least is one: close times are whole seconds.
const SLOWEST: u64 = 10;

/// So many ledgers in so many seconds; never none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerPace {
    ledgers: u64,
    seconds: u64,
}

impl Default for LedgerPace {
    /// What is usual.
    fn default() -> Self {
        Self { ledgers: 1, seconds: USUAL }
    }
}

impl LedgerPace {
    /// The pace between two ledgers; what is usual where they lie too close together. A network that stood still meanwhile
    /// is not slow for it.
    pub fn between(older: Ledger, newer: Ledger) -> Self {
        let ledgers = newer.sequence.saturating_sub(older.sequence);
        if ledgers < FEW {
            return Self::default();
        }
        let ledgers = u64::from(ledgers);
        let seconds = newer.close_time.saturating_sub(older.close_time);
        Self { ledgers, seconds: seconds.clamp(ledgers, ledgers.saturating_mul(SLOWEST)) }
    }

    /// The most ledgers that may close in so many seconds, whatever the pace.
    pub fn at_most(seconds: u64) -> u32 {
        u32::try_from(seconds).unwrap_or(u32::MAX)
    }

    /// Ledgers that close in so many seconds, a begun one included.
    pub fn ledgers_in(self, seconds: u64) -> u32 {
        let ledgers = (u128::from(seconds) * u128::from(self.ledgers)).div_ceil(u128::from(self.seconds));
        u32::try_from(ledgers).unwrap_or(u32::MAX)
    }

    /// Seconds in which so many ledgers close.
    pub fn seconds_of(self, ledgers: u32) -> u64 {
        let seconds = u128::from(ledgers) * u128::from(self.seconds) / u128::from(self.ledgers);
        u64::try_from(seconds).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: u64 = 86_400;

    fn between(ledgers: u32, seconds: u64) -> LedgerPace {
        let older = Ledger { sequence: 1_000, close_time: 1_700_000_000 };
        let newer = Ledger {
            sequence: older.sequence.saturating_add(ledgers),
            close_time: older.close_time.saturating_add(seconds),
        };
        LedgerPace::between(older, newer)
    }

    #[test]
    fn lengths_follow_the_measured_pace() {
        for (ledgers, seconds, day, why) in [
            (17_280, 86_400, 17_280, "five seconds each"),
            (120_960, 604_800, 17_280, "a week of them"),
            (34_560, 86_400, 34_560, "ledgers of two and a half seconds"),
            (15_000, 86_400, 15_000, "slower ones"),
            (1_000, 1_000, 86_400, "a second each"),
            (1_000, 10, 86_400, "more than one in a second cannot be told"),
            (1_000, 0, 86_400, "nor ones without time"),
            (100, 1_000, 8_640, "ten seconds each"),
            (100, 90_000, 8_640, "the network stood still for a day"),
            (99, 99, 17_280, "too few to tell"),
            (0, 0, 17_280, "one and the same"),
        ] {
            assert_eq!(between(ledgers, seconds).ledgers_in(DAY), day, "{why}");
        }
        // The later one first.
        let (a, b) = (Ledger { sequence: 9_000, close_time: 9 }, Ledger { sequence: 1, close_time: 90 });
        assert_eq!(LedgerPace::between(a, b), LedgerPace::default());
        assert_eq!(between(34_560, DAY).seconds_of(1_440), 3_600);
        assert_eq!(LedgerPace::default().ledgers_in(1), 1, "a begun ledger counts");
    }

    proptest! {
        #[test]
        fn no_pace_is_beyond_its_bounds(ledgers: u32, seconds: u64, length: u64, count: u32) {
            let pace = between(ledgers, seconds);
            let found = pace.ledgers_in(length);
            prop_assert!(found <= LedgerPace::at_most(length));
            prop_assert!(u64::from(found) >= (length / SLOWEST).min(u32::MAX.into()));
            prop_assert!((u64::from(count)..=u64::from(count) * SLOWEST).contains(&pace.seconds_of(count)));
        }
    }
}
