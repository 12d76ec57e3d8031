//! What was paid against what is computed anew: two streams of rewards, member by member. Pure.

use crate::pool::holdings::MemberId;
use base::amount::Base;
use base::{Code, Error, Result};
use std::iter::Peekable;

/// A member whose reward is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mismatch {
    /// The member.
    pub member: MemberId,
    /// What stands in the state, base units; `None` = no row.
    pub stored: Option<Base>,
    /// What it comes to, base units; `None` = nothing is due.
    pub computed: Option<Base>,
}

/// Walks the computed rewards of an epoch along the stored ones.
///
/// Both come in ascending order of members, each member at most once, and no reward is zero. Nothing is kept but
/// the place of the walk, so an epoch may have any number of members.
pub struct Walk<I: Iterator<Item = (MemberId, Base)>> {
    computed: Peekable<I>,
    last: Option<MemberId>,
    /// Stored rows seen.
    pub rows: u64,
}

impl<I: Iterator<Item = (MemberId, Base)>> Walk<I> {
    /// Begins with what was computed.
    pub fn new(computed: impl IntoIterator<IntoIter = I>) -> Self {
        Self { computed: computed.into_iter().peekable(), last: None, rows: 0 }
    }

    /// Takes the next stored reward, in order; what differs goes to `found`.
    pub fn stored(&mut self, member: MemberId, amount: Base, mut found: impl FnMut(Mismatch)) -> Result<()> {
        if self.last.is_some_and(|last| last >= member) {
            let why = format!("the reward of member {member} does not come in order");
            return Err(Error::new(Code::StateCorrupt, why));
        }
        self.last = Some(member);
        self.rows += 1;
        while let Some((due, computed)) = self.computed.next_if(|(due, _)| *due <= member) {
            if due == member {
                if computed != amount {
                    found(Mismatch { member, stored: Some(amount), computed: Some(computed) });
                }
                return Ok(());
            }
            found(Mismatch { member: due, stored: None, computed: Some(computed) });
        }
        found(Mismatch { member, stored: Some(amount), computed: None });
        Ok(())
    }

    /// Ends the walk: what is left was computed and never stored.
    pub fn end(self, mut found: impl FnMut(Mismatch)) {
        for (member, computed) in self.computed {
            found(Mismatch { member, stored: None, computed: Some(computed) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn walk(computed: &[(i64, u64)], stored: &[(i64, u64)]) -> Vec<(i64, Option<u64>, Option<u64>)> {
        let mut found = Vec::new();
        let mut take =
            |m: Mismatch| found.push((m.member, m.stored.map(|n| n.to()), m.computed.map(|n| n.to())));
        let mut walk = Walk::new(computed.iter().map(|(member, n)| (*member, Base::from(*n))));
        for (member, n) in stored {
            walk.stored(*member, Base::from(*n), &mut take).unwrap();
        }
        assert_eq!(walk.rows, stored.len() as u64);
        walk.end(&mut take);
        found
    }

    #[test]
    fn every_kind_of_difference() {
        let due = [(1, 10), (3, 30), (5, 50)];
        assert_eq!(walk(&due, &due), []);
        assert_eq!(walk(&due, &[(1, 10), (3, 31), (5, 50)]), [(3, Some(31), Some(30))]);
        assert_eq!(walk(&due, &[(1, 10), (5, 50)]), [(3, None, Some(30))]);
        assert_eq!(walk(&due, &[(1, 10), (3, 30)]), [(5, None, Some(50))]);
        assert_eq!(
            walk(&due, &[(1, 10), (2, 7), (3, 30), (5, 50), (9, 1)]),
            [(2, Some(7), None), (9, Some(1), None)]
        );
        assert_eq!(walk(&due, &[(2, 10), (3, 30), (5, 50)]), [(1, None, Some(10)), (2, Some(10), None)]);
        assert_eq!(walk(&[], &[(4, 1)]), [(4, Some(1), None)]);
    }

    #[test]
    fn stored_rows_out_of_order_are_refused() {
        let mut walk = Walk::new(Vec::new());
        walk.stored(2, Base::ONE, |_| ()).unwrap();
        for member in [2, 1] {
            assert_eq!(walk.stored(member, Base::ONE, |_| ()).unwrap_err().code(), Code::StateCorrupt);
        }
    }

    proptest! {
        #[test]
        fn finds_what_a_comparison_of_maps_finds(
            computed in proptest::collection::btree_map(0i64..20, 1u64..4, 0..20),
            stored in proptest::collection::btree_map(0i64..20, 1u64..4, 0..20),
        ) {
            let mut want = BTreeMap::new();
            for member in computed.keys().chain(stored.keys()) {
                let (a, b) = (stored.get(member).copied(), computed.get(member).copied());
                if a != b {
                    want.insert(*member, (*member, a, b));
                }
            }
            let list = |map: BTreeMap<i64, u64>| map.into_iter().collect::<Vec<_>>();
            prop_assert_eq!(walk(&list(computed), &list(stored)), want.into_values().collect::<Vec<_>>());
        }
    }
}
