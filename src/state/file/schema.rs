//! The program's own schema, and whether a file has it and nothing else: a trigger or a view of somebody else's would act
//! on rows, or stand in their place.

use super::steps::{self, SCHEMA};
use crate::rows;
use base::{Code, Error, Result, say};
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::path::Path;

/// Refuses a file whose schema is not the one that this program made it with.
pub(super) fn must_be_own(conn: &Connection, path: &Path, version: u32) -> Result<()> {
    let Some(Difference { why, is_addition }) = difference(conn, version)? else { return Ok(()) };
    let remedy = if is_addition { "drop what was added to it, or restore" } else { "restore" };
    let words = format!("the schema of state {} is not poolctl's: {why}", path.display());
    Err(Error::new(Code::StateCorrupt, words)
        .hint(say(format!("nothing was changed; {remedy} the newest backup: ")).backup()))
}

/// How a schema differs from the program's.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference {
    /// What is too many, missing or other.
    pub why: String,
    /// Whether all of the program's is there, and something more.
    pub is_addition: bool,
}

/// How the schema of a file differs from the program's of that version; `None` where it does not.
pub fn difference(conn: &Connection, version: u32) -> Result<Option<Difference>> {
    if version == steps::SCHEMA_VERSION && is_verbatim(conn)? {
        return Ok(None);
    }
    let own = if version == steps::SCHEMA_VERSION {
        statements(SCHEMA).collect()
    } else {
        stored(&steps::as_of(version)?)?
    };
    let found = stored(conn)?;
    let begin = |sql: &str| sql.split_whitespace().take(5).collect::<Vec<_>>().join(" ");
    let (more, missing) = (found.difference(&own).next(), own.difference(&found).next());
    let more = more.map(|sql| format!("it has \"{}…\"", begin(sql)));
    let lacks = missing.map(|sql| format!("it lacks \"{}…\"", begin(sql)));
    let is_addition = lacks.is_none();
    let why: Vec<String> = more.into_iter().chain(lacks).collect();
    Ok((!why.is_empty()).then(|| Difference { why: why.join(", "), is_addition }))
}

/// What made a file's tables, indexes, triggers and views, oldest first. Figures for its planner are SQLite's own.
const STORED: &str = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL
    AND NOT (type = 'table' AND name IN ('sqlite_stat1', 'sqlite_stat4')) ORDER BY rowid";

/// Whether a file stands as the schema of today made it, which nearly all do: each opening asks.
fn is_verbatim(conn: &Connection) -> Result<bool> {
    let mut statement = conn.prepare(STORED)?;
    let mut rows = rows::of(&mut statement, [])?;
    let mut rest = SCHEMA;
    while let Some(row) = &rows.next()? {
        let sql = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        match comments_aside(rest).strip_prefix(sql).and_then(|rest| rest.strip_prefix(';')) {
            Some(after) => rest = after,
            None => return Ok(false),
        }
    }
    Ok(comments_aside(rest).is_empty())
}

fn comments_aside(script: &str) -> &str {
    let mut rest = script.trim_ascii_start();
    while let Some(comment) = rest.strip_prefix("--") {
        rest = comment.split_once('\n').map_or("", |(_, after)| after.trim_ascii_start());
    }
    rest
}

/// The statements that [`STORED`] finds.
pub(super) fn stored(conn: &Connection) -> Result<BTreeSet<String>> {
    let mut statement = conn.prepare(STORED)?;
    let mut rows = rows::of(&mut statement, [])?;
    let mut found = BTreeSet::new();
    while let Some(row) = &rows.next()? {
        found.extend(statements(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?));
    }
    Ok(found)
}

/// The statements of a script, each with single blanks and without comments; what is quoted stays as it is.
pub(super) fn statements(script: &str) -> impl Iterator<Item = String> {
    let mut found = Vec::new();
    let mut now = String::new();
    let mut chars = script.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' | '"' | '`' => {
                now.push(c);
                for inner in chars.by_ref() {
                    now.push(inner);
                    if inner == c {
                        break;
                    }
                }
            }
            '-' if chars.peek() == Some(&'-') => {
                for _ in chars.by_ref().take_while(|c| *c != '\n') {}
                blank(&mut now);
            }
            c if c.is_whitespace() => blank(&mut now),
            // Within a trigger a semicolon ends no more than a step.
            ';' if !now.starts_with("CREATE TRIGGER") || now.trim_end().ends_with(" END") => {
                found.push(std::mem::take(&mut now));
            }
            c => now.push(c),
        }
    }
    found.push(now);
    found.into_iter().map(|sql| sql.trim().to_owned()).filter(|sql| !sql.is_empty())
}

fn blank(sql: &mut String) {
    if !sql.is_empty() && !sql.ends_with(' ') {
        sql.push(' ');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh() -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(SCHEMA).unwrap();
        conn
    }

    #[test]
    fn a_new_file_is_known_word_for_word_and_no_other_is() {
        assert!(is_verbatim(&fresh()).unwrap());
        let (first, _) = SCHEMA.rsplit_once("CREATE ").unwrap();
        for script in ["", first, &format!("{SCHEMA} CREATE VIEW runs_of_old AS SELECT 1;")] {
            let conn = Connection::open_in_memory().unwrap();
            conn.execute_batch(script).unwrap();
            assert!(!is_verbatim(&conn).unwrap(), "{script}");
        }
    }

    #[test]
    fn the_own_schema_has_no_difference_at_any_version() {
        let fresh = fresh();
        fresh.execute_batch("ANALYZE").unwrap();
        assert_eq!(difference(&fresh, steps::SCHEMA_VERSION).unwrap(), None);
        for version in [0, steps::SCHEMA_VERSION] {
            let conn = steps::as_of(version).unwrap();
            assert_eq!(difference(&conn, version).unwrap(), None, "{version}");
        }
    }

    #[test]
    fn what_is_too_many_missing_or_other_is_named() {
        for (sql, words, is_addition) in [
            (
                "CREATE TRIGGER evil AFTER INSERT ON members BEGIN SELECT 1; END",
                "it has \"CREATE TRIGGER evil",
                true,
            ),
            ("CREATE VIEW peek AS SELECT 1", "it has \"CREATE VIEW peek", true),
            ("CREATE TABLE mine (x)", "it has \"CREATE TABLE mine", true),
            ("CREATE INDEX mine ON members (added_at)", "it has \"CREATE INDEX mine", true),
            ("DROP TRIGGER events_no_update", "it lacks \"CREATE TRIGGER events_no_update", false),
            ("DROP INDEX events_by_kind", "it lacks \"CREATE INDEX events_by_kind", false),
            (
                "DROP TABLE runs; CREATE VIEW runs AS WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x FROM r) SELECT * FROM r",
                "it has \"CREATE VIEW runs AS WITH…\", it lacks \"CREATE TABLE runs",
                false,
            ),
            ("ALTER TABLE members ADD COLUMN more TEXT", "it has \"CREATE TABLE members", false),
            (
                "DROP TRIGGER events_no_update;
              CREATE TRIGGER events_no_update BEFORE UPDATE ON events BEGIN SELECT 1; END",
                "it has \"CREATE TRIGGER events_no_update",
                false,
            ),
        ] {
            let conn = fresh();
            conn.execute_batch(sql).unwrap();
            let found = difference(&conn, steps::SCHEMA_VERSION).unwrap().unwrap();
            assert!(found.why.starts_with(words), "{sql}: {found:?}");
            assert_eq!(found.is_addition, is_addition, "{sql}: {found:?}");
        }
    }

    #[test]
    fn statements_are_told_apart_whatever_they_quote() {
        let script = "-- a; b\nCREATE TABLE t (x TEXT CHECK (x <> '--;' ),  -- c\n  y);\n\
                      CREATE TRIGGER a BEFORE UPDATE ON t BEGIN SELECT 'a  END;'; SELECT 1; END;\nCREATE INDEX i ON t (x)";
        assert_eq!(
            statements(script).collect::<Vec<_>>(),
            [
                "CREATE TABLE t (x TEXT CHECK (x <> '--;' ), y)",
                "CREATE TRIGGER a BEFORE UPDATE ON t BEGIN SELECT 'a  END;'; SELECT 1; END",
                "CREATE INDEX i ON t (x)"
            ]
        );
    }
}
