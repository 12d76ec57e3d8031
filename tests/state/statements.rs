//! Every SQL statement of the library, taken from its sources: nothing is copied, and nothing may be overlooked.

use crate::lexer::{Token, tokens};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A statement as the library prepares it.
#[derive(Debug, Clone)]
pub struct Statement {
    /// The file below `src/`.
    pub file: String,
    /// The text, its placeholders filled.
    pub sql: String,
}

/// What `{name}` in a statement stands for, where that is no constant: by file, one line per combination. Every
/// word of a value must stand in the file as a text.
type Filling = &'static [(&'static str, &'static str)];

const FILLINGS: &[(&str, &[Filling])] = &[
    ("kale/record/rows/pails.rs", &[&[("BLOCK_SECONDS", "300"), ("TOLD_BY", "30")]]),
    (
        "state/alert.rs",
        &[
            &[
                ("table", "risk_violations"),
                ("owner", "pool_id"),
                ("word", "rule"),
                ("those", "AND id < ?3 ORDER BY id DESC LIMIT ?4"),
            ],
            &[
                ("table", "oracle_alerts"),
                ("owner", "feed_id"),
                ("word", "kind"),
                ("those", "AND id < ?3 ORDER BY id DESC LIMIT ?4"),
            ],
            &[
                ("table", "farm_alerts"),
                ("owner", "subject"),
                ("word", "kind"),
                ("those", "AND id < ?3 ORDER BY id DESC LIMIT ?4"),
            ],
            &[
                ("table", "risk_violations"),
                ("owner", "pool_id"),
                ("word", "rule"),
                ("those", "AND closed_at IS NULL AND ?3 IS NULL AND ?4 IS NULL"),
            ],
            &[
                ("table", "oracle_alerts"),
                ("owner", "feed_id"),
                ("word", "kind"),
                ("those", "AND closed_at IS NULL AND ?3 IS NULL AND ?4 IS NULL"),
            ],
            &[
                ("table", "farm_alerts"),
                ("owner", "subject"),
                ("word", "kind"),
                ("those", "AND closed_at IS NULL AND ?3 IS NULL AND ?4 IS NULL"),
            ],
        ],
    ),
    ("watch/check/columns.rs", &[&[("table", "events")]]),
    (
        "vault/feed/feeds.rs",
        &[
            &[("clause", "ORDER BY id")],
            &[("clause", "WHERE removed_at IS NULL ORDER BY id")],
            &[("clause", "WHERE asset = ?1 AND removed_at IS NULL ORDER BY id")],
        ],
    ),
    (
        "state/prune/tables.rs",
        &[
            &[("name", "events"), ("marks", "?, ?, ?, ?, ?, ?, ?, ?, ?"), ("clause", "id = ?1")],
            &[("name", "ledger_entries"), ("marks", "?, ?, ?, ?"), ("clause", "event_id = ?1 AND line = ?2")],
            &[("name", "plantings"), ("marks", "?, ?, ?, ?, ?, ?, ?, ?, ?"), ("clause", "id = ?1")],
            &[("name", "works"), ("marks", "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"), ("clause", "id = ?1")],
            &[("name", "harvests"), ("marks", "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"), ("clause", "id = ?1")],
            &[
                ("name", "nonces"),
                ("marks", "?, ?, ?, ?, ?, ?, ?, ?"),
                ("clause", "farmer_id = ?1 AND block_index = ?2 AND entropy = ?3"),
            ],
            &[("name", "operations"), ("marks", "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"), ("clause", "id = ?1")],
            &[
                ("name", "operation_attempts"),
                ("marks", "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"),
                ("clause", "operation_id = ?1 AND attempt = ?2"),
            ],
            &[
                ("name", "pool_snapshots"),
                ("marks", "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"),
                ("clause", "pool_id = ?1 AND block_number = ?2"),
            ],
            &[("name", "oracle_alerts"), ("marks", "?, ?, ?, ?, ?, ?, ?, ?"), ("clause", "id = ?1")],
            &[("name", "risk_violations"), ("marks", "?, ?, ?, ?, ?, ?, ?, ?"), ("clause", "id = ?1")],
            &[("name", "farm_alerts"), ("marks", "?, ?, ?, ?, ?, ?, ?, ?"), ("clause", "id = ?1")],
        ],
    ),
    ("vault/reward/export.rs", &[&[("clause", "")], &[("clause", "AND r.claimed_at IS NULL")]]),
    (
        "vault/withdrawal/store.rs",
        &[
            &[(
                "clause",
                "w.member_id = ?1 AND (?2 IS NULL OR w.pool_id = ?2) AND (w.requested_at, w.id) < (?5, ?6)
             AND (?3 IS NULL OR w.status = ?3) ORDER BY w.requested_at DESC, w.id DESC",
            )],
            &[(
                "clause",
                "?1 IS NULL AND w.pool_id = ?2 AND (w.requested_at, w.id) < (?5, ?6)
             AND (?3 IS NULL OR w.status = ?3) ORDER BY w.requested_at DESC, w.id DESC",
            )],
            &[(
                "clause",
                "?1 IS NULL AND ?2 IS NULL AND ?5 IS NOT NULL AND w.id < ?6
             AND (?3 IS NULL OR w.status = ?3) ORDER BY w.id DESC",
            )],
        ],
    ),
    ("vault/sync/intake.rs", &[&[("more", "")]]),
    ("vault/reward/distribute.rs", &[&[("more", "")]]),
    ("vault/reward/store.rs", &[&[("clause", "start_block = ?1")], &[("clause", "start_block < ?1")]]),
    (
        "state/events.rs",
        &[
            &[("whole", ""), ("order", "id DESC"), ("limit", "-1")],
            &[("whole", "WHERE kind = ?"), ("order", "id DESC"), ("limit", "20")],
            &[("whole", "WHERE kind >= ? AND kind < ?"), ("order", "id DESC"), ("limit", "20")],
            &[("whole", "WHERE subject = ?"), ("order", "id DESC"), ("limit", "20")],
            &[("whole", "WHERE run_id = ?"), ("order", "id DESC"), ("limit", "20")],
            &[("whole", "WHERE at >= ?"), ("order", "at DESC, id DESC"), ("limit", "20")],
            &[("whole", "WHERE id < ?"), ("order", "id DESC"), ("limit", "20")],
            &[("whole", "WHERE kind = ? AND id < ?"), ("order", "id DESC"), ("limit", "20")],
            &[
                ("whole", "WHERE at >= ? AND (at, id) < (?, ?)"),
                ("order", "at DESC, id DESC"),
                ("limit", "20"),
            ],
            &[("whole", "WHERE kind = ? AND subject = ?"), ("order", "id DESC"), ("limit", "20")],
            &[("whole", "WHERE subject = ? AND at >= ?"), ("order", "id DESC"), ("limit", "20")],
            &[
                ("whole", "WHERE kind = ? AND subject = ? AND run_id = ? AND at >= ?"),
                ("order", "id DESC"),
                ("limit", "20"),
            ],
        ],
    ),
];

/// Variables that carry a statement to where it is prepared; its text stands in the same file.
const CARRIERS: &[(&str, &str)] = &[
    // What is read from it stops where a page ends.
    ("vault/reward/claim.rs", "sql"),
    ("state/alert.rs", "sql"),
    ("watch/health/facts.rs", "last"),
    ("watch/health/facts.rs", "newest"),
    ("watch/check/mod.rs", "sql"),
    ("state/events.rs", "sql"),
    ("state/file/steps.rs", "sql"),
    // The definitions of the state's own tables, and what tables.rs has of each.
    ("state/prune/archive.rs", "sql"),
    ("state/prune/archive.rs", "table"),
    ("state/prune/archive.rs", "events"),
    ("state/prune/delete.rs", "TABLES"),
    ("state/prune/delete.rs", "sql"),
    ("state/prune/select.rs", "sql"),
    ("state/prune/tables.rs", "table"),
    ("state/names.rs", "sql"),
    // One place for all rooms.
    ("state/rows.rs", "sql"),
    ("state/rows.rs", "values"),
    // What is prepared there is a transaction.
    ("outbox/life.rs", "pen"),
    ("outbox/life.rs", "intent"),
];

/// Structure, not queries: the schema, the migrations and what goes with them.
const STRUCTURE: &[(&str, &str)] = &[
    ("state/file/open.rs", "PRAGMA application_id = "),
    ("state/file/open.rs", "BEGIN"),
    ("state/file/open.rs", "COMMIT"),
    ("state/file/open.rs", "ROLLBACK"),
    ("state/prune/archive.rs", "BEGIN"),
    ("state/prune/archive.rs", "CREATE INDEX "),
    ("state/file/steps.rs", "BEGIN IMMEDIATE; "),
    ("state/file/steps.rs", "ROLLBACK"),
];

const METHODS: &[&str] = &[
    "prepare",
    "prepare_cached",
    "prepare_with_flags",
    "execute",
    "execute_batch",
    "query_row",
    "query_one",
];

/// Every statement below `src/`, test modules aside.
pub fn all() -> Vec<Statement> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for path in sources(&root) {
        let file = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        found.extend(of_file(&file, &program(&path)));
    }
    found
}

/// A source file without its test module, which stands last.
pub fn program(path: &Path) -> Vec<Token> {
    let text = std::fs::read_to_string(path).unwrap();
    tokens(text.split("\n#[cfg(test)]\nmod tests").next().unwrap())
}

pub fn sources(folder: &Path) -> Vec<PathBuf> {
    let is_source = |path: &PathBuf| path.extension().is_some_and(|ext| ext == "rs");
    poolctl_testkit::cli::files(folder).into_iter().filter(is_source).collect()
}

fn of_file(file: &str, tokens: &[Token]) -> Vec<Statement> {
    let constants = constants(tokens);
    check_calls(file, tokens, &constants);
    check_passed_on(file, tokens, &constants);
    if file == "state/prune/tables.rs" {
        let is_table = |at: &[Token]| matches!(at, [Token::Mark('{'), Token::Word(n), Token::Mark(':'), Token::Text(_)] if n == "name");
        let lines = FILLINGS.iter().find(|(f, _)| *f == file).map_or(0, |(_, lines)| lines.len());
        let tables = tokens.windows(4).filter(|at| is_table(at)).count();
        assert_eq!(tables, lines, "FILLINGS lacks a table of src/{file}");
    }
    let mut found = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        let Token::Text(text) = token else { continue };
        let is_structure = STRUCTURE.iter().any(|(f, start)| *f == file && text.starts_with(start));
        if is_structure || !is_query(&expand(text, &constants)) {
            continue;
        }
        if let Some(name) = constant_at(tokens, i) {
            let used = tokens.iter().filter(|t| **t == Token::Word(name.to_owned())).count();
            if used < 2 {
                // Only ever a part of others, as `{NAME}`.
                continue;
            }
        }
        let formatted = i >= 3 && tokens[i - 3..i] == [word("format"), Token::Mark('!'), Token::Mark('(')];
        let whole = expand(text, &constants);
        let texts = if formatted { fill(file, &whole, tokens) } else { vec![whole] };
        found.extend(texts.into_iter().map(|sql| Statement { file: file.to_owned(), sql }));
    }
    found
}

fn word(text: &str) -> Token {
    Token::Word(text.to_owned())
}

fn is_query(text: &str) -> bool {
    let mut words = text.split_whitespace();
    let verb = words.next().unwrap_or_default();
    matches!(verb, "SELECT" | "INSERT" | "UPDATE" | "DELETE" | "REPLACE" | "WITH") && words.next().is_some()
}

/// `const NAME: &str = "…"` of a file.
fn constants(tokens: &[Token]) -> BTreeMap<String, String> {
    let texts = tokens.iter().enumerate();
    texts
        .filter_map(|(i, token)| match token {
            Token::Text(text) => Some((constant_at(tokens, i)?.to_owned(), text.clone())),
            _ => None,
        })
        .collect()
}

/// The name of the constant whose value is the token at `i`.
fn constant_at(tokens: &[Token], i: usize) -> Option<&str> {
    let before = tokens.get(i.checked_sub(6)?..i)?;
    match before {
        [
            Token::Word(c),
            Token::Word(name),
            Token::Mark(':'),
            Token::Mark('&'),
            Token::Word(t),
            Token::Mark('='),
        ] if c == "const" && t == "str" => Some(name),
        _ => None,
    }
}

/// Puts constants in for `{NAME}`.
fn expand(text: &str, constants: &BTreeMap<String, String>) -> String {
    constants.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

/// One statement for each combination of fillings that it has placeholders for.
fn fill(file: &str, text: &str, tokens: &[Token]) -> Vec<String> {
    if !text.contains('{') {
        return vec![text.to_owned()];
    }
    let lines = FILLINGS.iter().find(|(f, _)| *f == file).map_or(&[][..], |(_, lines)| lines);
    let mut filled: Vec<String> = Vec::new();
    for line in lines {
        let mut sql = text.to_owned();
        for (name, value) in *line {
            check_filling(file, value, tokens);
            sql = sql.replace(&format!("{{{name}}}"), value);
        }
        assert!(!sql.contains('{'), "src/{file}: add to FILLINGS what stands for the rest of: {sql}");
        if !filled.contains(&sql) {
            filled.push(sql);
        }
    }
    assert!(!filled.is_empty(), "src/{file}: add to FILLINGS what the placeholders stand for in: {text}");
    filled
}

fn check_filling(file: &str, value: &str, tokens: &[Token]) {
    let stands = |text: &str| tokens.contains(&Token::Text(text.to_owned()));
    let conditions = value.strip_prefix("WHERE ").unwrap_or(value);
    let ok = value.parse::<i32>().is_ok()
        || value.chars().all(|c| "?, ".contains(c))
        || stands(value)
        || conditions.split(" AND ").all(stands);
    assert!(ok, "src/{file} has no text \"{value}\": FILLINGS is out of date");
}

/// Most statements go through `rows::…(conn, STATEMENT, …)`: each must be one that this module collects.
fn check_passed_on(file: &str, tokens: &[Token], constants: &BTreeMap<String, String>) {
    for (i, window) in tokens.windows(4).enumerate() {
        let [Token::Word(room), Token::Mark(':'), Token::Mark(':'), Token::Word(name)] = window else {
            continue;
        };
        let is_one = ["each", "all", "column", "first", "value", "one", "count", "run", "put"]
            .contains(&name.as_str());
        if room != "rows" || !is_one {
            continue;
        }
        // Behind the connection, whatever makes it.
        let open = i + tokens[i..].iter().position(|token| *token == Token::Mark('(')).unwrap() + 1;
        let mut depth = 0;
        let comma = tokens[open..].iter().position(|token| {
            match token {
                Token::Mark('(' | '[' | '{') => depth += 1,
                Token::Mark(')' | ']' | '}') => depth -= 1,
                _ => {}
            }
            depth == 0 && *token == Token::Mark(',')
        });
        let mut at = open + comma.unwrap() + 1;
        while tokens.get(at) == Some(&Token::Mark('&')) {
            at += 1;
        }
        let bound = |name: &str| {
            tokens.windows(3).enumerate().any(|(j, window)| {
                *window == [word("let"), word(name), Token::Mark('=')]
                    && is_seen(file, &tokens[j + 3..], constants)
            })
        };
        let known = is_seen(file, &tokens[at..], constants)
            || matches!(&tokens[at], Token::Word(name) if bound(name));
        assert!(known, "src/{file}: rows::{name} is given a statement that this test cannot see");
    }
}

/// Every call that takes a statement must be given one that this module collects.
fn check_calls(file: &str, tokens: &[Token], constants: &BTreeMap<String, String>) {
    for (i, window) in tokens.windows(3).enumerate() {
        let [Token::Mark('.'), Token::Word(method), Token::Mark('(')] = window else { continue };
        if !METHODS.contains(&method.as_str()) {
            continue;
        }
        let mut at = i + 3;
        while tokens.get(at) == Some(&Token::Mark('&')) {
            at += 1;
        }
        let given = &tokens[at..];
        let known = match given {
            // Parameters of a statement that is prepared already.
            [Token::Mark('[' | '(' | ')'), ..] => true,
            [Token::Word(name), Token::Mark('!'), ..] if name == "params" => true,
            _ => is_seen(file, given, constants),
        };
        let shown = &given[..given.len().min(4)];
        assert!(known, "src/{file}: .{method}({shown:?}…) is given a statement that this test cannot see");
    }
}

/// Whether what is given is a statement that this module collects.
fn is_seen(file: &str, given: &[Token], constants: &BTreeMap<String, String>) -> bool {
    match given {
        [Token::Text(text), ..] => is_known(file, text, constants),
        [Token::Word(name), Token::Mark('!'), Token::Mark('('), Token::Text(text), ..] => {
            name == "format" && is_known(file, text, constants)
        }
        [Token::Word(name), ..] => constants.contains_key(name) || CARRIERS.contains(&(file, name)),
        _ => false,
    }
}

fn is_known(file: &str, text: &str, constants: &BTreeMap<String, String>) -> bool {
    is_query(&expand(text, constants))
        || text.starts_with("PRAGMA ")
        || STRUCTURE.iter().any(|(f, start)| *f == file && text.starts_with(start))
}
