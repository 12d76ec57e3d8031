//! Amounts as the state stores them, written without the heap: bulk work writes millions.

use super::Base;
use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

/// Most digits that 256 bits have.
const MOST_DIGITS: usize = 78;

const DIGITS: &[u8; 10] = b"0123456789";

/// Base units as the canonical decimal that the state stores, written where it stands: bulk rows need no heap.
#[derive(Clone, Copy)]
pub struct Digits {
    /// ASCII, at the end of the buffer.
    buffer: [u8; MOST_DIGITS],
    start: usize,
}

impl Digits {
    /// The digits in ASCII, never empty.
    pub fn as_bytes(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    fn push_front(&mut self, digit: u64) {
        self.start = self.start.saturating_sub(1);
        if let Some(slot) = self.buffer.get_mut(self.start) {
            *slot = DIGITS[usize::try_from(digit).unwrap_or_default() % 10];
        }
    }
}

impl From<Base> for Digits {
    fn from(amount: Base) -> Self {
        /// The largest power of ten in 64 bits, and its zeros.
        const CHUNK: (u64, u32) = (10u64.pow(19), 19);
        let mut digits = Self { buffer: [b'0'; MOST_DIGITS], start: MOST_DIGITS };
        let mut limbs = *amount.as_limbs();
        loop {
            let mut chunk = 0u64;
            for limb in limbs.iter_mut().rev() {
                (*limb, chunk) = div_rem(chunk, *limb, CHUNK.0);
            }
            let is_last = limbs == [0; 4];
            let width = if is_last { chunk.checked_ilog10().map_or(1, |log| log + 1) } else { CHUNK.1 };
            for _ in 0..width {
                digits.push_front(chunk % 10);
                chunk /= 10;
            }
            if is_last {
                return digits;
            }
        }
    }
}

impl ToSql for Digits {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(self.as_bytes())))
    }
}

/// Quotient and remainder of `high * 2^64 + low`, where `high < divisor`: both are below 2^64 then.
fn div_rem(high: u64, low: u64, divisor: u64) -> (u64, u64) {
    if high == 0 {
        return (low / divisor, low % divisor);
    }
    let (whole, divisor) = (u128::from(high) << 64 | u128::from(low), u128::from(divisor));
    let narrow = |part: u128| u64::try_from(part).unwrap_or(u64::MAX);
    (narrow(whole / divisor), narrow(whole % divisor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::amount::pow10;
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
