//! Where epochs start and end: half-open, without gap or overlap, by the terms in force at their start. Pure.

use super::accrual::Basis;
use base::amount::Base;

/// Terms of emission from an epoch start on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmissionTerms {
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

#[cfg(test)]
impl EmissionTerms {
    /// Epochs of so many blocks, with a reward of 2 for each block.
    pub(in crate::reward) fn every(from_block: u64, epoch_blocks: u64) -> Self {
        let (block_reward, asset) = (Base::from(2u8), "0x".to_owned());
        Self { from_block, epoch_blocks, block_reward, asset, basis: Basis::TimeWeighted }
    }
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
pub fn terms_at(schedule: &[EmissionTerms], block: u64) -> Option<&EmissionTerms> {
    schedule.iter().rev().find(|terms| terms.from_block <= block)
}

/// The first epoch start at or after `block`. `None` for an empty schedule or past the end of `u64`.
pub fn boundary_from(schedule: &[EmissionTerms], block: u64) -> Option<u64> {
    let first = schedule.first()?;
    if block <= first.from_block {
        return Some(first.from_block);
    }
    let terms = terms_at(schedule, block)?;
    let over = (block - terms.from_block) % terms.epoch_blocks;
    // A later entry starts on a boundary of this one, so it can only come first where it is that boundary.
    if over == 0 { Some(block) } else { block.checked_add(terms.epoch_blocks - over) }
}

/// The last epoch start at or before `block`. `None` before the first.
pub fn boundary_to(schedule: &[EmissionTerms], block: u64) -> Option<u64> {
    let terms = terms_at(schedule, block)?;
    Some(block - (block - terms.from_block) % terms.epoch_blocks)
}

/// The epoch that starts at `start`, if all of it is at or below `last_final`.
pub fn closed_epoch(schedule: &[EmissionTerms], start: u64, last_final: u64) -> Option<Epoch> {
    let terms = terms_at(schedule, start)?;
    let end = start.checked_add(terms.epoch_blocks)?;
    (end <= last_final.saturating_add(1)).then_some(Epoch { start, end })
}

/// What other settings do to a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// First blocks of announced terms that are withdrawn; nothing was decided by them yet.
    pub withdrawn: Vec<u64>,
    /// Terms that are announced.
    pub announced: Option<EmissionTerms>,
}

/// Takes other settings into a schedule that is not empty. `open` is the first block that nothing is decided about.
///
/// Terms that begin before it stay. Later ones were announced only: they are withdrawn, and what takes their place
/// does not begin before they would have. `None` where the settings are those of the newest terms, or where no epoch
/// begins any more.
pub fn change(schedule: &[EmissionTerms], wanted: &EmissionTerms, open: u64) -> Option<Change> {
    let same = |a: &EmissionTerms| {
        EmissionTerms { from_block: 0, ..a.clone() } == EmissionTerms { from_block: 0, ..wanted.clone() }
    };
    if schedule.last().is_none_or(same) {
        return None;
    }
    let stay = schedule.partition_point(|terms| terms.from_block < open).max(1);
    let (stay, gone) = schedule.split_at(stay);
    let withdrawn: Vec<u64> = gone.iter().map(|terms| terms.from_block).collect();
    if stay.last().is_some_and(same) {
        return Some(Change { withdrawn, announced: None });
    }
    let from = withdrawn.first().map_or(open, |announced| open.max(*announced));
    let from_block = boundary_from(stay, from)?;
    Some(Change { withdrawn, announced: Some(EmissionTerms { from_block, ..wanted.clone() }) })
}

#[cfg(test)]
mod tests {
    use super::EmissionTerms as T;
    use super::*;

    #[test]
    fn boundaries() {
        let schedule = [T::every(100, 10), T::every(130, 7)];
        for (block, want) in
            [(0, 100), (100, 100), (101, 110), (110, 110), (121, 130), (130, 130), (131, 137), (144, 144)]
        {
            assert_eq!(boundary_from(&schedule, block), Some(want), "{block}");
        }
        assert_eq!(boundary_from(&[], 5), None);
        assert_eq!(boundary_from(&[T::every(0, 10)], u64::MAX), None);
        for (block, want) in [
            (99, None),
            (100, Some(100)),
            (109, Some(100)),
            (129, Some(120)),
            (130, Some(130)),
            (143, Some(137)),
        ] {
            assert_eq!(boundary_to(&schedule, block), want, "{block}");
        }
    }

    #[test]
    fn a_change_never_begins_where_something_is_decided_or_before_one_that_was_announced() {
        let (old, new, newer) = (T::every(100, 10), T::every(130, 7), T::every(0, 5));
        let announced = |from_block: u64, length: u64| Some(T::every(from_block, length));
        for (schedule, wanted, open, withdrawn, want) in [
            // At the next epoch start, or on the spot where one begins there.
            (vec![old.clone()], &newer, 54, vec![], announced(100, 5)),
            (vec![old.clone()], &newer, 121, vec![], announced(130, 5)),
            (vec![old.clone()], &newer, 120, vec![], announced(120, 5)),
            // One that is not in force is replaced, where it would have begun or later.
            (vec![old.clone(), new.clone()], &newer, 121, vec![130], announced(130, 5)),
            // A head that lags (blocks below 130 were known when it was announced) does not move it.
            (vec![old.clone(), new.clone()], &newer, 101, vec![130], announced(130, 5)),
            // One by which something is decided stays.
            (vec![old.clone(), new.clone()], &newer, 131, vec![], announced(137, 5)),
            // Taken back before it was in force, it leaves no trace.
            (vec![old.clone(), new.clone()], &old, 121, vec![130], None),
            (vec![old.clone(), new.clone()], &old, 131, vec![], announced(137, 10)),
            // The first terms stay whatever was decided.
            (vec![old.clone()], &newer, 0, vec![], announced(100, 5)),
        ] {
            let got = change(&schedule, wanted, open).unwrap();
            assert_eq!((got.withdrawn, got.announced), (withdrawn, want), "{schedule:?} {open}");
        }
        assert_eq!(change(&[old.clone(), new.clone()], &T::every(7, 7), 0), None);
        assert_eq!(change(&[], &old, 0), None);
    }

    #[test]
    fn an_epoch_is_closed_when_its_last_block_is_final() {
        let schedule = [T::every(100, 10)];
        assert_eq!(closed_epoch(&schedule, 100, 108), None);
        assert_eq!(closed_epoch(&schedule, 100, 109), Some(Epoch { start: 100, end: 110 }));
        assert_eq!(closed_epoch(&schedule, 90, 1000), None);
    }

    #[test]
    fn epochs_follow_each_other_over_a_change_of_length() {
        let schedule = [T::every(100, 10), T::every(130, 7)];
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
