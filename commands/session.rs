//! One run of the program: its flags, its environment (read here, once), who runs it, and what it gathers.

use crate::console::Console;
use crate::options::Options;
use base::clock::Clock;
use base::{Code, Error, Exit, Result, Stop, files};
use config::file::{self, ConfigFile};
use config::{Sources, stray_env};
use state::{Holder, Lock, Permit, Run, State, Watch, runs};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What is known of a run before any file is opened.
pub struct Session {
    /// The global flags.
    pub options: Options,
    /// The environment; empty values count as unset.
    pub env: BTreeMap<String, String>,
    /// The command's words: `pool list`.
    pub command: String,
    /// The terminal.
    pub console: Console,
    /// Set by the first signal.
    pub stop: Stop,
    /// Stands in the audit log.
    pub run: Run,
    warnings: RefCell<Vec<String>>,
    /// What the command went on in spite of.
    fault: RefCell<Option<Error>>,
    dry_run: Cell<bool>,
    /// What a scheduled command wrote to, with the lock, until it is noted how the run ended.
    kept: RefCell<Option<(State, Lock)>>,
    /// The state where it is noted how the run ended, and what was noted.
    noted: RefCell<Option<(PathBuf, runs::Noted)>>,
    /// Whether the command was for everything there is.
    whole: Cell<bool>,
    /// The state that is read as one that nobody changes.
    watched: RefCell<Option<Watch>>,
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
        let session = Self {
            options,
            env,
            command,
            console,
            stop,
            run,
            warnings: RefCell::default(),
            fault: RefCell::default(),
            dry_run: Cell::new(false),
            kept: RefCell::default(),
            noted: RefCell::default(),
            whole: Cell::new(true),
            watched: RefCell::default(),
        };
        for (name, near) in stray_env(&session.env) {
            let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            session.warn(format!("the environment names {name}, which poolctl does not know{near}"));
        }
        session
    }

    /// Something the operator should know, in the envelope or on stderr at the end.
    pub fn warn(&self, warning: impl Into<String>) {
        let (warning, mut warnings) = (warning.into(), self.warnings.borrow_mut());
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    /// Something that the command went on in spite of, and that ends it with a failure where nothing else does.
    pub fn fault(&self, fault: Error) {
        self.fault.borrow_mut().get_or_insert(fault);
    }

    /// That, which is then forgotten.
    pub fn take_fault(&self) -> Option<Error> {
        self.fault.take()
    }

    /// The warnings so far, which are then forgotten.
    pub fn take_warnings(&self) -> Vec<String> {
        self.warnings.take()
    }

    /// Notes that nothing will be written; the output says so.
    pub fn set_dry_run(&self) {
        self.dry_run.set(true);
    }

    /// Whether nothing is written.
    pub fn dry_run(&self) -> bool {
        self.dry_run.get()
    }

    /// Says whether the run is for everything there is: one for a few pools says nothing about the others, and its end is
    /// not noted.
    pub fn covers(&self, whole: bool) {
        self.whole.set(whole);
    }

    /// Keeps what a scheduled command has written to, so that its end can be noted there. Others let go of it at once.
    pub fn keep(&self, state: State, lock: Lock) {
        if self.whole.get() && runs::is_scheduled(&self.command) {
            self.kept.replace(Some((state, lock)));
        } else {
            close(state, lock);
        }
    }

    /// Keeps an eye on a state that is read as one that nobody changes; on none any more where none is given.
    pub fn watch(&self, state: Option<&State>) {
        self.watched.replace(state.and_then(State::watch).cloned());
    }

    /// Whether what was read holds.
    ///
    /// # Errors
    /// As [`Watch::is_unchanged`].
    pub fn has_read_one_moment(&self) -> Result<()> {
        self.watched.borrow().as_ref().map_or(Ok(()), Watch::is_unchanged)
    }

    /// Lets go of what was kept, since it is locked again.
    pub fn let_go(&self) {
        drop(self.kept.take());
    }

    /// Notes how a scheduled command ended, and lets go of the state: nobody waits for whoever reads the result.
    pub fn note_end(&self, exit: Exit) {
        let Some((state, lock)) = self.kept.take() else { return };
        match state.note_run(Permit::of(&lock), &self.command, exit) {
            Ok(noted) => *self.noted.borrow_mut() = Some((state.path().to_owned(), noted)),
            Err(e) => self.warn(format!("cannot note in the state when this run ended: {e}")),
        }
        close(state, lock);
    }

    /// Notes that it ended otherwise after all: its result could not be written.
    ///
    /// # Errors
    /// `state_locked` and the others of [`State::write_access`].
    pub fn amend_end(&self, exit: Exit) -> Result<()> {
        let Some((path, noted)) = self.noted.take() else { return Ok(()) };
        let lock = Lock::acquire(&path, &self.holder(), self.wait(), &self.stop)?;
        let state = State::write_access(&path, self.run.clone(), &lock)?;
        let amended = state.amend_run(Permit::of(&lock), &noted, exit);
        close(state, lock);
        amended
    }

    /// Who holds a lock in this run.
    pub fn holder(&self) -> Holder {
        Holder { pid: std::process::id(), command: self.command.clone(), since: self.run.clock.now() }
    }

    /// How long a lock is waited for.
    pub fn wait(&self) -> Duration {
        self.options.wait.unwrap_or_default()
    }

    /// Where the config file is and what named it; it need not exist.
    ///
    /// # Errors
    /// `missing_setting` where neither a flag nor the environment nor a home folder tells.
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

    /// Everything that settings come from, without what the state holds.
    ///
    /// # Errors
    /// `invalid_config` for a config file that is named and missing, or cannot be read.
    pub fn sources(&self) -> Result<Sources> {
        let file = match self.config_path() {
            Ok((path, _)) if files::is_there(&path)? => file::read(&path)?,
            Ok((_, "default")) | Err(_) => ConfigFile::default(),
            Ok((path, origin)) => {
                return Err(Error::new(
                    Code::InvalidConfig,
                    format!("there is no config file at {} ({origin})", path.display()),
                )
                .hint("create it with: poolctl init"));
            }
        };
        self.sources_with(file)
    }

    /// As [`Session::sources`], with a config file that was read already, or none.
    ///
    /// # Errors
    /// `invalid_value` for a `--state` or `--passphrase-file` that is no UTF-8.
    pub fn sources_with(&self, file: ConfigFile) -> Result<Sources> {
        let mut flags = Vec::new();
        if let Some(path) = &self.options.state {
            let path = path.to_str().ok_or_else(|| {
                Error::new(Code::InvalidValue, format!("--state: {} is no UTF-8", path.display()))
            })?;
            flags.push(("state.path", path.to_owned(), "--state"));
        }
        if let Some(path) = &self.options.passphrase_file {
            let path = path.to_str().ok_or_else(|| {
                Error::new(Code::InvalidValue, format!("--passphrase-file: {} is no UTF-8", path.display()))
            })?;
            flags.push(("keys.passphrase_file", path.to_owned(), "--passphrase-file"));
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

/// The platform's config and data folders.
fn folders() -> Option<(PathBuf, PathBuf)> {
    use etcetera::BaseStrategy;
    let platform = etcetera::choose_base_strategy().ok()?;
    Some((platform.config_dir(), platform.data_dir()))
}

/// Closes the state, and lets go of its lock only then: nobody else may write while the file is being closed.
fn close(state: State, lock: Lock) {
    drop(state);
    drop(lock);
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
