//! The code of the farm contract: pinned where it is first seen, an open alert where it is another.

use super::Farming;
use crate::alerts::CODE_CHANGED;
use crate::chain::view::View;
use base::{Remedy, Result, say};
use rusqlite::Connection;
use serde_json::json;
use state::alert::{self, Subject};
use stellar::xdr::ContractId;

/// The fact about the state: the contract, and the hash of its code.
const PIN: &str = "farm_wasm";

/// How the code that the chain shows stands to the one that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeState {
    /// It is the same.
    Accepted,
    /// None was accepted yet.
    New,
    /// Another one was accepted: this.
    Changed(String),
}

/// The rule: what is set counts before what was pinned. `None` for a contract without code of its own.
pub fn compare(found: Option<&str>, set: Option<&str>, pinned: Option<&str>) -> CodeState {
    match set.or(pinned) {
        None => CodeState::New,
        Some(accepted) if found == Some(accepted) => CodeState::Accepted,
        Some(accepted) => CodeState::Changed(accepted.to_owned()),
    }
}

/// What is wrong with code that was not accepted.
pub fn words(farm: &ContractId, found: Option<&str>, accepted: &str) -> String {
    let found = found.unwrap_or("none of its own");
    format!("the code of the farm contract {farm} changed: it is {found}, accepted was {accepted}")
}

/// What the operator does about it.
pub fn fix(found: Option<&str>) -> Remedy {
    let hash = found.unwrap_or("HASH");
    say("find out what changed and whether this build fits it; then accept it: ")
        .run("config set")
        .of("kale.wasm_hash")
        .of(hash)
}

/// The code of this contract that is pinned, if any is.
pub fn pinned(conn: &Connection, farm: &ContractId) -> Result<Option<String>> {
    let pin = state::meta_get(conn, PIN)?;
    Ok(pin.and_then(|pin| Some(pin.strip_prefix(&farm.to_string())?.strip_prefix(' ')?.to_owned())))
}

/// Pins the code where none is, or where another one was accepted by the settings, and opens or closes the alert on it: one
/// write, and none where all stands as before, or where another run has pinned one meanwhile: the next look decides.
pub fn watch(farming: &mut Farming<'_, '_>, view: &View) -> Result<()> {
    let site = farming.site;
    let farm = &site.farm;
    let (conn, found) = (farming.work.state.conn(), view.code.as_deref());
    let pinned = pinned(conn, farm)?;
    let subject = farm.to_string();
    let is_open = alert::is_open(conn, Subject::Farm(&subject), CODE_CHANGED)?;
    let why = match compare(found, farming.settings.wasm_hash.as_deref(), pinned.as_deref()) {
        CodeState::Changed(accepted) => Some(words(farm, found, &accepted)),
        CodeState::New | CodeState::Accepted => None,
    };
    let pin = found.filter(|found| why.is_none() && pinned.as_deref() != Some(*found));
    if pin.is_none() && is_open == why.is_some() {
        return Ok(());
    }
    farming.write(|tx| {
        if self::pinned(tx.conn(), farm)? != pinned {
            return Ok(());
        }
        if let Some(hash) = pin {
            tx.meta_set(PIN, &format!("{subject} {hash}"))?;
            tx.event("state.pinned", PIN, &json!({ "contract": subject, "value": hash }))?;
        }
        alert::edge(tx, Subject::Farm(&subject), CODE_CHANGED, why.as_deref()).map(drop)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_counts_before_what_was_pinned() {
        let changed = |accepted: &str| CodeState::Changed(accepted.to_owned());
        for (found, set, pinned, want) in [
            (Some("a"), None, None, CodeState::New),
            (None, None, None, CodeState::New),
            (Some("a"), None, Some("a"), CodeState::Accepted),
            (Some("b"), None, Some("a"), changed("a")),
            (None, None, Some("a"), changed("a")),
            (Some("b"), Some("b"), Some("a"), CodeState::Accepted),
            (Some("a"), Some("b"), Some("a"), changed("b")),
            (Some("b"), Some("b"), None, CodeState::Accepted),
            (None, Some("b"), None, changed("b")),
        ] {
            assert_eq!(compare(found, set, pinned), want, "{found:?} {set:?} {pinned:?}");
        }
    }
}
