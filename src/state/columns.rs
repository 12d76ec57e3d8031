//! What columns hold, as the file has it: amounts, heights, addresses, hashes and words.

use crate::rows::{Column, Row};
use alloy::primitives::{Address, B256};
use base::amount::{Base, Delta, parse_base};
use base::{Code, Error, Result};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use std::str::FromStr;
use strum::VariantNames;

/// SQLite keeps signed integers; heights are far below.
pub fn db_block(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(|_| Error::new(Code::BadReply, format!("block {number} is out of range")))
}

/// What stands in a column as text of a form of its own.
pub trait Stored: Sized {
    /// What it is called where something else stands.
    const WHAT: &str;

    /// Reads the text; `None` for what is none.
    fn read(text: &str) -> Option<Self>;
}

macro_rules! stored {
    ($($kind:ty: $what:literal, $read:expr;)+) => {$(
        impl Stored for $kind {
            const WHAT: &str = $what;

            fn read(text: &str) -> Option<Self> {
                $read(text)
            }
        }
    )+};
}

stored! {
    Base: "an amount", parse_base;
    Delta: "an amount", Self::parse;
    Address: "an address", |text: &str| text.parse().ok();
    B256: "a hash", |text: &str| text.parse().ok();
}

/// The text of a column, read.
pub fn stored<T: Stored>(text: &str) -> Result<T> {
    T::read(text).ok_or_else(|| corrupt(text, T::WHAT))
}

/// What stands in a column.
pub fn at<T: Stored>(row: &Row<'_>, column: impl Column) -> Result<T> {
    stored(row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?)
}

/// What stands in a column that may be NULL.
pub fn maybe_at<T: Stored>(row: &Row<'_>, column: impl Column) -> Result<Option<T>> {
    let text = row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from)?;
    text.map(stored).transpose()
}

/// The value of a query of one column.
pub fn only<T: FromSql>(row: &rusqlite::Row<'_>) -> rusqlite::Result<T> {
    row.get(0)
}

/// The enum whose word stands in a column, see [`crate::stored_as_word`].
pub fn word<T: FromStr + VariantNames>(value: ValueRef<'_>) -> FromSqlResult<T> {
    let text = value.as_str()?;
    let odd = || corrupt(text, &format!("one of {}", T::VARIANTS.join(", ")));
    text.parse().map_err(|_| FromSqlError::Other(odd().into()))
}

/// Lets enums of strum (`EnumString`, `IntoStaticStr`, `VariantNames`) stand in columns as their words.
#[macro_export]
macro_rules! stored_as_word {
    ($($name:ty),+) => {$(
        impl rusqlite::types::FromSql for $name {
            fn column_result(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
                $crate::columns::word(value)
            }
        }

        impl rusqlite::ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
                Ok(<&'static str>::from(*self).into())
            }
        }
    )+};
}

/// Makes what a row holds whose columns are called as the fields are: those that SQLite reads, then `at` those of a form of
/// their own ([`Stored`]), `and` the others.
#[macro_export]
macro_rules! from_row {
    ($row:ident => $name:ident { $($plain:ident),* } $(at { $($stored:ident),+ })? $(and { $($field:ident: $value:expr),+ $(,)? })?) => {
        $name {
            $($plain: $row.get(stringify!($plain))?,)*
            $($($stored: $crate::columns::at($row, stringify!($stored))?,)+)?
            $($($field: $value,)+)?
        }
    };
}

fn corrupt(text: &str, what: &str) -> Error {
    Error::corrupt(format!("\"{text}\" is not {what}"))
}
