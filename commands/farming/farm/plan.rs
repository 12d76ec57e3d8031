//! `poolctl farm plan`: what would be done next, and why.

use crate::farming::work::OrderFlags;
use crate::shell::prelude::*;
use app::farming::block::signed;
use app::farming::{self, LedgerStamp, SponsorView, kale, time};
use base::amount::Quantity;
use base::{clock, forms};
use kale::contract::Block;
use kale::contract::base;
use kale::forecast::Forecast;
use kale::outlook::{self, Outlook, Prospect};
use kale::purse::Books;
use kale::schedule::Action;
use kale::settings::Settings;
use kale::strategy::Answer;
use kale::work::Orders;
use watch::metrics::Gauge;

/// Explain what would be done next, when and why, and what each farmer's work would earn
///
/// Times are the ledger's. Rewards are what the contract would pay if nobody else worked in this block from now on; the
/// marginal values are what one more zero, one more ledger and one more KALE of stake would change.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl farm plan --json")]
pub struct Plan {
    #[command(flatten)]
    orders: OrderFlags,
}

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
            step: action.step.word(),
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

/// How a farmer stands.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProspectView {
    /// Id.
    pub farmer: String,
    /// `G…`.
    #[schemars(with = "forms::StellarAccount")]
    pub address: String,
    /// `not_active` or `harvest_only` (it will not be planted for), `not_planted`, `planted` or `worked`.
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
    /// What work in the next ledger would earn; null where there is no pail or the contract would refuse it.
    pub work: Option<EarningView>,
    /// Why the contract would refuse it.
    pub refusal: Option<String>,
}

/// What strategy.command says of a farmer; null = nothing, and its own terms stand.
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
    /// The fee sponsor, where there is one.
    pub sponsor: Option<SponsorView>,
    /// What strategy.command says, where there is one.
    pub strategy: Option<AnswerView>,
    /// The submitters.
    pub submitters: Vec<SponsorView>,
    #[serde(skip)]
    now: u64,
    #[serde(skip)]
    agenda: Vec<Action>,
}

impl Plan {
    pub(super) fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let orders = self.orders.or(&app)?;
        show(&app, &orders)
    }
}

/// Looks, and shows what is next.
pub fn show(app: &App<'_>, orders: &Orders) -> Result<Outcome> {
    let settings = Settings::of(&app.config)?;
    let state = app.read()?;
    let now = app.call().run.clock.now();
    let books = Books::read(state.conn(), &settings, &app.terms()?, now)?.with_spent(state.conn(), now)?;
    let seen = app
        .look_on_stellar(async |client| {
            let site = farming::site(app, client)?;
            outlook::look(state.conn(), &site, &settings, orders, &books, &app.call().stop).await
        })
        .map_err(|e| e.context("cannot plan"))?;
    let output = PlanOutput::of(seen, orders);
    let gauges = output.gauges();
    let payers = output.sponsor.iter().chain(&output.submitters);
    let low: Vec<String> = payers.filter_map(|payer| payer.why.clone()).collect();
    let short = kale::fees::short_of(output.farmers.len(), output.submitters.len());
    let unanswered = output.strategy.as_ref().and_then(|answer| {
        answer.error.as_ref().map(|error| format!("nothing is planted in block {}: {error}", answer.block))
    });
    Ok(Outcome::of(&output)?.gauges(gauges).warn(low).warn(short).warn(unanswered))
}

impl PlanOutput {
    fn of(seen: Outlook, orders: &Orders) -> Self {
        let Outlook { view, cap, deadline, agenda, prospects, sponsor, submitters, answer } = seen;
        let block = view.current();
        Self {
            view: LedgerStamp::from(&view),
            block: view.farm.index,
            paused: view.farm.paused,
            age_sec: block.map(|block| view.at.time.saturating_sub(block.timestamp)),
            due_at: view.farm.due().map(time),
            deadline: deadline.map(time),
            policy: orders.policy.word(),
            zeros_cap: cap,
            actions: agenda.iter().map(ActionView::from).collect(),
            farmers: prospects.iter().map(|prospect| ProspectView::of(prospect, block)).collect(),
            sponsor: sponsor.as_ref().map(SponsorView::from),
            strategy: answer.map(|(block, answer)| AnswerView::of(block, answer, &prospects)),
            submitters: submitters.iter().map(SponsorView::from).collect(),
            now: view.at.time,
            agenda,
        }
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
    fn of(prospect: &Prospect, block: Option<&Block>) -> Self {
        let pail = prospect.pail.as_ref();
        let status = match pail {
            None if !prospect.hand.status.plants() => "not_active",
            None if !prospect.plants() => "harvest_only",
            None => "not_planted",
            Some(pail) if pail.worked() => "worked",
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

impl Present for PlanOutput {
    fn present(&self, page: &mut Page) {
        let dash = || "–".to_owned();
        let age = self.age_sec.map_or_else(dash, clock::span);
        let paused = if self.paused { ", paused" } else { "" };
        page.pairs([
            ("block", format!("{}{paused}", self.block)),
            ("age", age),
            ("rolls over", self.due_at.clone().unwrap_or_else(dash)),
            ("work by", self.deadline.clone().unwrap_or_else(dash)),
            ("zeros that count", self.zeros_cap.map_or_else(dash, |cap| cap.to_string())),
        ]);
        page.gap();
        for payer in self.sponsor.iter().chain(&self.submitters) {
            page.line(payer);
        }
        if self.agenda.is_empty() {
            page.line("nothing is to be done");
            if self.farmers.iter().any(|farmer| farmer.status == "not_active") {
                page.line("what farmers lack to be active: poolctl farmer check-funding --all");
            }
        } else {
            page.rows(["WHEN", "STEP", ">BLOCK", ">FOR", "BY", "WHY"], &self.agenda, |one| {
                let left = one.from.saturating_sub(self.now);
                let when = if left == 0 { "now".to_owned() } else { format!("in {}", clock::span(left)) };
                cells![when, one.step.word(), one.block, one.count, one.until.map(time), one.why]
            });
        }
        if !self.farmers.is_empty() {
            page.gap();
        }
        let heads = [
            "FARMER",
            "STATUS",
            ">ZEROS",
            ">BEST",
            ">AIM",
            ">PAYS NOW",
            ">WITH",
            ">WORK PAYS",
            ">+1 ZERO",
            ">+1 LEDGER",
            ">+1 KALE",
        ];
        page.rows(heads, &self.farmers, |one| {
            let work = |pick: fn(&EarningView) -> &String| one.work.as_ref().map(pick);
            cells![
                one.address,
                one.status.replace('_', " "),
                one.zeros,
                one.best_zeros,
                one.target_zeros,
                one.reward_now,
                one.work.as_ref().map(|work| work.zeros),
                work(|work| &work.reward),
                work(|work| &work.one_more_zero),
                work(|work| &work.one_more_ledger),
                work(|work| &work.one_more_kale),
            ]
        });
        if let Some(answer) = self.strategy.as_ref().filter(|answer| !answer.farmers.is_empty()) {
            page.gap().line(format!("strategy.command says of block {}:", answer.block));
            let heads = ["FARMER", ">STAKE", ">AIM", ">NO WORK BEFORE", "HARVEST ONLY"];
            page.rows(heads, &answer.farmers, |said| {
                let (before, only) = (said.min_work_sec.map(clock::span), said.harvest_only);
                cells![said.farmer, said.stake, said.target_zeros, before, only.map(|only| only.to_string())]
            });
        }
        page.line(&self.view);
    }
}
