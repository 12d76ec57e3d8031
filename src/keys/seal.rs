//! Encryption of the key store, by age: with a passphrase (scrypt), or to the identities of a file (X25519) for cron.

use age::{DecryptError, Decryptor, Encryptor, x25519};
use base::{Code, Error, Result};
use secrecy::SecretString;
use std::fmt;
use std::io::{Read, Write};
use std::path::Path;
use zeroize::Zeroizing;

/// The work of scrypt that locks a store with a passphrase, as a power of two: 256 MiB and about a second, as `age` has it.
const WORK: u8 = 18;
/// The most that is done to unlock one: 1 GiB. A file says how much it takes, and could ask for more than there is.
const MOST_WORK: u8 = 20;
/// The most identities of a file; each takes some 100 bytes of a key store's header.
const MOST_IDENTITIES: usize = 100;
/// The longest header that is read, bytes. To read one takes time as the square of its length.
const MOST_HEADER: usize = 16 << 10;

/// How a key store is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// With a passphrase.
    Passphrase,
    /// To age identities.
    Identity,
}

/// What unlocks a key store, and locks it again.
#[derive(Clone)]
pub enum Unlock {
    /// A passphrase.
    Passphrase(SecretString),
    /// The identities of a file.
    Identities(Identities),
}

impl fmt::Debug for Unlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passphrase(_) => "Unlock(passphrase)",
            Self::Identities(_) => "Unlock(identities)",
        })
    }
}

/// Secret keys of age, as `age-keygen` writes them.
#[derive(Clone)]
pub struct Identities(Vec<x25519::Identity>);

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identities({})", self.0.len())
    }
}

impl Identities {
    /// Reads an identity file's text: one `AGE-SECRET-KEY-1…` a line, `#` for comments.
    ///
    /// # Errors
    /// `no_passphrase` naming the line that is none, or that there is none; never what stands there.
    pub fn parse(path: &Path, text: &[u8]) -> Result<Self> {
        let shown = path.display();
        let bad = |why: String| {
            Error::new(Code::NoPassphrase, format!("the identity file {shown}: {why}"))
                .hint("make one with: age-keygen -o FILE")
        };
        let text = std::str::from_utf8(text).map_err(|_| bad("is not text".into()))?;
        let mut identities = Vec::new();
        for (at, line) in text.lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let identity =
                line.parse().map_err(|_| bad(format!("line {} is not an age identity", at + 1)))?;
            identities.push(identity);
        }
        if identities.is_empty() {
            return Err(bad("holds no identity".into()));
        }
        if identities.len() > MOST_IDENTITIES {
            return Err(bad(format!(
                "holds {} identities; at most {MOST_IDENTITIES} are taken",
                identities.len()
            )));
        }
        Ok(Self(identities))
    }
}

fn corrupt(path: &Path, why: impl fmt::Display) -> Error {
    Error::new(Code::KeysCorrupt, format!("the key store {} is damaged: {why}", path.display()))
        .hint("it is left as it is; bring back a copy of it")
}

/// What scrypt takes at this work factor: 1 KiB for each of its blocks.
fn memory(work: u8) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let unit = usize::from(work / 10).min(UNITS.len() - 1);
    match UNITS.get(unit).filter(|_| work < 64) {
        Some(name) => format!("{} {name}", 1_u64 << (work % 10)),
        None => "more than any machine has".to_owned(),
    }
}

fn decryptor<'a>(path: &Path, sealed: &'a [u8]) -> Result<Decryptor<&'a [u8]>> {
    let beginning = sealed.get(..MOST_HEADER).unwrap_or(sealed);
    if beginning.len() < sealed.len() && !beginning.windows(4).any(|line| line == b"\n---") {
        return Err(corrupt(path, format_args!("its header does not end within {} KiB", MOST_HEADER >> 10)));
    }
    Decryptor::new_buffered(sealed).map_err(|e| match e {
        DecryptError::UnknownFormat => corrupt(path, "it is of a newer version of age"),
        DecryptError::Io(_) => corrupt(path, "not an age file, or its end is missing"),
        _ => corrupt(path, "not an age file"),
    })
}

/// How a sealed store is opened.
pub fn method(path: &Path, sealed: &[u8]) -> Result<Method> {
    let scrypt = decryptor(path, sealed)?.is_scrypt();
    Ok(if scrypt { Method::Passphrase } else { Method::Identity })
}

/// What is in a sealed store.
pub fn open(path: &Path, sealed: &[u8], unlock: &Unlock) -> Result<Zeroizing<Vec<u8>>> {
    let decryptor = decryptor(path, sealed)?;
    let shown = path.display();
    let reader = match unlock {
        Unlock::Passphrase(passphrase) => {
            let mut identity = age::scrypt::Identity::new(passphrase.clone());
            identity.set_max_work_factor(MOST_WORK);
            decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity))
        }
        Unlock::Identities(Identities(identities)) => {
            decryptor.decrypt(identities.iter().map(|identity| identity as &dyn age::Identity))
        }
    };
    let mut reader = reader.map_err(|e| match (e, unlock) {
        (DecryptError::ExcessiveWork { required, .. }, _) => Error::new(
            Code::KeysCorrupt,
            format!(
                "the key store {shown} asks for a scrypt work factor of {required}, which needs {} of memory; at \
                 most {MOST_WORK} ({}) is accepted",
                memory(required),
                memory(MOST_WORK)
            ),
        )
        .hint("poolctl never writes such a file: find out where it comes from, and bring back a copy of yours"),
        (DecryptError::InvalidMac | DecryptError::InvalidHeader | DecryptError::Io(_), _) => {
            corrupt(path, "its header does not hold")
        }
        (_, unlock) => {
            let (code, what) = match unlock {
                Unlock::Passphrase(_) => (Code::WrongPassphrase, "the passphrase does not unlock"),
                Unlock::Identities(_) => (Code::WrongIdentity, "no identity of keys.identity_file unlocks"),
            };
            Error::new(code, format!("{what} the key store {shown}")).hint(
                "nothing was changed; if it is the right one, the file's header is damaged: bring back a copy",
            )
        }
    })?;
    // The plain text is shorter than the sealed one, so this never grows.
    let mut plain = Zeroizing::new(Vec::with_capacity(sealed.len()));
    reader.read_to_end(&mut plain).map_err(|e| corrupt(path, e))?;
    Ok(plain)
}

pub(super) fn seal(path: &Path, plain: &[u8], unlock: &Unlock) -> Result<Vec<u8>> {
    let failed = |e: &dyn fmt::Display| {
        Error::new(Code::Io, format!("cannot encrypt the key store {}: {e}", path.display()))
    };
    let encryptor = match unlock {
        Unlock::Passphrase(passphrase) => {
            let mut recipient = age::scrypt::Recipient::new(passphrase.clone());
            recipient.set_work_factor(WORK);
            Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient))
                .map_err(|e| failed(&e))?
        }
        Unlock::Identities(Identities(identities)) => {
            let recipients: Vec<_> = identities.iter().map(x25519::Identity::to_public).collect();
            let recipients = recipients.iter().map(|recipient| recipient as &dyn age::Recipient);
            Encryptor::with_recipients(recipients).map_err(|e| failed(&e))?
        }
    };
    let mut sealed = Vec::new();
    let mut writer = encryptor.wrap_output(&mut sealed).map_err(|e| failed(&e))?;
    writer.write_all(plain).map_err(|e| failed(&e))?;
    writer.finish().map_err(|e| failed(&e))?;
    Ok(sealed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    fn identities(count: usize) -> Result<Identities> {
        let lines =
            (0..count).map(|_| x25519::Identity::generate().to_string().expose_secret().to_owned() + "\n");
        Identities::parse(Path::new("identity"), lines.collect::<String>().as_bytes())
    }

    #[test]
    fn what_is_locked_to_the_most_identities_is_opened_again() {
        let path = Path::new("keys");
        let unlock = Unlock::Identities(identities(MOST_IDENTITIES).unwrap());
        let text = vec![7; 50_000];
        let sealed = seal(path, &text, &unlock).unwrap();
        assert_eq!(*open(path, &sealed, &unlock).unwrap(), text);
        let why = identities(MOST_IDENTITIES + 1).unwrap_err();
        assert_eq!(why.message(), "the identity file identity: holds 101 identities; at most 100 are taken");
    }

    #[test]
    fn a_header_without_end_is_not_read() {
        let path = Path::new("keys");
        let stanzas =
            |count: usize| format!("age-encryption.org/v1\n{}", "-> scrypt A\n".repeat(count)).into_bytes();
        for (sealed, want) in [
            (stanzas(2_000_000), "its header does not end within 16 KiB"),
            (stanzas(2000), "its header does not end within 16 KiB"),
            (stanzas(20), "not an age file"),
        ] {
            let why = method(path, &sealed).unwrap_err();
            assert_eq!(why.code(), Code::KeysCorrupt);
            assert!(why.message().contains(want), "{}", why.message());
        }
    }
}
