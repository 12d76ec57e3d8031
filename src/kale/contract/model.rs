//! What plant, work and harvest do to the farm's storage, as the contract does it: for forecasts. Pure.
//!
//! Source: the contract's public source (`contract.rs`); checks stand in its order, so the same error comes first.

use super::fault::Fault;
use super::reward::{contribution, has_valid_ranges, share};
use super::{Block, Farm, Pail};
use grind::block::zeros as zeros_of;
use std::collections::BTreeMap;
use std::fmt;
use stellar_xdr::ScAddress;

/// Why the contract would not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// One of its own errors.
    Fault(Fault),
    /// A number passes what it can hold; the call traps.
    Overflow,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => fault.fmt(f),
            Self::Overflow => f.write_str("a number passes what the contract can hold"),
        }
    }
}

impl std::error::Error for Refusal {}

/// The ledger in which a call is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Its sequence number.
    pub ledger: u32,
    /// Its close time, in seconds since 1970.
    pub time: u64,
}

/// A block that has seen nothing: each minimum the largest number there is, each maximum the smallest.
pub const fn unseen(time: u64) -> Block {
    Block {
        entropy: [0; 32],
        max_gap: u32::MIN,
        max_stake: i128::MIN,
        max_zeros: u32::MIN,
        min_gap: u32::MAX,
        min_stake: i128::MAX,
        min_zeros: u32::MAX,
        normalized_total: 0,
        staked_total: 0,
        timestamp: time,
    }
}

/// The block that begins at this time from what `open` has seen; what was never seen becomes 0.
fn frozen(open: &Block, timestamp: u64) -> Block {
    Block {
        max_stake: if open.max_stake == i128::MIN { 0 } else { open.max_stake },
        min_gap: if open.min_gap == u32::MAX { 0 } else { open.min_gap },
        min_stake: if open.min_stake == i128::MAX { 0 } else { open.min_stake },
        min_zeros: if open.min_zeros == u32::MAX { 0 } else { open.min_zeros },
        normalized_total: 0,
        staked_total: 0,
        timestamp,
        ..open.clone()
    }
}

/// The farm and the block that a plant at this time finds: the current block, or a new one where it is due or gone.
/// `current` is the entry of block `farm.index`, if it is there. Error 3 where the farm was never set up.
pub fn planting_block(farm: &Farm, current: Option<&Block>, time: u64) -> Result<(Farm, Block), Refusal> {
    let open = farm.open.as_ref().ok_or(Fault::FarmBlockMissing)?;
    let next = || farm.index.checked_add(1).ok_or(Refusal::Overflow);
    if farm.due().is_some_and(|due| time >= due) {
        let rolled = Farm { index: next()?, open: Some(unseen(time)), ..farm.clone() };
        return Ok((rolled, frozen(open, time)));
    }
    if let Some(block) = current {
        return Ok((farm.clone(), block.clone()));
    }
    // Absent at 0 is the genesis block; absent later is gone, and its number is not used again. The clock goes on.
    let index = if farm.index == 0 { 0 } else { next()? };
    Ok((Farm { index, ..farm.clone() }, frozen(open, time)))
}

/// Block and pail after work of so many zeros, `gap` ledgers after the plant.
/// Error 15 for no gap, 12 for broken ranges, 7 for a re-work without more zeros.
pub fn worked(block: &Block, pail: &Pail, gap: u32, zeros: u32) -> Result<(Block, Pail), Refusal> {
    if gap == 0 {
        return Err(Fault::GapCountTooLow.into());
    }
    if !has_valid_ranges(block) {
        return Err(Fault::BlockInvalid.into());
    }
    let part = |zeros: u32| {
        i128::try_from(contribution(block, gap, pail.stake, zeros)).map_err(|_| Refusal::Overflow)
    };
    let overflow = || Refusal::Overflow;
    let mut total = block.normalized_total.checked_add(part(zeros)?).ok_or_else(overflow)?;
    let mut staked = block.staked_total;
    match pail.zeros {
        Some(before) if zeros <= before => return Err(Fault::ZeroCountTooLow.into()),
        // What is taken off is the old zeros' contribution at the new gap, as the contract has it.
        Some(before) => total = total.checked_sub(part(before)?).ok_or_else(overflow)?,
        None => staked = staked.checked_sub(pail.stake).ok_or_else(overflow)?,
    }
    Ok((
        Block { normalized_total: total, staked_total: staked, ..block.clone() },
        Pail { gap: Some(gap), zeros: Some(zeros), ..pail.clone() },
    ))
}

/// The reward in stroops that a harvest of this pail in block `index` pays, without the stake.
/// Error 10 where the pail was not worked, 12 for broken ranges.
pub fn harvested(index: u32, block: &Block, pail: &Pail) -> Result<i128, Refusal> {
    let (Some(gap), Some(zeros)) = (pail.gap, pail.zeros) else {
        return Err(Fault::WorkMissing.into());
    };
    if !has_valid_ranges(block) {
        return Err(Fault::BlockInvalid.into());
    }
    share(block, index, contribution(block, gap, pail.stake, zeros)).ok_or(Refusal::Overflow)
}

/// A farm with its blocks and pails: whole runs of it can be played through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// The instance.
    pub farm: Farm,
    /// Blocks by number.
    pub blocks: BTreeMap<u32, Block>,
    /// Pails by farmer and block.
    pub pails: BTreeMap<(ScAddress, u32), Pail>,
}

impl Model {
    /// A farm that was deployed at this time, without its asset.
    pub fn new(time: u64) -> Self {
        let farm = Farm { index: 0, open: Some(unseen(time)), paused: false, asset: None };
        Self { farm, blocks: BTreeMap::new(), pails: BTreeMap::new() }
    }

    /// `plant`: whether the farmer has the stake is for the asset contract to say.
    /// Errors 6, 4, 3, 8, in this order.
    pub fn plant(&mut self, farmer: &ScAddress, amount: i128, at: Moment) -> Result<(), Refusal> {
        if amount < 0 {
            return Err(Fault::PlantAmountTooLow.into());
        }
        if self.farm.paused {
            return Err(Fault::FarmPaused.into());
        }
        let current = self.blocks.get(&self.farm.index);
        let (mut farm, mut block) = planting_block(&self.farm, current, at.time)?;
        let key = (farmer.clone(), farm.index);
        if self.pails.contains_key(&key) {
            return Err(Fault::PailExists.into());
        }
        block.staked_total = block.staked_total.checked_add(amount).ok_or(Refusal::Overflow)?;
        if let Some(open) = &mut farm.open {
            open.min_stake = open.min_stake.min(amount);
            open.max_stake = open.max_stake.max(amount);
        }
        self.blocks.insert(farm.index, block);
        self.pails.insert(key, Pail { gap: None, sequence: at.ledger, stake: amount, zeros: None });
        self.farm = farm;
        Ok(())
    }

    /// `work` with the hash of this nonce; returns the gap. Errors 3, 11, 9, 15, 13, 12, 7, in this order.
    pub fn work(
        &mut self,
        farmer: &ScAddress,
        hash: [u8; 32],
        nonce: u64,
        at: Moment,
    ) -> Result<u32, Refusal> {
        let open = self.farm.open.as_mut().ok_or(Fault::FarmBlockMissing)?;
        let index = self.farm.index;
        let block = self.blocks.get_mut(&index).ok_or(Fault::BlockMissing)?;
        let pail = self.pails.get_mut(&(farmer.clone(), index)).ok_or(Fault::PailMissing)?;
        let gap = at.ledger.saturating_sub(pail.sequence);
        if gap == 0 {
            return Err(Fault::GapCountTooLow.into());
        }
        if block.job(index, farmer).is_none_or(|job| job.hash(nonce) != hash) {
            return Err(Fault::HashInvalid.into());
        }
        let zeros = zeros_of(&hash);
        (*block, *pail) = worked(block, pail, gap, zeros)?;
        open.min_gap = open.min_gap.min(gap);
        open.max_gap = open.max_gap.max(gap);
        open.min_zeros = open.min_zeros.min(zeros);
        open.max_zeros = open.max_zeros.max(zeros);
        open.entropy = hash;
        Ok(gap)
    }

    /// `harvest`; returns the reward, and takes the pail away. Errors 11, 9, 14, 10, in this order.
    pub fn harvest(&mut self, farmer: &ScAddress, index: u32) -> Result<i128, Refusal> {
        let block = self.blocks.get(&index).ok_or(Fault::BlockMissing)?;
        let key = (farmer.clone(), index);
        let pail = self.pails.get(&key).ok_or(Fault::PailMissing)?;
        if index >= self.farm.index {
            return Err(Fault::HarvestNotReady.into());
        }
        let reward = harvested(index, block, pail)?;
        self.pails.remove(&key);
        Ok(reward)
    }
}
