//! The binary: parse, run, render, exit. Nothing else exits.

mod alerts;
mod app;
mod at;
mod block;
mod cli;
mod complete;
mod completions;
mod config;
mod console;
#[cfg(feature = "sandbox")]
mod demo;
mod doctor;
mod events;
mod farm;
mod farmer;
mod farming;
mod grind;
mod harvest;
mod health;
mod info;
mod init;
mod logs;
mod man;
mod member;
mod metrics;
mod new_file;
mod options;
mod oracle;
mod out_file;
mod panics;
mod pings;
mod plant;
mod pool;
mod pooler;
mod progress;
mod report;
mod reward;
mod risk;
#[cfg(feature = "sandbox")]
mod sandbox;
mod schema;
mod session;
mod state;
mod sync;
mod unlock;
mod views;
mod withdrawal;
mod work;

use cli::Parsed;
use console::Console;
use pings::Pings;
use poolctl::output::metrics as textfile;
use poolctl::output::{Exit, Outcome, Report, Result};
use session::Session;
use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let begun = Instant::now();
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
                provoke(&session);
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
            let report = Report::new(&words, false, Err(error));
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
fn finish(session: &Session, begun: Instant, pings: Option<Pings>, result: Result<Outcome>) -> u8 {
    let mut report = Report::new(&session.command, session.dry_run(), result);
    session.note_end(report.exit());
    let mut warnings = session.take_warnings();
    if let Some(path) = &session.options.metrics_file {
        let facts = textfile::RunFacts {
            command: &session.command,
            ended: session.run.clock.now(),
            took: begun.elapsed(),
            exit: report.exit(),
        };
        if let Err(e) = textfile::write(path, &facts, &report.outcome.gauges) {
            warnings.push(format!("cannot write the metrics file {}: {e}", path.display()));
        }
    }
    if let Some(pings) = pings {
        warnings.extend(pings.end(report.exit()));
    }
    warnings.append(&mut report.outcome.warnings);
    report.outcome.warnings = warnings;
    let shown = session.console.show(&report);
    match &report.outcome.probe {
        Some(probe) if shown.is_ok() => probe.status as u8,
        _ => settle(&session.console, report.exit(), shown).code(),
    }
}

/// The command's own exit code, unless its result could not be written.
fn settle(console: &Console, exit: Exit, shown: Result<()>) -> Exit {
    match shown {
        Err(e) if exit == Exit::Done => {
            console.fail(&e);
            e.exit()
        }
        Err(e) => {
            console.fail(&e);
            exit
        }
        Ok(()) => exit,
    }
}

/// Debug builds die at the step that the crash tests name.
#[cfg(debug_assertions)]
fn arm(session: &Session) {
    let steps = session.env.get("POOLCTL_CRASH_AT").and_then(|steps| steps.parse().ok());
    poolctl::killpoint::arm(steps.unwrap_or_default());
}

#[cfg(not(debug_assertions))]
fn arm(_session: &Session) {}

/// Debug builds panic with the payload that the panic test names: `POOLCTL_CRASH_AT=panic:…`.
#[cfg(debug_assertions)]
#[expect(clippy::panic, reason = "this is what the panic test asks for")]
fn provoke(session: &Session) {
    if let Some(payload) = session.env.get("POOLCTL_CRASH_AT").and_then(|at| at.strip_prefix("panic:")) {
        panic!("{payload}");
    }
}

#[cfg(not(debug_assertions))]
fn provoke(_session: &Session) {}
