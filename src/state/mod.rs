//! The state file: one SQLite database, one way to write, one writer at a time.

mod backup;
pub mod bulk;
mod check;
mod events;
mod file;
mod learned;
mod ledger;
mod lock;
mod meta;
mod migrate;
mod names;
mod open;
pub mod operations;
mod prune;
mod pruned;
pub mod runs;
mod schema;
mod settings;
mod tx;

pub use backup::{BackupReport, backup, inspect, restore, send_backup};
pub use check::{CheckReport, Finding, check, must_be_as_asked};
pub use events::{ChainReport, Event, EventFilter, events_after, last_event, list_events, verify_chain};
pub use file::Watch;
pub use learned::{learn, learned};
pub use ledger::{Account, Line, OwnerKind, balance, derived_balance, member_balances};
pub use lock::{Holder, Lock};
pub use meta::{Pin, check_network, meta_get, pin_network};
pub use migrate::{SCHEMA_VERSION, pending_steps};
pub use names::{Named, names_like};
pub use open::{APPLICATION_ID, Look, State, create, schema_of};
pub use prune::{LEAST_AGE, PruneReport, check_age, prune, prune_preview};
pub use settings::{Setting, setting_set, setting_unset, settings};
pub use tx::Tx;

use base::clock::Clock;

/// Who writes: stands in each audit event.
#[derive(Debug, Clone)]
pub struct Run {
    /// UUID of this run of the program.
    pub id: String,
    /// `user@host`, as far as the machine tells.
    pub actor: String,
    /// Dates the records.
    pub clock: Clock,
}
