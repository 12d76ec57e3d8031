//! Ordered steps from any older schema to the present one. Each step can run twice.

use base::{Code, Error, Result};
use rusqlite::Connection;

/// Step `n` (from 1) leads from schema `n - 1` to schema `n`.
const STEPS: &[&str] = &[
    include_str!("migrations/0001_initial.sql"),
    include_str!("migrations/0002_farm.sql"),
    include_str!("migrations/0003_runs.sql"),
    include_str!("migrations/0004_prune.sql"),
    include_str!("migrations/0005_evidence.sql"),
];

/// The schema that this program reads and writes: the number of steps there are.
#[expect(clippy::cast_possible_truncation, reason = "there are few steps")]
pub const SCHEMA_VERSION: u32 = STEPS.len() as u32;

/// How many steps a file at schema `found` still needs.
pub const fn pending_steps(found: u32) -> u32 {
    SCHEMA_VERSION.saturating_sub(found)
}

/// An empty state as this program made them when its schema was `version`.
pub(super) fn as_of(version: u32) -> Result<Connection> {
    let conn = Connection::open_in_memory()?;
    run_steps(&conn, 0, version)?;
    Ok(conn)
}

pub(super) fn run_steps(conn: &Connection, found: u32, to: u32) -> Result<()> {
    for (version, step) in (1u32..).zip(STEPS).filter(|(version, _)| (found + 1..=to).contains(version)) {
        let sql = format!("BEGIN IMMEDIATE; {step}; PRAGMA user_version = {version}; COMMIT;");
        conn.execute_batch(&sql).map_err(|e| {
            // The failed batch leaves its transaction open.
            let _ = conn.execute_batch("ROLLBACK");
            Error::new(Code::State, format!("step {version}: {e}"))
        })?;
    }
    if to > 0 {
        conn.execute_batch("INSERT OR IGNORE INTO meta VALUES ('data_version', '0')")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;

    #[test]
    fn steps_lead_to_the_schema_and_can_run_twice() {
        let migrated = Connection::open_in_memory().unwrap();
        for run in ["once", "each step a second time"] {
            run_steps(&migrated, 0, SCHEMA_VERSION).unwrap();
            assert_eq!(schema::difference(&migrated, SCHEMA_VERSION).unwrap(), None, "{run}");
        }
        assert!(schema::statements(schema::SCHEMA).count() > 60, "it has its tables, indexes and triggers");
    }

    #[test]
    fn a_failed_step_leaves_the_version_before_it() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE events (wrong TEXT)").unwrap();
        assert_eq!(run_steps(&conn, 0, SCHEMA_VERSION).unwrap_err().code(), Code::State);
        let version: u32 = conn.pragma_query_value(None, "user_version", |r| r.get(0)).unwrap();
        assert_eq!(version, 0);
        let tables: u32 = conn.query_row("SELECT count(*) FROM sqlite_master", [], |r| r.get(0)).unwrap();
        assert_eq!(tables, 1, "rolled back");
    }
}
