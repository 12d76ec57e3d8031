//! Facts about the file itself: network pins, data version, audit head.

use super::columns::only;
use super::{State, Tx};
use crate::Permit;
use base::{Code, Error, Result, say};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::json;

/// A fact about the file, by key.
pub fn meta_get(conn: &Connection, key: &str) -> Result<Option<String>> {
    Ok(conn.prepare_cached("SELECT value FROM meta WHERE key = ?1")?.query_row([key], only).optional()?)
}

pub(super) fn meta_set(conn: &Connection, key: &str, value: &str) -> Result<()> {
    conn.prepare_cached("INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2")?
        .execute(params![key, value])?;
    Ok(())
}

pub(super) fn meta_unset(conn: &Connection, key: &str) -> Result<()> {
    conn.prepare_cached("DELETE FROM meta WHERE key = ?1")?.execute([key])?;
    Ok(())
}

pub(super) fn bump_data_version(conn: &Connection) -> Result<()> {
    conn.prepare_cached(
        "UPDATE meta SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE key = 'data_version'",
    )?
    .execute([])?;
    Ok(())
}

/// Refuses a state that belongs to another network than the profile; one without a pin yet fits any.
///
/// # Errors
/// `wrong_network` naming both.
pub fn check_network(state: &State, key: &str, value: &str) -> Result<Pin> {
    match meta_get(state.conn(), key)? {
        Some(found) if found == value => Ok(Pin::Same),
        Some(found) => Err(Error::new(
            Code::WrongNetwork,
            format!("state {} belongs to {key} {found}, the profile pins {value}", state.path().display()),
        )
        .hint(
            say("one state file serves one network: pick the matching ")
                .with("profile")
                .say(", or another ")
                .with("state"),
        )
        .detail("state", found)
        .detail("profile", value)),
        None => Ok(Pin::NotYet),
    }
}

/// Whether a state belongs to a network already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin {
    /// It belongs to this one.
    Same,
    /// It belongs to none yet.
    NotYet,
}

/// Remembers a network pin (`evm_chain_id`, `stellar_passphrase`) on first use and refuses another later.
///
/// # Errors
/// `wrong_network` where the file belongs to another network.
pub fn pin_network(state: &mut State, permit: Permit<'_>, key: &str, value: &str) -> Result<()> {
    if check_network(state, key, value)? == Pin::Same {
        return Ok(());
    }
    state.write(permit, |tx: &Tx<'_>| {
        tx.meta_set(key, value)?;
        tx.event("state.pinned", key, &json!({ "value": value }))?;
        Ok(())
    })
}
