//! What a pool is paid next: an epoch made by hand, or the next one of the grid. Pure.
//!
//! Epochs of a pool never overlap. The grid is common to all pools that have a weight; an epoch made by hand stands
//! in the place of the grid's epochs that it covers: the pool takes no part in their emission, which goes to the
//! other pools. A pool without a weight has epochs by hand alone, each where the one before ends; given a weight, it
//! joins the grid at the first boundary after them. What an epoch cannot give away is carried to the pool's next one,
//! whoever made either.

use super::epochs::EpochRow;
use super::grid::{Epoch, Terms, boundary_from, closed_epoch, terms_at};
use crate::output::{Code, Error, Result};

/// The next thing that a pool is paid for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// An epoch of the grid.
    Grid(Epoch),
    /// One made by hand and not distributed yet.
    Manual(Box<EpochRow>),
}

impl Step {
    /// Its blocks.
    pub const fn epoch(&self) -> Epoch {
        match self {
            Self::Grid(epoch) => *epoch,
            Self::Manual(row) => row.epoch,
        }
    }
}

/// One pool's way: its place, its weight, and what is made by hand ahead of it.
#[derive(Debug, Clone, Default)]
pub struct Lane {
    /// First block that is not paid; `None` where rewards have not begun.
    pub cursor: Option<u64>,
    /// First block that the pool has a weight for; `None` without one.
    pub weighted_from: Option<u64>,
    /// Epochs made by hand and not distributed, in order, all at or after the cursor.
    pub created: Vec<EpochRow>,
    /// Whether every epoch so far was made by hand, and there is one.
    pub by_hand: bool,
}

impl Lane {
    /// The step that begins at or after block `at`, whether its blocks are there yet or not.
    pub fn step(&self, schedule: &[Terms], at: u64) -> Option<Step> {
        let manual = self.created.iter().find(|row| row.epoch.start >= at);
        let grid = self.weighted_from.and_then(|from| {
            let start = boundary_from(schedule, at.max(from))?;
            let length = terms_at(schedule, start)?.epoch_blocks;
            Some(Epoch { start, end: start.checked_add(length)? })
        });
        match (manual, grid) {
            (Some(row), grid) if grid.is_none_or(|grid| row.epoch.start <= grid.start) => {
                Some(Step::Manual(Box::new(row.clone())))
            }
            (_, grid) => grid.map(Step::Grid),
        }
    }

    /// The steps whose last block is final, in order.
    pub fn closed<'a>(
        &'a self,
        schedule: &'a [Terms],
        last_final: u64,
    ) -> impl Iterator<Item = Step> + use<'a> {
        let mut at = self.cursor;
        std::iter::from_fn(move || {
            let step = self.step(schedule, at?)?;
            let closed = match &step {
                Step::Grid(epoch) => closed_epoch(schedule, epoch.start, last_final).is_some(),
                Step::Manual(row) => row.epoch.end <= last_final.saturating_add(1),
            };
            at = Some(step.epoch().end);
            closed.then_some(step)
        })
    }

    /// Whether an epoch may be made by hand there; `emitted_to` is the first block that no pool's grid epoch was paid
    /// for.
    ///
    /// # Errors
    /// `invalid_value` or `conflict`, naming the blocks that would do.
    pub fn place(&self, schedule: &[Terms], epoch: Epoch, emitted_to: u64, earliest: u64) -> Result<()> {
        let Epoch { start, end } = epoch;
        let refuse = |code: Code, why: String, hint: String| Err(Error::new(code, why).hint(hint));
        if start >= end {
            return refuse(
                Code::InvalidValue,
                format!("--end: {end} is not after --start {start}"),
                "an epoch is half-open: --end is the first block after it".into(),
            );
        }
        let free = self.created.last().map(|row| row.epoch.end).or(self.cursor);
        if start < free.unwrap_or(earliest) {
            let free = free.unwrap_or(earliest);
            return refuse(
                Code::Conflict,
                format!("--start: the blocks before {free} have their epochs, or are before rewards begin"),
                format!("begin at block {free} or later"),
            );
        }
        if let Some(from) = self.weighted_from
            && !schedule.is_empty()
        {
            if emitted_to > start.max(from) {
                return refuse(
                    Code::Conflict,
                    format!("--start: the emission of the blocks before {emitted_to} is shared out already"),
                    format!("begin at block {emitted_to} or later"),
                );
            }
            if !self.by_hand && self.cursor.is_some() {
                for (flag, block) in [("--start", start), ("--end", end)] {
                    let boundary = boundary_from(schedule, block);
                    if boundary != Some(block) {
                        let next = boundary.map_or_else(|| "none".to_owned(), |block| block.to_string());
                        return refuse(
                            Code::InvalidValue,
                            format!(
                                "{flag}: the pool has a weight, and no epoch of the grid starts at {block}"
                            ),
                            format!("the next one starts at block {next}"),
                        );
                    }
                }
                return Ok(());
            }
        }
        match free {
            Some(free) if free != start => refuse(
                Code::Conflict,
                format!("--start: {start} would leave a gap after block {}", free.saturating_sub(1)),
                format!("begin at block {free}"),
            ),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::accrual::Basis;
    use super::super::epochs::Origin;
    use super::*;
    use crate::amount::Base;

    fn terms(from_block: u64, epoch_blocks: u64) -> Terms {
        let asset = "0x".to_owned();
        Terms { from_block, epoch_blocks, block_reward: Base::from(2u8), asset, basis: Basis::TimeWeighted }
    }

    fn row(start: u64, end: u64) -> EpochRow {
        EpochRow {
            id: 1,
            pool_id: 1,
            epoch: Epoch { start, end },
            last_hash: None,
            origin: Origin::Manual,
            basis: Basis::TimeWeighted,
            asset: "0x".into(),
            weight_ppm: None,
            weight_sum_ppm: None,
            part: Base::ONE,
            carry_in: Base::ZERO,
            distributed: Base::ZERO,
            carry_out: Base::ZERO,
            reason: None,
            holders: 0,
            created_at: 0,
            distributed_at: None,
        }
    }

    fn lane(cursor: Option<u64>, weighted_from: Option<u64>, created: &[(u64, u64)], by_hand: bool) -> Lane {
        let created = created.iter().map(|(start, end)| row(*start, *end)).collect();
        Lane { cursor, weighted_from, created, by_hand }
    }

    fn steps(lane: &Lane, schedule: &[Terms], last_final: u64) -> Vec<(char, u64, u64)> {
        lane.closed(schedule, last_final)
            .map(|step| {
                let kind = if matches!(step, Step::Grid(_)) { 'g' } else { 'm' };
                (kind, step.epoch().start, step.epoch().end)
            })
            .collect()
    }

    #[test]
    fn epochs_by_hand_stand_in_the_place_of_the_grids() {
        let grid = [terms(100, 10)];
        for (lane, last_final, want) in [
            (lane(Some(100), Some(0), &[], false), 119, vec![('g', 100, 110), ('g', 110, 120)]),
            (
                lane(Some(100), Some(0), &[(110, 140)], false),
                150,
                vec![('g', 100, 110), ('m', 110, 140), ('g', 140, 150)],
            ),
            // Not before it is final, and nothing overtakes it.
            (lane(Some(100), Some(0), &[(110, 140)], false), 138, vec![('g', 100, 110)]),
            // Without a weight: by hand alone.
            (lane(Some(33), None, &[(33, 40), (40, 41)], true), 200, vec![('m', 33, 40), ('m', 40, 41)]),
            // Given a weight, it joins at the next boundary.
            (lane(Some(33), Some(110), &[(33, 117)], true), 130, vec![('m', 33, 117), ('g', 120, 130)]),
            (lane(Some(90), Some(110), &[], true), 125, vec![('g', 110, 120)]),
            (lane(None, Some(0), &[], false), 500, vec![]),
        ] {
            assert_eq!(steps(&lane, &grid, last_final), want, "{lane:?}");
        }
        assert_eq!(steps(&lane(Some(5), None, &[(5, 6)], true), &[], 5), [('m', 5, 6)], "no grid is needed");
    }

    #[test]
    fn where_an_epoch_may_be_made() {
        use Code::{Conflict, InvalidValue};
        let grid = [terms(100, 10)];
        let weighted = lane(Some(120), Some(0), &[], false);
        let joined = lane(Some(120), Some(0), &[(130, 150)], false);
        let fresh = lane(None, None, &[], false);
        let by_hand = lane(Some(33), None, &[(33, 40)], true);
        let joining = lane(Some(33), Some(110), &[], true);
        for (lane, start, end, emitted_to, want) in [
            (&weighted, 120, 130, 120, None),
            (&weighted, 140, 170, 120, None),
            (&weighted, 120, 125, 120, Some(InvalidValue)),
            (&weighted, 125, 130, 120, Some(InvalidValue)),
            (&weighted, 110, 120, 110, Some(Conflict)),
            (&weighted, 120, 130, 130, Some(Conflict)),
            (&weighted, 130, 130, 120, Some(InvalidValue)),
            (&weighted, 140, 130, 120, Some(InvalidValue)),
            (&joined, 140, 160, 120, Some(Conflict)),
            (&joined, 120, 130, 120, Some(Conflict)),
            (&joined, 150, 160, 120, None),
            (&fresh, 7, 9, 500, None),
            (&fresh, 4, 9, 500, Some(Conflict)),
            (&by_hand, 40, 41, 500, None),
            (&by_hand, 41, 42, 500, Some(Conflict)),
            (&by_hand, 39, 42, 500, Some(Conflict)),
            (&joining, 33, 115, 110, None),
            (&joining, 33, 115, 120, Some(Conflict)),
            (&joining, 34, 115, 110, Some(Conflict)),
        ] {
            let got = lane.place(&grid, Epoch { start, end }, emitted_to, 5);
            assert_eq!(got.err().map(|e| e.code()), want, "{start}..{end} {lane:?}");
        }
    }
}
