//! One write transaction, with the audit log, the ledger and the facts about the file at hand.

use super::columns::only;
use super::{Run, events, ledger};
use base::Result;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde_json::Value;

/// A fact about the file, by key.
pub fn meta_get(conn: &Connection, key: &str) -> Result<Option<String>> {
    Ok(conn.prepare_cached("SELECT value FROM meta WHERE key = ?1")?.query_row([key], only).optional()?)
}

pub(super) fn meta_set(conn: &Connection, key: &str, value: &str) -> Result<()> {
    conn.prepare_cached("INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2")?
        .execute(params![key, value])?;
    Ok(())
}

/// A write transaction in progress. It can only be had inside [`super::State::write`].
#[derive(Debug)]
pub struct Tx<'a> {
    inner: Transaction<'a>,
    run: &'a Run,
}

impl<'a> Tx<'a> {
    pub(super) const fn new(inner: Transaction<'a>, run: &'a Run) -> Self {
        Self { inner, run }
    }

    /// The connection, for statements.
    pub fn conn(&self) -> &Connection {
        &self.inner
    }

    /// Seconds since 1970, the same source for every row of this run.
    pub fn now(&self) -> i64 {
        self.run.clock.now()
    }

    /// Appends a fact to the audit log and returns its id.
    pub fn event(&self, kind: &str, subject: &str, payload: &Value) -> Result<i64> {
        events::append(self.conn(), self.run, kind, subject, payload)
    }

    /// Moves money: the lines must sum to zero per asset, and no holding goes below zero; the event explains them.
    pub fn post(&self, event_id: i64, lines: &[ledger::Line]) -> Result<()> {
        ledger::post(self.conn(), event_id, lines)
    }

    /// Sets a fact about the file.
    pub fn meta_set(&self, key: &str, value: &str) -> Result<()> {
        meta_set(self.conn(), key, value)
    }

    /// Takes back a fact about the file.
    pub fn meta_unset(&self, key: &str) -> Result<()> {
        self.conn().prepare_cached("DELETE FROM meta WHERE key = ?1")?.execute([key])?;
        Ok(())
    }

    /// Counts the transaction, and commits it.
    pub(super) fn commit(self) -> Result<()> {
        let sql =
            "UPDATE meta SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE key = 'data_version'";
        self.conn().prepare_cached(sql)?.execute([])?;
        base::killpoint::reach();
        Ok(self.inner.commit()?)
    }
}
