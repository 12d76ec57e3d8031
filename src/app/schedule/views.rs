//! Of `run`: the schedule, and what became of its parts.

use super::rule::{self, Last, Part};
use crate::Document;
use base::{Code, Error, Exit, clock, forms};
use schemars::JsonSchema;
use serde::Serialize;
use strum::IntoStaticStr;

/// Which failure is told first, of several: what is not known, then what a person must see to, then what passes.
const GRAVITY: [Exit; 9] = [
    Exit::Unknown,
    Exit::Failed,
    Exit::KeyStore,
    Exit::Refused,
    Exit::Usage,
    Exit::Partial,
    Exit::Found,
    Exit::Locked,
    Exit::Transient,
];

/// How a part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum PartStatus {
    /// It is done.
    Done,
    /// It is done, and found something.
    Found,
    /// It failed.
    Failed,
    /// It did not end within `schedule.timeout`, and was ended.
    Late,
    /// It was under way when the operator stopped the run.
    Stopped,
    /// Another run does it, or has just done it.
    Held,
    /// It is due.
    Due,
    /// It is under way.
    Running,
    /// It is not due yet.
    Waiting,
    /// It is not done here.
    Off,
}

impl PartStatus {
    /// Its stable word.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A part of the schedule.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "SchedulePart")]
pub struct PartView {
    /// The part.
    pub part: Part,
    /// How it stands.
    pub status: PartStatus,
    /// How often it is done, in seconds; null where it is off.
    pub every_sec: Option<u64>,
    /// When it last ended, RFC 3339; null = never.
    #[serde(serialize_with = "clock::serialize_if")]
    #[schemars(with = "Option<forms::Time>")]
    pub last: Option<i64>,
    /// When it is due, RFC 3339; null where it is off.
    #[serde(serialize_with = "clock::serialize_if")]
    #[schemars(with = "Option<forms::Time>")]
    pub due_at: Option<i64>,
    /// How it ended; null where this run did not do it.
    pub exit_code: Option<u8>,
    /// How long it took.
    pub took_ms: Option<u64>,
    /// The stable word of why it failed.
    pub code: Option<&'static str>,
    /// Why it failed, is off, or is left to another run.
    pub why: Option<String>,
    /// What can be done.
    pub fix: Option<String>,
    /// What the operator should know.
    pub warnings: Vec<String>,
    /// Why it failed.
    #[serde(skip)]
    pub failure: Option<Error>,
}

impl PartView {
    /// A part that is done so often, or is off for this reason, before anything is done.
    pub fn of(part: Part, every: &Result<u64, String>, last: Option<Last>, (now, early): (i64, u64)) -> Self {
        let due_at = every.as_ref().ok().map(|every| rule::due_at(*every, last, now));
        let status = match due_at {
            None => PartStatus::Off,
            Some(due_at) if rule::is_due(due_at, now, early) => PartStatus::Due,
            Some(_) => PartStatus::Waiting,
        };
        Self {
            part,
            status,
            every_sec: every.as_ref().ok().copied(),
            last: last.map(|last| last.at),
            due_at,
            exit_code: None,
            took_ms: None,
            code: None,
            why: every.as_ref().err().cloned(),
            fix: None,
            warnings: Vec::new(),
            failure: None,
        }
    }

    /// Whether it is to be done now.
    pub fn is_due(&self) -> bool {
        self.status == PartStatus::Due
    }

    /// Takes in how it ended, and works out when it is due again; why it failed, and what can be done, is the face's to say.
    pub fn end(&mut self, status: PartStatus, exit: Option<Exit>, failure: Option<Error>, now: i64) -> Last {
        let complete = exit.is_some_and(|exit| self.part.is_done_by(exit));
        let last = Last { at: now, complete };
        (self.status, self.exit_code) = (status, exit.map(Exit::code));
        self.last = if exit.is_some() { Some(now) } else { self.last };
        self.due_at = self.every_sec.map(|every| rule::due_at(every, Some(last), now));
        self.code = failure.as_ref().map(|e| e.code().as_str());
        (self.why, self.fix, self.failure) = (None, None, failure);
        last
    }
}

/// The schedule, and what this run did of it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ScheduleOutput {
    /// When, RFC 3339.
    #[serde(serialize_with = "clock::serialize")]
    #[schemars(with = "forms::Time")]
    pub at: i64,
    /// Every part, as it ended last.
    pub parts: Vec<PartView>,
    #[serde(skip)]
    warnings: Vec<String>,
}

impl ScheduleOutput {
    /// These parts at this time.
    pub fn of(parts: Vec<PartView>, at: i64) -> Self {
        let of_part = |view: &PartView| {
            let part = view.part.as_str();
            view.warnings.iter().map(move |warning| format!("{part}: {warning}")).collect::<Vec<_>>()
        };
        let warnings = parts.iter().flat_map(of_part).collect();
        Self { at, parts, warnings }
    }
}

impl Document for ScheduleOutput {
    /// The gravest of what failed, with the names of all.
    fn failure(&self) -> Option<Error> {
        let failed: Vec<(&str, &Error)> =
            self.parts.iter().filter_map(|view| Some((view.part.as_str(), view.failure.as_ref()?))).collect();
        let gravest = |exit: &Exit| failed.iter().find(|(_, e)| e.exit() == *exit);
        let (part, e) = GRAVITY.iter().find_map(gravest)?;
        let names: Vec<&str> = failed.iter().map(|(name, _)| *name).collect();
        let code: Code = e.code();
        let before = match names.len() {
            1 => (*part).to_owned(),
            some => {
                format!("{some} parts of the schedule did not go well: {}; first: {part}", names.join(", "))
            }
        };
        Some(e.instead(code).context(before).detail("parts", names))
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_failure_ends_the_run() {
        let view = |part, code: Option<Code>| {
            let mut view = PartView::of(part, &Ok(60), None, (0, 0));
            let failure = code.map(|code| Error::new(code, "why"));
            let exit = failure.as_ref().map_or(Exit::Done, Error::exit);
            view.end(PartStatus::Failed, Some(exit), failure, 0);
            view
        };
        let ends = |codes: &[Option<Code>]| {
            let parts = Part::ALL.iter().zip(codes).map(|(part, code)| view(*part, *code)).collect();
            ScheduleOutput::of(parts, 0).failure().map(|e| (e.exit(), e.to_string()))
        };
        assert_eq!(ends(&[None, None]), None);
        assert_eq!(ends(&[None, Some(Code::Unreachable)]), Some((Exit::Transient, "oracle: why".to_owned())));
        // In the order of gravity, whatever the order of the parts.
        for pair in GRAVITY.windows(2) {
            let code = |exit: Exit| Code::ALL.iter().copied().find(|code| code.exit() == exit);
            let [graver, lighter] = [code(pair[0]), code(pair[1])];
            for codes in [[graver, lighter], [lighter, graver]] {
                let (exit, why) = ends(&codes).unwrap();
                assert_eq!(exit, pair[0], "{why}");
                assert!(why.starts_with("2 parts of the schedule did not go well: sync, oracle; first: "));
            }
        }
        let all: Vec<Exit> = Exit::ALL.iter().copied().filter(|exit| *exit != Exit::Done).collect();
        assert!(all.iter().all(|exit| GRAVITY.contains(exit)) && all.len() == GRAVITY.len());
    }

    #[test]
    fn what_ended_is_due_again() {
        let mut view = PartView::of(Part::Backup, &Ok(86_400), None, (1_000, 0));
        assert!(view.is_due() && view.due_at == Some(1_000));
        view.end(PartStatus::Done, Some(Exit::Done), None, 2_000);
        assert_eq!((view.last, view.due_at), (Some(2_000), Some(88_400)));
        view.end(PartStatus::Failed, Some(Exit::Failed), None, 3_000);
        assert_eq!((view.last, view.due_at), (Some(3_000), Some(3_300)));
        // Another run has it: it is looked at again soon.
        view.end(PartStatus::Held, None, None, 4_000);
        assert_eq!((view.last, view.due_at), (Some(3_000), Some(4_300)));
        let off = PartView::of(Part::Sync, &Err("no pools".to_owned()), None, (0, 0));
        assert_eq!((off.status, off.why.as_deref(), off.due_at), (PartStatus::Off, Some("no pools"), None));
    }
}
