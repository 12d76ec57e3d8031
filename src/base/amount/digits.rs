//! Amounts as the state stores them, written without the heap: bulk work writes millions.

use super::Base;
use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};
use std::fmt::{self, Write};

/// Most digits that 256 bits have.
const MOST_DIGITS: usize = 78;

/// Base units as the canonical decimal that the state stores, in ASCII.
#[derive(Clone, Copy)]
pub struct Digits {
    buffer: [u8; MOST_DIGITS],
    length: usize,
}

impl Digits {
    /// The digits in ASCII, never empty.
    pub fn as_bytes(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }
}

impl Write for Digits {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.buffer.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

impl From<Base> for Digits {
    fn from(amount: Base) -> Self {
        let mut digits = Self { buffer: [0; MOST_DIGITS], length: 0 };
        // There is room for the most digits.
        let _ = write!(digits, "{amount}");
        digits
    }
}

impl ToSql for Digits {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(self.as_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amount::pow10;
    use proptest::prelude::*;

    #[track_caller]
    fn same(n: Base) {
        assert_eq!(Digits::from(n).as_bytes(), n.to_string().as_bytes());
    }

    #[test]
    fn digits_are_those_of_the_number() {
        for n in [Base::ZERO, Base::ONE, Base::MAX, Base::from(u64::MAX), Base::from(u128::MAX)] {
            same(n);
        }
        for power in (0..=77).filter_map(pow10) {
            for n in [power, power - Base::ONE, power + Base::ONE] {
                same(n);
            }
        }
    }

    proptest! {
        #[test]
        fn digits_are_those_of_any_number(limbs: [u64; 4], shift in 0usize..256) {
            same(Base::from_limbs(limbs) >> shift);
        }
    }
}
