//! Members of those that hold shares: who is none yet becomes one, and is remembered.

use crate::pool::holdings::MemberId;
use alloy::primitives::Address;
use base::Result;
use rusqlite::params;
use state::{Tx, rows};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Ids of members by address, so that a long replay does not look each up anew.
#[derive(Debug, Default)]
pub(super) struct MemberIds(HashMap<Address, MemberId>);

impl MemberIds {
    const MOST: usize = 1_000_000;

    /// The id of a member, who is made one if need be; the zero address is nobody.
    pub fn of(&mut self, tx: &Tx<'_>, address: Address) -> Result<Option<MemberId>> {
        if address.is_zero() {
            return Ok(None);
        }
        if self.0.len() >= Self::MOST {
            self.forget();
        }
        let place = match self.0.entry(address) {
            Entry::Occupied(known) => return Ok(Some(*known.get())),
            Entry::Vacant(place) => place,
        };
        let conn = tx.conn();
        let mut checksummed = [0; 42];
        let text: &str = address.to_checksum_raw(&mut checksummed, None);
        // In a long replay most are new, so that looking first would only cost.
        let new = "INSERT INTO members (address, added_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        let id = if rows::put(conn, new, params![text, tx.now()])? {
            conn.last_insert_rowid()
        } else {
            rows::one(conn, "SELECT id FROM members WHERE address = ?1", [text])?
        };
        Ok(Some(*place.insert(id)))
    }

    /// To be called where members were taken back.
    pub fn forget(&mut self) {
        self.0.clear();
    }
}
