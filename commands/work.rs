//! `poolctl work`: nonces for the pails of the current block.

pub mod submit;

use crate::app::App;
use crate::farming::{self, LedgerStamp, lumens, on_farm, time};
use crate::options::DryRun;
use crate::output::{Outcome, Page, Present, Table};
use crate::session::Session;
use base::amount::Quantity;
use base::clock::{self, BadDuration};
use base::{Code, Error, Result, forms};
use clap::{Args, Subcommand};
use grind::Solution;
use jiff::Timestamp;
use kale::settings::Policy;
use kale::view::Who;
use kale::work::{self, Deadline, Fate, Orders, Report, Wanted, Worked};
use schemars::JsonSchema;
use serde::Serialize;
use watch::metrics::Gauge;

/// Work: grind nonces for the pails of the current block, and submit the best in time
///
/// All farmers share all cores: the one with the fewest zeros is next, up to the most that count in the block. What is
/// found is saved as it is found, so a run that was killed goes on where it was. Policy late submits near the deadline,
/// early as soon as a farmer has all that counts, insured a cheap nonce at once and a better one at the deadline.
#[derive(Debug, Args)]
#[command(
    before_help = "Example: poolctl work --policy late\n         poolctl work submit solutions.ndjson",
    args_conflicts_with_subcommands = true
)]
pub struct Work {
    #[command(subcommand)]
    command: Option<Command>,
    /// Ids or addresses of farmers; none = all that are served
    #[arg(value_name = "FARMER")]
    farmers: Vec<String>,
    #[command(flatten)]
    orders: OrderFlags,
    /// Transactions under way at once; default: kale.parallel
    #[arg(long, value_name = "N", value_parser = farming::parallel)]
    parallel: Option<usize>,
    #[command(flatten)]
    dry: DryRun,
}

/// Commands below `work`.
#[derive(Debug, Subcommand)]
enum Command {
    Submit(submit::Submit),
}

/// When work is submitted.
#[derive(Debug, Clone, Args)]
#[expect(clippy::doc_markdown, reason = "clap shows these lines as they stand")]
pub struct OrderFlags {
    /// When to submit: late, early or insured [default: kale.work_policy]
    #[arg(long, value_name = "POLICY", value_parser = Policy::of)]
    policy: Option<Policy>,
    /// When the best is submitted: a time, or a span after the block's start as in 280s [default: kale.work_margin_sec before its end]
    #[arg(long, value_name = "TIME", value_parser = deadline)]
    deadline: Option<Deadline>,
}

impl OrderFlags {
    /// What the flags ask for, and the settings where they do not.
    ///
    /// # Errors
    /// `missing_setting`, `invalid_value`; cannot happen for a resolved config.
    pub fn or(&self, app: &App<'_>) -> Result<Orders> {
        let policy = match self.policy {
            Some(policy) => policy,
            None => Policy::of(app.config.require("kale.work_policy")?)?,
        };
        Ok(Orders { policy, deadline: self.deadline })
    }
}

/// Reads `--deadline`.
fn deadline(text: &str) -> Result<Deadline> {
    match clock::duration(text).map(|span| span.as_secs()) {
        Ok(seconds @ 1..300) => return Ok(Deadline::Into(seconds)),
        Ok(_) | Err(BadDuration::TooLong) => {
            return Err(Error::new(Code::InvalidValue, format!("\"{text}\" is not within a block"))
                .hint("a block lasts 300 seconds; write 1s to 299s after its start"));
        }
        Err(BadDuration::Malformed) => {}
    }
    let second = text.parse::<Timestamp>().ok().and_then(|time| u64::try_from(time.as_second()).ok());
    second.map(Deadline::At).ok_or_else(|| {
        Error::new(Code::InvalidValue, format!("\"{text}\" is neither a time nor a span"))
            .hint("write 2026-11-21T08:04:40Z, or a span after the block's start: 280s")
    })
}

/// What came of a farmer's work.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WorkView {
    /// Id.
    pub farmer: String,
    /// `G…`.
    #[schemars(with = "forms::StellarAccount")]
    pub address: String,
    /// `worked`, `improved`, `already_worked`, `worked_elsewhere`, `failed`; in a dry run `would_submit`, `would_grind`.
    pub status: &'static str,
    /// The nonce, in decimal digits.
    #[schemars(with = "Option<forms::Whole>")]
    pub nonce: Option<String>,
    /// Its hash.
    #[schemars(with = "Option<forms::Digest>")]
    pub hash: Option<String>,
    /// Leading zeros of the hash; of the work that is there, where another hand did it.
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
    fn new(who: &Who, status: &'static str, solution: Option<&Solution>) -> Self {
        Self {
            farmer: who.id.clone(),
            address: who.address.clone(),
            status,
            nonce: solution.map(|solution| solution.nonce.to_string()),
            hash: solution.map(|solution| kale::nonces::hex(&solution.hash)),
            zeros: solution.map(|solution| solution.zeros),
            gap: None,
            tx: None,
            ledger: None,
            fee: None,
            sent_by: None,
            reason: None,
            error: None,
        }
    }

    /// What came of it.
    pub fn of(worked: &Worked) -> Self {
        let mut view = Self::new(&worked.who, "already_worked", worked.solution.as_ref());
        view.fate(&worked.fate);
        view
    }

    /// Takes in how it ended.
    pub fn fate(&mut self, fate: &Fate) {
        match fate {
            Fate::Worked { tx, ledger, gap, fee, sender, improved } => {
                self.sent_by.clone_from(sender);
                self.status = if *improved { "improved" } else { "worked" };
                (self.tx, self.ledger) = (Some(tx.clone()), Some(*ledger));
                (self.gap, self.fee) = (Some(*gap), Some(lumens(*fee)));
            }
            Fate::Already => self.status = "already_worked",
            Fate::Elsewhere { zeros } => (self.status, self.zeros) = ("worked_elsewhere", Some(*zeros)),
            Fate::Failed { reason, error } => {
                self.status = "failed";
                (self.reason, self.error) = (Some(reason.word()), Some(error.to_string()));
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
#[derive(Debug, Serialize, JsonSchema)]
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
    /// Nonces tried.
    #[schemars(with = "forms::Whole")]
    pub hashes: String,
    /// Time that all threads hashed, in milliseconds.
    pub hashing_ms: u64,
    /// Time from the start of the grinding to its end, in milliseconds.
    pub took_ms: u64,
    /// Each try, in order.
    pub farmers: Vec<WorkView>,
}

impl Work {
    /// # Errors
    /// What the services say; farmers whose work failed end it with exit 3.
    #[expect(clippy::boxed_local, reason = "the command tree boxes what is large")]
    pub fn run(self: Box<Self>, session: &Session) -> Result<Outcome> {
        if let Some(Command::Submit(submit)) = self.command {
            return submit.run(session);
        }
        let app = App::open(session)?;
        let orders = self.orders.or(&app)?;
        let mut hands = farming::named(farming::everybody(&app)?, &self.farmers)?;
        session.covers(self.farmers.is_empty());
        hands.retain(|hand| hand.status != "departed");
        let who: Vec<Who> = hands.into_iter().map(|hand| hand.who).collect();
        let output = WorkOutput::new(&orders);
        if who.is_empty() {
            return Outcome::of(&output);
        }
        let dry_run = self.dry.dry_run;
        on_farm(&app, dry_run, self.parallel, async |farm| {
            if dry_run {
                let (view, deadline, wanted) = work::rehearse(farm, &orders, &who).await?;
                return output.rehearsed(&view, deadline, &wanted);
            }
            let what = format!("submit work for {} farmers on {}", who.len(), farm.site.network());
            let permit = app.value_permit(farm.work.permit, &what)?;
            output.finished(work::run(farm, permit, &orders, &who).await?)
        })
        .map_err(|e| e.context("cannot work"))
    }
}

impl WorkOutput {
    fn new(orders: &Orders) -> Self {
        Self {
            view: None,
            block: None,
            deadline: None,
            policy: orders.policy.word(),
            worked: 0,
            hashes: "0".to_owned(),
            hashing_ms: 0,
            took_ms: 0,
            farmers: Vec::new(),
        }
    }

    fn rehearsed(
        mut self,
        view: &kale::view::View,
        deadline: Option<u64>,
        wanted: &[Wanted],
    ) -> Result<Outcome> {
        (self.view, self.block) = (Some(LedgerStamp::from(view)), Some(view.farm.index));
        self.deadline = deadline.filter(|_| !wanted.is_empty()).map(time);
        self.farmers = wanted.iter().map(WorkView::wanted).collect();
        Outcome::of(&self)
    }

    fn finished(mut self, report: Report) -> Result<Outcome> {
        let failures = work::failures(&report.worked);
        let millis = |span: std::time::Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        (self.view, self.block) = (Some(LedgerStamp::from(&report.view)), Some(report.view.farm.index));
        self.deadline = report.deadline.map(time);
        self.hashes = report.hashes.to_string();
        (self.hashing_ms, self.took_ms) = (millis(report.hashing), millis(report.took));
        self.farmers = report.worked.iter().map(WorkView::of).collect();
        let is_in = |view: &&WorkView| matches!(view.status, "worked" | "improved");
        let mut workers: Vec<&str> =
            self.farmers.iter().filter(is_in).map(|view| view.farmer.as_str()).collect();
        workers.sort_unstable();
        workers.dedup();
        self.worked = workers.len();
        let stopped = report.stopped.then(|| {
            Error::new(
                Code::Interrupted,
                "interrupted before the block's work was done; what was found is saved",
            )
            .hint("run the same command again: it goes on where it was")
        });
        let failure = farming::ended(self.worked, &failures, "farmers").or(stopped);
        let gauges = self.gauges(failures.len());
        Ok(Outcome::of(&self)?.warn(report.warnings).gauges(gauges).but(failure))
    }

    fn gauges(&self, failed: usize) -> Vec<Gauge> {
        let gauge = |name, help, value: String| Gauge { name, help, labels: Vec::new(), value };
        vec![
            gauge("poolctl_work_farmers", "Farmers whose work the last run got in.", self.worked.to_string()),
            gauge("poolctl_work_failed_farmers", "Farmers whose work it did not get in.", failed.to_string()),
            gauge("poolctl_work_hashes", "Nonces that the last run tried.", self.hashes.clone()),
        ]
    }
}

/// A table of work.
pub fn table(views: &[WorkView]) -> Table {
    let mut table = Table::new(&["FARMER", "STATUS", ">ZEROS", ">GAP", ">FEE", ">LEDGER", "WHY"]);
    let number = |number: Option<u32>| number.map(|n| n.to_string()).unwrap_or_default();
    for view in views {
        table.row([
            view.address.clone(),
            view.status.replace('_', " "),
            number(view.zeros),
            number(view.gap),
            view.fee.as_ref().map(ToString::to_string).unwrap_or_default(),
            number(view.ledger),
            view.error.clone().unwrap_or_default(),
        ]);
    }
    table
}

impl Present for WorkOutput {
    fn present(&self, page: &mut Page) {
        let (Some(view), Some(block)) = (&self.view, self.block) else {
            page.line("no farmers; add one with: poolctl farmer register");
            return;
        };
        if !self.farmers.is_empty() {
            page.table(table(&self.farmers));
        }
        match &self.deadline {
            Some(deadline) => {
                page.line(format!(
                    "block {block}: work of {} farmers is in; policy {}, deadline {deadline}; {} hashes",
                    self.worked, self.policy, self.hashes
                ));
            }
            None => {
                page.line(format!("block {block}: nothing to work"));
            }
        }
        page.line(view);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_a_time_or_a_span_within_the_block() {
        assert_eq!(deadline("280s").unwrap(), Deadline::Into(280));
        assert_eq!(deadline("4m").unwrap(), Deadline::Into(240));
        assert_eq!(deadline("2026-11-21T08:00:00Z").unwrap(), Deadline::At(1_795_248_000));
        for bad in ["", "280", "0s", "300s", "5m", "-1s", "soon"] {
            assert_eq!(deadline(bad).unwrap_err().code(), Code::InvalidValue, "{bad}");
        }
    }
}
