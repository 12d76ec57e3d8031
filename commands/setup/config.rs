//! `poolctl config …`: what is in force and why, is it sound, and settings made at run time.

use crate::output::{Table, words};
use crate::shell::prelude::*;
use base::files;
use config::keys::{self, KEYS, Key};
use config::{Config, Entry, Origin, Sources, file, value};
use kale::settings::Settings;
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// A config file for `profile` with every setting explained, and these values set.
pub fn template(profile: &str, values: &BTreeMap<&'static str, String>) -> String {
    let head = "# poolctl configuration. Every key is shown; those after a # have their default.\n\
                # Precedence: flag > environment > this file > `poolctl config set` > default.\n\
                # See what is in force and why: poolctl config show --origin\n";
    config::template(head, profile, values)
}

commands! {
    /// Show, check and change settings
    #[command(before_help = "Example: poolctl config show --origin")]
    Command {
        Show(Show) = "config show": ShowOutput;
        Check(Check) = "config check": CheckOutput;
        Path(PathCommand) = "config path": PathOutput;
        Set(Set) = "config set": ChangeOutput;
        Unset(Unset) = "config unset": ChangeOutput;
    }
}

/// Show every setting in force
///
/// Endpoints are shown by name and host only.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl config show --origin")]
pub struct Show {
    /// Name where each value came from
    #[arg(long)]
    origin: bool,
}

/// Every setting in force.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ShowOutput {
    /// The profile.
    pub profile: String,
    /// The settings in their order.
    pub settings: Vec<Shown>,
    #[serde(skip)]
    with_origin: bool,
}

/// One setting as it may be shown.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Shown {
    /// Dotted name.
    pub key: &'static str,
    /// Its value; endpoints by name and host.
    pub value: Option<String>,
    /// Where it came from.
    pub origin: Origin,
    /// What it means.
    pub help: &'static str,
}

impl From<&Entry> for Shown {
    fn from(entry: &Entry) -> Self {
        Self { key: entry.key.name, value: entry.shown(), origin: entry.origin.clone(), help: entry.key.help }
    }
}

impl Show {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open_lenient(session)?;
        if let Some(e) = app.state_fault().filter(|e| e.code() != Code::StateMissing) {
            session.call.warn(format!("settings made with config set are not shown: {e}"));
        }
        Ok(Outcome::of(ShowOutput {
            profile: app.config.profile.clone(),
            settings: app.config.entries().iter().map(Shown::from).collect(),
            with_origin: self.origin,
        }))
    }
}

impl Present for ShowOutput {
    fn present(&self, page: &mut Page) {
        page.line(format!("profile \"{}\"", self.profile)).gap();
        let heads: &[&str] = if self.with_origin { &["KEY", "VALUE", "ORIGIN"] } else { &["KEY", "VALUE"] };
        let mut table = Table::new(heads);
        for s in &self.settings {
            let mut cells = vec![s.key.to_owned(), s.value.clone().unwrap_or_default()];
            if self.with_origin {
                cells.push(s.origin.to_string());
            }
            table.row(cells);
        }
        page.table(table);
    }
}

/// Check the config file, the environment and the stored settings
///
/// Everything that is wrong is named, not only the first thing; exit code 5 if anything is.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl config check --profile mainnet")]
pub struct Check {}

/// What `config check` checked and found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CheckOutput {
    /// The config file, if there is one.
    pub path: Option<PathBuf>,
    /// The profile, where the config could be read so far.
    pub profile: Option<String>,
    /// What is wrong; empty for a sound config.
    pub findings: Vec<Finding>,
}

/// One thing that is wrong.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Finding {
    /// The code that a command would fail with.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl From<Error> for Finding {
    fn from(e: Error) -> Self {
        Self { code: e.code().as_str(), message: words::message(&e), hint: e.remedy().map(words::hint) }
    }
}

impl Check {
    fn run(self, session: &Session) -> Result<Outcome> {
        let output = CheckOutput::of(session)?;
        let failure = output.findings.first().map(|Finding { message, .. }| {
            Error::new(Code::CheckFailed, format!("{} found, first: {message}", output.findings.len()))
                .hint("each finding says what to do")
        });
        Ok(Outcome::of(output).but(failure))
    }
}

impl CheckOutput {
    /// Looks at everything that settings come from.
    pub fn of(session: &Session) -> Result<Self> {
        let mut output = Self { path: None, profile: None, findings: Vec::new() };
        if let Ok((path, _)) = session.config_path()
            && files::is_there(&path)?
        {
            output.path = Some(App::absolute(&path)?);
        }
        match session.sources_and_faults() {
            Err(e) => output.findings.push(e.into()),
            Ok((sources, faults)) => {
                match Config::profile_of(&sources) {
                    Ok(profile) => {
                        let more = of_settings(session, sources, &faults)?;
                        output.findings.extend(faults.into_iter().chain(more).map(Finding::from));
                        output.profile = Some(profile);
                    }
                    // One that was named on the command line and does not exist is bad input, no finding.
                    Err(e) if faults.is_empty() => return Err(e),
                    Err(_) => output.findings.extend(faults.into_iter().map(Finding::from)),
                }
                output.findings.extend(open_to_others(output.path.as_ref()));
            }
        }
        // What the environment misspells is a finding here, and a warning elsewhere.
        output.findings.extend(session.call.take_warnings().into_iter().map(|message| Finding {
            code: Code::UnknownKey.as_str(),
            message,
            hint: None,
        }));
        Ok(output)
    }
}

/// What is wrong with the settings of the profile, those that the state holds among them, beside these faults of the file.
fn of_settings(session: &Session, mut sources: Sources, of_file: &[Error]) -> Result<Vec<Error>> {
    let (config, _) = Config::resolve_all(&sources)?;
    if let Ok(path) = config.state_path()
        && let Ok(state) = state::State::read(&path, session.call.run.clone())
    {
        sources.settings = state::settings(state.conn())?;
    }
    let (config, mut faults) = Config::resolve_all(&sources)?;
    // What is ill formed is left out there, and not missing for that; nor is what stands in a file that cannot be read.
    let is_unread = !of_file.is_empty() && sources.file.profiles.is_empty();
    let is_ill = |key: &str| {
        let of_it = |e: &Error| key_of(e).is_some_and(|place| place.ends_with(&format!(".{key}")));
        of_file.iter().any(of_it) || !config.entries().iter().any(|one| one.key.name == key)
    };
    let is_told =
        |e: &Error| e.code() == Code::MissingSetting && (is_unread || key_of(e).is_some_and(is_ill));
    faults.extend(unusable(&config).into_iter().filter(|e| !is_told(e)));
    Ok(faults)
}

/// The setting that an error is about.
fn key_of(e: &Error) -> Option<&str> {
    e.details().get("key").and_then(Value::as_str)
}

/// What a command would refuse although each setting is well formed. A profile may have one network or both: an EVM chain
/// for pools, Stellar for farming.
fn unusable(config: &Config) -> Vec<Error> {
    let mut found = Vec::new();
    let (evm, stellar) = (config.get("evm.rpc_urls"), config.get("stellar.rpc_urls"));
    if evm.is_some() || stellar.is_none() {
        found.extend(["evm.chain_id", "evm.rpc_urls"].iter().filter_map(|name| config.require(name).err()));
    }
    if stellar.is_some() {
        found.extend(config.require("stellar.network").err());
        found.extend(app::farm_contract(config).err());
        found.extend(Settings::faults(config));
    }
    found
}

/// A config file with endpoint keys that others on the machine can read.
fn open_to_others(path: Option<&PathBuf>) -> Option<Finding> {
    let path = path?;
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    let (file, _) = file::read_all(path);
    let holds_keys =
        file.profiles.values().flatten().any(|(name, _)| keys::find(name).is_some_and(Key::secret));
    (holds_keys && mode & 0o077 != 0).then(|| Finding {
        code: Code::InvalidConfig.as_str(),
        message: format!("config {} holds endpoints and can be read by others", path.display()),
        hint: Some(format!("chmod 600 {}", path.display())),
    })
}

impl Present for CheckOutput {
    fn present(&self, page: &mut Page) {
        let path =
            self.path.as_ref().map_or_else(|| "no config file".to_owned(), |p| p.display().to_string());
        page.line(format!("{path}, profile \"{}\"", self.profile.as_deref().unwrap_or("unknown")));
        for finding in &self.findings {
            let hint = finding.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
            page.line(format!("- {}{hint}", finding.message));
        }
        if self.findings.is_empty() {
            page.line("sound");
        }
    }
}

/// Print where the config file is, or would be
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl config path")]
pub struct PathCommand {}

/// Where the config file is.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PathOutput {
    /// The path.
    pub path: PathBuf,
    /// Whether there is a file.
    pub exists: bool,
    /// What named it: a flag, the environment, or the platform's default.
    pub origin: &'static str,
}

impl PathCommand {
    fn run(self, session: &Session) -> Result<Outcome> {
        let (path, origin) = session.config_path()?;
        let path = App::absolute(&path)?;
        Ok(Outcome::of(PathOutput { exists: files::is_there(&path)?, path, origin }))
    }
}

impl Present for PathOutput {
    fn present(&self, page: &mut Page) {
        page.line(self.path.display());
    }
}

/// Change a setting at run time; it is stored in the state and audited
///
/// Flags, the environment and the config file override it. Pins, paths and endpoints are set there only.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl config set oracle.max_staleness_sec 1800")]
pub struct Set {
    /// Dotted name, as in poolctl config show
    #[arg(value_name = "KEY")]
    key: String,
    /// New value
    #[arg(value_name = "VALUE", allow_hyphen_values = true)]
    value: String,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Remove a setting that was made at run time
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl config unset oracle.max_staleness_sec")]
pub struct Unset {
    /// Dotted name, as in poolctl config show
    #[arg(value_name = "KEY")]
    key: String,
    #[command(flatten)]
    dry_run: DryRun,
}

/// What a change of a setting came to.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ChangeOutput {
    /// Dotted name.
    pub key: String,
    /// What was stored before.
    pub old: Option<String>,
    /// What is stored now.
    pub new: Option<String>,
    /// What is in force now, after everything that overrides the stored settings.
    pub in_force: Option<String>,
    /// Where that comes from.
    pub origin: Origin,
}

impl Set {
    fn run(self, session: &Session) -> Result<Outcome> {
        let Some(key) = keys::find(&self.key) else {
            let e = Error::new(Code::UnknownKey, format!("there is no setting \"{}\"", self.key))
                .detail("key", self.key.as_str());
            return Err(match keys::nearest(&self.key, KEYS.iter().map(|k| k.name)) {
                Some(near) => e.hint(format!("did you mean \"{near}\"?")),
                None => e.hint("see all settings with: poolctl config show"),
            });
        };
        if !key.runtime {
            return Err(Error::new(Code::InvalidValue, format!("{} cannot be set at run time", key.name))
                .hint(format!("set it in the config file, or with {}", key.env()))
                .detail("key", key.name));
        }
        let canonical = value::canonical(key, &self.value, "config set")?;
        change(session, &self.key, Some(&canonical), self.dry_run.dry_run)
    }
}

impl Unset {
    fn run(self, session: &Session) -> Result<Outcome> {
        change(session, &self.key, None, self.dry_run.dry_run)
    }
}

fn change(session: &Session, key: &str, new: Option<&str>, dry_run: bool) -> Result<Outcome> {
    let app = App::open_lenient(session)?;
    let (old, config) = app.write(dry_run, |work| {
        if let Some(value) = new.filter(|_| key.starts_with("strategy.")) {
            // Well formed, and refused all the same beside what is set already.
            Settings::of(&app.config_if(work.state, key, value)?)?;
        }
        let old = work.state.write(work.permit, |tx| match new {
            Some(value) => state::setting_set(tx, key, value),
            None => state::setting_unset(tx, key),
        })?;
        if new.is_none() && old.is_none() && keys::find(key).is_none() {
            return Err(Error::new(Code::UnknownKey, format!("no setting \"{key}\" is stored"))
                .hint("see all settings with: poolctl config show --origin"));
        }
        Ok((old, app.config_with(work.state)?))
    })?;
    let entry = config.entries().iter().find(|e| e.key.name == key);
    let output = ChangeOutput {
        key: key.to_owned(),
        old,
        new: new.map(str::to_owned),
        in_force: entry.and_then(Entry::shown),
        origin: entry.map_or(Origin::Unset, |e| e.origin.clone()),
    };
    if output.new.is_some() && output.origin != Origin::State {
        session.call.warn(format!("{key} is stored, but {} overrides it", output.origin));
    }
    Ok(Outcome::of(output))
}

impl Present for ChangeOutput {
    fn present(&self, page: &mut Page) {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "not set".to_owned());
        if self.old == self.new {
            page.line(format!("{} stays {}", self.key, shown(&self.new)));
        } else {
            page.line(format!("{}: {} → {}", self.key, shown(&self.old), shown(&self.new)));
        }
        page.line(format!("in force: {} ({})", shown(&self.in_force), self.origin));
    }
}
