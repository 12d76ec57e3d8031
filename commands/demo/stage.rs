//! The demo's stage: a folder of its own, the binary as a child in it, and how each step is shown.

use crate::shell::prelude::*;
use serde_json::Value;
use std::fs::DirBuilder;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

/// Why the demo ends early.
pub enum End {
    /// Nobody reads stdout any more.
    Unread,
    /// Something failed, or the operator wants to stop.
    Failed(Error),
}

impl From<Error> for End {
    fn from(e: Error) -> Self {
        Self::Failed(e)
    }
}

/// One thing that is shown, for a program.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Line<'a> {
    /// What happens on the networks, or why a command comes next.
    Note {
        /// In words.
        text: &'a str,
    },
    /// A setting of the environment that all commands have.
    Setting {
        /// Of the variable.
        name: &'a str,
        /// What it is set to.
        value: &'a str,
    },
    /// A command that was run.
    Step {
        /// Its words.
        command: Vec<&'a str>,
        /// How it ended; null by a signal.
        exit_code: Option<i32>,
        /// What it wrote, as `poolctl schema COMMAND` says; of a stream the last line.
        envelope: Value,
    },
}

/// Where the demo plays.
pub struct Stage<'s> {
    session: &'s Session,
    /// The demo's own folder.
    pub folder: PathBuf,
    /// The file of this program.
    pub binary: PathBuf,
    begun: Instant,
    /// Commands run so far.
    pub commands: u64,
}

impl<'s> Stage<'s> {
    /// A new folder among the temporary files, for this user only.
    pub fn open(session: &'s Session) -> Result<Self> {
        let io = |what: &str, e: &std::io::Error| Error::new(Code::Io, format!("cannot {what}: {e}"));
        let binary = std::env::current_exe().map_err(|e| io("find this program's own file", &e))?;
        let parent = session.env.get("TMPDIR").map_or("/tmp", String::as_str);
        let id = session.call.run.id.split('-').next().unwrap_or_default();
        let folder = App::absolute(&Path::new(parent).join(format!("poolctl-demo-{id}")))?;
        DirBuilder::new().mode(0o700).create(&folder).map_err(|e| {
            io(&format!("make the folder {}", folder.display()), &e).hint("name a writable one in TMPDIR")
        })?;
        Ok(Self { session, folder, binary, begun: Instant::now(), commands: 0 })
    }

    /// The config file of all commands.
    pub fn config(&self) -> PathBuf {
        self.folder.join("demo.toml")
    }

    /// Since the stage was opened.
    pub fn milliseconds(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Tells what happens on the networks, or why a command comes next.
    pub fn say(&self, text: &str) -> Result<(), End> {
        self.show(&wrap(text), &Line::Note { text })
    }

    /// Shows a setting of the environment that all commands have.
    pub fn show_setting(&self, name: &str, value: &str) -> Result<(), End> {
        self.show(&format!("$ export {name}={value}\n"), &Line::Setting { name, value })
    }

    /// Runs a command that is to succeed, and shows it with its output.
    pub fn run(&mut self, line: &str) -> Result<(), End> {
        self.step(line, None, 0)
    }

    /// As [`Stage::run`], for a command that reads a secret from stdin, which is not shown, or is to end with another exit code.
    pub fn step(&mut self, line: &str, input: Option<&str>, exit: i32) -> Result<(), End> {
        self.session.call.stop.check()?;
        let json = self.session.options.json;
        let output = self.child(line, input, json)?;
        self.commands += 1;
        let code = output.status.code();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        // With --json the last line is the envelope, of a command that streams too.
        let last = stdout.lines().last().filter(|_| json).unwrap_or_default();
        let envelope = serde_json::from_str(last).unwrap_or(Value::Null);
        let ended = code.filter(|code| *code != 0).map(|code| format!("(exit code {code})\n"));
        let shown = format!("$ poolctl {line}\n{stdout}{stderr}{}", ended.unwrap_or_default());
        let command = line.split(' ').collect();
        self.show(&shown, &Line::Step { command, exit_code: code, envelope })?;
        if code == Some(exit) {
            return Ok(());
        }
        // A signal to the whole group ends the child first.
        self.session.call.stop.check()?;
        let said = stderr.lines().next().map(|line| format!(": {line}")).unwrap_or_default();
        Err(Error::new(Code::Bug, format!("poolctl {line} ended with {}{said}", output.status)).into())
    }

    /// Runs a command silently and gives its data.
    pub fn ask(&self, line: &str) -> Result<Value, End> {
        self.session.call.stop.check()?;
        let output = self.child(line, None, true)?;
        let envelope: Option<Value> = serde_json::from_slice(&output.stdout).ok();
        let data = envelope.filter(|e| e["ok"] == true).map(|mut envelope| envelope["data"].take());
        if data.is_none() {
            self.session.call.stop.check()?;
        }
        data.ok_or_else(|| {
            Error::new(Code::Bug, format!("poolctl {line} ended with {}", output.status)).into()
        })
    }

    /// Runs the binary in the folder, with nothing of the operator's own environment.
    fn child(&self, line: &str, input: Option<&str>, json: bool) -> Result<Output> {
        let failed = |e| Error::new(Code::Io, format!("cannot run {}: {e}", self.binary.display()));
        let mut child = Command::new(&self.binary)
            .args(line.split(' '))
            .args(json.then_some("--json"))
            .current_dir(&self.folder)
            .env_clear()
            .env("POOLCTL_CONFIG", self.config())
            .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
            // One that ends without reading it says why itself.
            let _ = stdin.write_all(input.as_bytes());
        }
        child.wait_with_output().map_err(failed)
    }

    fn show(&self, text: &str, line: &Line<'_>) -> Result<(), End> {
        let read = if self.session.options.json { Console::tell(line) } else { Console::emit(text) }?;
        if read { Ok(()) } else { Err(End::Unread) }
    }
}

/// A note for a person: lines of `# …` of a readable width, and an empty one.
fn wrap(text: &str) -> String {
    const WIDTH: usize = 100;
    let (mut lines, mut line) = (String::new(), String::from("#"));
    for word in text.split(' ') {
        if line.chars().count() + word.chars().count() >= WIDTH {
            lines.push_str(&line);
            lines.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    lines + &line + "\n"
}
