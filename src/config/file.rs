//! The config file: one table per profile, flattened to dotted keys; unknown ones are refused by name.

use super::keys::{self, KEYS};
use super::profile::BUILT_IN;
use base::{Code, Error, Result, files, say};
use std::collections::BTreeMap;
use std::path::Path;
use toml::{Table, Value};

/// A config file is never larger, bytes.
const MOST: u64 = 1 << 20;

/// What a config file says.
#[derive(Debug, Clone, Default)]
pub struct ConfigFile {
    /// The profile to use when none is named.
    pub profile: Option<String>,
    /// Settings by profile and dotted key. Lists are joined with commas.
    pub profiles: BTreeMap<String, BTreeMap<&'static str, String>>,
}

/// Reads and checks a config file; `/dev/null` stands for none.
///
/// # Errors
/// `invalid_config` for what is not TOML or has the wrong type, `unknown_key` with the nearest known key.
/// The text of the file is never quoted: it may hold endpoint secrets.
pub fn read(path: &Path) -> Result<ConfigFile> {
    let unreadable = |why: &dyn std::fmt::Display| {
        Error::new(Code::InvalidConfig, format!("cannot read config {}: {why}", path.display()))
    };
    if path == Path::new("/dev/null") {
        return Ok(ConfigFile::default());
    }
    let bytes = files::read_file(path, MOST).map_err(|e| unreadable(&e))?;
    let text = String::from_utf8(bytes).map_err(|_| unreadable(&"it is not UTF-8 text"))?;
    parse(&text, &path.display().to_string())
}

/// Reads the text of a config file; `shown` names it in errors.
pub fn parse(text: &str, shown: &str) -> Result<ConfigFile> {
    let table: Table = text.parse().map_err(|e: toml::de::Error| {
        let line = e.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        Error::new(Code::InvalidConfig, format!("config {shown}, line {line}: {}", e.message()))
    })?;
    let mut file = ConfigFile::default();
    for (name, value) in table {
        match (name.as_str(), value) {
            ("profile", Value::String(profile)) => file.profile = Some(profile),
            ("profiles", Value::Table(profiles)) => {
                for (profile, value) in profiles {
                    let Value::Table(settings) = value else {
                        return Err(ill_typed(shown, &format!("profiles.{profile}"), "a table"));
                    };
                    let mut found = BTreeMap::new();
                    flatten(shown, &profile, "", settings, &mut found)?;
                    file.profiles.insert(profile, found);
                }
            }
            ("profile", _) => return Err(ill_typed(shown, "profile", "a text")),
            ("profiles", _) => return Err(ill_typed(shown, "profiles", "a table")),
            (other, _) => return Err(unknown(shown, other, ["profile", "profiles"].into_iter())),
        }
    }
    if let Some(profile) = &file.profile {
        known_profile(profile, &file)?;
    }
    Ok(file)
}

fn flatten(
    shown: &str,
    profile: &str,
    prefix: &str,
    table: Table,
    found: &mut BTreeMap<&'static str, String>,
) -> Result<()> {
    for (name, value) in table {
        let dotted = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        let place = || format!("profiles.{profile}.{dotted}");
        match (keys::find(&dotted), value) {
            (None, Value::Table(inner)) if KEYS.iter().any(|k| k.name.starts_with(&format!("{dotted}."))) => {
                flatten(shown, profile, &dotted, inner, found)?;
            }
            (None, _) => return Err(unknown(shown, &dotted, KEYS.iter().map(|k| k.name))),
            (Some(key), value) => {
                let text = match value {
                    Value::String(text) => text,
                    Value::Integer(n) => n.to_string(),
                    Value::Boolean(b) => b.to_string(),
                    Value::Array(items) if key.is_list() => items
                        .into_iter()
                        .map(|item| match item {
                            Value::String(text) => Ok(text),
                            _ => Err(ill_typed(shown, &place(), "a list of texts")),
                        })
                        .collect::<Result<Vec<_>>>()?
                        .join(","),
                    Value::Float(_) => {
                        return Err(ill_typed(shown, &place(), "a decimal in quotes, like \"2.5\""));
                    }
                    _ => return Err(ill_typed(shown, &place(), "a single value")),
                };
                found.insert(key.name, text);
            }
        }
    }
    Ok(())
}

/// Refuses a profile that is neither built in nor in the file.
pub fn known_profile(name: &str, file: &ConfigFile) -> Result<()> {
    let known: Vec<&str> =
        BUILT_IN.iter().map(|p| p.name).chain(file.profiles.keys().map(String::as_str)).collect();
    if known.contains(&name) {
        return Ok(());
    }
    let mut names = known.clone();
    names.dedup();
    let e = Error::new(Code::UnknownProfile, format!("no profile \"{name}\"")).detail("known", names.clone());
    Err(match keys::nearest(name, known.into_iter()) {
        Some(near) => e.hint(format!("did you mean \"{near}\"?")),
        None => e.hint(format!("there are: {}", names.join(", "))),
    })
}

fn unknown<'a>(shown: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Error {
    let e =
        Error::new(Code::UnknownKey, format!("config {shown}: unknown key \"{name}\"")).detail("key", name);
    match keys::nearest(name, known) {
        Some(near) => e.hint(format!("did you mean \"{near}\"?")),
        None => e.hint(say("see all keys with: ").run("config show").with("origin")),
    }
}

fn ill_typed(shown: &str, place: &str, want: &str) -> Error {
    Error::new(Code::InvalidConfig, format!("config {shown}: {place} must be {want}")).detail("key", place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_flattened_per_profile() {
        let file = parse(
            "profile = 'mine'\n[profiles.mine]\nevm.chain_id = 5\nevm.rpc_urls = ['a=http://x', 'http://y']\n[profiles.mine.reward]\nblock_reward = '2.5'\n",
            "c.toml",
        )
        .unwrap();
        let mine = &file.profiles["mine"];
        assert_eq!(mine["evm.chain_id"], "5");
        assert_eq!(mine["evm.rpc_urls"], "a=http://x,http://y");
        assert_eq!(mine["reward.block_reward"], "2.5");
    }

    #[test]
    fn mistakes_are_named() {
        for (text, code, needle) in [
            ("profil = 'x'", Code::UnknownKey, "did you mean \"profile\"?"),
            ("[profiles.a]\nevm.chain = 1", Code::UnknownKey, "did you mean \"evm.chain_id\"?"),
            ("[profiles.a]\nevm.chainid = 1", Code::UnknownKey, "did you mean \"evm.chain_id\"?"),
            ("[profiles.a]\nreward.block_reward = 2.5", Code::InvalidConfig, ""),
            ("profile = 'tesnet'", Code::UnknownProfile, "did you mean \"testnet\"?"),
            ("profile = ", Code::InvalidConfig, ""),
            ("profiles = 3", Code::InvalidConfig, ""),
        ] {
            let e = parse(text, "c.toml").unwrap_err();
            assert_eq!(e.code(), code, "{text}: {e}");
            let said = e.remedy().map(ToString::to_string).unwrap_or_default();
            assert!(said.contains(needle), "{text}: {e:?}");
        }
    }
}
