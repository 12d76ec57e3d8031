//! `poolctl init`: a commented config file and a state file; what is there already is left alone.

use crate::setup::config::template;
use crate::shell::out_file;
use crate::shell::prelude::*;
use base::files;
use config::file::{self, ConfigFile};
use config::{Config, profile};
use state::State;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Write a commented config file and create the state file of a profile
///
/// What is there already is left as it is, so that running it again is safe. A profile of your own is made by
/// naming it and its chain: poolctl init --profile base --chain-id 8453
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl init --profile testnet")]
pub struct Init {
    /// EVM chain id that the profile is pinned to; needed for a profile of your own
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u64).range(1..))]
    chain_id: Option<u64>,
    #[command(flatten)]
    dry_run: DryRun,
}

/// What `init` did.
#[derive(Debug, Serialize, JsonSchema)]
pub struct InitOutput {
    /// The profile that the files are for.
    pub profile: String,
    /// The config file.
    pub config: Made,
    /// The state file.
    pub state: Made,
}

/// A file that was made or found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Made {
    /// Where it is.
    pub path: PathBuf,
    /// Made by this run (or would be, in a dry run); otherwise it was there and is unchanged.
    pub created: bool,
}

impl Init {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let dry_run = self.dry_run.dry_run;
        if dry_run {
            session.call.set_dry_run();
        }
        let config_path = App::absolute(&session.config_path()?.0)?;
        let found = if files::is_there(&config_path)? { Some(file::read(&config_path)?) } else { None };
        let planned = self.plan(session, found.as_ref())?;
        let config = resolve(session, &planned)?;
        let state_path = App::absolute(&config.state_path()?)?;
        let chain_id = config.number("evm.chain_id").ok();
        if let (Some(asked), true) = (self.chain_id, found.is_some())
            && chain_id != Some(asked)
        {
            let has = chain_id.map_or_else(|| "none".to_owned(), |id| id.to_string());
            let why = format!("profile \"{}\" has evm.chain_id {has}, not {asked}", config.profile);
            return Err(Error::new(Code::Conflict, why)
                .hint(format!("{} is left as it is; edit it by hand", config_path.display())));
        }

        // The state first: if it cannot be had, no config file is left behind that names it.
        let mut created = !files::is_there(&state_path)?;
        if created && !dry_run {
            created = match state::create(&state_path) {
                // Another run has just made it.
                Err(e) if e.code() == Code::Conflict => false,
                made => made.map(|()| true)?,
            };
        }
        if !created {
            State::read(&state_path, session.call.run.clone())?;
        }
        let state = Made { path: state_path, created };
        if found.is_none() && !dry_run {
            let mut values = BTreeMap::from([("state.path", state.path.to_string_lossy().into_owned())]);
            values.extend(chain_id.map(|id| ("evm.chain_id", id.to_string())));
            // Another run may have made it meanwhile; then it is left as it is.
            out_file::create_private(&config_path, &template(&config.profile, &values))?;
        }
        let config_file = Made { path: config_path, created: found.is_none() };
        Ok(Outcome::of(InitOutput { profile: config.profile, config: config_file, state }))
    }

    /// The config file as it is, or as the template will make it.
    fn plan(&self, session: &Session, found: Option<&ConfigFile>) -> Result<ConfigFile> {
        if let Some(found) = found {
            return Ok(found.clone());
        }
        let mut planned = ConfigFile::default();
        let named = session.options.profile.clone().or_else(|| session.env.get("POOLCTL_PROFILE").cloned());
        if let Some(name) = named {
            let own = profile::built_in(&name).is_none();
            if own && self.chain_id.is_some() {
                let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
                if name.is_empty() || !name.chars().all(plain) {
                    let why =
                        format!("--profile: \"{name}\" has characters other than letters, digits, - and _");
                    return Err(Error::new(Code::InvalidValue, why));
                }
                planned.profiles.entry(name.clone()).or_default();
            } else if own {
                let refused = file::known_profile(&name, &planned).err();
                let e = refused.unwrap_or_else(|| Error::new(Code::UnknownProfile, name));
                let near = e.remedy().cloned().map(|near| near.say("; ")).unwrap_or_default();
                return Err(e.hint(near.say("for one of your own, add --chain-id")));
            }
        }
        if let Some(chain_id) = self.chain_id {
            let name = resolve(session, &planned)?.profile;
            planned.profiles.entry(name).or_default().insert("evm.chain_id", chain_id.to_string());
        }
        Ok(planned)
    }
}

fn resolve(session: &Session, file: &ConfigFile) -> Result<Config> {
    Config::resolve(&session.sources_with(file.clone())?)
}

impl Present for InitOutput {
    fn present(&self, page: &mut Page) {
        for (what, made) in [("config", &self.config), ("state", &self.state)] {
            let did = if made.created { "created" } else { "already there, left as it is:" };
            page.line(format!("{what} {did} {}", made.path.display()));
        }
        if self.config.created {
            let next = "set evm.rpc_urls in the config file, then: poolctl config check";
            page.gap().line(format!("profile \"{}\" is ready; next: {next}", self.profile));
        }
    }
}
