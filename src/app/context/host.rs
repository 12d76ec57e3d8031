//! What a face lends: a terminal, or whatever else stands between a person and the services.

use crate::Call;
use base::{Progress, Result};
use config::{Config, Sources};
use secrecy::SecretString;
use tokio::runtime::Runtime;

/// A secret that only a face can get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secret {
    /// What unlocks the key store.
    Passphrase,
    /// What is to lock a new one; a person who is asked is asked twice.
    NewPassphrase,
}

/// A face, during one call.
pub trait Host: Send + Sync {
    /// The call.
    fn call(&self) -> &Call;
    /// What settings come from, without what the state holds.
    fn sources(&self) -> Result<Sources>;
    /// The settings are known now.
    fn configured(&self, config: &Config);
    /// Whether somebody can be asked.
    fn can_ask(&self) -> bool;
    /// Puts a question; true is a yes.
    fn ask(&self, question: &str) -> Result<bool>;
    /// A secret that no setting tells; `no_passphrase` where there is none and nobody can be asked.
    fn secret(&self, which: Secret) -> Result<SecretString>;
    /// Where long work shows how far it is.
    fn progress(&self) -> Box<dyn Progress + Send + Sync>;
    /// What waits for the network; the same for as long as the face lives. Calls block on it, so never from within it.
    fn runtime(&self) -> Result<&Runtime>;
}
