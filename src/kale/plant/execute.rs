//! Carrying a plant out: what is sent, what is found on chain already, and what is recorded of it.

use super::prepare::{PlantOutcome, Planted, PreparedPlant};
use crate::chain::Who;
use crate::chain::view::{Ask, Living, Standing, View};
use crate::contract::fault::Fault;
use crate::contract::{Pail, base};
use crate::farming::{self, Farming};
use crate::record;
use crate::record::reason::{self, Reason, Said};
use crate::record::rows::{self, OpenPail, Trace};
use crate::schedule::Step;
use base::amount::Base;
use base::{Code, Error, Result};
use rusqlite::Connection;
use serde_json::json;
use state::ValuePermit;
use stellar::submit::{Intent, Submitted};

/// Sends what was prepared, records every outcome, and returns one line per farmer.
/// A farmer's own failure is in its line.
pub async fn execute(
    farming: &mut Farming<'_, '_>,
    prepared: PreparedPlant,
    permit: ValuePermit<'_>,
) -> Result<Vec<Planted>> {
    let PreparedPlant { view, index, wanted, mut settled, mut found, sponsor, lacks, stakes, .. } = prepared;
    farming::note(farming, sponsor.as_ref(), &lacks)?;
    farming::code::watch(farming, &view)?;
    let intents: Vec<Intent> = wanted.iter().map(|(_, _, intent)| intent.clone()).collect();
    let still = |conn: &Connection, intent: &Intent| stakes.hold(conn, intent);
    let results = farming.submit_while(permit, &intents, &still).await?;
    let mut exists: Vec<Who> = Vec::new();
    for ((who, stake, _), result) in wanted.into_iter().zip(results) {
        match outcome(farming, result) {
            Some(outcome) => settled.push(Planted { who, stake, outcome }),
            None => exists.push(who),
        }
    }
    // Planted by another hand while we were at it: the pail says what is at stake.
    let mut due = view.farm.due();
    if !exists.is_empty() {
        let guess = Some(index);
        let again = View::read(farming.site, &Ask { who: &exists, wallets: false, guess }).await?;
        due = again.farm.due();
        for Standing { who, pail, .. } in again.farmers {
            if let Some(pail) = pail.filter(|_| again.farm.index == index) {
                found.push((who, pail));
                continue;
            }
            let why = format!("farmer {} has a pail in a block that has ended", who.address);
            let error = Error::new(Code::TransactionFailed, why);
            let outcome = PlantOutcome::Failed { reason: Reason::RolledOver, error };
            settled.push(Planted { who, stake: Base::ZERO, outcome });
        }
    }
    let adopted = adopt(farming, index, due.unwrap_or(view.at.time), &found)?;
    settled.extend(adopted);
    tell(farming, index, &settled)?;
    Ok(settled)
}

/// How a transaction ended; `None` where the farmer has a pail already.
fn outcome(farming: &Farming<'_, '_>, result: Result<Submitted>) -> Option<PlantOutcome> {
    let settled = match result {
        Ok(Submitted::AlreadyDone { .. }) => return Some(PlantOutcome::Already),
        Ok(Submitted::Settled(settled)) => settled,
        Err(error) => return Some(PlantOutcome::Failed { reason: Reason::of_error(error.code()), error }),
    };
    let farm = &farming.site.farm;
    if reason::said(farm, Step::Plant, &settled) == Some(Said::Farm(Fault::PailExists)) {
        return None;
    }
    if let Some((tx, ledger, fee)) = reason::landed(&settled) {
        let payer = settled.payer.as_ref().map(ToString::to_string);
        return Some(PlantOutcome::Planted { tx, ledger, fee, payer });
    }
    let (reason, error) = reason::why(farm, Step::Plant, &settled);
    Some(PlantOutcome::Failed { reason, error })
}

/// Records pails that are on chain already.
fn adopt(
    farming: &mut Farming<'_, '_>,
    index: u32,
    due: u64,
    found: &[(Who, Living<Pail>)],
) -> Result<Vec<Planted>> {
    if found.is_empty() {
        return Ok(Vec::new());
    }
    farming.write(|tx| {
        found
            .iter()
            .map(|(who, Living { entry: pail, live_until })| {
                let stake = base(pail.stake)?;
                let open = OpenPail {
                    block: index,
                    farmer: who.id.clone(),
                    stake,
                    planted_ledger: pail.sequence,
                    due,
                    work: pail.gap.zip(pail.zeros),
                    live_until: *live_until,
                    ..OpenPail::default()
                };
                record::found(tx, who, &open)?;
                Ok(Planted { who: who.clone(), stake, outcome: PlantOutcome::Already })
            })
            .collect()
    })
}

/// Records why farmers could not plant, where no transaction of theirs tells: each reason once per block.
fn tell(farming: &mut Farming<'_, '_>, index: u32, settled: &[Planted]) -> Result<()> {
    let failed: Vec<(&Planted, Reason, &Error)> = settled
        .iter()
        .filter_map(|planted| match &planted.outcome {
            // What is not known yet, or was changed under it, is no failure of a plant.
            PlantOutcome::Failed { reason, error }
                if !matches!(error.code(), Code::OutcomeUnknown | Code::StateChanged) =>
            {
                Some((planted, *reason, error))
            }
            _ => None,
        })
        .collect();
    if failed.is_empty() {
        return Ok(());
    }
    farming.write(|tx| {
        for (planted, reason, error) in failed {
            let trace = Trace { reason: Some(reason.as_str()), ..Trace::default() };
            if rows::planting(tx, &planted.who.id, index, "failed", planted.stake, &trace)? {
                let facts = json!({
                    "farmer": planted.who.address, "block": index, "reason": reason.as_str(),
                    "why": error.message(),
                });
                tx.event("plant.failed", &planted.who.id, &facts)?;
            }
        }
        Ok(())
    })
}
