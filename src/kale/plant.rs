//! `plant`: a stake in the current block for every farmer that is ready.

mod carry;

pub use carry::carry_out;

use super::Fault;
use super::accounting::base;
use super::call::Call;
use super::contract::{Block, Pail};
use super::funding::Lack;
use super::plan::{PlantPlan, Stroops, kind, plant_key};
use super::purse::{self, Judged};
use super::reason::Reason;
use super::rows::{self, Hand, OpenPail};
use super::schedule::{self, Planting};
use super::settings::Settings;
use super::site::{Farming, invoke};
use super::sponsor::Sponsor;
use super::strategy::{Asked, Strategy};
use super::submitter;
use super::view::{Ask, Living, View, Who};
use super::wallet::Wallet;
use base::amount::Base;
use base::{Code, Error, Result};
use std::collections::HashMap;
use stellar::submit::Intent;

/// How a farmer fared.
#[derive(Debug, Clone)]
pub enum Fate {
    /// Planted by this run.
    Planted {
        /// Hash of the transaction.
        tx: String,
        /// Its ledger.
        ledger: u32,
        /// Stroops of lumens that it cost.
        fee: i64,
        /// Who paid that, where it was not the farmer.
        payer: Option<String>,
    },
    /// There was a pail already.
    Already,
    /// Nothing is to be planted for it.
    HarvestOnly,
    /// Not planted, for this reason; what the error says is for a person.
    Failed {
        /// Why, in a word.
        reason: Reason,
        /// Why, for a person.
        error: Error,
    },
}

/// What a plant came to for one farmer.
#[derive(Debug, Clone)]
pub struct Planted {
    /// Whose.
    pub who: Who,
    /// Stroops of KALE at stake; what would have been, where it failed.
    pub stake: Base,
    /// How it fared.
    pub fate: Fate,
}

/// What is to be planted.
#[derive(Debug)]
pub struct Prepared {
    /// The farm as it was looked at.
    pub view: View,
    /// The block to plant in.
    pub index: u32,
    /// When none may begin any more: ledger time from which the next block is planted in.
    pub wait: Option<u64>,
    /// Transactions, with what each stakes.
    pub wanted: Vec<(Who, Base, Intent)>,
    /// Farmers that need none, or cannot have one.
    pub settled: Vec<Planted>,
    /// Why nothing is planted for farmers without a pail: the strategy's command gave no answer.
    pub refused: Option<Error>,
    /// The sponsor, where there is one.
    pub sponsor: Option<Sponsor>,
    /// Pails that are on chain and not recorded.
    found: Vec<(Who, Living<Pail>)>,
    /// Farmers without a pail, and what they lack.
    lacks: Vec<(Who, Vec<Lack>)>,
    block: Option<Block>,
}

impl Prepared {
    /// Stroops that would be staked in all.
    pub fn total(&self) -> Base {
        self.wanted.iter().fold(Base::ZERO, |sum, (_, stake, _)| sum.saturating_add(*stake))
    }
}

/// Looks at the farm and works out who plants how much. `hands` are the active farmers; `index_guess` saves a request.
///
/// # Errors
/// `farm_paused`; those of [`View::read`].
pub async fn prepare(farming: &mut Farming<'_, '_>, hands: &[Hand]) -> Result<Prepared> {
    let who: Vec<Who> = hands.iter().map(|hand| hand.who.clone()).collect();
    let guess = rows::last_block(farming.work.state.conn())?;
    let view = View::read(farming.site, &Ask { who: &who, wallets: true, guess }).await?;
    if view.farm.paused {
        return Err(Error::new(Code::FarmPaused, Fault::FarmPaused.to_string())
            .hint("only its administrator can let it go on; harvest still works"));
    }
    let planting = schedule::planting(&view.farm, view.current(), view.at, farming.settings.plant_cutoff)
        .map_err(|refusal| Error::new(Code::TransactionFailed, refusal.to_string()))?;
    let (index, block, valid_until, wait) = match planting {
        Planting::Now { index, block, valid_until, .. } => (index, Some(block), valid_until, None),
        Planting::Wait { until } => (view.farm.index, view.current().cloned(), 0, Some(until)),
    };
    let (wanted, settled, found, lacks) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut prepared =
        Prepared { index, wait, wanted, settled, refused: None, sponsor: None, found, lacks, block, view };
    let recorded: HashMap<String, OpenPail> = rows::pails_in(farming.work.state.conn(), index)?
        .into_iter()
        .map(|pail| (pail.farmer.clone(), pail))
        .collect();
    let mut candidates: Vec<(&Hand, Option<Wallet>)> = Vec::new();
    for (hand, standing) in hands.iter().zip(&prepared.view.farmers) {
        let who = &hand.who;
        let pail = standing.pail.clone().filter(|_| index == prepared.view.farm.index);
        if let Some(known) = recorded.get(&who.id) {
            let already = Planted { who: who.clone(), stake: known.stake, fate: Fate::Already };
            prepared.settled.push(already);
        } else if let Some(pail) = pail {
            prepared.found.push((who.clone(), pail));
        } else {
            candidates.push((hand, standing.wallet));
        }
    }
    if let Some(entry) = prepared.block.clone().filter(|_| wait.is_none() && !candidates.is_empty()) {
        let due = valid_until.saturating_add(1);
        // Work that is due does not wait for an answer about a plant.
        let unworked = recorded.values().filter(|pail| pail.work.is_none() && pail.held.is_none()).count();
        let settings = &farming.settings;
        if let Some(command) = settings.command.as_ref().filter(|_| unworked > 0)
            && farming.heard_of(index).is_none()
        {
            let deadline = due.saturating_sub(settings.work_margin);
            let first = submitter::begin(unworked, settings.submitters.len(), deadline);
            let answered = prepared.view.at.time.saturating_add(command.timeout.as_secs());
            if answered >= first {
                let why = format!(
                    "strategy.command: no time is left to ask it about block {index}: the work for {unworked} pails goes first"
                );
                prepared.refused = Some(Error::new(Code::StrategyFailed, why).hint(
                    "it is asked again in the next block; a shorter strategy.timeout_sec leaves more time",
                ));
                return Ok(prepared);
            }
        }
        farming.consult(&Asked { index, entry, due }, prepared.view.at.time).await?;
        prepared.refused = farming.unanswered(index).cloned();
        if prepared.refused.is_some() {
            return Ok(prepared);
        }
    }
    if wait.is_none() && !candidates.is_empty() {
        submitter::choose(farming)?;
    }
    let strategies = farming.strategies(index)?;
    candidates.retain(|(hand, _)| {
        let who = &hand.who;
        let plants = strategies.of(&who.id).plants();
        if !plants {
            let fate = Fate::HarvestOnly;
            prepared.settled.push(Planted { who: who.clone(), stake: Base::ZERO, fate });
        }
        plants
    });
    let asked: Vec<_> =
        candidates.iter().map(|(hand, wallet)| (hand.who.id.as_str(), wallet.as_ref())).collect();
    let Judged { farmers: verdicts, sponsor, submitters } = purse::judge(farming, &asked).await?;
    for ((hand, wallet), verdict) in candidates.into_iter().zip(verdicts) {
        let who = &hand.who;
        prepared.lacks.push((who.clone(), verdict.lacks.clone()));
        let Some(block) = prepared.block.as_ref().filter(|_| prepared.wait.is_none()) else { continue };
        let staked = match verdict.lacks.first() {
            Some(lack) => {
                let error = match lack.reason() {
                    Reason::SponsorLow => sponsor.as_ref().and_then(Sponsor::error),
                    Reason::SubmitterLow => submitters.iter().find_map(Sponsor::error),
                    _ => None,
                };
                Err((lack.reason(), error.unwrap_or_else(|| lack.error(&who.address))))
            }
            None => staked(&farming.settings, &strategies.of(&who.id), hand, wallet, block)
                .map_err(|e| (Reason::Other, e)),
        };
        match staked {
            Ok(stake) => {
                let intent = intent(farming, who, index, stake, valid_until)?;
                prepared.wanted.push((who.clone(), stake, intent));
            }
            Err((reason, error)) => {
                let fate = Fate::Failed { reason, error };
                prepared.settled.push(Planted { who: who.clone(), stake: Base::ZERO, fate });
            }
        }
    }
    prepared.sponsor = sponsor;
    Ok(prepared)
}

/// What the farmer stakes.
fn staked(
    settings: &Settings,
    strategy: &Strategy,
    hand: &Hand,
    wallet: Option<Wallet>,
    block: &Block,
) -> Result<Base> {
    let balance = wallet.and_then(|wallet| wallet.kale).map_or(Base::ZERO, |kale| kale.balance);
    let most = if settings.cap_stake { base(block.max_stake).ok() } else { None };
    strategy.stake(balance, hand.stake_percentage_ppm, most)
}

fn intent(farming: &Farming<'_, '_>, who: &Who, index: u32, stake: Base, valid_until: u64) -> Result<Intent> {
    let plan = PlantPlan {
        farmer: who.id.clone(),
        address: who.address.clone(),
        block: index,
        stake: Stroops(stake),
        due: valid_until.saturating_add(1),
    };
    let amount = i128::try_from(stake).map_err(|_| {
        Error::new(Code::Bug, format!("a stake of {stake} stroops does not fit the contract"))
    })?;
    Ok(Intent {
        key: plant_key(farming.site.network(), &who.address, index),
        kind: kind::PLANT,
        subject: who.id.clone(),
        plan: super::plan::write(&plan)?,
        source: who.account.clone(),
        action: invoke(farming.site, &Call::Plant { farmer: who.contract_address(), amount })?,
        valid_until: Some(valid_until),
    })
}
