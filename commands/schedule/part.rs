//! What each part of the schedule runs.

use super::backups;
use crate::shell::prelude::*;
use app::schedule::METRICS_FILE;
use app::schedule::rule::Part;
use config::Config;
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// How long a part waits for what another run holds, where nothing else is said.
const WAIT: &str = "2m";

/// The command that does a part, by its words.
pub const fn command(part: Part) -> &'static str {
    match part {
        Part::Sync => "sync",
        Part::Oracle => "oracle check",
        Part::Risk => "risk check",
        Part::Cycle => "reward cycle",
        Part::Farm => "farm run",
        Part::Metrics => "metrics",
        Part::Backup => "state backup",
        Part::Prune => "state prune",
    }
}

/// The whole command line of a part that begins now, without the program.
pub fn words(part: Part, session: &Session, config: &Config, now: i64) -> Result<Vec<OsString>> {
    let options = &session.options;
    let pair = |flag: &str, value: &OsStr| [OsString::from(flag), value.to_owned()];
    let mut words: Vec<OsString> = command(part).split(' ').map(OsString::from).collect();
    match part {
        Part::Farm => words.push("--once".into()),
        Part::Metrics => words.extend(pair("--metrics-file", config.require(METRICS_FILE)?.as_ref())),
        Part::Backup => words.push(backups::file(config, now)?.into()),
        Part::Prune => {
            words.extend(pair("--older-than", config.require("schedule.prune_older_than")?.as_ref()));
        }
        Part::Sync | Part::Oracle | Part::Risk | Part::Cycle => {}
    }
    words.push("--json".into());
    words.push("--quiet".into());
    if options.yes {
        words.push("--yes".into());
    }
    let wait = options.wait.map_or_else(|| WAIT.to_owned(), |wait| format!("{}ms", wait.as_millis()));
    words.extend(pair("--wait", wait.as_ref()));
    let handed_on = [
        ("--config", options.config.as_deref().map(Path::as_os_str)),
        ("--state", options.state.as_deref().map(Path::as_os_str)),
        ("--passphrase-file", options.passphrase_file.as_deref().map(Path::as_os_str)),
        ("--profile", options.profile.as_deref().map(OsStr::new)),
    ];
    for (flag, value) in handed_on {
        words.extend(value.into_iter().flat_map(|value| pair(flag, value)));
    }
    Ok(words)
}
