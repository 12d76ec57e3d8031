//! Rows in the order of a key, folded into one value a key, and two such streams side by side: what every comparison
//! of the check is made of, whatever the number of rows. They come by the million: these are read by position.

use base::Result;
use rusqlite::Statement;
use state::rows::{self, Row, Rows};
use std::cmp::Ordering;

/// A stream of (key, value), in ascending order of its keys.
pub(super) struct Groups<'s, K, V> {
    rows: Rows<'s>,
    key: fn(&Row<'_>) -> Result<K>,
    add: fn(&mut V, &Row<'_>) -> Result<()>,
    ahead: Option<(K, V)>,
}

impl<'s, V: Default> Groups<'s, i64, V> {
    /// Of rows by the id that comes first.
    pub fn by_id(statement: &'s mut Statement<'_>, add: fn(&mut V, &Row<'_>) -> Result<()>) -> Result<Self> {
        Self::new(statement, |row| Ok(row.get(0)?), add)
    }
}

impl<'s, K: Ord, V: Default> Groups<'s, K, V> {
    /// Of a statement whose rows come in the order of `key`; `add` takes a row into the value of its key.
    pub fn new(
        statement: &'s mut Statement<'_>,
        key: fn(&Row<'_>) -> Result<K>,
        add: fn(&mut V, &Row<'_>) -> Result<()>,
    ) -> Result<Self> {
        let mut groups = Self { rows: rows::of(statement, [])?, key, add, ahead: None };
        if let Some(row) = &groups.rows.next()? {
            let mut first = V::default();
            add(&mut first, row)?;
            groups.ahead = Some((key(row)?, first));
        }
        Ok(groups)
    }

    /// The next key, and what its rows come to.
    pub fn next(&mut self) -> Result<Option<(K, V)>> {
        let Some((key, mut value)) = self.ahead.take() else { return Ok(None) };
        while let Some(row) = &self.rows.next()? {
            let next = (self.key)(row)?;
            if next != key {
                let mut first = V::default();
                (self.add)(&mut first, row)?;
                self.ahead = Some((next, first));
                break;
            }
            (self.add)(&mut value, row)?;
        }
        Ok(Some((key, value)))
    }
}

/// Hands `body` each key that stands in one of both streams, with its value in either.
pub(super) fn side_by_side<K: Ord, V: Default, W: Default>(
    mut left: Groups<'_, K, V>,
    mut right: Groups<'_, K, W>,
    mut body: impl FnMut(K, Option<V>, Option<W>) -> Result<()>,
) -> Result<()> {
    let (mut a, mut b) = (left.next()?, right.next()?);
    loop {
        let order = match (&a, &b) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((a, _)), Some((b, _))) => a.cmp(b),
        };
        let of_left = if order.is_le() { std::mem::replace(&mut a, left.next()?) } else { None };
        let of_right = if order.is_ge() { std::mem::replace(&mut b, right.next()?) } else { None };
        match (of_left, of_right) {
            (Some((key, v)), w) => body(key, Some(v), w.map(|(_, w)| w))?,
            (None, Some((key, w))) => body(key, None, Some(w))?,
            (None, None) => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    fn groups<'s>(statement: &'s mut Statement<'_>) -> Groups<'s, i64, Vec<i64>> {
        let push = |values: &mut Vec<i64>, row: &Row<'_>| {
            values.push(row.get(1)?);
            Ok(())
        };
        Groups::by_id(statement, push).unwrap()
    }

    #[test]
    fn every_key_of_either_side_comes_once_with_all_its_rows() {
        let conn = Connection::open_in_memory().unwrap();
        let sql = |rows: &str| format!("SELECT * FROM (VALUES {rows}) ORDER BY 1, 2");
        let none = "SELECT 1, 1 WHERE 0".to_owned();
        let (left, right) =
            (sql("(1, 10), (3, 30), (3, 31), (5, 50)"), sql("(2, 20), (3, 33), (5, 55), (6, 60), (6, 61)"));
        let met = |left: &str, right: &str| {
            let (mut a, mut b) = (conn.prepare(left).unwrap(), conn.prepare(right).unwrap());
            let mut met = Vec::new();
            side_by_side(groups(&mut a), groups(&mut b), |key, v, w| {
                met.push((key, v, w));
                Ok(())
            })
            .unwrap();
            met
        };
        assert_eq!(
            met(&left, &right),
            [
                (1, Some(vec![10]), None),
                (2, None, Some(vec![20])),
                (3, Some(vec![30, 31]), Some(vec![33])),
                (5, Some(vec![50]), Some(vec![55])),
                (6, None, Some(vec![60, 61])),
            ]
        );
        assert_eq!(met(&left, &none).len(), 3);
        assert_eq!(met(&none, &right).len(), 4);
        assert_eq!(met(&none, &none), []);
    }
}
