//! What a farming service has at hand: state, farm, settings, keys, and what the strategy's command said.

mod alerts;
mod ask;
mod payers;
pub mod question;
mod submit;
pub mod submitter;

pub use alerts::{farmer, note};
pub use ask::{Strategies, ask};
pub use payers::judge;
pub use question::Asked;
pub use submitter::Wait;

use crate::chain::site::Site;
use crate::settings::Settings;
use crate::strategy::Heard;
use base::Result;
use state::Work;
use stellar::Signers;
use stellar::submit::Terms;
use stellar::xdr::AccountId;

/// The keys of farmers and sponsor. They are unlocked on first use: what needs none never asks for a passphrase.
pub trait Keyring {
    /// Who signs.
    ///
    /// # Errors
    /// Those of unlocking.
    fn signers(&self) -> Result<&dyn Signers>;

    /// Who pays the fees; each farmer its own where nobody does.
    ///
    /// # Errors
    /// Those of unlocking.
    fn sponsor(&self) -> Result<Option<AccountId>>;

    /// Whether there is a key for this account.
    ///
    /// # Errors
    /// Those of unlocking.
    fn holds(&self, account: &AccountId) -> Result<bool>;
}

/// What a farming service works with.
pub struct Farming<'f, 'w> {
    /// State, the right to write, progress, the wish to stop.
    pub work: &'f mut Work<'w>,
    /// The farm.
    pub site: &'f Site,
    /// The farm's settings.
    pub settings: Settings,
    /// The terms of transactions; who pays is for the keys to say.
    pub terms: Terms,
    /// The keys.
    pub keys: &'f dyn Keyring,
    /// What `strategy.command` said last in this run.
    pub heard: Option<Heard>,
}
