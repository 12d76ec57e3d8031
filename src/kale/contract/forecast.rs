//! What the contract would pay, and what one more zero, one more ledger or more stake would change. Pure.
//!
//! Every figure is what a harvest would pay if nobody else worked in this block from now on: each further work of others
//! makes the share smaller, and no figure here guesses at it.

use super::fault::Fault;
pub use super::model::harvested as paid_now;
use super::model::{Refusal, harvested, worked};
use super::reward::contribution;
use super::{Block, Pail};
use grind::block::MAX_ZEROS;

/// What work would earn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast {
    /// Ledgers from plant to work.
    pub gap: u32,
    /// Zeros of the work.
    pub zeros: u32,
    /// Stroops that the harvest would pay, without the stake.
    pub reward: i128,
    /// How much of that this work adds to what the pail would be paid without it.
    pub adds: i128,
    /// Change of the reward with one more zero.
    pub one_more_zero: i128,
    /// Change of the reward with the work one ledger later.
    pub one_more_ledger: i128,
    /// Change of the reward if the unit more had been staked.
    pub more_stake: i128,
}

/// What work of so many zeros, applied in this ledger, would earn; `unit` is the stake in stroops that the marginal
/// value of stake is asked for. An error is what the contract would refuse.
pub fn of_work(
    index: u32,
    block: &Block,
    pail: &Pail,
    ledger: u32,
    zeros: u32,
    unit: i128,
) -> Result<Forecast, Refusal> {
    let gap = ledger.saturating_sub(pail.sequence);
    let earn = |block: &Block, pail: &Pail, gap: u32, zeros: u32| {
        let (block, pail) = worked(block, pail, gap, zeros)?;
        harvested(index, &block, &pail)
    };
    let reward = earn(block, pail, gap, zeros)?;
    let without = match harvested(index, block, pail) {
        Err(Refusal::Fault(Fault::WorkMissing)) => 0,
        paid => paid?,
    };
    let change = |other: i128| other.checked_sub(reward).ok_or(Refusal::Overflow);
    // A hash has no more than 64 hex digits.
    let one_more_zero = if zeros < MAX_ZEROS { change(earn(block, pail, gap, zeros + 1)?)? } else { 0 };
    let later = gap.checked_add(1).ok_or(Refusal::Overflow)?;
    let one_more_ledger = change(earn(block, pail, later, zeros)?)?;
    let (richer_block, richer) = with_stake(block, pail, unit)?;
    let more_stake = change(earn(&richer_block, &richer, gap, zeros)?)?;
    let adds = reward.checked_sub(without).ok_or(Refusal::Overflow)?;
    Ok(Forecast { gap, zeros, reward, adds, one_more_zero, one_more_ledger, more_stake })
}

/// Block and pail as they would be had `unit` stroops more been planted.
fn with_stake(block: &Block, pail: &Pail, unit: i128) -> Result<(Block, Pail), Refusal> {
    let stake = pail.stake.checked_add(unit).ok_or(Refusal::Overflow)?;
    let richer = Pail { stake, ..pail.clone() };
    let mut changed = block.clone();
    if let (Some(gap), Some(zeros)) = (pail.gap, pail.zeros) {
        let part = |stake| i128::try_from(contribution(block, gap, stake, zeros)).ok();
        let more = part(stake).zip(part(pail.stake)).and_then(|(new, old)| new.checked_sub(old));
        let total = more.and_then(|more| block.normalized_total.checked_add(more));
        changed.normalized_total = total.ok_or(Refusal::Overflow)?;
    } else {
        changed.staked_total = block.staked_total.checked_add(unit).ok_or(Refusal::Overflow)?;
    }
    Ok((changed, richer))
}
