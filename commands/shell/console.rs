//! The terminal: the only code that writes to stdout and stderr, and the only one that asks.

use crate::output::{Ended, render};
use crate::shell::options::{Options, When};
use crate::shell::quiet;
use base::{Code, Error, Exit, Progress, Result, Silent, Stop};
use render::Style;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use zeroize::Zeroizing;

/// Objects of a stream were written.
static TOLD: AtomicBool = AtomicBool::new(false);

/// What the three standard streams can take.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Console {
    json: bool,
    quiet: bool,
    out: Style,
    /// Whether stdout is a terminal.
    pub out_terminal: bool,
    /// What stderr takes.
    pub err: Style,
    pub err_terminal: bool,
    /// Whether a question can be put and answered.
    pub can_ask: bool,
}

impl Console {
    /// Looks at the streams, the flags and `NO_COLOR`.
    pub fn new(options: &Options, env: &BTreeMap<String, String>) -> Self {
        let (out_terminal, err_terminal) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let dumb = env.contains_key("NO_COLOR") || env.get("TERM").is_some_and(|term| term == "dumb");
        if options.quiet && !options.json {
            quiet::begin();
        }
        let color = |terminal: bool| match options.color {
            When::Always => true,
            When::Never => false,
            When::Auto => terminal && !dumb,
        };
        Self {
            json: options.json,
            quiet: options.quiet,
            out: Style { color: color(out_terminal), width: width(io::stdout()) },
            out_terminal,
            err: Style { color: color(err_terminal), width: width(io::stderr()) },
            err_terminal,
            can_ask: err_terminal && io::stdin().is_terminal(),
        }
    }

    /// One that nobody sits at.
    #[cfg(feature = "serve")]
    pub fn mute() -> Self {
        let style = Style { color: false, width: None };
        Self {
            json: true,
            quiet: true,
            out: style,
            out_terminal: false,
            err: style,
            err_terminal: false,
            can_ask: false,
        }
    }

    /// Shows how the run ended. A closed pipe is no failure.
    pub fn show(&self, report: &Ended) -> Result<()> {
        if let Some(probe) = &report.outcome.probe {
            return Self::write(&probe.line());
        }
        if self.json {
            return print(&render::json(report, self.out_terminal)?);
        }
        let is_silent = self.quiet && report.exit() == Exit::Done;
        if is_silent && !report.outcome.is_file {
            return Ok(());
        }
        let before = if is_silent { Ok(()) } else { Self::release() };
        let page = match &report.outcome.csv {
            Some(csv) => csv.clone(),
            None => render::page(&report.outcome.page(), self.out),
        };
        let print: fn(&str) -> Result<()> = if report.outcome.is_file { Self::write } else { print };
        let notices = if is_silent { String::new() } else { render::notices(report, self.err) };
        // What a dry run would do is read with that in mind, so it is said first.
        if report.dry_run {
            note(&notices);
            return before.and(print(&page));
        }
        let printed = before.and(print(&page));
        note(&notices);
        printed
    }

    /// Shows what `--quiet` has kept back.
    fn release() -> Result<()> {
        Self::write(&quiet::end())
    }

    /// Waits so long, or until nobody reads stdout any more or a signal comes; false where nobody reads it.
    pub fn wait(time: Duration) -> Result<bool> {
        let stdout = io::stdout();
        // Asked for nothing, it tells only that the other end is gone.
        let mut ends = [PollFd::new(&stdout, PollFlags::empty())];
        let time = Timespec { tv_sec: time.as_secs().cast_signed(), tv_nsec: time.subsec_nanos().into() };
        match poll(&mut ends, Some(&time)) {
            Ok(_) => Ok(ends[0].revents().is_empty()),
            Err(Errno::INTR) => Ok(true),
            Err(e) => Err(Error::new(Code::Io, format!("cannot wait for stdout: {e}"))),
        }
    }

    /// Writes a text to stdout as it stands, with `--quiet` too: it was asked for by name. That the reader has gone away is no
    /// failure.
    pub fn write(text: &str) -> Result<()> {
        write_out(text).map(|_| ())
    }

    /// Writes all that a file has to stdout. It is worth nothing in parts, so a closed pipe is a failure.
    pub fn copy(from: &mut File) -> Result<()> {
        let mut stdout = io::stdout().lock();
        io::copy(from, &mut stdout)
            .and_then(|_| stdout.flush())
            .map_err(|e| Error::new(Code::Io, format!("cannot write to stdout: {e}")))
    }

    /// Writes one line of a stream to stdout; false where nobody reads it any more.
    pub fn emit(line: &str) -> Result<bool> {
        crate::shell::progress::suspend(|| write(&format!("{line}\n")))
    }

    /// Writes one object of an NDJSON stream to stdout; false where nobody reads it any more.
    pub fn tell<T: Serialize>(line: &T) -> Result<bool> {
        let text = serde_json::to_string(line)
            .map_err(|e| Error::new(Code::Bug, format!("a line cannot be written as JSON: {e}")))?;
        TOLD.store(true, Ordering::Relaxed);
        Self::emit(&text)
    }

    /// Whether objects of a stream were written: the envelope is its last line then, however the command ends.
    pub fn has_told() -> bool {
        TOLD.load(Ordering::Relaxed)
    }

    /// Shows a page before the command ends.
    pub fn present(&self, page: &crate::output::Page) -> Result<()> {
        print(&render::page(page, self.out))
    }

    /// Shows a page in the place of the one before: on a terminal over it, elsewhere below it. False where nobody reads it any
    /// more.
    pub fn redraw(&self, page: &crate::output::Page) -> Result<bool> {
        let (page, clear) = (render::page(page, self.out), "\u{1b}[H\u{1b}[2J");
        if !self.out_terminal {
            return write(&format!("{page}\n"));
        }
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
        let whole = (page.as_str(), 0);
        let fits = size.map_or(whole, |size| render::top(&page, size.ws_col, size.ws_row));
        write(&match fits {
            (all, 0) => format!("{clear}{all}"),
            (top, hidden) => format!("{clear}{top}… {} more", base::counted(hidden, "line")),
        })
    }

    /// Shows an error that came after the report.
    pub fn fail(&self, e: &Error) {
        // Where that is what fails, it is the error.
        let _ = Self::release();
        note(&render::error(e, self.err));
    }

    /// Shows a warning that came after the report.
    pub fn warn(&self, warning: &str) {
        note(&render::warning(warning, self.err));
    }

    /// Shows a help or version text: on stdout if it was asked for, else on stderr.
    pub fn help(&self, text: &clap::builder::StyledStr, asked: bool) -> Result<()> {
        let style = if asked { self.out } else { self.err };
        let text = if style.color { text.ansi().to_string() } else { text.to_string() };
        if asked {
            return print(&text);
        }
        note(&text);
        Ok(())
    }

    /// A bar on a terminal, nothing elsewhere.
    pub fn progress(&self) -> Box<dyn Progress + Send + Sync> {
        if self.err_terminal && !self.quiet {
            Box::new(crate::shell::progress::Bar)
        } else {
            Box::new(Silent)
        }
    }
}

/// Puts a yes-or-no question on stderr and reads the answer from stdin; only `y` and `yes` agree.
pub fn ask(question: &str) -> Result<bool> {
    note(&format!("{question} – go on? [y/N] "));
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|e| Error::new(Code::Io, format!("cannot read the answer from stdin: {e}")))?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// How soon a wish to stop is noticed while a secret is asked for.
const STOP_NOTICED: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Puts a question on stderr and reads a secret from the terminal on stdin, without showing it.
pub fn ask_secret(question: &str, stop: &Stop) -> Result<Zeroizing<String>> {
    let io = |e: &dyn std::fmt::Display| Error::new(Code::Io, format!("cannot read from the terminal: {e}"));
    let stdin = io::stdin();
    let _hidden = Hidden::begin(&stdin).map_err(|e| io(&e))?;
    note(&format!("{question}: "));
    // A terminal gives a line at a time, of at most 4096 bytes.
    let mut line = Zeroizing::new(Vec::with_capacity(8192));
    while !line.contains(&b'\n') {
        // The first Ctrl-C only sets a flag, and may do so just before the wait: so each wait is short.
        let mut waiting = [PollFd::new(&stdin, PollFlags::IN)];
        match poll(&mut waiting, Some(&STOP_NOTICED)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(io(&e)),
        }
        if stop.wanted() {
            note("\n");
            return Err(Error::new(
                Code::Interrupted,
                "interrupted at a question; what was asked for is not done",
            ));
        }
        if waiting[0].revents().is_empty() {
            continue;
        }
        let mut part = Zeroizing::new([0; 4096]);
        match rustix::io::read(&stdin, part.as_mut_slice()) {
            Ok(0) => break,
            Ok(_) if line.len() >= 4096 => return Err(io(&"the line is too long")),
            Ok(n) => line.extend_from_slice(&part[..n]),
            Err(Errno::INTR) => {}
            Err(e) => return Err(io(&e)),
        }
    }
    note("\n");
    let text = std::str::from_utf8(&line).map_err(|_| io(&"not text"))?;
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// The terminal shows nothing of what is typed until this is dropped.
struct Hidden<'a> {
    terminal: &'a io::Stdin,
    before: Termios,
}

impl<'a> Hidden<'a> {
    fn begin(terminal: &'a io::Stdin) -> rustix::io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal, OptionalActions::Flush, &hidden)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Now, &self.before);
    }
}

/// Shows a text on stdout, unless `--quiet` keeps it back; that the reader has gone away is no failure.
fn print(text: &str) -> Result<()> {
    write(text).map(|_| ())
}

/// The same; false where the reader has gone away.
fn write(text: &str) -> Result<bool> {
    if quiet::keep(text) { Ok(true) } else { write_out(text) }
}

/// Writes to stdout and flushes; false where the reader has gone away.
fn write_out(text: &str) -> Result<bool> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(e) => Err(Error::new(Code::Io, format!("cannot write to stdout: {e}"))
            .hint("the command itself has run; see what it did with: poolctl events")),
    }
}

/// Writes to stderr; there is nowhere to report that it failed.
fn note(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

fn width<S: rustix::fd::AsFd + IsTerminal>(stream: S) -> Option<u16> {
    if !stream.is_terminal() {
        return None;
    }
    rustix::termios::tcgetwinsize(stream).ok().map(|size| size.ws_col).filter(|columns| *columns >= 20)
}
