//! One run of the program: its flags, its environment (read here, once), who runs it, and what the terminal lends.

use crate::shell::console::{Console, ask, ask_secret};
use crate::shell::logs;
use crate::shell::options::{Options, WAIT};
use app::{Call, Host, Secret, passphrase_of};
use base::clock::Clock;
use base::{Code, Error, Exit, Progress, Result, Stop, files};
use config::file::{self, ConfigFile};
use config::{Config, Sources, stray_env};
use secrecy::SecretString;
use state::Run;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use tokio::runtime::{Builder, Runtime};
use zeroize::Zeroizing;

/// A credential is never larger, bytes.
const MOST: u64 = 4096;

/// What is known of a run before any file is opened.
pub struct Session {
    /// The global flags.
    pub options: Options,
    /// The environment; empty values count as unset.
    pub env: BTreeMap<String, String>,
    /// The terminal.
    pub console: Console,
    /// The run, as the services know it.
    pub call: Call,
    network: Network,
}

/// Reads the environment. Names and values that are no UTF-8 are shown with replacement characters.
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

impl Session {
    /// Begins a run and listens for signals.
    pub fn new(options: Options, command: String, env: BTreeMap<String, String>) -> Self {
        let console = Console::new(&options, &env);
        let run = Run { id: uuid::Uuid::new_v4().to_string(), actor: actor(&env), clock: Clock::System };
        let stop = Stop::default();
        listen(&stop);
        let mut call = Call::new(command, run, stop);
        (call.agreed, call.wait) = (options.yes, options.wait.unwrap_or(WAIT));
        for (name, near) in stray_env(&env) {
            let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            call.warn(format!("the environment names {name}, which poolctl does not know{near}"));
        }
        Self { options, env, console, call, network: Network::default() }
    }

    /// A run for somebody who is not at this terminal: nothing is asked or shown, no signal is listened for.
    #[cfg(feature = "serve")]
    pub fn remote(
        options: Options,
        command: String,
        env: BTreeMap<String, String>,
        actor: String,
        agreed: bool,
    ) -> Self {
        let run = Run { id: uuid::Uuid::new_v4().to_string(), actor, clock: Clock::System };
        let mut call = Call::new(command, run, Stop::default());
        (call.agreed, call.wait) = (agreed, options.wait.unwrap_or(WAIT));
        Self { options, env, console: Console::mute(), call, network: Network::default() }
    }

    /// Another command beside this one, in the same process; it is to stop with this one.
    #[cfg(feature = "serve")]
    pub fn beside(&self, command: &str) -> Self {
        let run = Run { id: uuid::Uuid::new_v4().to_string(), ..self.call.run.clone() };
        let mut call = Call::new(command.to_owned(), run, self.call.stop.clone());
        (call.agreed, call.wait) = (self.call.agreed, self.call.wait);
        let (options, env) = (self.options.clone(), self.env.clone());
        let console = Console::new(&options, &env);
        Self { options, env, console, call, network: Network::default() }
    }

    /// Where the config file is and what named it; it need not exist.
    pub fn config_path(&self) -> Result<(PathBuf, &'static str)> {
        if let Some(path) = &self.options.config {
            return Ok((path.clone(), "flag --config"));
        }
        if let Some(path) = self.env.get("POOLCTL_CONFIG") {
            return Ok((path.into(), "environment POOLCTL_CONFIG"));
        }
        let folders = folders().ok_or_else(|| {
            Error::new(Code::MissingSetting, "there is no home folder to look for the config file in")
                .hint("set HOME, or name the file with --config or POOLCTL_CONFIG")
        })?;
        Ok((folders.0.join("poolctl").join("config.toml"), "default"))
    }

    /// Everything that settings come from, and all that is wrong with the config file.
    pub fn sources_and_faults(&self) -> Result<(Sources, Vec<Error>)> {
        let (file, faults) = match self.config_path() {
            Ok((path, _)) if files::is_there(&path)? => file::read_all(&path),
            Ok((_, "default")) | Err(_) => (ConfigFile::default(), Vec::new()),
            Ok((path, origin)) => {
                return Err(Error::new(
                    Code::InvalidConfig,
                    format!("there is no config file at {} ({origin})", path.display()),
                )
                .hint("create it with: poolctl init"));
            }
        };
        Ok((self.sources_with(file)?, faults))
    }

    /// Everything that settings come from, with a config file that was read already, or none.
    pub fn sources_with(&self, file: ConfigFile) -> Result<Sources> {
        let mut flags = Vec::new();
        let paths = [
            ("state.path", &self.options.state, "--state"),
            ("keys.passphrase_file", &self.options.passphrase_file, "--passphrase-file"),
        ];
        for (key, path, flag) in paths {
            let Some(path) = path else { continue };
            let bad = || Error::new(Code::InvalidValue, format!("{flag}: {} is not UTF-8", path.display()));
            flags.push((key, path.to_str().ok_or_else(bad)?.to_owned(), flag));
        }
        if let Some((level, flag)) = self.options.log_level() {
            flags.push(("log.level", level.to_owned(), flag));
        }
        Ok(Sources {
            flags,
            env: self.env.clone(),
            file,
            profile: self.options.profile.clone().or_else(|| self.env.get("POOLCTL_PROFILE").cloned()),
            settings: Vec::new(),
            data_dir: folders().map(|(_, data)| data.join("poolctl")).unwrap_or_default(),
        })
    }
}

impl Host for Session {
    fn call(&self) -> &Call {
        &self.call
    }

    fn sources(&self) -> Result<Sources> {
        let (sources, faults) = self.sources_and_faults()?;
        faults.into_iter().next().map_or(Ok(sources), Err)
    }

    fn configured(&self, config: &Config) {
        logs::start(config.get("log.level").unwrap_or("info"), &self.console);
    }

    fn can_ask(&self) -> bool {
        self.console.can_ask
    }

    fn ask(&self, question: &str) -> Result<bool> {
        ask(question)
    }

    /// From the service manager, the environment, or whoever sits there.
    fn secret(&self, which: Secret) -> Result<SecretString> {
        let folder = self.env.get("CREDENTIALS_DIRECTORY");
        let credential = folder.map(|folder| Path::new(folder).join("poolctl-passphrase"));
        if let Some(path) = credential
            && files::is_there(&path)?
        {
            // The service manager guards the folder, and its access lists show as group bits of the file.
            let text = files::read(&path, MOST).map(Zeroizing::new).map_err(|e| {
                Error::new(Code::NoPassphrase, format!("cannot read the credential {}: {e}", path.display()))
                    .hint("see LoadCredential= of the unit")
            })?;
            return passphrase_of("the credential poolctl-passphrase", &text);
        }
        if let Some(passphrase) = self.env.get("POOLCTL_PASSPHRASE") {
            return passphrase_of("POOLCTL_PASSPHRASE", passphrase.as_bytes());
        }
        if !self.can_ask() {
            let e =
                Error::new(Code::NoPassphrase, "the key store needs its passphrase, and nobody can be asked");
            return Err(e.hint(
                "use --passphrase-file, keys.passphrase_command, the systemd credential poolctl-passphrase, \
                 POOLCTL_PASSPHRASE, or an age identity (keys.identity_file)",
            ));
        }
        let (new, stop) = (which == Secret::NewPassphrase, &self.call.stop);
        let question = if new { "New passphrase for the key store" } else { "Passphrase of the key store" };
        let given = ask_secret(question, stop)?;
        if new && *ask_secret("The same again", stop)? != *given {
            return Err(Error::new(Code::NoPassphrase, "the two passphrases differ; nothing was written")
                .hint("run the command again"));
        }
        passphrase_of("the passphrase", given.as_bytes())
    }

    fn progress(&self) -> Box<dyn Progress + Send + Sync> {
        self.console.progress()
    }

    fn runtime(&self) -> Result<&Runtime> {
        self.network.runtime()
    }
}

/// What waits for the network, made when it is first needed.
#[derive(Default)]
struct Network(OnceLock<Runtime>);

impl Network {
    fn runtime(&self) -> Result<&Runtime> {
        if self.0.get().is_none() {
            // Another thread may have been faster.
            let _ = self.0.set(runtime()?);
        }
        self.0.get().ok_or_else(|| Error::new(Code::Bug, "there is no network runtime"))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // A name that is being looked up still is not waited for.
            runtime.shutdown_background();
        }
    }
}

/// What waits for the network, on the thread that asks.
pub fn runtime() -> Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::new(Code::Io, format!("cannot start the network runtime: {e}")))
}

/// The platform's config and data folders.
fn folders() -> Option<(PathBuf, PathBuf)> {
    use etcetera::BaseStrategy;
    let platform = etcetera::choose_base_strategy().ok()?;
    Some((platform.config_dir(), platform.data_dir()))
}

/// `user@host`, as far as the machine tells.
fn actor(env: &BTreeMap<String, String>) -> String {
    let user = env.get("USER").or_else(|| env.get("LOGNAME")).cloned();
    let user = user.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    let host = rustix::system::uname();
    format!("{user}@{}", host.nodename().to_string_lossy())
}

/// The first SIGTERM or Ctrl-C asks to stop, the second stops at once.
fn listen(stop: &Stop) {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::flag;
    for signal in [SIGINT, SIGTERM] {
        // In this order: the second handler sets what the first one looks at.
        let at_once = i32::from(Exit::Transient.code());
        let _ = flag::register_conditional_shutdown(signal, at_once, Arc::clone(&stop.flag()));
        let _ = flag::register(signal, stop.flag());
    }
}
