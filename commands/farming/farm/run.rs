//! `poolctl farm run`: the loop on the block's clock, and what a person is told of it.

use crate::farming::work::OrderFlags;
#[cfg(feature = "serve")]
use crate::shell::panics;
use crate::shell::prelude::*;
use app::farming::lines::Line;
use app::farming::plan::{ActionView, plan};
use app::farming::run::{ElsewhereView, RunOutput};
use app::farming::{ended_in, kale, on_farm, reconcile, time};
use base::clock;
use kale::farming::{Leads, Missed};
use kale::harvest::{self, Harvested};
use kale::plant;
use kale::run::{self, Note, RunOptions};
use kale::schedule::{Action, Step};
use kale::view::View;
use kale::work::{self, Orders, Reach, Worked};
use std::sync::atomic::Ordering;

/// Plant as soon as a block rolls, work until its deadline, harvest a minute after the roll
///
/// It looks at the farm as often as the block's clock asks, and grinds in between. With --json it writes an NDJSON line for
/// each thing that happens, the result last. Stopped (Ctrl-C, SIGTERM), it says what is at stake, and first submits the best
/// nonces that it has; a second signal stops at once. Killed at any point, the next run goes on where it was. What another
/// run leads is left to it: with --once that is no error, without it the exit code is 11.
#[derive(Debug, Default, Args)]
#[command(before_help = "Example: poolctl farm run --once\n         poolctl farm run --json | jq -c .")]
pub struct Run {
    /// Do whatever is due now, the grinding of this block included, and end
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    orders: OrderFlags,
    /// When stopped, keep the nonces that were found, and submit none of them
    #[arg(long)]
    abandon: bool,
    /// Transactions under way at once; default: kale.parallel
    #[arg(long, value_name = "N", value_parser = crate::shell::options::parallel)]
    parallel: Option<usize>,
    #[command(flatten)]
    dry: DryRun,
}

impl Run {
    pub(super) fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let orders = Orders { abandon: self.abandon, ..self.orders.or(&app)? };
        if self.dry.dry_run {
            session.call.set_dry_run();
            return Ok(Outcome::document(plan(&app, &orders)?));
        }
        let outcome = Outcome::document(self.farm(session, &app, orders)?);
        Ok(if session.options.json { outcome.streamed() } else { outcome })
    }

    /// The loop beside other work of this process, as the settings ask; how it ended is noted in the state.
    #[cfg(feature = "serve")]
    pub fn beside(session: &Session) -> Result<RunOutput> {
        let run = Self::default();
        let farmed = panics::catch(|| {
            let app = App::open(session)?;
            let orders = run.orders.or(&app)?;
            run.farm(session, &app, orders)
        });
        let failure = farmed.as_ref().map_or_else(|e| Some(e.clone()), app::Document::failure);
        session.call.note_end(failure.as_ref().map_or(base::Exit::Done, Error::exit));
        farmed
    }

    fn farm(&self, session: &Session, app: &App<'_>, orders: Orders) -> Result<RunOutput> {
        let (json, once, follows) = (session.options.json, self.once, self.orders.follows());
        let mut output = RunOutput::new(once);
        let mut trouble = None;
        let stop = session.call.stop.flag();
        let mut tell = |note: &Note<'_>| {
            output.count(note);
            let told = if json { Console::tell(&Line::from(note)) } else { Console::emit(&line(note)) };
            // Nobody listens any more: what is under way is finished, and that is all.
            if !matches!(told, Ok(true)) {
                stop.store(true, Ordering::Relaxed);
                trouble = told.err().or(trouble.take());
            }
        };
        // Whoever wants to be there always waits for the other; who comes every minute leaves it to the other.
        let leads = if once { Leads::Free } else { Leads::All };
        let farmed = on_farm(app, false, self.parallel, &leads, async |farm| {
            let what = format!("plant, work and harvest for the farmers on {}", farm.site.network());
            let permit = app.value_permit(farm.work.permit, &what)?;
            if !once {
                // Better now than at the first block.
                farm.keys.signers()?;
            }
            let ran = run::run(farm, permit, RunOptions { orders, once, follows }, &mut tell).await?;
            Ok((ran, farm.elsewhere.iter().map(ElsewhereView::from).collect()))
        });
        let (ran, held) = farmed.map_err(|e| output.broken(e.context("cannot farm")))?;
        if let Some(e) = trouble {
            return Err(e);
        }
        Ok(output.ended(ran, held))
    }
}

impl Present for RunOutput {
    fn present(&self, page: &mut Page) {
        let Self {
            planted,
            worked,
            improved,
            harvested,
            lost,
            lost_stake,
            failed_tries,
            staked,
            rewarded,
            ..
        } = self;
        for ElsewhereView { pooler, by, .. } in &self.held {
            page.line(format!("the farm of pooler \"{pooler}\" is left to {by}"));
        }
        if self.is_nothing() {
            page.line("nothing was due");
        } else {
            let failed =
                if *failed_tries > 0 { format!(", tries that failed {failed_tries}") } else { String::new() };
            let lost = if *lost > 0 { format!("{lost} ({lost_stake})") } else { lost.to_string() };
            page.line(format!(
                "planted {planted} ({staked}), worked {worked}, improved {improved}, harvested {harvested} ({rewarded}), lost {lost}{failed}",
            ));
        }
        if let Some(words) = self.will_be_lost.words() {
            page.line(words);
        }
        if let Some(at_stake) = &self.at_stake {
            page.line(&at_stake.words);
        }
        for (name, e) in &self.failed {
            page.line(format!("failed: {name}: {e}"));
        }
        if let Some((step, e)) = &self.hindered {
            page.line(trouble_line(*step, e));
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

/// The line for a person.
fn line(note: &Note<'_>) -> String {
    match note {
        Note::Block(view) => block_line(view),
        Note::Settled(operation, settled) => {
            format!("of an earlier run: {} {}", operation.key, ended_in(settled))
        }
        Note::Planted(block, planted) => {
            let (who, stake) = (&planted.who.address, kale(planted.stake));
            match &planted.outcome {
                plant::PlantOutcome::Planted { .. } => format!("block {block}: {who} planted {stake}"),
                plant::PlantOutcome::Already => format!("block {block}: {who} had planted {stake} already"),
                plant::PlantOutcome::HarvestOnly => {
                    format!("block {block}: {who} does not plant: harvest only")
                }
                plant::PlantOutcome::Failed { error, .. } => {
                    format!("block {block}: {who} did not plant: {error}")
                }
            }
        }
        Note::Shift(shift, reach) => format!(
            "block {}: grinding for {} until {}, policy {}",
            shift.block,
            counted(reach.farmers, "farmer"),
            time(shift.hours.deadline),
            shift.policy.as_str()
        ),
        Note::Worked(worked) => work_line(worked),
        Note::ShiftEnded(block, reach) => format!(
            "block {block}: work of {} of {} is in; {}, {}",
            reach.worked,
            counted(reach.farmers, "farmer"),
            counted(reach.figures.hashes, "hash"),
            rate(reach)
        ),
        Note::Harvested(harvested) => harvest_line(harvested),
        Note::Reconciled(why, found) => reconcile::told(why, found),
        Note::Missed(Missed { who, block, stake }) => {
            format!("block {block}: no work got in for {}: {} will be lost", who.address, kale(*stake))
        }
        Note::Stopping(at_stake, submits) => at_stake.stopping(*submits),
        Note::Waiting(action) => action_line(action),
        Note::Trouble(step, e) => trouble_line(*step, e),
        Note::Kept(e) => e.to_string(),
    }
}

fn trouble_line(step: Step, e: &Error) -> String {
    format!("cannot {} now: {e}", step.as_str())
}

fn block_line(view: &View) -> String {
    let age = view.current().map(|block| view.at.time.saturating_sub(block.timestamp));
    let age = age.map(|age| format!(", {} old", clock::span(age))).unwrap_or_default();
    let paused = if view.farm.paused { ", paused" } else { "" };
    format!("block {}{age}{paused} at ledger {}", view.farm.index, view.at.ledger)
}

fn work_line(worked: &Worked) -> String {
    let (who, block) = (&worked.who.address, worked.block);
    let zeros = worked.solution.map(|solution| solution.zeros).unwrap_or_default();
    match &worked.outcome {
        work::WorkOutcome::Worked { gap, improved, .. } => {
            let verb = if *improved { "improved to" } else { "worked:" };
            format!("block {block}: {who} {verb} {}, gap {gap}", counted(zeros, "zero"))
        }
        work::WorkOutcome::Already => format!("block {block}: {who} had worked already"),
        work::WorkOutcome::Elsewhere { zeros } => {
            format!("block {block}: somebody else worked for {who}: {}", counted(zeros, "zero"))
        }
        work::WorkOutcome::Failed { error, .. } => format!("block {block}: no work for {who}: {error}"),
    }
}

fn harvest_line(harvested: &Harvested) -> String {
    let (who, block) = (&harvested.hand.who.address, harvested.block);
    match &harvested.outcome {
        harvest::HarvestOutcome::Harvested { reward, .. } => {
            format!("block {block}: {who} harvested {}, and {} back", kale(*reward), kale(harvested.stake))
        }
        harvest::HarvestOutcome::Already => format!("block {block}: {who} had harvested already"),
        harvest::HarvestOutcome::Elsewhere { reward, .. } => {
            format!("block {block}: somebody else harvested {} for {who}", kale(*reward))
        }
        harvest::HarvestOutcome::Lost { reason, cause } => {
            format!("block {block}: {who} lost {}: {reason}, by {cause}", kale(harvested.stake))
        }
        harvest::HarvestOutcome::Failed { error, .. } => {
            format!("block {block}: {who} could not harvest: {error}")
        }
    }
}

/// What is next, and why.
fn action_line(action: &Action) -> String {
    let Action { step, block, count, from, why, .. } = action;
    format!("next: {} for {count} in block {block} at {}: {why}", step.as_str(), time(*from))
}

fn rate(reach: &Reach) -> String {
    let millis = reach.figures.elapsed.as_millis().max(1);
    format!("{} MH/s", u128::from(reach.figures.hashes) / 1000 / millis)
}
