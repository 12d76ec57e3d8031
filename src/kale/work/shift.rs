//! One block's work: who is worked for, the threads that grind for them, and what goes out when.

use super::grinder::{Figures, Grinder};
use super::policy::{self, Hours, Orders, PailProgress};
use super::send::{Bid, record_unsent, send};
use super::{WorkOutcome, Worked, nonces, pails};
use crate::chain::Who;
use crate::chain::view::{Ask, Standing, View};
use crate::contract::model::Moment;
use crate::contract::{BLOCK_SECONDS, Block, Pail};
use crate::farming::Farming;
use crate::fees;
use crate::record::reason::{Blame, Reason};
use crate::record::rows;
use crate::settings::Policy;
use crate::strategy::Strategy;
use base::{Code, Error, Result, say};
use grind::Solution;
use grind::kernel::KernelRef;
use grind::scheduler::Farmer;
use serde_json::json;
use state::ValuePermit;
use std::time::Duration;

/// Farmers whose work is submitted together; the farm's index is read again before each group.
const GROUP: usize = 50;
/// How long is ground where the deadline has passed and a farmer has no nonce at all: any nonce is work.
const LAST_CALL: Duration = Duration::from_millis(500);

/// One who is worked for.
#[derive(Debug, Clone)]
struct Mate {
    who: Who,
    pail: Pail,
    /// Zeros of our own work that is confirmed.
    own: Option<u32>,
    search: Farmer,
    /// How far of that stands in the state.
    saved: Farmer,
    /// Before then (ledger time) only the deadline makes its work due.
    from: u64,
    /// The ledger of the last try to submit: one try each is enough.
    tried: Option<u32>,
    /// Why nothing more is tried.
    given_up: Option<Reason>,
    /// What kept the last try from getting in, where the operator answers for it.
    hindered: Option<Reason>,
}

impl Mate {
    fn hand(&self) -> PailProgress {
        PailProgress {
            planted: self.pail.sequence,
            has: self.pail.zeros,
            own: self.own,
            best: self.search.best.map(|best| best.zeros),
            cap: self.search.cap,
            from: self.from,
        }
    }
}

/// How far a shift is, for people who watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// How the hashing goes.
    pub figures: Figures,
    /// For how many.
    pub farmers: usize,
    /// Of how many the chain has work.
    pub worked: usize,
}

/// The work on one block. Dropping it stops the threads.
#[derive(Debug)]
pub struct Shift {
    /// The block.
    pub block: u32,
    entry: Block,
    /// Its times.
    pub hours: Hours,
    /// When its best is submitted.
    pub policy: Policy,
    /// How many accounts send work for all; with none, each farmer's own does.
    submitters: usize,
    kernel: KernelRef,
    crew: Vec<Mate>,
    /// The threads, and whose search (place in the crew) each of their farmers is.
    grinder: Option<(Grinder, Vec<usize>)>,
    /// Of threads that have ended.
    before: Figures,
    rolled: bool,
}

impl Shift {
    /// Begins to grind for the pails of the view that need work, from where an earlier run was. `None` where there is
    /// nothing to do, or no time left to do it.
    pub fn begin(
        farming: &Farming<'_, '_>,
        view: &View,
        orders: &Orders,
        kernel: KernelRef,
    ) -> Result<Option<Self>> {
        let (Some(entry), Some(due), Some(end)) = (view.current(), view.due(), view.work_until()) else {
            return Ok(None);
        };
        let settings = &farming.settings;
        let deadline = orders.deadline_of(due, settings);
        let opened = due.saturating_sub(BLOCK_SECONDS);
        let hours = Hours { begun: view.at.time, opened, deadline, end, early: settings.early };
        let mut shift = Self {
            block: view.farm.index,
            entry: entry.clone(),
            hours,
            policy: orders.policy,
            submitters: settings.submitters.len(),
            kernel,
            crew: Vec::new(),
            grinder: None,
            before: Figures::default(),
            rolled: false,
        };
        shift.enlist(farming, view)?;
        Ok((!shift.crew.is_empty()).then_some(shift))
    }

    /// When the first of what is left goes out: with submitters as much before the deadline as they need for all.
    pub fn first(&self) -> u64 {
        let is_left = |mate: &&Mate| mate.given_up.is_none() && policy::is_open(self.policy, &mate.hand());
        fees::begin(self.crew.iter().filter(is_left).count(), self.submitters, self.hours.deadline)
    }

    /// Whether this farmer is worked for.
    pub fn has(&self, farmer: &str) -> bool {
        self.crew.iter().any(|mate| mate.who.id == farmer)
    }

    /// Row ids of those who are worked for, each with the zeros of the best nonce at hand.
    pub fn farmers(&self) -> impl Iterator<Item = (&str, Option<u32>)> {
        self.crew.iter().map(|mate| (mate.who.id.as_str(), mate.search.best.map(|best| best.zeros)))
    }

    /// Takes in those of the view who need work and are not worked for yet.
    pub fn enlist(&mut self, farming: &Farming<'_, '_>, view: &View) -> Result<()> {
        let before = self.crew.len();
        let strategies = farming.strategies(self.block)?;
        let own = rows::own_works(farming.work.state.conn(), self.block)?;
        for standing in &view.farmers {
            let id = &standing.who.id;
            if !self.has(id) {
                let mate = self.mate(farming, standing, &strategies.of(id), own.get(id).copied())?;
                self.crew.extend(mate.filter(|mate| policy::is_open(self.policy, &mate.hand())));
            }
        }
        if self.crew.len() > before && view.at.time < self.hours.end {
            self.halt();
            self.start(view.at)?;
        }
        Ok(())
    }

    fn mate(
        &self,
        farming: &Farming<'_, '_>,
        standing: &Standing,
        strategy: &Strategy,
        own: Option<u32>,
    ) -> Result<Option<Mate>> {
        let (Some(pail), who) = (&standing.pail, &standing.who) else { return Ok(None) };
        let Some(job) = self.entry.job(self.block, &who.contract_address()) else { return Ok(None) };
        let stored = nonces::load(farming.work.state.conn(), &who.id, &job)?;
        let (next, best) = stored.unwrap_or((0, None));
        let search = Farmer { job, next: Some(next), best, cap: strategy.enough(&self.entry) };
        Ok(Some(Mate {
            who: who.clone(),
            pail: pail.entry.clone(),
            own,
            search,
            saved: search,
            from: strategy.work_from(self.hours.opened),
            tried: None,
            given_up: None,
            hindered: None,
        }))
    }

    /// Sets the threads on everyone for whom a better nonce would still be of use.
    fn start(&mut self, at: Moment) -> Result<()> {
        let late = at.time >= self.hours.deadline;
        let needs = |mate: &Mate| {
            let hand = mate.hand();
            policy::is_open(self.policy, &hand) && !hand.has_enough() && !(late && hand.best.is_some())
        };
        let places: Vec<usize> =
            self.crew.iter().enumerate().filter(|(_, mate)| needs(mate)).map(|(n, _)| n).collect();
        if places.is_empty() {
            return Ok(());
        }
        let farmers = places.iter().filter_map(|n| Some(self.crew.get(*n)?.search)).collect();
        self.grinder = Some((Grinder::start(self.kernel, farmers)?, places));
        if late {
            // Its first pieces take milliseconds; there is no later to come back to.
            while let Some((grinder, _)) = &self.grinder
                && grinder.age() < LAST_CALL
                && grinder.ended().is_none()
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            self.halt();
        }
        Ok(())
    }

    /// Stops the threads and takes over what they found; it is still to be saved.
    fn halt(&mut self) {
        if let Some((mut grinder, places)) = self.grinder.take() {
            grinder.stop();
            let figures = grinder.figures();
            self.before.hashes = self.before.hashes.saturating_add(figures.hashes);
            self.before.elapsed = self.before.elapsed.saturating_add(figures.elapsed);
            self.take_over(&grinder, &places);
        }
    }

    fn take_over(&mut self, grinder: &Grinder, places: &[usize]) {
        for (n, search) in grinder.changed() {
            if let Some(mate) = places.get(n).and_then(|place| self.crew.get_mut(*place)) {
                // What was taken up since is not known to the threads.
                let (cap, best) = (mate.search.cap, better(mate.search.best, search.best));
                mate.search = Farmer { cap, best, ..search };
            }
        }
    }

    /// Takes in what other runs have changed since: orders and settings, terms, and nonces that they have put into the state.
    pub fn renew(&mut self, farming: &Farming<'_, '_>, orders: &Orders, at: Moment) -> Result<()> {
        let settings = &farming.settings;
        let due = self.hours.opened.saturating_add(BLOCK_SECONDS);
        self.policy = orders.policy;
        self.submitters = settings.submitters.len();
        self.hours =
            Hours { deadline: orders.deadline_of(due, settings), early: settings.early, ..self.hours };
        let strategies = farming.strategies(self.block)?;
        let mut is_other = false;
        for mate in &mut self.crew {
            let (strategy, cap) = (strategies.of(&mate.who.id), mate.search.cap);
            mate.from = strategy.work_from(self.hours.opened);
            mate.search.cap = strategy.enough(&self.entry);
            is_other |= mate.search.cap != cap;
        }
        is_other |= self.take_up(farming)?;
        if is_other && at.time < self.hours.end {
            self.halt();
            self.start(at)?;
        }
        Ok(())
    }

    /// Takes in better nonces that other runs have put into the state; whether the threads are no longer needed for somebody.
    pub fn take_up(&mut self, farming: &Farming<'_, '_>) -> Result<bool> {
        let conn = farming.work.state.conn();
        let mut is_enough = false;
        for mate in &mut self.crew {
            let stored = nonces::load(conn, &mate.who.id, &mate.search.job)?.and_then(|(_, best)| best);
            let best = better(mate.search.best, stored);
            if best != mate.search.best {
                mate.search.best = best;
                mate.given_up = mate.given_up.filter(|reason| *reason != Reason::HashInvalid);
                is_enough |= mate.hand().has_enough();
            }
        }
        Ok(is_enough)
    }

    /// Saves what was found and is not in the state, in one write; with a wish to `halt`, the threads stop for good.
    fn save(&mut self, farming: &mut Farming<'_, '_>, halt: bool) -> Result<()> {
        if halt {
            self.halt();
        } else if let Some((grinder, places)) = self.grinder.take() {
            self.take_over(&grinder, &places);
            self.grinder = Some((grinder, places));
        }
        let is_new =
            |mate: &&mut Mate| (mate.search.next, mate.search.best) != (mate.saved.next, mate.saved.best);
        let mut new: Vec<&mut Mate> = self.crew.iter_mut().filter(is_new).collect();
        if new.is_empty() {
            return Ok(());
        }
        farming.write(|tx| new.iter().try_for_each(|mate| nonces::save(tx, &mate.who.id, &mate.search)))?;
        for mate in &mut new {
            mate.saved = mate.search;
        }
        Ok(())
    }

    /// How far it is.
    pub fn reach(&self) -> Reach {
        let mut figures = self.grinder.as_ref().map_or(Figures::default(), |(grinder, _)| grinder.figures());
        figures.hashes = figures.hashes.saturating_add(self.before.hashes);
        figures.elapsed = figures.elapsed.saturating_add(self.before.elapsed);
        let worked = self.crew.iter().filter(|mate| mate.pail.worked()).count();
        Reach { figures, farmers: self.crew.len(), worked }
    }

    /// Whether nothing is left to be done for this block.
    pub fn is_over(&self, at: Moment) -> bool {
        let is_done = |mate: &Mate| {
            let hand = mate.hand();
            mate.given_up.is_some()
                || !policy::is_open(self.policy, &hand)
                || (at.time >= self.hours.deadline && hand.best.is_some() && !hand.improves())
        };
        self.until(at).is_none() || self.crew.iter().all(is_done)
    }

    /// Saves what was found and submits what is due at this moment of the farm; whoever is told `rolled` finds nothing
    /// submitted. Returns what came of each that was tried, for the last time or not.
    /// What fails for one farmer is in its line.
    pub async fn tick(
        &mut self,
        farming: &mut Farming<'_, '_>,
        permit: ValuePermit<'_>,
        (at, index): (Moment, u32),
    ) -> Result<Vec<Worked>> {
        if index != self.block {
            self.rolled = true;
            self.save(farming, true)?;
            return Ok(Vec::new());
        }
        // From the deadline on the cores are needed for the submission.
        self.save(farming, at.time >= self.hours.deadline)?;
        let mut all = Vec::new();
        for group in self.due(at).chunks(GROUP) {
            let Some(mut worked) = self.submit(farming, permit, group).await? else { break };
            all.append(&mut worked);
        }
        Ok(all)
    }

    /// The best that there is goes out from now on, and nothing is ground any more; who has no nonce at all gets one.
    pub fn hurry(&mut self, at: Moment) -> Result<()> {
        self.hours.deadline = self.hours.deadline.min(at.time);
        self.halt();
        self.start(at)
    }

    /// The last second in which work gets in, at this moment of the farm.
    pub fn until(&self, at: Moment) -> Option<u64> {
        (!self.rolled && at.time < self.hours.end).then_some(self.hours.end)
    }

    /// Whether there is a nonce that would change a pail, and time to submit it.
    pub fn has_to_send(&self, at: Moment) -> bool {
        let helps = |mate: &Mate| mate.given_up.is_none() && mate.hand().improves();
        self.until(at).is_some() && self.crew.iter().any(helps)
    }

    fn due(&self, at: Moment) -> Vec<usize> {
        let hands: Vec<PailProgress> = self.crew.iter().map(Mate::hand).collect();
        let hours = Hours { deadline: self.first(), ..self.hours };
        let mut due = policy::due(self.policy, &hours, at, &hands);
        let may = |mate: &Mate| mate.given_up.is_none() && mate.tried.is_none_or(|tried| tried < at.ledger);
        due.retain(|n| self.crew.get(*n).is_some_and(may));
        if self.submitters > 0 && at.time < self.hours.deadline {
            // What no grinding makes better goes first; the rest has time, as far as the submitters' turns say.
            due.sort_by_key(|n| hands.get(*n).is_none_or(|hand| !hand.has_enough()));
            due.truncate(self.submitters * fees::RUN);
        }
        due
    }

    /// Looks once more, and submits for these of the crew what is still due. `None` after a roll-over.
    async fn submit(
        &mut self,
        farming: &mut Farming<'_, '_>,
        permit: ValuePermit<'_>,
        group: &[usize],
    ) -> Result<Option<Vec<Worked>>> {
        let who: Vec<Who> = group.iter().filter_map(|n| Some(self.crew.get(*n)?.who.clone())).collect();
        let (view, mut worked) = self.look(farming, &who).await?;
        if self.rolled {
            return Ok(None);
        }
        let still = self.due(view.at);
        let places: Vec<usize> = group.iter().copied().filter(|n| still.contains(n)).collect();
        let bids: Vec<Bid> = places
            .iter()
            .filter_map(|n| {
                let mate = self.crew.get_mut(*n)?;
                mate.tried = Some(view.at.ledger);
                let solution = mate.search.best?;
                Some(Bid { who: mate.who.clone(), pail: mate.pail.clone(), solution })
            })
            .collect();
        if bids.is_empty() {
            return Ok(Some(worked));
        }
        // What goes out before the deadline is settled by then, so that the deadline's own is not held up; what submitters
        // send waits for a few ledgers only.
        let Hours { deadline, end, .. } = self.hours;
        let until = if view.at.time < deadline && self.submitters == 0 { deadline } else { end };
        let sent = send(farming, permit, self.block, &bids, until).await?;
        for (place, sent) in places.iter().zip(&sent) {
            if let Some(mate) = self.crew.get_mut(*place) {
                mate.note(sent);
            }
        }
        worked.extend(sent);
        let (_, elsewhere) = self.look(farming, &who).await?;
        worked.extend(elsewhere);
        Ok(Some(worked))
    }

    /// Reads the farm and these farmers' pails anew; returns whom another hand has worked for as well as we would.
    async fn look(&mut self, farming: &mut Farming<'_, '_>, who: &[Who]) -> Result<(View, Vec<Worked>)> {
        let ask = Ask { who, wallets: false, guess: Some(self.block) };
        let view = View::read(farming.site, &ask).await?;
        if view.farm.index != self.block {
            self.rolled = true;
            return Ok((view, Vec::new()));
        }
        let seen = pails::note(farming, &view)?;
        for standing in &view.farmers {
            let mate = self.crew.iter_mut().find(|mate| mate.who.id == standing.who.id);
            match (mate, &standing.pail) {
                (Some(mate), Some(pail)) => mate.pail = pail.entry.clone(),
                (Some(mate), None) => mate.given_up = Some(Reason::NotPlanted),
                (None, _) => {}
            }
        }
        let elsewhere = seen.into_iter().filter_map(|(who, zeros)| {
            let mate = self.crew.iter().find(|mate| mate.who.id == who.id)?;
            let (block, solution, outcome) = (self.block, mate.search.best, WorkOutcome::Elsewhere { zeros });
            let is_open = policy::is_open(self.policy, &mate.hand());
            (!is_open).then_some(Worked { who, block, solution, outcome })
        });
        let elsewhere = elsewhere.collect();
        Ok((view, elsewhere))
    }

    /// Ends it: saves where the search is, and, unless it goes on in a later run, tells and records who was missed.
    pub fn finish(&mut self, farming: &mut Farming<'_, '_>, at: Moment) -> Result<Vec<Worked>> {
        self.save(farming, true)?;
        if self.until(at).is_some() {
            return Ok(Vec::new());
        }
        let reason = if self.rolled { Reason::RolledOver } else { Reason::TooLate };
        let block = self.block;
        let cause = |mate: &Mate| match mate.search.best {
            Some(_) => mate.given_up.or(mate.hindered).unwrap_or(reason),
            None => Reason::NoNonce,
        };
        let mut missed: Vec<(&Mate, Reason)> =
            self.crew.iter().filter(|mate| !mate.pail.worked()).map(|mate| (mate, cause(mate))).collect();
        if !missed.is_empty() {
            missed = farming.write(|tx| {
                let mut still = Vec::new();
                for (mate, reason) in missed {
                    // Work that another run has recorded since is none that was missed.
                    let pail = rows::pail(tx.conn(), &mate.who.id, block)?;
                    if pail.is_none_or(|pail| pail.work.is_none()) {
                        miss(tx, mate, block, reason)?;
                        still.push((mate, reason));
                    }
                }
                Ok(still)
            })?;
        }
        let worked = missed.into_iter().map(|(mate, reason)| {
            let why =
                format!("farmer {}: no work got into block {block} in time ({reason})", mate.who.address);
            let error = Error::new(Code::WorkMissed, why).hint(
                say("its stake is forfeited; ")
                    .run("harvest")
                    .say(" records the loss and who is responsible"),
            );
            let outcome = WorkOutcome::Failed { reason, error };
            Worked { who: mate.who.clone(), block, solution: mate.search.best, outcome }
        });
        Ok(worked.collect())
    }
}

impl Mate {
    /// Takes note of what came of a submission.
    fn note(&mut self, worked: &Worked) {
        match (&worked.outcome, worked.solution) {
            (WorkOutcome::Worked { gap, .. }, Some(solution)) => {
                (self.pail.gap, self.pail.zeros) = (Some(*gap), Some(solution.zeros));
                self.own = Some(solution.zeros);
            }
            (WorkOutcome::Failed { reason, .. }, _) => {
                // One that waits for an earlier transaction is tried again in the next ledger.
                let is_final = matches!(
                    reason,
                    Reason::HashInvalid | Reason::NotPlanted | Reason::NoKey | Reason::NotBetter
                );
                // Where it was not the pooler's doing, that is the cause if no later try gets in.
                let hindered = Some(*reason).filter(|reason| reason.blame() == Blame::Operator);
                let kept = self.hindered.filter(|_| reason.is_lapse());
                self.hindered = Reason::cause(kept.into_iter().chain(hindered));
                // A pail that is better than ours is read right after this.
                self.given_up = is_final.then_some(*reason).filter(|reason| *reason != Reason::NotBetter);
            }
            _ => {}
        }
    }
}

/// The one with more zeros; the first where both have as many.
fn better(one: Option<Solution>, other: Option<Solution>) -> Option<Solution> {
    other.filter(|other| one.is_none_or(|one| other.zeros > one.zeros)).or(one)
}

fn miss(tx: &state::Tx<'_>, mate: &Mate, block: u32, reason: Reason) -> Result<()> {
    let facts = json!({ "farmer": mate.who.address, "block": block, "reason": reason.as_str() });
    if let Some(best) = mate.search.best {
        record_unsent(tx, &mate.who, block, &best, reason.as_str())?;
    }
    tx.event("work.missed", &mate.who.id, &facts).map(|_| ())
}
