//! The file itself: made, found to be ours, opened, locked, brought up to date, copied.

mod backup;
mod connect;
mod held;
mod identity;
mod lease;
mod lock;
mod open;
mod schema;
mod steps;

pub use backup::{BackupReport, Sound, backup, inspect, restore, send_backup};
pub(super) use backup::{digest, io_error, sibling, stamped};
pub use connect::{Watch, connect_again};
pub use held::{Held, Holder};
pub use identity::APPLICATION_ID;
pub(super) use identity::ARCHIVE_ID;
pub use lease::{Lease, LeaseHolder, Leased};
pub use lock::{Lock, lease_holder, leases};
pub use open::{Look, State, create, schema_of};
pub use schema::{Difference, difference};
pub use steps::{SCHEMA, SCHEMA_VERSION, pending_steps};
