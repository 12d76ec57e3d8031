//! No command is left out: each is swept, or is known to write nothing, which is tried.

use crate::homes::{self, filled};
use crate::support::Home;
use crate::sweep::{Place, Row};
use crate::{facts, farm};

/// Commands that write nothing, with something to do on a furnished desk.
const READERS: &[&str] = &[
    "pool list",
    "pool show growth",
    "pool holders growth",
    "pool position alice growth",
    "pool validate-withdrawal stable alice 1",
    "pool validate-deposit growth alice 1 --on-chain",
    "pool reconcile --all",
    "member list",
    "member show alice",
    "withdrawal list",
    "reward weights",
    "reward epoch list",
    "reward epoch show {epoch}",
    "reward epoch verify --all",
    "reward apr",
    "reward pending alice",
    "oracle list",
    "oracle alerts",
    "risk show growth",
    "risk violations",
    "token list",
    "pooler list",
    "farmer list",
    "farmer show nobody",
    "farm plan",
    "farm profit",
    "operations list",
    "grind --index 37 --entropy AAAAAAn66y/43JPP7M02rwTmONZoWOmu1OPYz/bmzJ8o= --farmer \
     GBQHTQ7NTSKHVTSVM6EHUO3TU4P4BK2TAAII25V2TT2Q6OWXUJWEKALE --nonces 9 --start 0",
    "config show",
    "config check",
    "config path",
    "state check --full",
    "state path",
    "events",
    "doctor",
    "health",
    "notify list",
    "status",
    "info",
    "version",
    "help",
    "schema",
    "completions bash",
    "man",
];

/// Commands that no row is for, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    ("demo", "runs the others, in a folder that it makes"),
    (
        "run",
        "runs the others, each as a process of its own; what it does itself is tried in tests/it/schedule.rs",
    ),
    ("sandbox up", "a network in memory"),
    ("serve", "runs the others for whoever asks; what it writes itself is tried in tests/it/server.rs"),
    ("token create", "another token each time, whose text is lost with a kill: tests/it/server.rs"),
    (
        "notify send",
        "sends at least once: a try that was cut off is made again later, which tests/it/notify.rs tries",
    ),
    ("notify test", "the same"),
];

fn commands() -> Vec<String> {
    let listed = Home::empty().run("schema").json();
    let listed = listed["schemas"].as_array().unwrap();
    listed.iter().map(|schema| schema["command"].as_str().unwrap().to_owned()).collect()
}

/// The command that a line runs: the most of its first words that are one.
fn command_of<'c>(line: &str, commands: &'c [String]) -> &'c str {
    let fits = |command: &&String| {
        line.strip_prefix(command.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    commands
        .iter()
        .filter(fits)
        .max_by_key(|command| command.len())
        .unwrap_or_else(|| panic!("no command: {line}"))
}

#[test]
fn every_command_is_swept_or_writes_nothing() {
    let commands = commands();
    let rows = [
        homes::BARE,
        homes::NEW,
        homes::LOCAL,
        homes::OLDER,
        homes::OLD,
        homes::POOLS,
        homes::CHANGED,
        farm::ROWS,
    ];
    let swept: Vec<&str> =
        rows.iter().copied().flatten().map(|row: &Row| command_of(row.line, &commands)).collect();
    let reads: Vec<&str> = READERS.iter().map(|line| command_of(line, &commands)).collect();
    for command in &commands {
        let known = [
            swept.contains(&command.as_str()),
            reads.contains(&command.as_str()),
            ELSEWHERE.iter().any(|(c, _)| c == command),
        ];
        let times = known.iter().filter(|known| **known).count();
        assert_eq!(times, 1, "{command}: a row of the sweep, or a line of READERS if it writes nothing");
    }
}

#[test]
fn what_is_said_to_write_nothing_writes_nothing() {
    let (desk, words) = homes::pools();
    let home = Place::fork(&desk.home);
    let now = || (home.snapshot(), facts::names(home.path()), facts::texts(home.path()));
    let before = now();
    for line in READERS {
        let output = home.command(&[], &filled(line, &words), "").output().unwrap();
        assert!(output.status.code().is_some(), "{line}: {output:?}");
        assert_eq!(now(), before, "{line}");
    }
}
