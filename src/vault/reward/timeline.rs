//! What a pool is paid next: an epoch made manually, or the next one of the grid. Pure.
//!
//! Epochs of a pool never overlap and leave no gap. The grid is common to all pools that have a weight; an epoch made by
//! hand stands in the place of the grid's epochs that it covers: the pool takes no part in their emission, which goes to
//! the other pools. A pool without a weight has epochs by hand alone, each where the one before ends; given a weight, it
//! joins the grid at the first boundary after them, and may fill up to there by hand. What an epoch cannot give away is
//! carried to the pool's next one, whoever made either.

use super::epochs::EpochRow;
use super::grid::{EmissionTerms, Epoch, boundary_from, boundary_to, closed_epoch, terms_at};
use base::{Code, Error, Remedy, Result, say};

/// The next thing that a pool is paid for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// An epoch of the grid.
    Grid(Epoch),
    /// One made manually and not distributed yet.
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

/// One pool's way: its place, its weight, and what is made manually ahead of it.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    /// First block that is not paid; `None` where rewards have not begun.
    pub cursor: Option<u64>,
    /// First block that the pool has a weight for; `None` without one.
    pub weighted_from: Option<u64>,
    /// Epochs made manually and not distributed, in order, all at or after the cursor.
    pub created: Vec<EpochRow>,
}

impl Timeline {
    /// The step that begins at or after block `at`, whether its blocks are there yet or not.
    pub fn step(&self, schedule: &[EmissionTerms], at: u64) -> Option<Step> {
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
        schedule: &'a [EmissionTerms],
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

    /// First block that has no epoch yet, of those that are paid or made manually; `None` where rewards have not begun.
    pub fn free(&self) -> Option<u64> {
        self.created.last().map(|row| row.epoch.end).or(self.cursor)
    }

    /// Where the pool takes part in the grid again, once what is made manually before `free` is paid. `None` without a
    /// weight, or without a schedule yet.
    pub fn joins(&self, schedule: &[EmissionTerms], free: u64) -> Option<u64> {
        self.weighted_from.and_then(|from| boundary_from(schedule, free.max(from)))
    }

    /// The blocks (half-open) between the last epoch by hand and the grid, which nobody is paid for: those of a pool
    /// that got its weight, or its schedule, after it was paid by hand.
    pub fn unpaid(&self, schedule: &[EmissionTerms]) -> Option<Epoch> {
        let start = self.free()?;
        let end = self.joins(schedule, start)?;
        (start < end).then_some(Epoch { start, end })
    }

    /// Whether an epoch may be made manually there; `emitted_to` is the first block that nothing is emitted for,
    /// `earliest` where the pool's rewards can begin. An error names the blocks that would do.
    pub fn place(
        &self,
        schedule: &[EmissionTerms],
        epoch: Epoch,
        emitted_to: u64,
        earliest: u64,
    ) -> Result<()> {
        let Epoch { start, end } = epoch;
        let refuse = |code, field, why: String, hint: Remedy| Err(Error::field(code, field, why).hint(hint));
        if start >= end {
            return refuse(
                Code::InvalidValue,
                "end",
                format!("{end} is not after the start, {start}"),
                say("an epoch is half-open: ").with("end").say(" is the first block after it"),
            );
        }
        let free = self.free();
        let open = free.or_else(|| self.joins(schedule, earliest)).unwrap_or(earliest);
        if start < open {
            return refuse(
                Code::Conflict,
                "start",
                format!("the blocks before {open} have their epochs, or are before rewards begin"),
                format!("begin at block {open} or later").into(),
            );
        }
        let Some(joins) = self.joins(schedule, open) else {
            // By hand alone: anywhere at first, then where the last one ends.
            return if free.is_none_or(|free| free == start) { Ok(()) } else { gap(start, open, &[open]) };
        };
        if end > joins && emitted_to > start.max(joins) {
            return refuse(
                Code::Conflict,
                "start",
                format!("the emission of the blocks before {emitted_to} is shared out already"),
                format!("begin at block {emitted_to} or later").into(),
            );
        }
        let near = |block: u64| [boundary_to(schedule, block), boundary_from(schedule, block)];
        let on_grid = |block: u64| near(block) == [Some(block); 2];
        // From where it joins, the grid's own epochs fill what lies between.
        if open < start && start < joins {
            return gap(start, open, &[open, joins]);
        }
        let names = |blocks: &[Option<u64>], low: u64| {
            either(blocks.iter().flatten().copied().filter(|block| *block >= low))
        };
        for (field, block, low) in [("start", start, joins), ("end", end, joins.max(start + 1))] {
            if block > joins && !on_grid(block) {
                let why = format!(
                    "no epoch of the schedule starts at {block}, so blocks beside it would be paid to nobody"
                );
                let hint = format!("use block {}", names(&near(block), low)).into();
                return refuse(Code::InvalidValue, field, why, hint);
            }
        }
        Ok(())
    }

    /// Where the rewards of a pool begin that gets its first epoch by hand at `start`: with a weight, as without it.
    pub fn begins(&self, schedule: &[EmissionTerms], start: u64, earliest: u64) -> u64 {
        self.joins(schedule, earliest).unwrap_or(start)
    }
}

/// The refusal of an epoch by hand that begins too late.
fn gap(start: u64, open: u64, starts: &[u64]) -> Result<()> {
    let mut starts = starts.to_vec();
    starts.dedup();
    let why = format!("{start} would leave a gap after block {}", open.saturating_sub(1));
    let hint = format!("begin at block {}", either(starts.into_iter()));
    Err(Error::field(Code::Conflict, "start", why).hint(hint))
}

/// Blocks of which any will do.
fn either(blocks: impl Iterator<Item = u64>) -> String {
    blocks.map(|block| block.to_string()).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::EmissionTerms as T;
    use super::*;

    fn timeline(cursor: Option<u64>, weighted_from: Option<u64>, created: &[(u64, u64)]) -> Timeline {
        let created = created.iter().map(|(start, end)| EpochRow::created(*start, *end)).collect();
        Timeline { cursor, weighted_from, created }
    }

    fn steps(timeline: &Timeline, schedule: &[EmissionTerms], last_final: u64) -> Vec<(char, u64, u64)> {
        timeline
            .closed(schedule, last_final)
            .map(|step| {
                let kind = if matches!(step, Step::Grid(_)) { 'g' } else { 'm' };
                (kind, step.epoch().start, step.epoch().end)
            })
            .collect()
    }

    #[test]
    fn epochs_by_hand_stand_in_the_place_of_the_grids() {
        let grid = [T::every(100, 10)];
        for (timeline, last_final, want) in [
            (timeline(Some(100), Some(0), &[]), 119, vec![('g', 100, 110), ('g', 110, 120)]),
            (timeline(Some(100), Some(0), &[(110, 140)]), 150, {
                vec![('g', 100, 110), ('m', 110, 140), ('g', 140, 150)]
            }),
            // Not before it is final, and nothing overtakes it.
            (timeline(Some(100), Some(0), &[(110, 140)]), 138, vec![('g', 100, 110)]),
            // Without a weight: by hand alone.
            (timeline(Some(33), None, &[(33, 40), (40, 41)]), 200, vec![('m', 33, 40), ('m', 40, 41)]),
            // Given a weight, it joins at the next boundary.
            (timeline(Some(33), Some(110), &[(33, 117)]), 130, vec![('m', 33, 117), ('g', 120, 130)]),
            (timeline(Some(90), Some(110), &[]), 125, vec![('g', 110, 120)]),
            (timeline(None, Some(0), &[]), 500, vec![]),
        ] {
            assert_eq!(steps(&timeline, &grid, last_final), want, "{timeline:?}");
        }
        assert_eq!(steps(&timeline(Some(5), None, &[(5, 6)]), &[], 5), [('m', 5, 6)], "no grid is needed");
    }

    #[test]
    fn where_an_epoch_may_be_made() {
        use Code::{Conflict, InvalidValue};
        let grid = [T::every(100, 10)];
        let weighted = timeline(Some(120), Some(0), &[]);
        let joined = timeline(Some(120), Some(0), &[(130, 150)]);
        let fresh = timeline(None, None, &[]);
        let by_hand = timeline(Some(33), None, &[(33, 40)]);
        let joining = timeline(Some(33), Some(110), &[]);
        let late = timeline(None, Some(80), &[]);
        let schedule = &[T::every(10, 10)];
        for (timeline, start, end, emitted_to, want) in [
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
            // Up to where it joins it may be paid by hand, in any pieces; from there on, only whole epochs of the grid.
            (&joining, 33, 109, 110, None),
            (&joining, 33, 110, 500, None),
            (&joining, 33, 120, 110, None),
            (&joining, 33, 115, 110, Some(InvalidValue)),
            (&joining, 33, 120, 120, Some(Conflict)),
            (&joining, 34, 120, 110, Some(Conflict)),
            (&joining, 120, 130, 110, None),
            (&joining, 115, 130, 110, Some(InvalidValue)),
            // Where it joins is where it begins, whether a cycle has written that down or not.
            (&late, 77, 80, 80, Some(Conflict)),
            (&late, 80, 85, 80, Some(InvalidValue)),
            (&late, 85, 90, 80, Some(InvalidValue)),
            (&late, 80, 90, 90, Some(Conflict)),
            (&late, 100, 110, 80, None),
        ] {
            let got = timeline.place(schedule, Epoch { start, end }, emitted_to, 5);
            assert_eq!(got.err().map(|e| e.code()), want, "{start}..{end} {timeline:?}");
        }
        let refusal = |timeline: &Timeline, start: u64, end: u64| {
            let e = timeline.place(&grid, Epoch { start, end }, 20, 5).unwrap_err();
            e.remedy().map(ToString::to_string).unwrap_or_default()
        };
        // Weight 1, nothing paid, an epoch by hand 140..150 made: the next one cannot end at 157.
        let after = timeline(Some(100), Some(0), &[(140, 150)]);
        assert_eq!(refusal(&after, 150, 157), "use block 160");
        assert_eq!(refusal(&after, 150, 167), "use block 160 or 170");
        assert_eq!(refusal(&after, 157, 170), "use block 150 or 160");
        assert_eq!(refusal(&joining, 33, 117), "use block 110 or 120");
        assert_eq!(refusal(&joining, 34, 120), "begin at block 33 or 110");
    }

    #[test]
    fn what_a_late_weight_leaves_open_is_named() {
        let grid = [T::every(100, 10)];
        let gap = |timeline: &Timeline| timeline.unpaid(&grid).map(|gap| (gap.start, gap.end));
        assert_eq!(gap(&timeline(Some(33), Some(110), &[(33, 104)])), Some((104, 110)));
        assert_eq!(gap(&timeline(Some(117), Some(110), &[])), Some((117, 120)));
        assert_eq!(gap(&timeline(Some(120), Some(110), &[])), None);
        assert_eq!(gap(&timeline(Some(33), None, &[])), None);
        assert_eq!(gap(&timeline(None, Some(110), &[])), None);
        // A first epoch by hand does not put off the grid.
        let fresh = timeline(None, Some(110), &[]);
        assert_eq!(fresh.begins(&grid, 150, 5), 110);
        assert_eq!(timeline(None, None, &[]).begins(&grid, 150, 5), 150);
    }
}
