//! `system_config`: settings made at run time, below the profile and above the default.

use super::{Tx, rows};
use base::Result;
use config::Setting;
use rusqlite::{Connection, Row, params};
use serde_json::json;

/// All stored settings by key.
pub fn settings(conn: &Connection) -> Result<Vec<Setting>> {
    let read = |row: &Row<'_>| Ok(Setting { key: row.get("key")?, value: row.get("value")? });
    rows::all(conn, "SELECT key, value FROM system_config ORDER BY key", [], read)
}

/// Stores a setting; the audit event keeps the old value. Secrets are not settings.
pub fn setting_set(tx: &Tx<'_>, key: &str, value: &str) -> Result<Option<String>> {
    let old = settings(tx.conn())?.into_iter().find(|s| s.key == key).map(|s| s.value);
    if old.as_deref() != Some(value) {
        tx.conn().execute(
            "INSERT INTO system_config VALUES (?1, ?2, ?3)
             ON CONFLICT (key) DO UPDATE SET value = ?2, set_at = ?3",
            params![key, value, tx.now()],
        )?;
        tx.event("config.set", key, &json!({ "old": old, "new": value }))?;
    }
    Ok(old)
}

/// Removes a setting; returns what it was.
pub fn setting_unset(tx: &Tx<'_>, key: &str) -> Result<Option<String>> {
    let old = settings(tx.conn())?.into_iter().find(|s| s.key == key).map(|s| s.value);
    if let Some(old) = &old {
        tx.conn().execute("DELETE FROM system_config WHERE key = ?1", [key])?;
        tx.event("config.unset", key, &json!({ "old": old }))?;
    }
    Ok(old)
}
