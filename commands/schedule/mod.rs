//! `poolctl run`: whatever of the operator's schedule is due.

mod backups;
mod child;
mod part;

use crate::output::words;
use crate::shell::prelude::*;
use app::schedule::rule::{EARLY, Last, Part};
use app::schedule::views::{PartStatus, PartView, ScheduleOutput};
use app::schedule::{self, plan};
use base::{Exit, clock};
use child::{Child, End};
use state::{Consent, Leased, Permit, ValuePermit};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::Duration;

/// Do whatever of the schedule is due: sync, oracle, risk, cycle, farm, metrics, backup, prune
///
/// How often each is done is a setting (schedule.…), or off. What is there for nothing, as sync without pools, is off by itself.
/// Each part runs as a process of its own, beside the others: one that fails or hangs holds up no other. It is tried again
/// within 5 minutes, and ended after schedule.timeout. What another run has under way is left to it. It never asks: where
/// value moves on a mainnet profile, it needs --yes. Without --once it goes on until Ctrl-C, takes in changed settings, and
/// with --json writes an object a line for each part that ended, the result last. Ctrl-C asks the parts to end, and waits for
/// them up to 2 minutes; a second one ends this run alone, and they go on until they have ended.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl run --once --yes -q\n         poolctl run --dry-run")]
pub struct Run {
    /// Do what is due within a minute, and end; for cron, every minute
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    dry: DryRun,
}

/// How often running parts, and the wish to stop, are looked at.
const LOOK: Duration = Duration::from_millis(50);

/// A service looks at the settings and the state at least so often, in seconds.
const TURN: i64 = 30;

/// After the settings or the state could not be read, a service looks again so many seconds later.
const AGAIN: i64 = 10;

impl Run {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let early = if self.once { EARLY } else { 0 };
        if self.dry.dry_run {
            session.call.set_dry_run();
            let now = session.call.run.clock.now();
            let parts = plan(&App::open(session)?, part::command, &BTreeMap::new(), (now, early))?;
            return Ok(Outcome::document(ScheduleOutput::of(parts, now)));
        }
        let app = App::open(session)?;
        agreed(&app)?;
        let mut turns = Turns::begin(session, app, early)?;
        if self.once {
            turns.once();
        } else {
            turns.service()?;
        }
        let is_undone = |view: &PartView| view.is_due() || view.status == PartStatus::Stopped;
        let undone = self.once && turns.parts.iter().any(is_undone);
        let output = ScheduleOutput::of(turns.parts, session.call.run.clock.now());
        let mut outcome = Outcome::document(output);
        if undone && outcome.failure.is_none() {
            outcome.failure = session.call.stop.check().err();
        }
        Ok(if session.options.json && !self.once { outcome.streamed() } else { outcome })
    }
}

/// Whoever starts it has agreed to what the parts would ask, or nothing is done.
fn agreed(app: &App<'_>) -> Result<()> {
    let consent = match (app.call().agreed, app.config.confirm()) {
        (true, _) => Consent::Given,
        (false, true) => Consent::Impossible,
        (false, false) => Consent::NotNeeded,
    };
    ValuePermit::obtain(Permit::dry_run(), consent, "do what the schedule says").map(|_| ())
}

/// A part under way.
struct Running {
    child: Child,
    /// When it began, seconds since 1970.
    since: i64,
    _leased: Leased,
}

/// The parts, turn by turn.
struct Turns<'s> {
    session: &'s Session,
    app: App<'s>,
    binary: PathBuf,
    early: u64,
    /// When the state was looked at.
    seen_at: i64,
    parts: Vec<PartView>,
    running: BTreeMap<Part, Running>,
    /// What has ended here, should it not be noted.
    ended: BTreeMap<Part, Last>,
    /// Why something could not be told.
    untold: Option<Error>,
    /// Whether the operator was told what is still waited for.
    is_leaving: bool,
}

impl<'s> Turns<'s> {
    fn begin(session: &'s Session, app: App<'s>, early: u64) -> Result<Self> {
        let binary = std::env::current_exe()
            .map_err(|e| Error::new(Code::Io, format!("cannot find this program's own file: {e}")))?;
        let (running, ended, untold) = (BTreeMap::new(), BTreeMap::new(), None);
        let (seen_at, parts, is_leaving) = (0, Vec::new(), false);
        let mut turns =
            Self { session, app, binary, early, seen_at, parts, running, ended, untold, is_leaving };
        turns.look()?;
        Ok(turns)
    }

    fn now(&self) -> i64 {
        self.session.call.run.clock.now()
    }

    /// Works out anew what is due, by the settings and the state as they are now.
    fn look(&mut self) -> Result<()> {
        let now = self.now();
        let mut parts = plan(&self.app, part::command, &self.ended, (now, self.early))?;
        self.session.call.watch(None);
        for (new, old) in parts.iter_mut().zip(&self.parts) {
            if self.running.contains_key(&new.part) {
                new.clone_from(old);
            } else if new.status == PartStatus::Waiting && old.exit_code.is_some() {
                // How it ended here stays in sight until it is done again.
                let (every_sec, last, due_at) = (new.every_sec, new.last, new.due_at);
                *new = PartView { every_sec, last, due_at, ..old.clone() };
            }
        }
        (self.parts, self.seen_at) = (parts, now);
        Ok(())
    }

    /// Does what is due, each part once.
    fn once(&mut self) {
        loop {
            let stop = self.session.call.stop.wanted();
            if !stop {
                self.start_due();
            }
            self.look_after(stop);
            if self.running.is_empty() && (stop || !self.parts.iter().any(PartView::is_due)) {
                return;
            }
            sleep(LOOK);
        }
    }

    /// Does what is due whenever it is, until the operator stops it.
    fn service(&mut self) -> Result<()> {
        let mut next = self.next();
        let mut told = None;
        loop {
            let (stop, now) = (self.session.call.stop.wanted(), self.now());
            // A clock that is set back puts nothing off.
            next = next.min(now.saturating_add(TURN));
            if !stop && now >= next {
                let said = self.look_again().err().map(|e| (e.code().as_str(), words::message(&e)));
                next = if said.is_some() { now.saturating_add(AGAIN) } else { self.next() };
                if let (true, Some((code, message))) = (said != told, said.clone()) {
                    self.tell(&Line::Trouble { code, message });
                }
                told = said;
            }
            let begun = if stop { Vec::new() } else { self.start_due() };
            let over = self.look_after(stop);
            for part in begun.into_iter().chain(over.iter().copied()) {
                if let Some(view) = self.parts.iter().find(|view| view.part == part).cloned() {
                    self.tell(&Line::Part(&view));
                }
            }
            if !over.is_empty() && told.is_none() {
                next = self.next();
            }
            if stop && self.running.is_empty() {
                return self.untold.take().map_or(Ok(()), Err);
            }
            sleep(LOOK);
        }
    }

    fn look_again(&mut self) -> Result<()> {
        self.app = App::open(self.session)?;
        self.look()
    }

    /// When a service looks again: as soon as a part that rests is due.
    fn next(&self) -> i64 {
        let rests = |view: &&PartView| !view.is_due() && !self.running.contains_key(&view.part);
        let due = self.parts.iter().filter(rests).filter_map(|view| view.due_at).min();
        let latest = self.now().saturating_add(TURN);
        due.map_or(latest, |due| due.min(latest))
    }

    /// Starts what is due and need not wait for another part; those that did not come to run are named.
    fn start_due(&mut self) -> Vec<Part> {
        let mut over = Vec::new();
        for at in 0..self.parts.len() {
            let Some(view) = self.parts.get(at).filter(|view| view.is_due()) else { continue };
            let part = view.part;
            let ages = self.running.iter().map(|(part, running)| (*part, running.child.age().as_secs()));
            if self.running.contains_key(&part) || part.waits(&ages.collect()) {
                continue;
            }
            let now = self.now();
            let mut is_done = false;
            let (status, exit, failure, why) = match self.start(part) {
                Ok(Ok(running)) => {
                    self.running.insert(part, running);
                    self.mark(part, |view| view.status = PartStatus::Running);
                    continue;
                }
                Ok(Err((held, done))) => {
                    is_done = done;
                    (PartStatus::Held, None, None, Some(held))
                }
                Err(e) => (PartStatus::Failed, Some(e.exit()), Some(e), None),
            };
            self.end(part, (status, exit, failure), now);
            if is_done {
                // How it ended there is noted in the state.
                self.ended.remove(&part);
            }
            self.mark(part, |view| view.why = why.or(view.why.take()));
            over.push(part);
        }
        over
    }

    /// Starts a part, or says why it is left to another run, and whether that has ended.
    fn start(&self, part: Part) -> Result<Result<Running, (String, bool)>> {
        let leased = match schedule::take(&self.app, part)? {
            Ok(leased) => leased,
            Err(held) => return Ok(Err((held, false))),
        };
        if schedule::has_ended(&self.app, part::command(part), self.seen_at)? {
            return Ok(Err(("another run has just done it".to_owned(), true)));
        }
        let since = self.now();
        let words = part::words(part, self.session, &self.app.config, since)?;
        let limit = self.app.config.duration("schedule.timeout")?.unwrap_or(Duration::MAX);
        let child = Child::start(&self.binary, &words, limit)?;
        Ok(Ok(Running { child, since, _leased: leased }))
    }

    /// Looks after what is under way; names the parts that have ended.
    fn look_after(&mut self, stop: bool) -> Vec<Part> {
        if stop && !self.is_leaving && !self.running.is_empty() && self.session.console.err_terminal {
            let parts: Vec<&str> = self.running.keys().map(|part| part.as_str()).collect();
            let why = "waited for up to 2 minutes; a second Ctrl-C leaves them to end by themselves";
            self.session.console.warn(&format!("asked to end: {}; {why}", parts.join(", ")));
        }
        self.is_leaving |= stop;
        let mut over = Vec::new();
        for (part, running) in &mut self.running {
            if let Some(end) = running.child.look(stop).transpose() {
                over.push((*part, end));
            }
        }
        let parts = over.iter().map(|(part, _)| *part).collect();
        for (part, end) in over {
            // Its lease is let go of when its end is noted.
            let Some(running) = self.running.remove(&part) else { continue };
            let took = running.child.age();
            let (ended, mut warnings, said) = match end {
                Ok(end) => (judge(part, &end), warnings(&end), end.said("message").map(str::to_owned)),
                Err(e) => ((PartStatus::Failed, Some(e.exit()), Some(e)), Vec::new(), None),
            };
            if part == Part::Backup && ended.0 == PartStatus::Done {
                warnings.extend(backups::thin(&self.app.config, self.now()).err().map(|e| e.to_string()));
            }
            if let Some(exit) = ended.1
                && let Err(e) = schedule::note(&self.app, part::command(part), exit, running.since)
            {
                warnings.push(format!("cannot note in the state when it ended: {e}"));
            }
            let (now, is_stopped) = (self.now(), ended.0 == PartStatus::Stopped);
            self.end(part, ended, now);
            self.mark(part, |view| {
                view.why = view.why.take().or(said.filter(|_| is_stopped));
                view.took_ms = u64::try_from(took.as_millis()).ok();
                view.warnings = warnings;
            });
        }
        parts
    }

    fn end(&mut self, part: Part, (status, exit, failure): Ended, now: i64) {
        let Some(view) = self.parts.iter_mut().find(|view| view.part == part) else { return };
        self.ended.insert(part, view.end(status, exit, failure, now));
        if let Some(e) = &view.failure {
            (view.why, view.fix) = (Some(words::message(e)), e.remedy().map(words::hint));
        }
    }

    fn mark(&mut self, part: Part, change: impl FnOnce(&mut PartView)) {
        if let Some(view) = self.parts.iter_mut().find(|view| view.part == part) {
            change(view);
        }
    }

    /// Tells what happens while it happens. Where nobody listens any more, what is under way is ended, and that is all.
    fn tell(&mut self, line: &Line<'_>) {
        let told = if self.session.options.json { Console::tell(line) } else { Console::emit(&shown(line)) };
        if !matches!(told, Ok(true)) {
            self.session.call.stop.flag().store(true, Ordering::Relaxed);
            self.untold = told.err().or(self.untold.take());
        }
    }
}

/// How a part ended: as what, with which exit code, and why it failed.
type Ended = (PartStatus, Option<Exit>, Option<Error>);

/// What the end of a process comes to.
fn judge(part: Part, end: &End) -> Ended {
    let code = end.status.code();
    let exit = Exit::ALL.iter().copied().find(|exit| code == Some(i32::from(exit.code())));
    let interrupted = |why: String| Error::new(Code::Interrupted, why);
    // That it was ended says less than a failure of its own.
    let is_cut = end.was_asked && matches!(exit, None | Some(Exit::Done | Exit::Transient));
    if is_cut && end.is_late {
        let why = format!("it did not end within {} (schedule.timeout)", clock::span(end.limit.as_secs()));
        let e = interrupted(why).hint("what it had finished is recorded; it is done again");
        return (PartStatus::Late, Some(e.exit()), Some(e));
    }
    match exit {
        Some(Exit::Done) => (PartStatus::Done, exit, None),
        _ if is_cut => (PartStatus::Stopped, Some(Exit::Transient), None),
        Some(exit) => {
            let status = if part.is_done_by(exit) { PartStatus::Found } else { PartStatus::Failed };
            (status, Some(exit), Some(told(end, exit)))
        }
        None => {
            let e = interrupted(format!("it broke off: {}", end.status));
            (PartStatus::Failed, Some(e.exit()), Some(e))
        }
    }
}

/// The error in the envelope of a part that ended so.
fn told(end: &End, exit: Exit) -> Error {
    let fits = |code: &&Code| code.exit() == exit;
    let told = end.said("code").and_then(|word| Code::ALL.iter().find(|code| code.as_str() == word));
    let code = told.filter(fits).or_else(|| Code::ALL.iter().find(fits)).copied().unwrap_or(Code::Bug);
    let e = Error::new(code, end.said("message").unwrap_or("it did not say why"));
    match end.said("hint") {
        Some(hint) => e.hint(hint.to_owned()),
        None => e,
    }
}

/// What it wants the operator to know.
fn warnings(end: &End) -> Vec<String> {
    let all = end.envelope["warnings"].as_array();
    all.into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// A line of the stream of a service.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Line<'a> {
    /// A part ended, or is left to another run.
    Part(&'a PartView),
    /// The settings or the state cannot be read now; what is under way goes on, and it is tried again.
    Trouble {
        /// The stable word of why.
        code: &'static str,
        /// Why.
        message: String,
    },
}

/// The line for a person.
fn shown(line: &Line<'_>) -> String {
    match line {
        Line::Trouble { message, .. } => format!("cannot look at the schedule now: {message}"),
        Line::Part(view) => {
            let mut text = format!("{}: {}", view.part.as_str(), view.status.as_str());
            if let Some(took) = view.took_ms {
                let _ = write!(text, " after {}", clock::span(took / 1000));
            }
            if let Some(why) = &view.why {
                let _ = write!(text, ": {why}");
            }
            for warning in &view.warnings {
                let _ = write!(text, "\n  warning: {warning}");
            }
            text
        }
    }
}

impl Present for ScheduleOutput {
    fn present(&self, page: &mut Page) {
        page.rows(["PART", "STATUS", "EVERY", ">ENDED", ">DUE", "WHY"], &self.parts, |view| {
            let every = view.every_sec.map(clock::span);
            let ended = view.last.and_then(|last| clock::age(last, self.at));
            let due = view.due_at.map(|due| match u64::try_from(due - self.at) {
                Ok(left) if left > 0 => format!("in {}", clock::span(left)),
                _ => "now".to_owned(),
            });
            cells![
                view.part.as_str(),
                view.status.as_str(),
                every,
                ended.map(|age| format!("{} ago", clock::span(age))),
                due,
                view.why
            ]
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    fn end(raw: i32, error: &serde_json::Value) -> End {
        let envelope = json!({ "error": error, "warnings": ["one", "two"] });
        let (status, limit) = (ExitStatus::from_raw(raw), Duration::from_secs(90));
        End { status, envelope, limit, is_late: false, was_asked: false }
    }

    #[test]
    fn how_a_process_ends_is_what_the_part_comes_to() {
        let error = |code: &str| json!({ "code": code, "message": "why", "hint": "do" });
        let none = serde_json::Value::Null;
        let unmade = judge(Part::Backup, &end(5 << 8, &error("check_failed")));
        assert_eq!((unmade.0, unmade.1), (PartStatus::Failed, Some(Exit::Found)));
        for (raw, error, want) in [
            (0, none.clone(), (PartStatus::Done, 0, None)),
            (5 << 8, error("check_failed"), (PartStatus::Found, 5, Some(("check_failed", "why")))),
            (75 << 8, error("unreachable"), (PartStatus::Failed, 75, Some(("unreachable", "why")))),
            // A word that this program does not know, or that does not fit, and no word at all.
            (2 << 8, error("newer_word"), (PartStatus::Failed, 2, Some(("usage", "why")))),
            (2 << 8, error("unreachable"), (PartStatus::Failed, 2, Some(("usage", "why")))),
            (1 << 8, none.clone(), (PartStatus::Failed, 1, Some(("bug", "it did not say why")))),
            // A signal, and a code that no run ends with.
            (
                9,
                none.clone(),
                (PartStatus::Failed, 75, Some(("interrupted", "it broke off: signal: 9 (SIGKILL)"))),
            ),
            (77 << 8, none, (PartStatus::Failed, 75, Some(("interrupted", "it broke off: exit status: 77")))),
        ] {
            let end = end(raw, &error);
            let (status, exit, failure) = judge(Part::Sync, &end);
            let told = failure.as_ref().map(|e| (e.code().as_str(), e.message()));
            assert_eq!((status, exit.map_or(0, Exit::code), told), want, "{raw}");
            assert_eq!(warnings(&end), ["one", "two"]);
        }
    }

    #[test]
    fn what_was_ended_says_by_whom() {
        for (raw, late, status, exit) in [
            (0, true, PartStatus::Late, 75),
            (75 << 8, true, PartStatus::Late, 75),
            (75 << 8, false, PartStatus::Stopped, 75),
            (9, false, PartStatus::Stopped, 75),
            (0, false, PartStatus::Done, 0),
            // What is worse than that it was ended is told.
            (76 << 8, false, PartStatus::Failed, 76),
            (76 << 8, true, PartStatus::Failed, 76),
            (5 << 8, false, PartStatus::Found, 5),
        ] {
            let end = End { is_late: late, was_asked: true, ..end(raw, &json!(null)) };
            let (got, code, failure) = judge(Part::Sync, &end);
            assert_eq!((got, code.map_or(0, Exit::code)), (status, exit), "{raw}");
            let is_late = failure.is_some_and(|e| e.to_string().contains("1m 30s (schedule.timeout)"));
            assert_eq!(is_late, status == PartStatus::Late, "{raw}");
        }
    }
}
