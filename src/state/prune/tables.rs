//! The tables that `state prune` takes rows from, and how a row gets from one file to another and out of the state.

use crate::rows::Row;
use base::{Code, Error, Result, say};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, Statement, params_from_iter};

/// A table, by its position in [`TABLES`].
#[derive(Debug)]
pub(super) struct Table {
    /// Its name, in the state and in the archive.
    pub name: &'static str,
    /// Number of columns, in the order of the schema.
    pub columns: usize,
    /// Its primary key, which comes first.
    key: &'static [&'static str],
}

impl Table {
    /// All rows.
    pub fn all(&self) -> String {
        let name = self.name;
        format!("SELECT * FROM {name}")
    }

    /// How many rows there are.
    pub fn count(&self) -> String {
        let name = self.name;
        format!("SELECT count(*) FROM {name}")
    }
}

/// The audit events.
pub(super) const EVENTS: usize = 0;
/// The entries of their ledger transactions.
pub(super) const ENTRIES: usize = 1;
/// What farmers did.
pub(super) const PLANTINGS: usize = 2;
pub(super) const WORKS: usize = 3;
pub(super) const HARVESTS: usize = 4;
pub(super) const NONCES: usize = 5;
/// The outbox.
pub(super) const OPERATIONS: usize = 6;
pub(super) const ATTEMPTS: usize = 7;
/// Past syncs of pools, and alerts that are closed.
pub(super) const SNAPSHOTS: usize = 8;
pub(super) const ORACLE_ALERTS: usize = 9;
pub(super) const VIOLATIONS: usize = 10;
pub(super) const FARM_ALERTS: usize = 11;

/// Every table that rows are taken from.
pub(super) const TABLES: [Table; 12] = [
    Table { name: "events", columns: 9, key: &["id = ?1"] },
    Table { name: "ledger_entries", columns: 4, key: &["event_id = ?1", "line = ?2"] },
    Table { name: "plantings", columns: 9, key: &["id = ?1"] },
    Table { name: "works", columns: 12, key: &["id = ?1"] },
    Table { name: "harvests", columns: 11, key: &["id = ?1"] },
    Table { name: "nonces", columns: 8, key: &["farmer_id = ?1", "block_index = ?2", "entropy = ?3"] },
    Table { name: "operations", columns: 11, key: &["id = ?1"] },
    Table { name: "operation_attempts", columns: 12, key: &["operation_id = ?1", "attempt = ?2"] },
    Table { name: "pool_snapshots", columns: 13, key: &["pool_id = ?1", "block_number = ?2"] },
    Table { name: "oracle_alerts", columns: 8, key: &["id = ?1"] },
    Table { name: "risk_violations", columns: 8, key: &["id = ?1"] },
    Table { name: "farm_alerts", columns: 8, key: &["id = ?1"] },
];

/// Rows by table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counts(pub [u64; TABLES.len()]);

impl Counts {
    /// Rows of all tables.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Tables with rows, by name.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        TABLES.iter().zip(self.0).filter(|(_, count)| *count > 0).map(|(table, count)| (table.name, count))
    }

    /// Counts one row more.
    pub fn add(&mut self, table: usize) {
        if let Some(count) = self.0.get_mut(table) {
            *count += 1;
        }
    }
}

/// Where rows go that are found.
pub(super) trait Sink {
    /// Takes a row of `TABLES[table]`; what follows its columns is none of it.
    fn take(&mut self, table: usize, row: &Row<'_>) -> Result<()>;
}

/// Counts rows, and the bytes of their values.
#[derive(Debug, Default)]
pub(super) struct Counting {
    pub counts: Counts,
    pub bytes: u64,
}

impl Sink for Counting {
    fn take(&mut self, table: usize, row: &Row<'_>) -> Result<()> {
        self.counts.add(table);
        for column in 0..TABLES.get(table).map_or(0, |table| table.columns) {
            self.bytes += match row.get_ref(column)? {
                ValueRef::Null => 0,
                ValueRef::Integer(_) | ValueRef::Real(_) => 8,
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len() as u64,
            };
        }
        Ok(())
    }
}

/// Writes rows into another file.
#[derive(Debug)]
pub(super) struct Copying<'c> {
    inserts: Vec<Statement<'c>>,
    pub counts: Counts,
}

impl<'c> Copying<'c> {
    /// Into the tables of the same names.
    pub fn into(conn: &'c Connection) -> Result<Self> {
        let insert = |Table { name, columns, .. }: &Table| {
            let marks = vec!["?"; *columns].join(", ");
            conn.prepare(&format!("INSERT INTO {name} VALUES ({marks})"))
        };
        let inserts = TABLES.iter().map(insert).collect::<Result<_, _>>()?;
        Ok(Self { inserts, counts: Counts::default() })
    }
}

impl Sink for Copying<'_> {
    fn take(&mut self, table: usize, row: &Row<'_>) -> Result<()> {
        let (Some(insert), Some(Table { columns, .. })) = (self.inserts.get_mut(table), TABLES.get(table))
        else {
            return Ok(());
        };
        for column in 0..*columns {
            insert.raw_bind_parameter(column + 1, ToSqlOutput::Borrowed(row.get_ref(column)?))?;
        }
        insert.raw_execute()?;
        self.counts.add(table);
        Ok(())
    }
}

/// A row of `TABLES[table]`, to be kept for a moment.
pub(super) fn kept(table: usize, row: &Row<'_>) -> Result<Vec<Value>> {
    let columns = TABLES.get(table).map_or(0, |table| table.columns);
    Ok((0..columns).map(|column| row.get(column)).collect::<Result<_, _>>()?)
}

/// Whether the row with the key of `archived` is there, and the very same: other runs change rows of some tables.
pub(super) fn is_unchanged(conn: &Connection, table: usize, archived: &[Value]) -> Result<bool> {
    let Some(Table { name, key, .. }) = TABLES.get(table) else { return Ok(false) };
    let clause = key.join(" AND ");
    let mut statement = conn.prepare_cached(&format!("SELECT * FROM {name} WHERE {clause}"))?;
    let mut rows = statement.query(params_from_iter(archived.iter().take(key.len())))?;
    let Some(row) = rows.next()? else { return Ok(false) };
    for (column, value) in archived.iter().enumerate() {
        if row.get_ref(column)? != ValueRef::from(value) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Deletes the row with the key of `archived`, if it is there: it must be the very same row.
pub(super) fn delete(conn: &Connection, table: usize, archived: &[Value]) -> Result<bool> {
    let Some(Table { name, key, .. }) = TABLES.get(table) else { return Ok(false) };
    let clause = key.join(" AND ");
    let mut statement = conn.prepare_cached(&format!("DELETE FROM {name} WHERE {clause} RETURNING *"))?;
    let mut rows = statement.query(params_from_iter(archived.iter().take(key.len())))?;
    let Some(row) = rows.next()? else { return Ok(false) };
    for (column, value) in archived.iter().enumerate() {
        if row.get_ref(column)? != ValueRef::from(value) {
            return Err(mismatch(name, archived));
        }
    }
    while rows.next()?.is_some() {}
    Ok(true)
}

/// A row of the state that is not what the archive has.
pub(super) fn mismatch(table: &str, archived: &[Value]) -> Error {
    let key = match archived.first() {
        Some(Value::Integer(id)) => id.to_string(),
        Some(Value::Text(text)) => text.clone(),
        _ => String::new(),
    };
    Error::new(Code::StateCorrupt, format!("{table} row {key} is not what it was when it was archived")).hint(
        say("nothing more is deleted; somebody wrote to the file without poolctl: run ").run("state check"),
    )
}
