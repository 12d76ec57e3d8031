//! The flags that every command takes.

use app::paging::Window;
use base::clock::{self, BadDuration};
use base::{Code, Error, Result};
use clap::{ArgAction, Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// When to use colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Global flags.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
#[expect(clippy::doc_markdown, reason = "clap shows these lines as they stand")]
pub struct Options {
    /// Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    #[arg(long, global = true, value_name = "PATH", hide_short_help = true)]
    pub config: Option<PathBuf>,

    /// Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    pub profile: Option<String>,

    /// State file [env: POOLCTL_STATE] [default: the platform's data folder]
    #[arg(long, global = true, value_name = "PATH", hide_short_help = true)]
    pub state: Option<PathBuf>,

    /// Write exactly one JSON document to stdout
    #[arg(long, global = true)]
    pub json: bool,

    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t, hide_short_help = true)]
    pub color: When,

    /// Answer every question with yes
    #[arg(long, global = true, hide_short_help = true)]
    pub yes: bool,

    /// Take the key store's passphrase from this file, which only its owner may read
    #[arg(long, global = true, value_name = "PATH", hide_short_help = true)]
    pub passphrase_file: Option<PathBuf>,

    /// Wait at most this long, up to 1d, for what another run holds; default: 10s
    #[arg(long, global = true, value_name = "DURATION", value_parser = wait, hide_short_help = true)]
    pub wait: Option<Duration>,

    /// Write the run's metrics to this file, as Prometheus text
    #[arg(long, global = true, value_name = "PATH", hide_short_help = true)]
    pub metrics_file: Option<PathBuf>,

    /// Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to
    /// URL/fail, as healthchecks.io takes them
    #[arg(long, global = true, value_name = "PATH", hide_short_help = true)]
    pub ping_url_file: Option<PathBuf>,

    /// Log more to stderr: -v debug, -vv trace
    #[arg(long, short, global = true, action = ArgAction::Count, hide_short_help = true)]
    pub verbose: u8,

    /// Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios
    /// write all the same
    #[arg(long, short, global = true, conflicts_with = "verbose", hide_short_help = true)]
    pub quiet: bool,
}

impl Options {
    /// The log level that the flags ask for, and by which flag.
    pub const fn log_level(&self) -> Option<(&'static str, &'static str)> {
        match (self.quiet, self.verbose) {
            (true, _) => Some(("error", "--quiet")),
            (false, 0) => None,
            (false, 1) => Some(("debug", "--verbose")),
            (false, _) => Some(("trace", "--verbose")),
        }
    }
}

/// The flag of every command that changes something.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct DryRun {
    /// Show what would be done; write, sign and send nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Rows of a page where nothing else is asked for.
const PAGE: u32 = 50;

/// The flags of every list.
#[derive(Debug, Clone, Args)]
pub struct Paging {
    /// Show at most N; 50 unless something else is said
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    /// Go on where the page before ended: with its cursor
    #[arg(long, value_name = "CURSOR")]
    pub after: Option<String>,
    /// Show everything
    #[arg(long, conflicts_with = "limit")]
    pub all: bool,
    /// Write CSV: a line a row, named by the fields of the JSON output
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
}

impl Paging {
    /// What they ask for.
    pub fn window(&self) -> Window {
        let limit = (!self.all).then_some(self.limit.unwrap_or(PAGE));
        Window { limit, after: self.after.clone() }
    }
}

/// Most characters of a reason.
pub const REASON: usize = 500;

/// A text of one line, as the audit log and tables take it; blanks around it do not count.
pub fn one_line<'a>(flag: &str, text: &'a str, longest: usize) -> Result<&'a str> {
    let line = text.trim();
    if line.is_empty() || line.chars().count() > longest || line.chars().any(char::is_control) {
        let why = format!("{flag}: one line of 1 to {longest} characters is wanted");
        return Err(Error::new(Code::InvalidValue, why).detail("flag", flag));
    }
    Ok(line)
}

/// What `--wait` is where it is not given.
pub const WAIT: Duration = Duration::from_secs(10);

/// A `--wait` value.
fn wait(text: &str) -> Result<Duration> {
    let wait = duration(text)?;
    if wait > Duration::from_hours(24) {
        let why = format!("invalid duration: \"{text}\" is longer than 1d");
        return Err(Error::new(Code::InvalidValue, why).hint("the longest wait is 1d"));
    }
    Ok(wait)
}

/// Reads a duration with its unit.
pub fn duration(text: &str) -> Result<Duration> {
    clock::duration(text).map_err(|why| bad_duration(text, why))
}

/// Says what is wrong with a duration.
pub fn bad_duration(text: &str, why: BadDuration) -> Error {
    match why {
        BadDuration::Malformed => Error::new(Code::InvalidValue, format!("invalid duration: \"{text}\""))
            .hint("write a whole number and its unit: 250ms, 30s, 5m, 2h, 1d or 1w"),
        BadDuration::TooLong => {
            let limit = clock::LONGEST.0;
            Error::new(Code::InvalidValue, format!("invalid duration: \"{text}\" is longer than {limit}"))
                .hint(format!("the longest duration is {limit}"))
        }
    }
}

/// A `--parallel` value.
pub fn parallel(text: &str) -> Result<usize> {
    let number =
        text.parse().ok().filter(|n| (1..=100).contains(n) && text.bytes().all(|b| b.is_ascii_digit()));
    number.ok_or_else(|| {
        Error::new(Code::InvalidValue, format!("\"{text}\" is not a whole number from 1 to 100"))
    })
}
