//! Secrets that are named by where they are: a private file, a credential of the service manager, what a command prints.

use super::App;
use base::{Code, Error, Result, clock, files};
use config::Channel;
use config::channels::Secret;
use keys::read_private;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// What a command prints is never longer, bytes.
const MOST_PRINTED: u64 = 4096;
/// A credential is never larger, bytes.
const MOST: u64 = 64 << 10;
/// How often a command with a time limit is looked after.
const PAUSE: Duration = Duration::from_millis(10);

/// The URL and the token of a channel.
type ChannelSecrets = (Option<Zeroizing<String>>, Option<Zeroizing<String>>);

/// What stands in a file which only its owner may read, or in a credential: the service manager guards these, and its access
/// lists show as group bits. `missing` is the code where there is none.
pub fn private_text(
    what: &str,
    path: &Path,
    credentials: Option<&Path>,
    missing: Code,
) -> Result<Zeroizing<Vec<u8>>> {
    if credentials.is_some_and(|folder| path.starts_with(folder)) {
        return files::read(path, MOST).map(Zeroizing::new).map_err(|e| {
            Error::new(Code::Io, format!("cannot read the credential {}: {e}", path.display()))
        });
    }
    read_private(what, path, missing)
}

/// The one line of a text that says something: others are empty, or begin with `#`.
///
/// # Errors
/// What is wrong with the text, never the text itself.
pub fn one_line(bytes: &[u8]) -> Result<&str, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "no UTF-8 text")?;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    match (lines.next(), lines.next()) {
        (Some(line), None) => Ok(line),
        (None, _) => Err("it is empty"),
        (Some(_), Some(_)) => Err("more than one line"),
    }
}

/// What the shell command of a setting prints, which `wanted` names; `code` is that of its failures. One that takes longer than
/// `limit` is ended with all that it started.
pub(super) fn printed(
    setting: &str,
    wanted: &str,
    command: &str,
    limit: Option<Duration>,
    code: Code,
) -> Result<Zeroizing<Vec<u8>>> {
    let failed = |why: String| {
        Error::new(code, format!("{setting} {why}"))
            .hint(format!("try it in a shell; it must print {wanted} and exit with 0"))
    };
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::piped());
    if limit.is_some() {
        // Without a limit somebody may be asked on the terminal, which is our own group's.
        shell.process_group(0);
    }
    let mut child = shell.spawn().map_err(|e| failed(format!("cannot be started: {e}")))?;
    // Never moved while it grows, so that no copy stays behind.
    let mut printed = Zeroizing::new(Vec::with_capacity(8192));
    let ended = match limit {
        None => wait(&mut child, &mut printed).map(Some),
        Some(limit) => wait_within(limit, &mut child, &mut printed),
    };
    if limit.is_some() && !matches!(ended, Ok(Some(_))) {
        // Its number is its own still: nobody has waited for it.
        let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
        let _ = child.wait();
    }
    match ended.map_err(|e| failed(format!("cannot be read: {e}")))? {
        Some(status) if status.success() => Ok(printed),
        Some(status) => Err(failed(format!("failed: {status}"))),
        None => {
            let limit = clock::span(limit.unwrap_or_default().as_secs());
            Err(failed(format!("did not end within {limit}")))
        }
    }
}

/// Waits until a command has ended, however long that takes.
fn wait(child: &mut Child, printed: &mut Vec<u8>) -> io::Result<ExitStatus> {
    if let Some(stdout) = child.stdout.take() {
        stdout.take(MOST_PRINTED).read_to_end(printed)?;
    }
    child.wait()
}

/// The same for no longer than `limit`; `None` where it has not ended then, or what it started still holds its stdout.
fn wait_within(limit: Duration, child: &mut Child, printed: &mut Vec<u8>) -> io::Result<Option<ExitStatus>> {
    let began = Instant::now();
    let mut stdout = child.stdout.take();
    if let Some(pipe) = &stdout {
        ioctl_fionbio(pipe, true)?;
    }
    loop {
        if let Some(pipe) = &mut stdout
            && is_over(pipe, printed)?
        {
            stdout = None;
        }
        if stdout.is_none()
            && let Some(status) = child.try_wait()?
        {
            return Ok(Some(status));
        }
        if began.elapsed() >= limit {
            return Ok(None);
        }
        pause(stdout.as_ref())?;
    }
}

/// Reads what is in a pipe that never blocks; whether it is closed, or has said as much as is taken.
fn is_over(pipe: &mut ChildStdout, printed: &mut Vec<u8>) -> io::Result<bool> {
    let room = MOST_PRINTED.saturating_sub(u64::try_from(printed.len()).unwrap_or(u64::MAX));
    match pipe.take(room).read_to_end(printed) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(false),
        Err(e) => Err(e),
    }
}

/// Waits a moment, or until there is something to read.
fn pause(pipe: Option<&ChildStdout>) -> io::Result<()> {
    let Some(pipe) = pipe else {
        thread::sleep(PAUSE);
        return Ok(());
    };
    let time = Timespec { tv_sec: 0, tv_nsec: i64::from(PAUSE.subsec_nanos()) };
    match poll(&mut [PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)], Some(&time)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

impl App<'_> {
    /// The secrets of each of these channels, read side by side: a command may take as long as `limit`, and holds up no other
    /// channel.
    pub(crate) fn channel_secrets(
        &self,
        channels: &[&Channel],
        limit: Duration,
    ) -> Vec<Result<ChannelSecrets>> {
        let credentials = self.sources.env.get("CREDENTIALS_DIRECTORY").map(Path::new);
        let read = |channel: &Channel| -> Result<ChannelSecrets> {
            let one = |what: &str, secret: Option<&Secret>| {
                secret
                    .map(|secret| channel_secret(&channel.name, what, secret, credentials, limit))
                    .transpose()
            };
            Ok((one("url", channel.url.as_ref())?, one("token", channel.token.as_ref())?))
        };
        let read = &read;
        thread::scope(|scope| {
            let reading: Vec<_> =
                channels.iter().map(|&channel| scope.spawn(move || read(channel))).collect();
            let lost = || Error::new(Code::Bug, "reading the secrets of a channel ended too soon");
            reading.into_iter().map(|one| one.join().unwrap_or_else(|_| Err(lost()))).collect()
        })
    }
}

/// The secret `what` of a channel.
fn channel_secret(
    channel: &str,
    what: &str,
    secret: &Secret,
    credentials: Option<&Path>,
    limit: Duration,
) -> Result<Zeroizing<String>> {
    let bad = |why: &str| Error::new(Code::InvalidValue, format!("channel \"{channel}\": {what}: {why}"));
    let bytes = match secret {
        Secret::Value(text) => return Ok(Zeroizing::new(text.clone())),
        Secret::File(path) => {
            private_text(&format!("{what} file of channel \"{channel}\""), path, credentials, Code::Io)?
        }
        Secret::Command(command) => {
            let setting = format!("{what}_command of channel \"{channel}\"");
            printed(&setting, "the secret", command, Some(limit), Code::InvalidValue)?
        }
    };
    one_line(&bytes).map(|line| Zeroizing::new(line.to_owned())).map_err(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_one_line() {
        for (text, want) in [
            ("KEY", Ok("KEY")),
            ("# of ops\n\n KEY \r\n", Ok("KEY")),
            ("", Err("it is empty")),
            ("# KEY\n", Err("it is empty")),
            ("KEY\nKEY", Err("more than one line")),
        ] {
            assert_eq!(one_line(text.as_bytes()), want, "{text:?}");
        }
        assert_eq!(one_line(b"\xff"), Err("no UTF-8 text"));
    }

    #[test]
    fn a_command_is_ended_at_its_limit_with_all_that_it_started() {
        let within = |command: &str, limit: Option<Duration>| {
            printed("a.command", "the secret", command, limit, Code::InvalidValue)
        };
        let long = Some(Duration::from_mins(1));
        for limit in [None, long] {
            assert_eq!(within("echo KEY", limit).unwrap().as_slice(), b"KEY\n");
            assert_eq!(
                within("echo K; exit 3", limit).unwrap_err().message(),
                "a.command failed: exit status: 3"
            );
        }
        assert_eq!(within("exec >&-; sleep 0.1", long).unwrap().as_slice(), b"");
        let many = within("yes", long);
        assert!(many.is_err_and(|e| e.message().starts_with("a.command failed: ")));
        let began = Instant::now();
        for command in ["sleep 600", "exec >&-; sleep 600", "sleep 600 & echo KEY"] {
            let e = within(command, Some(Duration::from_secs(1))).unwrap_err();
            assert_eq!(e.message(), "a.command did not end within 1s", "{command}");
        }
        assert!(began.elapsed() < Duration::from_mins(5));
    }
}
