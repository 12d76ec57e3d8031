//! The context that commands open: settings in force, the state to read or write, the chain, and consent.

use crate::session::Session;
use crate::{console, logs};
use base::{Code, Error, Progress, Result};
use config::{Config, Setting, Sources};
use evm::{Chain, ChainConfig, Learned};
use net::{HttpLimits, RetryPolicy};
use state::{Consent, Lock, Permit, State, ValuePermit, Work};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;
use stellar::submit::Terms;
use stellar::xdr::ContractId;
use stellar::{Client, ClientConfig};
use tokio::runtime::{Builder, Runtime};

/// The pin of the EVM network in `meta`.
const EVM_PIN: &str = "evm_chain_id";

/// The pin of the Stellar network in `meta`.
const STELLAR_PIN: &str = "stellar_passphrase";

/// What a command works with.
pub struct App<'s> {
    /// This run of the program.
    pub session: &'s Session,
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
    chains: RefCell<Vec<Chain>>,
    /// Every Stellar client that was handed out, for the same.
    clients: RefCell<Vec<Client>>,
    /// The state as it was opened for its settings, or why it was not; `None` once it was handed out.
    opened: RefCell<Option<Result<State>>>,
    progress: Box<dyn Progress>,
}

impl<'s> App<'s> {
    /// Works out the settings, from the state too where there is one, and starts the logs.
    ///
    /// # Errors
    /// Those of [`Session::sources`] and [`Config::resolve`]. A state that cannot be opened is no error here:
    /// the command that needs it says so.
    pub fn open(session: &'s Session) -> Result<Self> {
        Self::with(session, false)
    }

    /// As [`App::open`], for the commands that show and mend settings: what `config set` stored and this poolctl
    /// does not take becomes a warning.
    ///
    /// # Errors
    /// As [`App::open`].
    pub fn open_lenient(session: &'s Session) -> Result<Self> {
        Self::with(session, true)
    }

    fn with(session: &'s Session, lenient: bool) -> Result<Self> {
        let mut sources = session.sources()?;
        let config = Config::resolve(&sources)?;
        let state_path = config.state_path()?;
        let opened = State::read(&state_path, session.run.clone());
        let config = match &opened {
            Ok(state) => settings_of(session, &mut sources, state, lenient)?,
            Err(_) => config,
        };
        logs::start(config.get("log.level").unwrap_or("info"), &session.console);
        tracing::debug!(run = session.run.id, profile = config.profile, state = %state_path.display());
        let progress = session.console.progress();
        let foreign = match (&opened, config.get("evm.chain_id")) {
            (Ok(state), Some(chain_id)) => state::check_network(state, EVM_PIN, chain_id).err(),
            _ => None,
        };
        let learned = match &opened {
            Ok(state) => evm::learned(state.conn())?,
            Err(_) => Learned::default(),
        };
        let foreign_stellar = match (&opened, config.get("stellar.network").map(stellar::known)) {
            (Ok(state), Some(Ok(known))) => state::check_network(state, STELLAR_PIN, known.passphrase).err(),
            _ => None,
        };
        let (chains, clients) = (RefCell::default(), RefCell::default());
        Ok(Self {
            foreign,
            foreign_stellar,
            learned,
            chains,
            clients,
            session,
            config,
            state_path,
            sources,
            lenient,
            opened: RefCell::new(Some(opened)),
            progress,
        })
    }

    /// The state, for reading.
    ///
    /// # Errors
    /// As [`State::read`].
    pub fn read(&self) -> Result<State> {
        // The one that was opened for the settings; most commands need no other.
        let opened = self.opened.take();
        let state = opened.unwrap_or_else(|| State::read(&self.state_path, self.session.run.clone()))?;
        self.session.watch(Some(&state));
        Ok(state)
    }

    /// Where long work reports how far it is.
    pub fn progress(&self) -> &dyn Progress {
        self.progress.as_ref()
    }

    /// The state, for reading at length.
    ///
    /// # Errors
    /// As [`State::read`]; what `body` returns.
    pub fn look<T>(&self, body: impl FnOnce(&State, &dyn Progress) -> Result<T>) -> Result<T> {
        body(&self.read()?, self.progress.as_ref())
    }

    /// Lets go of the state file, for those who replace it.
    pub fn close(&self) {
        drop(self.opened.take());
    }

    /// Why the state cannot be read, if it cannot.
    pub fn state_fault(&self) -> Option<Error> {
        self.opened.borrow().as_ref()?.as_ref().err().cloned()
    }

    /// Runs `body` as the one writer, or on a private copy for a dry run.
    ///
    /// # Errors
    /// `state_missing`, `state_locked` and the others of [`State::write_access`]; what `body` returns.
    pub fn write<T>(&self, dry_run: bool, body: impl FnOnce(&mut Work<'_>) -> Result<T>) -> Result<T> {
        if dry_run {
            self.session.set_dry_run();
            let mut state = State::scratch(&self.state_path, self.session.run.clone())?;
            return self.work(&mut state, Permit::dry_run(), body);
        }
        match self.state_fault() {
            // An older schema is migrated by opening for writing.
            Some(e) if e.code() != Code::StateOutdated => return Err(e),
            // Another connection of our own would keep the log from being shrunk.
            _ => self.close(),
        }
        let lock = self.lock()?;
        let mut state = State::write_access(&self.state_path, self.session.run.clone(), &lock)?;
        let done = self.work(&mut state, Permit::of(&lock), body);
        if done.as_ref().is_err_and(|e| matches!(e.code(), Code::State | Code::StateCorrupt)) {
            lock.doubt();
        }
        self.session.keep(state, lock);
        done
    }

    /// As [`App::write`], for a service that waits for the network. What it learned of an EVM chain is kept.
    ///
    /// # Errors
    /// As [`App::write`].
    pub fn write_async<T>(
        &self,
        dry_run: bool,
        body: impl AsyncFnOnce(&mut Work<'_>) -> Result<T>,
    ) -> Result<T> {
        let runtime = runtime()?;
        self.write(dry_run, |work| {
            let value = runtime.block_on(body(work))?;
            for chain in self.chains.borrow().iter() {
                let endpoints = &chain.config().endpoints;
                let asked: Vec<String> =
                    endpoints.iter().map(|endpoint| endpoint.name().to_owned()).collect();
                evm::learn(work.state, work.permit, chain.chain_id(), &chain.learned(), &asked)?;
            }
            Ok(value)
        })
    }

    /// As [`App::write_async`], on the profile's EVM chain, which the state remembers from now on.
    ///
    /// # Errors
    /// As [`App::write`], and `missing_setting`, `wrong_network`.
    pub fn write_on_chain<T>(
        &self,
        dry_run: bool,
        body: impl AsyncFnOnce(&mut Work<'_>, &Chain) -> Result<T>,
    ) -> Result<T> {
        let chain = self.chain()?;
        self.write_async(dry_run, async |work| {
            let value = body(work, &chain).await?;
            // Only now: a first command that fails leaves the state as it was.
            state::pin_network(work.state, work.permit, EVM_PIN, &chain.chain_id().to_string())?;
            Ok(value)
        })
    }

    /// As [`App::write_async`], on the profile's Stellar network, which the state remembers from now on.
    ///
    /// # Errors
    /// As [`App::write`], and `missing_setting`, `wrong_network`.
    pub fn write_on_stellar<T>(
        &self,
        dry_run: bool,
        body: impl AsyncFnOnce(&mut Work<'_>, &Client) -> Result<T>,
    ) -> Result<T> {
        let client = self.stellar()?;
        self.write_async(dry_run, async |work| {
            // Before the work: what is sent on a network must not outlive the knowledge of which one it was.
            state::pin_network(work.state, work.permit, STELLAR_PIN, client.passphrase())?;
            body(work, &client).await
        })
    }

    /// Reads from the profile's EVM chain, at one endpoint alone where it is named; nothing is written.
    ///
    /// # Errors
    /// Those of [`App::chain_at`]; what `body` returns.
    pub fn look_on_chain<T>(
        &self,
        endpoint: Option<&str>,
        body: impl AsyncFnOnce(&Chain) -> Result<T>,
    ) -> Result<T> {
        let chain = self.chain_at(endpoint)?;
        let found = runtime()?.block_on(body(&chain));
        for warning in chain.take_warnings() {
            self.session.warn(warning);
        }
        found
    }

    /// Reads from the profile's Stellar network; nothing is written.
    ///
    /// # Errors
    /// Those of [`App::stellar`]; what `body` returns.
    pub fn look_on_stellar<T>(&self, body: impl AsyncFnOnce(&Client) -> Result<T>) -> Result<T> {
        let client = self.stellar()?;
        let found = runtime()?.block_on(body(&client));
        for warning in client.take_warnings() {
            self.session.warn(warning);
        }
        found
    }

    /// The settings in force with what this state holds: after a write, or under the lock.
    ///
    /// # Errors
    /// As [`Config::resolve`].
    pub fn config_with(&self, state: &State) -> Result<Config> {
        settings_of(self.session, &mut self.sources.clone(), state, self.lenient)
    }

    /// The settings that would be in force if this one were stored.
    ///
    /// # Errors
    /// As [`Config::resolve`].
    pub fn config_if(&self, state: &State, key: &str, value: &str) -> Result<Config> {
        let mut sources = self.sources.clone();
        sources.settings = state::settings(state.conn())?;
        sources.settings.retain(|setting| setting.key != key);
        sources.settings.push(Setting { key: key.to_owned(), value: value.to_owned() });
        Config::resolve(&sources)
    }

    /// The profile's EVM chain, unless the state belongs to another; nothing is sent yet. What its endpoints do
    /// wrong and others make good becomes warnings after the work.
    ///
    /// # Errors
    /// `missing_setting` where the profile names no chain or no endpoint, `wrong_network`.
    pub fn chain(&self) -> Result<Chain> {
        self.chain_at(None)
    }

    /// As [`App::chain`], with one endpoint alone where it is named.
    ///
    /// # Errors
    /// As [`App::chain`], and `invalid_value` for an endpoint that the profile does not name.
    pub fn chain_at(&self, endpoint: Option<&str>) -> Result<Chain> {
        if let Some(e) = &self.foreign {
            return Err(e.clone());
        }
        let mut chain = self.chain_config()?;
        if let Some(name) = endpoint {
            let names: Vec<String> =
                chain.endpoints.iter().map(|endpoint| endpoint.name().to_owned()).collect();
            chain.endpoints.retain(|endpoint| endpoint.name() == name);
            if chain.endpoints.is_empty() {
                return Err(Error::new(Code::InvalidValue, format!("--endpoint: no endpoint \"{name}\""))
                    .hint(format!("the profile's endpoints are: {}", names.join(", ")))
                    .detail("endpoint", name));
            }
        }
        let chain = Chain::new(chain)?;
        self.chains.borrow_mut().push(chain.clone());
        Ok(chain)
    }

    /// The profile's Stellar network, unless the state belongs to another; nothing is sent yet. What its endpoints do
    /// wrong and others make good becomes warnings after the work.
    ///
    /// # Errors
    /// `missing_setting` where the profile names no network or no endpoint, `wrong_network`.
    pub fn stellar(&self) -> Result<Client> {
        if let Some(e) = &self.foreign_stellar {
            return Err(e.clone());
        }
        let client = self.client_config()?;
        let client = Client::new(client)?;
        self.clients.borrow_mut().push(client.clone());
        Ok(client)
    }

    /// What the profile says about its EVM chain.
    ///
    /// # Errors
    /// `missing_setting` where it names no chain or no endpoint.
    pub fn chain_config(&self) -> Result<ChainConfig> {
        let config = &self.config;
        let mut chain = ChainConfig::new(
            config.profile.as_str(),
            config.number("evm.chain_id")?,
            config.endpoints("evm.rpc_urls")?,
        );
        (chain.http, chain.retry) = self.patience("evm")?;
        chain.confirmations = config.number("evm.confirmations")?;
        if let Some(multicall) = config.address("evm.multicall")? {
            chain.multicall = multicall;
        }
        chain.logs.most = config.number("evm.log_blocks")?;
        chain.logs.start = chain.logs.start.min(chain.logs.most);
        chain.logs.blooms = config.number("evm.bloom_blocks")?;
        chain.learned = self.learned.clone();
        Ok(chain)
    }

    /// What the profile says about its Stellar network.
    ///
    /// # Errors
    /// `missing_setting` where it names no network or no endpoint.
    pub fn client_config(&self) -> Result<ClientConfig> {
        let config = &self.config;
        let known = stellar::known(config.require("stellar.network")?)?;
        let endpoints = config.endpoints("stellar.rpc_urls")?;
        let mut client = ClientConfig::new(config.profile.as_str(), known.passphrase, endpoints);
        (client.http, client.retry) = self.patience("stellar")?;
        Ok(client)
    }

    /// Why the state does not belong to the profile's networks, where it does not.
    pub fn foreign(&self) -> impl Iterator<Item = &Error> {
        self.foreign.iter().chain(&self.foreign_stellar)
    }

    /// The KALE farm contract: the one that is set, or the network's.
    ///
    /// # Errors
    /// `missing_setting` where neither is known, `invalid_address`.
    pub fn farm_contract(&self) -> Result<ContractId> {
        farm_contract(&self.config)
    }

    /// The terms on which transactions are offered, as the settings say.
    ///
    /// # Errors
    /// `missing_setting`; cannot happen for a resolved config.
    pub fn terms(&self) -> Result<Terms> {
        let config = &self.config;
        let small = |name| config.number(name).map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        let valid_sec = config.number("stellar.tx_valid_sec")?;
        Ok(Terms {
            poll: Duration::from_millis(config.number("stellar.poll_ms")?),
            valid_sec,
            // Past its end, and then some for ledgers that close late.
            wait: Duration::from_secs(valid_sec + 60),
            percentile: config.require("stellar.fee_percentile")?.parse().unwrap_or_default(),
            max_inclusion_fee: small("stellar.max_inclusion_fee")?,
            resource_margin: small("stellar.resource_margin")?,
            ..Terms::default()
        })
    }

    /// How long and how often one endpoint is asked, by the settings of that group.
    fn patience(&self, group: &str) -> Result<(HttpLimits, RetryPolicy)> {
        let number = |name: &str| self.config.number(&format!("{group}.{name}"));
        let (http, retry) = (HttpLimits::default(), RetryPolicy::default());
        let timeout = Duration::from_secs(number("timeout_sec")?);
        let http = HttpLimits { timeout, connect_timeout: http.connect_timeout.min(timeout), ..http };
        let attempts = u32::try_from(number("attempts")?).unwrap_or(u32::MAX);
        let base = Duration::from_millis(number("retry_base_ms")?);
        Ok((http, RetryPolicy { attempts, base, ..retry }))
    }

    /// The token without which no value moves: on a profile that asks, the operator must agree to `what`.
    ///
    /// # Errors
    /// `needs_confirmation` where the answer is no, or nobody can be asked and `--yes` is missing.
    pub fn value_permit<'a>(&self, permit: Permit<'a>, what: &str) -> Result<ValuePermit<'a>> {
        self.agree(permit, self.config.confirm(), what)
    }

    /// As [`App::value_permit`], where `needed` says whether the operator must agree.
    ///
    /// # Errors
    /// As [`App::value_permit`].
    pub fn agree<'a>(&self, permit: Permit<'a>, needed: bool, what: &str) -> Result<ValuePermit<'a>> {
        let console = &self.session.console;
        let mut ask = |question: &str| console::ask(question);
        let consent = match (self.session.options.yes, needed && !self.session.dry_run(), console.can_ask()) {
            (_, false, _) => Consent::NotNeeded,
            (true, ..) => Consent::Given,
            (false, true, true) => Consent::Ask(&mut ask),
            (false, true, false) => Consent::Impossible,
        };
        let given = ValuePermit::obtain(permit, consent, what)?;
        // Ctrl-C at the question is an answer too.
        self.session.stop.check()?;
        Ok(given)
    }

    /// The state's lock, waiting for it as `--wait` says.
    ///
    /// # Errors
    /// `state_locked` naming the holder, `interrupted`, `io_error`.
    pub fn lock(&self) -> Result<Lock> {
        self.session.let_go();
        Lock::acquire(&self.state_path, &self.session.holder(), self.session.wait(), &self.session.stop)
    }

    /// The key store's lock, waiting for it as `--wait` says.
    ///
    /// # Errors
    /// `keys_locked` naming the holder, `interrupted`, `io_error`.
    pub fn lock_keys(&self, keys: &Path) -> Result<Lock> {
        Lock::keys(keys, &self.session.holder(), self.session.wait(), &self.session.stop)
    }

    /// An argument that names a file, from the root on, so that it can be shown and used anywhere.
    ///
    /// # Errors
    /// `invalid_value` for an empty path.
    pub fn absolute(path: &Path) -> Result<PathBuf> {
        std::path::absolute(path)
            .map_err(|e| Error::new(Code::InvalidValue, format!("\"{}\": {e}", path.display())))
    }

    fn work<T>(
        &self,
        state: &mut State,
        permit: Permit<'_>,
        body: impl FnOnce(&mut Work<'_>) -> Result<T>,
    ) -> Result<T> {
        // Another run may have changed settings while this one waited for the lock.
        let config = self.config_with(state)?;
        let progress = self.progress.as_ref();
        let done = body(&mut Work { config: &config, state, permit, progress, stop: &self.session.stop });
        let chains = self.chains.borrow();
        let clients = self.clients.borrow();
        let warnings = chains.iter().flat_map(Chain::take_warnings);
        for warning in warnings.chain(clients.iter().flat_map(Client::take_warnings)) {
            self.session.warn(warning);
        }
        done
    }
}

/// The settings with those that the state holds.
fn settings_of(session: &Session, sources: &mut Sources, state: &State, lenient: bool) -> Result<Config> {
    sources.settings = state::settings(state.conn())?;
    match Config::resolve(sources) {
        Err(e) if lenient && !sources.settings.is_empty() => {
            session.warn(format!("settings made with config set are left out: {e}"));
            sources.settings.clear();
            Config::resolve(sources)
        }
        resolved => resolved,
    }
}

/// The KALE farm contract that the settings name, or the network's.
///
/// # Errors
/// As [`App::farm_contract`].
pub fn farm_contract(config: &Config) -> Result<ContractId> {
    let known = stellar::known(config.require("stellar.network")?)?;
    match (config.get("kale.contract_id"), known.farm) {
        (Some(text), _) | (None, Some(text)) => stellar::contract("kale.contract_id", text),
        (None, None) => Err(Error::new(
            Code::MissingSetting,
            format!("the farm contract of network \"{}\" is not known", known.name),
        )
        .hint("set kale.contract_id in the config, or KALE_CONTRACT_ID")),
    }
}

/// What waits for the network, on this thread.
///
/// # Errors
/// `io_error` where the system gives none.
pub fn runtime() -> Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::new(Code::Io, format!("cannot start the network runtime: {e}")))
}
