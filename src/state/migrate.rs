//! Takes a file of an older schema to the present one, backed up first.

use super::backup;
use super::steps::{SCHEMA_VERSION, run_steps};
use base::Result;
use base::clock::Clock;
use rusqlite::Connection;
use std::path::Path;

/// Backs the file up beside itself, then takes it step by step to [`SCHEMA_VERSION`].
///
/// Every step is one transaction with its version, so a kill leaves the file at a whole step.
pub(super) fn migrate(conn: &Connection, path: &Path, found: u32, clock: Clock) -> Result<()> {
    let copy = backup::migration_copy(path, found, clock);
    // Judged by its structure: the invariants are those of today.
    backup::backup(conn, &copy, |_| Ok(0))?;
    run_steps(conn, found, SCHEMA_VERSION)
        .map_err(|e| e.context(format!("cannot migrate state {}", path.display())))
        .map_err(|e| e.hint(format!("the state before the migration is kept at {}", copy.display())))
}
