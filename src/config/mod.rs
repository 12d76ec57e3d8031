//! Settings: flag > environment > profile > set at run time > default, each with where it came from.

pub mod channels;
pub mod file;
pub mod keys;
pub mod profile;
mod template;
pub mod value;

pub use channels::{Channel, Severity};
pub use file::ConfigFile;
pub use template::template;
pub use value::OFF;

use alloy::primitives::Address;
use base::{Code, Endpoint, Error, Result, clock, say};
use keys::{KEYS, Key, Kind};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema, strum::Display)]
#[serde(tag = "from", content = "name", rename_all = "snake_case")]
pub enum Origin {
    /// A flag.
    #[strum(to_string = "flag {0}")]
    Flag(String),
    /// An environment variable.
    #[strum(to_string = "environment {0}")]
    Env(String),
    /// The profile in the config file.
    #[strum(to_string = "profile \"{0}\"")]
    Profile(String),
    /// `config set`, stored in the state.
    #[strum(to_string = "config set")]
    State,
    /// Built in.
    #[strum(to_string = "default")]
    Default,
    /// Not set anywhere.
    #[strum(to_string = "not set")]
    Unset,
}

/// One setting made at run time, as the state keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Dotted key as in the config file.
    pub key: String,
    /// The value as text.
    pub value: String,
}

/// Everything that settings can come from. The library reads neither argv nor the environment itself.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// (key, value, flag name) from the command line.
    pub flags: Vec<(&'static str, String, &'static str)>,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// The config file, if there is one.
    pub file: ConfigFile,
    /// `--profile` or `POOLCTL_PROFILE`.
    pub profile: Option<String>,
    /// `system_config`, once the state is open.
    pub settings: Vec<Setting>,
    /// The platform's data folder, for the default state path.
    pub data_dir: PathBuf,
}

/// One setting with its value and origin.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The setting.
    pub key: &'static Key,
    /// Canonical text; `None` = not set.
    pub value: Option<String>,
    /// Where it came from.
    pub origin: Origin,
}

impl Entry {
    /// The value as it may be shown: endpoints only by name and host, channels by name and service, commands not at all.
    pub fn shown(&self) -> Option<String> {
        let value = self.value.as_deref()?;
        if !self.key.secret() {
            return Some(value.to_owned());
        }
        match self.key.kind {
            Kind::Command => return Some("set, not shown".to_owned()),
            Kind::Channels => {
                let channels = channels::parse(value).unwrap_or_default();
                let shown = channels.iter().map(|one| format!("{} ({})", one.name, one.service.as_str()));
                return Some(shown.collect::<Vec<_>>().join(", "));
            }
            _ => {}
        }
        let endpoints = Endpoint::parse_list(&split(value)).unwrap_or_default();
        Some(endpoints.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
    }
}

/// The settings in force.
#[derive(Debug, Clone)]
pub struct Config {
    /// Name of the profile.
    pub profile: String,
    entries: Vec<Entry>,
}

impl Config {
    /// Works out every setting and checks it.
    pub fn resolve(sources: &Sources) -> Result<Self> {
        let (config, faults) = Self::resolve_all(sources)?;
        faults.into_iter().next().map_or(Ok(config), Err)
    }

    /// The profile in force.
    pub fn profile_of(sources: &Sources) -> Result<String> {
        let profile = sources.profile.clone().or_else(|| sources.file.profile.clone());
        let profile = profile.unwrap_or_else(|| "sandbox".to_owned());
        file::known_profile(&profile, &sources.file)?;
        Ok(profile)
    }

    /// As [`Config::resolve`], with everything that it would refuse; those settings are left out.
    pub fn resolve_all(sources: &Sources) -> Result<(Self, Vec<Error>)> {
        let profile = Self::profile_of(sources)?;
        let (entries, faults) = entries_of(sources, &profile);
        Ok((Self { profile, entries }, faults))
    }

    /// Every setting in its order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// A setting's canonical text.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.entries.iter().find(|e| e.key.name == name)?.value.as_deref()
    }

    /// A setting that must be there.
    pub fn require(&self, name: &str) -> Result<&str> {
        self.get(name).ok_or_else(|| {
            let env = keys::find(name).map(Key::env).unwrap_or_default();
            Error::new(Code::MissingSetting, format!("profile \"{}\" has no {name}", self.profile))
                .hint(format!("set {name} in the config file's [profiles.{}], or {env}", self.profile))
                .detail("key", name)
        })
    }

    /// A whole number that has a default.
    pub fn number(&self, name: &str) -> Result<u64> {
        let text = self.require(name)?;
        text.parse()
            .map_err(|_| Error::new(Code::InvalidValue, format!("{name}: \"{text}\" is not a number")))
    }

    /// A span of time; `None` where it is off, or unset.
    pub fn duration(&self, name: &str) -> Result<Option<Duration>> {
        let Some(text) = self.get(name).filter(|text| *text != OFF) else { return Ok(None) };
        clock::duration(text)
            .map(Some)
            .map_err(|_| Error::new(Code::InvalidValue, format!("{name}: \"{text}\" is not a duration")))
    }

    /// A ratio in millionths.
    pub fn ratio_ppm(&self, name: &str) -> Result<u32> {
        base::amount::parse_weight(name, self.require(name)?)
    }

    /// An address that may be unset.
    pub fn address(&self, name: &str) -> Result<Option<Address>> {
        self.get(name).map(|text| value::address(name, text)).transpose()
    }

    /// Endpoints in order; at least one.
    pub fn endpoints(&self, name: &str) -> Result<Vec<Endpoint>> {
        Endpoint::parse_list(&split(self.require(name)?))
    }

    /// The channels of notifications; there may be none.
    pub fn channels(&self) -> Result<Vec<Channel>> {
        let text = self.get("notify.channels").unwrap_or_default();
        channels::parse(text).map_err(|why| Error::new(Code::InvalidValue, format!("notify.channels: {why}")))
    }

    /// Whether value moves only after confirmation: unless the profile says so itself, everywhere but on
    /// networks that are known to be worthless.
    pub fn confirm(&self) -> bool {
        let worthless = |name: &str| profile::built_in(name).is_some_and(|known| !known.confirm);
        self.get("guard.confirm").map_or_else(
            || !worthless(&self.profile) || self.get("stellar.network").is_some_and(|name| !worthless(name)),
            |text| text == "true",
        )
    }

    /// Where the key store is.
    pub fn keys_path(&self) -> Result<PathBuf> {
        Ok(PathBuf::from(self.require("keys.path")?))
    }

    /// Where the state file is.
    pub fn state_path(&self) -> Result<PathBuf> {
        Ok(PathBuf::from(self.require("state.path")?))
    }
}

/// Every setting, and what is wrong with those that are refused.
fn entries_of(sources: &Sources, profile: &str) -> (Vec<Entry>, Vec<Error>) {
    let strays = sources.settings.iter().filter(|s| keys::find(&s.key).is_none());
    let mut faults: Vec<Error> = strays
        .map(|stray| {
            Error::new(
                Code::UnknownKey,
                format!("the state holds a setting \"{}\" that this poolctl does not know", stray.key),
            )
            .hint(say("remove it with: ").run("config unset").of(&stray.key))
        })
        .collect();
    let mut entries = Vec::with_capacity(KEYS.len());
    for key in KEYS {
        let (value, origin) = lookup(key, sources, profile);
        let value = value.map(|text| value::canonical(key, &text, &origin.to_string())).transpose();
        match value {
            Ok(value) => entries.push(Entry { key, value, origin }),
            Err(e) => faults.push(e),
        }
    }
    (entries, faults)
}

fn split(list: &str) -> Vec<&str> {
    list.split(',').collect()
}

fn lookup(key: &Key, sources: &Sources, profile: &str) -> (Option<String>, Origin) {
    if let Some((_, value, flag)) = sources.flags.iter().find(|(name, ..)| *name == key.name) {
        return (Some(value.clone()), Origin::Flag((*flag).to_owned()));
    }
    let own = if key.name == "state.path" { "POOLCTL_STATE".to_owned() } else { key.env() };
    for name in std::iter::once(own.as_str()).chain(key.legacy.iter().copied()) {
        if let Some(value) = sources.env.get(name).filter(|value| !value.is_empty()) {
            return (Some(value.clone()), Origin::Env(name.to_owned()));
        }
    }
    if let Some(value) = sources.file.profiles.get(profile).and_then(|settings| settings.get(key.name)) {
        return (Some(value.clone()), Origin::Profile(profile.to_owned()));
    }
    if let Some(setting) = sources.settings.iter().find(|s| s.key == key.name) {
        return (Some(setting.value.clone()), Origin::State);
    }
    let built_in = profile::built_in(profile);
    let default = match key.name {
        // Without a data folder there is no default, and a command that needs the state says so.
        "state.path" if sources.data_dir.as_os_str().is_empty() => None,
        "state.path" => {
            Some(sources.data_dir.join(format!("{profile}.sqlite")).to_string_lossy().into_owned())
        }
        // A state has its keys beside it, wherever it is.
        "keys.path" => {
            keys::find("state.path").and_then(|state| lookup(state, sources, profile).0).map(|state| {
                std::path::Path::new(&state).with_extension("keys.age").to_string_lossy().into_owned()
            })
        }
        "evm.chain_id" => built_in.map(|p| p.chain_id.to_string()),
        "stellar.network" => built_in.map(|p| p.name.to_owned()),
        _ => key.default.map(str::to_owned),
    };
    let origin = if default.is_some() { Origin::Default } else { Origin::Unset };
    (default, origin)
}

/// Names in the environment that look like ours but are none; each with the nearest known one.
pub fn stray_env(env: &BTreeMap<String, String>) -> Vec<(String, Option<String>)> {
    const OTHERS: &[&str] =
        &["POOLCTL_CONFIG", "POOLCTL_STATE", "POOLCTL_PROFILE", "POOLCTL_CRASH_AT", "POOLCTL_PASSPHRASE"];
    let known: Vec<String> =
        KEYS.iter().map(Key::env).chain(OTHERS.iter().map(|s| (*s).to_owned())).collect();
    env.keys()
        .filter(|name| name.starts_with("POOLCTL_") && !known.contains(name))
        .map(|name| (name.clone(), keys::nearest(name, known.iter().map(String::as_str)).map(str::to_owned)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> Sources {
        Sources { data_dir: "/data".into(), ..Sources::default() }
    }

    #[test]
    fn precedence_is_flag_env_profile_state_default() {
        let mut s = sources();
        let origin = |s: &Sources| {
            let config = Config::resolve(s).unwrap();
            let entry = config.entries().iter().find(|e| e.key.name == "reward.epoch_blocks").unwrap();
            (entry.value.clone().unwrap(), entry.origin.clone())
        };
        assert_eq!(origin(&s), ("100".into(), Origin::Default));
        s.settings.push(Setting { key: "reward.epoch_blocks".into(), value: "101".into() });
        assert_eq!(origin(&s), ("101".into(), Origin::State));
        let profile = BTreeMap::from([("reward.epoch_blocks", "102".to_owned())]);
        s.file.profiles.insert("sandbox".into(), profile);
        assert_eq!(origin(&s), ("102".into(), Origin::Profile("sandbox".into())));
        s.env.insert("POOL_REWARD_EPOCH_BLOCKS".into(), "103".into());
        assert_eq!(origin(&s), ("103".into(), Origin::Env("POOL_REWARD_EPOCH_BLOCKS".into())));
        s.env.insert("POOLCTL_REWARD_EPOCH_BLOCKS".into(), "104".into());
        assert_eq!(origin(&s), ("104".into(), Origin::Env("POOLCTL_REWARD_EPOCH_BLOCKS".into())));
        s.flags.push(("reward.epoch_blocks", "105".into(), "--epoch-blocks"));
        assert_eq!(origin(&s), ("105".into(), Origin::Flag("--epoch-blocks".into())));
    }

    #[test]
    fn urls_are_shown_without_their_secrets() {
        let mut s = sources();
        s.env.insert("RPC_URLS".into(), "a=https://user:pw@node.example/v2/KEY?k=KEY".into());
        let config = Config::resolve(&s).unwrap();
        let entry = config.entries().iter().find(|e| e.key.name == "evm.rpc_urls").unwrap();
        let shown = entry.shown().unwrap();
        assert!(shown.contains("node.example") && !shown.contains("KEY") && !shown.contains("pw"), "{shown}");
        assert!(!format!("{:?}", config.endpoints("evm.rpc_urls").unwrap()).contains("KEY"));
    }

    #[test]
    fn money_is_confirmed_unless_the_network_is_known_to_be_worthless() {
        let mut s = sources();
        for (profile, confirm) in [("mainnet", true), ("testnet", false), ("sandbox", false), ("mine", true)]
        {
            s.file.profiles.entry("mine".into()).or_default();
            s.profile = Some(profile.into());
            assert_eq!(Config::resolve(&s).unwrap().confirm(), confirm, "{profile}");
        }
    }

    #[test]
    fn stray_environment_names_are_noticed() {
        let env = BTreeMap::from([("POOLCTL_EVM_CHAINID".to_owned(), "1".to_owned())]);
        assert_eq!(
            stray_env(&env),
            [("POOLCTL_EVM_CHAINID".to_owned(), Some("POOLCTL_EVM_CHAIN_ID".to_owned()))]
        );
    }
}
