//! Statements, prepared once: what becomes of their rows, and what they change.

use crate::columns::only;
use base::Result;
use rusqlite::types::FromSql;
use rusqlite::{Connection, Params, Row};

/// Hands over row by row.
pub fn each(
    conn: &Connection,
    sql: &str,
    values: impl Params,
    mut body: impl FnMut(&Row<'_>) -> Result<()>,
) -> Result<()> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    while let Some(row) = rows.next()? {
        body(row)?;
    }
    Ok(())
}

/// All rows.
pub fn all<T, R: FromIterator<T>>(
    conn: &Connection,
    sql: &str,
    values: impl Params,
    read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<R> {
    conn.prepare_cached(sql)?.query_and_then(values, read)?.collect()
}

/// All values of a query of one column.
pub fn column<T: FromSql>(conn: &Connection, sql: &str, values: impl Params) -> Result<Vec<T>> {
    all(conn, sql, values, |row| Ok(only(row)?))
}

/// The first row, if there is one.
pub fn first<T>(
    conn: &Connection,
    sql: &str,
    values: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T>,
) -> Result<Option<T>> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    rows.next()?.map(read).transpose()
}

/// The one value of the first row, if there is one.
pub fn value<T: FromSql>(conn: &Connection, sql: &str, values: impl Params) -> Result<Option<T>> {
    first(conn, sql, values, |row| Ok(only(row)?))
}

/// The one value of a row that must be there.
pub fn one<T: FromSql>(conn: &Connection, sql: &str, values: impl Params) -> Result<T> {
    Ok(conn.prepare_cached(sql)?.query_row(values, only)?)
}

/// Where counting for a list stops: fewer rows are counted in no time.
pub const UNCOUNTED: u32 = 10_001;

/// How many rows a list has on all its pages; `None` where its query, which has a limit, has stopped at [`UNCOUNTED`].
pub fn count(conn: &Connection, sql: &str, values: impl Params) -> Result<Option<u64>> {
    let counted: u64 = one(conn, sql, values)?;
    Ok((counted < u64::from(UNCOUNTED)).then_some(counted))
}

/// Changes rows.
pub fn run(conn: &Connection, sql: &str, values: impl Params) -> Result<()> {
    put(conn, sql, values).map(drop)
}

/// Changes rows; whether it was one.
pub fn put(conn: &Connection, sql: &str, values: impl Params) -> Result<bool> {
    Ok(conn.prepare_cached(sql)?.execute(values)? == 1)
}
