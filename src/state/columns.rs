//! What columns hold, as the file has it: amounts, heights, addresses and hashes.

use alloy::primitives::{Address, B256};
use base::amount::{Base, parse_base};
use base::{Code, Error, Result};
use rusqlite::{Row, RowIndex};

/// SQLite keeps signed integers; heights are far below.
pub fn db_block(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(|_| Error::new(Code::BadReply, format!("block {number} is out of range")))
}

/// A block number in a column.
///
/// # Errors
/// `state_corrupt` for what is none.
pub fn stored_block(number: i64) -> Result<u64> {
    u64::try_from(number).map_err(|_| corrupt(&number.to_string(), "a block number"))
}

/// An amount in a column.
///
/// # Errors
/// `state_corrupt` for what is none.
pub fn stored_base(text: &str) -> Result<Base> {
    parse_base(text).ok_or_else(|| corrupt(text, "an amount"))
}

/// The amount in a column, read in place.
pub fn base_at(row: &Row<'_>, column: impl RowIndex) -> Result<Base> {
    stored_base(row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?)
}

/// The amount in a column that may be NULL.
pub fn maybe_base_at(row: &Row<'_>, column: impl RowIndex) -> Result<Option<Base>> {
    row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from)?.map(stored_base).transpose()
}

/// An address of an EVM in a column.
///
/// # Errors
/// `state_corrupt` for what is none.
pub fn stored_address(text: &str) -> Result<Address> {
    text.parse().map_err(|_| corrupt(text, "an address"))
}

/// A hash of an EVM in a column.
///
/// # Errors
/// `state_corrupt` for what is none.
pub fn stored_hash(text: &str) -> Result<B256> {
    text.parse().map_err(|_| corrupt(text, "a hash"))
}

fn corrupt(text: &str, what: &str) -> Error {
    Error::new(Code::StateCorrupt, format!("\"{text}\" stands where {what} belongs"))
        .hint("run: poolctl state check")
}
