//! One job from flags.

use super::{Grind, rate, shown_rate};
use crate::shell::prelude::*;
use base::amount::to_people;
use base::{clock, forms};
use grind::job::{Found, parse_entropy, parse_farmer, parse_nonce};
use grind::{End, Job, Limits, Outcome as Searched, Settings, search};
use std::time::{Duration, Instant};

/// Reads the flags: a job with its limits.
pub fn parse(flags: &Grind) -> Result<(Job, Limits)> {
    fn read<T, E: std::fmt::Display>(
        flag: &str,
        text: Option<&str>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>> {
        text.map(|text| parse(text).map_err(|e| Error::new(Code::InvalidValue, format!("{flag}: {e}"))))
            .transpose()
    }
    let missing = |flag: &str| Error::new(Code::Usage, format!("{flag} is missing"));
    let job = Job {
        index: flags.index.ok_or_else(|| missing("--index"))?,
        entropy: read("--entropy", flags.entropy.as_deref(), parse_entropy)?
            .ok_or_else(|| missing("--entropy"))?,
        farmer: read("--farmer", flags.farmer.as_deref(), parse_farmer)?
            .ok_or_else(|| missing("--farmer"))?,
    };
    let nonces = read("--nonces", flags.nonces.as_deref(), parse_nonce)?;
    let limits = Limits {
        start: match read("--start", flags.start.as_deref(), parse_nonce)? {
            Some(start) => start,
            None => Limits::random_start(super::random()?, nonces),
        },
        nonces,
        zeros: flags.zeros,
        deadline: None,
    };
    if limits.nonces.is_none() && limits.zeros.is_none() && flags.seconds.is_none() {
        return Err(Error::new(Code::Usage, "nothing would end the search")
            .hint("give --zeros, --nonces or --seconds, or more than one of them"));
    }
    limits.range().map_err(|e| Error::new(Code::InvalidValue, e.to_string()))?;
    Ok((job, limits))
}

/// What was found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GrindOutput {
    /// The best nonce; null where none was tried.
    pub best: Option<Found>,
    /// Nonces tried.
    #[schemars(with = "forms::Whole")]
    pub hashes: String,
    /// Hashes a second.
    pub rate: u64,
    /// First nonce that `best` is the best of: `--start`, or a random one.
    #[schemars(with = "Option<forms::Whole>")]
    pub first: Option<String>,
    /// Last nonce that `best` is the best of.
    #[schemars(with = "Option<forms::Whole>")]
    pub last: Option<String>,
    /// Why it ended: `zeros`, `nonces`, `deadline` or `stopped`.
    pub end: &'static str,
    /// Time it took.
    pub milliseconds: u64,
    /// The kernel.
    pub kernel: &'static str,
    /// Threads.
    pub threads: usize,
}

/// Searches, with a bar on a terminal.
pub fn run(
    session: &Session,
    (job, limits): (Job, Limits),
    seconds: Option<u32>,
    settings: &Settings<'_>,
) -> Result<Outcome> {
    let began = Instant::now();
    let time = seconds.map(|seconds| Duration::from_secs(seconds.into()));
    let limits = Limits { deadline: time.and_then(|time| began.checked_add(time)), ..limits };
    let progress = session.console.progress();
    progress.begin("hashing", limits.nonces);
    let mut before = 0;
    let found = search(&job, &limits, settings, &mut |now| {
        progress.advance(now.hashes - before);
        before = now.hashes;
        let best = now
            .best
            .map_or_else(|| "nothing yet".to_owned(), |best| format!("best {}", counted(best.zeros, "zero")));
        let left =
            time.map(|time| format!(", {} left", clock::span(time.saturating_sub(now.elapsed).as_secs())));
        progress.note(&format!("{best}{}", left.unwrap_or_default()));
    });
    progress.end();
    let found = found.map_err(|e| Error::new(Code::InvalidValue, e.to_string()))?;
    let stopped = (found.end == End::Stopped).then(|| {
        Error::new(Code::Interrupted, "interrupted; the best so far is shown")
            .hint("go on with --start at the nonce after the last one searched")
    });
    Ok(Outcome::of(GrindOutput::of(&found, settings)).but(stopped))
}

impl GrindOutput {
    fn of(found: &Searched, settings: &Settings<'_>) -> Self {
        Self {
            best: found.best.map(Found::from),
            hashes: found.hashes.to_string(),
            rate: rate(found.hashes, found.elapsed),
            first: found.searched.as_ref().map(|range| range.start().to_string()),
            last: found.searched.as_ref().map(|range| range.end().to_string()),
            end: found.end.as_str(),
            milliseconds: u64::try_from(found.elapsed.as_millis()).unwrap_or(u64::MAX),
            kernel: settings.kernel.name,
            threads: settings.threads.get(),
        }
    }
}

impl Present for GrindOutput {
    fn present(&self, page: &mut Page) {
        let Some(best) = &self.best else {
            page.line("no nonce was tried");
            return;
        };
        let hashes = self.hashes.parse().map_or_else(|_| self.hashes.clone(), |n| to_people(n, 0));
        page.pairs([
            ("nonce", best.nonce.0.to_string()),
            ("zeros", best.zeros.to_string()),
            ("hash", best.hash.clone()),
            ("start", self.first.clone().unwrap_or_default()),
            ("tried", format!("{}, {}", counted(&hashes, "hash"), shown_rate(self.rate))),
            ("ended by", self.end.to_owned()),
            ("with", format!("{}, {}", self.kernel, counted(self.threads, "thread"))),
        ]);
    }
}
