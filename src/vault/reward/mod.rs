//! Rewards: epochs of blocks, an emission per epoch, an exact split over pools and members, and claims.

#[cfg(test)]
mod any_order;
mod audit;
mod balances;
mod claim;
mod cycle;
mod distribute;
mod epochs;
mod export;
pub mod pause;
mod prepare;
mod retire;
mod rules;
mod sound;
mod store;
pub mod timeline;
mod weights;

pub use audit::{Difference, NAMED, Subject, Verification, VerifiedEpoch, verify_on_chain, verify_stored};
pub use claim::{Claimed, Owed, Pending, claim, owed, pending, pending_of_all, pending_on_chain};
pub use cycle::{CycleReport, Paid, PoolCycle, cycle, distribute_manual};
pub use epochs::{
    EpochRow, Origin, count as count_epochs, created as created_epochs, distributed as distributed_epochs,
    epoch, newest as newest_epochs, token_of,
};
pub use export::{Export, Exported, export, export_tree, exported, exported_tree};
pub use prepare::{NewEpoch, create, has_begun, token};
pub use retire::{carried, retire};
pub use rules::{accrual, apr, budget, emission, grid, merkle, recount};
pub use sound::odd_budgets;
pub use store::{
    Position, Totals, WeightRow, emitted_to, last_paid, position, schedule, totals_of, weight_rows,
};
pub use weights::{Outlook, PoolWeight, WeightSet, outlook, set_weight, weights};
