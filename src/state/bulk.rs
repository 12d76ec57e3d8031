//! Rows by the million: many in a statement, since half of what a single insert costs is the statement's own. For rows whose
//! index entries lie all over it does not pay: SQLite keeps every page that a long statement touches, to take it back.

use base::Result;
use rusqlite::Statement;

/// Rows that a long statement takes.
const ROWS: usize = 64;

/// What follows a statement that inserts a row of so many columns, `VALUES (?, ?)`, to make it the long one.
pub fn more_of(columns: usize) -> String {
    let row = format!(", ({})", vec!["?"; columns].join(", "));
    row.repeat(ROWS - 1)
}

/// Inserts all rows in their order: with `long` as far as they fill it, the last few with `short`, which takes one. `bind`
/// sets the parameters of a row, of which there are `columns`, from the number on that it is given.
pub fn insert_all<T>(
    (long, short): (&mut Statement<'_>, &mut Statement<'_>),
    columns: usize,
    rows: impl Iterator<Item = Result<T>>,
    bind: impl Fn(&mut Statement<'_>, usize, &T) -> Result<()>,
) -> Result<()> {
    let mut waiting = Vec::with_capacity(ROWS);
    for row in rows {
        waiting.push(row?);
        if waiting.len() == ROWS {
            for (i, row) in waiting.iter().enumerate() {
                bind(long, 1 + i * columns, row)?;
            }
            long.raw_execute()?;
            waiting.clear();
        }
    }
    for row in &waiting {
        bind(short, 1, row)?;
        short.raw_execute()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    #[test]
    fn every_row_comes_in_once_and_in_order() {
        for count in [0, 1, 63, 64, 65, 128, 200] {
            let conn = Connection::open_in_memory().unwrap();
            conn.execute_batch("CREATE TABLE t (a INTEGER, b TEXT)").unwrap();
            let short = "INSERT INTO t VALUES (?, ?)";
            let mut long = conn.prepare(&format!("{short}{}", more_of(2))).unwrap();
            let mut short = conn.prepare(short).unwrap();
            insert_all((&mut long, &mut short), 2, (0..count).map(Ok), |statement, at, row| {
                statement.raw_bind_parameter(at, row)?;
                statement.raw_bind_parameter(at + 1, row.to_string())?;
                Ok(())
            })
            .unwrap();
            let mut read = conn.prepare("SELECT a, b FROM t ORDER BY rowid").unwrap();
            let rows = read.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            let rows: Vec<(i64, String)> = rows.map(Result::unwrap).collect();
            assert_eq!(rows, (0..count).map(|i| (i, i.to_string())).collect::<Vec<_>>());
        }
    }
}
