//! Ids of members by address, for bulk work: who is no member yet becomes one.

use crate::output::{Code, Error, Result};
use crate::reward::accrual::MemberId;
use crate::state::Tx;
use alloy::primitives::Address;
use rusqlite::Connection;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Ids that were met, so that a long replay does not look each up anew.
#[derive(Debug, Default)]
pub(super) struct MemberIds(HashMap<Address, MemberId>);

impl MemberIds {
    /// Ids that are kept from one call to the next.
    const MOST: usize = 1_000_000;

    /// Learns the ids of all that are named; who is no member yet is made one. New ids follow the order of the names.
    ///
    /// # Errors
    /// `state_error`; what was learnt must be forgotten then.
    pub fn learn(&mut self, tx: &Tx<'_>, named: impl Iterator<Item = Address>) -> Result<()> {
        if self.0.len() >= Self::MOST {
            self.forget();
        }
        let mut strangers = Vec::new();
        for address in named.filter(|address| !address.is_zero()) {
            if let Entry::Vacant(place) = self.0.entry(address) {
                place.insert(0);
                strangers.push(address);
            }
        }
        let conn = tx.conn();
        // In a long replay most are new, so that looking first would only cost. One row at a time: each goes to an index
        // page of its own, and of a longer statement SQLite would keep them all as they were, to take them back.
        let mut insert = conn.prepare_cached(
            "INSERT INTO members (address, added_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        )?;
        insert.raw_bind_parameter(2, tx.now())?;
        for address in strangers {
            let mut checksummed = [0; 42];
            let text: &str = address.to_checksum_raw(&mut checksummed, None);
            insert.raw_bind_parameter(1, text)?;
            let id = match insert.raw_execute()? {
                1 => conn.last_insert_rowid(),
                _ => known(conn, text)?,
            };
            self.0.insert(address, id);
        }
        Ok(())
    }

    /// The id of one that was learnt; the zero address is nobody.
    ///
    /// # Errors
    /// `bug` for one that was not.
    pub fn of(&self, address: Address) -> Result<Option<MemberId>> {
        if address.is_zero() {
            return Ok(None);
        }
        let missing = || Error::new(Code::Bug, format!("the id of member {address} was not learnt"));
        self.0.get(&address).copied().map(Some).ok_or_else(missing)
    }

    /// To be called where members were taken back.
    pub fn forget(&mut self) {
        self.0.clear();
    }
}

fn known(conn: &Connection, address: &str) -> Result<MemberId> {
    Ok(conn
        .prepare_cached("SELECT id FROM members WHERE address = ?1")?
        .query_row([address], |row| row.get(0))?)
}
