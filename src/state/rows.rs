//! Statements, prepared once: what becomes of their rows, and what they change.

use base::Result;
use rusqlite::types::{FromSql, ValueRef};
use rusqlite::{Connection, Error, Params, Statement};
use std::cell::{Cell, OnceCell};
use std::iter::from_fn;

/// Where the columns of a statement stand. SQLite's own search asks it for one name after the other, for each value of each
/// row.
#[derive(Default)]
struct Columns {
    /// Read when one is first wanted by its name. Of several that are called the same the first has the name.
    names: OnceCell<Vec<String>>,
    /// Where the next one stands if they are read in their order.
    next: Cell<usize>,
}

impl Columns {
    fn place(&self, row: &rusqlite::Row<'_>, wanted: &str) -> rusqlite::Result<usize> {
        let names = self.names.get_or_init(|| names(row.as_ref()));
        let (before, behind) = names.split_at(self.next.get().min(names.len()));
        let ahead = behind.iter().position(|name| name == wanted).map(|place| before.len() + place);
        let place = ahead.or_else(|| before.iter().position(|name| name == wanted));
        let place = place.ok_or_else(|| Error::InvalidColumnName(wanted.to_owned()))?;
        self.next.set(place + 1);
        Ok(place)
    }
}

fn names(statement: &Statement<'_>) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(statement.column_count());
    for name in statement.column_names() {
        let taken = names.iter().any(|other| other == name);
        names.push(if taken { String::new() } else { name.to_owned() });
    }
    names
}

/// A row of a query.
pub struct Row<'r> {
    row: &'r rusqlite::Row<'r>,
    columns: &'r Columns,
}

/// How a column is named: by what it is called, or by its place.
pub trait Column: Copy {
    /// Its place in a row.
    fn place(self, row: &Row<'_>) -> rusqlite::Result<usize>;
}

impl Column for &str {
    fn place(self, row: &Row<'_>) -> rusqlite::Result<usize> {
        row.columns.place(row.row, self)
    }
}

impl Column for usize {
    fn place(self, _row: &Row<'_>) -> rusqlite::Result<usize> {
        Ok(self)
    }
}

impl Row<'_> {
    /// What stands in a column.
    pub fn get<C: Column, T: FromSql>(&self, column: C) -> rusqlite::Result<T> {
        self.row.get(column.place(self)?)
    }

    /// The same, as it stands in the row.
    pub fn get_ref(&self, column: impl Column) -> rusqlite::Result<ValueRef<'_>> {
        self.row.get_ref(column.place(self)?)
    }
}

/// The rows of a statement, one by one.
pub struct Rows<'s> {
    rows: rusqlite::Rows<'s>,
    columns: Columns,
}

/// Asks a statement that is prepared already.
pub fn of<'s>(statement: &'s mut Statement<'_>, values: impl Params) -> Result<Rows<'s>> {
    Ok(Rows { rows: statement.query(values)?, columns: Columns::default() })
}

impl Rows<'_> {
    /// The next one.
    #[expect(clippy::should_implement_trait, reason = "a row lives until the next one")]
    pub fn next(&mut self) -> Result<Option<Row<'_>>> {
        Ok(self.rows.next()?.map(|row| Row { row, columns: &self.columns }))
    }
}

/// Hands over row by row.
pub fn each(
    conn: &Connection,
    sql: &str,
    values: impl Params,
    mut body: impl FnMut(&Row<'_>) -> Result<()>,
) -> Result<()> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = of(&mut statement, values)?;
    while let Some(row) = rows.next()? {
        body(&row)?;
    }
    Ok(())
}

/// All rows.
pub fn all<T, R: FromIterator<T>>(
    conn: &Connection,
    sql: &str,
    values: impl Params,
    mut read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<R> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = of(&mut statement, values)?;
    from_fn(|| rows.next().and_then(|row| row.map(|row| read(&row)).transpose()).transpose()).collect()
}

/// All values of a query of one column.
pub fn column<T: FromSql>(conn: &Connection, sql: &str, values: impl Params) -> Result<Vec<T>> {
    all(conn, sql, values, |row| Ok(row.get(0)?))
}

/// The first row, if there is one.
pub fn first<T>(
    conn: &Connection,
    sql: &str,
    values: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T>,
) -> Result<Option<T>> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = of(&mut statement, values)?;
    rows.next()?.map(|row| read(&row)).transpose()
}

/// The one value of the first row, if there is one.
pub fn value<T: FromSql>(conn: &Connection, sql: &str, values: impl Params) -> Result<Option<T>> {
    first(conn, sql, values, |row| Ok(row.get(0)?))
}

/// The one value of a row that must be there.
pub fn one<T: FromSql>(conn: &Connection, sql: &str, values: impl Params) -> Result<T> {
    Ok(conn.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_found_by_its_name_in_any_order() {
        let conn = Connection::open_in_memory().unwrap();
        let sql = "SELECT column1 AS a, column2 AS b, column3 AS a, column4 AS c FROM (VALUES (1, 2, 3, 4), (5, 6, 7, 8))";
        let read = |row: &Row<'_>| -> Result<[i64; 6]> {
            // Backwards, twice the same, and one whose name another one has too: the first.
            let [c, b, a, again] = ["c", "b", "a", "a"].map(|name| row.get(name).unwrap());
            Ok([a, b, c, again, row.get(2)?, row.get("b")?])
        };
        let found: Vec<[i64; 6]> = all(&conn, sql, [], read).unwrap();
        assert_eq!(found, [[1, 2, 4, 1, 3, 2], [5, 6, 8, 5, 7, 6]]);
        let missing = first(&conn, sql, [], |row| Ok(row.get::<_, i64>("d")?)).unwrap_err();
        assert!(missing.to_string().contains("Invalid column name: d"), "{missing}");
        assert!(first(&conn, sql, [], |row| Ok(row.get::<_, i64>(4)?)).is_err());
    }
}
