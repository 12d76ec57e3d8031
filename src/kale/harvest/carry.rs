//! Carrying a harvest out: what is sent, what is booked, and what became of the pails that are gone.

use super::{Due, Fate, Harvested, Prepared, of_held, plan, sight};
use crate::alert::{self, Subject};
use crate::amount::Base;
use crate::guard::ValuePermit;
use crate::kale::accounting::base;
use crate::kale::call::harvest_result;
use crate::kale::contract::Pail;
use crate::kale::elsewhere::Search;
use crate::kale::reason::{self, Reason, Said};
use crate::kale::record::{FarmRecorder, HELD};
use crate::kale::rows::{self, Trace};
use crate::kale::schedule::Step;
use crate::kale::site::Farming;
use crate::kale::view::View;
use crate::kale::{Fault, expiry, forecast, loss};
use crate::output::{Code, Error, Result};
use crate::stellar::submit::{Intent, Settled, Status, Submitted};
use serde_json::json;
use std::collections::BTreeMap;

/// Sends what was prepared, books every outcome, and returns one line per pail that is due.
///
/// # Errors
/// `state_error`, and those of [`crate::stellar::Client::view`] where pails are gone; a pail's own failure is in its line.
pub async fn carry_out(
    farming: &mut Farming<'_, '_>,
    prepared: Prepared,
    permit: ValuePermit<'_>,
) -> Result<Vec<Harvested>> {
    let Prepared { view, wanted, unworked, mut gone, refused, lives, worked, near } = prepared;
    let Some(view) = view else { return Ok(Vec::new()) };
    let mut ends = Vec::new();
    watch(farming, &lives, &worked, &near, &refused, view.at.ledger)?;
    for (due, reason, error) in refused {
        ends.push(due.end(Fate::Failed { reason, error }));
    }
    ends.extend(forfeit(farming, unworked)?);
    let intents: Vec<Intent> = wanted.iter().map(|(_, intent)| intent.clone()).collect();
    let results = farming.submit(permit, &intents).await?;
    for ((due, _), result) in wanted.into_iter().zip(results) {
        match fate(farming, &due, result)? {
            Some(fate) => ends.push(due.end(fate)),
            None => gone.push(due),
        }
    }
    ends.extend(settle_gone(farming, &view, gone).await?);
    tell(farming, &ends)?;
    ends.sort_by(|a, b| (a.block, &a.hand.who.id).cmp(&(b.block, &b.hand.who.id)));
    Ok(ends)
}

impl Due {
    fn end(self, fate: Fate) -> Harvested {
        Harvested {
            block: self.pail.block,
            stake: self.pail.stake,
            forecast: self.pail.forecast,
            hand: self.hand,
            fate,
        }
    }

    /// What a harvest would have paid, by the block's own figures and the recorded work.
    pub(super) fn computed(&self) -> Option<Base> {
        let (gap, zeros) = self.pail.work?;
        let pail = Pail {
            gap: Some(gap),
            zeros: Some(zeros),
            sequence: self.pail.planted_ledger,
            stake: i128::try_from(self.pail.stake).ok()?,
        };
        base(forecast::paid_now(self.pail.block, self.block.as_ref()?, &pail).ok()?).ok()
    }
}

/// How long the pails live, what work is in them, and the alerts on those that expire soon or contradict themselves.
fn watch(
    farming: &mut Farming<'_, '_>,
    lives: &[(String, u32, u32)],
    worked: &[(String, u32, u32, u32)],
    near: &BTreeMap<String, Vec<(u32, u32)>>,
    refused: &[(Due, Reason, Error)],
    ledger: u32,
) -> Result<()> {
    let permit = farming.work.permit;
    farming.work.state.write(permit, |tx| {
        for (farmer, block, until) in lives {
            rows::live_pail(tx, farmer, *block, *until)?;
        }
        // Whoever worked it: once the pail is gone, this tells what it was worth.
        for (farmer, block, gap, zeros) in worked {
            rows::work_pail(tx, farmer, *block, *gap, *zeros)?;
        }
        expiry::alert(tx, lives, near, ledger)?;
        for (due, reason, error) in refused.iter().filter(|(_, reason, _)| *reason == Reason::StakeDisagrees)
        {
            rows::hold_pail(tx, &due.pail.farmer, due.pail.block, reason.word())?;
            alert::edge(tx, Subject::Farm(&due.pail.farmer), HELD, Some(error.message()))?;
        }
        Ok(())
    })
}

/// Books the stakes of pails that were never worked.
fn forfeit(farming: &mut Farming<'_, '_>, unworked: Vec<(Due, Reason)>) -> Result<Vec<Harvested>> {
    if unworked.is_empty() {
        return Ok(Vec::new());
    }
    let (permit, network) = (farming.work.permit, farming.site.network());
    farming.work.state.write(permit, |tx| {
        unworked
            .into_iter()
            .map(|(due, cause)| {
                loss::book(tx, network, &due.hand, &due.pail, Reason::NotWorked, cause)?;
                Ok(due.end(Fate::Lost { reason: Reason::NotWorked, cause }))
            })
            .collect()
    })
}

/// How a transaction ended; `None` where the pail is gone.
fn fate(farming: &Farming<'_, '_>, due: &Due, result: Result<Submitted>) -> Result<Option<Fate>> {
    let settled = match result {
        Ok(Submitted::AlreadyDone { .. }) => return Ok(Some(Fate::Already)),
        Err(error) => {
            return Ok(Some(Fate::Failed { reason: Reason::of_error(error.code()), error }));
        }
        Ok(Submitted::Settled(settled)) => settled,
    };
    let farm = &farming.site.farm;
    if matches!(
        reason::said(farm, Step::Harvest, &settled),
        Some(Said::Farm(Fault::PailMissing | Fault::BlockMissing))
    ) {
        return Ok(None);
    }
    // It took effect, and the recorder could not book it: the mint is not what was due.
    let pail = rows::pail(farming.work.state.conn(), &due.pail.farmer, due.pail.block)?;
    if let Some(held) = pail.and_then(|pail| pail.held) {
        let (reason, error) = of_held(&held);
        return Ok(Some(Fate::Failed { reason, error }));
    }
    of_settled(farming, &settled).map(Some)
}

fn of_settled(farming: &Farming<'_, '_>, settled: &Settled) -> Result<Fate> {
    let farm = &farming.site.farm;
    Ok(match (settled.status, &settled.value, settled.ledger, &settled.hash) {
        (Status::Confirmed, Some(value), Some(ledger), Some(tx)) => Fate::Harvested {
            tx: tx.clone(),
            ledger: ledger.sequence,
            fee: settled.fee_charged,
            reward: base(harvest_result(value)?)?,
        },
        _ => Fate::Failed {
            reason: reason::of(farm, Step::Harvest, settled).unwrap_or(Reason::Other),
            error: reason::error(farm, Step::Harvest, settled),
        },
    })
}

/// Books the pails that are gone: as paid where the chain shows it, as lost where its history shows that nobody was. Where
/// it does not reach back far enough, they stay open.
async fn settle_gone(farming: &mut Farming<'_, '_>, view: &View, gone: Vec<Due>) -> Result<Vec<Harvested>> {
    if gone.is_empty() {
        return Ok(Vec::new());
    }
    let asset = view.asset_contract()?.clone();
    let found = sight::search(farming, &asset, &gone).await?;
    let recorder = FarmRecorder::of(farming.site);
    let (permit, network) = (farming.work.permit, farming.site.network());
    let margin = farming.settings.work_margin;
    farming.work.state.write(permit, |tx| {
        gone.into_iter()
            .zip(found)
            .map(|(due, search)| {
                let fate = match search {
                    Search::Found(paid) => {
                        let facts = json!({ "tx": paid.tx, "ledger": paid.ledger, "event": paid.event });
                        let trace = Trace { ledger: Some(paid.ledger), ..Trace::default() };
                        let plan = plan(&due, &asset.to_string());
                        recorder.credit(tx, &plan, "harvested_elsewhere", paid.reward, &trace, &facts)?;
                        rows::count_mint(tx, &paid.event, &due.pail.farmer, due.pail.block)?;
                        Fate::Elsewhere { tx: paid.tx, ledger: paid.ledger, reward: paid.reward }
                    }
                    Search::Short(minted) => {
                        let error = sight::short(&due, minted);
                        let (reason, farmer) = (Reason::MintDisagrees, &due.pail.farmer);
                        rows::hold_pail(tx, farmer, due.pail.block, reason.word())?;
                        alert::edge(tx, Subject::Farm(farmer), HELD, Some(error.message()))?;
                        Fate::Failed { reason, error }
                    }
                    Search::Forgotten(oldest) => {
                        Fate::Failed { reason: Reason::OutOfSight, error: sight::forgotten(&due, oldest) }
                    }
                    Search::Nothing => {
                        let (reason, cause) = why_gone(tx.conn(), &due, view.at.ledger, margin)?;
                        loss::book(tx, network, &due.hand, &due.pail, reason, cause)?;
                        Fate::Lost { reason, cause }
                    }
                };
                Ok(due.end(fate))
            })
            .collect()
    })
}

/// What a pail that is gone without pay was lost by.
pub(super) fn why_gone(
    conn: &rusqlite::Connection,
    due: &Due,
    ledger: u32,
    margin: u64,
) -> Result<(Reason, Reason)> {
    if due.pail.work.is_none() {
        return Ok((Reason::NotWorked, loss::why_not_worked(conn, &due.pail, due.pail.due, margin)?));
    }
    let expired = due.block.is_none() || due.pail.live_until.is_some_and(|until| until < ledger);
    let reason = if expired { Reason::PailExpired } else { Reason::PailGone };
    Ok((reason, reason))
}

/// Records why pails were not harvested, where no transaction of theirs tells: each reason once per pail. Opens and closes
/// the alerts on those that are out of sight.
fn tell(farming: &mut Farming<'_, '_>, ends: &[Harvested]) -> Result<()> {
    let failed: Vec<(&Harvested, Reason, &Error)> = ends
        .iter()
        .filter_map(|end| match &end.fate {
            Fate::Failed { reason, error } if error.code() != Code::OutcomeUnknown => {
                Some((end, *reason, error))
            }
            _ => None,
        })
        .collect();
    let hidden = sight::hidden(farming.work.state.conn(), ends)?;
    if failed.is_empty() && hidden.is_empty() {
        return Ok(());
    }
    let permit = farming.work.permit;
    farming.work.state.write(permit, |tx| {
        for (farmer, why) in hidden {
            alert::edge(tx, Subject::Farm(farmer), sight::OUT_OF_SIGHT, why.as_deref())?;
        }
        for (end, reason, error) in failed {
            let row = rows::HarvestRow {
                farmer: &end.hand.who.id,
                block: end.block,
                outcome: "failed",
                stake: end.stake,
                reward: Base::ZERO,
                forecast: end.forecast,
            };
            let trace = Trace { reason: Some(reason.word()), ..Trace::default() };
            if rows::harvest(tx, &row, &trace)? {
                let facts = json!({
                    "farmer": end.hand.who.address, "block": end.block, "reason": reason.word(),
                    "why": error.message(),
                });
                tx.event("harvest.failed", &end.hand.who.id, &facts)?;
            }
        }
        Ok(())
    })
}
