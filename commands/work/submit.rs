//! `poolctl work submit`: nonces that other machines found.

use super::WorkView;
use crate::app::App;
use crate::farming::{self, LedgerStamp, lumens, on_farm};
use crate::options::DryRun;
use crate::output::{Outcome, Page, Present, Table};
use crate::session::Session;
use base::{Code, Error, Result};
use clap::Args;
use grind::lines::{LineError, Lines, Text};
use kale::work::{self, LONGEST, LineFate, LineReport, Submission};
use schemars::JsonSchema;
use serde::Serialize;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use stellar::submit::Rehearsal;
use watch::metrics::Gauge;

/// Lines of one submission at most.
const MOST_LINES: usize = 100_000;

/// Submit nonces from other machines: NDJSON lines {farmer, nonce}, or what grind --jobs answers
///
/// Each line is checked before anything is sent: the nonce is a whole number of 64 bits, its hash is computed here, the
/// farmer has a pail in the current block, and the zeros are more than what is submitted. Every line gets its result; the
/// valid ones go through.
#[derive(Debug, Args)]
#[command(
    before_help = "Example: poolctl work submit solutions.ndjson\n         poolctl grind --jobs jobs.ndjson | poolctl work submit -"
)]
pub struct Submit {
    /// NDJSON: {"farmer": id or address, "nonce": …}; - = stdin
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// Transactions under way at once; default: kale.parallel
    #[arg(long, value_name = "N", value_parser = farming::parallel)]
    parallel: Option<usize>,
    #[command(flatten)]
    dry: DryRun,
}

/// What became of a line.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LineView {
    /// Its number, from 1.
    pub line: u64,
    /// The farmer's address; what the line calls it, where it is none of ours.
    pub farmer: Option<String>,
    /// `worked`, `improved`, `already_worked`, `worked_elsewhere`, `superseded`, `refused`, `failed`; in a dry run
    /// `would_submit`.
    pub status: &'static str,
    /// Why, in a stable word.
    pub reason: Option<&'static str>,
    /// Why.
    pub message: Option<String>,
    /// The work.
    pub work: Option<WorkView>,
}

/// What became of the lines.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SubmitOutput {
    /// Whose view they were checked against.
    pub view: LedgerStamp,
    /// The block.
    pub block: u32,
    /// Lines whose work is in.
    pub submitted: usize,
    /// Lines that were refused or failed.
    pub refused: usize,
    /// Every line that holds something.
    pub lines: Vec<LineView>,
}

impl Submit {
    pub(super) fn run(self, session: &Session) -> Result<Outcome> {
        let lines = read(&self.file)?;
        let app = App::open(session)?;
        let hands = farming::everybody(&app)?;
        let dry_run = self.dry.dry_run;
        let output = on_farm(&app, dry_run, self.parallel, async |farm| {
            let submission = work::check(farm, &hands, &lines).await?;
            let (block, count) = (submission.view.farm.index, submission.count());
            if dry_run {
                let rehearsals = farm.rehearse(&submission.intents(farm)?).await?;
                return Ok(SubmitOutput::rehearsed(&submission, rehearsals));
            }
            let permit = if count == 0 {
                farming::no_question(&app, farm.work, "record what was refused")?
            } else {
                let network = farm.site.network();
                let what = format!("submit {count} nonces for block {block} on {network}");
                app.value_permit(farm.work.permit, &what)?
            };
            let (view, lines) = work::submit(farm, permit, submission).await?;
            Ok(SubmitOutput::new(LedgerStamp::from(&view), block, &lines))
        })
        .map_err(|e| e.context("cannot submit work"))?;
        let failure = output.failure();
        let gauge =
            |name, help, value: usize| Gauge { name, help, labels: Vec::new(), value: value.to_string() };
        let gauges = [
            gauge("poolctl_work_submitted_lines", "Lines whose work the last run got in.", output.submitted),
            gauge("poolctl_work_refused_lines", "Lines that the last run refused.", output.refused),
        ];
        Ok(Outcome::of(&output)?.gauges(gauges).but(failure))
    }
}

/// Reads every line, each and all of a bounded length. One that is no line of text is refused alone.
fn read(path: &Path) -> Result<Vec<Text>> {
    let named = if path == Path::new("-") { "stdin".to_owned() } else { path.display().to_string() };
    let trouble = |e: &dyn std::fmt::Display| Error::new(Code::Io, format!("cannot read {named}: {e}"));
    let reader: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(path).map_err(|e| trouble(&e))?))
    };
    let mut lines = Vec::new();
    for line in Lines::new(reader, LONGEST) {
        if let Err(LineError::Read(e)) = &line {
            return Err(trouble(e));
        }
        lines.push(line);
        if lines.len() > MOST_LINES {
            return Err(Error::new(Code::InvalidValue, format!("{named} has more than {MOST_LINES} lines"))
                .hint("submit it in parts"));
        }
    }
    Ok(lines)
}

impl SubmitOutput {
    fn new(view: LedgerStamp, block: u32, lines: &[LineReport]) -> Self {
        let refused = lines.iter().filter(|line| line.is_bad()).count();
        let is_in = |line: &&LineReport| matches!(line.fate, LineFate::Sent(work::Fate::Worked { .. }));
        Self {
            view,
            block,
            submitted: lines.iter().filter(is_in).count(),
            refused,
            lines: lines.iter().map(LineView::of).collect(),
        }
    }

    fn rehearsed(submission: &Submission, rehearsals: Vec<Result<Rehearsal>>) -> Self {
        let mut output =
            Self::new(LedgerStamp::from(&submission.view), submission.view.farm.index, &submission.lines);
        let valid = output.lines.iter_mut().filter(|line| line.status == "would_submit");
        for (line, rehearsal) in valid.zip(rehearsals) {
            match rehearsal {
                Ok(rehearsal) => {
                    if let Some(work) = &mut line.work {
                        work.fee = rehearsal.max_fee.map(lumens);
                    }
                }
                Err(e) => {
                    (line.status, line.reason) = ("failed", Some("transaction_failed"));
                    line.message = Some(e.to_string());
                    output.refused += 1;
                }
            }
        }
        output
    }

    fn failure(&self) -> Option<Error> {
        let failed = |line: &&LineView| matches!(line.status, "refused" | "failed");
        let first = self.lines.iter().find(failed)?;
        let why = first.message.as_deref().unwrap_or_default();
        let numbers: Vec<u64> = self.lines.iter().filter(failed).map(|line| line.line).collect();
        let message = format!(
            "{} of {} lines were not submitted; first: line {}: {why}",
            self.refused,
            self.lines.len(),
            first.line
        );
        Some(Error::new(Code::Partial, message).detail("lines", numbers))
    }
}

impl LineView {
    fn of(report: &LineReport) -> Self {
        let work = report.who.as_ref().zip(report.solution.as_ref());
        let mut work = work.map(|(who, solution)| WorkView::new(who, "would_submit", Some(solution)));
        let (mut reason, mut message) = (None, None);
        let status = match &report.fate {
            LineFate::Valid => "would_submit",
            LineFate::Superseded { by } => {
                message = Some(format!("line {by} has more zeros for the same farmer"));
                "superseded"
            }
            LineFate::Refused { code, message: why } => {
                (reason, message) = (Some(*code), Some(why.clone()));
                "refused"
            }
            LineFate::Sent(fate) => match &mut work {
                Some(work) => {
                    work.fate(fate);
                    (reason, message) = (work.reason, work.error.clone());
                    work.status
                }
                None => "failed",
            },
        };
        if let Some(work) = &mut work {
            work.status = status;
        }
        Self { line: report.line, farmer: report.named.clone(), status, reason, message, work }
    }
}

impl Present for SubmitOutput {
    fn present(&self, page: &mut Page) {
        let mut table = Table::new(&[">LINE", "FARMER", "STATUS", ">ZEROS", ">GAP", "WHY"]);
        let number = |number: Option<u32>| number.map(|n| n.to_string()).unwrap_or_default();
        for line in &self.lines {
            let work = line.work.as_ref();
            table.row([
                line.line.to_string(),
                line.farmer.clone().unwrap_or_default(),
                line.status.replace('_', " "),
                number(work.and_then(|work| work.zeros)),
                number(work.and_then(|work| work.gap)),
                line.message.clone().unwrap_or_default(),
            ]);
        }
        if table.is_empty() {
            page.line("no lines");
        } else {
            page.table(table);
        }
        page.line(format!("block {}: {} submitted, {} refused", self.block, self.submitted, self.refused));
        page.line(&self.view);
    }
}
