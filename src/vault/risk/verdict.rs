//! What validating a deposit or a withdrawal answers: a verdict with every failed rule, each by its stable code.

use super::gate::Barrier;
use crate::pool::{Pool, Snapshot};
use base::amount::{self, Base};
use base::{Code, Error, Result, clock};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use strum::{IntoStaticStr, VariantArray};

/// Why a deposit or a withdrawal does not validate; the words are stable, and verdicts keep this order.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    JsonSchema,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ReasonCode {
    /// No plain decimal, zero, too precise or too large.
    InvalidAmount,
    /// No such pool.
    UnknownPool,
    /// No such member.
    UnknownMember,
    /// The pool is retired.
    PoolRetired,
    /// Risk parameters, or the figures that they are held against, are missing or too old: deny, never allow.
    RiskUnknown,
    /// A limit that the contract has cannot be read: deny, never allow.
    LimitUnknown,
    /// The pool's contract changed, and the operator has not accepted that.
    ContractChanged,
    /// The vault is paused, or its engine has this direction closed.
    PoolPaused,
    /// The emergency pause holds, ours or the engine's.
    EmergencyPaused,
    /// The circuit breaker is open, ours or the engine's.
    BreakerActive,
    /// Less than the vault takes in one deposit.
    BelowMinimum,
    /// More than the vault takes in one deposit.
    AboveMaximum,
    /// More than the vault's `maxDeposit` of this member.
    ExceedsMaxDeposit,
    /// The pool's TVL would pass its cap.
    TvlCap,
    /// What the member has in the pool would pass its cap.
    UserCap,
    /// The member has less of the asset.
    InsufficientBalance,
    /// The member has fewer shares that are not reserved.
    InsufficientShares,
    /// The last deposit is too young.
    Cooldown,
    /// Withdrawals of the window would pass the pool's cap.
    DailyWithdrawalCap,
    /// Withdrawals of the window would pass the member's cap.
    UserDailyCap,
}

crate::words!(ReasonCode);

/// One failed rule. In JSON `{"code", "message", "details"}`; amounts among the details are exact decimals in whole
/// units, as everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reason {
    /// The rule.
    pub code: ReasonCode,
    /// The sentence for a person.
    pub message: String,
    /// Facts for programs: the limit, what is left, seconds to wait.
    pub details: Map<String, Value>,
}

impl Reason {
    /// A failed rule, and a sentence that says by what.
    pub fn new(code: ReasonCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Map::new() }
    }

    /// Adds a fact for programs.
    #[must_use]
    pub fn detail(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.details.insert(key.to_owned(), value.into());
        self
    }
}

impl From<&Barrier> for ReasonCode {
    fn from(barrier: &Barrier) -> Self {
        match barrier {
            Barrier::RiskUnknown(_) => Self::RiskUnknown,
            Barrier::Paused { .. } | Barrier::EnginePaused => Self::EmergencyPaused,
            Barrier::BreakerOpen(_) | Barrier::EngineBreaker(_) => Self::BreakerActive,
            Barrier::ContractChanged(_) => Self::ContractChanged,
            Barrier::Retired(_) => Self::PoolRetired,
        }
    }
}

impl From<&Barrier> for Reason {
    fn from(barrier: &Barrier) -> Self {
        Self::new(barrier.into(), barrier.why())
    }
}

/// The answer: valid where no rule failed. In JSON `{"valid", "reasons"}`, to be flattened into a command's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Verdict {
    /// No rule failed.
    pub valid: bool,
    /// Every failed rule, in the order of [`ReasonCode`].
    pub reasons: Vec<Reason>,
}

impl Verdict {
    /// From all that failed, in any order.
    pub fn of(mut reasons: Vec<Reason>) -> Self {
        reasons.sort_by_key(|reason| reason.code);
        Self { valid: reasons.is_empty(), reasons }
    }

    /// The codes of the failed rules.
    pub fn codes(&self) -> Vec<&'static str> {
        self.reasons.iter().map(|reason| reason.code.as_str()).collect()
    }

    /// Why a check ends with exit 5: `check_failed` with every code in `details.reasons`; `None` where it is valid.
    pub fn finding(&self, what: &str) -> Option<Error> {
        self.error(Code::CheckFailed, what)
    }

    /// The failed rules as an error of `code`, the codes in `details.reasons`; `None` where it is valid.
    pub fn error(&self, code: Code, what: &str) -> Option<Error> {
        let first = self.reasons.first()?;
        let more = match self.reasons.len() {
            1 => String::new(),
            n => format!(" (and {} more)", n - 1),
        };
        let message = format!("{what}: {}: {}{more}", first.code.as_str(), first.message);
        Some(Error::new(code, message).detail("reasons", self.codes()))
    }
}

/// What was found; not to be found is a reason, any other error ends the command.
pub fn known<T>(found: Result<T>, reasons: &mut Vec<Reason>) -> Result<Option<T>> {
    let Err(e) = found else { return found.map(Some) };
    let code = match e.code() {
        Code::UnknownPool => ReasonCode::UnknownPool,
        Code::UnknownMember => ReasonCode::UnknownMember,
        _ => return Err(e),
    };
    reasons.push(Reason::new(code, e.message()));
    Ok(None)
}

/// Reads an amount in whole units; one that moves nothing is no amount. Where the pool is not known, neither are
/// the `decimals`: then only the form is judged.
pub fn parse_amount(flag: &str, text: &str, decimals: Option<u8>) -> Result<Base, Reason> {
    let refuse = |why: String| {
        Reason::new(ReasonCode::InvalidAmount, format!("{flag}: \"{text}\" {why}"))
            .detail("flag", flag)
            .detail("value", text)
    };
    // Of an unknown pool, a short amount is not to be found too precise, nor too large for decimals it may not have.
    let fraction = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let decimals = decimals.unwrap_or_else(|| u8::try_from(fraction.min(77)).unwrap_or(77));
    let amount = amount::parse_units(text, decimals).map_err(|why| refuse(why.to_string()))?;
    if amount.is_zero() {
        return Err(refuse("is nothing".into()));
    }
    Ok(amount)
}

/// The figures of a pool's last sync, if they are there and young enough to decide by.
pub fn usable<'s>(
    pool: &Pool,
    snapshot: Option<&'s Snapshot>,
    now: i64,
    max_age_sec: u64,
) -> Result<&'s Snapshot, String> {
    let fix = format!("sync pool \"{}\"", pool.name);
    let Some(s) = snapshot else {
        return Err(format!("the pool was never synced: its TVL, limits and pause are not known; {fix}"));
    };
    match clock::age(s.synced_at, now) {
        None => {
            let dated = clock::rfc3339(s.synced_at);
            Err(format!("the pool's figures are dated in the future, {dated}; {fix}"))
        }
        Some(age) if age > max_age_sec => {
            let (age, limit) = (clock::span(age), clock::span(max_age_sec));
            Err(format!("the pool's figures are {age} old, the limit is {limit}; {fix}"))
        }
        Some(_) => Ok(s),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words_are_snake_case_and_unique() {
        let mut seen = std::collections::HashSet::new();
        for code in ReasonCode::VARIANTS {
            assert!(code.as_str().chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{code:?}");
            assert!(seen.insert(code.as_str()), "{code:?} twice");
        }
    }

    #[test]
    fn barriers_keep_their_words() {
        for (barrier, word) in [
            (Barrier::RiskUnknown("x".into()), "risk_unknown"),
            (Barrier::Paused { reason: "x".into(), since: Some(1) }, "emergency_paused"),
            (Barrier::EnginePaused, "emergency_paused"),
            (Barrier::EngineBreaker("x".into()), "breaker_active"),
            (Barrier::ContractChanged("x".into()), "contract_changed"),
            (Barrier::Retired(1), "pool_retired"),
        ] {
            assert_eq!(Reason::from(&barrier).code.as_str(), word);
        }
    }

    #[test]
    fn a_verdict_names_every_reason_in_one_order() {
        let cap = Reason::new(ReasonCode::UserDailyCap, "too much").detail("limit", "5.0");
        let paused = Reason::new(ReasonCode::PoolPaused, "paused");
        let verdict = Verdict::of(vec![cap, paused]);
        assert_eq!(
            serde_json::to_value(&verdict).unwrap(),
            json!({ "valid": false, "reasons": [
                { "code": "pool_paused", "message": "paused", "details": {} },
                { "code": "user_daily_cap", "message": "too much", "details": { "limit": "5.0" } },
            ] })
        );
        let e = verdict.finding("withdrawal").unwrap();
        let told = (e.code(), e.message());
        assert_eq!(told, (Code::CheckFailed, "withdrawal: pool_paused: paused (and 1 more)"));
        assert_eq!(e.details()["reasons"], json!(["pool_paused", "user_daily_cap"]));
        let fine = Verdict::of(Vec::new());
        assert!(fine.valid && fine.finding("x").is_none());
        assert_eq!(serde_json::to_value(&fine).unwrap(), json!({ "valid": true, "reasons": [] }));
    }

    #[test]
    fn an_amount_is_judged_with_or_without_its_decimals() {
        for (text, decimals, want) in [
            ("12.5", Some(6), Some(12_500_000u64)),
            ("0.000001", Some(6), Some(1)),
            ("0.0000001", Some(6), None),
            ("0.0000001", None, Some(1)),
            ("0", Some(6), None),
            ("0.00", None, None),
            ("-1", Some(6), None),
            ("1e3", None, None),
            ("", None, None),
        ] {
            let got = parse_amount("AMOUNT", text, decimals);
            assert_eq!(got.as_ref().ok().copied(), want.map(Base::from), "{text}");
            if let Err(reason) = got {
                assert_eq!(reason.code, ReasonCode::InvalidAmount);
                assert!(reason.message.starts_with(&format!("AMOUNT: \"{text}\" ")), "{}", reason.message);
            }
        }
        assert!(parse_amount("AMOUNT", &"9".repeat(78), None).is_err());
    }
}
