//! The library has no face: its texts name neither a flag nor a command, and what its remedies name exists.

use crate::lexer::Token;
use crate::statements::{program, sources};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Texts that look like a command and are none.
const NONE: &[(&str, &str)] = &[
    // By this mark a page is known that may be replaced.
    ("watch/report/file.rs", "<!DOCTYPE html><!-- poolctl report -->"),
];

/// The library's files, and their tokens without test modules.
fn library() -> Vec<(String, Vec<Token>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for path in sources(&root) {
        let file = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        if !file.split('/').any(|part| matches!(part, "tests" | "tests.rs")) {
            found.push((file, program(&path)));
        }
    }
    found
}

/// What `--help` says of each command, by its words.
fn helps() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots");
    let mut found = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for part in text.split("\n$ poolctl ").skip(1) {
            if let Some((words, help)) = part.split_once("--help\n") {
                found.push((words.trim_end().to_owned(), help.to_owned()));
            }
        }
    }
    found
}

fn has_flag(text: &str, flag: &str) -> bool {
    text.match_indices(flag).any(|(at, _)| {
        let next = text[at + flag.len()..].chars().next();
        !next.is_some_and(|c| c.is_ascii_alphanumeric() || c == '-')
    })
}

/// Whether a text has a flag: two dashes and a word, not within a word.
fn names_flag(text: &str) -> bool {
    text.match_indices("--").any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let next = text[at + 2..].chars().next();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '-')
            && next.is_some_and(|c| c.is_ascii_lowercase())
    })
}

fn names_command(text: &str, commands: &BTreeSet<&str>) -> bool {
    text.match_indices("poolctl ").any(|(at, name)| {
        let rest = &text[at + name.len()..];
        let end = rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len());
        commands.contains(&rest[..end])
    })
}

#[test]
fn no_text_of_the_library_names_a_flag_or_a_command() {
    let helps = helps();
    let commands: BTreeSet<&str> = helps
        .iter()
        .filter_map(|(words, _)| words.split(' ').next())
        .filter(|word| !word.is_empty())
        .collect();
    assert!(commands.len() > 25, "{commands:?}");
    assert!(names_flag("see (--at)") && !names_flag("a -- b") && !names_flag("rpc--urls"));
    assert!(names_command("run: poolctl sync", &commands) && !names_command("poolctl made it", &commands));
    let mut found = Vec::new();
    for (file, tokens) in library() {
        for (i, token) in tokens.iter().enumerate() {
            let Token::Text(text) = token else { continue };
            let is_doc = i >= 2 && tokens[i - 2..i] == [Token::Word("doc".into()), Token::Mark('=')];
            let is_none = NONE.contains(&(file.as_str(), text.as_str()));
            if !is_doc && !is_none && (names_flag(text) || names_command(text, &commands)) {
                found.push(format!("{file}: {text:?}"));
            }
        }
    }
    assert!(found.is_empty(), "a remedy says it with run() and with():\n{}", found.join("\n"));
}

#[test]
fn what_remedies_name_exists() {
    let helps = helps();
    let of = |words: &str| helps.iter().find(|(command, _)| command == words).map(|(_, help)| help.as_str());
    let everywhere = of("").expect("the help of all");
    let mut seen = 0;
    for (file, tokens) in library() {
        let mut command: Option<&str> = None;
        for window in tokens.windows(3) {
            let [Token::Word(call), Token::Mark('('), given] = window else { continue };
            if matches!(call.as_str(), "say" | "hint") {
                command = None;
            }
            let Token::Text(text) = given else { continue };
            match call.as_str() {
                "run" => {
                    assert!(of(text).is_some(), "{file}: there is no command {text:?}");
                    (command, seen) = (Some(text.as_str()), seen + 1);
                }
                "with" => {
                    let flag = format!("--{text}");
                    let known = match command {
                        Some(words) => has_flag(of(words).unwrap(), &flag) || has_flag(everywhere, &flag),
                        None => helps.iter().any(|(_, help)| has_flag(help, &flag)),
                    };
                    assert!(known, "{file}: {command:?} has no {flag}");
                    seen += 1;
                }
                _ => {}
            }
        }
    }
    for (file, tokens) in library() {
        for window in tokens.windows(8) {
            let [Token::Word(call), Token::Mark('('), .., Token::Mark(','), Token::Text(name)] = window
            else {
                continue;
            };
            if call == "field" {
                let known = helps.iter().any(|(_, help)| has_flag(help, &format!("--{name}")));
                assert!(known, "{file}: there is no field {name:?}");
                seen += 1;
            }
        }
    }
    assert!(seen > 100, "{seen} commands and flags: some are not seen");
}
