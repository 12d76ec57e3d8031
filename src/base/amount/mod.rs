//! Base units, decimals, strict parsing, multiply-then-divide, and the largest-remainder split.

mod digits;

pub use digits::Digits;

use crate::forms::Decimal;
use crate::{Code, Error, Result};
use alloy::primitives::{U256, U512, Uint};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// A quantity of an asset in its base units (wei, stroop, share wei), unsigned 256 bit.
pub type Base = U256;

/// Decimals of the fixed-point scale that prices and rates are normalised to.
pub const E18: u8 = 18;

/// Decimals of a reward weight (`weight_ppm`: 1.000000 = 1,000,000).
pub const PPM: u8 = 6;

/// 10^`decimals` in 256 bits; `None` above 77 decimals.
pub fn pow10(decimals: u8) -> Option<U256> {
    U256::from(10u8).checked_pow(U256::from(decimals))
}

/// `floor(a * b / d)` with a 512-bit intermediate; `None` if `d` is 0 or the result passes 256 bits.
pub fn mul_div(a: U256, b: U256, d: U256) -> Option<U256> {
    if d.is_zero() {
        return None;
    }
    if let Some(product) = a.checked_mul(b) {
        return Some(product / d);
    }
    let product: U512 = a.widening_mul(b);
    U256::checked_from_limbs_slice((product / U512::from(d)).as_limbs())
}

/// Why a text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Nothing was given.
    #[error("is empty")]
    Empty,
    /// A character that has no place in a plain decimal.
    #[error("is not a plain decimal number like 12.5 (no sign, exponent, space or separator)")]
    NotPlain,
    /// More digits after the point than the asset has.
    #[error("has {given} decimals, but at most {limit} are allowed")]
    TooPrecise {
        /// Digits after the point.
        given: usize,
        /// The asset's decimals.
        limit: u8,
    },
    /// Does not fit 256 bits of base units.
    #[error("is too large: the limit is 2^256-1 base units")]
    TooLarge,
}

/// Reads whole units (`12.5`) strictly into base units of an asset with `decimals`.
///
/// # Errors
/// Signs, exponents, separators, spaces, a missing digit before or after the point, more digits than
/// `decimals`, and values past 2^256-1 base units.
pub fn parse_units(text: &str, decimals: u8) -> Result<Base, ParseError> {
    if text.is_empty() {
        return Err(ParseError::Empty);
    }
    let (whole, fraction) = match text.split_once('.') {
        Some((w, f)) if f.is_empty() || w.is_empty() => return Err(ParseError::NotPlain),
        Some(parts) => parts,
        None => (text, ""),
    };
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return Err(ParseError::NotPlain);
    }
    if fraction.len() > usize::from(decimals) {
        return Err(ParseError::TooPrecise { given: fraction.len(), limit: decimals });
    }
    let padding = usize::from(decimals) - fraction.len();
    let digits = whole.bytes().chain(fraction.bytes()).chain(std::iter::repeat_n(b'0', padding));
    read_digits(digits.skip_while(|b| *b == b'0')).ok_or(ParseError::TooLarge)
}

/// ASCII digits, taken in as many at a time as 64 bits hold; `None` past 256 bits.
fn read_digits(digits: impl Iterator<Item = u8>) -> Option<U256> {
    const FULL: u64 = 10u64.pow(19);
    let join = |sum: U256, part: u64, scale: u64| {
        if sum.is_zero() {
            return Some(U256::from(part));
        }
        sum.checked_mul(U256::from(scale))?.checked_add(U256::from(part))
    };
    let (mut sum, mut part, mut scale) = (U256::ZERO, 0u64, 1u64);
    for digit in digits {
        part = part * 10 + u64::from(digit - b'0');
        scale *= 10;
        if scale == FULL {
            sum = join(sum, part, scale)?;
            (part, scale) = (0, 1);
        }
    }
    join(sum, part, scale)
}

/// [`parse_units`] for a field: the error names it and quotes the value.
pub fn parse_flag(field: &str, text: &str, decimals: u8) -> Result<Base> {
    parse_units(text, decimals).map_err(|why| {
        Error::field(Code::InvalidAmount, field, format_args!("\"{text}\" {why}")).detail("value", text)
    })
}

/// A weight between 0 and 1 with at most six decimals, in millionths.
pub fn parse_weight(field: &str, text: &str) -> Result<u32> {
    let refuse = |why: String| {
        Error::field(Code::InvalidWeight, field, format_args!("\"{text}\" {why}"))
            .hint("write a plain decimal from 0 to 1 with at most 6 decimals, like 0.25")
            .detail("value", text)
    };
    let ppm = parse_units(text, PPM).map_err(|why| refuse(why.to_string()))?;
    u32::try_from(ppm).ok().filter(|ppm| *ppm <= 1_000_000).ok_or_else(|| refuse("is above 1".into()))
}

/// Writes base units as exact whole units with all of the asset's decimals: `1234.500000`.
pub fn to_units(amount: Base, decimals: u8) -> String {
    let digits = amount.to_string();
    let decimals = usize::from(decimals);
    if decimals == 0 {
        return digits;
    }
    let padded = format!("{digits:0>width$}", width = decimals + 1);
    let (whole, fraction) = padded.split_at(padded.len() - decimals);
    format!("{whole}.{fraction}")
}

/// The same for a person: thousands separators, and trailing zeros cut down to two decimals.
pub fn to_people(amount: Base, decimals: u8) -> String {
    let plain = to_units(amount, decimals);
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let mut grouped = String::with_capacity(whole.len() + whole.len() / 3);
    for (i, c) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(c);
    }
    let kept = fraction.trim_end_matches('0').len().max(fraction.len().min(2));
    if kept == 0 { grouped } else { format!("{grouped}.{}", &fraction[..kept]) }
}

/// The most characters of a symbol that people are shown.
pub const SYMBOL_MOST: usize = 32;

/// A symbol as people are shown it: what is longer than any in use is cut, with `…` at its end.
pub fn short(symbol: &str) -> Cow<'_, str> {
    match symbol.char_indices().nth(SYMBOL_MOST) {
        None => Cow::Borrowed(symbol),
        Some(_) => symbol.chars().take(SYMBOL_MOST - 1).chain(['…']).collect(),
    }
}

/// An amount that knows its asset: JSON gets the exact decimal, a person gets separators and symbol.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quantity {
    /// Base units.
    pub base: Base,
    /// Decimals of the asset.
    pub decimals: u8,
    /// The asset's symbol.
    pub symbol: String,
}

impl Quantity {
    /// `base` units of an asset.
    pub fn new(base: Base, decimals: u8, symbol: impl Into<String>) -> Self {
        Self { base, decimals, symbol: symbol.into() }
    }

    /// The exact decimal, as JSON gets it.
    pub fn exact(&self) -> String {
        to_units(self.base, self.decimals)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", to_people(self.base, self.decimals))?;
        if self.symbol.is_empty() { Ok(()) } else { write!(f, " {}", short(&self.symbol)) }
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.exact())
    }
}

impl JsonSchema for Quantity {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Decimal::json_schema(generator)
    }
}

/// A signed amount: one line of a ledger transaction, in base units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delta {
    /// True for a debit. Zero is never negative.
    negative: bool,
    magnitude: U256,
}

impl Delta {
    /// A credit of `amount`.
    pub const fn credit(amount: Base) -> Self {
        Self { negative: false, magnitude: amount }
    }

    /// A debit of `amount`.
    pub fn debit(amount: Base) -> Self {
        Self { negative: !amount.is_zero(), magnitude: amount }
    }

    /// Below zero.
    pub const fn is_negative(self) -> bool {
        self.negative
    }

    /// Exactly zero.
    pub fn is_zero(self) -> bool {
        self.magnitude.is_zero()
    }

    /// The amount without its sign.
    pub const fn magnitude(self) -> Base {
        self.magnitude
    }

    /// The sum; `None` where it passes 256 bits.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        if self.negative == other.negative {
            let magnitude = self.magnitude.checked_add(other.magnitude)?;
            return Some(Self { negative: self.negative, magnitude });
        }
        let (large, small) = if self.magnitude >= other.magnitude { (self, other) } else { (other, self) };
        let magnitude = large.magnitude - small.magnitude;
        Some(Self { negative: large.negative && !magnitude.is_zero(), magnitude })
    }

    /// Writes it as exact whole units with all of the asset's decimals: `-1234.500000`.
    pub fn to_units(self, decimals: u8) -> String {
        let units = to_units(self.magnitude, decimals);
        if self.negative { format!("-{units}") } else { units }
    }

    /// Reads the canonical decimal that [`fmt::Display`] writes; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        let magnitude = parse_base(digits)?;
        (!(negative && magnitude.is_zero())).then_some(Self { negative, magnitude })
    }
}

impl fmt::Display for Delta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negative {
            f.write_str("-")?;
        }
        write!(f, "{}", self.magnitude)
    }
}

/// Reads canonical base units as the state file stores them: digits, no leading zero.
pub fn parse_base(text: &str) -> Option<Base> {
    let is_canonical = !text.is_empty()
        && (text.len() == 1 || !text.starts_with('0'))
        && text.bytes().all(|b| b.is_ascii_digit());
    if is_canonical { read_digits(text.bytes()) } else { None }
}

/// What a holder's part is measured by: shares (256 bit) times blocks (64 bit).
pub type Weight = Uint<320, 5>;

type Wide = Uint<576, 9>;

/// Splits `total` over `weights` so that nothing is lost: floor each, then hand the units left over to the
/// largest remainders, ties to the earlier position. Returns `None` if all weights are zero or their sum
/// passes 320 bits.
pub fn split_largest_remainder<'w>(
    total: Base,
    weights: impl IntoIterator<Item = &'w Weight, IntoIter: Clone>,
) -> Option<Vec<Base>> {
    let weights = weights.into_iter();
    let (count, sum) = weights
        .clone()
        .try_fold((0_usize, Weight::ZERO), |(count, sum), w| Some((count + 1, sum.checked_add(*w)?)))?;
    if sum.is_zero() {
        return None;
    }
    let mut parts = Vec::with_capacity(count);
    let mut remainders = Vec::with_capacity(count);
    let mut given = Base::ZERO;
    for weight in weights {
        let (part, remainder) = div_rem_product(total, *weight, sum);
        given += part;
        parts.push(part);
        remainders.push(remainder);
    }
    let left = usize::try_from(total - given).ok()?;
    if left > 0 {
        let mut order: Vec<usize> = (0..count).collect();
        let by_remainder = |a: &usize, b: &usize| remainders[*b].cmp(&remainders[*a]).then(a.cmp(b));
        // Fewer units are left over than there are positions, so a partial selection is enough.
        order.select_nth_unstable_by(left, by_remainder);
        for position in &order[..left] {
            parts[*position] += Base::ONE;
        }
    }
    Some(parts)
}

/// Quotient and remainder of `total * weight / sum`, where `weight <= sum` and `sum > 0`.
fn div_rem_product(total: Base, weight: Weight, sum: Weight) -> (Base, Weight) {
    if total.bit_len() + weight.bit_len() <= 256 && sum.bit_len() <= 256 {
        let (product, divisor) = (total * weight.to::<Base>(), sum.to::<Base>());
        let (quotient, remainder) = product.div_rem(divisor);
        return (quotient, Weight::from(remainder));
    }
    let product: Wide = total.widening_mul(weight);
    let (quotient, remainder) = product.div_rem(Wide::from(sum));
    // weight <= sum, so the quotient is at most total; a remainder is below sum.
    (quotient.to(), remainder.to())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_u256() -> impl Strategy<Value = U256> {
        prop_oneof![
            any::<[u64; 4]>().prop_map(U256::from_limbs),
            any::<u64>().prop_map(U256::from),
            (0u64..1000).prop_map(U256::from),
            Just(U256::MAX),
        ]
    }

    #[test]
    fn strict_parsing() {
        for (text, decimals, want) in [
            ("0", 18, Ok("0")),
            ("12.5", 6, Ok("12500000")),
            ("0012.50", 6, Ok("12500000")),
            ("1", 0, Ok("1")),
            ("", 18, Err(ParseError::Empty)),
            ("-1", 18, Err(ParseError::NotPlain)),
            ("+1", 18, Err(ParseError::NotPlain)),
            ("1e3", 18, Err(ParseError::NotPlain)),
            ("100abc", 18, Err(ParseError::NotPlain)),
            (" 1", 18, Err(ParseError::NotPlain)),
            ("1 000", 18, Err(ParseError::NotPlain)),
            ("1,000", 18, Err(ParseError::NotPlain)),
            ("1_000", 18, Err(ParseError::NotPlain)),
            (".5", 18, Err(ParseError::NotPlain)),
            ("5.", 18, Err(ParseError::NotPlain)),
            (".", 18, Err(ParseError::NotPlain)),
            ("1.2.3", 18, Err(ParseError::NotPlain)),
            ("\u{0661}", 18, Err(ParseError::NotPlain)),
            ("0x10", 18, Err(ParseError::NotPlain)),
            ("1.0000000000000000001", 18, Err(ParseError::TooPrecise { given: 19, limit: 18 })),
            ("1.5", 0, Err(ParseError::TooPrecise { given: 1, limit: 0 })),
        ] {
            let got = parse_units(text, decimals).map(|v| v.to_string());
            assert_eq!(got, want.map(str::to_owned), "{text:?}");
        }
        let max = U256::MAX.to_string();
        assert_eq!(parse_units(&max, 0), Ok(U256::MAX));
        let past = "115792089237316195423570985008687907853269984665640564039457584007913129639936";
        assert_eq!(parse_units(past, 0), Err(ParseError::TooLarge));
        assert_eq!(parse_units(&max, 1), Err(ParseError::TooLarge));
    }

    #[test]
    fn weights() {
        assert_eq!(parse_weight("weight", "0.25").ok(), Some(250_000));
        assert_eq!(parse_weight("weight", "1").ok(), Some(1_000_000));
        for bad in ["1.0000001", "1.000001", "-0.1", "", "2", "1e0"] {
            assert_eq!(parse_weight("weight", bad).unwrap_err().code(), Code::InvalidWeight, "{bad}");
        }
    }

    #[test]
    fn printing() {
        let n = U256::from(1_234_500_000u64);
        assert_eq!(to_units(n, 6), "1234.500000");
        assert_eq!(to_people(n, 6), "1,234.50");
        assert_eq!(to_people(U256::from(5u8), 18), "0.000000000000000005");
        assert_eq!(to_people(U256::from(1_000_000u32), 0), "1,000,000");
        assert_eq!(to_units(U256::ZERO, 18), "0.000000000000000000");
        assert_eq!(Quantity::new(n, 6, "USDC").to_string(), "1,234.50 USDC");
    }

    #[test]
    fn remainders_go_to_the_largest_then_the_earliest() {
        let split = |total: u64, weights: &[u64]| {
            let weights: Vec<Weight> = weights.iter().copied().map(Weight::from).collect();
            split_largest_remainder(U256::from(total), &weights)
                .map(|parts| parts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(split(10, &[1, 1, 1]).as_deref(), Some("4 3 3"));
        assert_eq!(split(2, &[1, 1, 1]).as_deref(), Some("1 1 0"));
        assert_eq!(split(100, &[0, 7, 0]).as_deref(), Some("0 100 0"));
        assert_eq!(split(5, &[1, 2, 3]).as_deref(), Some("1 2 2"));
        assert_eq!(split(5, &[0, 0]), None);
        assert_eq!(split(5, &[]), None);
    }

    #[test]
    fn digits_are_joined_without_a_seam() {
        for decimals in 0..=77 {
            let power = pow10(decimals).unwrap();
            for n in [power, power - U256::from(1u8), power + U256::from(1u8)] {
                assert_eq!(parse_base(&n.to_string()), Some(n));
            }
        }
        assert_eq!(parse_base(&"9".repeat(78)), None);
        assert_eq!(parse_base(&format!("1{}", "0".repeat(10_000))), None);
    }

    proptest! {
        #[test]
        fn parse_reads_back_what_was_printed(n in any_u256(), decimals in 0u8..=77) {
            prop_assert_eq!(parse_units(&to_units(n, decimals), decimals), Ok(n));
            prop_assert_eq!(parse_base(&n.to_string()), Some(n));
        }

        #[test]
        fn split_loses_nothing_and_stays_within_one(
            total in any_u256(),
            raw in proptest::collection::vec((any_u256(), any::<u32>()), 1..40),
        ) {
            let weights: Vec<Weight> =
                raw.iter().map(|(shares, blocks)| Weight::from(*shares) * Weight::from(*blocks)).collect();
            let sum = weights.iter().fold(Weight::ZERO, |s, w| s + *w);
            match split_largest_remainder(total, &weights) {
                None => prop_assert!(sum.is_zero()),
                Some(parts) => {
                    let given = parts.iter().fold(U256::ZERO, |s, p| s + *p);
                    prop_assert_eq!(given, total);
                    for (part, weight) in parts.iter().zip(&weights) {
                        let floor = Uint::<640, 10>::from(total) * Uint::from(*weight) / Uint::from(sum);
                        let floor: U256 = floor.to();
                        prop_assert!(*part == floor || *part == floor + U256::ONE);
                        prop_assert!(!weight.is_zero() || part.is_zero());
                    }
                }
            }
        }

        #[test]
        fn mul_div_is_exact(a in any_u256(), b in any_u256(), d in any_u256()) {
            let wide: U512 = a.widening_mul(b);
            match mul_div(a, b, d) {
                None => prop_assert!(d.is_zero() || wide / U512::from(d) > U512::from(U256::MAX)),
                Some(q) => {
                    let back: U512 = q.widening_mul(d);
                    prop_assert!(back <= wide && wide - back < U512::from(d));
                }
            }
        }

        #[test]
        fn deltas_cancel(a in any_u256(), b in any_u256()) {
            let (a, b) = (a >> 1, b >> 1);
            let sum = Delta::credit(a).checked_add(Delta::debit(b)).unwrap();
            let back = sum.checked_add(Delta::credit(b)).unwrap();
            prop_assert_eq!(back, Delta::credit(a));
            prop_assert_eq!(Delta::parse(&sum.to_string()), Some(sum));
        }
    }
}
