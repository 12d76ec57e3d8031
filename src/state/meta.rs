//! Facts about the file itself, by key.

use super::rows;
use base::Result;
use rusqlite::Connection;

/// A fact about the file, by key.
pub fn meta_get(conn: &Connection, key: &str) -> Result<Option<String>> {
    rows::value(conn, "SELECT value FROM meta WHERE key = ?1", [key])
}

pub(super) fn meta_set(conn: &Connection, key: &str, value: &str) -> Result<()> {
    let sql = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2";
    rows::run(conn, sql, [key, value])
}
