//! Unlocking the key store: by a file or a command that the settings name, else by what the face knows.

use super::App;
use super::secrets::printed;
use crate::Secret;
use base::{Code, Error, Result};
use kale::farmers;
use keys::{Editor, Identities, KeyStore, Method, Unlock, read_private};
use rusqlite::Connection;
use secrecy::SecretString;
use std::path::{Path, PathBuf};

/// Unlocks the key store, to sign.
pub fn open_keys(app: &App<'_>) -> Result<KeyStore> {
    let path = keys_path(app)?;
    let method = KeyStore::method(&path)?;
    KeyStore::open(&path, unlock(app, Some(method))?)
}

/// Unlocks the key store for a change; one is begun where there are no farmers whose keys it should hold.
pub fn edit_keys(app: &App<'_>, conn: &Connection) -> Result<Editor> {
    let path = keys_path(app)?;
    let for_method = |method: Option<Method>| {
        if method.is_none() && farmers::any(conn)? {
            return Err(Error::new(
                Code::KeysMissing,
                format!(
                    "there is no key store at {}, but there are farmers whose keys it held",
                    path.display()
                ),
            )
            .hint("bring the file back or set keys.path; a new one is not begun in its place"));
        }
        unlock(app, method)
    };
    Editor::open(&path, |path| app.lock_keys(path), for_method)
}

fn keys_path(app: &App<'_>) -> Result<PathBuf> {
    App::absolute(&app.config.keys_path()?)
}

/// What unlocks the key store; with no method, what will lock a new one.
fn unlock(app: &App<'_>, method: Option<Method>) -> Result<Unlock> {
    conceal(app);
    let identity_file = app.config.get("keys.identity_file").map(Path::new);
    match (method, identity_file) {
        (Some(Method::Identity) | None, Some(path)) => {
            let text = read_private("identity file", path, Code::NoPassphrase)
                .map_err(|e| hinted(e, "make one with: age-keygen -o FILE, or unset keys.identity_file"))?;
            Ok(Unlock::Identities(Identities::parse(path, &text)?))
        }
        (Some(Method::Identity), None) => Err(Error::new(
            Code::NoPassphrase,
            format!("the key store {} is locked to an age identity", keys_path(app)?.display()),
        )
        .hint("name its file with keys.identity_file")),
        (Some(Method::Passphrase) | None, _) => Ok(Unlock::Passphrase(passphrase(app, method.is_none())?)),
    }
}

/// From here on secrets are in memory. Debug builds can be traced by a user who is not root where the tests ask for it.
pub fn conceal(app: &App<'_>) {
    if !(cfg!(debug_assertions) && app.sources.env.contains_key("POOLCTL_TRACED")) {
        keys::conceal();
    }
}

/// The passphrase, from the first source that there is.
fn passphrase(app: &App<'_>, new: bool) -> Result<SecretString> {
    if let Some(path) = app.config.get("keys.passphrase_file").map(Path::new) {
        let text = read_private("passphrase file", path, Code::NoPassphrase)
            .map_err(|e| hinted(e, "write the passphrase there, and chmod 600 it"))?;
        return passphrase_of(&format!("the passphrase file {}", path.display()), &text);
    }
    if let Some(command) = app.config.get("keys.passphrase_command") {
        // Without a limit: it may ask somebody.
        let printed =
            printed("keys.passphrase_command", "the passphrase", command, None, Code::NoPassphrase)?;
        return passphrase_of("keys.passphrase_command", &printed);
    }
    app.host.secret(if new { Secret::NewPassphrase } else { Secret::Passphrase })
}

/// Says what to do about a file that is not there.
fn hinted(e: Error, hint: &'static str) -> Error {
    if e.code() == Code::NoPassphrase { e.hint(hint) } else { e }
}

/// A passphrase as it stands, one newline at its end aside.
pub fn passphrase_of(from: &str, bytes: &[u8]) -> Result<SecretString> {
    let bad = |why: &str| {
        Error::new(Code::NoPassphrase, format!("{from} {why}"))
            .hint("a passphrase is one line that is not empty")
    };
    let text = std::str::from_utf8(bytes).map_err(|_| bad("is not UTF-8 text"))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(bad("is empty"));
    }
    if text.contains('\n') {
        return Err(bad("has more than one line"));
    }
    Ok(SecretString::from(text))
}
