//! The program behind `strategy.command`: run without a shell and without the secrets of the environment, bounded in time and in
//! what it may answer, and ended with everything that it started.

use base::{Code, Error, Result, Stop, redact, run};
use config::{Config, keys};
use rustix::process::{Pid, Signal, kill_process_group};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// Most bytes of an answer.
const MOST: u64 = 1 << 20;
/// Last bytes of what it says on stderr that are kept.
const KEPT: usize = 1024;
/// How often it is looked after.
const PAUSE: Duration = Duration::from_millis(10);
/// How long its last words are waited for after it was ended.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// The program, and how long it may take.
#[derive(Clone, PartialEq, Eq)]
pub struct Program {
    words: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
}

/// Its words may hold secrets.
impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Program({:?})", self.timeout)
    }
}

enum Part {
    Answer(std::io::Result<Vec<u8>>),
    Said(String),
}

impl Program {
    /// The program that the settings name.
    ///
    /// # Errors
    /// `invalid_value` for a command line whose quotes do not match.
    pub fn of(config: &Config) -> Result<Option<Self>> {
        let Some(line) = config.get("strategy.command") else { return Ok(None) };
        let words = shlex::split(line).filter(|words| !words.is_empty()).ok_or_else(|| {
            Error::new(Code::InvalidValue, "strategy.command is empty, or its quotes do not match").hint(
                "it is split into words as a shell does, and run without one; for a shell write: sh -c '…'",
            )
        })?;
        let timeout = Duration::from_secs(config.number("strategy.timeout_sec")?);
        Ok(Some(Self { words, timeout }))
    }

    /// Runs it with this on its stdin; returns what it wrote to stdout.
    ///
    /// # Errors
    /// `strategy_failed` for one that cannot be started, fails, takes too long or answers too much; `interrupted`.
    pub fn run(&self, question: Vec<u8>, stop: &Stop) -> Result<Vec<u8>> {
        let mut running = self.start(question)?;
        let began = Instant::now();
        let (mut answer, mut said) = (None, None);
        let status = loop {
            match running.parts.recv_timeout(PAUSE) {
                Ok(Part::Answer(read)) => {
                    let read = read.map_err(|e| failed(format!("cannot be read: {e}")))?;
                    if read.len() as u64 > MOST {
                        return Err(failed(format!("answers more than {MOST} bytes")));
                    }
                    answer = Some(read);
                }
                Ok(Part::Said(words)) => said = Some(words),
                Err(RecvTimeoutError::Disconnected) => thread::sleep(PAUSE),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if answer.is_some()
                && said.is_some()
                && let Some(status) = running.has_ended()?
            {
                break status;
            }
            stop.check()?;
            if began.elapsed() >= self.timeout {
                running.end();
                let why = format!(
                    "did not end within {} s (strategy.timeout_sec), with all that it started",
                    self.timeout.as_secs()
                );
                return Err(failed(with(why, said.or_else(|| running.last_words()))));
            }
        };
        if status.success() {
            return Ok(answer.unwrap_or_default());
        }
        Err(failed(with(format!("failed: {status}"), said)))
    }

    fn start(&self, question: Vec<u8>) -> Result<Running> {
        let [program, arguments @ ..] = self.words.as_slice() else {
            return Err(Error::new(Code::Bug, "strategy.command has no words"));
        };
        let mut command = Command::new(program);
        command.args(arguments).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for name in keys::secret_env() {
            command.env_remove(name);
        }
        let mut child = command.spawn().map_err(|e| failed(format!("cannot be started: {e}")))?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (send, parts) = mpsc::channel();
        if let Some(mut stdin) = stdin {
            // One that does not read its question closes the pipe, and answers all the same.
            thread::spawn(move || stdin.write_all(&question));
        }
        // They end with the pipes. Who is not listened to any more is of no interest.
        let answer = send.clone();
        thread::spawn(move || answer.send(Part::Answer(read(stdout))));
        thread::spawn(move || send.send(Part::Said(last(stderr))));
        Ok(Running { child, parts, ended: false })
    }
}

struct Running {
    child: Child,
    parts: Receiver<Part>,
    ended: bool,
}

impl Running {
    fn has_ended(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.child.try_wait().map_err(|e| failed(format!("was lost: {e}")))?;
        self.ended = status.is_some();
        Ok(status)
    }

    /// Ends it and its group, while its number is its own still.
    fn end(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            let _ = self.child.wait();
        }
    }

    fn last_words(&self) -> Option<String> {
        let until = Instant::now() + LAST_WORDS;
        loop {
            match self.parts.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Part::Said(words)) => return Some(words),
                Ok(Part::Answer(_)) => {}
                Err(_) => return None,
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// What it answers, and a byte more than it may.
fn read(from: Option<impl Read>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        from.take(MOST + 1).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// The end of what it says, in a line, without what a URL may hide.
fn last(from: Option<impl Read>) -> String {
    let mut kept: VecDeque<u8> = VecDeque::new();
    let mut buffer = [0; 4096];
    if let Some(mut from) = from {
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            kept.extend(buffer.iter().take(read));
            kept.drain(..kept.len().saturating_sub(KEPT));
        }
    }
    let text = String::from_utf8_lossy(kept.make_contiguous()).into_owned();
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    redact::words(&lines.join(" / ").replace(char::is_control, " "))
}

fn with(why: String, said: Option<String>) -> String {
    match said {
        Some(said) if !said.is_empty() => format!("{why}; it says: {said}"),
        _ => why,
    }
}

/// What is wrong with the command or its answer.
pub(crate) fn failed(why: impl std::fmt::Display) -> Error {
    Error::new(Code::StrategyFailed, format!("strategy.command {why}")).hint(
        run("farm plan")
            .say(" asks it and shows what it answers; to go on without it, unset strategy.command"),
    )
}
