//! The networks that a state belongs to.

use super::{Permit, State, Tx, meta_get};
use base::{Code, Error, Result, say};
use rusqlite::Connection;
use serde_json::json;
use std::path::Path;

/// Whether a state belongs to the network of the profile: false where it belongs to none yet, `wrong_network` to another.
pub fn check_network(state: &State, key: &str, value: &str) -> Result<bool> {
    is_pinned(state.conn(), state.path(), key, value)
}

fn is_pinned(conn: &Connection, path: &Path, key: &str, value: &str) -> Result<bool> {
    match meta_get(conn, key)? {
        Some(found) if found == value => Ok(true),
        Some(found) => Err(Error::new(
            Code::WrongNetwork,
            format!("state {} belongs to {key} {found}, the profile pins {value}", path.display()),
        )
        .hint(
            say("one state file serves one network: pick the matching ")
                .with("profile")
                .say(", or another ")
                .with("state"),
        )
        .detail("state", found)
        .detail("profile", value)),
        None => Ok(false),
    }
}

/// Remembers a network pin (`evm_chain_id`, `stellar_passphrase`) on first use and refuses another later. A dry run, which
/// need not know it later, only looks.
pub fn pin_network(state: &mut State, permit: Permit<'_>, key: &str, value: &str) -> Result<()> {
    if check_network(state, key, value)? || permit.is_dry_run() {
        return Ok(());
    }
    let path = state.path().to_owned();
    state.write(permit, |tx: &Tx<'_>| {
        if is_pinned(tx.conn(), &path, key, value)? {
            return Ok(());
        }
        tx.meta_set(key, value)?;
        tx.event("state.pinned", key, &json!({ "value": value }))?;
        Ok(())
    })
}
