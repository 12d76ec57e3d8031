//! The commented config file that `init` writes.

use super::keys::{KEYS, Kind};
use std::fmt::Write;

/// A config file for `profile` in which every setting is explained and, where it has one, shows its default.
pub fn template(profile: &str, state: &str, chain_id: Option<u64>) -> String {
    let mut text = format!(
        "# poolctl configuration. Every key is shown; those with a # in front stand at their default.\n\
         # Precedence: flag > environment > this file > `poolctl config set` > default.\n\
         # See what is in force and why: poolctl config show --origin\n\n\
         profile = \"{profile}\"\n\n[profiles.{profile}]\n"
    );
    for key in KEYS {
        let example = match (key.name, key.kind) {
            ("state.path", _) => format!("{state:?}"),
            ("evm.chain_id", _) => chain_id.map_or_else(|| "1".into(), |id| id.to_string()),
            ("guard.confirm", _) => "true".into(),
            ("stellar.network", _) => "\"testnet\"".into(),
            (_, Kind::Endpoints) => "[\"NAME=https://…\"]".into(),
            (_, Kind::Number(..) | Kind::Bool) => key.default.unwrap_or("0").into(),
            (_, Kind::Address) => format!("\"{}\"", key.default.unwrap_or("0x…")),
            _ => format!("\"{}\"", key.default.unwrap_or("…")),
        };
        let active = key.name == "state.path" || (key.name == "evm.chain_id" && chain_id.is_some());
        let mut names = vec![key.env()];
        names.extend(key.legacy.iter().map(|name| (*name).to_owned()));
        let mark = if active { "" } else { "# " };
        let _ = writeln!(
            text,
            "\n# {}\n# environment: {}\n{mark}{} = {example}",
            key.help,
            names.join(", "),
            key.name
        );
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_template_reads_back() {
        let text = super::template("testnet", "/data/\"odd\".sqlite", Some(11_155_111));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(&path, &text).unwrap();
        let file = crate::config::file::read(&path).unwrap();
        assert_eq!(file.profiles["testnet"]["state.path"], "/data/\"odd\".sqlite");
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
        let all = crate::config::file::read(&path).unwrap();
        assert_eq!(all.profiles["testnet"].len(), crate::config::keys::KEYS.len());
    }
}
