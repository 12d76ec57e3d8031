//! The plain text inside the key store. Secrets are read in place and written into memory that is wiped.

use super::signer::{address_of, parse_secret, secret_of};
use base::{Code, Error, Result};
use ed25519_dalek::{Signer as _, SigningKey};
use grind::json::Object;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::path::Path;
use strum::{EnumString, IntoStaticStr};
use zeroize::Zeroizing;

/// How a key came into the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
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

    /// The ed25519 signature of a 32-byte hash: of a transaction, or of a Soroban authorisation.
    pub fn sign(&self, hash: &[u8; 32]) -> [u8; 64] {
        self.key.sign(hash).to_bytes()
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

#[derive(Serialize, Deserialize)]
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
        let unknown = |_| bad(format!("key {} has an unknown origin", at + 1));
        let origin: Origin = line.origin.parse().map_err(unknown)?;
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
    plain.extend_from_slice(b"{\"version\":1,\"keys\":[\n");
    for (at, key) in keys.iter().enumerate() {
        let secret = key.secret();
        let line = Line { address: &key.address, secret: secret.expose_secret(), origin: key.origin.into() };
        plain.extend_from_slice(if at == 0 { b"" } else { b",\n" });
        // Nothing in it can fail to be written into memory.
        let _ = serde_json::to_writer(&mut *plain, &line);
    }
    plain.extend_from_slice(b"\n],\"sponsor\":");
    let _ = serde_json::to_writer(&mut *plain, &sponsor);
    plain.extend_from_slice(b"}\n");
    plain
}
