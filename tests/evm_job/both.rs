//! What must hold on either node.

use super::NODE;

mod bases;
mod breaker;
mod changes;
mod corrections;
mod deposits;
pub mod desk;
mod epochs;
mod evidence;
mod interleavings;
mod long_run;
mod month;
mod odd;
mod oracles;
mod orders;
mod pinned;
mod prices;
mod profiles;
mod receipts;
mod reconcile;
mod reorg;
pub mod rescan;
mod rewards;
mod risk;
mod round;
mod settings;
mod sync;
mod validation;
mod verify;
pub mod withdrawals;
mod yields;
