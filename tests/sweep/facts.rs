//! What two runs of the same work must agree on: rows and files, without times, random ids and what follows from them.

use crate::evm::desk;
use poolctl_testkit::cli::files;
use rusqlite::Connection;
use state::SCHEMA_VERSION;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use watch::check::check;

/// By table, or by what else it is that they say something of.
pub type Facts = BTreeMap<String, Vec<String>>;

/// Columns that say when, by which run, or in which order something was written.
const VOLATILE: &[&str] = &["run_id", "actor", "prev_hash", "hash"];

/// Tables whose rows have numbers in the order of their making, which is another where a pool failed at first.
const NUMBERED: &[&str] = &["events", "ledger_entries", "pool_reward_epochs"];

/// The numbers of such rows where others name them.
const NUMBERS: &[&str] = &["epoch_id", "event_id", "claim_id"];

/// The rows of a state; none where there is no file. Opening it lets SQLite recover it.
pub fn rows(state: &Path, folder: &Path) -> Facts {
    if !state.exists() {
        return Facts::new();
    }
    let conn = Connection::open(state).unwrap();
    let tables =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'runs'";
    let dump = |table: String| {
        let columns = desk::rows(&conn, &format!("SELECT name FROM pragma_table_info('{table}')"));
        let volatile = |column: &str| {
            NUMBERS.contains(&column)
                || table == "events" && VOLATILE.contains(&column)
                || NUMBERED.contains(&table.as_str()) && column == "id"
        };
        let shown: Vec<String> = columns.into_iter().filter(|column| !volatile(column)).collect();
        let clause = if table == "meta" { "WHERE key NOT IN ('data_version', 'audit_head')" } else { "" };
        let found = desk::rows(&conn, &format!("SELECT {} FROM {table} {clause}", shown.join(", ")));
        // Random ids are shown as one, but they order the rows.
        let mut found: Vec<String> =
            found.iter().map(|row| plain(&row.replace(folder.to_str().unwrap(), "~"))).collect();
        found.sort();
        (table, found)
    };
    desk::rows(&conn, tables).into_iter().map(dump).collect()
}

/// What `state check --full` would find; nothing where there is no file, or one of an older schema.
pub fn findings(state: &Path) -> Vec<String> {
    if !state.exists() {
        return Vec::new();
    }
    let conn = Connection::open(state).unwrap();
    let schema: u32 = match conn.query_row("PRAGMA user_version", [], |row| row.get(0)) {
        Ok(schema) => schema,
        Err(e) => return vec![format!("cannot be opened: {e}")],
    };
    if schema != SCHEMA_VERSION {
        return Vec::new();
    }
    match check(&conn, true) {
        Ok(report) => report.findings.iter().map(|f| format!("{}: {}", f.check, f.message)).collect(),
        Err(e) => vec![format!("cannot be checked: {e}")],
    }
}

/// Every file below a folder, by its path in it; times in names are not shown.
pub fn names(folder: &Path) -> BTreeSet<String> {
    let name = |path: &PathBuf| plain(path.strip_prefix(folder).unwrap().to_str().unwrap());
    // What a killed run had in the folder of leases is removed by the next one that writes, which need not come.
    files(folder).iter().map(name).filter(|name| !name.contains(".locks/")).collect()
}

/// The files of a folder that are text and whose content follows from the state: config files and exports.
pub fn texts(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for name in [".config/poolctl/config.toml", "export.json"] {
        if let Ok(text) = std::fs::read_to_string(folder.join(name)) {
            let text = text.replace(folder.to_str().unwrap(), "~");
            // A copy has a network of its own, on a port of its own.
            let lines = text.lines().filter(|line| !line.starts_with("stellar.rpc_urls"));
            found.insert(name.into(), lines.collect::<Vec<_>>().join("\n"));
        }
    }
    found
}

/// A text without what differs from run to run: UUIDs, Stellar addresses, and the time.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let numbered = without(text, "\"epoch\":");
    let mut rest = numbered.as_str();
    while let Some(first) = rest.chars().next() {
        let word =
            rest.find(|c: char| !c.is_ascii_alphanumeric() && !"-:.".contains(c)).unwrap_or(rest.len());
        if word == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (token, after) = rest.split_at(word);
        out.push_str(&token.split('.').map(kind).collect::<Vec<_>>().join("."));
        rest = after;
    }
    out
}

/// A text without the numbers that follow `name`.
fn without(text: &str, name: &str) -> String {
    let mut parts = text.split(name);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| out + name + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}

fn kind(token: &str) -> String {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
    let parts: Vec<&str> = token.split('-').collect();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    if parts.iter().map(|p| p.len()).eq([8, 4, 4, 4, 12]) && parts.iter().all(|p| hex(p)) {
        return "UUID".to_owned();
    }
    if token.len() == 8 && token.strip_prefix('t').is_some_and(hex) {
        return "TOKEN".to_owned();
    }
    if token.len() == 56 && token.starts_with('G') {
        return "ADDRESS".to_owned();
    }
    if token.len() == 10 && token.parse::<u64>().is_ok_and(|n| n.abs_diff(now) < 86_400) {
        return "TIME".to_owned();
    }
    // As in 2026-01-31T12:00:00, 20260131T120000123Z, and what a fraction leaves of the first: 123Z.
    let stamp = token.bytes().filter(u8::is_ascii_digit).count() >= 14 && token.contains('T');
    let fraction = token.strip_suffix('Z').is_some_and(digits);
    if stamp || fraction {
        return token.split(|c: char| c.is_ascii_digit()).next().unwrap_or_default().to_owned() + "TIME";
    }
    token.to_owned()
}

#[test]
fn what_differs_from_run_to_run_is_not_shown() {
    for (text, want) in [
        ("id 8642f1a0-7a63-4235-a815-cdbb397772a7.", "id UUID."),
        ("token t1a3660f (board)", "token TOKEN (board)"),
        ("\"2026-11-29T03:12:01.123Z\"", "\"TIME.TIME\""),
        ("sandbox.sqlite.schema-2-20231114T221320000Z", "sandbox.sqlite.schema-2-TIME"),
        ("0x00 | 1700000000 | 12.50", "0x00 | 1700000000 | 12.50"),
    ] {
        assert_eq!(plain(text), want.replace("schema-2-TIME", "schema-TIME"), "{text}");
    }
}
