//! One write transaction, with the audit log and the ledger at hand.

use super::{Run, events, ledger, meta, rows};
use base::Result;
use rusqlite::Connection;
use serde_json::Value;

const COUNT: &str =
    "UPDATE meta SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE key = 'data_version'";

/// A write transaction in progress. It can only be had inside [`super::State::write`].
#[derive(Debug)]
pub struct Tx<'a> {
    conn: &'a Connection,
    run: &'a Run,
}

impl<'a> Tx<'a> {
    /// On a connection that has a transaction open.
    pub(super) const fn new(conn: &'a Connection, run: &'a Run) -> Self {
        Self { conn, run }
    }

    /// The connection, for statements.
    pub const fn conn(&self) -> &Connection {
        self.conn
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
        meta::meta_set(self.conn(), key, value)
    }

    /// Takes back a fact about the file.
    pub fn meta_unset(&self, key: &str) -> Result<()> {
        rows::run(self.conn(), "DELETE FROM meta WHERE key = ?1", [key])
    }

    /// Counts the transaction.
    pub(super) fn count(&self) -> Result<()> {
        rows::run(self.conn(), COUNT, [])
    }
}
