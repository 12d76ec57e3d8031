//! Farmers for whom nothing more is done in a block, until a better nonce than was seen is offered for one of them.

use std::collections::HashMap;

/// Who they are, each with the zeros of the best nonce that was seen.
#[derive(Debug, Default)]
pub(super) struct Done {
    block: u32,
    seen: HashMap<String, Option<u32>>,
}

impl Done {
    /// Whether nothing more is done for this farmer.
    pub(super) fn has(&self, block: u32, farmer: &str) -> bool {
        self.block == block && self.seen.contains_key(farmer)
    }

    /// Notes these farmers, each with the zeros of the best nonce that it was worked with. `bests` stood in the state before they
    /// were looked at: what was offered since then is not seen.
    pub(super) fn note(
        &mut self,
        block: u32,
        farmers: impl Iterator<Item = (String, Option<u32>)>,
        bests: &HashMap<String, u32>,
    ) {
        if self.block != block {
            *self = Self { block, seen: HashMap::new() };
        }
        self.seen.extend(farmers.map(|(farmer, best)| {
            let seen = bests.get(&farmer).copied().max(best);
            (farmer, seen)
        }));
    }

    /// Nobody is done for whom there is a better nonce by now.
    pub(super) fn undo(&mut self, block: u32, bests: &HashMap<String, u32>) {
        if self.block == block {
            self.seen.retain(|farmer, best| bests.get(farmer).copied() <= *best);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bests(zeros: &[(&str, u32)]) -> HashMap<String, u32> {
        zeros.iter().map(|(farmer, zeros)| ((*farmer).to_owned(), *zeros)).collect()
    }

    #[test]
    fn an_offer_that_came_while_it_was_worked_is_still_to_be_sent() {
        let mut done = Done::default();
        let worked = [("a", Some(5)), ("b", Some(4)), ("c", None)].map(|(id, best)| (id.to_owned(), best));
        done.note(7, worked.into_iter(), &bests(&[("a", 3), ("b", 4)]));
        assert!(["a", "b", "c"].iter().all(|id| done.has(7, id) && !done.has(8, id)));
        // What this run has found itself is nothing new.
        done.undo(7, &bests(&[("a", 5), ("b", 4)]));
        assert!(["a", "b", "c"].iter().all(|id| done.has(7, id)));
        done.undo(8, &bests(&[("a", 9)]));
        assert!(done.has(7, "a"), "of another block");
        done.undo(7, &bests(&[("a", 5), ("b", 6), ("c", 1)]));
        assert_eq!(["a", "b", "c"].map(|id| done.has(7, id)), [true, false, false]);
        done.note(8, std::iter::empty(), &bests(&[]));
        assert!(!done.has(7, "a") && !done.has(8, "a"));
    }
}
