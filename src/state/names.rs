//! The names that operators type, as far as they are typed already: for the shells' completion.

use super::rows;
use base::Result;
use rusqlite::{Connection, params};

/// What is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// A pool, by its name.
    Pool,
    /// A member, by its name or address.
    Member,
    /// A feed, by its name.
    Feed,
    /// A pooler, by its name.
    Pooler,
    /// A farmer, by its address or id.
    Farmer,
}

/// More than anybody reads.
const MOST: u32 = 200;

/// The statements of a kind: what is typed, and a word on it. Each reads a range of an index.
const fn statements(named: Named) -> &'static [&'static str] {
    match named {
        Named::Pool => {
            &["SELECT name, address FROM pools WHERE name >= ?1 AND name < ?2 ORDER BY name LIMIT ?3"]
        }
        Named::Member => &[
            "SELECT name, address FROM members WHERE name >= ?1 AND name < ?2 ORDER BY name LIMIT ?3",
            "SELECT address, coalesce(name, '') FROM members
             WHERE address >= ?1 AND address < ?2 ORDER BY address LIMIT ?3",
        ],
        Named::Feed => {
            &["SELECT name, asset FROM oracle_feeds WHERE name >= ?1 AND name < ?2 ORDER BY name LIMIT ?3"]
        }
        Named::Pooler => {
            &["SELECT name, id FROM poolers WHERE name >= ?1 AND name < ?2 ORDER BY name LIMIT ?3"]
        }
        Named::Farmer => &[
            "SELECT address, status FROM farmers
             WHERE address >= ?1 AND address < ?2 ORDER BY address LIMIT ?3",
            "SELECT id, address FROM farmers WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3",
        ],
    }
}

/// Names that begin so, each with a word on what it is; those of the first form that has any, and at most 200.
pub fn names_like(conn: &Connection, named: Named, begin: &str) -> Result<Vec<(String, String)>> {
    // No text sorts behind this one.
    let end = format!("{begin}{}", char::MAX);
    for sql in statements(named) {
        let found: Vec<_> = rows::all(conn, sql, params![begin, end, MOST], |row| Ok(row.try_into()?))?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}
