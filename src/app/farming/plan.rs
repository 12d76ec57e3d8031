//! Of `farm plan`: what would be done next, and why.

use crate::farming::block::signed;
use crate::farming::losses::MissedView;
use crate::farming::{LedgerStamp, SponsorView, kale, site, time};
use crate::{App, Document};
use base::amount::Quantity;
use base::{Result, forms};
use kale::contract::{Block, base};
use kale::forecast::Forecast;
use kale::outlook::{self, Outlook, Prospect};
use kale::purse::Books;
use kale::schedule::Action;
use kale::settings::Settings;
use kale::sponsor::Sponsor;
use kale::strategy::Answer;
use kale::work::Orders;
use schemars::JsonSchema;
use serde::Serialize;
use watch::metrics::Gauge;

/// One thing to do.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ActionView {
    /// `plant`, `work` or `harvest`.
    pub step: &'static str,
    /// For which block.
    pub block: u32,
    /// For how many farmers, or pails.
    pub count: usize,
    /// From when on.
    #[schemars(with = "forms::Time")]
    pub from: String,
    /// By when, where that is limited.
    #[schemars(with = "Option<forms::Time>")]
    pub until: Option<String>,
    /// Why then.
    pub why: &'static str,
}

impl From<&Action> for ActionView {
    fn from(action: &Action) -> Self {
        Self {
            step: action.step.as_str(),
            block: action.block,
            count: action.count,
            from: time(action.from),
            until: action.until.map(time),
            why: action.why,
        }
    }
}

/// What work would earn. Changes carry a sign.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EarningView {
    /// Zeros of the work.
    pub zeros: u32,
    /// Ledgers from plant to work.
    pub gap: u32,
    /// What the harvest would pay, in KALE.
    #[schemars(with = "forms::Decimal")]
    pub reward: String,
    /// How much of that the work adds.
    #[schemars(with = "forms::Change")]
    pub adds: String,
    /// With one more zero.
    #[schemars(with = "forms::Change")]
    pub one_more_zero: String,
    /// A ledger later.
    #[schemars(with = "forms::Change")]
    pub one_more_ledger: String,
    /// With one more KALE of stake.
    #[schemars(with = "forms::Change")]
    pub one_more_kale: String,
}

/// The state of a farmer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProspectView {
    /// Id.
    pub farmer: String,
    /// `G…`.
    #[schemars(with = "forms::StellarAccount")]
    pub address: String,
    /// `not_active` or `harvest_only` (it will not be planted for), `not_planted`, `planted`, `worked`, or `too_late` (planted
    /// and not worked, and no work gets in any more: the stake will be lost).
    pub status: &'static str,
    /// At stake.
    pub stake: Option<Quantity>,
    /// Zeros of the work that is in.
    pub zeros: Option<u32>,
    /// Zeros of the best nonce at hand.
    pub best_zeros: Option<u32>,
    /// Zeros that are enough for it in this block.
    pub target_zeros: Option<u32>,
    /// What a harvest would pay now, without the stake.
    pub reward_now: Option<Quantity>,
    /// What work in the next ledger would earn; null where there is no pail, it is too late, or the contract would refuse it.
    pub work: Option<EarningView>,
    /// Why the contract would refuse it.
    pub refusal: Option<String>,
}

/// What strategy.command says of a farmer; null = nothing, and its own terms hold.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SaidView {
    /// Id.
    pub farmer: String,
    /// What to stake, within its balance and bounds.
    pub stake: Option<Quantity>,
    /// Zeros that are enough.
    pub target_zeros: Option<u32>,
    /// Seconds of the block before which no work is submitted.
    pub min_work_sec: Option<u64>,
    /// Whether nothing is planted.
    pub harvest_only: Option<bool>,
}

/// What strategy.command says of a block.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AnswerView {
    /// The block.
    pub block: u32,
    /// Why it gives no answer that can be used: nothing is planted in this block.
    pub error: Option<String>,
    /// The farmers that it names.
    pub farmers: Vec<SaidView>,
}

impl AnswerView {
    fn of(block: u32, answer: Result<Answer>, prospects: &[Prospect]) -> Self {
        let (answer, error) = match answer {
            Ok(answer) => (answer, None),
            Err(e) => (Answer::new(), Some(e.message().to_owned())),
        };
        let farmers = prospects.iter().filter_map(|prospect| {
            let said = answer.get(&prospect.hand.who.id)?;
            Some(SaidView {
                farmer: prospect.hand.who.id.clone(),
                stake: said.stake.map(kale),
                target_zeros: said.target_zeros,
                min_work_sec: said.min_work_sec,
                harvest_only: said.harvest_only,
            })
        });
        Self { block, error, farmers: farmers.collect() }
    }
}

/// What is next.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PlanOutput {
    /// Whose view it is.
    pub view: LedgerStamp,
    /// The block.
    pub block: u32,
    /// Whether planting is stopped.
    pub paused: bool,
    /// Age of the block.
    pub age_sec: Option<u64>,
    /// When a plant rolls it over.
    #[schemars(with = "Option<forms::Time>")]
    pub due_at: Option<String>,
    /// When the best work is submitted.
    #[schemars(with = "Option<forms::Time>")]
    pub deadline: Option<String>,
    /// When work is submitted.
    pub policy: &'static str,
    /// Zeros that are worth having in this block, where a farmer has no target of its own.
    pub zeros_cap: Option<u32>,
    /// What is to be done, the first first.
    pub actions: Vec<ActionView>,
    /// Farmers that are served.
    pub farmers: Vec<ProspectView>,
    /// Stakes that will be lost.
    pub will_be_lost: MissedView,
    /// The fee sponsor, where there is one.
    pub sponsor: Option<SponsorView>,
    /// What strategy.command says, where there is one.
    pub strategy: Option<AnswerView>,
    /// The submitters.
    pub submitters: Vec<SponsorView>,
    /// When it was looked, by the ledger.
    #[serde(skip)]
    pub now: u64,
    /// The actions, with their times in seconds.
    #[serde(skip)]
    pub agenda: Vec<Action>,
    #[serde(skip)]
    warnings: Vec<String>,
}

/// Looks, and says what is next.
pub fn plan(app: &App<'_>, orders: &Orders) -> Result<PlanOutput> {
    let settings = Settings::of(&app.config)?;
    let state = app.read()?;
    let now = app.call().run.clock.now();
    let books =
        Books::read(state.conn(), &settings, &app.submit_options()?, now)?.with_spent(state.conn(), now)?;
    let seen = app.look_on_stellar(async |client| {
        let site = site(app, client)?;
        outlook::look(state.conn(), &site, &settings, orders, &books, &app.call().stop).await
    });
    Ok(PlanOutput::of(seen.map_err(|e| e.context("cannot plan"))?, orders))
}

impl PlanOutput {
    fn of(seen: Outlook, orders: &Orders) -> Self {
        let Outlook { view, cap, deadline, agenda, prospects, missed, sponsor, submitters, answer } = seen;
        let block = view.current();
        let (will_be_lost, work_until) = (MissedView::from(missed), view.work_until());
        let payers = sponsor.iter().chain(&submitters);
        let mut warnings: Vec<String> = will_be_lost.words().into_iter().collect();
        warnings.extend(payers.filter_map(Sponsor::why));
        warnings.extend(kale::fees::short_of(prospects.len(), submitters.len()));
        if let Some((block, Err(e))) = &answer {
            warnings.push(format!("nothing is planted in block {block}: {}", e.message()));
        }
        Self {
            view: LedgerStamp::from(&view),
            block: view.farm.index,
            paused: view.farm.paused,
            age_sec: block.map(|block| view.at.time.saturating_sub(block.timestamp)),
            due_at: view.farm.due().map(time),
            deadline: deadline.map(time),
            policy: orders.policy.as_str(),
            zeros_cap: cap,
            actions: agenda.iter().map(ActionView::from).collect(),
            farmers: prospects.iter().map(|prospect| ProspectView::of(prospect, block, work_until)).collect(),
            will_be_lost,
            sponsor: sponsor.as_ref().map(SponsorView::from),
            strategy: answer.map(|(block, answer)| AnswerView::of(block, answer, &prospects)),
            submitters: submitters.iter().map(SponsorView::from).collect(),
            now: view.at.time,
            agenda,
            warnings,
        }
    }
}

impl Document for PlanOutput {
    fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn gauges(&self) -> Vec<Gauge> {
        let due = self.agenda.iter().filter(|action| action.is_due(self.now)).count();
        vec![
            Gauge::new("poolctl_farm_block_index", "The farm's block, as it was seen last.", self.block),
            Gauge::new("poolctl_farm_due_steps", "Steps of the farm that are due.", due),
        ]
    }
}

impl ProspectView {
    fn of(prospect: &Prospect, block: Option<&Block>, work_until: Option<u64>) -> Self {
        let pail = prospect.pail.as_ref();
        let status = match pail {
            None if !prospect.hand.status.plants() => "not_active",
            None if !prospect.plants() => "harvest_only",
            None => "not_planted",
            Some(pail) if pail.worked() => "worked",
            Some(_) if work_until.is_none() => "too_late",
            Some(_) => "planted",
        };
        let work = prospect.work.as_ref();
        Self {
            farmer: prospect.hand.who.id.clone(),
            address: prospect.hand.who.address.clone(),
            status,
            stake: pail.and_then(|pail| base(pail.stake).ok()).map(kale),
            zeros: pail.and_then(|pail| pail.zeros),
            best_zeros: prospect.best,
            target_zeros: block.map(|block| prospect.strategy.enough(block)),
            reward_now: prospect.paid_now.and_then(|paid| base(paid).ok()).map(kale),
            work: work.and_then(|work| work.as_ref().ok()).map(EarningView::of),
            refusal: work.and_then(|work| work.as_ref().err()).map(ToString::to_string),
        }
    }
}

impl EarningView {
    fn of(forecast: &Forecast) -> Self {
        Self {
            zeros: forecast.zeros,
            gap: forecast.gap,
            reward: signed(forecast.reward),
            adds: signed(forecast.adds),
            one_more_zero: signed(forecast.one_more_zero),
            one_more_ledger: signed(forecast.one_more_ledger),
            one_more_kale: signed(forecast.more_stake),
        }
    }
}
