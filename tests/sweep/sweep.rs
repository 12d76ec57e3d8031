//! The sweep: which points of a command are tried, and what must be so after each.

use crate::facts::{self, Facts};
use crate::known::KNOWN;
use crate::strace::{self, Point};
use poolctl_testkit::cli::file_of;
use poolctl_testkit::watch;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A command that writes, with what it needs.
pub struct Row {
    /// What is run before, so that there is something to do.
    pub before: &'static [&'static str],
    /// The command, with `{names}` of what its place has.
    pub line: &'static str,
    /// What is on its stdin.
    pub input: &'static str,
}

impl Row {
    pub const fn new(line: &'static str) -> Self {
        Self { before: &[], line, input: "" }
    }

    pub const fn after(mut self, before: &'static [&'static str]) -> Self {
        self.before = before;
        self
    }

    pub const fn input(mut self, input: &'static str) -> Self {
        self.input = input;
        self
    }
}

/// All that a command acts on.
pub trait Place: Send {
    /// What goes on while a command runs.
    type Beside;
    /// The same once more; what happens to one does not happen to the other.
    fn fork(&self) -> Self;
    /// Home and working folder.
    fn folder(&self) -> &Path;
    /// The state below the folder.
    fn state(&self) -> PathBuf;
    /// What runs of the same work must agree on.
    fn facts(&self) -> Facts;
    fn beside(&self) -> Self::Beside;
    /// The command line, started by the words of `under`, and what is on its stdin.
    fn command(&self, under: &[OsString], line: &str, input: &str) -> Command;
}

/// The command of a home whose folder it is, started by the words of `under`, if any.
pub fn command(folder: &Path, under: &[OsString], line: &str, input: &str) -> Command {
    let words = under.iter().cloned().chain([crate::support::BINARY.into()]);
    let mut words = words.chain(line.split_whitespace().map(OsString::from));
    let mut command = Command::new(words.next().unwrap());
    command.args(words).current_dir(folder).env_clear();
    command.env("HOME", folder).env("USER", "tester").stdin(Stdio::null());
    // One that conceals itself cannot be traced by a user who is not root.
    command.env("POOLCTL_TRACED", "1");
    if !input.is_empty() {
        command.stdin(file_of(input));
    }
    command
}

/// A command and where it is to run.
pub struct Task<P> {
    pub place: Mutex<P>,
    pub line: String,
    pub input: String,
}

/// What undisturbed runs make of a place.
struct Want {
    /// Exit codes of the first run, and of another one after it.
    codes: [Option<i32>; 2],
    /// What is so after each.
    facts: [Facts; 2],
    /// The files after them.
    names: BTreeSet<String>,
    /// The text files before, and after each.
    texts: [BTreeMap<PathBuf, String>; 3],
}

const METRICS: &str = "run.prom";

/// Disturbs every task and demands that all end as if undisturbed. Says how many points were reached.
pub fn sweep<P: Place>(tasks: &[Task<P>]) -> usize {
    let (wanted, seed) = (setting("SWEEP_POINTS"), setting("SWEEP_SEED").unwrap_or_default());
    let jobs: Vec<(&Task<P>, Want, Vec<Point>)> = each(tasks, |task| {
        let (want, points) = undisturbed(task);
        let points = match wanted.as_deref() {
            Some("all") => points,
            Some(count) => chosen(points, count.parse().expect("SWEEP_POINTS"), (&seed, &task.line)),
            None => chosen(points, 6, (&seed, &task.line)),
        };
        (task, want, points)
    });
    let points: Vec<_> = jobs
        .iter()
        .flat_map(|(task, want, points)| points.iter().map(move |point| (*task, want, point)))
        .collect();
    let reached = AtomicUsize::new(0);
    let wrong: Vec<String> = each(&points, |(task, want, point)| {
        let (came, wrong) = disturbed(task, want, point);
        reached.fetch_add(usize::from(came), Ordering::Relaxed);
        wrong
    });
    let wrong: Vec<String> = wrong.into_iter().filter(|text| !text.is_empty()).collect();
    assert!(wrong.is_empty(), "{} of {} points:\n\n{}", wrong.len(), points.len(), wrong.join("\n"));
    let reached = reached.into_inner();
    let missed = points.len() - reached;
    assert!(missed <= (points.len() / 10).max(1), "{reached} of {} points were reached", points.len());
    eprintln!("{reached} points of {} commands", tasks.len());
    reached
}

pub fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Does it for each, several at a time for each processor: most of a run is waiting, for a disk or a ledger.
pub fn each<'t, T: Sync, R: Send>(items: &'t [T], body: impl Fn(&'t T) -> R + Sync) -> Vec<R> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 * std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { return };
                    let result = body(item);
                    done.lock().unwrap().push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// So many of the points, of as many kinds of syscall and fault as there are; others with another seed.
fn chosen(points: Vec<Point>, count: usize, seed: impl Hash) -> Vec<Point> {
    let dice = |what: &dyn Fn(&mut DefaultHasher)| {
        let mut hasher = DefaultHasher::new();
        seed.hash(&mut hasher);
        what(&mut hasher);
        hasher.finish()
    };
    let mut kinds: BTreeMap<u64, Vec<(u64, Point)>> = BTreeMap::new();
    for point in points.into_iter().filter(strace::tells) {
        let kind = dice(&|h| (point.syscall, point.fault as u8).hash(h));
        let place = dice(&|h| (point.syscall, point.fault as u8, point.nth).hash(h));
        kinds.entry(kind).or_default().push((place, point));
    }
    for points in kinds.values_mut() {
        points.sort_by_key(|(place, _)| *place);
    }
    let most = kinds.values().map(Vec::len).max().unwrap_or_default();
    (0..most)
        .flat_map(|round| {
            kinds.values().filter_map(move |points| points.get(round)).map(|(_, point)| point.clone())
        })
        .take(count)
        .collect()
}

/// Two runs of a command that nothing happens to, and its points.
fn undisturbed<P: Place>(task: &Task<P>) -> (Want, Vec<Point>) {
    let place = task.place.lock().unwrap().fork();
    let line = with_metrics(&task.line);
    let before = facts::texts(place.folder());
    let (first, points) = {
        let _beside = place.beside();
        strace::points(|under| place.command(under, &line, &task.input), place.folder())
    };
    let (once, text) = (place.facts(), facts::texts(place.folder()));
    let second = {
        let _beside = place.beside();
        watch::output(&mut place.command(&[], &line, &task.input)).unwrap()
    };
    let (twice, texts) = (place.facts(), facts::texts(place.folder()));
    for ran in [&first, &second] {
        assert!(ran.status.code().is_some_and(|code| code != 1), "{}: {}", task.line, shown(ran));
    }
    assert_eq!(facts::findings(&place.state()), Vec::<String>::new(), "{}", task.line);
    let want = Want {
        codes: [first.status.code(), second.status.code()],
        facts: [once, twice],
        names: facts::names(place.folder()),
        texts: [before, text, texts],
    };
    (want, points)
}

/// A run disturbed at a point, and the same again: whether it came to the point, and what is wrong.
fn disturbed<P: Place>(task: &Task<P>, want: &Want, point: &Point) -> (bool, String) {
    let place = task.place.lock().unwrap().fork();
    let line = with_metrics(&task.line);
    let mut wrong = Vec::new();
    let ran = {
        let _beside = place.beside();
        strace::disturb(|under| place.command(under, &line, &task.input), point)
    };
    let code = ran.output.status.code();
    left_sound(&place, &mut wrong);
    if code == Some(0) {
        differs(&want.facts[0], &place.facts(), "exit 0, but", &mut wrong);
        if ran.stdout {
            wrong.push("exit 0, but its output was lost".to_owned());
        }
    }
    whole_files(&place, code, want, point, &mut wrong);
    let (again, last) = ended(&place, &line, &task.input, want);
    if !want.codes.contains(&again.status.code()) {
        wrong.push(format!(
            "run again, it ends otherwise than undisturbed {:?}: {}",
            want.codes,
            shown(&again)
        ));
    } else if last != want.facts[1] {
        differs(&want.facts[0], &last, "run again,", &mut wrong);
    }
    for finding in facts::findings(&place.state()) {
        wrong.push(format!("state check, at the end: {finding}"));
    }
    let names = facts::names(place.folder());
    for stray in names.symmetric_difference(&want.names) {
        let what = if names.contains(stray) { "left over" } else { "missing" };
        wrong.push(format!("{what}: {stray}"));
    }
    if !want.texts.contains(&facts::texts(place.folder())) {
        wrong.push("run again, its files say something else".to_owned());
    }
    let known = |what: &String| {
        KNOWN.iter().any(|(command, said)| task.line.starts_with(command) && what.contains(said))
    };
    wrong.retain(|what| !known(what));
    if wrong.is_empty() {
        return (ran.reached, String::new());
    }
    let mut report =
        format!("strace -f -e trace={} -e {point} poolctl {line}\n  at {}\n", point.syscall, point.call);
    let _ = writeln!(report, "  ended: {}", shown(&ran.output));
    for what in wrong {
        let _ = writeln!(report, "  {what}");
    }
    (ran.reached, report)
}

/// Runs a command undisturbed; what was under way may take one more run.
fn ended<P: Place>(place: &P, line: &str, input: &str, want: &Want) -> (Output, Facts) {
    let run = || {
        let _beside = place.beside();
        (watch::output(&mut place.command(&[], line, input)).unwrap(), place.facts())
    };
    let (again, last) = run();
    if want.facts.contains(&last) || !want.codes.contains(&again.status.code()) {
        return (again, last);
    }
    run()
}

/// What a disturbed run left is sound before anybody fixes anything; looked at in a copy, since looking recovers it.
fn left_sound<P: Place>(place: &P, wrong: &mut Vec<String>) {
    let (copy, state) = (tempfile::tempdir().unwrap(), place.state());
    let Some(folder) = state.parent().filter(|folder| folder.exists()) else { return };
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
    }
    for finding in facts::findings(&copy.path().join(state.file_name().unwrap())) {
        wrong.push(format!("state check, of what it left: {finding}"));
    }
}

/// Files are whole, whatever happened, and the metrics say how the run ended.
fn whole_files<P: Place>(place: &P, code: Option<i32>, want: &Want, point: &Point, wrong: &mut Vec<String>) {
    for (name, text) in facts::texts(place.folder()) {
        if !want.texts.iter().any(|texts| texts.get(&name) == Some(&text)) {
            wrong.push(format!("{} is half written", name.display()));
        }
    }
    let Ok(metrics) = std::fs::read_to_string(place.folder().join(METRICS)) else { return };
    let said =
        metrics.lines().find_map(|line| line.strip_prefix("poolctl_run_exit_code{")?.rsplit(' ').next());
    let code = code.map(|code| code.to_string());
    // Where the folder cannot be brought to the disk, the new file is there, though it may not last.
    let renamed = point.syscall == "fsync" && said == Some("0");
    if said.is_none() || !renamed && code.is_some() && code.as_deref() != said {
        wrong.push(format!("the metrics say exit code {said:?}, and it was {code:?}"));
    }
}

fn with_metrics(line: &str) -> String {
    format!("{line} --metrics-file {METRICS}")
}

pub fn differs(want: &Facts, got: &Facts, when: &str, wrong: &mut Vec<String>) {
    let tables: BTreeSet<_> = want.keys().chain(got.keys()).collect();
    for table in tables {
        let (want, got) = (want.get(table), got.get(table));
        if want != got {
            let only = |a: Option<&Vec<String>>, b: Option<&Vec<String>>| {
                let b = b.cloned().unwrap_or_default();
                a.into_iter().flatten().filter(|row| !b.contains(row)).take(4).cloned().collect::<Vec<_>>()
            };
            wrong.push(format!(
                "{when} {table} differs:\n    undisturbed {:?}\n    disturbed   {:?}",
                only(want, got),
                only(got, want)
            ));
        }
    }
}

pub fn shown(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().chars().take(400).collect::<String>();
    format!("{}; {}; {}", output.status, text(&output.stdout), text(&output.stderr))
}
