//! Ordered steps from any released schema to the present one, each one transaction with its version: a kill leaves the file
//! at a whole step.

use base::{Code, Error, Result};
use rusqlite::Connection;
use std::ops::RangeInclusive;

/// The schema of today.
pub const SCHEMA: &str = include_str!("../../../schema.sql");

/// Schemas of builds before the first release. Their files are not migrated.
pub(super) const UNRELEASED: RangeInclusive<u32> = 1..=5;

/// Step `n` (from 0) leads to schema `6 + n`. Once a second one is there, the first stays as it was released, in a file of
/// its own, and `schema.sql` is what they all lead to.
const STEPS: &[&str] = &[SCHEMA];

/// The schema that this program reads and writes.
#[expect(clippy::cast_possible_truncation, reason = "there are few steps")]
pub const SCHEMA_VERSION: u32 = *UNRELEASED.end() + STEPS.len() as u32;

/// The steps that a file at schema `found` still needs, with the versions that they lead to.
fn steps_after<'s>(steps: &'s [&str], found: u32) -> impl Iterator<Item = (u32, &'s str)> {
    (UNRELEASED.end() + 1..).zip(steps.iter().copied()).filter(move |(version, _)| *version > found)
}

/// How many steps a file at schema `found` still needs.
pub fn pending_steps(found: u32) -> u32 {
    SCHEMA_VERSION.saturating_sub(found.max(*UNRELEASED.end()))
}

/// An empty state as this program made them when its schema was `version`.
pub(super) fn as_of(version: u32) -> Result<Connection> {
    let conn = Connection::open_in_memory()?;
    let count = steps_after(STEPS, 0).filter(|(leads_to, _)| *leads_to <= version).count();
    run_steps(&conn, STEPS.get(..count).unwrap_or_default(), 0)?;
    Ok(conn)
}

/// Takes a file at schema `found` step by step to [`SCHEMA_VERSION`].
pub(super) fn migrate(conn: &Connection, found: u32) -> Result<()> {
    run_steps(conn, STEPS, found)
}

fn run_steps(conn: &Connection, steps: &[&str], found: u32) -> Result<()> {
    for (version, step) in steps_after(steps, found) {
        let sql = format!(
            "BEGIN IMMEDIATE; {step}; INSERT OR IGNORE INTO meta VALUES ('data_version', '0');
             PRAGMA user_version = {version}; COMMIT;"
        );
        conn.execute_batch(&sql).map_err(|e| {
            // The failed batch leaves its transaction open.
            let _ = conn.execute_batch("ROLLBACK");
            Error::new(Code::State, format!("step {version}: {e}"))
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;

    /// A step as the next release may bring one.
    const NEXT: &str = "ALTER TABLE runs ADD COLUMN host TEXT; CREATE INDEX runs_by_host ON runs (host)";

    fn version(conn: &Connection) -> u32 {
        conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    }

    #[test]
    fn steps_lead_to_the_schema() {
        let conn = Connection::open_in_memory().unwrap();
        run_steps(&conn, STEPS, 0).unwrap();
        assert_eq!(version(&conn), SCHEMA_VERSION);
        assert_eq!(schema::difference(&conn, SCHEMA_VERSION).unwrap(), None);
        assert!(schema::statements(SCHEMA).count() > 60, "it has its tables, indexes and triggers");
    }

    #[test]
    fn a_file_of_the_schema_before_takes_the_steps_that_it_lacks_and_keeps_its_rows() {
        let conn = as_of(SCHEMA_VERSION).unwrap();
        conn.execute_batch("INSERT INTO runs VALUES ('sync', 7, 75, 5, 6)").unwrap();
        let steps = [STEPS, &[NEXT]].concat();
        assert_eq!(steps_after(&steps, SCHEMA_VERSION).count(), 1);
        for run in ["the one it lacks", "none"] {
            run_steps(&conn, &steps, version(&conn)).unwrap();
            assert_eq!(version(&conn), SCHEMA_VERSION + 1, "{run}");
            let sql = "SELECT count(*) FROM runs WHERE last_run_at = 7 AND host IS NULL";
            let rows: u32 = conn.query_row(sql, [], |row| row.get(0)).unwrap();
            assert_eq!(rows, 1, "{run}");
        }
        // From nothing it is the same.
        let whole = Connection::open_in_memory().unwrap();
        run_steps(&whole, &steps, 0).unwrap();
        assert_eq!(schema::stored(&whole).unwrap(), schema::stored(&conn).unwrap());
    }

    #[test]
    fn a_failed_step_leaves_the_version_before_it() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE events (wrong TEXT)").unwrap();
        assert_eq!(run_steps(&conn, STEPS, 0).unwrap_err().code(), Code::State);
        assert_eq!(version(&conn), 0);
        let tables: u32 = conn.query_row("SELECT count(*) FROM sqlite_master", [], |r| r.get(0)).unwrap();
        assert_eq!(tables, 1, "rolled back");
        // Of several, those before it stand.
        let conn = as_of(SCHEMA_VERSION).unwrap();
        let steps = [STEPS, &[NEXT, "DROP TABLE runs; CREATE TABLE events (wrong TEXT)"]].concat();
        assert_eq!(run_steps(&conn, &steps, SCHEMA_VERSION).unwrap_err().code(), Code::State);
        assert_eq!(version(&conn), SCHEMA_VERSION + 1);
        conn.query_row("SELECT count(host) FROM runs", [], |_| Ok(())).unwrap();
    }
}
