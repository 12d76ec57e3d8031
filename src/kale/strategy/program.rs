//! The program behind `strategy.command`: run without a shell and without the secrets of the environment, bounded in time and in
//! what it may answer, and ended with everything that it started, whatever came of it.

use crate::contract::address::shown;
use base::{Code, Endpoint, Error, Result, Stop, clock, redact, run};
use config::{Config, keys};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionbio;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Most bytes of an answer.
const MOST: usize = 1 << 20;
/// Last bytes of what it says on stderr that are kept.
const KEPT: usize = 1024;
/// How often it is looked after.
const PAUSE: Duration = Duration::from_millis(10);
/// Bytes that are read from a pipe before the clock is looked at again.
const PIECE: usize = 64 << 10;

/// The program, and how long it may take.
#[derive(Clone)]
pub struct Program {
    words: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
    /// The settings' endpoints, whose keys it may print.
    endpoints: Vec<Endpoint>,
}

/// Its words may hold secrets.
impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Program({:?})", self.timeout)
    }
}

impl Program {
    /// The program that the settings name.
    pub fn of(config: &Config) -> Result<Option<Self>> {
        let Some(line) = config.get("strategy.command") else { return Ok(None) };
        let words = shlex::split(line).filter(|words| !words.is_empty()).ok_or_else(|| {
            let hint =
                "it is split into words as a shell does, and run without one; for a shell write: sh -c '…'";
            Error::new(Code::InvalidValue, "strategy.command is empty, or its quotes do not match").hint(hint)
        })?;
        let timeout = Duration::from_secs(config.number("strategy.timeout_sec")?);
        let lists = keys::KEYS.iter().filter(|key| key.kind == keys::Kind::Endpoints);
        let lists = lists.filter_map(|key| config.get(key.name));
        let endpoints = lists.flat_map(|list| Endpoint::parse_list(&list.split(',').collect::<Vec<_>>()));
        Ok(Some(Self { words, timeout, endpoints: endpoints.flatten().collect() }))
    }

    /// What is run: a path, or a name that is looked for in `PATH`.
    pub fn name(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// Runs it with this on its stdin; returns what it wrote to stdout.
    /// `strategy_failed` for one that cannot be started, fails, takes too long or answers too much.
    pub fn run(&self, question: Vec<u8>, stop: &Stop) -> Result<Vec<u8>> {
        let mut running = self.start(question)?;
        let began = Instant::now();
        loop {
            running.turn().map_err(|e| failed(format!("cannot be read: {e}")))?;
            if running.answer.len() > MOST {
                return Err(failed(format!("answers more than {MOST} bytes")));
            }
            // Before anything else: what it started in the background may hold the pipes for ever.
            if running.has_said_all() && running.has_ended()? {
                break;
            }
            stop.check()?;
            if began.elapsed() >= self.timeout {
                running.end();
                let _ = running.listen();
                let limit = clock::span(self.timeout.as_secs());
                let why =
                    format!("did not end within {limit} (strategy.timeout_sec), with all that it started");
                return Err(failed(with(why, &self.last(&running.said))));
            }
        }
        match running.end() {
            Some(status) if status.success() => Ok(std::mem::take(&mut running.answer)),
            Some(status) => Err(failed(with(format!("failed: {status}"), &self.last(&running.said)))),
            None => Err(failed("was lost: how it ended is not known")),
        }
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
        dies_with_us(&mut command);
        let mut child = command.spawn().map_err(|e| {
            failed(format!("cannot be started: {}: {e}", shown(program)))
                .hint("it is run without a shell: write the whole path, ~ and $HOME are not replaced")
        })?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (question, answer, said) = (question.into(), Vec::new(), VecDeque::new());
        let running = Running { child, ended: None, question, stdin, stdout, stderr, answer, said };
        running.never_block().map_err(|e| failed(format!("cannot be read: {e}")))?;
        Ok(running)
    }

    /// The end of what it says, in a line, without what may be a secret.
    fn last(&self, said: &VecDeque<u8>) -> String {
        let bytes: Vec<u8> = said.iter().copied().collect();
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        if bytes.len() >= KEPT {
            // The end of a word that was cut, which may be a secret's.
            text.drain(..text.find(char::is_whitespace).unwrap_or(text.len()));
        }
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let text = redact::hidden(&lines.join(" / ").replace(char::is_control, " "));
        let text = self.endpoints.iter().fold(text, |text, endpoint| endpoint.redactor().hide(&text));
        redact::bounded(&text)
    }
}

/// Lets the system end it when this process dies, however that happens. Only Linux can, and only the program itself: what it
/// started it must end itself.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "what runs between fork and exec is two system calls, which allocate nothing")]
fn dies_with_us(command: &mut Command) {
    use rustix::process::{getppid, set_parent_process_death_signal};
    let us = rustix::process::getpid();
    let ask = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // We may have died before it was asked for.
        if getppid() == Some(us) { Ok(()) } else { Err(ErrorKind::BrokenPipe.into()) }
    };
    // SAFETY: `ask` makes system calls that are safe between fork and exec; it takes no lock and allocates nothing.
    unsafe { command.pre_exec(ask) };
}

#[cfg(not(target_os = "linux"))]
fn dies_with_us(_command: &mut Command) {}

/// The program while it runs. No thread waits for it, and its pipes are closed with this.
struct Running {
    child: Child,
    ended: Option<ExitStatus>,
    /// What is still to be written to it.
    question: VecDeque<u8>,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    answer: Vec<u8>,
    /// The end of what it wrote to stderr.
    said: VecDeque<u8>,
}

impl Running {
    fn never_block(&self) -> std::io::Result<()> {
        let pipes = [
            self.stdin.as_ref().map(AsFd::as_fd),
            self.stdout.as_ref().map(AsFd::as_fd),
            self.stderr.as_ref().map(AsFd::as_fd),
        ];
        pipes.into_iter().flatten().try_for_each(|pipe| Ok(ioctl_fionbio(pipe, true)?))
    }

    const fn has_said_all(&self) -> bool {
        self.stdout.is_none() && self.stderr.is_none()
    }

    /// Waits a moment for the pipes, then writes and reads what can be.
    fn turn(&mut self) -> std::io::Result<()> {
        let pause = Timespec { tv_sec: 0, tv_nsec: i64::from(PAUSE.subsec_nanos()) };
        let ends = [
            self.stdin.as_ref().map(|pipe| PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::OUT)),
            self.stdout.as_ref().map(|pipe| PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)),
            self.stderr.as_ref().map(|pipe| PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)),
        ];
        let mut ends: Vec<PollFd<'_>> = ends.into_iter().flatten().collect();
        if ends.is_empty() {
            thread::sleep(PAUSE);
        } else if let Err(e) = poll(&mut ends, Some(&pause))
            && e != rustix::io::Errno::INTR
        {
            return Err(e.into());
        }
        drop(ends);
        self.ask();
        self.listen()
    }

    /// Writes more of the question. One that does not read it closes the pipe, and answers all the same.
    fn ask(&mut self) {
        while let Some(stdin) = &mut self.stdin {
            match stdin.write(self.question.as_slices().0) {
                Ok(0) => self.stdin = None,
                Ok(written) => drop(self.question.drain(..written)),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.stdin = None,
            }
        }
    }

    /// Takes in what it has written.
    fn listen(&mut self) -> std::io::Result<()> {
        let answer = &mut self.answer;
        if is_over(self.stdout.as_mut(), |bytes| answer.extend_from_slice(bytes))? {
            self.stdout = None;
        }
        let said = &mut self.said;
        let keep = |bytes: &[u8]| {
            said.extend(bytes);
            said.drain(..said.len().saturating_sub(KEPT));
        };
        if is_over(self.stderr.as_mut(), keep)? {
            self.stderr = None;
        }
        Ok(())
    }

    /// Whether it has ended; its number stays its own until [`Running::end`].
    fn has_ended(&self) -> Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(Pid::from_child(&self.child)), options);
        Ok(status.map_err(|e| failed(format!("was lost: {e}")))?.is_some())
    }

    /// Ends it and its group, while its number is its own still; returns how it ended.
    fn end(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            self.ended = self.child.wait().ok();
        }
        self.ended
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Reads a piece of what is in a pipe; whether it is over, which one that is closed is.
fn is_over(pipe: Option<&mut impl Read>, mut take: impl FnMut(&[u8])) -> std::io::Result<bool> {
    let Some(pipe) = pipe else { return Ok(true) };
    let mut buffer = [0; 4096];
    for _ in 0..PIECE / buffer.len() {
        match pipe.read(&mut buffer) {
            Ok(0) => return Ok(true),
            Ok(read) => take(buffer.get(..read).unwrap_or_default()),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(e) => return Err(e),
        }
    }
    Ok(false)
}

fn with(why: String, said: &str) -> String {
    if said.is_empty() { why } else { format!("{why}; it says: {said}") }
}

/// What is wrong with the command or its answer.
pub(crate) fn failed(why: impl std::fmt::Display) -> Error {
    Error::new(Code::StrategyFailed, format!("strategy.command {why}")).hint(
        run("farm plan")
            .say(" asks it and shows what it answers; to go on without it, unset strategy.command"),
    )
}
