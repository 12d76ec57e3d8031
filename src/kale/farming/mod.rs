//! What a farming service has at hand: state, farm, settings, keys, and what the strategy's command said.

mod ask;
pub mod code;
mod lead;
pub mod missed;
mod payers;
pub mod question;
mod scope;
mod submit;
pub mod submitter;

pub use ask::{Strategies, ask};
pub use lead::{Elsewhere, Leads, takes_nonces};
pub use missed::Missed;
pub use payers::{farmer, judge, note};
pub use question::TargetBlock;
pub use scope::Scope;
pub use submitter::Wait;

use crate::chain::Who;
use crate::chain::site::Site;
use crate::chain::view::{Ask, View};
use crate::record::rows;
use crate::settings::Settings;
use crate::strategy::Heard;
use base::{Code, Error, Result};
use config::Setting;
use rusqlite::Connection;
use state::{Leased, State, Tx, WriteContext};
use std::collections::BTreeMap;
use std::rc::Rc;
use stellar::Signers;
use stellar::submit::SubmitOptions;
use stellar::xdr::AccountId;

/// The keys of farmers and sponsor. They are unlocked on first use: what needs none never asks for a passphrase.
pub trait Keyring {
    /// Who signs.
    fn signers(&self) -> Result<Rc<dyn Signers>>;

    /// Who pays the fees; each farmer its own where nobody does.
    fn sponsor(&self) -> Result<Option<AccountId>>;

    /// Whether there is a key for this account.
    fn holds(&self, account: &AccountId) -> Result<bool>;

    /// Opens the keys again where another run has changed them since they were unlocked, asking nobody; whether it has.
    /// Where that fails, those that are at hand stay.
    fn renew(&self) -> Result<bool>;
}

/// The settings in force, which other runs may change.
pub trait Terms {
    /// Those of the farm and of its transactions, with what this state holds.
    fn read(&self, state: &State) -> Result<(Settings, SubmitOptions)>;
}

/// As [`state::anew_async`], with the keys and settings of then.
pub async fn anew<T>(
    farming: &mut Farming<'_, '_>,
    mut decide: impl AsyncFnMut(&mut Farming<'_, '_>) -> Result<T>,
) -> Result<T> {
    let mut decided = false;
    state::anew_async(async || {
        if std::mem::replace(&mut decided, true) {
            farming.renew()?;
        }
        decide(farming).await
    })
    .await
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
    /// What the state held of settings when these were read.
    pub stored: Vec<Setting>,
    /// Where both come from.
    pub terms: &'f dyn Terms,
    /// For whom it acts.
    pub scope: Scope,
    /// Leases of the farms that it leads, by the pooler's row id.
    pub leases: BTreeMap<String, Leased>,
    /// Farms that other runs lead, where it leads what is free.
    pub elsewhere: Vec<Elsewhere>,
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

    /// Takes in what other runs have changed of keys and settings since they were read; whether they have. Settings that
    /// cannot be used, and keys that cannot be opened, are told once, and the ones at hand stay.
    pub fn renew(&mut self) -> Result<bool> {
        let keys = self.keys.renew();
        let stored = state::settings(self.work.state.conn())?;
        let is_new = stored != self.stored || matches!(keys, Ok(true));
        if is_new {
            // Whatever comes of them, they are looked at once.
            self.stored = stored;
            (self.settings, self.submit_options) = self.terms.read(self.work.state)?;
        }
        keys.map(|_| is_new)
    }

    /// One write of the state.
    pub fn write<T>(&mut self, write: impl FnOnce(&Tx<'_>) -> Result<T>) -> Result<T> {
        self.work.state.write(self.work.permit, write)
    }
}

/// Whether [`Farming::renew`] failed at the state itself, so that nothing goes on by what is at hand.
pub const fn is_of_state(code: Code) -> bool {
    matches!(code, Code::State | Code::StateCorrupt | Code::StateLocked)
}

/// The settings that a stake is worked out by, as the state holds them.
pub fn staked_by(conn: &Connection) -> Result<Vec<Setting>> {
    let mut stored = state::settings(conn)?;
    stored.retain(is_staked_by);
    Ok(stored)
}

/// Whether a stake is worked out by it.
pub fn is_staked_by(setting: &Setting) -> bool {
    setting.key.starts_with("strategy.") || setting.key.starts_with("kale.")
}
