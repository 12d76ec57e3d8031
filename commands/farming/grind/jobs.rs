//! NDJSON jobs in, NDJSON answers out, flushed line by line.

use crate::shell::prelude::*;
use base::forms;
use grind::Settings;
use grind::jobs::{self, Answer};
use grind::lines::Lines;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Instant, SystemTime};

/// Most bytes of a line.
const LONGEST: usize = 64 << 10;

/// What became of the lines; with `--json` the stream's last line.
#[derive(Debug, Serialize, JsonSchema)]
pub struct JobsOutput {
    /// Jobs with a solution.
    pub solved: u64,
    /// Lines that were no jobs.
    pub failed: u64,
    /// Nonces tried.
    #[schemars(with = "forms::Whole")]
    pub hashes: String,
}

impl Present for JobsOutput {
    /// stdout has the answers, and nothing else.
    fn present(&self, _page: &mut Page) {}
}

/// Works through the lines.
pub fn run(session: &Session, path: &Path, stream: bool, settings: &Settings<'_>) -> Result<Outcome> {
    let reader: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(BufReader::new(io::stdin()))
    } else {
        let file = File::open(path)
            .map_err(|e| Error::new(Code::Io, format!("--jobs: cannot read {}: {e}", path.display())))?;
        Box::new(BufReader::new(file))
    };
    let (mut trouble, mut unread) = (None, false);
    let summary = jobs::run(
        Lines::new(reader, LONGEST),
        settings,
        stream,
        super::random()?,
        &mut || (SystemTime::now(), Instant::now()),
        &mut |answer: Answer| {
            match Console::tell(&answer) {
                Ok(true) => {}
                // Nobody reads any more: grinding on would be for nothing.
                Ok(false) => {
                    unread = true;
                    settings.stop.store(true, Ordering::Relaxed);
                }
                Err(e) => {
                    settings.stop.store(true, Ordering::Relaxed);
                    trouble = Some(e);
                }
            }
        },
    );
    if let Some(e) = trouble {
        return Err(e);
    }
    let failure = if summary.failed > 0 {
        let lines = summary.failed + summary.solved;
        Some(
            Error::new(Code::Partial, format!("{} of {lines} lines failed", summary.failed))
                .hint("each failed line has an answer of type error with its line number"),
        )
    } else if session.call.stop.wanted() && !unread {
        Some(Error::new(Code::Interrupted, "interrupted; the job at hand was answered with its best so far"))
    } else {
        None
    };
    let output =
        JobsOutput { solved: summary.solved, failed: summary.failed, hashes: summary.hashes.to_string() };
    Ok(Outcome::of(output).streamed().but(failure))
}
