//! `system_config`: settings made at run time, below the profile and above the default.

use super::{Tx, changed, rows};
use crate::rows::Row;
use base::Result;
use config::value::canonical;
use config::{Config, Entry, Origin, Setting};
use rusqlite::{Connection, params};
use serde_json::json;

/// All stored settings by key.
pub fn settings(conn: &Connection) -> Result<Vec<Setting>> {
    let read = |row: &Row<'_>| Ok(Setting { key: row.get("key")?, value: row.get("value")? });
    rows::all(conn, "SELECT key, value FROM system_config ORDER BY key", [], read)
}

/// Refuses a write where a setting in force, of those that begin with one of these, is no longer what the state has: what was read here has its
/// value, and what was not set anywhere is not set here. `state_changed` names it.
pub fn settings_stand(conn: &Connection, config: &Config, begin: &[&str]) -> Result<()> {
    let stored = settings(conn)?;
    let stands = |Entry { key, value, origin }: &&Entry| {
        let now = stored.iter().find(|setting| setting.key == key.name);
        match origin {
            // Spelt as it is when it is read.
            Origin::State => now.and_then(|now| canonical(key, &now.value, "").ok()) == *value,
            Origin::Default | Origin::Unset => now.is_none(),
            Origin::Flag(_) | Origin::Env(_) | Origin::Profile(_) => true,
        }
    };
    let mut named =
        config.entries().iter().filter(|entry| begin.iter().any(|begin| entry.key.name.starts_with(begin)));
    named
        .find(|entry| !stands(entry))
        .map_or(Ok(()), |entry| Err(changed(format_args!("setting {}", entry.key.name))))
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

#[cfg(test)]
mod tests {
    use super::*;
    use config::Sources;

    #[test]
    fn settings_stand_until_one_that_counts_is_another() {
        const SET: &str = "INSERT INTO system_config VALUES";
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(crate::SCHEMA).unwrap();
        conn.execute_batch(&format!("{SET} ('reward.epoch_blocks', '0100', 1)")).unwrap();
        let sources = Sources {
            flags: vec![("reward.basis", "snapshot".to_owned(), "--set")],
            settings: settings(&conn).unwrap(),
            data_dir: "/data".into(),
            ..Sources::default()
        };
        let config = Config::resolve(&sources).unwrap();
        for (then, stand) in [
            (String::new(), true),
            ("UPDATE system_config SET value = '100'".to_owned(), true),
            ("UPDATE system_config SET value = '101'".to_owned(), false),
            ("DELETE FROM system_config".to_owned(), false),
            (format!("{SET} ('reward.epoch_blocks', '100', 1)"), true),
            // A flag goes before it.
            (format!("{SET} ('reward.basis', 'time-weighted', 1)"), true),
            (format!("{SET} ('reward.check_holders', '7', 1)"), false),
        ] {
            conn.execute_batch(&then).unwrap();
            let found = settings_stand(&conn, &config, &["evm.", "reward."]);
            assert_eq!(found.is_ok(), stand, "{then}: {found:?}");
            if let Err(e) = found {
                assert!(e.to_string().contains("setting reward."), "{e}");
            }
            settings_stand(&conn, &config, &["risk."]).unwrap();
        }
    }
}
