//! `farm run`: plant, work and harvest as the block's clock asks, in one loop. All times are ledger time.

mod done;
pub mod outlook;
mod stopping;

use self::done::Done;
use crate::chain::Who;
use crate::chain::view::{Ask, View};
use crate::contract::BLOCK_SECONDS;
use crate::contract::model::Moment;
use crate::farming::{Farming, Leads, Missed, Strategies, is_of_state};
use crate::fees;
use crate::harvest::{self, Harvested};
use crate::plant::{self, Planted};
use crate::reconcile::{self, Reconciled};
use crate::record::rows::{self, FarmerRow, OpenPail};
use crate::schedule::{self, Action, Step, Stock};
use crate::work::{self, AtStake, Orders, Patience, Reach, Shift, Worked, nonces};
use base::amount::Base;
use base::{Code, Error, Exit, Result};
use grind::kernel::KernelRef;
use outbox::Operation;
use rusqlite::Connection;
use state::{ValuePermit, runs};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};
use stellar::submit::Settled;

/// After a step failed for some, it is tried again so many seconds of ledger time later.
const AGAIN: u64 = 30;
/// How long a turn waits for what an earlier run, or turn, left under way: whoever it is about waits, the others do not.
const SETTLE_WAIT: Duration = Duration::from_secs(3);
/// Seconds after which a run compares the farm with the chain again.
const DAY: u64 = 86_400;
/// Seconds of a ledger, about; how far away the next step is decides how often the farm is looked at.
const LEDGER: u64 = 5;
/// Looks are at most so many times farther apart than `stellar.poll_ms`.
const FAR: u64 = 15;

/// While it rests, a run looks so often whether there is something for it in the state.
const GLANCE: Duration = Duration::from_millis(500);

/// A run that goes on for days notes so often, in seconds, that it is well.
const BEAT: i64 = 60;

/// What happens, told as it happens.
#[derive(Debug)]
pub enum Note<'a> {
    /// Another block than before.
    Block(&'a View),
    /// What an earlier run had under way came to an end.
    Settled(&'a Operation, &'a Result<Settled>),
    /// A plant for a farmer ended; the block is the one that it is in.
    Planted(u32, &'a Planted),
    /// Grinding begins.
    Shift(&'a Shift, Reach),
    /// Work for a farmer ended.
    Worked(&'a Worked),
    /// Grinding has ended.
    ShiftEnded(u32, Reach),
    /// A harvest ended.
    Harvested(&'a Harvested),
    /// The farm was compared with the chain, for this reason, and they differed.
    Reconciled(&'static str, &'a Reconciled),
    /// A stake that will be lost, which no run has seen before: its block ended without work.
    Missed(&'a Missed),
    /// The operator wants to stop with this at stake; whether what was found is submitted.
    Stopping(&'a AtStake, bool),
    /// Nothing is due; this is next.
    Waiting(&'a Action),
    /// A step could not be done now; it is tried again.
    Trouble(Step, &'a Error),
    /// What another run has changed cannot be used: what was there before stays.
    Kept(&'a Error),
}

/// How to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunOptions {
    /// How to work.
    pub orders: Orders,
    /// End when nothing is due any more.
    pub once: bool,
    /// The policy is that of the settings, and changes with them.
    pub follows: bool,
}

/// How a run ended.
#[derive(Debug, Default)]
pub struct Ran {
    /// The farm as it was looked at last; `None` before the first look.
    pub view: Option<View>,
    /// What is next.
    pub agenda: Vec<Action>,
    /// Whether the operator stopped it.
    pub stopped: bool,
    /// What was left planted and not worked then.
    pub at_stake: Option<AtStake>,
    /// Whether that was to be worked for: the work did not get in, or it is not known whether it did.
    pub unsettled: bool,
    /// How many stakes will be lost, as runs have seen, and what they come to.
    pub missed: (usize, Base),
    /// Nonces tried.
    pub hashes: u64,
    /// Time that all threads hashed.
    pub hashing: Duration,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// Who is told.
pub type Tell<'t> = &'t mut dyn FnMut(&Note<'_>);

struct Farmhand<'t> {
    terms: RunOptions,
    tell: Tell<'t>,
    shift: Option<Shift>,
    kernel: Option<KernelRef>,
    /// The block that was told last.
    block: Option<u32>,
    /// What was told to be next.
    next: Option<(Step, u64)>,
    /// Before then (ledger time) a step is not tried again.
    again: BTreeMap<Step, u64>,
    /// Farmers for whom nothing more is done: a better nonce that another run finds is something to be done.
    done: Done,
    /// A run that is to end by itself plants in one block only, and not after its work: this one.
    only: Option<u32>,
    /// When the farm was last compared with the chain, or that was tried, in seconds of ledger time.
    compared: Option<u64>,
    /// When it was last noted that all is well.
    beat: i64,
    ran: Ran,
}

/// Runs until stopped, or until nothing is due.
/// What fails for one farmer is told; endpoints that fail end it only where it is to end by itself.
pub async fn run(
    farming: &mut Farming<'_, '_>,
    permit: ValuePermit<'_>,
    terms: RunOptions,
    tell: Tell<'_>,
) -> Result<Ran> {
    let mut hand = Farmhand {
        terms,
        tell,
        shift: None,
        kernel: None,
        block: None,
        next: None,
        again: BTreeMap::new(),
        done: Done::default(),
        only: None,
        compared: None,
        beat: 0,
        ran: Ran::default(),
    };
    if terms.once && farming.leases.is_empty() && !farming.elsewhere.is_empty() {
        return Ok(hand.ran);
    }
    let ended = hand.turns(farming, permit).await;
    farming.work.progress.end();
    let finished = match (hand.shift.take(), hand.ran.view.as_ref().map(|view| view.at)) {
        (Some(mut shift), Some(at)) => hand.finish(farming, &mut shift, at),
        _ => Ok(()),
    };
    ended.and(finished)?;
    hand.ran.missed = farming.all_missed()?;
    Ok(hand.ran)
}

/// What a turn came to.
struct Turn {
    /// Something was done that may make something else due at once.
    moved: bool,
    /// Something is due and may be tried.
    due: bool,
}

impl Farmhand<'_> {
    async fn turns(&mut self, farming: &mut Farming<'_, '_>, permit: ValuePermit<'_>) -> Result<()> {
        let mut patience = Patience::default();
        loop {
            let mut turned = self.turn(farming, permit).await;
            if let (Ok(_), Some(view)) = (&turned, &self.ran.view) {
                match patience.see(view.at, self.shift.as_ref().map(|shift| shift.hours.end)) {
                    Err(e) if self.terms.once => return Err(e),
                    Err(e) => turned = Err(e),
                    Ok(()) => {}
                }
            }
            if !self.terms.once
                && turned.is_ok()
                && let Err(e) = self.note_well(farming)
            {
                turned = Err(e);
            }
            let turn = match turned {
                // A service outlives its endpoints, and whoever holds what it needs.
                Err(e) if !self.terms.once && is_borne(e.code()) => {
                    (self.tell)(&Note::Trouble(Step::Work, &e));
                    None
                }
                turn => patience.bear(turn)?,
            };
            if farming.work.stop.wanted() {
                self.leave(farming, permit).await?;
                self.ran.stopped = true;
                return Ok(());
            }
            let idle = turn.as_ref().is_some_and(|turn| !turn.moved && !turn.due);
            if self.terms.once && idle && self.shift.is_none() {
                return Ok(());
            }
            if !turn.is_some_and(|turn| turn.moved) {
                self.rest(farming, patience.still()).await?;
            }
        }
    }

    /// Waits for the next look; not to its end where another run has put a nonce into the state, or the operator wants to stop.
    /// The longer no ledger has closed, the longer.
    async fn rest(&self, farming: &Farming<'_, '_>, still: Duration) -> Result<()> {
        let (conn, pace) = (farming.work.state.conn(), &farming.submit_options.pace);
        let block = self.ran.view.as_ref().map(|view| view.farm.index);
        let bests = || block.map_or_else(|| Ok(HashMap::new()), |block| nonces::bests(conn, block));
        let (until, mut version, before) =
            (Instant::now() + self.pause(pace.poll).max(pace.after(still)), version(conn)?, bests()?);
        while !farming.work.stop.wanted() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            tokio::time::sleep(left.min(GLANCE)).await;
            let now = self::version(conn)?;
            if now != version && bests()? != before {
                break;
            }
            version = now;
        }
        Ok(())
    }

    /// Takes in what other runs have changed of keys and settings, and the farms that are new, or that others have left.
    fn renew(&mut self, farming: &mut Farming<'_, '_>) -> Result<()> {
        farming.lead(&Leads::Free)?;
        match farming.renew() {
            Err(e) if is_of_state(e.code()) => return Err(e),
            Err(e) => (self.tell)(&Note::Kept(&e)),
            Ok(_) => {}
        }
        if self.terms.follows {
            self.terms.orders.policy = farming.settings.policy;
        }
        Ok(())
    }

    /// For monitors, who see no end of a service: it looks after the farm.
    fn note_well(&mut self, farming: &Farming<'_, '_>) -> Result<()> {
        let state = &*farming.work.state;
        let now = state.run().clock.now();
        if now.saturating_sub(self.beat) >= BEAT {
            state.note_run(farming.work.permit, runs::FARM, Exit::Done)?;
            self.beat = now;
        }
        Ok(())
    }

    /// How long to wait for the next look: the farther the next step, the longer.
    fn pause(&self, poll: Duration) -> Duration {
        let Some(view) = self.ran.view.as_ref().filter(|_| self.shift.is_none()) else { return poll };
        let next = schedule::next(&self.ran.agenda, view.at.time);
        let ledgers = next.map_or(FAR, |at| at.saturating_sub(view.at.time) / LEDGER);
        poll.saturating_mul(u32::try_from(ledgers.clamp(1, FAR)).unwrap_or(1))
    }

    async fn turn(&mut self, farming: &mut Farming<'_, '_>, permit: ValuePermit<'_>) -> Result<Turn> {
        self.renew(farming)?;
        for (operation, settled) in farming.settle(Some(permit), SETTLE_WAIT).await? {
            (self.tell)(&Note::Settled(&operation, &settled));
        }
        let guess = match &self.ran.view {
            Some(view) => Some(view.farm.index),
            None => rows::last_block(farming.work.state.conn())?,
        };
        let view = View::read(farming.site, &Ask { guess, ..Ask::default() }).await?;
        if self.block.replace(view.farm.index) != Some(view.farm.index) {
            self.again.clear();
            (self.tell)(&Note::Block(&view));
        }
        if let (Some(shift), Some(before)) = (&self.shift, &self.ran.view) {
            work::advance_bar(farming, shift, before.at, view.at);
        }
        let (at, index) = (view.at, view.farm.index);
        self.ran.view = Some(view.clone());
        self.tick(farming, permit, &view).await?;
        for missed in &farming.note_missed((index, view.work_until())).await? {
            (self.tell)(&Note::Missed(missed));
        }
        let (conn, scope) = (farming.work.state.conn(), &farming.scope);
        let hands = scope.hands(conn)?;
        let (mut pails, mut before) = (rows::pails_in(conn, index)?, rows::pails_before(conn, index)?);
        scope.retain(conn, &mut pails, |pail| &pail.farmer)?;
        scope.retain(conn, &mut before, |pail| &pail.farmer)?;
        let (own, bests) = (rows::own_works(conn, index)?, nonces::bests(conn, index)?);
        self.done.undo(index, &bests);
        farming.forget(at.time);
        // Of this block and the next.
        let strategies = [farming.strategies(index)?, farming.strategies(index.saturating_add(1))?];
        let stock = self.stock(&hands, &strategies, (&pails, &own, &bests), &before, &view);
        let agenda = schedule::agenda(&view.farm, view.current(), at, stock, &farming.settings);
        let is_due = |hand: &Self, step: Step| {
            let is_it = |action: &&Action| action.step == step && action.is_due(at.time);
            let listed = agenda.iter().find(is_it);
            listed.is_some_and(|action| hand.is_meant(action))
                && hand.may(step, at.time)
                && hand.is_free(step, farming, at.time)
        };
        let (mut plant, work, harvest) =
            (is_due(self, Step::Plant), is_due(self, Step::Work), is_due(self, Step::Harvest));
        self.ran.agenda.clone_from(&agenda);
        if work && plant && farming.settings.command.is_some() {
            // Grinding goes on while the command is asked about the plant.
            self.enlist(farming, &hands, &pails, index).await?;
            plant = self.is_free(Step::Plant, farming, at.time);
        }
        // The plant comes first: it begins the block for which everything else is done.
        if plant {
            self.plant(farming, permit, &hands, &strategies, (&pails, &view)).await?;
            return Ok(Turn { moved: true, due: true });
        }
        if work {
            self.enlist(farming, &hands, &pails, index).await?;
        }
        if harvest {
            self.harvest(farming, permit, &hands, at.time).await?;
            return Ok(Turn { moved: true, due: true });
        }
        if self.is_free(Step::Harvest, farming, at.time) && self.reconcile(farming, &hands, at.time).await? {
            return Ok(Turn { moved: true, due: true });
        }
        self.announce(&agenda, at.time);
        Ok(Turn { moved: false, due: work && self.shift.is_some() })
    }

    /// Compares the farm with the chain where that is due. Returns whether something was taken in.
    async fn reconcile(
        &mut self,
        farming: &mut Farming<'_, '_>,
        hands: &[FarmerRow],
        now: u64,
    ) -> Result<bool> {
        let state = &farming.work.state;
        let why = match self.compared {
            Some(compared) => (now >= compared.saturating_add(DAY)).then_some("a day has passed"),
            None => match reconcile::why_due(state.conn(), hands, state.run().clock.now())? {
                // What happened while nobody looked?
                None if !self.terms.once && !hands.is_empty() => Some("the run begins"),
                why => why,
            },
        };
        self.compared = self.compared.filter(|_| why.is_none()).or(Some(now));
        let Some(why) = why else { return Ok(false) };
        match reconcile::all(farming, hands).await {
            Ok(found) => {
                if !found.differences.is_empty() {
                    (self.tell)(&Note::Reconciled(why, &found));
                }
                Ok(found.differences.iter().any(|difference| difference.what.is_taken_in()))
            }
            Err(e) if e.code().is_transient() => {
                let e = e.context("cannot compare the farm with the chain");
                (self.tell)(&Note::Trouble(Step::Harvest, &e));
                // Not at once, and not only tomorrow.
                self.compared = Some(now.saturating_sub(DAY).saturating_add(AGAIN));
                Ok(false)
            }
            Err(e) => Err(e),
        }
    }

    /// Whether a step may be tried again by now.
    fn may(&self, step: Step, now: u64) -> bool {
        self.again.get(&step).is_none_or(|again| *again <= now)
    }

    /// Whether a run that is to end by itself is to do this.
    fn is_meant(&self, action: &Action) -> bool {
        let only = self.only.filter(|_| self.terms.once && action.step == Step::Plant);
        only.is_none_or(|only| action.block == only)
    }

    /// Whether there is time for this step beside the work: what is sent may take its whole validity to settle, and keep the
    /// submitters busy.
    fn is_free(&self, step: Step, farming: &Farming<'_, '_>, now: u64) -> bool {
        let Some(shift) = self.shift.as_ref().filter(|_| step != Step::Work) else { return true };
        if step == Step::Harvest && !farming.settings.submitters.is_empty() {
            return now.saturating_add(fees::BUSY) <= shift.first();
        }
        now.saturating_add(farming.submit_options.valid_sec) <= shift.hours.deadline
    }

    fn stock(
        &self,
        hands: &[FarmerRow],
        [strategies, next]: &[Strategies; 2],
        (pails, own, bests): (&[OpenPail], &HashMap<String, u32>, &HashMap<String, u32>),
        before: &[OpenPail],
        view: &View,
    ) -> Stock {
        let index = view.farm.index;
        let planted: HashSet<&str> = pails.iter().map(|pail| pail.farmer.as_str()).collect();
        let needs = |pail: &&OpenPail| {
            let enough = view.current().map_or(0, |block| strategies.of(&pail.farmer).enough(block));
            let (has, own) = (pail.work.map(|(_, zeros)| zeros), own.get(&pail.farmer).copied());
            let is_better = bests.get(&pail.farmer).is_some_and(|best| has.is_some_and(|has| *best > has));
            (is_better || work::needs_work(self.terms.orders.policy, has, own, enough))
                && !self.done.has(index, &pail.farmer)
        };
        let unworked = pails.iter().filter(needs).count();
        let (rolled, older) = rows::rolled_and_older(before, index);
        Stock {
            planters: planters(hands, next).count(),
            idle: planters(hands, strategies).filter(|hand| !planted.contains(hand.who.id.as_str())).count(),
            unworked,
            worked: pails.iter().filter(|pail| pail.work.is_some()).count(),
            rolled,
            older,
        }
    }

    /// Says what is next, when that changes.
    fn announce(&mut self, agenda: &[Action], now: u64) {
        let Some(action) = agenda.iter().find(|action| !action.is_due(now)) else { return };
        let next = (action.step, action.from);
        if self.shift.is_none() && self.next.replace(next) != Some(next) {
            (self.tell)(&Note::Waiting(action));
        }
    }

    /// Lets the shift do what is due, and ends it when it is over.
    async fn tick(
        &mut self,
        farming: &mut Farming<'_, '_>,
        permit: ValuePermit<'_>,
        view: &View,
    ) -> Result<()> {
        let Some(mut shift) = self.shift.take() else { return Ok(()) };
        // First of all: what is offered while it is at work, it has not seen.
        let seen = nonces::bests(farming.work.state.conn(), shift.block);
        let renewed = seen.and_then(|bests| {
            shift.renew(farming, &self.terms.orders, view.at)?;
            Ok(bests)
        });
        let bests = match renewed {
            Ok(bests) => bests,
            Err(e) => {
                self.shift = Some(shift);
                return Err(e);
            }
        };
        let ticked = shift.tick(farming, permit, (view.at, view.farm.index)).await;
        for worked in ticked.as_deref().unwrap_or_default() {
            (self.tell)(&Note::Worked(worked));
        }
        if !shift.is_over(view.at) {
            self.shift = Some(shift);
            return ticked.map(|_| ());
        }
        if let Err(e) = self.finish(farming, &mut shift, view.at) {
            self.shift = Some(shift);
            return Err(e);
        }
        farming.work.progress.end();
        (self.tell)(&Note::ShiftEnded(shift.block, shift.reach()));
        self.only.get_or_insert(shift.block);
        let worked = shift.farmers().map(|(farmer, best)| (farmer.to_owned(), best));
        if shift.until(view.at).is_some() {
            self.done.note(shift.block, worked, &bests);
        }
        // Else the block is over, and nothing more is due in it; where one wrong answer said so, work goes on.
        ticked.map(|_| ())
    }

    /// Ends a shift: who was missed is told, its hashes are added up.
    fn finish(&mut self, farming: &mut Farming<'_, '_>, shift: &mut Shift, at: Moment) -> Result<()> {
        for worked in &shift.finish(farming, at)? {
            (self.tell)(&Note::Worked(worked));
        }
        let figures = shift.reach().figures;
        self.ran.hashes = self.ran.hashes.saturating_add(figures.hashes);
        self.ran.hashing = self.ran.hashing.saturating_add(figures.elapsed);
        Ok(())
    }

    async fn plant(
        &mut self,
        farming: &mut Farming<'_, '_>,
        permit: ValuePermit<'_>,
        hands: &[FarmerRow],
        [strategies, next]: &[Strategies; 2],
        (pails, view): (&[OpenPail], &View),
    ) -> Result<()> {
        let due = view.farm.due().is_some_and(|due| view.at.time >= due);
        let has = |hand: &FarmerRow| !due && pails.iter().any(|pail| pail.farmer == hand.who.id);
        let strategies = if due { next } else { strategies };
        let planters: Vec<FarmerRow> =
            planters(hands, strategies).filter(|hand| !has(hand)).cloned().collect();
        let now = view.at.time;
        let prepared = match plant::prepare(farming, &planters).await {
            // The loop sees the wish to stop, and sums up.
            Err(e) if e.code() == Code::Interrupted => return Ok(()),
            Err(e) if e.code() == Code::FarmPaused => {
                (self.tell)(&Note::Trouble(Step::Plant, &e));
                self.again.insert(Step::Plant, now.saturating_add(AGAIN));
                return Ok(());
            }
            prepared => prepared?,
        };
        let (index, refused) = (prepared.index, prepared.refused.clone());
        self.only.get_or_insert(index);
        let planted = plant::execute(farming, prepared, permit).await?;
        // Decided anew at the next turn, which comes at once.
        let anew = planted.iter().any(Planted::is_changed);
        for planted in planted.iter().filter(|planted| !planted.is_changed()) {
            (self.tell)(&Note::Planted(index, planted));
        }
        if let Some(e) = refused {
            (self.tell)(&Note::Trouble(Step::Plant, &e));
            // Not in this block, which may never begin without us.
            self.again.insert(Step::Plant, now.saturating_add(BLOCK_SECONDS));
            return Ok(());
        }
        let all = !planted.is_empty()
            && planted.len() == planters.len()
            && planted.iter().all(|planted| matches!(planted.outcome, plant::PlantOutcome::Planted { .. }));
        self.settle_retry(Step::Plant, all || anew, now);
        Ok(())
    }

    async fn harvest(
        &mut self,
        farming: &mut Farming<'_, '_>,
        permit: ValuePermit<'_>,
        hands: &[FarmerRow],
        now: u64,
    ) -> Result<()> {
        let mut prepared = harvest::prepare(farming, hands).await?;
        // No more than a few ledgers' worth for the submitters: the plant of the next block must not wait for them.
        let submitters = farming.settings.submitters.len();
        let is_cut = submitters > 0 && prepared.keep(submitters * fees::RUN);
        let harvested = harvest::execute(farming, prepared, permit).await?;
        let anew = harvested.iter().any(Harvested::is_changed);
        for harvested in harvested.iter().filter(|harvested| !harvested.is_changed()) {
            (self.tell)(&Note::Harvested(harvested));
        }
        let is_end = |one: &Harvested| {
            !matches!(one.outcome, harvest::HarvestOutcome::Failed { .. } | harvest::HarvestOutcome::Already)
        };
        let all = !harvested.is_empty() && harvested.iter().all(is_end);
        self.settle_retry(Step::Harvest, all || anew || is_cut && harvested.iter().any(is_end), now);
        Ok(())
    }

    fn settle_retry(&mut self, step: Step, all: bool, now: u64) {
        if all {
            self.again.remove(&step);
        } else {
            self.again.insert(step, now.saturating_add(AGAIN));
        }
    }

    /// Begins to grind, or takes in those who have planted since.
    async fn enlist(
        &mut self,
        farming: &mut Farming<'_, '_>,
        hands: &[FarmerRow],
        pails: &[OpenPail],
        index: u32,
    ) -> Result<()> {
        let shift = self.shift.as_ref();
        let is_new = |hand: &&FarmerRow| {
            let id = hand.who.id.as_str();
            pails.iter().any(|pail| pail.farmer == id)
                && !self.done.has(index, id)
                && !shift.is_some_and(|shift| shift.has(id))
        };
        let who: Vec<Who> = hands.iter().filter(is_new).map(|hand| hand.who.clone()).collect();
        if who.is_empty() {
            return Ok(());
        }
        let bests = nonces::bests(farming.work.state.conn(), index)?;
        let ask = Ask { who: &who, wallets: false, guess: Some(index) };
        let view = View::read(farming.site, &ask).await?;
        if view.farm.index != index {
            return Ok(());
        }
        work::note(farming, &view)?;
        match work::consult(farming, &view, &self.terms.orders).await {
            Ok(None) => {}
            Ok(Some(e)) => (self.tell)(&Note::Trouble(Step::Work, &e)),
            Err(e) if e.code() == Code::Interrupted => return Ok(()),
            Err(e) => return Err(e),
        }
        if let Some(shift) = &mut self.shift {
            shift.enlist(farming, &view)?;
        } else {
            let kernel = self.kernel(farming);
            self.shift = Shift::begin(farming, &view, &self.terms.orders, kernel)?;
            if let Some(shift) = &self.shift {
                work::begin_bar(farming, shift, view.at);
                (self.tell)(&Note::Shift(shift, shift.reach()));
            }
        }
        // Those who need nothing, or have no pail on the chain, are not asked about again in this block.
        let taken = |who: &Who| self.shift.as_ref().is_some_and(|shift| shift.has(&who.id));
        let passed: Vec<&Who> = who.iter().filter(|who| !taken(who)).collect();
        self.done.note(index, passed.into_iter().map(|who| (who.id.clone(), None)), &bests);
        Ok(())
    }

    /// The kernel, chosen and checked at its first use.
    fn kernel(&mut self, farming: &Farming<'_, '_>) -> KernelRef {
        if let Some(kernel) = self.kernel {
            return kernel;
        }
        let (kernel, warnings) = work::kernel(farming.work.state.run().clock.now().unsigned_abs());
        self.ran.warnings.extend(warnings);
        self.kernel = Some(kernel);
        kernel
    }
}

/// Whether what a service needs comes back: an endpoint, or what another run holds.
const fn is_borne(code: Code) -> bool {
    code.is_transient() || matches!(code, Code::StateLocked | Code::LeaseHeld)
}

/// What changes whenever another connection writes to the state.
fn version(conn: &Connection) -> Result<i64> {
    Ok(conn.pragma_query_value(None, "data_version", |row| row.get(0))?)
}

fn planters<'h>(hands: &'h [FarmerRow], strategies: &Strategies) -> impl Iterator<Item = &'h FarmerRow> {
    hands.iter().filter(|hand| hand.status.plants() && strategies.may_plant(&hand.who.id))
}
