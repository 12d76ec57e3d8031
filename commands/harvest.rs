//! `poolctl harvest`: stakes and rewards of blocks that have ended.

pub mod decide;

use crate::app::App;
use crate::farm::told;
use crate::farming::{self, LedgerStamp, kale, lumens, no_question, on_farm};
use crate::options::DryRun;
use crate::output::{Outcome, Page, Present, Table};
use crate::session::Session;
use crate::views::Failure;
use base::amount::{Base, Quantity};
use base::{Code, Error, Result, forms};
use clap::Args;
use kale::expiry::{self, Extended};
use kale::harvest::{self, Fate, Harvested, Prepared, Unworked};
use kale::reason::Reason;
use kale::reconcile::{self, What};
use kale::rows::{self, Hand};
use kale::site::Farming;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use stellar::is_of_endpoints;
use stellar::submit::{Rehearsal, Submitted};
use watch::metrics::Gauge;

/// Harvest: fetch stake and reward of every worked pail of blocks that have ended, oldest first
///
/// Once a day, after a restore and after an import it compares the farm with the chain too, as farm run does, and harvests what
/// the state did not know.
///
/// All farmers are harvested for, those that leave too. A pail that was never worked, or that is gone without pay, is
/// booked as a loss with its reason; where the endpoint's history is too short to tell, it stays open. A pail that expires
/// soon is an alert.
///
/// A pail about which the chain contradicts itself is held until it is released: then what a harvest of ours minted, by the
/// chain's events, is booked, and what is still there is fetched.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl harvest\n         poolctl harvest --extend\n         \
                   poolctl harvest --release GBQHTQ7NTSKHVTSVM6EHUO3TU4P4BK2TAAII25V2TT2Q6OWXUJWEKALE --block 37")]
pub struct Harvest {
    /// Transactions under way at once; default: kale.parallel
    #[arg(long, value_name = "N", value_parser = farming::parallel, allow_hyphen_values = true)]
    parallel: Option<usize>,
    /// Let pails that expire soon and cannot be harvested yet live a day longer
    #[arg(long)]
    extend: bool,
    /// Do nothing but release the held pail of this farmer (id or address): the next harvest looks at the chain afresh
    #[arg(long, value_name = "FARMER", group = "decision", requires = "block", conflicts_with_all = ["extend", "parallel"])]
    release: Option<String>,
    /// Do nothing but book the stake of this farmer as lost, whose pail is gone and no payment of it is in sight
    #[arg(long, value_name = "FARMER", group = "decision", requires = "block", conflicts_with_all = ["extend", "parallel"])]
    book_lost: Option<String>,
    /// The block of the pail that is released or given up
    #[arg(long, value_name = "N", requires = "decision")]
    block: Option<u32>,
    #[command(flatten)]
    dry: DryRun,
}

/// What a harvest came to for one pail.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HarvestView {
    /// Id.
    pub farmer: String,
    /// `G…`.
    #[schemars(with = "forms::StellarAccount")]
    pub address: String,
    /// The block.
    pub block: u32,
    /// `harvested`, `already_harvested`, `harvested_elsewhere`, `lost`, `would_harvest`, `would_lose`, `would_doubt` (it looks
    /// lost, and a later look decides), `gone` or `failed`.
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
#[derive(Debug, Serialize, JsonSchema)]
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
    open: usize,
}

impl Harvest {
    /// # Errors
    /// What the services say; pails that failed or were lost end it with exit 3, a single one with its own code.
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let hands = farming::everybody(&app)?;
        session.covers(self.block.is_none());
        match (&self.release, &self.book_lost, self.block) {
            (Some(farmer), _, Some(block)) => {
                return decide::release(&app, hands, farmer, block, self.dry.dry_run);
            }
            (None, Some(farmer), Some(block)) => {
                return decide::book_lost(&app, hands, farmer, block, self.dry.dry_run);
            }
            _ => {}
        }
        let dry_run = self.dry.dry_run;
        let (now, state) = (session.run.clock.now(), app.read()?);
        let compares = !dry_run && reconcile::why_due(state.conn(), &hands, now)?.is_some();
        if !compares && harvest::is_idle(state.conn())? {
            return Outcome::of(&HarvestOutput::new(None));
        }
        drop(state);
        let output = on_farm(&app, dry_run, self.parallel, async |farm| {
            let mut output = HarvestOutput::new(None);
            let mut near = Near::new();
            if dry_run {
                let prepared = output.look(farm, &hands, &mut near).await?;
                let rehearsals = farm.rehearse(&prepared.intents()).await?;
                output.rehearsed(&prepared, prepared.unworked(farm.work.state.conn())?, rehearsals);
            } else {
                let permit = no_question(&app, farm.work, "harvest")?;
                let prepared = output.look(farm, &hands, &mut near).await?;
                output.take(harvest::carry_out(farm, prepared, permit).await?);
                // What was found may be due too.
                if compares && output.compare(farm, &hands).await? {
                    let prepared = output.look(farm, &hands, &mut near).await?;
                    output.take(harvest::carry_out(farm, prepared, permit).await?);
                }
            }
            let ledger = output.view.as_ref().map_or(0, |view| view.ledger);
            let near = still_open(farm.work.state.conn(), near)?;
            for (farmer, pails) in &near {
                output.warnings.push(format!("farmer {farmer}: {}", expiry::words(pails, ledger)));
            }
            if self.extend && !dry_run {
                let permit = no_question(&app, farm.work, "extend")?;
                output.extended(expiry::extend(farm, &hands, &near, ledger, permit).await?);
            }
            output.open = rows::open_count(farm.work.state.conn())?;
            Ok(output)
        })
        .map_err(|e| e.context("cannot harvest"))?;
        let done = output.pails.len().saturating_sub(output.failures.len());
        let failure = farming::ended(done, &output.failures, "pails");
        let (gauges, warnings) = (output.gauges(), output.warnings.clone());
        Ok(Outcome::of(&output)?.warn(warnings).gauges(gauges).but(failure))
    }
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
    fn new(view: Option<LedgerStamp>) -> Self {
        Self {
            view,
            harvested: 0,
            rewarded: kale(Base::ZERO),
            lost: kale(Base::ZERO),
            pails: Vec::new(),
            extended: Vec::new(),
            failures: Vec::new(),
            warnings: Vec::new(),
            open: 0,
        }
    }

    async fn look(&mut self, farm: &Farming<'_, '_>, hands: &[Hand], near: &mut Near) -> Result<Prepared> {
        let prepared = harvest::prepare(farm, hands).await?;
        near.clone_from(prepared.near());
        self.view = prepared.view.as_ref().map(LedgerStamp::from).or(self.view.take());
        Ok(prepared)
    }

    /// Compares the farm with the chain where that is due, as farm run does; a pail that is not shown has a line of its own.
    /// That it cannot be done now keeps nothing from being harvested. Returns whether something was taken in.
    async fn compare(&mut self, farm: &mut Farming<'_, '_>, hands: &[Hand]) -> Result<bool> {
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
            let Harvested { hand, block, stake, forecast, fate } = end;
            let mut view = HarvestView::new(&hand, block, "already_harvested", stake, forecast);
            match fate {
                Fate::Harvested { tx, ledger, fee, sender, reward } => {
                    view.paid("harvested", tx, ledger, reward);
                    (view.fee, view.sent_by) = (Some(lumens(fee)), sender);
                    self.harvested += 1;
                    self.rewarded = kale(self.rewarded.base.saturating_add(reward));
                }
                Fate::Already => {}
                Fate::Elsewhere { tx, ledger, reward } => {
                    view.paid("harvested_elsewhere", tx, ledger, reward);
                    self.rewarded = kale(self.rewarded.base.saturating_add(reward));
                }
                Fate::Lost { reason, cause } => {
                    view.status = "lost";
                    (view.reason, view.cause) = (Some(reason.word()), Some(cause.word()));
                    view.fault = Some(cause.blame().word());
                    self.lost = kale(self.lost.base.saturating_add(stake));
                    if stake > Base::ZERO {
                        let why = format!("the stake of {} is lost: {reason}, by {cause}", kale(stake));
                        self.failures.push((name, Error::new(Code::StakeLost, why)));
                    }
                }
                Fate::Failed { reason, error } => {
                    view.status = "failed";
                    (view.reason, view.error) = (Some(reason.word()), Some(error.to_string()));
                    self.failures.push((name, error));
                }
            }
            self.pails.push(view);
        }
    }

    fn rehearsed(
        &mut self,
        prepared: &Prepared,
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
                (view.reason, view.error) = (Some(Reason::Missing.word()), Some(error.to_string()));
            } else {
                (view.reason, view.cause) = (Some(Reason::NotWorked.word()), Some(cause.word()));
                view.fault = Some(cause.blame().word());
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

    fn gauges(&self) -> Vec<Gauge> {
        let gauge = |name, help, value: String| Gauge { name, help, labels: Vec::new(), value };
        let units = |amount: &Quantity| base::amount::to_units(amount.base, amount.decimals);
        vec![
            gauge("poolctl_harvest_pails", "Pails harvested by the last run.", self.harvested.to_string()),
            gauge("poolctl_harvest_reward_kale", "Rewards of the last run.", units(&self.rewarded)),
            gauge("poolctl_harvest_lost_kale", "Stakes found lost by the last run.", units(&self.lost)),
            gauge("poolctl_farm_open_pails", "Stakes neither back nor lost.", self.open.to_string()),
        ]
    }
}

impl HarvestView {
    fn new(hand: &Hand, block: u32, status: &'static str, stake: Base, forecast: Option<Base>) -> Self {
        Self {
            farmer: hand.who.id.clone(),
            address: hand.who.address.clone(),
            block,
            status,
            stake: kale(stake),
            reward: None,
            forecast: forecast.map(kale),
            tx: None,
            ledger: None,
            fee: None,
            sent_by: None,
            reason: None,
            cause: None,
            fault: None,
            error: None,
        }
    }

    fn paid(&mut self, status: &'static str, tx: String, ledger: u32, reward: Base) {
        self.status = status;
        (self.tx, self.ledger, self.reward) = (Some(tx), Some(ledger), Some(kale(reward)));
    }
}

impl Present for HarvestOutput {
    fn present(&self, page: &mut Page) {
        let Some(view) = &self.view else {
            page.line("nothing to harvest: no stake is open");
            return;
        };
        let mut table = Table::new(&["BLOCK", "FARMER", "STATUS", ">STAKE", ">REWARD", ">FORECAST", "WHY"]);
        for pail in &self.pails {
            let why = pail.error.clone().or_else(|| {
                let reason = pail.reason?;
                Some(pail.cause.map_or_else(|| reason.to_owned(), |cause| format!("{reason}: {cause}")))
            });
            table.row([
                pail.block.to_string(),
                pail.address.clone(),
                pail.status.replace('_', " "),
                pail.stake.to_string(),
                pail.reward.as_ref().map(ToString::to_string).unwrap_or_default(),
                pail.forecast.as_ref().map(ToString::to_string).unwrap_or_default(),
                why.unwrap_or_default(),
            ]);
        }
        if table.is_empty() {
            page.line("nothing to harvest: no block with a stake of ours has ended");
        } else {
            page.table(table);
        }
        for extended in &self.extended {
            let how = extended.error.clone().unwrap_or_else(|| format!("ledger {}", extended.live_until));
            page.line(format!("farmer {}, blocks {:?}: lives until {how}", extended.farmer, extended.blocks));
        }
        page.line(view);
    }
}
