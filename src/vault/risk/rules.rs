//! The risk rules by name, and those that are asked for on their own: what is known goes in, ok, violated or unknown comes
//! out. Pure.

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
    /// A feed of the pool's asset was refused too often in a row.
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

/// Whether a feed was refused too often in a row; `threshold` times is too often.
pub fn streak(feed: &str, refused: u64, threshold: u64) -> RuleResult {
    if refused < threshold {
        return RuleResult::Ok;
    }
    RuleResult::Violated(format!("feed \"{feed}\" was refused {} in a row", counted(refused, "time")))
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
