//! Statements of the vault, prepared once: what becomes of their rows, and what they change.

use base::Result;
use rusqlite::types::FromSql;
use rusqlite::{Connection, Params, Row};
use state::columns::only;

/// Hands over row by row.
pub(crate) fn each(
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
pub(crate) fn all<T, R: FromIterator<T>>(
    conn: &Connection,
    sql: &str,
    values: impl Params,
    read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<R> {
    conn.prepare_cached(sql)?.query_and_then(values, read)?.collect()
}

/// The first row, if there is one.
pub(crate) fn first<T>(
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
pub(crate) fn value<T: FromSql>(conn: &Connection, sql: &str, values: impl Params) -> Result<Option<T>> {
    first(conn, sql, values, |row| Ok(only(row)?))
}

/// The one value of a row that must be there.
pub(crate) fn one<T: FromSql>(conn: &Connection, sql: &str, values: impl Params) -> Result<T> {
    Ok(conn.prepare_cached(sql)?.query_row(values, only)?)
}

/// Changes rows.
pub(crate) fn run(conn: &Connection, sql: &str, values: impl Params) -> Result<()> {
    conn.prepare_cached(sql)?.execute(values)?;
    Ok(())
}
