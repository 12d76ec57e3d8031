//! Submitting nonces that other machines found, and what became of each line.

use super::WorkView;
use crate::farming::{self, LedgerStamp, lumens};
use crate::{App, Document};
use base::{Code, Error, Result, counted};
use grind::lines::Text;
use kale::farming::{Leads, takes_nonces};
use kale::rows::FarmerRow;
use kale::work::{self, LineOutcome, LineReport, Submission};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;
use stellar::submit::Rehearsal;
use watch::metrics::Gauge;

/// What became of a line.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LineView {
    /// Its number, from 1.
    pub line: u64,
    /// The farmer's address; what the line calls it, where it is not one of ours.
    pub farmer: Option<String>,
    /// `worked`, `improved`, `already_worked`, `worked_elsewhere`, `queued` (a run that is at work on this farm will take it
    /// up), `superseded`, `refused`, `failed`; in a dry run `would_submit`.
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
    /// Lines that a run at work will take up.
    pub queued: usize,
    /// Lines that were refused or failed.
    pub refused: usize,
    /// Every line that holds something.
    pub lines: Vec<LineView>,
}

/// Submits nonces that other machines found; those of farmers for whom another run is at work are left to that one. `parallel`
/// overrides the setting. Refused lines are told by the document.
pub fn submit(app: &App<'_>, lines: &[Text], parallel: Option<usize>, dry_run: bool) -> Result<SubmitOutput> {
    let hands = farming::everybody(app)?;
    let named = work::poolers_of(&hands, lines);
    let submitted = state::anew(|| {
        // Farms whose run takes the nonces up are left to it; those that others do something else at will be free again.
        let is_free = |pooler: &&String| !takes_nonces(&app.state_path, pooler);
        let led: BTreeSet<String> = named.iter().filter(is_free).cloned().collect();
        // Such a run may have begun since, and does not let go.
        let begun = || led.iter().any(|pooler| takes_nonces(&app.state_path, pooler));
        match once(app, (&hands, lines), parallel, dry_run, &Leads::Of(led.clone())) {
            Err(e) if e.code() == Code::LeaseHeld && begun() => Err(state::changed("who works for the farm")),
            done => done,
        }
    });
    submitted.map_err(|e| e.context("cannot submit work"))
}

fn once(
    app: &App<'_>,
    (hands, lines): (&[FarmerRow], &[Text]),
    parallel: Option<usize>,
    dry_run: bool,
    leads: &Leads,
) -> Result<SubmitOutput> {
    let at_work = |pooler: &str| takes_nonces(&app.state_path, pooler);
    farming::on_farm(app, dry_run, parallel, leads, async |farm| {
        let submission = work::check(farm, hands, lines, &at_work).await?;
        let (block, count) = (submission.view.farm.index, submission.count());
        if dry_run {
            let rehearsals = farm.rehearse(&submission.intents(farm)?).await?;
            return Ok(SubmitOutput::rehearsed(&submission, rehearsals));
        }
        let permit = if count == 0 {
            farming::no_question(app, farm.work, "record what is not sent")?
        } else {
            let network = farm.site.network();
            app.value_permit(
                farm.work.permit,
                &format!("submit {} for block {block} on {network}", counted(count, "nonce")),
            )?
        };
        let (view, lines) = work::submit(farm, permit, submission, &at_work).await?;
        Ok(SubmitOutput::new(LedgerStamp::from(&view), block, &lines))
    })
}

impl SubmitOutput {
    fn new(view: LedgerStamp, block: u32, lines: &[LineReport]) -> Self {
        let refused = lines.iter().filter(|line| line.is_bad()).count();
        let is_in =
            |line: &&LineReport| matches!(line.outcome, LineOutcome::Sent(work::WorkOutcome::Worked { .. }));
        Self {
            view,
            block,
            submitted: lines.iter().filter(is_in).count(),
            queued: lines.iter().filter(|line| matches!(line.outcome, LineOutcome::Queued)).count(),
            refused,
            lines: lines.iter().map(LineView::of).collect(),
        }
    }

    fn rehearsed(submission: &Submission, rehearsals: Vec<Result<Rehearsal>>) -> Self {
        let mut output =
            Self::new(LedgerStamp::from(&submission.view), submission.view.farm.index, &submission.lines);
        // What would be left to a run at work is not tried.
        let sent = submission.sent();
        let valid = output.lines.iter_mut().filter(|line| sent.contains(&line.line));
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
}

impl Document for SubmitOutput {
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

    fn gauges(&self) -> Vec<Gauge> {
        vec![
            Gauge::new(
                "poolctl_work_submitted_lines",
                "Lines whose work the last run got in.",
                self.submitted,
            ),
            Gauge::new(
                "poolctl_work_queued_lines",
                "Lines that the last run left to one that is at work.",
                self.queued,
            ),
            Gauge::new("poolctl_work_refused_lines", "Lines that the last run refused.", self.refused),
        ]
    }
}

impl LineView {
    fn of(report: &LineReport) -> Self {
        let work = report.who.as_ref().zip(report.solution.as_ref());
        let mut work = work.map(|(who, solution)| WorkView::new(who, "would_submit", Some(solution)));
        let (mut reason, mut message) = (None, None);
        let status = match &report.outcome {
            LineOutcome::Valid => "would_submit",
            LineOutcome::Superseded { by } => {
                message = Some(format!("line {by} has more zeros for the same farmer"));
                "superseded"
            }
            LineOutcome::Refused { code, message: why } => {
                (reason, message) = (Some(*code), Some(why.clone()));
                "refused"
            }
            LineOutcome::Queued => {
                message = Some("a run that is at work on this farm will take it up".to_owned());
                "queued"
            }
            LineOutcome::Sent(outcome) => match &mut work {
                Some(work) => {
                    work.outcome(outcome);
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
