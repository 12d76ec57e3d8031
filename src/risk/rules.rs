//! The risk rules, each on its own: what is known goes in, ok, violated or unknown comes out. Pure.

use base::amount::{Base, mul_div};
use schemars::JsonSchema;
use serde::Serialize;

/// Every rule there is; the word is stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
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

impl Rule {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 9] = [
        Self::TvlCapExceeded,
        Self::DailyWithdrawalLimitExceeded,
        Self::UserDailyLimitExceeded,
        Self::CircuitBreakerActive,
        Self::EmergencyPause,
        Self::ExchangeRateDrop,
        Self::OracleFailureStreak,
        Self::WithdrawalRate,
        Self::RiskUnknown,
    ];

    /// The stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::TvlCapExceeded => "tvl_cap_exceeded",
            Self::DailyWithdrawalLimitExceeded => "daily_withdrawal_limit_exceeded",
            Self::UserDailyLimitExceeded => "user_daily_limit_exceeded",
            Self::CircuitBreakerActive => "circuit_breaker_active",
            Self::EmergencyPause => "emergency_pause",
            Self::ExchangeRateDrop => "exchange_rate_drop",
            Self::OracleFailureStreak => "oracle_failure_streak",
            Self::WithdrawalRate => "withdrawal_rate",
            Self::RiskUnknown => "risk_unknown",
        }
    }
}

/// What a rule found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "result", content = "why", rename_all = "snake_case")]
pub enum Verdict {
    /// Within limits.
    Ok,
    /// Not within limits; says by what.
    Violated(String),
    /// Cannot be told; counts as a finding.
    Unknown(String),
}

/// Limits and flags as last confirmed; `None` = unlimited.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters {
    /// Largest TVL, base units of the pool's asset.
    pub max_tvl: Option<Base>,
    /// Largest deposit of one member, base units.
    pub max_user_deposit: Option<Base>,
    /// Largest sum of withdrawals in a window, base units.
    pub daily_withdrawal_cap: Option<Base>,
    /// The same for one member.
    pub user_daily_cap: Option<Base>,
    /// Withdrawals in 24 h, in millionths of TVL, that trip the breaker.
    pub breaker_threshold_ppm: Option<u32>,
    /// The engine's breaker, with its reason.
    pub engine_breaker: Option<String>,
    /// The engine's emergency mode or pause.
    pub engine_emergency: bool,
}

/// What the rules look at, for one pool. Amounts in base units of the pool's asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Parameters, or why they cannot be used.
    pub parameters: Result<Parameters, String>,
    /// TVL at the pool's last sync.
    pub tvl: Option<Base>,
    /// Exchange rates (18 decimals) of the sync before the last and of the last one.
    pub rates_e18: Option<(Base, Base)>,
    /// The pool's own limit on a fall of the rate.
    pub max_rate_drop_ppm: u32,
    /// Pending, processing and completed withdrawals of the caps' window.
    pub withdrawn_in_window: Base,
    /// The member with the largest sum of them, and that sum.
    pub top_withdrawer: Option<(String, Base)>,
    /// The same of the last 24 h, whatever the window.
    pub withdrawn_24h: Base,
    /// Our own breaker's reason while it is open.
    pub breaker: Option<String>,
    /// Our own pause's reason while it holds.
    pub local_pause: Option<String>,
    /// (feed, refusals in a row) of the feeds of the pool's asset.
    pub feed_streaks: Vec<(String, u64)>,
    /// Streak that counts as a failure.
    pub failure_streak: u64,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            parameters: Ok(Parameters::default()),
            tvl: None,
            rates_e18: None,
            max_rate_drop_ppm: 0,
            withdrawn_in_window: Base::ZERO,
            top_withdrawer: None,
            withdrawn_24h: Base::ZERO,
            breaker: None,
            local_pause: None,
            feed_streaks: Vec::new(),
            failure_streak: 3,
        }
    }
}

/// Runs every rule; none hides another.
pub fn check(facts: &Facts) -> Vec<(Rule, Verdict)> {
    Rule::ALL.into_iter().map(|rule| (rule, judge(rule, facts))).collect()
}

fn judge(rule: Rule, facts: &Facts) -> Verdict {
    match rule {
        Rule::TvlCapExceeded => with_parameters(facts, |p| match (facts.tvl, p.max_tvl) {
            (_, None) => Verdict::Ok,
            (None, Some(_)) => Verdict::Unknown("the pool was never synced".into()),
            (Some(tvl), Some(cap)) => at_most("TVL", tvl, cap),
        }),
        Rule::DailyWithdrawalLimitExceeded => with_parameters(facts, |p| {
            p.daily_withdrawal_cap.map_or(Verdict::Ok, |cap| {
                at_most("withdrawals of the window", facts.withdrawn_in_window, cap)
            })
        }),
        Rule::UserDailyLimitExceeded => {
            with_parameters(facts, |p| match (&facts.top_withdrawer, p.user_daily_cap) {
                (Some((member, sum)), Some(cap)) => at_most(&format!("withdrawals of {member}"), *sum, cap),
                _ => Verdict::Ok,
            })
        }
        Rule::CircuitBreakerActive => match (&facts.breaker, &facts.parameters) {
            (Some(reason), _) => Verdict::Violated(format!("open: {reason}")),
            (None, Ok(Parameters { engine_breaker: Some(reason), .. })) => {
                Verdict::Violated(format!("open at the engine: {reason}"))
            }
            (None, Ok(_)) => Verdict::Ok,
            (None, Err(why)) => Verdict::Unknown(why.clone()),
        },
        Rule::EmergencyPause => match (&facts.local_pause, &facts.parameters) {
            (Some(reason), _) => Verdict::Violated(format!("paused here: {reason}")),
            (None, Ok(p)) if p.engine_emergency => Verdict::Violated("paused at the engine".into()),
            (None, Ok(_)) => Verdict::Ok,
            (None, Err(why)) => Verdict::Unknown(why.clone()),
        },
        Rule::ExchangeRateDrop => match facts.rates_e18 {
            Some((before, now)) => rate_drop(before, now, facts.max_rate_drop_ppm),
            None if facts.tvl.is_some() => Verdict::Ok,
            None => Verdict::Unknown("the pool was never synced".into()),
        },
        Rule::OracleFailureStreak => facts
            .feed_streaks
            .iter()
            .max_by_key(|(_, refused)| *refused)
            .map_or(Verdict::Ok, |(feed, refused)| streak(feed, *refused, facts.failure_streak)),
        Rule::WithdrawalRate => with_parameters(facts, |p| {
            withdrawal_rate(facts.withdrawn_24h, facts.tvl, p.breaker_threshold_ppm)
        }),
        Rule::RiskUnknown => match &facts.parameters {
            Ok(_) => Verdict::Ok,
            Err(why) => Verdict::Violated(why.clone()),
        },
    }
}

fn with_parameters(facts: &Facts, judge: impl FnOnce(&Parameters) -> Verdict) -> Verdict {
    match &facts.parameters {
        Ok(parameters) => judge(parameters),
        Err(why) => Verdict::Unknown(why.clone()),
    }
}

fn at_most(what: &str, figure: Base, cap: Base) -> Verdict {
    if figure > cap {
        Verdict::Violated(format!("{what} {figure} is above the cap {cap} (base units)"))
    } else {
        Verdict::Ok
    }
}

/// Whether a feed was refused too often in a row; `threshold` times is too often.
pub fn streak(feed: &str, refused: u64, threshold: u64) -> Verdict {
    if refused < threshold {
        return Verdict::Ok;
    }
    Verdict::Violated(format!("feed \"{feed}\" was refused {refused} times in a row"))
}

/// Whether withdrawals of 24 h pass the share of TVL that trips the breaker; base units, `None` = no threshold.
pub fn withdrawal_rate(withdrawn_24h: Base, tvl: Option<Base>, threshold_ppm: Option<u32>) -> Verdict {
    match (tvl, threshold_ppm) {
        (_, None) => Verdict::Ok,
        (None, Some(_)) => Verdict::Unknown("the pool was never synced".into()),
        (Some(tvl), Some(ppm)) => {
            let limit = mul_div(tvl, Base::from(ppm), Base::from(1_000_000u32)).unwrap_or(Base::MAX);
            at_most("withdrawals of 24 h", withdrawn_24h, limit)
        }
    }
}

/// Whether a rate fell by more than `max_drop_ppm` of what it was.
pub fn rate_drop(before: Base, now: Base, max_drop_ppm: u32) -> Verdict {
    let allowed = mul_div(before, Base::from(max_drop_ppm), Base::from(1_000_000u32)).unwrap_or(Base::MAX);
    let drop = before.saturating_sub(now);
    if drop <= allowed {
        return Verdict::Ok;
    }
    let shown = |rate| base::amount::to_people(rate, 18);
    Verdict::Violated(format!(
        "exchange rate fell from {} to {} since the sync before, more than {max_drop_ppm} ppm",
        shown(before),
        shown(now)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(v: u64) -> Base {
        Base::from(v)
    }

    fn calm() -> Facts {
        Facts {
            parameters: Ok(Parameters {
                max_tvl: Some(n(1000)),
                daily_withdrawal_cap: Some(n(100)),
                user_daily_cap: Some(n(50)),
                breaker_threshold_ppm: Some(200_000),
                ..Parameters::default()
            }),
            tvl: Some(n(1000)),
            rates_e18: Some((n(1_000_000), n(1_000_000))),
            max_rate_drop_ppm: 5_000,
            failure_streak: 3,
            ..Facts::default()
        }
    }

    fn found(facts: &Facts) -> Vec<(&'static str, bool)> {
        check(facts)
            .into_iter()
            .filter(|(_, v)| *v != Verdict::Ok)
            .map(|(rule, v)| (rule.word(), matches!(v, Verdict::Violated(_))))
            .collect()
    }

    fn with(change: impl FnOnce(&mut Facts, &mut Parameters)) -> Facts {
        let mut facts = calm();
        let mut parameters = facts.parameters.clone().unwrap();
        change(&mut facts, &mut parameters);
        if facts.parameters.is_ok() {
            facts.parameters = Ok(parameters);
        }
        facts
    }

    #[test]
    fn equal_to_a_cap_is_allowed_and_one_more_is_not() {
        assert_eq!(found(&calm()), []);
        for (facts, want) in [
            (with(|f, _| f.tvl = Some(n(1001))), Some("tvl_cap_exceeded")),
            (with(|f, _| f.withdrawn_in_window = n(100)), None),
            (with(|f, _| f.withdrawn_in_window = n(101)), Some("daily_withdrawal_limit_exceeded")),
            (with(|f, _| f.top_withdrawer = Some(("x".into(), n(50)))), None),
            (with(|f, _| f.top_withdrawer = Some(("x".into(), n(51)))), Some("user_daily_limit_exceeded")),
            (with(|f, _| f.withdrawn_24h = n(200)), None),
            (with(|f, _| f.withdrawn_24h = n(201)), Some("withdrawal_rate")),
            (with(|f, _| f.rates_e18 = Some((n(1_000_000), n(995_000)))), None),
            (with(|f, _| f.rates_e18 = Some((n(1_000_000), n(994_999)))), Some("exchange_rate_drop")),
            (with(|f, _| f.rates_e18 = Some((n(1), n(1_000_000)))), None),
            (with(|f, _| f.feed_streaks = vec![("a".into(), 2)]), None),
            (with(|f, _| f.feed_streaks = vec![("a".into(), 3)]), Some("oracle_failure_streak")),
            (with(|f, _| f.breaker = Some("x".into())), Some("circuit_breaker_active")),
            (with(|_, p| p.engine_breaker = Some("x".into())), Some("circuit_breaker_active")),
            (with(|f, _| f.local_pause = Some("x".into())), Some("emergency_pause")),
            (with(|_, p| p.engine_emergency = true), Some("emergency_pause")),
        ] {
            let want: Vec<_> = want.into_iter().map(|word| (word, true)).collect();
            assert_eq!(found(&facts), want);
        }
    }

    #[test]
    fn unlimited_never_violates() {
        let facts = with(|f, p| {
            *p = Parameters::default();
            f.tvl = Some(Base::MAX);
            f.withdrawn_in_window = Base::MAX;
            f.withdrawn_24h = Base::MAX;
            f.top_withdrawer = Some(("x".into(), Base::MAX));
        });
        assert_eq!(found(&facts), []);
    }

    #[test]
    fn missing_parameters_deny_but_hide_nothing() {
        let facts = with(|f, _| {
            f.parameters = Err("never fetched".into());
            f.breaker = Some("x".into());
            f.rates_e18 = Some((n(2), n(1)));
        });
        assert_eq!(
            found(&facts),
            [
                ("tvl_cap_exceeded", false),
                ("daily_withdrawal_limit_exceeded", false),
                ("user_daily_limit_exceeded", false),
                ("circuit_breaker_active", true),
                ("emergency_pause", false),
                ("exchange_rate_drop", true),
                ("withdrawal_rate", false),
                ("risk_unknown", true),
            ]
        );
    }
}
