//! The config file: one table per profile, flattened to dotted keys; unknown ones are refused by name.

use super::keys::{self, KEYS, Key, Kind};
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
    first(read_all(path))
}

/// As [`read`], with everything that is wrong; what is right is read all the same.
pub fn read_all(path: &Path) -> (ConfigFile, Vec<Error>) {
    let unreadable = |why: &dyn std::fmt::Display| {
        let why = format!("cannot read config {}: {why}", path.display());
        (ConfigFile::default(), vec![Error::new(Code::InvalidConfig, why)])
    };
    if path == Path::new("/dev/null") {
        return (ConfigFile::default(), Vec::new());
    }
    let bytes = match files::read_file(path, MOST) {
        Ok(bytes) => bytes,
        Err(e) => return unreadable(&e),
    };
    match String::from_utf8(bytes) {
        Ok(text) => parse_all(&text, &path.display().to_string()),
        Err(_) => unreadable(&"it is not UTF-8 text"),
    }
}

/// Reads the text of a config file; `shown` names it in errors.
pub fn parse(text: &str, shown: &str) -> Result<ConfigFile> {
    first(parse_all(text, shown))
}

fn first((file, faults): (ConfigFile, Vec<Error>)) -> Result<ConfigFile> {
    faults.into_iter().next().map_or(Ok(file), Err)
}

fn parse_all(text: &str, shown: &str) -> (ConfigFile, Vec<Error>) {
    let (mut file, mut faults) = (ConfigFile::default(), Vec::new());
    let table: Table = match text.parse() {
        Ok(table) => table,
        Err(e) => {
            let e: toml::de::Error = e;
            let line =
                e.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            let why = format!("config {shown}, line {line}: {}", e.message());
            return (file, vec![Error::new(Code::InvalidConfig, why)]);
        }
    };
    for (name, value) in table {
        match (name.as_str(), value) {
            ("profile", Value::String(profile)) => file.profile = Some(profile),
            ("profiles", Value::Table(profiles)) => {
                for (profile, value) in profiles {
                    let Value::Table(settings) = value else {
                        faults.push(ill_typed(shown, &format!("profiles.{profile}"), "a table"));
                        continue;
                    };
                    let mut found = BTreeMap::new();
                    flatten(&Place { shown, profile: &profile }, "", settings, &mut found, &mut faults);
                    file.profiles.insert(profile, found);
                }
            }
            ("profile", _) => faults.push(ill_typed(shown, "profile", "a text")),
            ("profiles", _) => faults.push(ill_typed(shown, "profiles", "a table")),
            (other, _) => faults.push(unknown(shown, other, ["profile", "profiles"].into_iter())),
        }
    }
    if let Some(profile) = &file.profile {
        faults.extend(known_profile(profile, &file).err());
    }
    (file, faults)
}

/// Where in which file.
struct Place<'a> {
    shown: &'a str,
    profile: &'a str,
}

fn flatten(
    at: &Place<'_>,
    prefix: &str,
    table: Table,
    found: &mut BTreeMap<&'static str, String>,
    faults: &mut Vec<Error>,
) {
    for (name, value) in table {
        let dotted = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match (keys::find(&dotted), value) {
            (None, Value::Table(inner)) if KEYS.iter().any(|k| k.name.starts_with(&format!("{dotted}."))) => {
                flatten(at, &dotted, inner, found, faults);
            }
            (None, _) => faults.push(unknown(at.shown, &dotted, KEYS.iter().map(|k| k.name))),
            (Some(key), value) => match text_of(key, value) {
                Ok(text) => {
                    found.insert(key.name, text);
                }
                Err(want) => {
                    let place = format!("profiles.{}.{dotted}", at.profile);
                    faults.push(ill_typed(at.shown, &place, want));
                }
            },
        }
    }
}

/// A value as text, or what it should be.
fn text_of(key: &Key, value: Value) -> Result<String, &'static str> {
    match value {
        Value::String(text) => Ok(text),
        Value::Integer(n) => Ok(n.to_string()),
        Value::Boolean(b) => Ok(b.to_string()),
        Value::Table(channels) if key.kind == Kind::Channels => Ok(channels.to_string()),
        Value::Array(items) if key.is_list() => {
            let texts = items.into_iter().map(|item| match item {
                Value::String(text) => Ok(text),
                _ => Err("a list of texts"),
            });
            Ok(texts.collect::<Result<Vec<_>, _>>()?.join(","))
        }
        Value::Float(_) => Err("a decimal in quotes, like \"2.5\""),
        _ => Err("a single value"),
    }
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

fn unknown<'a>(shown: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Error {
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
    fn channels_are_tables() {
        let text = "[profiles.a.notify.channels.ops]\nservice = 'ntfy'\nurl_file = 'x \\\"y'\n[profiles.a.notify]\nattempts = 3\n";
        let file = parse(text, "c.toml").unwrap();
        let channels = crate::channels::parse(&file.profiles["a"]["notify.channels"]).unwrap();
        assert_eq!(channels[0].url, Some(crate::channels::Secret::File("x \\\"y".into())));
        assert_eq!(file.profiles["a"]["notify.attempts"], "3");
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

    #[test]
    fn every_mistake_is_named_and_what_is_right_is_read() {
        let (file, faults) = parse_all(
            "odd = 1\nprofile = 'mine'\n[profiles.mine]\nevm.chain_id = 5\nevm.chainid = 6\nreward.block_reward = 2.5\n\
             evm.rpc_urls = [1]\n[profiles.other]\nlog.level = [2]\n",
            "c.toml",
        );
        assert_eq!(file.profiles["mine"], BTreeMap::from([("evm.chain_id", "5".to_owned())]));
        let mut words: Vec<&str> = faults.iter().map(Error::message).collect();
        words.sort_unstable();
        assert_eq!(
            words,
            [
                "config c.toml: profiles.mine.evm.rpc_urls must be a list of texts",
                "config c.toml: profiles.mine.reward.block_reward must be a decimal in quotes, like \"2.5\"",
                "config c.toml: profiles.other.log.level must be a single value",
                "config c.toml: unknown key \"evm.chainid\"",
                "config c.toml: unknown key \"odd\"",
            ]
        );
        assert_eq!(parse_all("profile = ", "c.toml").1.len(), 1);
    }
}
