//! Which file uses which: no circle of files in any room, and each folder of the vault and the farm uses those before it only.
//! By `use` lines and paths; what is re-exported counts as used where it is defined.

use crate::lexer::{Token, tokens};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A crate, and its folders and files from the ground up.
type Room = (&'static str, &'static [&'static str]);

const VAULT: Room =
    ("src/vault", &["pool", "feed", "risk", "sync", "oracle", "deposit", "withdrawal", "reward"]);

const KALE: Room = (
    "src/kale",
    &[
        "alerts",
        "contract",
        "strategy",
        "settings",
        "schedule",
        "chain",
        "farmers",
        "record",
        "fees",
        "farming",
        "funding",
        "plant",
        "work",
        "harvest",
        "reconcile",
        "run",
    ],
);

/// A module's path within the crate.
type Module = Vec<String>;

#[derive(Default)]
struct Source {
    tokens: Vec<Token>,
    /// What names stand for: the path, and whether it is handed on.
    names: Vec<(String, Vec<String>, bool)>,
}

type Crate = BTreeMap<Module, Source>;

fn read(folder: &Path, at: &Module, found: &mut Crate) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let within = |name: String| at.iter().cloned().chain([name]).collect::<Module>();
        if path.is_dir() {
            if !path.join("Cargo.toml").exists() {
                read(&path, &within(stem), found);
            }
        } else if path.extension().is_some_and(|ext| ext == "rs") && stem != "tests" {
            let module = if stem == "mod" || stem == "lib" { at.clone() } else { within(stem) };
            let text = std::fs::read_to_string(&path).unwrap();
            // Test modules stand last in their files.
            let program = text.split("\n#[cfg(test)]\nmod tests").next().unwrap();
            found.entry(module).or_default().tokens = tokens(program);
        }
    }
}

fn word(token: Option<&Token>) -> Option<&str> {
    match token {
        Some(Token::Word(word)) => Some(word),
        _ => None,
    }
}

/// Whether a `use` line begins here; `use<'a>` is none.
fn is_use(tokens: &[Token], at: usize) -> bool {
    word(tokens.get(at)) == Some("use") && tokens.get(at + 1) != Some(&Token::Mark('<'))
}

/// The tree of a `use` from a place on, as (name, path) pairs; and the place after it.
fn tree(tokens: &[Token], mut at: usize, before: &[String], found: &mut Vec<(String, Vec<String>)>) -> usize {
    let mut path = before.to_vec();
    loop {
        match &tokens[at] {
            Token::Word(name) if name == "as" => {
                let alias = word(tokens.get(at + 1)).unwrap().to_owned();
                found.push((alias, path));
                return at + 2;
            }
            Token::Word(name) if name == "self" && !path.is_empty() => at += 1,
            Token::Word(name) => {
                path.push(name.clone());
                at += 1;
            }
            Token::Mark('*') => {
                path.push("*".to_owned());
                at += 1;
            }
            Token::Mark(':') => at += 1,
            Token::Mark('{') => {
                at += 1;
                while tokens[at] != Token::Mark('}') {
                    at = tree(tokens, at, &path, found);
                    at += usize::from(tokens[at] == Token::Mark(','));
                }
                return at + 1;
            }
            _ => {
                found.push((path.last().unwrap().clone(), path));
                return at;
            }
        }
    }
}

/// Takes a path as it stands in a module to one from the crate's root; `None` where it leads elsewhere.
fn absolute(all: &Crate, module: &Module, path: &[String]) -> Option<Vec<String>> {
    let (first, rest) = path.split_first()?;
    let from = |base: &[String], rest: &[String]| Some([base, rest].concat());
    match first.as_str() {
        "crate" => from(&[], rest),
        "self" => absolute(all, module, rest).or_else(|| from(module, rest)),
        "super" => {
            let mut base = &module[..module.len() - 1];
            let mut rest = rest;
            while rest.first().is_some_and(|word| word == "super") {
                (base, rest) = (&base[..base.len() - 1], &rest[1..]);
            }
            from(base, rest)
        }
        child => all
            .contains_key(&[module.as_slice(), &[child.to_owned()]].concat())
            .then(|| [module, path].concat()),
    }
}

/// The module that defines what a path names.
fn home(all: &Crate, path: &[String], depth: usize) -> Module {
    let mut at = 0;
    while at < path.len() && all.contains_key(&path[..=at]) {
        at += 1;
    }
    let module = path[..at].to_vec();
    let named = |(name, _, _): &&(String, Vec<String>, bool)| path.get(at) == Some(name);
    match all.get(&module).and_then(|source| source.names.iter().find(named)) {
        Some((_, to, _)) if depth < 9 => home(all, &[to, &path[at + 1..]].concat(), depth + 1),
        _ => module,
    }
}

/// Every file of a crate with the files that it uses.
fn uses(folder: &str) -> BTreeMap<Module, BTreeSet<Module>> {
    let mut all = Crate::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &Vec::new(), &mut all);
    let mut named: BTreeMap<Module, Vec<_>> = BTreeMap::new();
    for (module, Source { tokens, .. }) in &all {
        for at in (0..tokens.len()).filter(|at| is_use(tokens, *at)) {
            let before = at.checked_sub(1).map(|before| &tokens[before]);
            let handed_on = matches!(before, Some(Token::Mark(')'))) || word(before) == Some("pub");
            let mut found = Vec::new();
            tree(tokens, at + 1, &[], &mut found);
            let found = found
                .into_iter()
                .filter_map(|(name, path)| Some((name, absolute(&all, module, &path)?, handed_on)));
            named.entry(module.clone()).or_default().extend(found);
        }
    }
    for (module, names) in named {
        all.get_mut(&module).unwrap().names = names;
    }
    let mut found = BTreeMap::new();
    for (module, Source { tokens, names }) in &all {
        let mut used: BTreeSet<Module> = BTreeSet::new();
        // A module's own name is no use of it, what is taken from it is.
        used.extend(
            names
                .iter()
                .filter(|(_, to, on)| !on && !all.contains_key(to))
                .map(|(_, to, _)| home(&all, to, 0)),
        );
        let mut at = 0;
        while at < tokens.len() {
            if is_use(tokens, at) {
                at += tokens[at..].iter().position(|token| *token == Token::Mark(';')).unwrap();
            }
            let mut path = Vec::from_iter(word(tokens.get(at)).map(str::to_owned));
            at += 1;
            while !path.is_empty() && tokens.get(at..at + 2) == Some(&[Token::Mark(':'), Token::Mark(':')]) {
                let Some(next) = word(tokens.get(at + 2)) else { break };
                path.push(next.to_owned());
                at += 3;
            }
            if path.len() > 1 {
                let alias = names.iter().find(|(name, to, _)| *name == path[0] && all.contains_key(to));
                let path = match alias {
                    Some((_, to, _)) => Some([to, &path[1..]].concat()),
                    None => absolute(&all, module, &path),
                };
                used.extend(path.map(|path| home(&all, &path, 0)));
            }
        }
        used.remove(module);
        found.insert(module.clone(), used);
    }
    found
}

fn rank(folders: &[&str], module: &Module) -> Option<usize> {
    folders.iter().position(|folder| module.first().is_some_and(|first| first == folder))
}

#[test]
fn no_folder_uses_one_above_it() {
    for (name, folders) in [VAULT, KALE] {
        let mut crossings = 0;
        for (module, used) in uses(name) {
            assert!(module.is_empty() || rank(folders, &module).is_some(), "{name}: where is {module:?}?");
            for other in &used {
                if let (Some(own), Some(theirs)) = (rank(folders, &module), rank(folders, other)) {
                    assert!(theirs <= own, "{name}: {} uses {}", module.join("/"), other.join("/"));
                    crossings += usize::from(theirs < own);
                }
            }
        }
        assert!(crossings > 100, "{name}: {crossings} uses were seen");
    }
}

#[test]
fn no_file_uses_itself_by_way_of_another() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let rooms: Vec<String> = std::fs::read_dir(&src)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("Cargo.toml").exists())
        .map(|path| format!("src/{}", path.file_name().unwrap().to_str().unwrap()))
        .collect();
    assert!(rooms.len() > 10, "{rooms:?}");
    for name in rooms {
        let uses = uses(&name);
        // What is in a folder and the folder's own `mod.rs` belong together.
        let apart = |one: &Module, other: &Module| !one.starts_with(other) && !other.starts_with(one);
        for start in uses.keys().filter(|module| !module.is_empty()) {
            let (mut seen, mut next) = (BTreeSet::new(), vec![start]);
            while let Some(module) = next.pop() {
                let used = uses.get(module).into_iter().flatten();
                for other in used.filter(|other| apart(module, other)) {
                    let (start, by) = (start.join("/"), module.join("/"));
                    assert_ne!(other.join("/"), start, "{name}: {start} is used by {by}, which it uses");
                    if seen.insert(other) {
                        next.push(other);
                    }
                }
            }
        }
    }
}
