//! What the farm would do next and why, and what the work for each farmer would earn. It only reads.

use crate::chain::Who;
use crate::chain::site::Site;
use crate::chain::view::{Ask, View};
use crate::contract::Pail;
use crate::contract::forecast::{self, Forecast};
use crate::contract::model::Refusal;
use crate::farming::{self, Scope, Strategies, TargetBlock, missed};
use crate::fees::purse::{Books, Spares};
use crate::fees::sponsor::Sponsor;
use crate::record::rows::{self, FarmerRow};
use crate::schedule::{self, Action, Planting, Stock};
use crate::settings::{Policy, Settings};
use crate::strategy::{Answer, Strategy};
use crate::work::{Orders, needs_work, nonces};
use base::amount::Base;
use base::{Code, Result, Stop};
use rusqlite::Connection;

/// The stake whose marginal value is asked for: one KALE, in stroops.
pub const STAKE_UNIT: i128 = 10_000_000;

/// How a farmer stands in the current block, and what it can earn there. Amounts in stroops.
#[derive(Debug, Clone)]
pub struct Prospect {
    /// The farmer.
    pub hand: FarmerRow,
    /// What it is farmed by.
    pub strategy: Strategy,
    /// Its pail.
    pub pail: Option<Pail>,
    /// Zeros of the best nonce at hand.
    pub best: Option<u32>,
    /// What a harvest would pay as the pail stands, without the stake; `None` where it was not worked.
    pub paid_now: Option<i128>,
    /// What work in the next ledger would earn, with the best nonce at hand, or with the zeros that are aimed at; `None` where
    /// it is too late for work.
    pub work: Option<Result<Forecast, Refusal>>,
}

impl Prospect {
    /// Whether it is planted for.
    pub fn plants(&self) -> bool {
        self.hand.status.plants() && self.strategy.plants()
    }
}

/// What is next.
#[derive(Debug)]
pub struct Outlook {
    /// The farm as it was looked at.
    pub view: View,
    /// Zeros that are worth having, where a farmer has no target of its own.
    pub cap: Option<u32>,
    /// When the best is submitted, in seconds of ledger time.
    pub deadline: Option<u64>,
    /// What is to be done, the first first.
    pub agenda: Vec<Action>,
    /// Farmers that are served.
    pub prospects: Vec<Prospect>,
    /// How many stakes will be lost, and what they come to: no work got in before their block ended.
    pub missed: (usize, Base),
    /// The sponsor, where there is one.
    pub sponsor: Option<Sponsor>,
    /// What the strategy's command says of this block, where there is one, or why it says nothing.
    pub answer: Option<(u32, Result<Answer>)>,
    /// The submitters.
    pub submitters: Vec<Sponsor>,
}

/// Looks at the farm and works it out.
pub async fn look(
    conn: &Connection,
    site: &Site,
    settings: &Settings,
    orders: &Orders,
    books: &Books,
    stop: &Stop,
) -> Result<Outlook> {
    let hands: Vec<FarmerRow> =
        rows::hands(conn)?.into_iter().filter(|hand| hand.status.is_served()).collect();
    let who: Vec<Who> = hands.iter().map(|hand| hand.who.clone()).collect();
    let ask = Ask { who: &who, wallets: false, guess: rows::last_block(conn)? };
    let view = View::read(site, &ask).await?;
    let spares = site.client.view(async |view| Spares::read(view, books).await).await?;
    let answer = consult(conn, site, settings, &view, stop).await?;
    let mut strategies = Strategies::read(conn, settings.strategy)?;
    if let Some((_, Ok(answer))) = &answer {
        strategies = strategies.with(answer);
    }
    let plants = |hand: &FarmerRow| hand.status.plants() && strategies.of(&hand.who.id).plants();
    let planters = hands.iter().filter(|hand| plants(hand)).count();
    let sponsor = books.sponsor_of(spares.sponsor, planters);
    let submitters = books.submitters_of(&spares, planters);
    let mut prospects = Vec::with_capacity(hands.len());
    for (hand, standing) in hands.into_iter().zip(&view.farmers) {
        let pail = standing.pail.as_ref().map(|living| living.entry.clone());
        let strategy = strategies.of(&hand.who.id);
        prospects.push(prospect(conn, &view, strategy, hand, pail)?);
    }
    let cap = view.current().map(|block| settings.strategy.enough(block));
    let stock = stock(conn, &view, &prospects, orders.policy)?;
    let agenda = schedule::agenda(&view.farm, view.current(), view.at, stock, settings);
    let deadline = view.due().map(|due| orders.deadline_of(due, settings));
    let overdue = missed::overdue(conn, &Scope::All, (view.farm.index, view.work_until()))?;
    let seen = missed::seen(conn, site, &overdue).await?;
    let missed =
        missed::total(seen.iter().filter(|(_, pail)| !pail.worked()).map(|(missed, _)| missed.stake));
    Ok(Outlook { view, cap, deadline, agenda, prospects, missed, sponsor, answer, submitters })
}

/// What the strategy's command says of the block that is planted in next, or worked, where that is too late.
async fn consult(
    conn: &Connection,
    site: &Site,
    settings: &Settings,
    view: &View,
    stop: &Stop,
) -> Result<Option<(u32, Result<Answer>)>> {
    let Some(program) = &settings.command else { return Ok(None) };
    let planting = schedule::planting(&view.farm, view.current(), view.at, settings.plant_cutoff);
    let asked = match (planting, view.current().cloned().zip(view.due())) {
        (Ok(Planting::Now { index, block, valid_until, .. }), _) => {
            TargetBlock { index, entry: block, due: valid_until.saturating_add(1) }
        }
        (_, Some((entry, due))) => TargetBlock { index: view.farm.index, entry, due },
        (_, None) => return Ok(None),
    };
    match farming::ask(conn, site, (program, stop), settings.strategy, &asked).await {
        Err(e) if e.code() != Code::StrategyFailed => Err(e),
        answer => Ok(Some((asked.index, answer))),
    }
}

fn prospect(
    conn: &Connection,
    view: &View,
    strategy: Strategy,
    hand: FarmerRow,
    pail: Option<Pail>,
) -> Result<Prospect> {
    let index = view.farm.index;
    let (mut best, mut paid_now, mut work) = (None, None, None);
    if let (Some(block), Some(pail)) = (view.current(), &pail) {
        if let Some(job) = block.job(index, &hand.who.contract_address()) {
            let stored = nonces::load(conn, &hand.who.id, &job)?;
            best = stored.and_then(|(_, best)| best).map(|best| best.zeros);
        }
        paid_now = forecast::paid_now(index, block, pail).ok();
        let aim = strategy.enough(block);
        let zeros = match (best, pail.zeros) {
            (Some(best), has) if has.is_none_or(|has| best > has) => best,
            (_, Some(has)) => aim.max(has.saturating_add(1)),
            (_, None) => aim,
        };
        let ledger = view.at.ledger.saturating_add(1);
        work = view.work_until().map(|_| forecast::of_work(index, block, pail, ledger, zeros, STAKE_UNIT));
    }
    Ok(Prospect { hand, strategy, pail, best, paid_now, work })
}

fn stock(conn: &Connection, view: &View, prospects: &[Prospect], policy: Policy) -> Result<Stock> {
    let index = view.farm.index;
    let (rolled, older) = rows::rolled_and_older(&rows::pails_before(conn, index)?, index);
    let planters = prospects.iter().filter(|prospect| prospect.plants());
    let own = rows::own_works(conn, index)?;
    let needs = |prospect: &&Prospect| {
        let own = own.get(&prospect.hand.who.id).copied();
        let enough = view.current().map_or(0, |block| prospect.strategy.enough(block));
        prospect.pail.as_ref().is_some_and(|pail| needs_work(policy, pail.zeros, own, enough))
    };
    let pails = prospects.iter().filter_map(|prospect| prospect.pail.as_ref());
    Ok(Stock {
        planters: planters.clone().count(),
        idle: planters.filter(|prospect| prospect.pail.is_none()).count(),
        unworked: prospects.iter().filter(needs).count(),
        worked: pails.filter(|pail| pail.worked()).count(),
        rolled,
        older,
    })
}
