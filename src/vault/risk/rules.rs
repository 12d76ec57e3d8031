//! The risk rules by name, and those that are asked for on their own: what is known goes in, ok, violated or unknown comes
//! out. Pure.

use crate::feed::quote::majority;
use base::amount::{Base, mul_div};
use base::counted;
use schemars::JsonSchema;
use serde::Serialize;
use strum::{IntoStaticStr, VariantArray};

/// Every rule there is, in the order in which they are shown; the word is stable.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema, IntoStaticStr, VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Rule {
    /// TVL above the cap.
    TvlCapExceeded,
    /// Withdrawals of the window above the pool's cap.
    DailyWithdrawalLimitExceeded,
    /// One member's withdrawals of the window above the member's cap.
    UserDailyLimitExceeded,
    /// A circuit breaker is open, ours or the engine's.
    CircuitBreakerActive,
    /// An emergency pause, ours or the engine's.
    EmergencyPause,
    /// The exchange rate fell by more than the pool allows.
    ExchangeRateDrop,
    /// Feeds of the pool's asset were refused too often in a row, and without them there is no quorum.
    OracleFailureStreak,
    /// Withdrawals of 24 h above the share of TVL that trips the breaker.
    WithdrawalRate,
    /// Parameters are missing or too old.
    RiskUnknown,
}

crate::words!(Rule);

/// What a rule found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "result", content = "why", rename_all = "snake_case")]
pub enum RuleResult {
    /// Within limits.
    Ok,
    /// Not within limits; says by what.
    Violated(String),
    /// Cannot be evaluated; counts as a finding.
    Unknown(String),
}

pub(super) fn at_most(what: &str, figure: Base, cap: Base) -> RuleResult {
    if figure > cap {
        RuleResult::Violated(format!("{what} {figure} is above the cap {cap} (base units)"))
    } else {
        RuleResult::Ok
    }
}

/// How a feed of a pool's asset stands. A fixed price is none: it never stands in for a quote that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedHealth {
    /// Its name.
    pub feed: String,
    /// Refusals in a row.
    pub refused: u64,
    /// Whether it has an accepted price that is not too old.
    pub priced: bool,
}

/// Whether an asset has no quorum without its feeds that were refused too often in a row; `threshold` times is too often.
pub fn oracle_failure(feeds: &[FeedHealth], threshold: u64) -> RuleResult {
    let Some(worst) = feeds.iter().rev().max_by_key(|feed| feed.refused) else { return RuleResult::Ok };
    let left = feeds.iter().filter(|feed| feed.priced && feed.refused < threshold).count();
    let needed = majority(feeds.len());
    if worst.refused < threshold || left >= needed {
        return RuleResult::Ok;
    }
    let why = format!("feed \"{}\" was refused {} in a row", worst.feed, counted(worst.refused, "time"));
    RuleResult::Violated(match feeds.len() {
        1 => why,
        all => format!("{why}; {left} of {all} feeds of the asset are left, {needed} are needed"),
    })
}

/// Whether withdrawals of 24 h pass the share of TVL that trips the breaker; base units, `None` = no threshold.
pub fn withdrawal_rate(withdrawn_24h: Base, tvl: Option<Base>, threshold_ppm: Option<u32>) -> RuleResult {
    match (tvl, threshold_ppm) {
        (_, None) => RuleResult::Ok,
        (None, Some(_)) => RuleResult::Unknown("the pool was never synced".into()),
        (Some(tvl), Some(ppm)) => {
            let limit = mul_div(tvl, Base::from(ppm), Base::from(1_000_000u32)).unwrap_or(Base::MAX);
            at_most("withdrawals of 24 h", withdrawn_24h, limit)
        }
    }
}

/// Whether a rate fell by more than `max_drop_ppm` of what it was.
pub fn rate_drop(before: Base, now: Base, max_drop_ppm: u32) -> RuleResult {
    let allowed = mul_div(before, Base::from(max_drop_ppm), Base::from(1_000_000u32)).unwrap_or(Base::MAX);
    let drop = before.saturating_sub(now);
    if drop <= allowed {
        return RuleResult::Ok;
    }
    let shown = |rate| base::amount::to_people(rate, 18);
    RuleResult::Violated(format!(
        "exchange rate fell from {} to {} since the sync before, more than {max_drop_ppm} ppm",
        shown(before),
        shown(now)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_that_fails_is_no_violation_while_there_is_a_quorum_without_it() {
        const GOOD: (u64, bool) = (0, true);
        const BLIP: (u64, bool) = (2, true);
        const FAILS: (u64, bool) = (3, true);
        const NEVER: (u64, bool) = (0, false);
        for (feeds, want) in [
            (&[][..], None),
            (&[GOOD], None),
            (&[BLIP], None),
            (&[FAILS], Some("feed \"0\" was refused 3 times in a row")),
            (&[(9, false)], Some("feed \"0\" was refused 9 times in a row")),
            (&[GOOD, FAILS], Some("; 1 of 2 feeds of the asset are left, 2 are needed")),
            (&[FAILS, GOOD, GOOD], None),
            (&[FAILS, GOOD, BLIP], None),
            (&[FAILS, GOOD, FAILS], Some("; 1 of 3 feeds of the asset are left, 2 are needed")),
            // What has no price makes no quorum.
            (&[FAILS, GOOD, NEVER], Some("; 1 of 3 feeds")),
            (&[GOOD, NEVER, NEVER], None),
            (&[FAILS, FAILS, GOOD, GOOD, GOOD], None),
            (&[FAILS, FAILS, FAILS, GOOD, GOOD], Some("; 2 of 5 feeds of the asset are left, 3 are needed")),
            // The first of the worst is named.
            (&[GOOD, (4, true), (4, true)], Some("feed \"1\" was refused 4 times in a row; 1 of 3")),
        ] {
            let feeds: Vec<FeedHealth> = feeds
                .iter()
                .enumerate()
                .map(|(i, (refused, priced))| FeedHealth {
                    feed: i.to_string(),
                    refused: *refused,
                    priced: *priced,
                })
                .collect();
            let got = oracle_failure(&feeds, 3);
            match want {
                None => assert_eq!(got, RuleResult::Ok, "{feeds:?}"),
                Some(want) => {
                    assert!(
                        matches!(&got, RuleResult::Violated(why) if why.contains(want)),
                        "{feeds:?}: {got:?}"
                    );
                }
            }
        }
    }
}
