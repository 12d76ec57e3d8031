//! The binary: parse, run, render, exit. Nothing else exits.

#![allow(
    clippy::unused_self,
    clippy::unnecessary_wraps,
    reason = "every command runs in the same form, with flags or without"
)]

#[cfg(feature = "sandbox")]
mod demo;
mod farming;
mod output;
mod pools;
mod records;
#[cfg(feature = "sandbox")]
mod sandbox;
mod schedule;
#[cfg(feature = "serve")]
mod serving;
mod setup;
mod shell;
mod watch;

use crate::output::{Ended, Outcome};
use base::{Exit, Result};
use shell::cli::{self, Parsed};
use shell::console::Console;
use shell::pings::Pings;
use shell::session::{self, Session};
use shell::textfile::{self, Textfile};
use shell::{complete, panics};
use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let begun = Instant::now();
    keys::no_core_dumps();
    let env = session::environment();
    let args: Vec<OsString> = std::env::args_os().collect();
    if let Some(question) = complete::asked(&args) {
        // Whatever goes wrong, a prompt is no place to say so.
        let _ = panics::catch(|| Console::write(&complete::answer(question, env)));
        return ExitCode::SUCCESS;
    }
    let status = match cli::parse(&args) {
        Parsed::Run(cli, words) => {
            let cli::Cli { options, command } = *cli;
            let session = Session::new(options, words, env);
            arm(&session);
            let pings = Pings::start(&session);
            let result = panics::catch(|| {
                provoke(&session, "panic:");
                textfile::check(&session)?;
                command.run(&session)
            });
            finish(&session, begun, pings, result)
        }
        Parsed::Text(options, text) => {
            let console = Console::new(&options, &env);
            settle(&console, Exit::Done, console.help(&text, true)).code()
        }
        Parsed::Wrong(options, words, error, help) => {
            let console = Console::new(&options, &env);
            let report = Ended::new(&words, false, Err(error));
            let exit = match help {
                Some(help) if !options.json => settle(&console, report.exit(), console.help(&help, false)),
                _ => settle(&console, report.exit(), console.show(&report)),
            };
            exit.code()
        }
    };
    ExitCode::from(status)
}

/// Writes the metrics, tells the watchdog, shows the result, and says with which status the process ends.
fn finish(session: &Session, begun: Instant, mut pings: Option<Pings>, result: Result<Outcome>) -> u8 {
    let mut report = end(session, result);
    report.outcome.streamed |= Console::has_told();
    let mut warnings = std::mem::take(&mut report.outcome.warnings);
    let mut textfile = Textfile::of(session, begun, &report.outcome.gauges);
    if let Some(Err(e)) = textfile.as_mut().map(|file| file.write(report.exit())) {
        // Of the command that is there for it, it is the result.
        if session.call.command == "metrics" && report.outcome.failure.is_none() {
            report.outcome.failure = Some(e);
            // What could be written of it may say that all went well.
            let _ = textfile.as_mut().map(|file| file.write(report.exit()));
        } else {
            warnings.push(e.to_string());
        }
    }
    if let Some(pings) = &mut pings {
        warnings.extend(pings.end(report.exit()));
    }
    report.outcome.warnings = warnings;
    // What was committed stands, whatever it looks like.
    let shown = panics::catch(|| {
        provoke(session, "panic-shown:");
        session.console.show(&report)
    })
    .and_then(|()| textfile.as_ref().map_or(Ok(()), |file| file.print(report.exit())));
    if let (Some(probe), true) = (&report.outcome.probe, shown.is_ok()) {
        return probe.status as u8;
    }
    let exit = settle(&session.console, report.exit(), shown);
    if exit != report.exit() {
        let amended =
            [session.call.amend_end(exit), textfile.as_mut().map_or(Ok(()), |file| file.write(exit))];
        let warnings = amended.into_iter().filter_map(Result::err).map(|e| e.to_string());
        for warning in warnings.chain(pings.iter_mut().flat_map(|pings| pings.end(exit))) {
            session.console.warn(&warning);
        }
    }
    exit.code()
}

/// What a command came to, whoever is told of it; its end is noted in the state.
fn end(session: &Session, result: Result<Outcome>) -> Ended {
    let result = session.call.has_read_one_moment().and(result);
    let mut report = Ended::new(&session.call.command, session.call.dry_run(), result);
    report.outcome.failure = report.outcome.failure.take().or_else(|| session.call.take_fault());
    session.call.note_end(report.exit());
    let mut warnings = session.call.take_warnings();
    warnings.append(&mut report.outcome.warnings);
    report.outcome.warnings = warnings;
    report
}

/// The command's own exit code, unless its result could not be written.
fn settle(console: &Console, exit: Exit, shown: Result<()>) -> Exit {
    let Err(e) = shown else { return exit };
    console.fail(&e);
    if exit == Exit::Done { e.exit() } else { exit }
}

/// Debug builds die at the step that the crash tests name.
#[cfg(debug_assertions)]
fn arm(session: &Session) {
    let steps = session.env.get("POOLCTL_CRASH_AT").and_then(|steps| steps.parse().ok());
    base::killpoint::arm(steps.unwrap_or_default());
}

#[cfg(not(debug_assertions))]
fn arm(_session: &Session) {}

/// Debug builds panic with the payload that the panic tests name: `POOLCTL_CRASH_AT=panic:…`, or `panic-shown:…` for when
/// the command is done.
#[cfg(debug_assertions)]
#[expect(clippy::panic, reason = "this is what the panic tests ask for")]
fn provoke(session: &Session, point: &str) {
    if let Some(payload) = session.env.get("POOLCTL_CRASH_AT").and_then(|at| at.strip_prefix(point)) {
        panic!("{payload}");
    }
}

#[cfg(not(debug_assertions))]
fn provoke(_session: &Session, _point: &str) {}
