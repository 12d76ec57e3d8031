//! Harvesting: stakes and rewards of blocks that have ended, and what came of each pail.

mod decide;

pub use decide::{DecisionOutput, record_lost, release};

use crate::failures::{Failure, ended, failed};
use crate::farming::reconcile::told;
use crate::farming::{self, LedgerStamp, kale, lumens, no_question, on_farm};
use crate::{App, Document};
use base::amount::{Base, Quantity};
use base::{Code, Error, Result, forms};
use kale::expiry::{self, Extended};
use kale::farming::{Farming, Leads};
use kale::harvest::{self, HarvestOutcome, Harvested, PreparedHarvest, Unworked};
use kale::reason::Reason;
use kale::reconcile::{self, What};
use kale::rows::{self, FarmerRow};
use schemars::JsonSchema;
use serde::Serialize;
use state::DECISIONS;
use std::collections::{BTreeMap, HashSet};
use stellar::submit::{Rehearsal, Submitted};
use stellar::{LedgerPace, is_of_endpoints};
use watch::metrics::Gauge;

/// What a harvest came to for one pail.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct HarvestView {
    /// Id.
    pub farmer: String,
    /// `G…`.
    #[schemars(with = "forms::StellarAccount")]
    pub address: String,
    /// The block.
    pub block: u32,
    /// `harvested`, `already_harvested`, `harvested_elsewhere`, `lost`, `would_harvest`, `would_lose`, `would_doubt` (it looks
    /// lost, and a later look decides), `gone`, `failed` or `unknown`.
    pub status: &'static str,
    /// What was at stake.
    pub stake: Quantity,
    /// The reward, without the stake.
    pub reward: Option<Quantity>,
    /// What the formula said it would be.
    pub forecast: Option<Quantity>,
    /// Hash of the transaction.
    #[schemars(with = "Option<forms::Digest>")]
    pub tx: Option<String>,
    /// Its ledger.
    pub ledger: Option<u32>,
    /// What it cost; in a dry run, the most that it would.
    pub fee: Option<Quantity>,
    /// The submitter that sent it; null where the farmer's own account did.
    #[schemars(with = "Option<forms::StellarAccount>")]
    pub sent_by: Option<String>,
    /// Why it failed or was lost, in a stable word.
    pub reason: Option<&'static str>,
    /// What a lost stake was lost by, in a stable word.
    pub cause: Option<&'static str>,
    /// Who answers for a lost stake: `pooler` or `operator`.
    pub fault: Option<&'static str>,
    /// Why it failed.
    pub error: Option<String>,
}

/// An extension.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ExtendView {
    /// Id.
    pub farmer: String,
    /// The blocks.
    pub blocks: Vec<u32>,
    /// The ledger that they live to.
    pub live_until: u32,
    /// Hash of the transaction.
    #[schemars(with = "Option<forms::Digest>")]
    pub tx: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
}

/// What was harvested.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct HarvestOutput {
    /// Whose view it is; null where no pail is open.
    pub view: Option<LedgerStamp>,
    /// Pails harvested by this run.
    pub harvested: usize,
    /// Their rewards.
    pub rewarded: Quantity,
    /// Stakes lost by what this run found.
    pub lost: Quantity,
    /// By pail.
    pub pails: Vec<HarvestView>,
    /// Pails that were given a longer life.
    pub extended: Vec<ExtendView>,
    #[serde(skip)]
    failures: Vec<Failure>,
    #[serde(skip)]
    warnings: Vec<String>,
    #[serde(skip)]
    pace: LedgerPace,
    #[serde(skip)]
    open: Option<usize>,
}

/// Harvests every pail of blocks that have ended; `extend` gives those that expire soon a longer life. `parallel` overrides the
/// setting. What failed or was lost is told by the document.
pub fn harvest(app: &App<'_>, parallel: Option<usize>, extend: bool, dry_run: bool) -> Result<HarvestOutput> {
    let mut hands = farming::everybody(app)?;
    let (now, state) = (app.call().run.clock.now(), app.read()?);
    let compares = !dry_run && reconcile::why_due(state.conn(), &hands, now)?.is_some();
    if !compares && harvest::is_idle(state.conn())? {
        return Ok(HarvestOutput::new());
    }
    drop(state);
    let harvested = on_farm(app, dry_run, parallel, &Leads::of(&hands), async |farm| {
        let mut output = HarvestOutput::new();
        let mut near = Near::new();
        if dry_run {
            let prepared = output.look(farm, &hands, &mut near).await?;
            let rehearsals = farm.rehearse(&prepared.intents()).await?;
            output.rehearsed(&prepared, prepared.unworked(farm.work.state.conn())?, rehearsals);
        } else {
            let permit = no_question(app, farm.work, "harvest")?;
            let prepared = output.look(farm, &hands, &mut near).await?;
            output.take(harvest::execute(farm, prepared, permit).await?);
            // What was found may be due too.
            if compares && output.compare(farm, &hands).await? {
                let prepared = output.look(farm, &hands, &mut near).await?;
                output.take(harvest::execute(farm, prepared, permit).await?);
            }
            for _ in 1..DECISIONS {
                if !output.failures.iter().any(|(_, e)| e.code() == Code::StateChanged) {
                    break;
                }
                // Other runs have changed what some of it was decided from.
                farm.renew()?;
                hands = farm.scope.hands(farm.work.state.conn())?;
                let prepared = output.look(farm, &hands, &mut near).await?;
                output.take(harvest::execute(farm, prepared, permit).await?);
            }
        }
        let ledger = output.view.as_ref().map_or(0, |view| view.ledger);
        let near = still_open(farm.work.state.conn(), near)?;
        for (farmer, pails) in &near {
            output.warnings.push(format!("farmer {farmer}: {}", expiry::words(pails, ledger)));
        }
        if extend && !dry_run {
            let permit = no_question(app, farm.work, "extend")?;
            output.extended(expiry::extend(farm, &hands, &near, (ledger, output.pace), permit).await?);
        }
        output.open = Some(rows::open_count(farm.work.state.conn())?);
        Ok(output)
    });
    harvested.map_err(|e| e.context("cannot harvest"))
}

/// That a stake is lost, where there was one.
pub(crate) fn stake_lost(stake: Base, reason: Reason, cause: Reason) -> Option<Error> {
    let why = || format!("the stake of {} is lost: {reason}, by {cause}", kale(stake));
    (stake > Base::ZERO).then(|| Error::new(Code::StakeLost, why()))
}

/// What a failure is about.
fn name(end: &Harvested) -> String {
    format!("{} in block {}", end.hand.who.address, end.block)
}

type Near = BTreeMap<String, Vec<(u32, u32)>>;

/// Those that this run has not harvested.
fn still_open(conn: &rusqlite::Connection, mut near: Near) -> Result<Near> {
    for (farmer, pails) in &mut near {
        let mut open = Vec::new();
        for (block, until) in pails.iter() {
            if rows::pail(conn, farmer, *block)?.is_some() {
                open.push((*block, *until));
            }
        }
        *pails = open;
    }
    near.retain(|_, pails| !pails.is_empty());
    Ok(near)
}

impl HarvestOutput {
    fn new() -> Self {
        Self { rewarded: kale(Base::ZERO), lost: kale(Base::ZERO), ..Self::default() }
    }

    async fn look(
        &mut self,
        farm: &Farming<'_, '_>,
        hands: &[FarmerRow],
        near: &mut Near,
    ) -> Result<PreparedHarvest> {
        let prepared = harvest::prepare(farm, hands).await?;
        near.clone_from(&prepared.near);
        self.pace = prepared.pace;
        self.view = prepared.view.as_ref().map(LedgerStamp::from).or(self.view.take());
        Ok(prepared)
    }

    /// Compares the farm with the chain where that is due, as farm run does; a pail that is not shown has a line of its own.
    /// That it cannot be done now keeps nothing from being harvested. Returns whether something was taken in.
    async fn compare(&mut self, farm: &mut Farming<'_, '_>, hands: &[FarmerRow]) -> Result<bool> {
        match reconcile::where_due(farm, hands).await {
            Ok(None) => Ok(false),
            Ok(Some((why, mut found))) => {
                found.differences.retain(|one| !matches!(one.what, What::Missing { .. }));
                if !found.differences.is_empty() {
                    self.warnings.push(told(why, &found));
                }
                Ok(found.differences.iter().any(|one| one.what.is_taken_in()))
            }
            Err(e) if is_of_endpoints(e.code()) => {
                self.warnings.push(format!("cannot compare the farm with the chain: {e}"));
                Ok(false)
            }
            Err(e) => Err(e),
        }
    }

    /// Takes the outcomes in; they replace what was said of the same pails before.
    fn take(&mut self, ends: Vec<Harvested>) {
        let anew: HashSet<(&str, u32)> =
            ends.iter().map(|end| (end.hand.who.id.as_str(), end.block)).collect();
        self.pails.retain(|view| !anew.contains(&(view.farmer.as_str(), view.block)));
        let anew: HashSet<String> = ends.iter().map(name).collect();
        self.failures.retain(|(name, _)| !anew.contains(name));
        for end in ends {
            let name = name(&end);
            let Harvested { hand, block, stake, forecast, outcome, .. } = end;
            let mut view = HarvestView::new(&hand, block, "already_harvested", stake, forecast);
            match outcome {
                HarvestOutcome::Harvested { tx, ledger, fee, sender, reward } => {
                    view.paid("harvested", tx, ledger, reward);
                    (view.fee, view.sent_by) = (Some(lumens(fee)), sender);
                    self.harvested += 1;
                    self.rewarded = kale(self.rewarded.base.saturating_add(reward));
                }
                HarvestOutcome::Already => {}
                HarvestOutcome::Elsewhere { tx, ledger, reward } => {
                    view.paid("harvested_elsewhere", tx, ledger, reward);
                    self.rewarded = kale(self.rewarded.base.saturating_add(reward));
                }
                HarvestOutcome::Lost { reason, cause } => {
                    view.status = "lost";
                    (view.reason, view.cause) = (Some(reason.as_str()), Some(cause.as_str()));
                    view.fault = Some(cause.blame().as_str());
                    self.lost = kale(self.lost.base.saturating_add(stake));
                    self.failures.extend(stake_lost(stake, reason, cause).map(|e| (name, e)));
                }
                HarvestOutcome::Failed { reason, error } => {
                    view.status = failed(&error);
                    (view.reason, view.error) = (Some(reason.as_str()), Some(error.to_string()));
                    self.failures.push((name, error));
                }
            }
            self.pails.push(view);
        }
    }

    fn rehearsed(
        &mut self,
        prepared: &PreparedHarvest,
        unworked: Vec<Unworked<'_>>,
        rehearsals: Vec<Result<Rehearsal>>,
    ) {
        for ((hand, block, stake, forecast), rehearsal) in prepared.wanted().zip(rehearsals) {
            let mut view = HarvestView::new(hand, block, "would_harvest", stake, forecast);
            match rehearsal {
                Ok(rehearsal) => view.fee = rehearsal.max_fee.map(lumens),
                Err(error) => {
                    view.status = "failed";
                    view.error = Some(error.to_string());
                    self.failures.push((format!("{} in block {block}", hand.who.address), error));
                }
            }
            self.pails.push(view);
        }
        for Unworked { hand, block, stake, cause, doubt } in unworked {
            let mut view = HarvestView::new(hand, block, "would_lose", stake, None);
            if let Some(error) = doubt {
                view.status = "would_doubt";
                (view.reason, view.error) = (Some(Reason::Missing.as_str()), Some(error.to_string()));
            } else {
                (view.reason, view.cause) = (Some(Reason::NotWorked.as_str()), Some(cause.as_str()));
                view.fault = Some(cause.blame().as_str());
            }
            self.pails.push(view);
        }
        for (hand, block, stake) in prepared.gone() {
            self.pails.push(HarvestView::new(hand, block, "gone", stake, None));
        }
        self.pails.sort_by(|a, b| (a.block, &a.farmer).cmp(&(b.block, &b.farmer)));
    }

    fn extended(&mut self, extended: Vec<Extended>) {
        for Extended { hand, blocks, live_until, result } in extended {
            let mut view = ExtendView { farmer: hand.who.id, blocks, live_until, tx: None, error: None };
            let failure = match result {
                Ok(Submitted::AlreadyDone { .. }) => None,
                Ok(Submitted::Settled(settled)) => {
                    view.tx.clone_from(&settled.hash);
                    settled.reason.map(|reason| Error::new(Code::TransactionFailed, reason.words))
                }
                Err(e) => Some(e),
            };
            if let Some(e) = failure {
                view.error = Some(e.to_string());
                self.failures.push((format!("the extension for {}", hand.who.address), e));
            }
            self.extended.push(view);
        }
    }
}

impl Document for HarvestOutput {
    fn failure(&self) -> Option<Error> {
        match (self.pails.len().saturating_sub(self.failures.len()), self.failures.as_slice()) {
            // Nobody else names the pail.
            (0, [(name, e)]) => Some(e.clone().context(name)),
            (done, failures) => ended(done, failures, "pails"),
        }
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// None where there was nothing to look at.
    fn gauges(&self) -> Vec<Gauge> {
        let Some(open) = self.open else { return Vec::new() };
        vec![
            Gauge::new("poolctl_harvest_pails", "Pails harvested by the last run.", self.harvested),
            Gauge::new("poolctl_harvest_reward_kale", "Rewards of the last run.", &self.rewarded.exact()),
            Gauge::new("poolctl_harvest_lost_kale", "Stakes found lost by the last run.", &self.lost.exact()),
            Gauge::new("poolctl_farm_open_pails", "Stakes neither back nor lost.", open),
        ]
    }
}

impl HarvestView {
    fn new(hand: &FarmerRow, block: u32, status: &'static str, stake: Base, forecast: Option<Base>) -> Self {
        Self {
            farmer: hand.who.id.clone(),
            address: hand.who.address.clone(),
            block,
            status,
            stake: kale(stake),
            forecast: forecast.map(kale),
            ..Self::default()
        }
    }

    fn paid(&mut self, status: &'static str, tx: String, ledger: u32, reward: Base) {
        self.status = status;
        (self.tx, self.ledger, self.reward) = (Some(tx), Some(ledger), Some(kale(reward)));
    }
}
