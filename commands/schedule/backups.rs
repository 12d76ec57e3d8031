//! Backups of the schedule: how they are named, and which of them stay.

use crate::shell::prelude::*;
use app::schedule::BACKUP_FOLDER;
use base::clock;
use config::Config;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

const KIND: &str = ".sqlite";

/// Where a backup that is made now goes.
pub fn file(config: &Config, now: i64) -> Result<PathBuf> {
    Ok(Path::new(config.require(BACKUP_FOLDER)?).join(name(config, now)))
}

fn name(config: &Config, now: i64) -> String {
    let stamp = clock::rfc3339(now).replace(':', "-");
    format!("{}{stamp}{KIND}", prefix(&config.profile))
}

/// What the names of a profile's backups begin with, and no other's.
fn prefix(profile: &str) -> String {
    let mut text = "poolctl-".to_owned();
    for byte in profile.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text.push('-');
    text
}

/// Removes the oldest backups of the profile, of which there are more than are to stay. Those of the future, by a clock that has
/// been set back since, neither count nor go.
pub fn thin(config: &Config, now: i64) -> Result<()> {
    let folder = Path::new(config.require(BACKUP_FOLDER)?);
    let io = |e: &std::io::Error, what: &str, path: &Path| {
        Error::new(Code::Io, format!("cannot {what} {}: {e}", path.display()))
    };
    let names = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect::<std::io::Result<Vec<_>>>())
        .map_err(|e| io(&e, "read", folder))?;
    let newest = name(config, now);
    let names =
        names.into_iter().filter_map(|name| name.into_string().ok()).filter(|name| *name <= newest).collect();
    let keep = usize::try_from(config.number("schedule.backup_keep")?).unwrap_or(usize::MAX);
    for name in surplus(names, &prefix(&config.profile), keep) {
        let path = folder.join(name);
        fs::remove_file(&path).map_err(|e| io(&e, "remove", &path))?;
    }
    Ok(())
}

/// Of these files, the backups with this prefix that are not among the newest so many. Nothing else is ever named.
fn surplus(names: Vec<String>, prefix: &str, keep: usize) -> Vec<String> {
    let is_stamp = |text: &str| {
        let form = "0000-00-00T00-00-00Z";
        text.len() == form.len()
            && text.bytes().zip(form.bytes()).all(
                |(is, form)| {
                    if form == b'0' { is.is_ascii_digit() } else { is == form }
                },
            )
    };
    let is_backup = |name: &String| {
        let stamp = name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(KIND));
        stamp.is_some_and(is_stamp)
    };
    let mut backups: Vec<String> = names.into_iter().filter(is_backup).collect();
    // A stamp sorts as its time does.
    backups.sort_unstable_by(|a, b| b.cmp(a));
    backups.split_off(keep.min(backups.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_profiles_share_their_backups() {
        let prefixes =
            ["main", "main-a", "main.a", "main_a", "main/a", "main a", "main%2Ea", "ü"].map(prefix);
        for (at, one) in prefixes.iter().enumerate() {
            assert!(
                prefixes.iter().skip(at + 1).all(|other| other != one) && !one.contains(['/', '.']),
                "{one}"
            );
        }
        assert_eq!((prefix("main-a"), prefix("a.b")), ("poolctl-main-a-".into(), "poolctl-a%2Eb-".into()));
    }

    #[test]
    fn the_oldest_go_and_nothing_else() {
        let names = [
            "poolctl-mine-2026-01-02T03-04-05Z.sqlite",
            "poolctl-mine-2026-01-03T03-04-05Z.sqlite",
            "poolctl-mine-2025-12-31T03-04-05Z.sqlite",
            "poolctl-mine-2025-12-31T03-04-05Z.sqlite-wal",
            "poolctl-mine-2025-12-31.sqlite",
            "poolctl-mine-20x5-12-31T03-04-05Z.sqlite",
            "poolctl-mine-too-2025-12-31T03-04-05Z.sqlite",
            "poolctl-other-2025-12-31T03-04-05Z.sqlite",
            "mine.sqlite",
        ];
        let names = || names.map(str::to_owned).to_vec();
        assert_eq!(surplus(names(), "poolctl-mine-", 2), ["poolctl-mine-2025-12-31T03-04-05Z.sqlite"]);
        assert_eq!(surplus(names(), "poolctl-mine-", 1).len(), 2);
        assert_eq!(surplus(names(), "poolctl-mine-", 3), Vec::<String>::new());
        assert_eq!(surplus(names(), "poolctl-mine-", 30), Vec::<String>::new());
    }
}
