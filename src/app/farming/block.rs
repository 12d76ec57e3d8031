//! Of `block`: the farm's current block, and what our farmers have in it.

use crate::Document;
use crate::farming::{LedgerStamp, kale, time};
use base::amount::{Base, Quantity, to_units};
use base::{Result, forms};
use kale::contract::{Block as Entry, DECIMALS, Pail, base};
use kale::farming::Strategies;
use kale::forecast::{Forecast, of_work, paid_now};
use kale::model::Refusal;
use kale::nonces::hex;
use kale::reward::block_reward;
use kale::view::{Standing, View};
use schemars::JsonSchema;
use serde::Serialize;
use watch::metrics::Gauge;

/// What one more KALE would change is asked for in this unit.
const UNIT: i128 = 10_000_000;

/// A range of what counts.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RangeView<T> {
    /// Less counts as this.
    pub min: T,
    /// More counts as this.
    pub max: T,
}

impl<T: std::fmt::Display> std::fmt::Display for RangeView<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}", self.min, self.max)
    }
}

/// A farmer's pail.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PailView {
    /// Id.
    pub farmer: String,
    /// `G…`.
    #[schemars(with = "forms::StellarAccount")]
    pub address: String,
    /// At stake.
    pub stake: Quantity,
    /// Ledger of the plant.
    pub planted_ledger: u32,
    /// Ledgers from plant to work; null = not worked.
    pub gap: Option<u32>,
    /// Zeros of the work; null = not worked.
    pub zeros: Option<u32>,
    /// What the contract would pay now; null = not worked.
    pub pays: Option<Quantity>,
    /// What work now would pay: with the zeros that are enough, or one more than there are; null where it is too late.
    pub work: Option<WorkView>,
    /// Whether it is not worked, and no work gets in any more: the stake will be lost.
    pub too_late: bool,
    /// Last ledger of the pail's entry.
    pub live_until: Option<u32>,
}

/// What work would come to. Changes are signed decimals of KALE.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WorkView {
    /// Ledgers from plant to work.
    pub gap: u32,
    /// Its zeros.
    pub zeros: u32,
    /// The reward.
    #[schemars(with = "forms::Decimal")]
    pub reward: String,
    /// How much of it the work adds.
    #[schemars(with = "forms::Change")]
    pub adds: String,
    /// One more zero.
    #[schemars(with = "forms::Change")]
    pub one_more_zero: String,
    /// One more ledger.
    #[schemars(with = "forms::Change")]
    pub one_more_ledger: String,
    /// One more KALE of stake.
    #[schemars(with = "forms::Change")]
    pub one_more_kale: String,
}

/// The block.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BlockOutput {
    /// Whose view it is.
    pub view: LedgerStamp,
    /// The farm contract.
    #[schemars(with = "forms::StellarContract")]
    pub farm: String,
    /// The block's number.
    pub block: u32,
    /// Whether planting is stopped.
    pub paused: bool,
    /// When it began; null where its entry is not there.
    #[schemars(with = "Option<forms::Time>")]
    pub began_at: Option<String>,
    /// Seconds of ledger time since then.
    pub age_sec: Option<u64>,
    /// When a plant rolls it over; null for a farm that was never set up.
    #[schemars(with = "Option<forms::Time>")]
    pub due_at: Option<String>,
    /// What its work is hashed with, in hexadecimal, as `grind --entropy` takes it.
    pub entropy: Option<String>,
    /// Given out for it, apart from forfeited stakes.
    pub reward: Quantity,
    /// Planted and not worked yet.
    pub staked: Option<Quantity>,
    /// Gaps that count, in ledgers.
    pub gaps: Option<RangeView<u32>>,
    /// Stakes that count.
    pub stakes: Option<RangeView<Quantity>>,
    /// Zeros that count.
    pub zeros: Option<RangeView<u32>>,
    /// Our pails.
    pub pails: Vec<PailView>,
    /// Stakes of earlier blocks that are neither back nor lost.
    pub open_pails: usize,
    /// Seconds until it is due.
    #[serde(skip)]
    pub left_sec: Option<u64>,
}

impl BlockOutput {
    /// The block as a view shows it, with what each open pail would be paid.
    pub fn of(view: &View, farm: String, open_pails: usize, strategies: &Strategies) -> Self {
        let block = view.current();
        let stroops = |amount: i128| kale(base(amount).unwrap_or_default());
        let pails = view.farmers.iter().filter_map(|standing| pail(view, standing, strategies)).collect();
        Self {
            view: LedgerStamp::from(view),
            farm,
            block: view.farm.index,
            paused: view.farm.paused,
            began_at: block.map(|block| time(block.timestamp)),
            age_sec: block.map(|block| view.at.time.saturating_sub(block.timestamp)),
            due_at: view.farm.due().map(time),
            entropy: block.map(|block| hex(&block.entropy)),
            reward: stroops(block_reward(view.farm.index)),
            staked: block.map(|block| stroops(block.staked_total)),
            gaps: block.map(|block| RangeView { min: block.min_gap, max: block.max_gap }),
            stakes: block
                .map(|block| RangeView { min: stroops(block.min_stake), max: stroops(block.max_stake) }),
            zeros: block.map(|block| RangeView { min: block.min_zeros, max: block.max_zeros }),
            pails,
            open_pails,
            left_sec: view.farm.due().map(|due| due.saturating_sub(view.at.time)),
        }
    }
}

impl Document for BlockOutput {
    fn gauges(&self) -> Vec<Gauge> {
        let age = self.age_sec;
        [
            Gauge::new("poolctl_farm_block_index", "The farm's block, as it was seen last.", self.block),
            Gauge::new("poolctl_farm_paused", "Whether planting is stopped.", u8::from(self.paused)),
            Gauge::new("poolctl_farm_our_pails", "Our pails in the block.", self.pails.len()),
        ]
        .into_iter()
        .chain(age.map(|age| Gauge::new("poolctl_farm_block_age_seconds", "Age of the block.", age)))
        .collect()
    }
}

/// A farmer's pail, where it has one in this block.
pub fn pail(view: &View, standing: &Standing, strategies: &Strategies) -> Option<PailView> {
    let living = standing.pail.as_ref()?;
    let pail = &living.entry;
    let index = view.farm.index;
    let pays = view.current().and_then(|block| paid_now(index, block, pail).ok());
    Some(PailView {
        farmer: standing.who.id.clone(),
        address: standing.who.address.clone(),
        stake: kale(base(pail.stake).unwrap_or_default()),
        planted_ledger: pail.sequence,
        gap: pail.gap,
        zeros: pail.zeros,
        pays: pays.and_then(|pays| base(pays).ok()).map(kale),
        too_late: !pail.worked() && view.work_until().is_none(),
        work: view
            .current()
            .filter(|_| view.work_until().is_some())
            .and_then(|block| work_now(view, block, pail, strategies.of(&standing.who.id).enough(block)).ok())
            .map(|forecast| WorkView::of(&forecast)),
        live_until: living.live_until,
    })
}

/// What work in the next ledger would pay: with as many zeros as are enough, or one more than there are.
fn work_now(view: &View, block: &Entry, pail: &Pail, enough: u32) -> Result<Forecast, Refusal> {
    let zeros = pail.zeros.map_or(enough, |zeros| enough.max(zeros + 1));
    of_work(view.farm.index, block, pail, view.at.ledger.saturating_add(1), zeros, UNIT)
}

impl WorkView {
    /// From what the formula says.
    pub fn of(forecast: &Forecast) -> Self {
        Self {
            gap: forecast.gap,
            zeros: forecast.zeros,
            reward: signed(forecast.reward),
            adds: signed(forecast.adds),
            one_more_zero: signed(forecast.one_more_zero),
            one_more_ledger: signed(forecast.one_more_ledger),
            one_more_kale: signed(forecast.more_stake),
        }
    }
}

/// Stroops of either sign as whole KALE.
pub fn signed(stroops: i128) -> String {
    let units = to_units(Base::from(stroops.unsigned_abs()), DECIMALS);
    if stroops < 0 { format!("-{units}") } else { units }
}

#[cfg(test)]
mod tests {
    use super::signed;

    #[test]
    fn changes_carry_their_sign() {
        for (stroops, want) in [(0, "0.0000000"), (-1, "-0.0000001"), (25_050_000_000, "2505.0000000")] {
            assert_eq!(signed(stroops), want);
        }
    }
}
