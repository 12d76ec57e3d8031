//! Where epochs start and end: half-open, without gap or overlap, by the terms in force at their start. Pure.

use super::accrual::Basis;
use crate::amount::Base;

/// Terms of emission from an epoch start on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// First block they hold for; an epoch start.
    pub from_block: u64,
    /// Length of an epoch.
    pub epoch_blocks: u64,
    /// Base units of `asset` per block, over all pools.
    pub block_reward: Base,
    /// The reward token's address.
    pub asset: String,
    /// How holders are measured.
    pub basis: Basis,
}

/// One epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch {
    /// First block.
    pub start: u64,
    /// First block of the next one.
    pub end: u64,
}

/// The terms in force at `block`; `schedule` is in ascending order. `None` before the first.
pub fn terms_at(schedule: &[Terms], block: u64) -> Option<&Terms> {
    schedule.iter().rev().find(|terms| terms.from_block <= block)
}

/// The first epoch start at or after `block`. `None` for an empty schedule or past the end of `u64`.
pub fn boundary_from(schedule: &[Terms], block: u64) -> Option<u64> {
    let first = schedule.first()?;
    if block <= first.from_block {
        return Some(first.from_block);
    }
    let terms = terms_at(schedule, block)?;
    let over = (block - terms.from_block) % terms.epoch_blocks;
    let next = if over == 0 { block } else { block.checked_add(terms.epoch_blocks - over)? };
    // A later entry starts on a boundary of this one, so it can only come first where it is that boundary.
    Some(next)
}

/// The epoch that starts at `start`, if all of it is at or below `last_final`.
pub fn closed_epoch(schedule: &[Terms], start: u64, last_final: u64) -> Option<Epoch> {
    let terms = terms_at(schedule, start)?;
    let end = start.checked_add(terms.epoch_blocks)?;
    (end <= last_final.saturating_add(1)).then_some(Epoch { start, end })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(from_block: u64, epoch_blocks: u64) -> Terms {
        Terms {
            from_block,
            epoch_blocks,
            block_reward: Base::from(2u8),
            asset: "0x".into(),
            basis: Basis::TimeWeighted,
        }
    }

    #[test]
    fn boundaries() {
        let schedule = [terms(100, 10), terms(130, 7)];
        for (block, want) in
            [(0, 100), (100, 100), (101, 110), (110, 110), (121, 130), (130, 130), (131, 137), (144, 144)]
        {
            assert_eq!(boundary_from(&schedule, block), Some(want), "{block}");
        }
        assert_eq!(boundary_from(&[], 5), None);
        assert_eq!(boundary_from(&[terms(0, 10)], u64::MAX), None);
    }

    #[test]
    fn an_epoch_is_closed_when_its_last_block_is_final() {
        let schedule = [terms(100, 10)];
        assert_eq!(closed_epoch(&schedule, 100, 108), None);
        assert_eq!(closed_epoch(&schedule, 100, 109), Some(Epoch { start: 100, end: 110 }));
        assert_eq!(closed_epoch(&schedule, 90, 1000), None);
    }

    #[test]
    fn epochs_follow_each_other_over_a_change_of_length() {
        let schedule = [terms(100, 10), terms(130, 7)];
        let mut at = 100;
        let mut starts = Vec::new();
        while let Some(epoch) = closed_epoch(&schedule, at, 150) {
            assert_eq!(boundary_from(&schedule, epoch.start), Some(epoch.start));
            starts.push(epoch.start);
            at = epoch.end;
        }
        assert_eq!(starts, [100, 110, 120, 130, 137, 144]);
    }
}
