//! NDJSON jobs in, answers out: what machines that are available to the operator run. No state, safe to kill and to run twice.

use super::job::{Found, Id, JobError, Number, Task};
use super::lines::Text;
use super::search::{Limits, Settings, search};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

/// One line of answer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Answer {
    /// A better nonce than before, while the job goes on. Only when streaming.
    Progress {
        /// Number of the job's line, from 1.
        line: u64,
        /// The job's own id.
        id: Id,
        /// The best so far.
        #[serde(flatten)]
        found: Found,
        /// Nonces tried so far.
        hashes: Number,
    },
    /// A job is done, or was stopped.
    Solution {
        /// Number of the job's line, from 1.
        line: u64,
        /// The job's own id.
        id: Id,
        /// The best; missing if no nonce was tried.
        #[serde(flatten)]
        found: Option<Found>,
        /// Nonces tried.
        hashes: Number,
        /// First of the nonces that the solution is the best of: the job's start, or a random one.
        #[serde(skip_serializing_if = "Option::is_none")]
        first: Option<Number>,
        /// Last of them.
        #[serde(skip_serializing_if = "Option::is_none")]
        last: Option<Number>,
        /// Why it ended: `zeros`, `nonces`, `deadline` or `stopped`.
        end: &'static str,
        /// Time it took, in milliseconds.
        milliseconds: u64,
    },
    /// A line that is not a valid job; the others go on.
    Error {
        /// Number of the line, from 1.
        line: u64,
        /// A word for scripts.
        code: &'static str,
        /// What is wrong, and what is allowed.
        message: String,
    },
}

/// What became of the lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Jobs answered with a solution.
    pub solved: u64,
    /// Lines answered with an error.
    pub failed: u64,
    /// Nonces tried.
    pub hashes: u64,
}

/// `until`, a Unix time in seconds, on the clock that cannot be set back. A time that has passed is now.
fn deadline(until: u64, now: (SystemTime, Instant)) -> Option<Instant> {
    let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(until))?;
    now.1.checked_add(at.duration_since(now.0).unwrap_or_default())
}

/// Works on `lines` one after the other, each with all threads, and hands every answer to `answer`. Empty lines are passed
/// over. Jobs without a start begin at places that follow from `random`. `now` tells the time for `until`. After the stop
/// signal the job in work is answered with its best so far, and no further line is read.
pub fn run(
    lines: impl IntoIterator<Item = Text>,
    settings: &Settings<'_>,
    stream: bool,
    random: u64,
    now: &mut dyn FnMut() -> (SystemTime, Instant),
    answer: &mut dyn FnMut(Answer),
) -> Summary {
    let mut summary = Summary::default();
    for (line, text) in (1_u64..).zip(lines) {
        if text.as_ref().is_ok_and(|text| text.trim().is_empty()) {
            continue;
        }
        // The golden ratio: lines that ask for the same are far apart.
        let random = random.wrapping_add(line.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let task = text.map_err(JobError::from).and_then(|text| Task::parse(text.trim(), random));
        match task.and_then(|task| one(line, task, settings, stream, now, answer)) {
            Ok((solution, hashes)) => {
                summary.solved += 1;
                summary.hashes = summary.hashes.saturating_add(hashes);
                answer(solution);
            }
            Err(error) => {
                summary.failed += 1;
                answer(Answer::Error { line, code: error.code(), message: error.to_string() });
            }
        }
        if settings.stop.load(Ordering::Relaxed) {
            break;
        }
    }
    summary
}

fn one(
    line: u64,
    Task { id, job, limits, until }: Task,
    settings: &Settings<'_>,
    stream: bool,
    now: &mut dyn FnMut() -> (SystemTime, Instant),
    answer: &mut dyn FnMut(Answer),
) -> Result<(Answer, u64), JobError> {
    let limits = Limits { deadline: until.and_then(|until| deadline(until, now())), ..limits };
    let mut known = None;
    let outcome = search(&job, &limits, settings, &mut |progress| {
        if let Some(best) = progress.best.filter(|best| stream && known != Some(*best)) {
            known = Some(best);
            let (id, found, hashes) = (id.clone(), best.into(), Number(progress.hashes));
            answer(Answer::Progress { line, id, found, hashes });
        }
    })?;
    let solution = Answer::Solution {
        line,
        id,
        found: outcome.best.map(Found::from),
        hashes: Number(outcome.hashes),
        first: outcome.searched.as_ref().map(|range| Number(*range.start())),
        last: outcome.searched.as_ref().map(|range| Number(*range.end())),
        end: outcome.end.as_str(),
        milliseconds: u64::try_from(outcome.elapsed.as_millis()).unwrap_or(u64::MAX),
    };
    Ok((solution, outcome.hashes))
}
