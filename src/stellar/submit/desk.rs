//! What submitting works with: the network, the state, and the terms on which transactions are offered.

use crate::xdr::AccountId;
use base::Stop;
use state::{Permit, State};
use std::collections::BTreeSet;
use std::time::Duration;
use stellar::{Client, Percentile};

/// The terms on which transactions are offered and awaited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Transactions being prepared and sent at once; those that wait for their ledger do not count.
    pub parallel: usize,
    /// Between two looks at what became of a transaction.
    pub poll: Duration,
    /// How long a transaction is valid, in seconds of ledger time.
    pub valid_sec: u64,
    /// How long an outcome is waited for in all; zero looks once.
    pub wait: Duration,
    /// Which part of the fees paid lately is offered.
    pub percentile: Percentile,
    /// The most that is offered for each operation, in stroops.
    pub max_inclusion_fee: u32,
    /// The most that is offered for the resources of a contract call, in stroops.
    pub max_resource_fee: i64,
    /// Added to the resource fee of a simulation, in percent.
    pub resource_margin: u32,
    /// Who pays the fees; each source its own where nobody does.
    pub payer: Option<AccountId>,
    /// Sources that pay their own fees all the same.
    pub own: BTreeSet<AccountId>,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            parallel: 10,
            poll: Duration::from_secs(1),
            valid_sec: 120,
            wait: Duration::from_mins(4),
            percentile: Percentile::P90,
            max_inclusion_fee: 1_000_000,
            max_resource_fee: 100_000_000,
            resource_margin: 15,
            payer: None,
            own: BTreeSet::new(),
        }
    }
}

/// What submitting works with.
pub struct Desk<'a> {
    /// The network.
    pub client: &'a Client,
    /// The state, opened for writing.
    pub state: &'a mut State,
    /// The right to write to it.
    pub permit: Permit<'a>,
    /// The wish to stop: nothing more is signed then, and what was is settled.
    pub stop: &'a Stop,
    /// On which terms.
    pub terms: Terms,
}
