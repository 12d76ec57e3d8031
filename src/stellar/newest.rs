//! The newest ledger that is believed: what endpoints say of it, held against the clock and against each other.
//!
//! A false number must neither be taken, nor make every sound endpoint look behind for ever. So it is bounded by the time
//! that has passed, and given up when nobody confirms it. Times are since any moment of this process.

use super::replies::Ledger;
use std::collections::BTreeMap;
use std::time::Duration;

/// Ledgers that the servers of a network may be apart, beside one for each [`USUAL`] seconds.
const SKEW: u32 = 5;
/// Seconds in which a ledger closes, about.
const USUAL: u64 = 4;
/// Ledgers that an answer may be ahead beside one for each second: more needs a second word. What is within it, and more
/// than the network's pace, is taken, and taken back as soon as an answer is below it.
const SLACK: u32 = 64;
/// Seconds of ledger time in the same sense.
const SLACK_TIME: u64 = 60;
/// Seconds that a ledger may take; the network's take some five, and never less than one.
const SLOWEST: u64 = 10;
/// After so long without anybody confirming it, the newest ledger gives way to what an endpoint shows that goes on.
const FORGET: Duration = Duration::from_secs(30);

/// What an answer says of the newest ledger; not all of them tell when it closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    pub sequence: u32,
    pub close_time: Option<u64>,
}

impl From<Ledger> for Said {
    fn from(ledger: Ledger) -> Self {
        Self { sequence: ledger.sequence, close_time: Some(ledger.close_time) }
    }
}

impl From<u32> for Said {
    fn from(sequence: u32) -> Self {
        Self { sequence, close_time: None }
    }
}

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Voice {
    /// Its place among the endpoints.
    pub place: usize,
    /// There is no other endpoint.
    pub alone: bool,
}

/// When a question was asked, and which ledger was believed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Inquiry {
    pub at: Duration,
    pub floor: u32,
}

/// Why an answer is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is older than this ledger.
    Behind(u32),
    /// It cannot be so soon after this one, nor close before it.
    Beyond(u32),
}

/// The ledger that is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    sequence: u32,
    /// Not known where only answers without it have told of the ledger.
    close_time: Option<u64>,
    /// When it was first said.
    since: Duration,
    /// When it was last said, or a later one.
    heard: Duration,
    /// It was to be expected, or a second answer agreed.
    confirmed: bool,
    /// The newest ledger of which that is true.
    base: u32,
}

/// What an endpoint says against the mark, since the mark was confirmed last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Claim {
    sequence: u32,
    since: Duration,
}

/// What an answer does to the mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MarkChange {
    Confirms,
    Contradicts,
    /// It stands for the mark from now on.
    Replaces,
}

/// The rule. `own` is what the same endpoint has claimed before; `seconded` says that another one, or this one where it
/// is alone, has claimed about the same.
fn judge(mark: &Mark, said: Said, own: Option<Claim>, seconded: bool, now: Duration) -> MarkChange {
    let passed = now.saturating_sub(mark.since).as_secs();
    let ahead = said.sequence.checked_sub(mark.sequence);
    let in_time = |ahead: u32| {
        said.close_time.zip(mark.close_time).is_none_or(|(time, before)| {
            let allowed = passed.max(SLOWEST.saturating_mul(ahead.into())).saturating_add(SLACK_TIME);
            let later = time.checked_sub(before);
            later.is_some_and(|later| if ahead == 0 { later == 0 } else { later <= allowed })
        })
    };
    if ahead.is_some_and(|ahead| is_near(ahead, passed) && in_time(ahead)) {
        return MarkChange::Confirms;
    }
    // One word against another: the later one counts, unless it may be a server that is a little behind.
    let behind = mark.sequence.saturating_sub(said.sequence);
    let undone = behind > SKEW && !mark.confirmed && said.sequence >= mark.base;
    // Nobody has confirmed the mark for long, while this endpoint went on.
    let outlived = now.saturating_sub(mark.heard) >= FORGET
        && own.is_some_and(|own| now.saturating_sub(own.since) >= FORGET && said.sequence > own.sequence);
    let beyond = ahead.is_some() && seconded;
    if undone || outlived || beyond { MarkChange::Replaces } else { MarkChange::Contradicts }
}

/// Whether so many ledgers can have closed in so many seconds, at one a second.
fn is_near(ledgers: u32, passed: u64) -> bool {
    u64::from(ledgers) <= passed.saturating_add(SLACK.into())
}

/// What is believed, and what is said against it.
#[derive(Debug, Clone, Default)]
pub(super) struct Newest {
    mark: Option<Mark>,
    claims: BTreeMap<usize, Claim>,
    /// Since when a newer one has been waited for.
    waiting: Duration,
}

impl Newest {
    /// The ledger that is believed, once it is known when it closed.
    pub fn ledger(&self) -> Option<Ledger> {
        let mark = self.mark?;
        Some(Ledger { sequence: mark.sequence, close_time: mark.close_time? })
    }

    /// The ledger, where no newer one has come for `long`; the next one gets as long.
    pub fn stands_still(&mut self, long: Duration, now: Duration) -> Option<Ledger> {
        let ledger = self.ledger().filter(|_| now.saturating_sub(self.waiting) >= long)?;
        self.waiting = now;
        Some(ledger)
    }

    /// What an answer to a question that is asked now is held against.
    pub fn ask(&self, now: Duration) -> Inquiry {
        Inquiry { at: now, floor: self.mark.map_or(0, |mark| mark.sequence) }
    }

    /// Takes what an answer says. What comes in the same answer again, or was under way meanwhile, is no second word.
    /// Errors: it is not believed.
    pub fn hear(
        &mut self,
        by: Voice,
        said: impl Into<Said>,
        asked: Inquiry,
        now: Duration,
    ) -> Result<(), Refused> {
        let said = said.into();
        let Some(mark) = self.mark else {
            self.replace(said, 0, now);
            return Ok(());
        };
        let own = self.claims.get(&by.place).copied();
        let agrees = |claim: &Claim| {
            is_near(claim.sequence.abs_diff(said.sequence), now.saturating_sub(claim.since).as_secs())
        };
        let seconded = if by.alone {
            own.as_ref().is_some_and(|own| own.since <= asked.at && agrees(own))
        } else {
            self.claims.iter().any(|(place, claim)| *place != by.place && agrees(claim))
        };
        match judge(&mark, said, own, seconded, now) {
            MarkChange::Confirms => self.confirm(mark, said, asked, now),
            MarkChange::Replaces => self.replace(said, mark.base.min(said.sequence), now),
            // Asked before the mark was made.
            MarkChange::Contradicts if (asked.floor..mark.sequence).contains(&said.sequence) => {}
            MarkChange::Contradicts => {
                let is_behind = said.sequence < mark.sequence;
                // The same story as before, gone on.
                let goes_on =
                    own.is_some_and(|own| said.sequence >= own.sequence && (is_behind || agrees(&own)));
                if !goes_on {
                    self.claims.insert(by.place, Claim { sequence: said.sequence, since: now });
                }
                let refused = if is_behind { Refused::Behind } else { Refused::Beyond };
                return Err(refused(mark.sequence));
            }
        }
        Ok(())
    }

    fn confirm(&mut self, mark: Mark, said: Said, asked: Inquiry, now: Duration) {
        self.claims.clear();
        let confirmed = mark.confirmed || mark.since <= asked.at;
        let base = if confirmed { mark.sequence } else { mark.base };
        let ahead = said.sequence.saturating_sub(mark.sequence);
        let tells_more = said.close_time.is_some() && (ahead > 0 || mark.close_time.is_none());
        self.mark = Some(if tells_more {
            let usual = now.saturating_sub(mark.since).as_secs() / USUAL;
            let expected = confirmed && u64::from(ahead) <= usual.saturating_add(SKEW.into());
            self.waiting = now;
            let base = if expected { said.sequence } else { base };
            Mark { confirmed: expected, base, ..Mark::new(said, now) }
        } else {
            Mark { heard: now, confirmed, base, ..mark }
        });
    }

    fn replace(&mut self, said: Said, base: u32, now: Duration) {
        self.claims.clear();
        self.waiting = now;
        self.mark = Some(Mark { base, ..Mark::new(said, now) });
    }
}

impl Mark {
    const fn new(said: Said, now: Duration) -> Self {
        let Said { sequence, close_time } = said;
        Self { sequence, close_time, since: now, heard: now, confirmed: false, base: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: Voice = Voice { place: 0, alone: false };
    const B: Voice = Voice { place: 1, alone: false };
    const LONE: Voice = Voice { place: 0, alone: true };

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn mark(sequence: u32, confirmed: bool) -> Mark {
        let base = if confirmed { sequence } else { 930 };
        let said = Said { sequence, close_time: Some(5_000) };
        Mark { confirmed, base, ..Mark::new(said, seconds(100)) }
    }

    #[test]
    fn an_answer_is_held_against_the_clock() {
        use MarkChange::{Confirms, Contradicts, Replaces};
        type Row = (u32, Option<u64>, u64, bool, Option<Claim>, bool, MarkChange);
        let claim = |sequence, since| Some(Claim { sequence, since: seconds(since) });
        // The mark is ledger 1000, closed at 5000, said at second 100.
        let rows: &[Row] = &[
            // Sequence, close time, now, mark confirmed, claimed before by the same, seconded.
            (1000, Some(5_000), 100, true, None, false, Confirms),
            (1000, None, 100, true, None, false, Confirms),
            (1001, Some(5_005), 105, true, None, false, Confirms),
            (1064, Some(5_320), 100, true, None, false, Confirms),
            (1065, Some(5_325), 100, true, None, false, Contradicts),
            (1065, Some(5_325), 101, true, None, false, Confirms),
            (u32::MAX, None, 100, true, None, false, Contradicts),
            (u32::MAX, None, 10_000, false, None, false, Contradicts),
            // Ledgers that take long, and a network that stood still.
            (1001, Some(5_070), 100, true, None, false, Confirms),
            (1001, Some(5_071), 100, true, None, false, Contradicts),
            (1001, Some(8_660), 3_700, true, None, false, Confirms),
            (1001, Some(8_661), 3_700, true, None, false, Contradicts),
            // Time never runs back, and a ledger closes once.
            (1001, Some(4_999), 105, true, None, false, Contradicts),
            (1000, Some(5_001), 105, true, None, false, Contradicts),
            // Behind: a little, far, and against one word alone.
            (999, Some(4_995), 105, true, None, false, Contradicts),
            (999, Some(4_995), 105, false, None, false, Contradicts),
            (995, Some(4_975), 105, false, None, false, Contradicts),
            (994, Some(4_970), 105, false, None, false, Replaces),
            (930, Some(4_650), 105, false, None, false, Replaces),
            // Never below what was confirmed before.
            (929, Some(4_645), 105, false, None, false, Contradicts),
            (935, Some(4_675), 105, true, None, false, Contradicts),
            (935, Some(4_675), 105, true, None, true, Contradicts),
            // Another endpoint says so too.
            (5000, Some(25_000), 105, true, None, true, Replaces),
            // Nobody confirms the mark, while one goes on for long enough.
            (936, None, 130, true, claim(930, 100), false, Replaces),
            (936, None, 129, true, claim(930, 99), false, Contradicts),
            (936, None, 135, true, claim(930, 106), false, Contradicts),
            (930, None, 130, true, claim(930, 100), false, Contradicts),
            (5006, None, 130, true, claim(5000, 100), false, Replaces),
        ];
        for &(sequence, close_time, now, confirmed, own, seconded, want) in rows {
            let said = Said { sequence, close_time };
            let got = judge(&mark(1000, confirmed), said, own, seconded, seconds(now));
            assert_eq!(got, want, "{said:?} at {now} ({confirmed}, {own:?}, {seconded})");
        }
    }

    fn ledger(sequence: u32) -> Ledger {
        Ledger { sequence, close_time: u64::from(sequence) * 5 }
    }

    /// Hears in order: when, who, which ledger, whether it is believed, and which is believed then.
    fn told(rows: &[(u64, Voice, u32, bool, u32)]) {
        let mut newest = Newest::default();
        for &(now, by, sequence, taken, then) in rows {
            let asked = newest.ask(seconds(now));
            let heard = newest.hear(by, ledger(sequence), asked, seconds(now));
            assert_eq!(heard.is_ok(), taken, "second {now}: {sequence}: {heard:?}");
            assert_eq!(newest.ledger(), Some(ledger(then)), "second {now}");
        }
    }

    #[test]
    fn stories_of_several_endpoints() {
        // A lie in the middle: refused, and nothing is behind afterwards.
        told(&[(0, A, 1000, true, 1000), (5, A, 900_000, false, 1000), (6, B, 1001, true, 1001)]);
        // A lie at first contact: the next word counts.
        told(&[(0, A, 900_000, true, 900_000), (1, B, 1000, true, 1000), (2, A, 1000, true, 1000)]);
        // The same below the truth.
        told(&[(0, A, 7, true, 7), (1, A, 1000, false, 7), (2, B, 1000, true, 1000)]);
        // The machine slept: two endpoints say so, or one that is alone twice.
        told(&[(0, A, 1000, true, 1000), (1, A, 2000, false, 1000), (2, B, 2001, true, 2001)]);
        told(&[(0, LONE, 1000, true, 1000), (1, LONE, 2000, false, 1000), (2, LONE, 2000, true, 2000)]);
        // A small lie within what the clock allows is undone by the next word.
        told(&[
            (0, A, 1000, true, 1000),
            (1, A, 1000, true, 1000),
            (2, A, 1060, true, 1060),
            (3, B, 1001, true, 1001),
        ]);
        // A smaller one is outlived by the network.
        let mut rows = vec![(0, A, 1000, true, 1000), (1, A, 1000, true, 1000), (2, A, 1005, true, 1005)];
        rows.extend((1..=4).map(|n| (n * 5, B, 1000 + u32::try_from(n).unwrap(), false, 1005)));
        rows.push((25, B, 1005, true, 1005));
        told(&rows);
        // Two of one voice are forgotten when nobody confirms them.
        let mut rows = vec![(0, A, 1000, true, 1000), (1, A, 1000, true, 1000)];
        rows.extend([(2, A, 1060, true, 1060), (3, A, 1060, true, 1060)]);
        rows.extend((1..=6).map(|n| (n * 5, B, 1000 + u32::try_from(n).unwrap(), false, 1060)));
        rows.push((36, B, 1007, true, 1007));
        told(&rows);
        // One that stands still is never taken for the network.
        let mut rows = vec![(0, A, 1000, true, 1000), (1, A, 1000, true, 1000)];
        rows.extend((1..50).map(|n| (n * 5, B, 900, false, 1000)));
        told(&rows);
    }

    #[test]
    fn what_is_known_without_its_time_bounds_the_next_word_too() {
        let mut newest = Newest::default();
        let mut hear = |sequence: u32, time: Option<u64>, now: u64| {
            let (asked, said) = (newest.ask(seconds(now)), Said { sequence, close_time: time });
            (newest.hear(LONE, said, asked, seconds(now)), newest.ledger())
        };
        assert_eq!(hear(900_000, Some(1), 0), (Ok(()), Some(Ledger { sequence: 900_000, close_time: 1 })));
        assert_eq!(hear(1000, None, 1), (Ok(()), None));
        assert_eq!(hear(900_000, Some(1), 2), (Err(Refused::Beyond(1000)), None));
        assert_eq!(hear(1001, Some(5_005), 3), (Ok(()), Some(ledger(1001))));
    }

    proptest! {
        /// Whatever one answer says, at whatever time: two endpoints that tell the truth are believed again within a
        /// little more than [`FORGET`], and what is believed then is what they say.
        #[test]
        fn one_lie_is_outlived(
            at in 0_u64..40,
            lie in prop_oneof![any::<u32>(), 999_900_u32..1_000_200],
            time in prop_oneof![any::<u64>(), 4_999_500_u64..5_001_000],
            spells in any::<bool>(),
        ) {
            let mut newest = Newest::default();
            let mut refused_last = 0;
            for turn in 0..60_u64 {
                let now = seconds(turn * 5);
                let truth = ledger(1_000_000 + u32::try_from(turn).unwrap());
                for by in [A, B] {
                    let asked = newest.ask(now);
                    if turn == at && by == A {
                        let close_time = if spells { Some(time) } else { None };
                        // As often as one answer may hold it.
                        for _ in 0..3 {
                            let _ = newest.hear(by, Said { sequence: lie, close_time }, asked, now + seconds(1));
                        }
                        continue;
                    }
                    if newest.hear(by, truth, asked, now).is_err() {
                        refused_last = turn;
                    }
                }
            }
            let truth = ledger(1_000_059);
            prop_assert_eq!(newest.ledger(), Some(truth));
            prop_assert!(refused_last <= at + 8, "{} after {}", refused_last, at);
        }

        /// Endpoints that tell the truth, one of them a few ledgers behind: the newest is never given up.
        #[test]
        fn the_truth_is_never_given_up(lag in 0_u32..6, pace in 1_u64..8) {
            let mut newest = Newest::default();
            let mut most = 0;
            for turn in 0..200_u32 {
                let now = seconds(u64::from(turn) * pace);
                let truth = 1_000 + turn;
                for (by, sequence) in [(A, truth), (B, truth - lag)] {
                    let asked = newest.ask(now);
                    let heard = newest.hear(by, ledger(sequence), asked, now);
                    prop_assert_eq!(heard.is_ok(), sequence >= asked.floor);
                }
                let known = newest.ledger().unwrap().sequence;
                prop_assert!(known >= most);
                most = known;
            }
        }
    }
}
