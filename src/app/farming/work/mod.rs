//! Working: nonces for the pails of the current block, and what came of them.

mod submit;

pub use submit::{LineView, SubmitOutput, submit};

use crate::failures::{Failure, failed};
use crate::farming::losses::{self, AtStakeView, MissedView};
use crate::farming::{self, LedgerStamp, lumens, millis, time};
use crate::{App, Document};
use base::amount::{Base, Quantity};
use base::{Code, Error, Result, counted, forms};
use grind::Solution;
use kale::Who;
use kale::farming::{Leads, Missed};
use kale::view::View;
use kale::work::{self, Orders, Wanted, WorkOutcome, WorkReport, Worked};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;
use watch::metrics::Gauge;

/// What came of a farmer's work.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct WorkView {
    /// Id.
    pub farmer: String,
    /// `G…`.
    #[schemars(with = "forms::StellarAccount")]
    pub address: String,
    /// `worked`, `improved`, `already_worked`, `worked_elsewhere`, `failed`, `unknown`; in a dry run `would_submit`, `would_grind`.
    pub status: &'static str,
    /// The nonce, in decimal digits.
    #[schemars(with = "Option<forms::Whole>")]
    pub nonce: Option<String>,
    /// Its hash.
    #[schemars(with = "Option<forms::Digest>")]
    pub hash: Option<String>,
    /// Leading zeros of the hash; of the work that is there, where somebody else did it.
    pub zeros: Option<u32>,
    /// Ledgers from plant to work.
    pub gap: Option<u32>,
    /// Hash of the transaction.
    #[schemars(with = "Option<forms::Digest>")]
    pub tx: Option<String>,
    /// Its ledger.
    pub ledger: Option<u32>,
    /// What it cost; in a dry run, the most that it would.
    pub fee: Option<Quantity>,
    /// The submitter that sent it; null where the farmer's own account did.
    #[schemars(with = "Option<forms::StellarAccount>")]
    pub sent_by: Option<String>,
    /// Why it failed, in a stable word.
    pub reason: Option<&'static str>,
    /// Why it failed.
    pub error: Option<String>,
}

impl WorkView {
    /// Nothing has come of it yet.
    pub(crate) fn new(who: &Who, status: &'static str, solution: Option<&Solution>) -> Self {
        Self {
            farmer: who.id.clone(),
            address: who.address.clone(),
            status,
            nonce: solution.map(|solution| solution.nonce.to_string()),
            hash: solution.map(|solution| kale::nonces::hex(&solution.hash)),
            zeros: solution.map(|solution| solution.zeros),
            ..Self::default()
        }
    }

    /// What came of it.
    pub fn of(worked: &Worked) -> Self {
        let mut view = Self::new(&worked.who, "already_worked", worked.solution.as_ref());
        view.outcome(&worked.outcome);
        view
    }

    /// Takes in how it ended.
    pub fn outcome(&mut self, outcome: &WorkOutcome) {
        match outcome {
            WorkOutcome::Worked { tx, ledger, gap, fee, sender, improved } => {
                self.sent_by.clone_from(sender);
                self.status = if *improved { "improved" } else { "worked" };
                (self.tx, self.ledger) = (Some(tx.clone()), Some(*ledger));
                (self.gap, self.fee) = (Some(*gap), Some(lumens(*fee)));
            }
            WorkOutcome::Already => self.status = "already_worked",
            WorkOutcome::Elsewhere { zeros } => {
                (self.status, self.zeros) = ("worked_elsewhere", Some(*zeros));
            }
            WorkOutcome::Failed { reason, error } => {
                self.status = failed(error);
                (self.reason, self.error) = (Some(reason.as_str()), Some(error.to_string()));
            }
        }
    }

    fn wanted(wanted: &Wanted) -> Self {
        let status = if wanted.rehearsal.is_some() { "would_submit" } else { "would_grind" };
        let mut view = Self::new(&wanted.who, status, wanted.solution.as_ref());
        match &wanted.rehearsal {
            Some(Ok(rehearsal)) => view.fee = rehearsal.max_fee.map(lumens),
            Some(Err(error)) => {
                view.status = "failed";
                (view.reason, view.error) = (Some("transaction_failed"), Some(error.to_string()));
            }
            None => {}
        }
        view
    }
}

/// What was worked.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct WorkOutput {
    /// Whose view it is, at the start; null where there are no farmers.
    pub view: Option<LedgerStamp>,
    /// The block.
    pub block: Option<u32>,
    /// When the best was to be submitted; null where there was nothing to do.
    #[schemars(with = "Option<forms::Time>")]
    pub deadline: Option<String>,
    /// When work is submitted.
    pub policy: &'static str,
    /// Farmers for whom this run got work in.
    pub worked: usize,
    /// Stakes that will be lost, as this run and others have seen.
    pub will_be_lost: MissedView,
    /// What was left planted and not worked when the run was stopped; null where nothing was.
    pub at_stake: Option<AtStakeView>,
    /// Nonces tried.
    #[schemars(with = "forms::Whole")]
    pub hashes: String,
    /// Time that all threads hashed, in milliseconds.
    pub hashing_ms: u64,
    /// Time from the start of the grinding to its end, in milliseconds.
    pub took_ms: u64,
    /// Each try, in order.
    pub farmers: Vec<WorkView>,
    #[serde(skip)]
    failures: Vec<Failure>,
    #[serde(skip)]
    warnings: Vec<String>,
    #[serde(skip)]
    missed: Vec<Missed>,
    #[serde(skip)]
    stopped: bool,
    /// There is a pail that is not worked, and it was too late for that from the start.
    #[serde(skip)]
    pub too_late: bool,
    /// It was no dry run, and there was somebody to work for.
    #[serde(skip)]
    done: bool,
}

/// Works for these farmers (names, ids or addresses), or for all that have not departed; `parallel` overrides the setting.
/// What failed for single farmers is told by the document.
pub fn work(
    app: &App<'_>,
    names: &[String],
    orders: &Orders,
    parallel: Option<usize>,
    dry_run: bool,
) -> Result<WorkOutput> {
    let mut hands = farming::chosen(app, names)?;
    app.call().covers(names.is_empty());
    hands.retain(|hand| hand.status.is_served());
    let leads = Leads::of(&hands);
    let who: Vec<Who> = hands.into_iter().map(|hand| hand.who).collect();
    let output = WorkOutput::new(orders);
    if who.is_empty() {
        return Ok(output);
    }
    let worked = farming::on_farm(app, dry_run, parallel, &leads, async |farm| {
        if dry_run {
            let (view, deadline, wanted) = work::rehearse(farm, orders, &who).await?;
            return Ok(output.rehearsed(&view, deadline, &wanted));
        }
        let what = format!("submit work for {} on {}", counted(who.len(), "farmer"), farm.site.network());
        let permit = app.value_permit(farm.work.permit, &what)?;
        let mut missed = Vec::new();
        let ran = Box::pin(work::run(farm, permit, orders, &who, &mut missed)).await;
        let report = ran.map_err(|e| losses::broken(&missed, e))?;
        Ok(output.finished(report, missed))
    });
    worked.map_err(|e| e.context("cannot work"))
}

impl WorkOutput {
    fn new(orders: &Orders) -> Self {
        Self {
            policy: orders.policy.as_str(),
            hashes: "0".to_owned(),
            will_be_lost: MissedView::from((0, Base::ZERO)),
            ..Self::default()
        }
    }

    fn rehearsed(mut self, view: &View, deadline: Option<u64>, wanted: &[Wanted]) -> Self {
        (self.view, self.block) = (Some(LedgerStamp::from(view)), Some(view.farm.index));
        self.deadline = deadline.filter(|_| !wanted.is_empty()).map(time);
        self.farmers = wanted.iter().map(WorkView::wanted).collect();
        self.too_late = view.is_too_late();
        self
    }

    fn finished(mut self, report: WorkReport, missed: Vec<Missed>) -> Self {
        (self.view, self.block) = (Some(LedgerStamp::from(&report.view)), Some(report.view.farm.index));
        self.deadline = report.deadline.map(time);
        self.hashes = report.hashes.to_string();
        (self.hashing_ms, self.took_ms) = (millis(report.hashing), millis(report.took));
        self.farmers = report.worked.iter().map(WorkView::of).collect();
        let is_in = |view: &&WorkView| matches!(view.status, "worked" | "improved");
        let workers: BTreeSet<&str> =
            self.farmers.iter().filter(is_in).map(|view| view.farmer.as_str()).collect();
        self.worked = workers.len();
        self.failures = work::failures(&report.worked);
        self.will_be_lost = report.all_missed.into();
        self.at_stake = report.at_stake.as_ref().map(AtStakeView::from);
        (self.missed, self.too_late) = (missed, report.view.is_too_late());
        (self.warnings, self.stopped, self.done) = (report.warnings, report.stopped, true);
        self
    }
}

impl Document for WorkOutput {
    fn failure(&self) -> Option<Error> {
        losses::end(&self.missed, self.worked, &self.failures, "farmers").or_else(|| {
            let why = "interrupted before the block's work was done; what was found is saved";
            let hint = "run the same command again: it goes on where it was";
            self.stopped.then(|| Error::new(Code::Interrupted, why).hint(hint))
        })
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// None where nothing was done.
    fn gauges(&self) -> Vec<Gauge> {
        if !self.done {
            return Vec::new();
        }
        let failed = self.failures.len();
        vec![
            Gauge::new("poolctl_work_farmers", "Farmers whose work the last run got in.", self.worked),
            Gauge::new("poolctl_work_failed_farmers", "Farmers whose work it did not get in.", failed),
            Gauge::new("poolctl_work_hashes", "Nonces that the last run tried.", &self.hashes),
        ]
    }
}
