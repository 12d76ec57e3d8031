//! Which farms a run leads: one run at a time acts for the farmers of a pooler, by a lease.

use super::{Farming, Scope};
use crate::farmers::poolers;
use crate::record::rows::FarmerRow;
use base::Result;
use state::{Holder, Lease};
use std::collections::BTreeSet;
use std::path::Path;

/// Whose farms a run is to lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leads {
    /// Those of all poolers.
    All,
    /// Those of these poolers, by row id.
    Of(BTreeSet<String>),
    /// Those that no other run leads.
    Free,
}

impl Leads {
    /// Those of these farmers.
    pub fn of(hands: &[FarmerRow]) -> Self {
        Self::Of(hands.iter().map(|hand| hand.pooler.clone()).collect())
    }

    /// None: what is done needs no lease.
    pub const fn none() -> Self {
        Self::Of(BTreeSet::new())
    }

    fn has(&self, pooler: &str) -> bool {
        match self {
            Self::All | Self::Free => true,
            Self::Of(poolers) => poolers.contains(pooler),
        }
    }
}

/// A farm that another run leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// The pooler's row id.
    pub pooler: String,
    /// Its name.
    pub name: String,
    /// Who leads it; none where that cannot be read.
    pub holder: Option<Holder>,
}

/// The command that takes up nonces which others put into the state, whosever of the farm's they are.
const TAKER: &str = "farm run";

/// Whether a run leads the farm of this pooler (row id) just now that takes up nonces from the state.
pub fn takes_nonces(state: &Path, pooler: &str) -> bool {
    let lease = Lease::Farm { id: pooler.to_owned(), name: String::new() };
    state::lease_holder(state, &lease).flatten().is_some_and(|holder| holder.command == TAKER)
}

impl Farming<'_, '_> {
    /// Takes the leases of these farms besides those that this run has, and acts for their farmers alone from then on. Where
    /// only [`Leads::Free`] ones are wanted, [`Farming::elsewhere`] has the others. A dry run takes none, and is for everybody.
    ///
    /// # Errors
    /// `lease_held` naming the holder; `interrupted`.
    pub fn lead(&mut self, leads: &Leads) -> Result<()> {
        let (permit, state) = (self.work.permit, &self.work.state);
        self.elsewhere.clear();
        for pooler in poolers::list(state.conn())? {
            let poolers::Pooler { id, name, .. } = pooler;
            if self.leases.contains_key(&id) || !leads.has(&id) {
                continue;
            }
            let lease = Lease::Farm { id: id.clone(), name: name.clone() };
            if permit.is_dry_run() || *leads == Leads::Free {
                // Its holder may leave between the two questions.
                loop {
                    if let Some(leased) = permit.try_lease(&lease)? {
                        self.leases.insert(id, leased);
                    } else if let Some(holder) = state::lease_holder(state.path(), &lease) {
                        self.elsewhere.push(Elsewhere { pooler: id, name, holder });
                    } else if !permit.is_dry_run() {
                        continue;
                    }
                    break;
                }
            } else {
                self.leases.extend(permit.lease(&lease)?.map(|leased| (id, leased)));
            }
        }
        if !permit.is_dry_run() {
            self.scope = Scope::Poolers(self.leases.keys().cloned().collect());
        }
        Ok(())
    }
}
