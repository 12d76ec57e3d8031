//! The state file: one SQLite database, one way to write, and leases over what one run at a time may act on.

pub mod alert;
mod anew;
pub mod bulk;
pub mod columns;
mod events;
mod file;
mod ledger;
mod meta;
mod names;
mod permit;
mod pins;
mod prune;
mod pruned;
pub mod rows;
pub mod runs;
mod settings;
mod tx;

pub use anew::{DECISIONS, anew, anew_async, changed};
pub use events::{
    ChainReport, Event, EventFilter, count_events, events_after, last_event, list_events, verify_chain,
};
pub use file::{
    APPLICATION_ID, BackupReport, Difference, Held, Holder, Lease, LeaseHolder, Leased, Lock, Look, SCHEMA,
    SCHEMA_VERSION, Sound, State, Watch, backup, connect_again, create, difference, inspect, lease_holder,
    leases, pending_steps, restore, schema_of, send_backup,
};
pub use ledger::{Account, Line, OwnerKind, balance, derived_balance, member_balances};
pub use meta::meta_get;
pub use names::{Candidate, Meant, Named, check_name, check_words, look_up, meant, names_like, resolve};
pub use permit::{Consent, Permit, ValuePermit};
pub use pins::{check_network, pin_network};
pub use prune::{LEAST_AGE, PruneReport, can_go_on, check_age, prune, prune_preview};
pub use pruned::brought_forward;
pub use settings::{setting_set, setting_unset, settings, settings_stand};
pub use tx::Tx;

use base::{Clock, Progress, Stop};
use config::Config;

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

/// What a writing service is handed.
pub struct WriteContext<'a> {
    /// Settings in force.
    pub config: &'a Config,
    /// The state, opened for writing.
    pub state: &'a mut State,
    /// The right to write to it.
    pub permit: Permit<'a>,
    /// Where progress goes.
    pub progress: &'a dyn Progress,
    /// The wish to stop.
    pub stop: &'a Stop,
}
