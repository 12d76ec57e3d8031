//! The plain text inside the key store. Secrets are read in place and written into memory that is wiped.

use super::signer::{Signer, address_of, parse_secret, secret_of};
use base::{Code, Error, Result};
use ed25519_dalek::SigningKey;
use grind::json::Object;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::path::Path;
use zeroize::Zeroizing;

/// How a key came into the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Made here, from the system's randomness.
    Made,
    /// Brought by the operator.
    Imported,
    /// Brought by the operator, for an account that sends for farmers.
    Submitter,
}

const VERSION: u32 = 1;

/// A key with its address. The key wipes itself.
pub struct StoredKey {
    pub(super) address: String,
    pub(super) origin: Origin,
    key: SigningKey,
}

impl StoredKey {
    pub(super) fn new(key: &SigningKey, origin: Origin) -> Self {
        Self { address: address_of(key), origin, key: key.clone() }
    }

    pub(super) fn signer(&self) -> Signer {
        Signer::new(self.key.clone())
    }

    pub(super) fn secret(&self) -> SecretString {
        secret_of(&self.key)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'a> {
    version: u32,
    #[serde(borrow)]
    keys: Vec<Object<Line<'a>>>,
    sponsor: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    address: &'a str,
    // Borrowed: a strkey has nothing that JSON escapes, so no copy of it is made.
    secret: &'a str,
    origin: &'a str,
}

/// The keys and the sponsor in a plain text.
pub fn read(path: &Path, plain: &[u8]) -> Result<(Vec<StoredKey>, Option<String>)> {
    let bad = |why: String| {
        Error::new(Code::KeysCorrupt, format!("the key store {}: {why}", path.display()))
            .hint("it is left as it is; age -d shows what is in it")
    };
    // A message of the parser could repeat what it found.
    let at =
        |e: serde_json::Error| bad(format!("line {} column {} is not as expected", e.line(), e.column()));
    let Object(document): Object<Document<'_>> = serde_json::from_slice(plain).map_err(at)?;
    if document.version != VERSION {
        let found = document.version;
        return Err(bad(format!("it has version {found}, this poolctl knows {VERSION}")));
    }
    let mut keys: Vec<StoredKey> = Vec::with_capacity(document.keys.len());
    for (at, Object(line)) in document.keys.iter().enumerate() {
        let key =
            parse_secret(&format!("key {}", at + 1), line.secret).map_err(|e| bad(e.message().into()))?;
        let origin = match line.origin {
            "made" => Origin::Made,
            "imported" => Origin::Imported,
            "submitter" => Origin::Submitter,
            _ => return Err(bad(format!("key {} has an unknown origin", at + 1))),
        };
        let stored = StoredKey::new(&key, origin);
        if stored.address != line.address {
            return Err(bad(format!("key {} is not the key of its address", at + 1)));
        }
        if keys.iter().any(|other| other.address == stored.address) {
            return Err(bad(format!("{} is there twice", stored.address)));
        }
        keys.push(stored);
    }
    if document.sponsor.is_some_and(|sponsor| keys.iter().all(|key| key.address != sponsor)) {
        return Err(bad("the sponsor has no key".into()));
    }
    Ok((keys, document.sponsor.map(str::to_owned)))
}

/// The plain text of these keys.
pub(super) fn write(keys: &[StoredKey], sponsor: Option<&str>) -> Zeroizing<Vec<u8>> {
    // Room for all of it: a line is 169 to 173 bytes, and nothing is copied to grow and left behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(200 * (keys.len() + 1)));
    let mut put = |text: &str| plain.extend_from_slice(text.as_bytes());
    put("{\"version\":1,\"keys\":[\n");
    for (at, key) in keys.iter().enumerate() {
        let origin = match key.origin {
            Origin::Made => "made",
            Origin::Imported => "imported",
            Origin::Submitter => "submitter",
        };
        put(if at == 0 { "" } else { ",\n" });
        put("{\"address\":\"");
        put(&key.address);
        put("\",\"secret\":\"");
        put(key.secret().expose_secret());
        put("\",\"origin\":\"");
        put(origin);
        put("\"}");
    }
    put("\n],\"sponsor\":");
    match sponsor {
        Some(address) => {
            put("\"");
            put(address);
            put("\"}\n");
        }
        None => put("null}\n"),
    }
    plain
}
