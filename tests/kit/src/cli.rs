//! Runs of a binary: exact exit codes, the parsed envelope, and what goes on meanwhile.
#![allow(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::panic,
    clippy::return_self_not_must_use,
    reason = "a test ends at what it did not expect"
)]

use crate::{contract, watch};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// What goes on around a run: what it gives is held until the run ends.
pub trait Around {
    /// Ends what goes on when it is dropped.
    type Held;
    /// Whether stdout is the envelope alone, with nothing on stderr.
    const ALONE: bool;
    /// Begins it.
    fn begin(&self) -> Self::Held;
}

impl Around for () {
    type Held = ();
    const ALONE: bool = true;

    fn begin(&self) {}
}

/// A run that is being prepared.
pub struct Run<A = ()> {
    /// The program is the binary.
    pub command: Command,
    around: A,
}

impl Run {
    /// A run around which nothing goes on.
    pub fn of(command: Command) -> Self {
        Self { command, around: () }
    }

    /// The same run with something around it.
    pub fn around<A: Around>(self, around: A) -> Run<A> {
        Run { command: self.command, around }
    }
}

impl<A: Around> Run<A> {
    /// With this in its environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// With one more argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Feeds this to its stdin.
    pub fn input(mut self, text: &str) -> Self {
        self.command.stdin(file_of(text));
        self
    }

    /// Runs it, however it ends; gives what was run too.
    pub fn ends(self) -> (String, Ran) {
        let _held = self.around.begin();
        let shown = format!("{:?}", self.command);
        (shown, self.alone())
    }

    /// Runs it while nothing goes on around it.
    pub fn alone(mut self) -> Ran {
        let output = watch::output(&mut self.command).unwrap();
        Ran::of(self.command.get_program(), output)
    }

    /// Runs it and demands this exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Ran {
        self.exits_one_of(&[code])
    }

    /// Runs it and demands one of these exit codes.
    #[track_caller]
    pub fn exits_one_of(self, codes: &[i32]) -> Ran {
        let (shown, ran) = self.ends();
        let is_wanted = ran.code.is_some_and(|code| codes.contains(&code));
        assert!(is_wanted, "{:?}, not {codes:?}: {shown}\n{}\n{}", ran.code, ran.stdout, ran.stderr);
        ran
    }

    /// Runs it and demands success in silence; returns stdout.
    #[track_caller]
    pub fn ok(self) -> String {
        let ran = self.exits(0);
        assert_eq!(ran.stderr, "");
        ran.stdout
    }

    /// Runs it with `--json`, demands success without warnings, and returns the data.
    #[track_caller]
    pub fn json(self) -> Value {
        let envelope = self.document(0);
        assert_eq!(envelope["warnings"], Value::Array(Vec::new()), "{envelope}");
        envelope["data"].clone()
    }

    /// Runs it with `--json`, demands this exit code and this error code, and returns the envelope.
    #[track_caller]
    pub fn fails(self, exit: i32, code: &str) -> Value {
        let envelope = self.document(exit);
        assert_eq!(envelope["error"]["code"], code, "{envelope}");
        envelope
    }

    #[track_caller]
    fn document(self, exit: i32) -> Value {
        let ran = self.arg("--json").exits(exit);
        if A::ALONE { ran.envelope() } else { ran.last() }
    }

    /// Starts it; what goes on around it is the caller's.
    pub fn spawn(mut self) -> Child {
        watch::spawn(self.command.stdout(Stdio::piped()).stderr(Stdio::piped())).unwrap()
    }
}

/// A run that ended.
#[derive(Debug)]
pub struct Ran {
    /// None where a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ran {
    /// What a program printed, checked against the schemas of the binary.
    #[track_caller]
    pub fn of(binary: impl AsRef<Path>, output: Output) -> Self {
        let ran = Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        contract::check(binary.as_ref(), &ran.stdout).unwrap();
        ran
    }

    /// The one JSON document on stdout, checked against the contract.
    #[track_caller]
    pub fn envelope(&self) -> Value {
        assert_eq!(self.stderr, "", "with --json everything is in the envelope");
        assert_eq!(self.stdout.lines().count(), 1, "one line in a pipe: {}", self.stdout);
        let envelope = self.last();
        assert!(envelope.get("type").is_none(), "it is no stream: {envelope}");
        envelope
    }

    /// The last line of stdout, which is the envelope of a stream, checked against the contract.
    #[track_caller]
    pub fn last(&self) -> Value {
        let line = self.stdout.lines().last().unwrap_or_default();
        let envelope: Value =
            serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}\n{}", self.stderr));
        let mut names = names(&envelope);
        names.retain(|name| !["dry_run", "type"].contains(name));
        assert_eq!(names, ["schema_version", "command", "ok", "data", "warnings", "error"]);
        assert_eq!(envelope["schema_version"], 1);
        assert_eq!(envelope["ok"], self.code == Some(0), "ok says what the exit code says");
        assert_eq!(envelope["ok"], envelope["error"].is_null());
        if !envelope["error"].is_null() {
            assert_eq!(self::names(&envelope["error"]), ["code", "message", "hint", "details"]);
        }
        envelope
    }

    /// Panics if the secret was said anywhere.
    #[track_caller]
    pub fn hides(&self, secret: &str) {
        assert!(!self.stdout.contains(secret) && !self.stderr.contains(secret), "the secret was said");
    }
}

/// Asks for a list page by page, a row on each, and gives a field of every row in the order in which they came.
#[track_caller]
pub fn pages<A: Around>(run: impl Fn(&str) -> Run<A>, line: &str, rows: &str, field: &str) -> Vec<Value> {
    let (mut found, mut totals, mut after) = (Vec::new(), Vec::new(), String::new());
    loop {
        let data = run(&format!("{line} --limit 1{after}")).json();
        assert_eq!(data["more"], !data["cursor"].is_null(), "{data}");
        found.extend(data[rows].as_array().unwrap().iter().map(|row| row[field].clone()));
        totals.push(data["total"].clone());
        let Some(cursor) = data["cursor"].as_str() else { break };
        after = format!(" --after {cursor}");
    }
    totals.dedup();
    assert_eq!(totals.len(), 1, "{line}: the total changes from page to page: {totals:?}");
    found
}

fn names(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// A file with this text, for a stdin.
pub fn file_of(text: &str) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file
}

/// Polls until `what` holds; there is a limit, so that a fault is seen.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !holds() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Every file below a folder, in the order of their paths.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Copies a folder with all that is in it.
pub fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}
