//! Whether what an intent was decided from is in the state as it was then: asked in the write that plans it, since other runs
//! change farmers, terms and pails meanwhile.

use super::plan::{HarvestPlan, Plan, PlantPlan, WorkPlan};
use super::rows;
use crate::farmers::{self, Farmer};
use base::{Code, Error, Result};
use rusqlite::Connection;

/// What is said where it is not.
pub fn changed(what: impl std::fmt::Display) -> Error {
    Error::new(Code::StateChanged, format!("{what}, by another run meanwhile"))
        .hint("run it again: it is decided anew")
}

/// `state_changed` where the state does not have it any more.
pub fn holds(conn: &Connection, plan: &Plan) -> Result<()> {
    let served = |id: &str| -> Result<()> {
        let Farmer { status, address, .. } = farmers::by_id(conn, id)?;
        if status.is_served() { Ok(()) } else { Err(changed(format_args!("farmer {address} has departed"))) }
    };
    match plan {
        Plan::Plant(plan) => plants(conn, plan),
        Plan::Work(plan) => served(&plan.farmer).and_then(|()| improves(conn, plan)),
        Plan::Harvest(plan) => is_due(conn, plan),
        Plan::Extend(plan) => plan.pails.iter().try_for_each(|(farmer, block)| {
            rows::pail(conn, farmer, *block)?.map(drop).ok_or_else(|| ended(farmer, *block))
        }),
        Plan::Trust(plan) => served(&plan.farmer),
        Plan::Adopt(plan) => plan.farmers.iter().try_for_each(|plan| served(&plan.farmer)),
    }
}

fn ended(farmer: &str, block: u32) -> Error {
    changed(format_args!("the pail of {farmer} in block {block} was ended"))
}

fn plants(conn: &Connection, plan: &PlantPlan) -> Result<()> {
    let PlantPlan { farmer, address, block, .. } = plan;
    let status = farmers::by_id(conn, farmer)?.status;
    if !status.plants() {
        return Err(changed(format_args!("farmer {address} became {status}")));
    }
    match rows::pail(conn, farmer, *block)? {
        Some(_) => Err(changed(format_args!("farmer {address} was planted for in block {block}"))),
        None => Ok(()),
    }
}

fn improves(conn: &Connection, plan: &WorkPlan) -> Result<()> {
    let WorkPlan { farmer, address, block, zeros, .. } = plan;
    // One that is not recorded yet is on the chain all the same.
    let has = rows::pail(conn, farmer, *block)?.and_then(|pail| pail.work);
    match has {
        Some((_, has)) if has >= *zeros => {
            Err(changed(format_args!("farmer {address} got work of as many zeros in block {block}")))
        }
        _ => Ok(()),
    }
}

fn is_due(conn: &Connection, plan: &HarvestPlan) -> Result<()> {
    let HarvestPlan { farmer, address, block, .. } = plan;
    let pail = rows::pail(conn, farmer, *block)?.ok_or_else(|| ended(address, *block))?;
    if pail.held.is_some() || pail.stake != plan.stake.0 {
        return Err(changed(format_args!("the pail of {address} in block {block} was held or corrected")));
    }
    let hand = rows::hand(conn, farmer)?;
    let now = HarvestPlan::of(&hand, &pail, &plan.asset_contract);
    if (HarvestPlan { forecast: plan.forecast, ..now }) == *plan {
        return Ok(());
    }
    Err(changed(format_args!("the terms of farmer {address} were changed")))
}
