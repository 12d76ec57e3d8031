//! The channels that notifications go to: of which service each is, from which severity on, and where its secrets are.

use super::keys::nearest;
use base::{Endpoint, redact};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use strum::{EnumString, IntoStaticStr, VariantNames};
use toml::{Table, Value};

/// The service behind a channel, which says what a message looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum Service {
    /// The documented JSON, for programs.
    Webhook,
    /// An incoming webhook of Slack, or of what takes the same.
    Slack,
    /// A webhook of Discord.
    Discord,
    /// A bot of Telegram.
    Telegram,
    /// A topic of ntfy.
    Ntfy,
}

impl Service {
    /// Its stable word.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// How grave something is.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
    EnumString,
    IntoStaticStr,
    VariantNames,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    #[default]
    Info,
    /// Somebody should look at it today.
    Warning,
    /// Money is lost, or cannot move.
    Critical,
}

impl Severity {
    /// Its stable word.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Where a secret is. Nothing shows more of it than that.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// In the setting itself.
    Value(String),
    /// In a file that only its owner may read.
    File(PathBuf),
    /// Printed by a shell command.
    Command(String),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Value(_) => "Value",
            Self::File(_) => "File",
            Self::Command(_) => "Command",
        })
    }
}

/// One channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// The operator's name for it.
    pub name: String,
    /// The service behind it.
    pub service: Service,
    /// What is less grave does not go there.
    pub least: Severity,
    /// Its URL; Telegram has one of its own.
    pub url: Option<Secret>,
    /// Its token, where it has one.
    pub token: Option<Secret>,
    /// The chat, of a bot of Telegram.
    pub chat: Option<String>,
}

/// The longest name, in characters.
const LONGEST: usize = 40;

/// Every field of a channel.
const FIELDS: [&str; 9] =
    ["service", "least", "url", "url_file", "url_command", "token", "token_file", "token_command", "chat_id"];

/// Reads channels: TOML with a table for each.
///
/// # Errors
/// What is wrong with which channel, without the text, which may hold secrets.
pub fn parse(text: &str) -> Result<Vec<Channel>, String> {
    let table: Table = text.parse().map_err(|_| "it is not TOML with a table for each channel".to_owned())?;
    let channels = table.into_iter().map(|(name, value)| {
        channel(&name, value)
            .map_err(|why| format!("channel \"{}\": {why}", redact::bounded(&redact::hidden(&name))))
    });
    channels.collect()
}

fn channel(name: &str, value: Value) -> Result<Channel, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.is_empty() || name.len() > LONGEST || !name.chars().all(plain) {
        return Err(format!("a name has 1 to {LONGEST} letters, digits, \"-\" and \"_\""));
    }
    let Value::Table(table) = value else { return Err("it is not a table".to_owned()) };
    let mut texts = BTreeMap::new();
    for (field, value) in table {
        let Some(known) = FIELDS.into_iter().find(|known| *known == field) else {
            let near = nearest(&field, FIELDS.into_iter()).map(|near| format!("; did you mean \"{near}\"?"));
            return Err(format!("unknown field \"{}\"{}", redact::words(&field), near.unwrap_or_default()));
        };
        let text = match value {
            Value::String(text) if !text.trim().is_empty() => text.trim().to_owned(),
            Value::Integer(number) if known == "chat_id" => number.to_string(),
            _ => return Err(format!("{known} must be a text that is not empty")),
        };
        texts.insert(known, text);
    }
    let service: Service = word("service", &texts.remove("service").ok_or("service is missing")?)?;
    let least = texts.remove("least").map(|text| word("least", &text)).transpose()?.unwrap_or_default();
    let chat = texts.remove("chat_id");
    let (url, token) = (secret("url", &mut texts)?, secret("token", &mut texts)?);
    let needs = |what: &str| Err(format!("a channel of {} needs {what}", service.as_str()));
    let has_no = |what: &str| Err(format!("a channel of {} has no {what}", service.as_str()));
    match service {
        Service::Telegram if token.is_none() => return needs("token, token_file or token_command"),
        Service::Telegram if chat.is_none() => return needs("chat_id"),
        Service::Telegram => {}
        _ if url.is_none() => return needs("url, url_file or url_command"),
        _ if chat.is_some() => return has_no("chat_id"),
        Service::Slack | Service::Discord if token.is_some() => return has_no("token: it is in its URL"),
        _ => {}
    }
    if let Some(Secret::Value(url)) = &url {
        endpoint(url)?;
    }
    Ok(Channel { name: name.to_owned(), service, least, url, token, chat })
}

/// A word of an enum.
fn word<T: std::str::FromStr + VariantNames>(field: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{field} is not one of: {}", T::VARIANTS.join(", ")))
}

/// A secret that is given in one of three ways.
fn secret(what: &str, texts: &mut BTreeMap<&str, String>) -> Result<Option<Secret>, String> {
    let mut take = |suffix: &str| texts.remove(format!("{what}{suffix}").as_str());
    let given = [
        take("").map(Secret::Value),
        take("_file").map(|path| Secret::File(path.into())),
        take("_command").map(Secret::Command),
    ];
    let mut given = given.into_iter().flatten();
    match (given.next(), given.next()) {
        (_, Some(_)) => Err(format!("give one of {what}, {what}_file and {what}_command")),
        (one, None) => Ok(one),
    }
}

/// The URL of a channel.
///
/// # Errors
/// Why it is none, without the text.
pub fn endpoint(url: &str) -> Result<Endpoint, String> {
    Endpoint::parse(url, 1).map_err(|e| format!("url: {}", e.message().trim_start_matches("endpoint 1: ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_says_where_its_secrets_are() {
        let text = "
            [ops]
            service = 'slack'
            least = 'warning'
            url_file = '/etc/poolctl/slack.url'
            [phone]
            service = 'telegram'
            token_command = 'pass telegram'
            chat_id = -1001
            [log]
            service = 'webhook'
            url = 'https://hooks.example/KEY'
            token = 'KEY'";
        let channels = parse(text).unwrap();
        let mut found: Vec<(&str, Service, Severity)> =
            channels.iter().map(|c| (c.name.as_str(), c.service, c.least)).collect();
        found.sort_unstable_by_key(|(name, ..)| *name);
        assert_eq!(
            found,
            [
                ("log", Service::Webhook, Severity::Info),
                ("ops", Service::Slack, Severity::Warning),
                ("phone", Service::Telegram, Severity::Info),
            ]
        );
        let phone = channels.iter().find(|c| c.name == "phone").unwrap();
        assert_eq!(phone.chat.as_deref(), Some("-1001"));
        assert_eq!(phone.token, Some(Secret::Command("pass telegram".to_owned())));
        assert!(!format!("{channels:?}").contains("KEY"), "{channels:?}");
        assert_eq!(parse(""), Ok(Vec::new()));
    }

    #[test]
    fn mistakes_are_named_and_secrets_are_not() {
        for (text, why) in [
            ("KEY", "it is not TOML with a table for each channel"),
            ("a = 'KEY'", "channel \"a\": it is not a table"),
            ("'a b' = {}", "channel \"a b\": a name has 1 to 40 letters, digits, \"-\" and \"_\""),
            ("a = {}", "channel \"a\": service is missing"),
            (
                "a = { service = 'KEY' }",
                "channel \"a\": service is not one of: webhook, slack, discord, telegram, ntfy",
            ),
            (
                "a = { service = 'slack', least = 'KEY', url = 'http://h/KEY' }",
                "channel \"a\": least is not one of: info, warning, critical",
            ),
            (
                "a = { service = 'slack', urlfile = 'KEY' }",
                "channel \"a\": unknown field \"urlfile\"; did you mean \"url_file\"?",
            ),
            ("a = { service = 'slack', url = 7 }", "channel \"a\": url must be a text that is not empty"),
            (
                "a = { service = 'slack' }",
                "channel \"a\": a channel of slack needs url, url_file or url_command",
            ),
            (
                "a = { service = 'ntfy', url = 'http://h/KEY', url_file = 'x' }",
                "channel \"a\": give one of url, url_file and url_command",
            ),
            (
                "a = { service = 'discord', url = 'http://h/KEY', token = 'KEY' }",
                "channel \"a\": a channel of discord has no token: it is in its URL",
            ),
            (
                "a = { service = 'ntfy', url = 'http://h/KEY', chat_id = 1 }",
                "channel \"a\": a channel of ntfy has no chat_id",
            ),
            (
                "a = { service = 'telegram', token = 'KEY' }",
                "channel \"a\": a channel of telegram needs chat_id",
            ),
            (
                "a = { service = 'telegram', chat_id = 1 }",
                "channel \"a\": a channel of telegram needs token, token_file or token_command",
            ),
            (
                "a = { service = 'webhook', url = 'ftp://h/KEY' }",
                "channel \"a\": url: scheme \"ftp\" is not supported, only http and https are",
            ),
        ] {
            let said = parse(text).unwrap_err();
            assert_eq!(said, why, "{text}");
            assert!(!said.contains("KEY"), "{said}");
        }
    }
}
