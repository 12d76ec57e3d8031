//! Rewards: epochs of blocks, an emission per epoch, an exact split over pools and members, and claims.

pub mod accrual;
#[cfg(test)]
mod any_order;
pub mod apr;
mod audit;
mod balances;
pub mod budget;
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
pub mod pause;
mod prepare;
mod purpose;
pub mod recount;
mod sound;
mod store;
pub mod verify;
mod weights;

pub use audit::{Difference, NAMED, Subject, Verification, VerifiedEpoch, verify_on_chain, verify_stored};
pub use claim::{Claimed, Pending, claim, owed, pending, pending_on_chain};
pub use cycle::{CycleReport, Paid, PoolCycle, cycle, distribute_manual};
pub use epochs::{
    EpochRow, Origin, created as created_epochs, distributed as distributed_epochs, epoch,
    newest as newest_epochs, token_of,
};
pub use export::{Export, Exported, export, export_tree, exported, exported_tree};
pub use manual::{NewEpoch, create, token};
pub use outlook::{Outlook, outlook};
pub use sound::odd_budgets;
pub use store::{
    Position, Totals, WeightRow, emitted_to, last_paid, position, schedule, totals_of, weight_rows,
};
pub use weights::{PoolWeight, WeightSet, set_weight, weights};
