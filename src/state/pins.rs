//! The networks that a state belongs to.

use super::{Permit, State, Tx, meta_get};
use base::{Code, Error, Result, say};
use serde_json::json;

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
