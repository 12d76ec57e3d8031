//! How wide the next range of blocks is: halved when a server refuses it, doubled when it goes well. Pure.

/// After this many ranges without refusal, a width that was refused before is tried again.
const FORGIVE: u32 = 16;

/// Walks from one block to another, both included, in ranges that touch and never overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RangePlan {
    next: u64,
    end: u64,
    width: u64,
    most: u64,
    /// The narrowest width that was refused lately.
    refused: Option<u64>,
    good: u32,
    done: bool,
}

impl RangePlan {
    /// A plan for `from..=to`, starting `width` blocks wide and never wider than `most`.
    pub fn new(from: u64, to: u64, width: u64, most: u64) -> Self {
        let most = most.max(1);
        let width = width.clamp(1, most);
        Self { next: from, end: to, width, most, refused: None, good: 0, done: from > to }
    }

    /// The same at a server of which the width is known that it answers with and does not answer beyond.
    pub fn known(from: u64, to: u64, width: u64, most: u64) -> Self {
        Self { refused: Some(width.saturating_add(1)), ..Self::new(from, to, width, most) }
    }

    /// The width that the server answers with, where it has refused a wider range lately.
    pub fn settled(&self) -> Option<u64> {
        self.refused.map(|_| self.width)
    }

    /// The range to ask for now, both ends included; none when all is done.
    pub fn current(&self) -> Option<(u64, u64)> {
        if self.done {
            return None;
        }
        Some((self.next, self.next.saturating_add(self.width - 1).min(self.end)))
    }

    /// The current range was answered: goes on to the next, wider one.
    pub fn accepted(&mut self) {
        let Some((_, last)) = self.current() else { return };
        if last >= self.end {
            self.done = true;
            return;
        }
        self.next = last + 1;
        self.good += 1;
        if self.good >= FORGIVE {
            self.good = 0;
            self.refused = None;
        }
        let wider = self.width.saturating_mul(2).min(self.most);
        self.width = match self.refused {
            Some(refused) if wider >= refused => self.width,
            _ => wider,
        };
    }

    /// The current range was refused: the next one is a `part` as wide. False when it is a single block already.
    pub fn refused(&mut self, part: u64) -> bool {
        let Some((first, last)) = self.current() else { return false };
        let asked = last - first + 1;
        if asked == 1 {
            return false;
        }
        self.refused = Some(asked);
        self.good = 0;
        self.width = (asked / part.max(2)).max(1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn walk(plan: &mut RangePlan, limit: u64) -> (Vec<(u64, u64)>, u32) {
        let (mut done, mut refusals) = (Vec::new(), 0);
        while let Some((a, b)) = plan.current() {
            if b - a < limit {
                done.push((a, b));
                plan.accepted();
            } else {
                refusals += 1;
                assert!(plan.refused(2));
            }
        }
        (done, refusals)
    }

    #[test]
    fn grows_to_the_cap_when_all_goes_well() {
        let (ranges, refusals) = walk(&mut RangePlan::new(0, 30_000, 2_000, 10_000), u64::MAX);
        assert_eq!(refusals, 0);
        assert_eq!(ranges, [(0, 1_999), (2_000, 5_999), (6_000, 13_999), (14_000, 23_999), (24_000, 30_000)]);
    }

    #[test]
    fn settles_below_a_servers_limit() {
        let (ranges, refusals) = walk(&mut RangePlan::new(0, 100_000, 2_000, 100_000), 1_000);
        assert_eq!(ranges.len(), 101);
        assert!(refusals < 10, "{refusals}");
    }

    #[test]
    fn a_width_that_is_known_is_not_tried_beyond_at_first() {
        let mut plan = RangePlan::known(0, 100_000, 1_000, 50_000);
        let (ranges, refusals) = walk(&mut plan, 1_000);
        assert_eq!(ranges.first(), Some(&(0, 999)));
        // Every 16 ranges it is looked whether more is taken now.
        assert!(refusals <= 101 / 16, "{refusals}");
        assert_eq!(plan.settled(), Some(1_000));
        let mut plan = RangePlan::known(0, 100_000, 1_000, 50_000);
        let (ranges, refusals) = walk(&mut plan, u64::MAX);
        assert!((ranges.len(), refusals) < (40, 1), "{} {refusals}", ranges.len());
        assert_eq!(plan.settled(), None, "the server takes more by now");
    }

    #[test]
    fn a_slow_range_is_cut_deeper() {
        let mut plan = RangePlan::new(0, 99, 100, 100);
        assert!(plan.refused(8));
        assert_eq!(plan.current(), Some((0, 11)));
        assert!(plan.refused(8) && !plan.refused(8));
        assert_eq!(plan.current(), Some((0, 0)));
    }

    #[test]
    fn a_single_block_cannot_be_halved() {
        let mut plan = RangePlan::new(7, 8, 2, 10);
        assert!(plan.refused(2));
        assert_eq!(plan.current(), Some((7, 7)));
        assert!(!plan.refused(2));
    }

    #[test]
    fn empty_and_extreme_ranges() {
        assert_eq!(RangePlan::new(5, 4, 10, 10).current(), None);
        let mut plan = RangePlan::new(u64::MAX - 1, u64::MAX, 0, 0);
        assert_eq!(plan.current(), Some((u64::MAX - 1, u64::MAX - 1)));
        plan.accepted();
        assert_eq!(plan.current(), Some((u64::MAX, u64::MAX)));
        plan.accepted();
        assert_eq!(plan.current(), None);
    }

    proptest! {
        #[test]
        fn covers_every_block_once_in_order(
            from in 0u64..1_000_000, len in 0u64..50_000, width in 0u64..5_000, most in 0u64..20_000,
            verdicts in proptest::collection::vec(any::<bool>(), 0..200),
        ) {
            let to = from + len;
            let mut plan = RangePlan::new(from, to, width, most);
            let mut verdicts = verdicts.into_iter();
            let mut next = from;
            while let Some((a, b)) = plan.current() {
                prop_assert_eq!(a, next);
                prop_assert!(a <= b && b <= to && b - a < most.max(1));
                if verdicts.next().unwrap_or(true) || !plan.refused(2) {
                    plan.accepted();
                    next = b + 1;
                    if b == a && plan.current().is_some_and(|(c, _)| c == a) {
                        prop_assert!(false, "stuck");
                    }
                } else {
                    prop_assert!(plan.current().is_some_and(|(c, d)| c == a && d < b));
                }
            }
            prop_assert_eq!(next, to + 1);
        }
    }
}
