//! A part of the schedule while it runs: this program as a process of its own, bounded in time.

use crate::shell::prelude::*;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long one that is asked to end has for it.
const GRACE: Duration = Duration::from_mins(2);

/// How long its last line is waited for once it has ended: what it started may keep the pipe open.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// It, while it runs.
pub struct Child {
    process: std::process::Child,
    last_line: Receiver<Vec<u8>>,
    began: Instant,
    limit: Duration,
    /// When it was asked to end, if it was.
    asked: Option<Instant>,
    is_late: bool,
}

/// How it ended.
pub struct End {
    /// As the system tells it.
    pub status: ExitStatus,
    /// The envelope that it wrote; null where it wrote none.
    pub envelope: Value,
    /// How long it might take.
    pub limit: Duration,
    /// It took too long, and was ended.
    pub is_late: bool,
    /// It was ended for one reason or another.
    pub was_asked: bool,
}

impl End {
    /// A text of the error that it ended with.
    pub fn said(&self, field: &str) -> Option<&str> {
        self.envelope["error"][field].as_str().filter(|text| !text.is_empty())
    }
}

impl Child {
    /// Starts this program with these words.
    pub fn start(binary: &Path, words: &[OsString], limit: Duration) -> Result<Self> {
        let mut command = Command::new(binary);
        // In a group of its own: Ctrl-C on a terminal is passed on, once, and not doubled by the terminal.
        command.args(words).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command
            .spawn()
            .map_err(|e| Error::new(Code::Io, format!("cannot start {}: {e}", binary.display())))?;
        let (tell, last_line) = channel();
        if let Some(stdout) = process.stdout.take() {
            thread::spawn(move || tell.send(last_of(stdout)));
        }
        Ok(Self { process, last_line, began: Instant::now(), limit, asked: None, is_late: false })
    }

    /// For how long it has been running.
    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Looks after it: ends it where its time is over, or the operator wants to stop. How it ended, once it has.
    pub fn look(&mut self, stop: bool) -> Result<Option<End>> {
        let lost = |e: &dyn std::fmt::Display| Error::new(Code::Io, format!("cannot wait for it: {e}"));
        if let Some(status) = self.process.try_wait().map_err(|e| lost(&e))? {
            let line = self.last_line.recv_timeout(LAST_WORDS).unwrap_or_default();
            return Ok(Some(End {
                status,
                envelope: serde_json::from_slice(&line).unwrap_or_default(),
                limit: self.limit,
                is_late: self.is_late,
                was_asked: self.asked.is_some(),
            }));
        }
        match self.asked {
            None if stop || self.age() >= self.limit => {
                self.is_late = !stop;
                self.asked = Some(Instant::now());
                // One that has ended meanwhile is found at the next look.
                let _ = kill_process(Pid::from_child(&self.process), Signal::TERM);
            }
            Some(asked) if asked.elapsed() >= GRACE => drop(self.process.kill()),
            _ => {}
        }
        Ok(None)
    }
}

/// The last line that is not empty. All are read, so that the writer never waits.
fn last_of(from: impl Read) -> Vec<u8> {
    let lines = BufReader::new(from).split(b'\n').map_while(std::io::Result::ok);
    lines.filter(|line| !line.is_empty()).last().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_the_envelope() {
        for (text, want) in [("", ""), ("a", "a"), ("a\nb\n", "b"), ("a\nb\n\n", "b"), ("\n", "")] {
            assert_eq!(last_of(text.as_bytes()), want.as_bytes(), "{text:?}");
        }
    }

    fn shell(script: &str, limit: Duration) -> Child {
        let words = ["-c", script].map(OsString::from);
        Child::start("/bin/sh".as_ref(), &words, limit).unwrap()
    }

    fn ended(mut child: Child, stop: bool) -> End {
        loop {
            if let Some(end) = child.look(stop).unwrap() {
                return end;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn one_that_takes_too_long_is_ended() {
        let end = ended(shell("echo '{\"ok\":true}'; exit 3", Duration::from_mins(1)), false);
        assert_eq!((end.status.code(), &end.envelope["ok"]), (Some(3), &Value::Bool(true)));
        assert!(!end.is_late && !end.was_asked);
        let forever = "trap 'exit 7' TERM; while :; do sleep 0.01; done";
        let end = ended(shell(forever, Duration::from_millis(300)), false);
        assert_eq!((end.status.code(), end.is_late, end.was_asked), (Some(7), true, true));
        assert!(end.envelope.is_null());
        // What it leaves behind with its pipe does not hold up anybody.
        let end = ended(shell("sleep 100 & exit 0", Duration::from_mins(1)), false);
        assert_eq!(end.status.code(), Some(0));
    }

    #[test]
    fn a_wish_to_stop_is_passed_on_once() {
        let child = shell("trap 'trap - TERM; sleep 0.3; exit 7' TERM; while :; do sleep 0.01; done", GRACE);
        thread::sleep(Duration::from_millis(200));
        let end = ended(child, true);
        assert_eq!((end.status.code(), end.is_late, end.was_asked), (Some(7), false, true));
    }
}
