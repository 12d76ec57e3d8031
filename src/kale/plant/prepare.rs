//! What is to be planted: who is ready in the current block, and how much each stakes.

use crate::chain::Who;
use crate::chain::site::invoke;
use crate::chain::view::{Living, View};
use crate::chain::wallet::Wallet;
use crate::contract::call::Call;
use crate::contract::fault::Fault;
use crate::contract::{Pail, base};
use crate::farmers::{self, Farmer};
use crate::farming::{self, Farming, TargetBlock};
use crate::fees::sponsor::Sponsor;
use crate::fees::{Lack, begin};
use crate::record::plan::{self, PlantPlan, Stroops, kind, plant_key};
use crate::record::reason::Reason;
use crate::record::rows::{self, FarmerRow};
use crate::record::still;
use crate::schedule::{self, Planting};
use crate::strategy::{Answer, Strategy};
use base::amount::Base;
use base::{Code, Error, Result, counted};
use config::Setting;
use rusqlite::Connection;
use std::collections::HashMap;
use stellar::submit::Intent;

/// How a farmer fared.
#[derive(Debug, Clone)]
pub enum PlantOutcome {
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
    pub outcome: PlantOutcome,
}

impl Planted {
    /// Whether another run has changed what it was decided from: it is to be decided anew.
    pub fn is_changed(&self) -> bool {
        matches!(&self.outcome, PlantOutcome::Failed { error, .. } if error.code() == Code::StateChanged)
    }
}

/// What is to be planted.
#[derive(Debug)]
pub struct PreparedPlant {
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
    pub(super) found: Vec<(Who, Living<Pail>)>,
    /// Farmers without a pail, and what they lack.
    pub(super) lacks: Vec<(Who, Vec<Lack>)>,
    /// What the stakes of those that are wanted were worked out from.
    pub(super) stakes: Stakes,
}

/// What stakes are worked out from: asked again in the write that plans them.
#[derive(Debug, Default)]
pub(super) struct Stakes {
    /// The settings that they depend on, as the state held them.
    stored: Vec<Setting>,
    /// `strategy.…` for all.
    all: Strategy,
    /// What the strategy's command said.
    answer: Answer,
    /// By key: what the farmer held on the chain, the most that counts in the block, and what came of it.
    of: HashMap<String, (Base, Option<Base>, Base)>,
}

impl Stakes {
    fn begin(farming: &Farming<'_, '_>, index: u32) -> Self {
        let answer = farming.heard_of(index).and_then(|heard| heard.as_ref().ok()).cloned();
        Self {
            stored: farming.stored.iter().filter(|one| farming::is_staked_by(one)).cloned().collect(),
            all: farming.settings.strategy,
            answer: answer.unwrap_or_default(),
            of: HashMap::new(),
        }
    }

    /// `state_changed` where another stake, or none, would come of it now.
    pub fn hold(&self, conn: &Connection, intent: &Intent) -> Result<()> {
        let Some((balance, most, stake)) = self.of.get(&intent.key) else { return Ok(()) };
        if farming::staked_by(conn)? != self.stored {
            return Err(still::changed("the settings of the stakes were changed"));
        }
        let Farmer { id, address, strategy, stake_percentage_ppm, .. } =
            farmers::by_id(conn, &intent.subject)?;
        let terms = self.answer.get(&id).copied().unwrap_or_default().or(strategy).or(self.all);
        if terms.plants() && terms.stake(*balance, stake_percentage_ppm, *most)? == *stake {
            return Ok(());
        }
        Err(still::changed(format_args!("the terms of farmer {address} were changed")))
    }
}

impl PreparedPlant {
    /// Stroops that would be staked in all.
    pub fn total(&self) -> Base {
        self.wanted.iter().fold(Base::ZERO, |sum, (_, stake, _)| sum.saturating_add(*stake))
    }

    fn settle(&mut self, who: &Who, stake: Base, outcome: PlantOutcome) {
        self.settled.push(Planted { who: who.clone(), stake, outcome });
    }

    /// Sorts out who has a pail in the block already; returns the others, with their accounts.
    fn without_pail<'h>(
        &mut self,
        conn: &Connection,
        hands: &'h [FarmerRow],
    ) -> Result<Vec<(&'h FarmerRow, Option<Wallet>)>> {
        let recorded: HashMap<String, Base> =
            rows::pails_in(conn, self.index)?.into_iter().map(|pail| (pail.farmer, pail.stake)).collect();
        let is_current = self.index == self.view.farm.index;
        let mut others = Vec::new();
        for (hand, standing) in hands.iter().zip(self.view.farmers.clone()) {
            if let Some(stake) = recorded.get(&hand.who.id) {
                self.settle(&hand.who, *stake, PlantOutcome::Already);
            } else if let Some(pail) = standing.pail.filter(|_| is_current) {
                self.found.push((standing.who, pail));
            } else {
                others.push((hand, standing.wallet));
            }
        }
        Ok(others)
    }
}

/// Why `strategy.command` is not asked about a plant: work that is due does not wait for an answer. `None` where there is time,
/// or nothing to ask.
fn no_time_to_ask(farming: &Farming<'_, '_>, index: u32, due: u64, now: u64) -> Result<Option<Error>> {
    let settings = &farming.settings;
    let pails = rows::pails_in(farming.work.state.conn(), index)?;
    let unworked = pails.iter().filter(|pail| pail.work.is_none() && pail.held.is_none()).count();
    let Some(command) = settings.command.as_ref().filter(|_| unworked > 0) else { return Ok(None) };
    let first = begin(unworked, settings.submitters.len(), due.saturating_sub(settings.work_margin));
    if farming.heard_of(index).is_some() || now.saturating_add(command.timeout.as_secs()) < first {
        return Ok(None);
    }
    let why = format!(
        "strategy.command: no time is left to ask it about block {index}: work is due first, for {}",
        counted(unworked, "pail")
    );
    let hint = "it is asked again in the next block; a shorter strategy.timeout_sec leaves more time";
    Ok(Some(Error::new(Code::StrategyFailed, why).hint(hint)))
}

/// Looks at the farm and works out who plants how much. `hands` are the active farmers.
/// `farm_paused` where nobody can plant.
pub async fn prepare(farming: &mut Farming<'_, '_>, hands: &[FarmerRow]) -> Result<PreparedPlant> {
    let who: Vec<Who> = hands.iter().map(|hand| hand.who.clone()).collect();
    let view = farming.look(&who, true).await?;
    if view.farm.paused {
        return Err(Error::new(Code::FarmPaused, Fault::FarmPaused.to_string())
            .hint("only its administrator can let it go on; harvest still works"));
    }
    let planting = schedule::planting(&view.farm, view.current(), view.at, farming.settings.plant_cutoff)
        .map_err(|refusal| Error::new(Code::TransactionFailed, refusal.to_string()))?;
    let (index, open, wait) = match planting {
        Planting::Now { index, block, valid_until, .. } => (index, Some((block, valid_until)), None),
        Planting::Wait { until } => (view.farm.index, None, Some(until)),
    };
    let (wanted, settled, found, lacks) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let stakes = Stakes::default();
    let mut prepared = PreparedPlant {
        index,
        wait,
        wanted,
        settled,
        refused: None,
        sponsor: None,
        found,
        lacks,
        stakes,
        view,
    };
    let mut candidates = prepared.without_pail(farming.work.state.conn(), hands)?;
    if let Some((block, valid_until)) = open.as_ref().filter(|_| !candidates.is_empty()) {
        let due = valid_until.saturating_add(1);
        if let Some(why) = no_time_to_ask(farming, index, due, prepared.view.at.time)? {
            prepared.refused = Some(why);
            return Ok(prepared);
        }
        let asked = TargetBlock { index, entry: block.clone(), due };
        farming.consult(&asked, prepared.view.at.time).await?;
        prepared.refused = farming.unanswered(index).cloned();
        if prepared.refused.is_some() {
            return Ok(prepared);
        }
    }
    if wait.is_none() && !candidates.is_empty() {
        farming::submitter::choose(farming)?;
    }
    prepared.stakes = Stakes::begin(farming, index);
    let strategies = farming.strategies(index)?;
    candidates.retain(|(hand, _)| {
        let plants = strategies.of(&hand.who.id).plants();
        if !plants {
            prepared.settle(&hand.who, Base::ZERO, PlantOutcome::HarvestOnly);
        }
        plants
    });
    let asked: Vec<_> = candidates
        .iter()
        .map(|(hand, wallet)| (hand.who.id.as_str(), hand.status, wallet.as_ref()))
        .collect();
    let judged = farming::judge(farming, &asked).await?;
    for ((hand, wallet), verdict) in candidates.into_iter().zip(&judged.farmers) {
        let who = &hand.who;
        prepared.lacks.push((who.clone(), verdict.lacks.clone()));
        let Some((block, valid_until)) = &open else { continue };
        let balance = wallet.and_then(|wallet| wallet.kale).map_or(Base::ZERO, |kale| kale.balance);
        let most = if farming.settings.cap_stake { base(block.max_stake).ok() } else { None };
        let staked = if let Some(lack) = verdict.lacks.first() {
            Err((lack.reason(), judged.why(*lack, &who.address)))
        } else {
            let stake = strategies.of(&who.id).stake(balance, hand.stake_percentage_ppm, most);
            stake.map_err(|e| (Reason::Other, e))
        };
        match staked {
            Ok(stake) => {
                let intent = intent(farming, who, index, stake, *valid_until)?;
                prepared.stakes.of.insert(intent.key.clone(), (balance, most, stake));
                prepared.wanted.push((who.clone(), stake, intent));
            }
            Err((reason, error)) => prepared.settle(who, Base::ZERO, PlantOutcome::Failed { reason, error }),
        }
    }
    prepared.sponsor = judged.sponsor;
    Ok(prepared)
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
    let key = plant_key(farming.site.network(), &who.address, index);
    let action = invoke(farming.site, &Call::Plant { farmer: who.contract_address(), amount })?;
    plan::intent(kind::PLANT, key, who, &plan, action, Some(valid_until))
}
