//! What is to be told: each edge once, in one message per pool, farm or other topic; to whom, and when it is tried again. Pure.

use config::{Channel, Severity};
use serde::Serialize;
use state::alert::Area;
use std::collections::BTreeMap;
use std::time::Duration;
use strum::IntoStaticStr;

/// Something that should not be, as it is now or as it was told last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// `risk`, `oracle`, `farm`, `notify`, `job` or `transaction`.
    pub area: String,
    /// The pool, feed, farmer, pooler or channel; empty where it is one for all.
    pub subject: String,
    /// The rule, the kind of alert, or the job.
    pub kind: String,
    /// What it is told together with: `pool growth`, `farm north`, `prices`.
    pub topic: String,
    /// How grave it is.
    pub severity: Severity,
    /// Why, in words; of what is over, nothing.
    pub why: String,
    /// Since when, RFC 3339.
    #[serde(serialize_with = "base::clock::serialize")]
    pub since: i64,
}

impl Condition {
    fn key(&self) -> [&str; 3] {
        [&self.area, &self.subject, &self.kind]
    }

    /// Whether it is one of these channels that it is about.
    pub fn is_about_one_of(&self, channels: &[String]) -> bool {
        self.area == Self::area(Area::Notify) && channels.contains(&self.subject)
    }

    /// The word of an area of alerts.
    pub fn area(area: Area) -> &'static str {
        match area {
            Area::Risk => "risk",
            Area::Oracle => "oracle",
            Area::Farm => "farm",
            Area::Notify => "notify",
        }
    }
}

/// What became of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Edge {
    /// A stake is lost, for good.
    Lost,
    /// It is new.
    New,
    /// It is graver than was told.
    Worse,
    /// It is over.
    Resolved,
}

impl Edge {
    /// Its stable word.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// One thing to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What became of it.
    pub change: Edge,
    /// The condition; what is over as it was told.
    #[serde(flatten)]
    pub of: Condition,
}

/// What to tell, from what was told and holds still, what holds now, and losses that were not told yet. What was told as grave
/// stays so until it is over: one that goes up and down is told once.
pub fn changes(told: &[Condition], now: &[Condition], losses: &[Condition]) -> Vec<Change> {
    let told: BTreeMap<_, _> = told.iter().map(|one| (one.key(), one)).collect();
    let mut holds: BTreeMap<_, &Condition> = BTreeMap::new();
    for one in now {
        let gravest = holds.entry(one.key()).or_insert(one);
        if one.severity > gravest.severity {
            *gravest = one;
        }
    }
    let lost = losses.iter().map(|of| (Edge::Lost, of));
    let holding = holds.iter().filter_map(|(key, of)| match told.get(key) {
        None => Some((Edge::New, *of)),
        Some(before) if of.severity > before.severity => Some((Edge::Worse, *of)),
        Some(_) => None,
    });
    let over = told.iter().filter(|(key, _)| !holds.contains_key(*key)).map(|(_, of)| (Edge::Resolved, *of));
    let all = lost.chain(holding).chain(over);
    all.map(|(change, of)| Change { change, of: of.clone() }).collect()
}

/// What is told of one topic at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The pool, the farm, or what else it is about.
    pub topic: String,
    /// One by one; the gravest first.
    pub changes: Vec<Change>,
}

impl Message {
    /// How grave the gravest of it is.
    pub fn severity(&self) -> Severity {
        self.changes.iter().map(|change| change.of.severity).max().unwrap_or_default()
    }

    /// Whether all of it is good news.
    pub fn is_resolved(&self) -> bool {
        self.changes.iter().all(|change| change.change == Edge::Resolved)
    }

    /// As it goes to a channel: without what is less grave than the channel takes, and without what is about the channel
    /// itself. `None` where nothing is left.
    pub fn routed(&self, channel: &Channel) -> Option<Self> {
        let own = |of: &Condition| of.area == Condition::area(Area::Notify) && of.subject == channel.name;
        let kept =
            self.changes.iter().filter(|change| change.of.severity >= channel.least && !own(&change.of));
        let changes: Vec<Change> = kept.cloned().collect();
        (!changes.is_empty()).then(|| Self { topic: self.topic.clone(), changes })
    }
}

/// A message for each topic. A loss that is told needs no second line from the alert that it opened.
pub fn messages(changes: &[Change]) -> Vec<Message> {
    let is_said = |change: &Change| {
        let same = |other: &Change| other.change == Edge::Lost && other.of.key() == change.of.key();
        change.change == Edge::New && changes.iter().any(same)
    };
    let mut topics: BTreeMap<&str, Vec<Change>> = BTreeMap::new();
    for change in changes.iter().filter(|change| !is_said(change)) {
        topics.entry(&change.of.topic).or_default().push(change.clone());
    }
    let message = |(topic, mut changes): (&str, Vec<Change>)| {
        changes.sort_by_key(|change| (std::cmp::Reverse(change.of.severity), change.change));
        Message { topic: topic.to_owned(), changes }
    };
    topics.into_iter().map(message).collect()
}

/// The longest pause between two tries, unless the server asks for more.
const LONGEST_SEC: u64 = 3_600;
/// The longest pause that a server may ask for.
const MOST_ASKED_SEC: u64 = 86_400;

/// Seconds until the next try after so many: they double from `base_sec` on, and are never fewer than the server asked for.
pub fn pause(tries: u64, base_sec: u64, asked: Option<Duration>) -> i64 {
    let doubled = u32::try_from(tries.saturating_sub(1)).ok().and_then(|n| 1_u64.checked_shl(n));
    let own = doubled.and_then(|times| base_sec.checked_mul(times)).unwrap_or(LONGEST_SEC).min(LONGEST_SEC);
    let asked = asked.map_or(0, |wait| wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)));
    i64::try_from(own.max(asked.min(MOST_ASKED_SEC))).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::channels::Service;
    use proptest::prelude::*;

    fn of(subject: &str, kind: &str, severity: Severity) -> Condition {
        Condition {
            area: "risk".to_owned(),
            subject: subject.to_owned(),
            kind: kind.to_owned(),
            topic: format!("pool {subject}"),
            severity,
            why: "seen".to_owned(),
            since: 7,
        }
    }

    fn channel(least: Severity) -> Channel {
        let name = "ops".to_owned();
        Channel { name, service: Service::Ntfy, least, url: None, token: None, chat: None }
    }

    /// What is told after these changes.
    fn after(told: &[Condition], changes: &[Change]) -> Vec<Condition> {
        let mut told = told.to_vec();
        for change in changes.iter().filter(|change| change.change != Edge::Lost) {
            told.retain(|one| one.key() != change.of.key());
            if change.change != Edge::Resolved {
                told.push(change.of.clone());
            }
        }
        told
    }

    #[test]
    fn each_edge_is_told_once() {
        use Severity::{Critical, Info, Warning};
        for (told, now, want) in [
            (None, None, None),
            (None, Some(Warning), Some((Edge::New, Warning))),
            (Some(Warning), Some(Warning), None),
            (Some(Warning), Some(Critical), Some((Edge::Worse, Critical))),
            (Some(Critical), Some(Info), None),
            (Some(Critical), None, Some((Edge::Resolved, Critical))),
        ] {
            let one = |severity: Option<Severity>| severity.map(|severity| of("a", "sync", severity));
            let (told, now) = (Vec::from_iter(one(told)), Vec::from_iter(one(now)));
            let changes = changes(&told, &now, &[]);
            let found = changes.first().map(|change| (change.change, change.of.severity));
            assert_eq!((found, changes.len()), (want, usize::from(want.is_some())), "{told:?} {now:?}");
        }
    }

    #[test]
    fn one_topic_is_one_message_and_a_loss_one_line() {
        let lost = Condition {
            area: "farm".into(),
            topic: "farm north".into(),
            ..of("G", "stake_lost", Severity::Critical)
        };
        let now = [
            of("a", "sync", Severity::Warning),
            of("a", "drop", Severity::Critical),
            of("b", "sync", Severity::Warning),
            lost.clone(),
        ];
        let changes = changes(&[], &now, &[lost.clone(), lost]);
        assert_eq!(changes.len(), 6, "what is open is known, though it is not said");
        let messages = messages(&changes);
        let said: Vec<(&str, Vec<(Edge, &str)>)> = messages
            .iter()
            .map(|m| (m.topic.as_str(), m.changes.iter().map(|c| (c.change, c.of.kind.as_str())).collect()))
            .collect();
        assert_eq!(
            said,
            [
                ("farm north", vec![(Edge::Lost, "stake_lost"), (Edge::Lost, "stake_lost")]),
                ("pool a", vec![(Edge::New, "drop"), (Edge::New, "sync")]),
                ("pool b", vec![(Edge::New, "sync")]),
            ]
        );
        assert_eq!(messages[1].severity(), Severity::Critical);
        // A channel for what is grave hears of nothing else.
        assert_eq!(messages[1].routed(&channel(Severity::Critical)).unwrap().changes.len(), 1);
        assert_eq!(messages[2].routed(&channel(Severity::Critical)), None);
        assert_eq!(messages[2].routed(&channel(Severity::Info)).as_ref(), Some(&messages[2]));
    }

    #[test]
    fn a_channel_does_not_hear_of_itself() {
        let own = Condition { area: "notify".into(), ..of("ops", "undelivered", Severity::Critical) };
        let other = Condition { subject: "phone".into(), ..own.clone() };
        let told = messages(&changes(&[], &[own.clone(), other.clone()], &[]));
        let heard: Vec<_> =
            told.iter().filter_map(|message| message.routed(&channel(Severity::Info))).collect();
        assert_eq!(heard.len(), 1);
        assert_eq!(heard[0].changes.iter().map(|change| &change.of).collect::<Vec<_>>(), [&other]);
    }

    #[test]
    fn pauses_grow_to_an_hour_and_servers_may_ask_for_more() {
        let pauses: Vec<i64> = (1..=9).map(|tries| pause(tries, 30, None)).collect();
        assert_eq!(pauses, [30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600]);
        for (tries, base, asked, want) in [
            (u64::MAX, 1, None, 3_600),
            (0, 5, None, 5),
            (1, 30, Some(Duration::from_secs(7)), 30),
            (1, 30, Some(Duration::from_millis(90_001)), 91),
            (1, 30, Some(Duration::MAX), 86_400),
        ] {
            assert_eq!(pause(tries, base, asked), want, "{tries} {base} {asked:?}");
        }
    }

    fn conditions() -> impl Strategy<Value = Vec<Condition>> {
        let severity = prop_oneof![Just(Severity::Info), Just(Severity::Warning), Just(Severity::Critical)];
        let one =
            ("[ab]", "[xyz]", severity).prop_map(|(subject, kind, severity)| of(&subject, &kind, severity));
        prop::collection::vec(one, 0..8)
    }

    proptest! {
        /// However things come and go: nothing is told twice, nothing is left out, and what is over is said once.
        #[test]
        fn nothing_repeats_and_nothing_is_missed(looks in prop::collection::vec(conditions(), 1..8)) {
            let mut told: Vec<Condition> = Vec::new();
            for now in looks {
                let found = changes(&told, &now, &[]);
                let mut keys: Vec<[&str; 3]> = found.iter().map(|change| change.of.key()).collect();
                keys.sort_unstable();
                keys.dedup();
                prop_assert_eq!(keys.len(), found.len(), "one change for each");
                for change in &found {
                    let before = told.iter().find(|one| one.key() == change.of.key());
                    let holds = now.iter().any(|one| one.key() == change.of.key());
                    let is_right = match change.change {
                        Edge::New => before.is_none() && holds,
                        Edge::Worse => holds && before.is_some_and(|one| one.severity < change.of.severity),
                        Edge::Resolved => before.is_some() && !holds,
                        Edge::Lost => false,
                    };
                    prop_assert!(is_right);
                }
                told = after(&told, &found);
                prop_assert_eq!(changes(&told, &now, &[]), vec![], "told once");
                let is: std::collections::BTreeSet<_> = now.iter().map(Condition::key).collect();
                let known: std::collections::BTreeSet<_> = told.iter().map(Condition::key).collect();
                prop_assert_eq!(is, known, "what holds is known");
                // Every line is in one message, and each channel gets those that it takes.
                let messages = messages(&found);
                prop_assert_eq!(messages.iter().map(|m| m.changes.len()).sum::<usize>(), found.len());
                for least in [Severity::Info, Severity::Warning, Severity::Critical] {
                    let heard = messages.iter().filter_map(|m| m.routed(&channel(least)));
                    let heard: usize = heard.map(|m| m.changes.len()).sum();
                    prop_assert_eq!(heard, found.iter().filter(|c| c.of.severity >= least).count());
                }
            }
            let over = changes(&told, &[], &[]);
            prop_assert_eq!(over.len(), told.len());
            prop_assert!(over.iter().all(|change| change.change == Edge::Resolved));
        }
    }
}
