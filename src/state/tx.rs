//! One write transaction, with the audit log and the ledger at hand.

use super::{Run, events, ledger, meta};
use base::Result;
use rusqlite::{Connection, Transaction};
use serde_json::Value;

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

    /// Moves money: the lines must sum to zero per asset; the event explains them.
    ///
    /// # Errors
    /// `bug` for lines that do not balance, `state_error` for a holding that would go below zero.
    pub fn post(&self, event_id: i64, lines: &[ledger::Line]) -> Result<()> {
        ledger::post(self.conn(), event_id, lines)
    }

    /// Sets a fact about the file.
    pub fn meta_set(&self, key: &str, value: &str) -> Result<()> {
        meta::meta_set(self.conn(), key, value)
    }

    /// Takes back a fact about the file.
    pub fn meta_unset(&self, key: &str) -> Result<()> {
        meta::meta_unset(self.conn(), key)
    }

    pub(super) fn bump_data_version(&self) -> Result<()> {
        meta::bump_data_version(self.conn())
    }

    pub(super) fn commit(self) -> Result<()> {
        Ok(self.inner.commit()?)
    }
}
