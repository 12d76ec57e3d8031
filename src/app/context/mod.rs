//! The context of a call: settings in force, the state to read or write, and consent.

pub mod call;
mod desk;
pub mod document;
pub mod failures;
pub mod host;
mod networks;
mod secrets;
mod unlock;

pub use networks::{farm_contract, submit_options};
pub use secrets::{one_line, private_text};
pub use unlock::{conceal, edit_keys, open_keys, passphrase_of};

use crate::{Call, Host};
use base::{Code, Error, Progress, Result};
use config::{Config, Setting, Sources};
use desk::{Desk, Way};
use evm::{Chain, Learned};
use state::{Consent, Held, Lock, Permit, State, ValuePermit, WriteContext};
use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use stellar::Client;

/// The pin of the EVM network in `meta`.
const EVM_PIN: &str = "evm_chain_id";

/// The pin of the Stellar network in `meta`.
pub(crate) const STELLAR_PIN: &str = "stellar_passphrase";

/// What a call works with. Several threads may share it.
pub struct App<'s> {
    /// The face.
    pub host: &'s dyn Host,
    /// The settings in force.
    pub config: Config,
    /// Where the state file is, or would be.
    pub state_path: PathBuf,
    sources: Sources,
    /// Unknown or invalid stored settings are warned of instead of refused.
    lenient: bool,
    /// Why the state does not belong to the profile's EVM chain, if it does not.
    foreign: Option<Error>,
    /// Why the state does not belong to the profile's Stellar network, if it does not.
    foreign_stellar: Option<Error>,
    /// What earlier runs learned of the EVM chain.
    learned: Learned,
    /// Every chain that was handed out, for the warnings it gathers.
    chains: Mutex<Vec<Chain>>,
    /// Every Stellar client that was handed out, for the same.
    clients: Mutex<Vec<Client>>,
    /// The state as it was opened for its settings, or why it was not; `None` once it was handed out.
    opened: Mutex<Option<Result<State>>>,
    progress: Box<dyn Progress + Send + Sync>,
}

impl<'s> App<'s> {
    /// Works out the settings, from the state too where there is one. A state that cannot be opened is no error here: the
    /// command that needs it says so.
    pub fn open(host: &'s dyn Host) -> Result<Self> {
        Self::with(host, false)
    }

    /// As [`App::open`], for the commands that show and fix settings: what `config set` stored and this poolctl
    /// does not take becomes a warning.
    pub fn open_lenient(host: &'s dyn Host) -> Result<Self> {
        Self::with(host, true)
    }

    fn with(host: &'s dyn Host, lenient: bool) -> Result<Self> {
        let mut sources = host.sources()?;
        let config = Config::resolve(&sources)?;
        let state_path = config.state_path()?;
        let opened = State::read(&state_path, host.call().run.clone());
        let config = match &opened {
            Ok(state) => settings_of(host.call(), &mut sources, state, lenient)?,
            Err(_) => config,
        };
        host.configured(&config);
        tracing::debug!(run = host.call().run.id, profile = config.profile, state = %state_path.display());
        let progress = host.progress();
        let foreign = match (&opened, config.get("evm.chain_id")) {
            (Ok(state), Some(chain_id)) => state::check_network(state, EVM_PIN, chain_id).err(),
            _ => None,
        };
        let learned = opened.as_ref().map_or_else(|_| Ok(Learned::default()), |s| evm::learned(s.conn()))?;
        let foreign_stellar = match (&opened, config.get("stellar.network").map(stellar::known)) {
            (Ok(state), Some(Ok(known))) => state::check_network(state, STELLAR_PIN, known.passphrase).err(),
            _ => None,
        };
        Ok(Self {
            foreign,
            foreign_stellar,
            learned,
            chains: Mutex::default(),
            clients: Mutex::default(),
            host,
            config,
            state_path,
            sources,
            lenient,
            opened: Mutex::new(Some(opened)),
            progress,
        })
    }

    /// The call.
    pub fn call(&self) -> &'s Call {
        self.host.call()
    }

    /// The state, for reading.
    pub fn read(&self) -> Result<State> {
        // The one that was opened for the settings; most commands need no other.
        let opened = guard(&self.opened).take();
        let state = opened.unwrap_or_else(|| State::read(&self.state_path, self.call().run.clone()))?;
        self.call().watch(Some(&state));
        Ok(state)
    }

    /// Where long work reports how far it is.
    pub fn progress(&self) -> &dyn Progress {
        self.progress.as_ref()
    }

    /// The state, for reading at length.
    pub fn look<T>(&self, body: impl FnOnce(&State, &dyn Progress) -> Result<T>) -> Result<T> {
        body(&self.read()?, self.progress.as_ref())
    }

    /// Lets go of the state file, for those who replace it.
    pub fn close(&self) {
        drop(guard(&self.opened).take());
    }

    /// Why the state cannot be read, if it cannot.
    pub fn state_fault(&self) -> Option<Error> {
        guard(&self.opened).as_ref()?.as_ref().err().cloned()
    }

    /// Runs `body` with the state open for writing; what a dry run writes is taken back.
    pub fn write<T>(
        &self,
        dry_run: bool,
        body: impl FnOnce(&mut WriteContext<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut desk = Desk::open(self, way(dry_run))?;
        let done = body(&mut desk.work());
        desk.close(done)
    }

    /// As [`App::write`], for a service that waits for the network before it writes, and not afterwards.
    pub fn write_async<T>(
        &self,
        dry_run: bool,
        body: impl AsyncFnOnce(&mut WriteContext<'_>) -> Result<T>,
    ) -> Result<T> {
        self.write_in(way(dry_run), body)
    }

    fn write_in<T>(&self, way: Way, body: impl AsyncFnOnce(&mut WriteContext<'_>) -> Result<T>) -> Result<T> {
        let runtime = self.host.runtime()?;
        let mut desk = Desk::open(self, way)?;
        let written = desk.rehearsal();
        let done = runtime.block_on(async {
            let mut work = desk.work();
            let mut body = pin!(body(&mut work));
            poll_fn(|cx| match body.as_mut().poll(cx) {
                // Other writers would wait for the network too.
                Poll::Pending if written.as_ref().is_some_and(|written| written.load(Ordering::Relaxed)) => {
                    Poll::Ready(Err(Error::new(Code::Bug, "a dry run waits with a write open")))
                }
                polled => polled,
            })
            .await
        });
        desk.close(done)
    }

    /// The settings in force with what this state holds.
    pub fn config_with(&self, state: &State) -> Result<Config> {
        settings_of(self.call(), &mut self.sources.clone(), state, self.lenient)
    }

    /// The settings that would be in force if this one were stored.
    pub fn config_if(&self, state: &State, key: &str, value: &str) -> Result<Config> {
        let mut sources = self.sources.clone();
        sources.settings = state::settings(state.conn())?;
        sources.settings.retain(|setting| setting.key != key);
        sources.settings.push(Setting { key: key.to_owned(), value: value.to_owned() });
        Config::resolve(&sources)
    }

    /// The token without which no value moves: on a profile that asks, the operator must agree to `what`. It is
    /// `needs_confirmation` where the answer is no, or nobody can be asked and nobody agreed beforehand.
    pub fn value_permit<'a>(&self, permit: Permit<'a>, what: &str) -> Result<ValuePermit<'a>> {
        self.agree(permit, self.config.confirm(), what)
    }

    /// As [`App::value_permit`], where `needed` says whether the operator must agree.
    pub fn agree<'a>(&self, permit: Permit<'a>, needed: bool, what: &str) -> Result<ValuePermit<'a>> {
        let (call, host) = (self.call(), self.host);
        let mut ask = |question: &str| host.ask(question);
        let consent = match (call.agreed, needed && !call.dry_run(), host.can_ask()) {
            (_, false, _) => Consent::NotNeeded,
            (true, ..) => Consent::Given,
            (false, true, true) => Consent::Ask(&mut ask),
            (false, true, false) => Consent::Impossible,
        };
        let given = ValuePermit::obtain(permit, consent, what)?;
        // Ctrl-C at the question is an answer too.
        call.stop.check()?;
        Ok(given)
    }

    /// The right to write, beside others; `state_locked` names who has the state alone.
    pub fn lock(&self) -> Result<Lock> {
        self.call().let_go();
        Lock::acquire(&self.state_path, &self.call().holder(), self.call().wait, &self.call().stop)
    }

    /// The right to replace or migrate the state, with nobody else at work on it.
    pub fn lock_alone(&self) -> Result<Lock> {
        self.call().let_go();
        Lock::alone(&self.state_path, &self.call().holder(), self.call().wait, &self.call().stop)
    }

    /// The key store's lock, waiting for it as long as the call does; `keys_locked` names the holder.
    pub fn lock_keys(&self, keys: &Path) -> Result<Held> {
        Lock::keys(keys, &self.call().holder(), self.call().wait, &self.call().stop)
    }

    /// An argument that names a file, from the root on, so that it can be shown and used anywhere.
    pub fn absolute(path: &Path) -> Result<PathBuf> {
        std::path::absolute(path)
            .map_err(|e| Error::new(Code::InvalidValue, format!("\"{}\": {e}", path.display())))
    }
}

/// The settings with those that the state holds.
fn settings_of(call: &Call, sources: &mut Sources, state: &State, lenient: bool) -> Result<Config> {
    sources.settings = state::settings(state.conn())?;
    match Config::resolve(sources) {
        Err(e) if lenient && !sources.settings.is_empty() => {
            call.warn(format!("settings made with config set are left out: {e}"));
            sources.settings.clear();
            Config::resolve(sources)
        }
        resolved => resolved,
    }
}

const fn way(dry_run: bool) -> Way {
    if dry_run { Way::Rehearse } else { Way::Live }
}

/// What a thread that broke off left behind is whole: each of these is replaced in one step.
fn guard<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_can_be_shared_between_threads() {
        const fn shared<T: Send + Sync>() {}
        const { shared::<App<'_>>() };
        const { shared::<Call>() };
    }
}
