//! What the chain says of pools becomes what the state says: figures and holders at one block, reorgs, and what is read again.

mod intake;
mod member_ids;
mod overlap;
mod reconcile;
mod reorg;
mod replay;
mod reread;
mod rescan;
mod run;

pub use intake::{Intake, Replayed, decode};
pub use reconcile::{Drift, Figure, Reconciled, reconcile};
pub use reorg::{RolledBack, settle_reorgs};
pub use replay::replay_to;
pub use reread::{Balance, reread_to_balances};
pub use rescan::{Correction, HolderChange, Range, Rescanned, rescan};
pub use run::{PoolSync, SyncReport, SyncStatus, sync};
