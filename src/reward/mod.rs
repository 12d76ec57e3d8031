//! Rewards: epochs of blocks, an emission per epoch, an exact split over pools and members, and claims.

pub mod accrual;
pub mod apr;
mod audit;
mod claim;
mod cycle;
mod distribute;
pub mod emission;
mod epochs;
mod export;
pub mod grid;
pub mod lane;
mod manual;
pub mod merkle;
mod outlook;
mod prepare;
pub mod recount;
mod store;
pub mod verify;
mod weights;

pub use audit::{Difference, NAMED, Subject, Verification, VerifiedEpoch, verify_on_chain, verify_stored};
pub use claim::{Claimed, Pending, claim, owed, pending};
pub use cycle::{CycleReport, PoolCycle, cycle, distribute_manual};
pub use distribute::{Distributed, Sums};
pub use epochs::{
    EpochRow, Origin, created as created_epochs, distributed as distributed_epochs, epoch,
    newest as newest_epochs, token_of,
};
pub use export::{Export, export};
pub use manual::{NewEpoch, create, token};
pub use outlook::{Outlook, outlook};
pub use store::{WeightRow, emitted_to, schedule, totals_of, weight_rows};
pub use weights::{PoolWeight, set_weight, weights};
