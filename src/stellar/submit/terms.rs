//! On what terms transactions are offered and awaited.

use crate::Percentile;
use crate::xdr::AccountId;
use outbox::Pace;
use std::collections::BTreeSet;
use std::time::Duration;

/// The terms on which transactions are offered and awaited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// How many at once, and how long they are awaited.
    pub pace: Pace,
    /// How long a transaction is valid, in seconds of ledger time.
    pub valid_sec: u64,
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
            pace: Pace { parallel: 10, poll: Duration::from_secs(1), wait: Duration::from_mins(4) },
            valid_sec: 120,
            percentile: Percentile::P90,
            max_inclusion_fee: 1_000_000,
            max_resource_fee: 100_000_000,
            resource_margin: 15,
            payer: None,
            own: BTreeSet::new(),
        }
    }
}
