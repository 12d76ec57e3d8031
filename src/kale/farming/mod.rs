//! What a farming service has at hand: state, farm, settings, keys, and what the strategy's command said.

mod ask;
mod payers;
pub mod question;
mod submit;
pub mod submitter;

pub use ask::{Strategies, ask};
pub use payers::{farmer, judge, note};
pub use question::TargetBlock;
pub use submitter::Wait;

use crate::chain::Who;
use crate::chain::site::Site;
use crate::chain::view::{Ask, View};
use crate::record::rows;
use crate::settings::Settings;
use crate::strategy::Heard;
use base::{Error, Result};
use state::{Tx, WriteContext};
use stellar::Signers;
use stellar::submit::SubmitOptions;
use stellar::xdr::AccountId;

/// The keys of farmers and sponsor. They are unlocked on first use: what needs none never asks for a passphrase.
pub trait Keyring {
    /// Who signs.
    fn signers(&self) -> Result<&(dyn Signers + 'static)>;

    /// Who pays the fees; each farmer its own where nobody does.
    fn sponsor(&self) -> Result<Option<AccountId>>;

    /// Whether there is a key for this account.
    fn holds(&self, account: &AccountId) -> Result<bool>;
}

/// What a farming service works with.
pub struct Farming<'f, 'w> {
    /// State, the right to write, progress, the wish to stop.
    pub work: &'f mut WriteContext<'w>,
    /// The farm.
    pub site: &'f Site,
    /// The farm's settings.
    pub settings: Settings,
    /// The terms of transactions; who pays is for the keys to say.
    pub submit_options: SubmitOptions,
    /// The keys.
    pub keys: &'f dyn Keyring,
    /// What `strategy.command` said last in this run.
    pub heard: Option<Heard>,
    /// What did not keep this run from going on, and ends it with a failure all the same.
    pub faults: Vec<Error>,
}

impl Farming<'_, '_> {
    /// The farm as it is now, with the pails of these farmers in the current block, and their accounts where `wallets` are
    /// wanted.
    pub async fn look(&self, who: &[Who], wallets: bool) -> Result<View> {
        let guess = rows::last_block(self.work.state.conn())?;
        View::read(self.site, &Ask { who, wallets, guess }).await
    }

    /// One write of the state.
    pub fn write<T>(&mut self, write: impl FnOnce(&Tx<'_>) -> Result<T>) -> Result<T> {
        self.work.state.write(self.work.permit, write)
    }
}
