//! Carrying a harvest out: what is sent, what is booked, and what became of the pails that are gone.

use super::doubt;
use super::due::{Due, HarvestOutcome, Harvested, Suspect, of_held};
use super::elsewhere::Search;
use super::expiry;
use super::prepare::{PreparedHarvest, prepare_for};
use super::sight;
use crate::chain::view::View;
use crate::contract::events;
use crate::contract::fault::Fault;
use crate::farming::{Farming, Wait, code};
use crate::record::plan::HarvestPlan;
use crate::record::reason::{self, Reason, Said};
use crate::record::rows::{self, FarmerRow, OpenPail, Trace};
use crate::record::{self, FarmRecorder, loss, reward_of, still};
use crate::schedule::Step;
use base::amount::Base;
use base::{Code, Error, Result};
use serde_json::json;
use state::ValuePermit;
use state::alert::{self, Subject};
use stellar::submit::{Intent, Submitted};
use stellar::xdr::ContractId;

/// Ledgers that a harvest of a pail that expires soon waits for a submitter.
const SOON: u64 = 4;

/// Sends what was prepared, books every outcome, and returns one line per pail that is due.
/// A pail's own failure is in its line.
pub async fn execute(
    farming: &mut Farming<'_, '_>,
    prepared: PreparedHarvest,
    permit: ValuePermit<'_>,
) -> Result<Vec<Harvested>> {
    let ledger = prepared.view.as_ref().map_or(0, |view| view.at.ledger);
    let alarm = prepared.pace.ledgers_in(farming.settings.harvest_alarm);
    let (mut ends, otherwise) = once(farming, prepared, permit).await?;
    if !otherwise.is_empty() {
        let hands: Vec<FarmerRow> = otherwise.iter().map(|due| due.hand.clone()).collect();
        let pails: Vec<OpenPail> = otherwise.into_iter().map(|due| due.pail).collect();
        let again = prepare_for(farming, &hands, &pails, &[]).await?;
        let (more, still) = once(farming, again, permit).await?;
        ends.extend(more);
        ends.extend(still.into_iter().map(|due| {
            let error = sight::contradicted();
            due.end(HarvestOutcome::Failed { reason: Reason::Missing, error })
        }));
    }
    tell(farming, &ends, ledger, alarm)?;
    ends.sort_by(|a, b| (a.block, &a.hand.who.id).cmp(&(b.block, &b.hand.who.id)));
    Ok(ends)
}

/// One line per pail, and the pails to look at once more: those that another endpoint shows otherwise, and those that were
/// booked as lost and are open again.
async fn once(
    farming: &mut Farming<'_, '_>,
    prepared: PreparedHarvest,
    permit: ValuePermit<'_>,
) -> Result<(Vec<Harvested>, Vec<Due>)> {
    let PreparedHarvest { view, wanted, unworked, mut gone, refused, lives, worked, near, back, .. } =
        prepared;
    let Some(view) = view else { return Ok((Vec::new(), Vec::new())) };
    let mut ends = Vec::new();
    code::watch(farming, &view)?;
    watch(farming, &lives, &worked, &refused, &unworked)?;
    if !back.is_empty() {
        let network = farming.site.network();
        // They were booked as lost, and are there after all.
        farming.write(|tx| {
            back.iter().try_for_each(|due| loss::take_back(tx, network, &due.hand, &due.pail).map(drop))
        })?;
    }
    ends.extend(
        refused.into_iter().map(|(due, reason, error)| due.end(HarvestOutcome::Failed { reason, error })),
    );
    // A pail that expires soon does not wait for its turn at the submitters.
    let (soon, later): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|(due, _)| due.is_near(&near));
    for (wanted, wait) in [(soon, Wait::Ledgers(SOON)), (later, Wait::Turn)] {
        let intents: Vec<Intent> = wanted.iter().map(|(_, intent)| intent.clone()).collect();
        let results = farming.submit_within(permit, &intents, wait, farming.work.stop).await?;
        for ((due, _), result) in wanted.into_iter().zip(results) {
            match outcome(farming, &due, view.asset_contract()?, result)? {
                Some(outcome) => ends.push(due.end(outcome)),
                None => gone.push(due),
            }
        }
    }
    let (paid, unpaid) = settle_gone(farming, &view, gone).await?;
    ends.extend(paid);
    let unworked = unworked.into_iter().map(|(due, cause)| (due, Reason::NotWorked, cause));
    let suspects: Vec<Suspect> = unworked.chain(unpaid).collect();
    let mut again = back;
    if !suspects.is_empty() {
        let (settled, otherwise) = doubt::settle(farming, &view, view.asset_contract()?, suspects).await?;
        ends.extend(settled);
        again.extend(otherwise);
    }
    Ok((ends, again))
}

/// How long the pails live, what work is in them, and the alerts on those that contradict themselves.
fn watch(
    farming: &mut Farming<'_, '_>,
    lives: &[(String, u32, u32)],
    worked: &[(String, u32, u32, u32)],
    refused: &[(Due, Reason, Error)],
    unworked: &[(Due, Reason)],
) -> Result<()> {
    farming.write(|tx| {
        for (due, _) in unworked {
            loss::miss(tx, &due.pail.farmer, due.pail.block)?;
        }
        for (farmer, block, until) in lives {
            rows::live_pail(tx, farmer, *block, *until)?;
        }
        // Whoever worked it: once the pail is gone, this tells what it was worth.
        for (farmer, block, gap, zeros) in worked {
            loss::worked(tx, farmer, *block, *gap, *zeros)?;
            // A look that shows it takes back what an earlier one made doubtful.
            rows::undoubt(tx, farmer, *block)?;
        }
        for (due, reason, error) in refused.iter().filter(|(_, reason, _)| *reason == Reason::StakeDisagrees)
        {
            record::hold(tx, &due.pail.farmer, due.pail.block, *reason, error.message())?;
        }
        Ok(())
    })
}

/// How a transaction ended; `None` where the pail is gone.
fn outcome(
    farming: &Farming<'_, '_>,
    due: &Due,
    asset: &ContractId,
    result: Result<Submitted>,
) -> Result<Option<HarvestOutcome>> {
    let settled = match result {
        Ok(Submitted::AlreadyDone { .. }) => return Ok(Some(HarvestOutcome::Already)),
        Ok(Submitted::Settled(settled)) => settled,
        Err(error) => {
            return Ok(Some(HarvestOutcome::Failed { reason: Reason::of_error(error.code()), error }));
        }
    };
    let farm = &farming.site.farm;
    let said = reason::said(farm, Step::Harvest, &settled);
    if matches!(said, Some(Said::Farm(Fault::PailMissing | Fault::BlockMissing))) {
        return Ok(None);
    }
    // It took effect, and the recorder could not book it: the mint is not what was due.
    let pail = rows::pail(farming.work.state.conn(), &due.pail.farmer, due.pail.block)?;
    if let Some(held) = pail.and_then(|pail| pail.held) {
        let (reason, error) = of_held(&held);
        return Ok(Some(HarvestOutcome::Failed { reason, error }));
    }
    let Some((tx, ledger, fee)) = reason::landed(&settled) else {
        let (reason, error) = reason::why(farm, Step::Harvest, &settled);
        return Ok(Some(HarvestOutcome::Failed { reason, error }));
    };
    let sender = settled.sender.as_ref().map(ToString::to_string);
    let minted = events::minted(&settled.effect.events, asset, &due.hand.who.account)?.unwrap_or_default();
    let reward = reward_of(&settled, minted, due.pail.stake)?;
    Ok(Some(HarvestOutcome::Harvested { tx, ledger, fee, sender, reward }))
}

/// Books the pails that are gone as paid where the chain shows it. Where its history shows that nobody was, they are
/// suspects; where it does not reach back far enough, they stay open.
async fn settle_gone(
    farming: &mut Farming<'_, '_>,
    view: &View,
    gone: Vec<Due>,
) -> Result<(Vec<Harvested>, Vec<Suspect>)> {
    let (mut ends, mut suspects) = (Vec::new(), Vec::new());
    if gone.is_empty() {
        return Ok((ends, suspects));
    }
    let asset = view.asset_contract()?.clone();
    let found = sight::search(farming, &asset, &gone).await?;
    let recorder = FarmRecorder::of(farming.site);
    let margin = farming.settings.work_margin;
    farming.write(|tx| {
        for (mut due, search) in gone.into_iter().zip(found) {
            let (farmer, block) = (due.pail.farmer.clone(), due.pail.block);
            if rows::pail(tx.conn(), &farmer, block)?.is_none() {
                // Another run has booked its end.
                ends.push(due.end(HarvestOutcome::Already));
                continue;
            }
            let outcome = match search {
                Search::Found(paid) if rows::is_counted(tx.conn(), &paid.event)? => {
                    let error =
                        still::changed(format_args!("the mint of {} was booked for another pail", paid.tx));
                    HarvestOutcome::Failed { reason: Reason::Other, error }
                }
                Search::Found(paid) => {
                    // It is shared out by the terms of now.
                    due.hand = rows::hand(tx.conn(), &farmer)?;
                    let facts = json!({ "tx": paid.tx, "ledger": paid.ledger, "event": paid.event });
                    let trace = Trace { ledger: Some(paid.ledger), ..Trace::default() };
                    let plan = HarvestPlan::of(&due.hand, &due.pail, &asset.to_string());
                    if recorder.credit(tx, &plan, "harvested_elsewhere", paid.reward, &trace, &facts)? {
                        rows::count_mint(tx, &paid.event, &farmer, block)?;
                    }
                    HarvestOutcome::Elsewhere { tx: paid.tx, ledger: paid.ledger, reward: paid.reward }
                }
                Search::Short(minted) => {
                    let (error, reason) = (sight::short(&due, minted), Reason::MintDisagrees);
                    record::hold(tx, &farmer, block, reason, error.message())?;
                    HarvestOutcome::Failed { reason, error }
                }
                Search::Forgotten(oldest) => HarvestOutcome::Failed {
                    reason: Reason::OutOfSight,
                    error: sight::forgotten(&due, oldest),
                },
                Search::Nothing => {
                    suspects.push(doubt::gone(tx.conn(), due, view.at.ledger, margin)?);
                    continue;
                }
            };
            ends.push(due.end(outcome));
        }
        Ok(())
    })?;
    Ok((ends, suspects))
}

/// Records why pails were not harvested, where no transaction of theirs tells: each reason once per pail. Opens and closes
/// the alerts on those that are out of sight.
fn tell(farming: &mut Farming<'_, '_>, ends: &[Harvested], ledger: u32, alarm: u32) -> Result<()> {
    let failed: Vec<(&Harvested, &Reason, &Error)> = ends
        .iter()
        .filter_map(|end| match &end.outcome {
            HarvestOutcome::Failed { reason, error } => Some((end, reason, error)),
            _ => None,
        })
        // What is not known yet, or was changed under it, is no failure of a pail.
        .filter(|(.., error)| !matches!(error.code(), Code::OutcomeUnknown | Code::StateChanged))
        .collect();
    let conn = farming.work.state.conn();
    let scope = farming.scope.clone();
    let expiring = expiry::is_concerned(conn, &scope, ledger, alarm)?;
    if failed.is_empty() && sight::hidden(conn, ends)?.is_empty() && !expiring {
        return Ok(());
    }
    farming.write(|tx| {
        expiry::alert(tx, &scope, ledger, alarm)?;
        for (farmer, kind, why) in sight::hidden(tx.conn(), ends)? {
            alert::edge(tx, Subject::Farm(farmer), kind, why.as_deref())?;
        }
        for (end, reason, error) in failed {
            let Harvested { hand, block, stake, forecast, .. } = end;
            let (farmer, reward) = (hand.who.id.as_str(), Base::ZERO);
            let (block, stake, forecast) = (*block, *stake, *forecast);
            if rows::pail(tx.conn(), farmer, block)?.is_none() {
                // Another run has booked its end.
                continue;
            }
            let row = rows::HarvestRow { farmer, block, outcome: "failed", stake, reward, forecast };
            // When it was looked at is what a second look counts from.
            let trace = Trace { reason: Some(reason.as_str()), ledger: Some(ledger), operation: None };
            if rows::harvest(tx, &row, &trace)? {
                let facts = json!({
                    "farmer": end.hand.who.address, "block": end.block, "reason": reason.as_str(),
                    "why": error.message(),
                });
                tx.event("harvest.failed", &end.hand.who.id, &facts)?;
            }
        }
        Ok(())
    })
}
