//! What the report says of the farm: its newest blocks, what each farmer got of them, what is at stake and what was lost.

use super::pools::add;
use super::{MOST_BLOCKS, MOST_FARMERS, MOST_LOSSES};
use base::Result;
use base::amount::{Base, Delta, mul_div};
use kale::rows::{missed_pails, pails_before};
use kale::status::Status;
use kale::{accounting, farmers};
use rusqlite::Connection;
use state::columns::{at, maybe_at};
use state::{balance, rows};
use std::collections::HashMap;

/// The farm's part of the report. Amounts in stroops of KALE.
#[derive(Debug, Clone, Default)]
pub struct Farm {
    /// The newest blocks with a harvest or a loss, the oldest first.
    pub blocks: Vec<BlockSum>,
    /// What came of those blocks by farmer, the highest reward first.
    pub farmers: Vec<FarmerSum>,
    /// Farmers there are, the departed aside.
    pub active: usize,
    /// Pails that are neither back nor lost, and their stakes.
    pub open: (usize, Base),
    /// Of these, those that will be lost.
    pub missed: (usize, Base),
    /// Losses in those blocks, the newest first.
    pub losses: Vec<Loss>,
    /// Rewards since the beginning, by the ledger.
    pub minted: Base,
    /// Stakes lost since the beginning, by the ledger.
    pub lost: Base,
    /// The operator's earnings, by the ledger.
    pub fees: Base,
}

/// What came of one block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockSum {
    /// The block.
    pub block: u32,
    /// Pails harvested.
    pub harvested: u32,
    /// Stakes of all pails that ended.
    pub stake: Base,
    /// Rewards.
    pub reward: Base,
    /// What the rewards were expected to be; `None` where one of them was not forecast.
    pub forecast: Option<Base>,
    /// Stakes lost.
    pub lost: Base,
}

/// What came of a farmer's pails.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FarmerSum {
    /// `G…`.
    pub address: String,
    /// Name of its pooler.
    pub pooler: String,
    /// Its status.
    pub status: Option<Status>,
    /// Pails that ended.
    pub pails: u32,
    /// Their stakes.
    pub stake: Base,
    /// Rewards, before they are shared out.
    pub reward: Base,
    /// Stakes lost.
    pub lost: Base,
}

impl FarmerSum {
    /// Reward over stake in millionths, rounded down; `None` where nothing was staked.
    pub fn yield_ppm(&self) -> Option<Base> {
        mul_div(self.reward, Base::from(1_000_000u32), self.stake)
    }
}

/// A stake that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The block.
    pub block: u32,
    /// The farmer's address.
    pub farmer: String,
    /// The stake.
    pub stake: Base,
    /// Why, as a stable word.
    pub reason: String,
}

/// A pail that ended.
struct End {
    farmer: String,
    lost: bool,
    stake: Base,
    reward: Base,
    forecast: Option<Base>,
    reason: Option<String>,
}

impl Farm {
    /// `None` where there never was a farmer.
    pub(super) fn gather(conn: &Connection, now: i64) -> Result<Option<Self>> {
        let known = farmers::list(conn, None, None)?;
        if known.is_empty() {
            return Ok(None);
        }
        let mut farm =
            Self { active: known.iter().filter(|f| f.status != Status::Departed).count(), ..Self::default() };
        let mut sums: HashMap<String, FarmerSum> = known
            .into_iter()
            .map(|f| {
                let (address, pooler, status) = (f.address, f.pooler, Some(f.status));
                (f.id, FarmerSum { address, pooler, status, ..FarmerSum::default() })
            })
            .collect();
        let mut before = None;
        while farm.blocks.len() < MOST_BLOCKS as usize
            && let Some(block) = block_before(conn, before)?
        {
            farm.take(block, ends(conn, block)?, &mut sums)?;
            before = Some(block);
        }
        farm.blocks.reverse();
        farm.farmers =
            sums.into_values().filter(|sum| sum.pails > 0 || sum.status != Some(Status::Departed)).collect();
        farm.farmers.sort_by(|a, b| b.reward.cmp(&a.reward).then_with(|| a.address.cmp(&b.address)));
        farm.farmers.truncate(MOST_FARMERS);
        for pail in pails_before(conn, u32::MAX)? {
            farm.open = (farm.open.0 + 1, add(farm.open.1, pail.stake, "open stakes")?);
        }
        for pail in missed_pails(conn, now)? {
            farm.missed = (farm.missed.0 + 1, add(farm.missed.1, pail.stake, "missed stakes")?);
        }
        (farm.minted, farm.lost) = chain_totals(conn)?;
        farm.fees = balance(conn, &accounting::platform_fee())?.magnitude();
        Ok(Some(farm))
    }

    fn take(&mut self, block: u32, ends: Vec<End>, sums: &mut HashMap<String, FarmerSum>) -> Result<()> {
        let mut sum = BlockSum { block, forecast: Some(Base::ZERO), ..BlockSum::default() };
        for end in ends {
            let farmer = sums.entry(end.farmer).or_default();
            farmer.pails += 1;
            farmer.stake = add(farmer.stake, end.stake, "stakes")?;
            sum.stake = add(sum.stake, end.stake, "stakes")?;
            if end.lost {
                farmer.lost = add(farmer.lost, end.stake, "lost stakes")?;
                sum.lost = add(sum.lost, end.stake, "lost stakes")?;
                if self.losses.len() < MOST_LOSSES {
                    let (farmer, reason) = (farmer.address.clone(), end.reason.unwrap_or_default());
                    self.losses.push(Loss { block, farmer, stake: end.stake, reason });
                }
                continue;
            }
            sum.harvested += 1;
            farmer.reward = add(farmer.reward, end.reward, "rewards")?;
            sum.reward = add(sum.reward, end.reward, "rewards")?;
            sum.forecast = match (sum.forecast, end.forecast) {
                (Some(sum), Some(forecast)) => Some(add(sum, forecast, "forecasts")?),
                _ => None,
            };
        }
        if sum.harvested == 0 {
            sum.forecast = None;
        }
        self.blocks.push(sum);
        Ok(())
    }
}

/// The newest block with an end in it, before the one that is given.
fn block_before(conn: &Connection, before: Option<u32>) -> Result<Option<u32>> {
    let sql = "SELECT block_index FROM harvests WHERE block_index < ?1 ORDER BY block_index DESC LIMIT 1";
    rows::value(conn, sql, [before.map_or(i64::MAX, i64::from)])
}

fn ends(conn: &Connection, block: u32) -> Result<Vec<End>> {
    let sql = "SELECT farmer_id, outcome = 'lost' AS lost, stake, reward, forecast, reason FROM harvests
         WHERE block_index = ?1 AND outcome <> 'failed'";
    rows::all(conn, sql, [block], |row| {
        Ok(state::from_row!(row => End { lost, reason } at { stake, reward } and {
            farmer: row.get("farmer_id")?,
            forecast: maybe_at(row, "forecast")?,
        }))
    })
}

/// What was minted and what was lost, by the ledger.
pub(crate) fn chain_totals(conn: &Connection) -> Result<(Base, Base)> {
    let sql = "SELECT purpose, balance FROM ledger_accounts WHERE owner_kind = 'chain' AND asset = ?1";
    let (mut minted, mut lost) = (Base::ZERO, Base::ZERO);
    rows::each(conn, sql, [accounting::ASSET], |row| {
        let purpose: String = row.get("purpose")?;
        let balance: Delta = at(row, "balance")?;
        match purpose.as_str() {
            "mint" => minted = add(minted, balance.magnitude(), "mints")?,
            "lost" => lost = add(lost, balance.magnitude(), "lost stakes")?,
            _ => {}
        }
        Ok(())
    })?;
    Ok((minted, lost))
}
