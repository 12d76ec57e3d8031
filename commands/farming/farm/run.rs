//! `poolctl farm run`: the loop on the block's clock.

use super::lines::Line;
use super::notes::{self, Totals};
use super::plan::{self, ActionView};
use crate::farming::work::OrderFlags;
use crate::shell::prelude::*;
use app::farming::{LedgerStamp, kale, on_farm};
use base::amount::Quantity;
use base::forms;
use kale::run::{self, Note, Ran, Terms};
use std::sync::atomic::Ordering;
use watch::metrics::Gauge;

/// Plant as soon as a block rolls, work until its deadline, harvest a minute after the roll
///
/// It looks at the farm as often as the block's clock asks, and grinds in between. With --json it writes an NDJSON line for
/// each thing that happens, the result last. Killed at any point, the next run goes on where it was; a second run at the
/// same time ends with exit code 11.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl farm run --once\n         poolctl farm run --json | jq -c .")]
pub struct Run {
    /// Do whatever is due now, the grinding of this block included, and end
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    orders: OrderFlags,
    /// Transactions under way at once; default: kale.parallel
    #[arg(long, value_name = "N", value_parser = crate::shell::options::parallel)]
    parallel: Option<usize>,
    #[command(flatten)]
    dry: DryRun,
}

/// What the run did.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RunOutput {
    /// Whose view it is, at the end.
    pub view: Option<LedgerStamp>,
    /// The block.
    pub block: Option<u32>,
    /// In numbers.
    #[serde(flatten)]
    pub totals: Totals,
    /// What was staked.
    pub staked: Quantity,
    /// What was earned.
    pub rewarded: Quantity,
    /// Nonces tried.
    #[schemars(with = "forms::Whole")]
    pub hashes: String,
    /// Time that all threads hashed, in milliseconds.
    pub hashing_ms: u64,
    /// What is next.
    pub next: Vec<ActionView>,
    /// Everything was told as it happened; a person needs no more than the sum.
    #[serde(skip)]
    quiet: bool,
}

impl Run {
    pub(super) fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let orders = self.orders.or(&app)?;
        if self.dry.dry_run {
            session.call.set_dry_run();
            return plan::show(&app, &orders);
        }
        let json = session.options.json;
        let mut totals = Totals::new(self.once);
        let mut trouble = None;
        let stop = session.call.stop.flag();
        let mut tell = |note: &Note<'_>| {
            totals.count(note);
            let told =
                if json { Console::tell(&Line::from(note)) } else { Console::emit(&notes::line(note)) };
            match told {
                Ok(true) => {}
                // Nobody listens any more: what is under way is finished, and that is all.
                Ok(false) => stop.store(true, Ordering::Relaxed),
                Err(e) => {
                    stop.store(true, Ordering::Relaxed);
                    trouble = Some(e);
                }
            }
        };
        let once = self.once;
        let ran = on_farm(&app, false, self.parallel, async |farm| {
            let what = format!("plant, work and harvest for the farmers on {}", farm.site.network());
            let permit = app.value_permit(farm.work.permit, &what)?;
            if !once {
                // Better now than at the first block.
                farm.keys.signers()?;
            }
            run::run(farm, permit, Terms { orders, once }, &mut tell).await
        })
        .map_err(|e| e.context("cannot farm"))?;
        if let Some(e) = trouble {
            return Err(e);
        }
        RunOutput::finish(ran, totals, once, json)
    }
}

impl RunOutput {
    fn finish(ran: Ran, totals: Totals, once: bool, json: bool) -> Result<Outcome> {
        let failures = totals.failures();
        let done = totals.done();
        let stopped = (ran.stopped && once).then(|| {
            Error::new(Code::Interrupted, "interrupted; what was finished is recorded")
                .hint("run the same command again to go on")
        });
        let output = Self {
            view: ran.view.as_ref().map(LedgerStamp::from),
            block: ran.view.as_ref().map(|view| view.farm.index),
            staked: kale(totals.staked()),
            rewarded: kale(totals.rewarded()),
            hashes: ran.hashes.to_string(),
            hashing_ms: u64::try_from(ran.hashing.as_millis()).unwrap_or(u64::MAX),
            next: ran.agenda.iter().map(ActionView::from).collect(),
            totals,
            quiet: json,
        };
        let failure = app::failures::ended(done, &failures, "steps").or(stopped);
        let gauges = output.gauges(output.totals.failed_tries);
        let outcome = Outcome::of(&output)?.warn(ran.warnings).gauges(gauges).but(failure);
        Ok(if json { outcome.streamed() } else { outcome })
    }

    fn gauges(&self, failed: usize) -> Vec<Gauge> {
        let units = |amount: &Quantity| base::amount::to_units(amount.base, amount.decimals);
        let totals = &self.totals;
        let block = self.block;
        [
            Gauge::new("poolctl_run_planted_farmers", "Plants of the last run.", totals.planted),
            Gauge::new("poolctl_run_worked_farmers", "Works of the last run.", totals.worked),
            Gauge::new("poolctl_run_harvested_pails", "Harvests of the last run.", totals.harvested),
            Gauge::new("poolctl_run_lost_pails", "Stakes found lost by the last run.", totals.lost),
            Gauge::new("poolctl_run_failed_steps", "What failed for a farmer in the last run.", failed),
            Gauge::new("poolctl_run_reward_kale", "Rewards of the last run.", &units(&self.rewarded)),
        ]
        .into_iter()
        .chain(block.map(|block| {
            Gauge::new("poolctl_farm_block_index", "The farm's block, as it was seen last.", block)
        }))
        .collect()
    }
}

impl Present for RunOutput {
    fn present(&self, page: &mut Page) {
        if self.quiet {
            return;
        }
        let Totals { planted, worked, improved, harvested, lost, failed_tries, .. } = &self.totals;
        if self.totals.is_nothing() {
            page.line("nothing was due");
        } else {
            let failed =
                if *failed_tries > 0 { format!(", tries that failed {failed_tries}") } else { String::new() };
            page.line(format!(
                "planted {planted} ({}), worked {worked}, improved {improved}, harvested {harvested} ({}), lost {lost}{failed}",
                self.staked, self.rewarded
            ));
        }
        for line in self.totals.undone() {
            page.line(line);
        }
        // Whoever stops a run must know what stays undone.
        for ActionView { step, block, count, from, until, why } in &self.next {
            let until = until.as_ref().map(|until| format!(", by {until}")).unwrap_or_default();
            page.line(format!("next: {step} for {count} in block {block} from {from}{until}: {why}"));
        }
        if let Some(view) = &self.view {
            page.line(view);
        }
    }
}
