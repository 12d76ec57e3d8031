//! The command `work`: one shift, from now to its end.

use super::leave::{AtStake, at_stake, in_time, leave};
use super::patience::{Patience, pause};
use super::policy::{Orders, needs_work};
use super::send::{Bid, intent};
use super::shift::Shift;
use super::{Worked, grinder, nonces, pails};
use crate::chain::Who;
use crate::chain::view::{Ask, View};
use crate::contract::Pail;
use crate::contract::model::Moment;
use crate::farming::{Farming, Missed, TargetBlock, is_of_state};
use crate::record::rows;
use crate::strategy::Strategy;
use base::amount::Base;
use base::{Code, Error, Result};
use grind::Solution;
use state::ValuePermit;
use std::time::{Duration, Instant};
use stellar::submit::Rehearsal;

/// What a run of `work` came to.
#[derive(Debug)]
pub struct WorkReport {
    /// The farm as it was looked at first.
    pub view: View,
    /// When the best was to be submitted, in seconds of ledger time; `None` where there was nothing to do.
    pub deadline: Option<u64>,
    /// What came of each farmer's work, the tries in order.
    pub worked: Vec<Worked>,
    /// Nonces tried.
    pub hashes: u64,
    /// Time that all threads hashed.
    pub hashing: Duration,
    /// Time from the first to the last nonce's end, pauses included.
    pub took: Duration,
    /// Whether the operator stopped it before its end.
    pub stopped: bool,
    /// What was left planted and not worked then.
    pub at_stake: Option<AtStake>,
    /// How many stakes will be lost, as runs have seen, and what they come to.
    pub all_missed: (usize, Base),
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// Grinds for the pails of the current block until the deadline, and submits as the policy says.
/// What fails for one farmer is in its line. The stakes that will be lost, which this run sees first, are in `missed`, also where
/// it ends by an error.
pub async fn run(
    farming: &mut Farming<'_, '_>,
    permit: ValuePermit<'_>,
    orders: &Orders,
    farmers: &[Who],
    missed: &mut Vec<Missed>,
) -> Result<WorkReport> {
    let view = farming.look(farmers, false).await?;
    pails::note(farming, &view)?;
    let seed = farming.work.state.run().clock.now().unsigned_abs();
    let (kernel, warnings) = grinder::kernel(seed);
    let begun = Instant::now();
    let mut report = WorkReport {
        view,
        deadline: None,
        worked: Vec::new(),
        hashes: 0,
        hashing: Duration::ZERO,
        took: Duration::ZERO,
        stopped: false,
        at_stake: None,
        all_missed: (0, Base::ZERO),
        warnings,
    };
    let first = (report.view.at, report.view.farm.index);
    missed.extend(farming.note_missed((first.1, report.view.work_until())).await?);
    report.warnings.extend(consult(farming, &report.view, orders).await?.map(|e| e.to_string()));
    if let Some(mut shift) = Shift::begin(farming, &report.view, orders, kernel)? {
        report.deadline = Some(shift.hours.deadline);
        let last = watch(farming, permit, (&mut shift, orders), first, &mut report).await?;
        missed.extend(farming.note_missed((shift.block, shift.until(last))).await?);
        let reach = shift.reach();
        (report.hashes, report.hashing) = (reach.figures.hashes, reach.figures.elapsed);
        report.took = begun.elapsed();
    }
    report.all_missed = farming.all_missed()?;
    Ok(report)
}

/// A pail that would be worked.
#[derive(Debug)]
pub struct Wanted {
    /// Whose.
    pub who: Who,
    /// The pail.
    pub pail: Pail,
    /// The best nonce at hand.
    pub solution: Option<Solution>,
    /// How it would go now, where there is a nonce that helps.
    pub rehearsal: Option<Result<Rehearsal>>,
}

/// Asks the strategy's command before the work of a block begins, where that leaves time for the work. Returns why the stored
/// terms stand, once for each block.
pub async fn consult(farming: &mut Farming<'_, '_>, view: &View, orders: &Orders) -> Result<Option<Error>> {
    let Some(command) = &farming.settings.command else { return Ok(None) };
    let (Some(entry), Some(due)) = (view.current().cloned(), view.due()) else { return Ok(None) };
    let (index, now) = (view.farm.index, view.at.time);
    let most = Strategy::default().enough(&entry);
    let is_open = |pail: &Pail| pail.zeros.is_none_or(|zeros| zeros < most);
    if !view.farmers.iter().filter_map(|standing| standing.pail.as_ref()).any(|pail| is_open(&pail.entry)) {
        return Ok(None);
    }
    let left = orders.deadline_of(due, &farming.settings).saturating_sub(now);
    if left <= command.timeout.as_secs() && farming.heard_of(index).is_none() {
        let why = format!("strategy.command: no time is left to ask it before the deadline of block {index}");
        return Ok(Some(stored(Error::new(Code::StrategyFailed, why))));
    }
    match farming.consult(&TargetBlock { index, entry, due }, now).await {
        Ok(asked) => Ok(farming.unanswered(index).filter(|_| asked).cloned().map(stored)),
        Err(e) if e.code().is_transient() => Ok(Some(stored(e))),
        Err(e) => Err(e),
    }
}

fn stored(e: Error) -> Error {
    e.context("pails are worked by the stored terms")
}

/// What [`run`] would do: the pails that need work, and how the nonces at hand would fare now. Nothing is ground.
pub async fn rehearse(
    farming: &Farming<'_, '_>,
    orders: &Orders,
    farmers: &[Who],
) -> Result<(View, Option<u64>, Vec<Wanted>)> {
    let view = farming.look(farmers, false).await?;
    let (Some(block), Some(due), Some(end)) = (view.current().cloned(), view.due(), view.work_until()) else {
        return Ok((view, None, Vec::new()));
    };
    let (index, settings) = (view.farm.index, &farming.settings);
    let (strategies, own) = (farming.strategies(index)?, rows::own_works(farming.work.state.conn(), index)?);
    let mut wanted = Vec::new();
    for standing in &view.farmers {
        let (who, Some(pail)) = (&standing.who, &standing.pail) else { continue };
        let job = block.job(index, &who.contract_address());
        let enough = strategies.of(&who.id).enough(&block);
        let needs = needs_work(orders.policy, pail.entry.zeros, own.get(&who.id).copied(), enough);
        if let Some(job) = job.filter(|_| needs) {
            let stored = nonces::load(farming.work.state.conn(), &who.id, &job)?;
            let solution = stored.and_then(|(_, best)| best);
            wanted.push(Wanted { who: who.clone(), pail: pail.entry.clone(), solution, rehearsal: None });
        }
    }
    let is_better = |one: &Wanted, best: &Solution| one.pail.zeros.is_none_or(|has| best.zeros > has);
    let (mut better, mut intents) = (Vec::new(), Vec::new());
    for one in &mut wanted {
        if let Some(solution) = one.solution.filter(|best| is_better(one, best)) {
            let bid = Bid { who: one.who.clone(), pail: one.pail.clone(), solution };
            intents.push(intent(farming.site, index, &bid, end)?);
            better.push(one);
        }
    }
    for (one, rehearsal) in better.into_iter().zip(farming.rehearse(&intents).await?) {
        one.rehearsal = Some(rehearsal);
    }
    Ok((view, Some(orders.deadline_of(due, settings)), wanted))
}

/// Ticks until the shift is over or the operator wants to stop; the moment then.
async fn watch(
    farming: &mut Farming<'_, '_>,
    permit: ValuePermit<'_>,
    (shift, orders): (&mut Shift, &Orders),
    first: (Moment, u32),
    report: &mut WorkReport,
) -> Result<Moment> {
    let (mut moment, mut patience) = (first, Patience::default());
    begin_bar(farming, shift, moment.0);
    let ended: Result<()> = async {
        loop {
            match farming.renew() {
                Err(e) if is_of_state(e.code()) => return Err(e),
                Err(e) => report.warnings.push(e.to_string()),
                Ok(_) => {}
            }
            shift.renew(farming, orders, moment.0)?;
            let ticked = shift.tick(farming, permit, moment).await;
            report.worked.extend(patience.bear(ticked)?.unwrap_or_default());
            if shift.is_over(moment.0) {
                return Ok(());
            }
            if farming.work.stop.wanted() {
                return stopped(farming, permit, (&mut *shift, orders), moment.0, report).await;
            }
            pause(farming.work.stop, farming.submit_options.pace.after(patience.still())).await;
            let ask = Ask { guess: Some(shift.block), ..Ask::default() };
            if let Some(view) = patience.bear(View::read(farming.site, &ask).await)? {
                patience.see(view.at, Some(shift.hours.end))?;
                advance_bar(farming, shift, moment.0, view.at);
                moment = (view.at, view.farm.index);
            }
        }
    }
    .await;
    farming.work.progress.end();
    report.worked.extend(shift.finish(farming, moment.0)?);
    ended?;
    Ok(moment.0)
}

/// Says what is at stake, and submits what was found, unless that is to be left.
async fn stopped(
    farming: &mut Farming<'_, '_>,
    permit: ValuePermit<'_>,
    (shift, orders): (&mut Shift, &Orders),
    at: Moment,
    report: &mut WorkReport,
) -> Result<()> {
    report.stopped = true;
    let look = |farming: &Farming<'_, '_>, shift: &Shift| {
        at_stake(farming, shift.block, shift.until(at), |farmer| shift.has(farmer))
    };
    let Some(stake) = look(farming, shift)? else { return Ok(()) };
    tracing::warn!("{}", stake.stopping(!orders.abandon));
    if !orders.abandon {
        in_time(leave(farming, permit, shift, at, &mut report.worked)).await?;
    }
    report.at_stake = look(farming, shift)?;
    Ok(())
}

/// A bar from now to the deadline, in seconds of ledger time.
pub fn begin_bar(farming: &Farming<'_, '_>, shift: &Shift, at: Moment) {
    let left = shift.hours.deadline.saturating_sub(at.time);
    farming.work.progress.begin(&format!("grinding for block {}", shift.block), Some(left));
}

/// Moves it, with a word on how it stands.
pub fn advance_bar(farming: &Farming<'_, '_>, shift: &Shift, before: Moment, now: Moment) {
    let progress = farming.work.progress;
    progress.advance(now.time.saturating_sub(before.time));
    let reach = shift.reach();
    let millis = reach.figures.elapsed.as_millis().max(1);
    let rate = u128::from(reach.figures.hashes) / 1000 / millis;
    progress.note(&format!(
        "{rate} MH/s, {} of {} farmers at their cap, fewest zeros {}",
        reach.figures.done, reach.farmers, reach.figures.lowest
    ));
}

/// Whose work failed, by address.
pub fn failures(worked: &[Worked]) -> Vec<(String, Error)> {
    // The last word on each farmer counts: a try that failed may have been made good.
    let mut last: Vec<&Worked> = Vec::new();
    for one in worked {
        last.retain(|other| other.who.id != one.who.id);
        last.push(one);
    }
    last.into_iter().filter_map(|one| Some((one.who.address.clone(), one.failure()?.clone()))).collect()
}
