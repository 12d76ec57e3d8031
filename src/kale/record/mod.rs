//! What follows from an operation that ended: rows, ledger, audit event, in the write that ends it.
//!
//! It works from the stored plan and the chain's answer alone, because a run that was killed is recorded by the next one.
//! Recorded twice, nothing is booked twice: the rows' own uniqueness says what is new.

pub mod accounting;
pub mod loss;
pub mod plan;
pub mod profit;
pub mod reason;
pub mod rows;
pub mod still;

use self::plan::{ExtendPlan, HarvestPlan, Plan, PlantPlan, TrustPlan, WorkPlan};
use self::reason::{Reason, Said};
use self::rows::{HarvestRow, OpenPail, Tally, Trace, WorkRow};
use crate::alerts::{EXPIRING, HELD, LOST, NOT_READY, SPONSOR_LOW};
use crate::chain::Who;
use crate::chain::site::Site;
use crate::contract::call::{harvest_result, work_result};
use crate::contract::fault::Fault;
use crate::contract::{base, events};
use crate::farmers::reward_split::RewardSplit;
use crate::farmers::{self, status::Status as Life};
use crate::schedule::Step;
use base::amount::Base;
use base::{Code, Error, Result};
use outbox::{Operation, Recorder, Status};
use rusqlite::Connection;
use serde_json::{Value, json};
use state::Tx;
use state::alert::{self, Subject};
use stellar::submit::{Intent, Settled, Stellar};
use stellar::xdr::{ContractId, ScVal};
use stellar::{account, contract};

/// Records the farm's operations; others are left to themselves.
#[derive(Debug, Clone)]
pub struct FarmRecorder {
    network: &'static str,
    farm: ContractId,
}

impl FarmRecorder {
    /// For the operations of this farm.
    pub fn of(site: &Site) -> Self {
        Self { network: site.network(), farm: site.farm.clone() }
    }
}

impl Recorder<Stellar> for FarmRecorder {
    fn record(&self, tx: &Tx<'_>, operation: &Operation, settled: &Settled) -> Result<()> {
        match Plan::of(operation)? {
            Some(Plan::Plant(plan)) => self.plant(tx, operation.id, &plan, &of(settled, &plan.address)?),
            Some(Plan::Work(plan)) => self.work(tx, operation.id, &plan, &of(settled, &plan.address)?),
            Some(Plan::Harvest(plan)) => self.harvest(tx, operation.id, &plan, &of(settled, &plan.address)?),
            Some(Plan::Extend(plan)) => extend(tx, &plan, settled),
            Some(Plan::Trust(plan)) => trust(tx, &plan, settled, settled.effect.fee_charged),
            Some(Plan::Adopt(plan)) => {
                let fees = plan::shares(settled.effect.fee_charged, plan.farmers.len());
                plan.farmers.iter().zip(fees).try_for_each(|(plan, fee)| trust(tx, plan, settled, fee))
            }
            None => Ok(()),
        }
    }

    fn still(&self, conn: &Connection, intent: &Intent) -> Result<()> {
        Plan::of_intent(intent)?.map_or(Ok(()), |plan| still::holds(conn, &plan))
    }

    // The contract refuses a second plant of a pail, work that is no better and a second harvest, and shows each.
    fn is_told_by_the_chain(&self, operation: &Operation) -> bool {
        matches!(Plan::of(operation), Ok(Some(_)))
    }
}

impl FarmRecorder {
    fn plant(&self, tx: &Tx<'_>, operation: i64, plan: &PlantPlan, settled: &Settled) -> Result<()> {
        let stake = plan.stake.0;
        let facts = |more: Value| story(&plan.address, plan.block, settled, more);
        if let Some(reason) = reason::of(&self.farm, Step::Plant, settled) {
            hindered(tx, &plan.farmer, reason, settled)?;
            if reason::said(&self.farm, Step::Plant, settled) == Some(Said::Farm(Fault::PailExists)) {
                // Planted already: the pail is read, and what it shows is recorded.
                return Ok(());
            }
            let trace = trace(operation, settled, Some(reason));
            if rows::planting(tx, &plan.farmer, plan.block, "failed", stake, &trace)? {
                tx.event("plant.failed", &plan.farmer, &facts(json!({ "reason": reason.as_str() })))?;
            }
            return Ok(());
        }
        let ledger = ledger_of(settled)?;
        let pail = OpenPail {
            block: plan.block,
            farmer: plan.farmer.clone(),
            stake,
            planted_ledger: ledger.sequence,
            planted_time: Some(ledger.close_time),
            due: plan.due,
            ..OpenPail::default()
        };
        planted(tx, &pail, &trace(operation, settled, None), &facts(json!({ "stake": stake.to_string() })))
    }

    fn work(&self, tx: &Tx<'_>, operation: i64, plan: &WorkPlan, settled: &Settled) -> Result<()> {
        let (WorkPlan { farmer, hash, .. }, block, nonce, zeros) = (plan, plan.block, plan.nonce, plan.zeros);
        let row = |outcome, gap| WorkRow { farmer, block, outcome, nonce, hash, zeros, gap };
        let facts = |what: &str, how: Value| {
            let more = json!({ what: how, "zeros": zeros, "nonce": nonce.to_string() });
            story(&plan.address, block, settled, more)
        };
        if let Some(reason) = reason::of(&self.farm, Step::Work, settled) {
            hindered(tx, farmer, reason, settled)?;
            if rows::work(tx, &row("failed", None), &trace(operation, settled, Some(reason)))? {
                tx.event("work.failed", farmer, &facts("reason", reason.as_str().into()))?;
            }
            return Ok(());
        }
        let planted = rows::pail(tx.conn(), farmer, block)?.map(|pail| pail.planted_ledger);
        let gap = gap_of(settled, planted)?;
        let outcome = if plan.improves { "improved" } else { "worked" };
        if rows::work(tx, &row(outcome, Some(gap)), &trace(operation, settled, None))? {
            loss::worked(tx, farmer, block, gap, zeros)?;
            if !plan.improves {
                rows::tally(tx, farmer, block, Tally { worked: 1, ..Tally::default() })?;
            }
            tx.event(&format!("work.{outcome}"), farmer, &facts("gap", gap.into()))?;
        }
        Ok(())
    }

    fn harvest(&self, tx: &Tx<'_>, operation: i64, plan: &HarvestPlan, settled: &Settled) -> Result<()> {
        if let Some(reason) = reason::of(&self.farm, Step::Harvest, settled) {
            hindered(tx, &plan.farmer, reason, settled)?;
            return harvest_failed(tx, operation, plan, reason, settled);
        }
        let asset = contract("the stored plan", &plan.asset_contract)?;
        let farmer = account("the stored plan", &plan.address)?;
        let stake = plan.stake.0;
        let minted = events::minted(&settled.effect.events, &asset, &farmer)?.unwrap_or_default();
        let reward = reward_of(settled, minted, stake)?;
        if reward.checked_add(stake) != Some(minted) {
            let why = format!("minted {minted} stroops, but stake {stake} and reward {reward} were due");
            hold(tx, &plan.farmer, plan.block, Reason::MintDisagrees, &why)?;
            return harvest_failed(tx, operation, plan, Reason::MintDisagrees, settled);
        }
        let trace = trace(operation, settled, None);
        let facts = json!({ "tx": settled.hash, "ledger": trace.ledger });
        self.credit(tx, plan, "harvested", reward, &trace, &facts).map(drop)
    }

    /// Books a harvest: the stake returns, the reward is shared out, the pail is closed. False where its end is booked already.
    pub fn credit(
        &self,
        tx: &Tx<'_>,
        plan: &HarvestPlan,
        outcome: &'static str,
        reward: Base,
        trace: &Trace<'_>,
        chain: &Value,
    ) -> Result<bool> {
        let (farmer, stake, block) = (plan.farmer.as_str(), plan.stake.0, plan.block);
        let forecast = plan.forecast.map(|f| f.0);
        let row = HarvestRow { farmer, block, outcome, stake, reward, forecast };
        if !rows::harvest(tx, &row, trace)? {
            return Ok(false);
        }
        let terms = RewardSplit::new(plan.reward_split_ppm, plan.platform_fee_ppm)?;
        let (lines, shares) =
            accounting::harvested(self.network, farmer, &plan.pooler, terms, stake, reward)?;
        let facts = json!({
            "farmer": plan.address, "block": block, "stake": stake.to_string(), "reward": reward.to_string(),
            "forecast": forecast.map(|f| f.to_string()), "to_farmer": shares.farmer.to_string(),
            "to_pooler": shares.pooler.to_string(), "platform_fee": shares.platform.to_string(), "chain": chain,
        });
        let event = tx.event(&format!("harvest.{outcome}"), farmer, &facts)?;
        tx.post(event, &lines)?;
        rows::tally(tx, farmer, block, Tally { harvested: 1, rewarded: reward, ..Tally::default() })?;
        rows::close_pail(tx, farmer, block)?;
        loss::missed_alert(tx, farmer)?;
        if !rows::losses(tx.conn(), block)?.iter().any(|loss| loss.farmer == farmer) {
            alert::edge(tx, Subject::Farm(farmer), LOST, None)?;
        }
        if rows::open_pails_of(tx.conn(), farmer)? == 0 {
            alert::edge(tx, Subject::Farm(farmer), EXPIRING, None)?;
        }
        Ok(true)
    }
}

/// Keeps an open pail from being harvested until the operator has looked, and opens the alert that says why.
pub fn hold(tx: &Tx<'_>, farmer: &str, block: u32, reason: Reason, why: &str) -> Result<()> {
    if rows::hold_pail(tx, farmer, block, reason.as_str())? {
        let why = format!("block {block}: {why}");
        alert::edge(tx, Subject::Farm(farmer), HELD, Some(&why))?;
    }
    Ok(())
}

/// Opens the alert of whoever kept an operation of an active farmer from taking effect: the farmer, by something that it
/// lacks, or the sponsor.
fn hindered(tx: &Tx<'_>, id: &str, reason: Reason, settled: &Settled) -> Result<()> {
    use Reason::{NoAccount, NoTrustline, NotAuthorized, SponsorLow, TooFewLumens, TrustlineFull};
    let words = settled.words().unwrap_or_default();
    match (reason, &settled.payer) {
        (SponsorLow, Some(payer)) => {
            let why = format!("the fee sponsor {payer} could not pay: {words}");
            alert::edge(tx, Subject::Farm(&payer.to_string()), SPONSOR_LOW, Some(&why))?;
        }
        (NoAccount | TooFewLumens | NoTrustline | NotAuthorized | TrustlineFull, _) => {
            let farmer = farmers::by_id(tx.conn(), id)?;
            if farmer.status == Life::Active {
                let why = format!("farmer {}: {reason}: {words}", farmer.address);
                alert::edge(tx, Subject::Farm(id), NOT_READY, Some(&why))?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// As it is for the farmer of this address.
fn of(settled: &Settled, farmer: &str) -> Result<Settled> {
    Ok(settled.clone().sent_for(&account("the stored plan", farmer)?))
}

fn harvest_failed(
    tx: &Tx<'_>,
    operation: i64,
    plan: &HarvestPlan,
    reason: Reason,
    settled: &Settled,
) -> Result<()> {
    let (farmer, block, stake) = (plan.farmer.as_str(), plan.block, plan.stake.0);
    let (reward, forecast) = (Base::ZERO, plan.forecast.map(|f| f.0));
    let row = HarvestRow { farmer, block, outcome: "failed", stake, reward, forecast };
    if rows::harvest(tx, &row, &trace(operation, settled, Some(reason)))? {
        let facts = story(&plan.address, plan.block, settled, json!({ "reason": reason.as_str() }));
        tx.event("harvest.failed", &plan.farmer, &facts)?;
    }
    Ok(())
}

/// Notes that a farmer has planted: the row, the open pail, and the stake in the ledger. Returns without effect where it is
/// noted already.
pub fn planted(tx: &Tx<'_>, pail: &OpenPail, trace: &Trace<'_>, facts: &Value) -> Result<()> {
    if rows::planting(tx, &pail.farmer, pail.block, "planted", pail.stake, trace)? {
        let event = tx.event("plant.planted", &pail.farmer, facts)?;
        tx.post(event, &accounting::planted(&pail.farmer, pail.stake))?;
        rows::open_pail(tx, pail)?;
        let tally = Tally { planted: 1, staked: pail.stake, ..Tally::default() };
        rows::tally(tx, &pail.farmer, pail.block, tally)?;
    }
    Ok(())
}

/// Notes a pail that is on chain and was not planted by this state's records.
pub fn found(tx: &Tx<'_>, who: &Who, pail: &OpenPail) -> Result<()> {
    let trace = Trace { ledger: Some(pail.planted_ledger), ..Trace::default() };
    let facts = json!({
        "farmer": who.address, "block": pail.block, "stake": pail.stake.to_string(),
        "ledger": pail.planted_ledger, "found": true,
    });
    planted(tx, pail, &trace, &facts)
}

fn extend(tx: &Tx<'_>, plan: &ExtendPlan, settled: &Settled) -> Result<()> {
    let pails: Vec<Value> =
        plan.pails.iter().map(|(farmer, block)| json!({ "farmer": farmer, "block": block })).collect();
    if settled.status != Status::Confirmed {
        let facts = json!({ "pails": pails, "why": settled.words(), "tx": settled.hash });
        return tx.event("extend.failed", &plan.farmer, &facts).map(drop);
    }
    for (farmer, block) in &plan.pails {
        rows::live_pail(tx, farmer, *block, plan.live_until)?;
    }
    let facts = json!({ "pails": pails, "live_until": plan.live_until, "tx": settled.hash });
    tx.event("extend.extended", &plan.farmer, &facts).map(drop)
}

/// The farmer's status is left alone: that follows from what the chain shows when it is checked. `fee` is this farmer's
/// part of what the transaction cost, in stroops.
fn trust(tx: &Tx<'_>, plan: &TrustPlan, settled: &Settled, fee: i64) -> Result<()> {
    let mut facts = json!({
        "farmer": plan.address, "asset": plan.asset, "sponsor": plan.sponsor, "created_with": plan.created,
        "tx": settled.hash, "ledger": settled.effect.ledger.map(|ledger| ledger.sequence),
        "fee": fee.to_string(),
    });
    let kind = if settled.reason.is_none() { "trust.made" } else { "trust.failed" };
    if let Some(why) = settled.words() {
        facts["why"] = why.into();
    }
    tx.event(kind, &plan.farmer, &facts).map(drop)
}

fn trace(operation: i64, settled: &Settled, reason: Option<Reason>) -> Trace<'static> {
    Trace {
        operation: Some(operation),
        ledger: settled.effect.ledger.map(|ledger| ledger.sequence),
        reason: reason.map(Reason::as_str),
    }
}

/// What the audit log says of a transaction on the farm.
fn story(address: &str, block: u32, settled: &Settled, more: Value) -> Value {
    let mut story = json!({
        "farmer": address, "block": block, "tx": settled.hash,
        "ledger": settled.effect.ledger.map(|ledger| ledger.sequence), "fee": settled.effect.fee_charged.to_string(),
    });
    if let Some(sender) = &settled.sender {
        story["sent_by"] = sender.to_string().into();
    }
    if let (Value::Object(story), Value::Object(more)) = (&mut story, more) {
        story.extend(more);
    }
    if let Some(why) = settled.words() {
        story["why"] = why.into();
    }
    story
}

fn ledger_of(settled: &Settled) -> Result<stellar::Ledger> {
    settled.effect.ledger.ok_or_else(|| Error::new(Code::Bug, "a confirmed transaction without its ledger"))
}

/// What a confirmed call returned.
fn value_of(settled: &Settled) -> Result<&ScVal> {
    let none = || match settled.effect.newer {
        Some(newer) => newer.error("what a confirmed call returned cannot be read"),
        None => Error::new(Code::BadReply, "a confirmed call came back without its result"),
    };
    settled.effect.value.as_ref().ok_or_else(none)
}

/// Ledgers from plant to work: what the call returned. Where that cannot be read in the form of a newer protocol, the ledgers
/// themselves tell, if that of the plant is known.
pub(crate) fn gap_of(settled: &Settled, planted: Option<u32>) -> Result<u32> {
    let worked = settled.effect.newer.and(settled.effect.ledger).map(|ledger| ledger.sequence);
    let between = worked.zip(planted).and_then(|(worked, planted)| worked.checked_sub(planted));
    between.filter(|gap| *gap > 0).map_or_else(|| work_result(value_of(settled)?), Ok)
}

/// What a harvest brought beside its stake: what the call returned. Where that cannot be read in the form of a newer protocol,
/// what was minted tells.
pub(crate) fn reward_of(settled: &Settled, minted: Base, stake: Base) -> Result<Base> {
    let beyond = settled.effect.newer.and_then(|_| minted.checked_sub(stake));
    beyond.map_or_else(|| base(harvest_result(value_of(settled)?)?), Ok)
}
