//! When a quote may be used: the rules, in their order. Pure.

use alloy::primitives::I256;
use base::amount::{Base, mul_div, pow10};
use base::clock::span;
use base::{Code, Error, Result};
use strum::{IntoStaticStr, VariantNames};

/// What a feed answered, at one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawQuote {
    /// The answer, signed, in the feed's own decimals (Chainlink `latestRoundData`).
    pub answer: I256,
    /// The feed's `decimals()`.
    pub decimals: u8,
    /// Round that was asked for.
    pub round_id: u128,
    /// Round in which the answer was computed; 0 where the feed no longer sets it.
    pub answered_in_round: u128,
    /// When it was computed, seconds since 1970.
    pub updated_at: u64,
}

/// What a feed's quotes must satisfy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Oldest accepted, in seconds against the block's time; equal is fresh.
    pub max_staleness_sec: u64,
    /// Lowest accepted price, 18 decimals.
    pub min_e18: Option<Base>,
    /// Highest accepted price, 18 decimals.
    pub max_e18: Option<Base>,
    /// Largest accepted change against the last good price, in millionths of it.
    pub max_deviation_ppm: Option<u32>,
}

impl Limits {
    /// Refuses bounds that no price could be within.
    pub fn check(&self) -> Result<()> {
        match (self.min_e18, self.max_e18) {
            (Some(min), Some(max)) if min > max => {
                let why = format!("{} is above the highest accepted price, {}", shown(min), shown(max));
                Err(Error::field(Code::InvalidValue, "min", why).hint("no price could be accepted"))
            }
            _ if self.max_deviation_ppm == Some(0) => {
                let why = "0 would refuse every price but the last one";
                Err(Error::field(Code::InvalidValue, "max-deviation", why).hint("for any change: none"))
            }
            _ => Ok(()),
        }
    }

    /// Whether a price has to be within anything.
    pub const fn is_bounded(&self) -> bool {
        self.min_e18.is_some() || self.max_e18.is_some()
    }
}

/// Seconds that a quote may lie in the block's future: clocks of oracle nodes and block producers differ.
pub const FUTURE_SKEW_SEC: u64 = 30;

/// Why a quote was refused. The word is stable.
#[allow(missing_docs, reason = "the texts say what the figures are")]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Refusal {
    /// Not a price at all.
    #[error("{0}")]
    Invalid(String),
    /// The round was not complete.
    #[error("round {round_id} was answered in round {answered_in_round}")]
    IncompleteRound { round_id: u128, answered_in_round: u128 },
    /// Dated after the block.
    #[error("dated {} after its block, more than {}", span(*ahead_sec), span(FUTURE_SKEW_SEC))]
    Future { ahead_sec: u64 },
    /// Too old.
    #[error("{} old, {} over the limit of {}", span(*age_sec), span(age_sec.saturating_sub(*limit_sec)), span(*limit_sec))]
    Stale { age_sec: u64, limit_sec: u64 },
    /// Below `min` or above `max`, in whole units as the next.
    #[error("price {price} is outside {bounds}")]
    OutOfBounds { price: String, bounds: String },
    /// Too far from the last good price.
    #[error("price {price} is too far from the last good one, {last} (limit {limit_ppm} ppm)")]
    Deviation { price: String, last: String, limit_ppm: u32 },
    /// The feed could not be read.
    #[error("{0}")]
    Unreachable(String),
    /// The chain's sequencer is down, or has not been up for long enough.
    #[error("{0}")]
    SequencerDown(String),
}

impl Refusal {
    /// The stable word: the kind of the alert.
    pub fn as_str(&self) -> &'static str {
        self.into()
    }
}

/// Accepts a quote, read at a block of time `block_time`, and returns its price with 18 decimals, or the first rule that it
/// breaks; `last_good` is the last accepted price of this feed.
pub fn accept(
    quote: &RawQuote,
    limits: &Limits,
    block_time: u64,
    last_good: Option<Base>,
) -> Result<Base, Refusal> {
    if quote.answer <= I256::ZERO {
        return Err(Refusal::Invalid(format!("answer {} is not above zero", quote.answer)));
    }
    if quote.updated_at == 0 {
        return Err(Refusal::Invalid("the feed has never been updated".into()));
    }
    let (round_id, answered_in_round) = (quote.round_id, quote.answered_in_round);
    if answered_in_round != 0 && answered_in_round < round_id {
        return Err(Refusal::IncompleteRound { round_id, answered_in_round });
    }
    let ahead_sec = quote.updated_at.saturating_sub(block_time);
    if ahead_sec > FUTURE_SKEW_SEC {
        return Err(Refusal::Future { ahead_sec });
    }
    let age_sec = block_time.saturating_sub(quote.updated_at);
    if age_sec > limits.max_staleness_sec {
        return Err(Refusal::Stale { age_sec, limit_sec: limits.max_staleness_sec });
    }
    let price = normalise(quote.answer.unsigned_abs(), quote.decimals)?;
    if limits.min_e18.is_some_and(|min| price < min) || limits.max_e18.is_some_and(|max| price > max) {
        let bound = |b: Option<Base>| b.map_or_else(|| "unlimited".into(), shown);
        let bounds = format!("{} to {}", bound(limits.min_e18), bound(limits.max_e18));
        return Err(Refusal::OutOfBounds { price: shown(price), bounds });
    }
    if let (Some(limit_ppm), Some(last)) = (limits.max_deviation_ppm, last_good) {
        let allowed = mul_div(last, Base::from(limit_ppm), Base::from(1_000_000u32)).unwrap_or(Base::MAX);
        if price.abs_diff(last) > allowed {
            return Err(Refusal::Deviation { price: shown(price), last: shown(last), limit_ppm });
        }
    }
    Ok(price)
}

/// Why a quote is refused that is outside the bounds, however old it is; `None` where it is within, or cannot be told.
pub fn out_of_bounds(quote: &RawQuote, limits: &Limits, block_time: u64) -> Option<Refusal> {
    let limits = Limits { max_staleness_sec: u64::MAX, max_deviation_ppm: None, ..limits.clone() };
    accept(quote, &limits, block_time, None)
        .err()
        .filter(|refusal| matches!(refusal, Refusal::OutOfBounds { .. }))
}

/// The smallest number that is more than half.
pub const fn majority(feeds: usize) -> usize {
    feeds / 2 + 1
}

fn shown(price: Base) -> String {
    base::amount::to_people(price, 18)
}

/// A price in `decimals` taken to 18; more decimals than 18 are cut off downwards.
fn normalise(answer: Base, decimals: u8) -> Result<Base, Refusal> {
    let scaled = if decimals <= 18 {
        pow10(18 - decimals).and_then(|scale| answer.checked_mul(scale))
    } else {
        pow10(decimals - 18).map(|scale| answer / scale)
    };
    match scaled {
        Some(price) if !price.is_zero() => Ok(price),
        Some(_) => Err(Refusal::Invalid(format!("answer {answer} of {decimals} decimals is below 10^-18"))),
        None => Err(Refusal::Invalid(format!("answer {answer} of {decimals} decimals passes 256 bits"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quote(answer: i64) -> RawQuote {
        let answer = I256::try_from(answer).unwrap();
        RawQuote { answer, decimals: 8, round_id: 5, answered_in_round: 5, updated_at: 10_000 }
    }

    fn limits() -> Limits {
        Limits { max_staleness_sec: 3600, min_e18: None, max_e18: None, max_deviation_ppm: None }
    }

    fn e18(whole: u64) -> Base {
        Base::from(u128::from(whole) * 1_000_000_000_000_000_000)
    }

    fn word(result: Result<Base, Refusal>) -> &'static str {
        result.map_or_else(|refusal| refusal.as_str(), |_| "ok")
    }

    #[test]
    fn each_rule_has_its_edge() {
        let limits = limits();
        for (quote, time, want) in [
            (quote(0), 10_000, "invalid"),
            (quote(-1), 10_000, "invalid"),
            (RawQuote { updated_at: 0, ..quote(1) }, 10_000, "invalid"),
            (RawQuote { answered_in_round: 4, ..quote(1) }, 10_000, "incomplete_round"),
            (RawQuote { answered_in_round: 0, ..quote(1) }, 10_000, "ok"),
            (RawQuote { answered_in_round: 6, ..quote(1) }, 10_000, "ok"),
            (quote(1), 9_970, "ok"),
            (quote(1), 9_969, "future"),
            (quote(1), 13_600, "ok"),
            (quote(1), 13_601, "stale"),
        ] {
            assert_eq!(word(accept(&quote, &limits, time, None)), want, "{quote:?} at {time}");
        }
    }

    #[test]
    fn bounds_and_deviation_include_their_limits() {
        let price =
            |p: i64, limits: &Limits, last: Option<Base>| word(accept(&quote(p), limits, 10_000, last));
        let bounds = Limits { min_e18: Some(e18(1)), max_e18: Some(e18(3)), ..limits() };
        for (p, want) in [
            (99_999_999, "out_of_bounds"),
            (100_000_000, "ok"),
            (300_000_000, "ok"),
            (300_000_001, "out_of_bounds"),
        ] {
            assert_eq!(price(p, &bounds, None), want, "{p}");
        }
        let deviation = Limits { max_deviation_ppm: Some(100_000), ..limits() };
        for (p, want) in
            [(110_000_000, "ok"), (110_000_001, "deviation"), (90_000_000, "ok"), (89_999_999, "deviation")]
        {
            assert_eq!(price(p, &deviation, Some(e18(1))), want, "{p}");
        }
        assert_eq!(price(900_000_000, &deviation, None), "ok", "nothing to compare with yet");
        deviation.check().unwrap();
        let none = Limits { max_deviation_ppm: Some(0), ..limits() };
        assert_eq!(none.check().unwrap_err().code(), Code::InvalidValue);
    }

    #[test]
    fn prices_are_taken_to_18_decimals() {
        for (answer, decimals, want) in
            [(7i64, 0u8, "7000000000000000000"), (7, 8, "70000000000"), (7, 18, "7"), (7_999_999, 24, "7")]
        {
            let quote = RawQuote { decimals, ..quote(answer) };
            assert_eq!(accept(&quote, &limits(), 10_000, None).unwrap().to_string(), want);
        }
        assert_eq!(word(accept(&RawQuote { decimals: 24, ..quote(7) }, &limits(), 10_000, None)), "invalid");
        let huge = RawQuote { answer: I256::MAX, decimals: 0, ..quote(1) };
        assert_eq!(word(accept(&huge, &limits(), 10_000, None)), "invalid");
        let odd = RawQuote { decimals: 255, ..quote(1) };
        assert_eq!(word(accept(&odd, &limits(), 10_000, None)), "invalid");
    }
}
