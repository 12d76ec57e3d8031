//! The commented config file that `init` writes.

use super::keys::{KEYS, Key, Kind};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A config file for `profile`, below the comment `head`, in which every setting is explained; those with a value here are set to it, the others
/// stand as comments that show their default, where they have one.
pub fn template(head: &str, profile: &str, values: &BTreeMap<&'static str, String>) -> String {
    let mut text = format!("{head}\nprofile = \"{profile}\"\n\n[profiles.{profile}]\n");
    for key in KEYS {
        let (mark, shown) = match values.get(key.name) {
            Some(value) => ("", literal(key.kind, value)),
            None => ("# ", example(key)),
        };
        let mut names = vec![key.env()];
        names.extend(key.legacy.iter().map(|name| (*name).to_owned()));
        let _ = writeln!(
            text,
            "\n# {}\n# environment: {}\n{mark}{} = {shown}",
            key.help,
            names.join(", "),
            key.name
        );
    }
    text
}

/// A value as TOML.
fn literal(kind: Kind, value: &str) -> String {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    match kind {
        Kind::Number(..) | Kind::Bool => value.to_owned(),
        Kind::Endpoints | Kind::Accounts => {
            format!("[{}]", value.split(',').map(quoted).collect::<Vec<_>>().join(", "))
        }
        _ => quoted(value),
    }
}

/// What could stand there.
fn example(key: &Key) -> String {
    match (key.name, key.kind) {
        ("evm.chain_id", _) => "1".into(),
        ("guard.confirm", _) => "true".into(),
        ("stellar.network", _) => "\"testnet\"".into(),
        (_, Kind::Endpoints) => "[\"NAME=https://…\"]".into(),
        (_, Kind::Accounts) => "[\"G…\"]".into(),
        (_, Kind::Channels) => "{ NAME = { service = \"ntfy\", url_file = \"…\" } }".into(),
        (_, Kind::Number(..) | Kind::Bool) => key.default.unwrap_or("0").into(),
        (_, Kind::Duration(..)) => format!("\"{}\"", key.default.unwrap_or("1h")),
        (_, Kind::Address) => format!("\"{}\"", key.default.unwrap_or("0x…")),
        _ => format!("\"{}\"", key.default.unwrap_or("…")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    #[test]
    fn the_template_reads_back() {
        let values = BTreeMap::from([
            ("state.path", "/data/\"odd\" é.sqlite".to_owned()),
            ("evm.chain_id", "11155111".to_owned()),
            ("evm.rpc_urls", "a=http://one.example/x,http://two.example".to_owned()),
        ]);
        let text = super::template("# head\n", "testnet", &values);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(&path, &text).unwrap();
        let file = crate::file::read(&path).unwrap();
        assert_eq!(file.profiles["testnet"], values);
        // With every comment sign removed, each key is a known one of the right type.
        let bare: String = text
            .lines()
            .filter_map(|line| match line.strip_prefix("# ") {
                Some(rest) if rest.contains(" = ") && rest.contains('.') && !rest.contains('>') => Some(rest),
                Some(_) => None,
                None => Some(line),
            })
            .fold(String::new(), |all, line| all + line + "\n");
        std::fs::write(&path, bare).unwrap();
        let all = crate::file::read(&path).unwrap();
        assert_eq!(all.profiles["testnet"].len(), crate::keys::KEYS.len());
    }
}
