//! For whom a run acts, and which open operations are its own to settle.

use crate::record::plan::Plan;
use crate::record::rows::{self, FarmerRow};
use base::Result;
use outbox::Operation;
use rusqlite::Connection;
use std::collections::{BTreeSet, HashSet};

/// For whom a run acts: the others are another run's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Scope {
    /// For everybody.
    #[default]
    All,
    /// For the farmers of these poolers, by row id.
    Poolers(BTreeSet<String>),
}

impl Scope {
    /// Whether it acts for the farmers of this pooler.
    pub fn has(&self, pooler: &str) -> bool {
        match self {
            Self::All => true,
            Self::Poolers(poolers) => poolers.contains(pooler),
        }
    }

    /// Those that it acts for.
    pub fn hands(&self, conn: &Connection) -> Result<Vec<FarmerRow>> {
        let mut hands = rows::hands(conn)?;
        hands.retain(|hand| self.has(&hand.pooler));
        Ok(hands)
    }

    /// Row ids of those that it acts for; `None` = all.
    pub fn farmers(&self, conn: &Connection) -> Result<Option<HashSet<String>>> {
        match self {
            Self::All => Ok(None),
            Self::Poolers(_) => Ok(Some(self.hands(conn)?.into_iter().map(|hand| hand.who.id).collect())),
        }
    }

    /// Leaves what is about those that it acts for, by row id.
    pub fn retain<T>(&self, conn: &Connection, of: &mut Vec<T>, farmer: impl Fn(&T) -> &str) -> Result<()> {
        if let Some(farmers) = self.farmers(conn)? {
            of.retain(|one| farmers.contains(farmer(one)));
        }
        Ok(())
    }
}

/// Whether an operation is about these farmers alone (`None` = whoever it is about); one that is not the farm's is about its
/// subject.
pub(super) fn is_of(operation: &Operation, farmers: Option<&HashSet<String>>) -> bool {
    let Some(farmers) = farmers else { return true };
    match Plan::of(operation) {
        Ok(Some(plan)) => plan.farmers().into_iter().all(|farmer| farmers.contains(farmer)),
        _ => farmers.contains(&operation.subject),
    }
}
