//! The key store: the secret keys of the farmers and of the fee sponsor, in one age-encrypted file per profile.
//!
//! The file is plain age (<https://age-encryption.org>), so that `age -d` reads it without poolctl: a JSON document
//! `{"version":1,"keys":[{"address":"G…","secret":"S…","origin":"made"|"imported"|"submitter"}],"sponsor":"G…"|null}`.
//! Whoever changes it holds a kernel lock beside it, and a key that was added is on the disk before anything else
//! learns of it.

pub mod document;
mod file;
mod memory;
pub mod seal;
mod signer;

pub use file::read_private;
pub use memory::{conceal, no_core_dumps};
pub use seal::{Identities, Method, Unlock};
pub use signer::{address_of, parse_secret};

use base::{Code, Error, Result, killpoint, run};
pub use document::Origin;
use document::StoredKey;
use ed25519_dalek::SigningKey;
use file::Stamp;
use secrecy::SecretString;
use state::Held;
use std::cell::Cell;
use std::fmt;
use std::path::{Path, PathBuf};
use stellar::Signers;
use stellar::xdr::AccountId;

/// An unlocked key store.
pub struct KeyStore {
    path: PathBuf,
    unlock: Unlock,
    /// Which file stood in its place when that was last looked at.
    stamp: Cell<Option<Stamp>>,
    keys: Vec<StoredKey>,
    sponsor: Option<String>,
}

impl fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyStore({}, {} keys)", self.path.display(), self.keys.len())
    }
}

impl KeyStore {
    /// How the key store at `path` is locked, so that the right secret can be asked for.
    pub fn method(path: &Path) -> Result<Method> {
        seal::method(path, &file::read(path)?)
    }

    /// Unlocks the key store, to sign.
    pub fn open(path: &Path, unlock: Unlock) -> Result<Self> {
        // Before it is read: one that is replaced meanwhile is another one.
        let stamp = Cell::new(Stamp::of(path));
        let plain = seal::open(path, &file::read(path)?, &unlock)?;
        let (keys, sponsor) = document::read(path, &plain)?;
        memory::lock(&keys);
        Ok(Self { path: path.to_owned(), unlock, stamp, keys, sponsor })
    }

    /// Whether another file stands in its place than when it was opened, or this was last asked: somebody has changed it.
    pub fn is_replaced(&self) -> bool {
        let now = Stamp::of(&self.path);
        self.stamp.replace(now) != now
    }

    /// As it is on the disk now, unlocked by what unlocked it before; nobody is asked.
    ///
    /// # Errors
    /// Those of [`KeyStore::open`].
    pub fn again(&self) -> Result<Self> {
        Self::open(&self.path, self.unlock.clone())
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The public keys, in the order in which they were added.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.address.as_str())
    }

    /// Whether there is a key for this address.
    pub fn holds(&self, address: &str) -> bool {
        self.find(address).is_some()
    }

    /// How the key of this address came in.
    pub fn origin(&self, address: &str) -> Option<Origin> {
        self.find(address).map(|key| key.origin)
    }

    /// The address of the account that pays the fees, if it has a key here.
    pub fn sponsor(&self) -> Option<&str> {
        self.sponsor.as_deref()
    }

    /// What signs for this address.
    pub fn signer(&self, address: &str) -> Result<&StoredKey> {
        self.find(address).ok_or_else(|| self.no_key(address))
    }

    /// The secret of this address as `S…`.
    pub fn export(&self, address: &str) -> Result<SecretString> {
        self.signer(address).map(StoredKey::secret)
    }

    fn find(&self, address: &str) -> Option<&StoredKey> {
        self.keys.iter().find(|key| key.address == address)
    }

    fn no_key(&self, address: &str) -> Error {
        Error::new(Code::NoKey, format!("the key store {} has no key for {address}", self.path.display()))
            .hint(
                run("farmer list")
                    .with("keys")
                    .say(" compares; a key is brought in with: ")
                    .run("farmer import"),
            )
            .detail("address", address)
    }
}

impl Signers for KeyStore {
    fn sign(&self, account: &AccountId, hash: &[u8; 32]) -> Result<[u8; 64]> {
        Ok(self.signer(&account.to_string())?.sign(hash))
    }
}

/// A key store that is being changed. It stays locked until dropped, so nobody else's change is lost.
pub struct Editor {
    store: KeyStore,
    /// Whether the file is still to be made.
    new: bool,
    _lock: Held,
}

impl fmt::Debug for Editor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Editor({:?})", self.store)
    }
}

impl Editor {
    /// Opens the key store for a change, or begins a new one; nothing is written before a key is added.
    /// `lock` takes the kernel lock beside it ([`state::Lock::keys`]); `unlock` gets `None` where there is no store yet.
    ///
    /// # Errors
    /// `keys_locked` while another run changes it, and those of [`KeyStore::open`] but `keys_missing`.
    pub fn open(
        path: &Path,
        lock: impl FnOnce(&Path) -> Result<Held>,
        unlock: impl FnOnce(Option<Method>) -> Result<Unlock>,
    ) -> Result<Self> {
        file::make_folder(path)?;
        let lock = lock(path)?;
        let method = match KeyStore::method(path) {
            Ok(method) => Some(method),
            Err(e) if e.code() == Code::KeysMissing => None,
            Err(e) => return Err(e),
        };
        let unlock = unlock(method)?;
        let store = match method {
            Some(_) => KeyStore::open(path, unlock)?,
            None => KeyStore {
                path: path.to_owned(),
                unlock,
                stamp: Cell::new(None),
                keys: Vec::new(),
                sponsor: None,
            },
        };
        Ok(Self { store, new: method.is_none(), _lock: lock })
    }

    /// The store as it is on the disk now.
    pub const fn store(&self) -> &KeyStore {
        &self.store
    }

    /// Makes a key from the system's randomness and writes it; returns its address.
    ///
    /// # Errors
    /// `io_error`; then the file is as it was.
    pub fn make(&mut self) -> Result<String> {
        let key = signer::generate()?;
        let address = address_of(&key);
        self.add(&key, Origin::Made)?;
        Ok(address)
    }

    /// Writes a key unless it is there; true where it was added.
    pub fn add(&mut self, key: &SigningKey, origin: Origin) -> Result<bool> {
        let address = address_of(key);
        if self.store.holds(&address) {
            return Ok(false);
        }
        self.store.keys.push(StoredKey::new(key, origin));
        memory::lock(&self.store.keys);
        if let Err(e) = self.save() {
            self.store.keys.pop();
            return Err(e);
        }
        Ok(true)
    }

    /// Makes the account of this address the fee sponsor; the sponsor before it keeps its key. True where it changed.
    pub fn set_sponsor(&mut self, address: &str) -> Result<bool> {
        self.store.signer(address)?;
        if self.store.sponsor() == Some(address) {
            return Ok(false);
        }
        let before = self.store.sponsor.replace(address.to_owned());
        if let Err(e) = self.save() {
            self.store.sponsor = before;
            return Err(e);
        }
        Ok(true)
    }

    /// The whole store, encrypted anew, through a neighbour and a rename; on the disk when this returns.
    fn save(&mut self) -> Result<()> {
        let plain = document::write(&self.store.keys, self.store.sponsor.as_deref());
        let sealed = seal::seal(&self.store.path, &plain, &self.store.unlock)?;
        killpoint::reach();
        file::replace(&self.store.path, &sealed, self.new)?;
        killpoint::reach();
        self.new = false;
        Ok(())
    }
}
