//! Every risk rule held against what is known of one pool. Pure.

use super::gate::Barrier;
use super::parameters::Parameters;
use super::rules::{FeedHealth, Rule, RuleResult, at_most, oracle_failure, rate_drop, withdrawal_rate};
use base::amount::Base;
use strum::VariantArray;

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
    /// What stands in the pool's way.
    pub barriers: Vec<Barrier>,
    /// The feeds of the pool's asset.
    pub feeds: Vec<FeedHealth>,
    /// Streak that counts as a failure.
    pub failure_streak: u64,
}

/// Runs every rule; none hides another.
pub fn check(facts: &Facts) -> Vec<(Rule, RuleResult)> {
    Rule::VARIANTS.iter().map(|rule| (*rule, judge(*rule, facts))).collect()
}

fn judge(rule: Rule, facts: &Facts) -> RuleResult {
    match rule {
        Rule::TvlCapExceeded => with_parameters(facts, |p| match (facts.tvl, p.max_tvl) {
            (_, None) => RuleResult::Ok,
            (None, Some(_)) => RuleResult::Unknown("the pool was never synced".into()),
            (Some(tvl), Some(cap)) => at_most("TVL", tvl, cap),
        }),
        Rule::DailyWithdrawalLimitExceeded => with_parameters(facts, |p| {
            p.daily_withdrawal_cap.map_or(RuleResult::Ok, |cap| {
                at_most("withdrawals of the window", facts.withdrawn_in_window, cap)
            })
        }),
        Rule::UserDailyLimitExceeded => {
            with_parameters(facts, |p| match (&facts.top_withdrawer, p.user_daily_cap) {
                (Some((member, sum)), Some(cap)) => at_most(&format!("withdrawals of {member}"), *sum, cap),
                _ => RuleResult::Ok,
            })
        }
        Rule::CircuitBreakerActive => held(facts, |barrier| match barrier {
            Barrier::BreakerOpen(breaker) => Some(format!("open: {}", breaker.reason)),
            Barrier::EngineBreaker(reason) => Some(format!("open at the engine: {reason}")),
            _ => None,
        }),
        Rule::EmergencyPause => held(facts, |barrier| match barrier {
            Barrier::Paused { .. } | Barrier::EnginePaused => Some(barrier.why()),
            _ => None,
        }),
        Rule::ExchangeRateDrop => match facts.rates_e18 {
            Some((before, now)) => rate_drop(before, now, facts.max_rate_drop_ppm),
            None if facts.tvl.is_some() => RuleResult::Ok,
            None => RuleResult::Unknown("the pool was never synced".into()),
        },
        Rule::OracleFailureStreak => oracle_failure(&facts.feeds, facts.failure_streak),
        Rule::WithdrawalRate => with_parameters(facts, |p| {
            withdrawal_rate(facts.withdrawn_24h, facts.tvl, p.breaker_threshold_ppm)
        }),
        Rule::RiskUnknown => match &facts.parameters {
            Ok(_) => RuleResult::Ok,
            Err(why) => RuleResult::Violated(why.clone()),
        },
    }
}

fn with_parameters(facts: &Facts, judge: impl FnOnce(&Parameters) -> RuleResult) -> RuleResult {
    match &facts.parameters {
        Ok(parameters) => judge(parameters),
        Err(why) => RuleResult::Unknown(why.clone()),
    }
}

/// The first barrier of one kind is the violation. Where there is none, it may only be unknown.
fn held(facts: &Facts, why: impl Fn(&Barrier) -> Option<String>) -> RuleResult {
    match facts.barriers.iter().find_map(why) {
        Some(why) => RuleResult::Violated(why),
        None => with_parameters(facts, |_| RuleResult::Ok),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::breaker::Breaker;

    fn n(v: u64) -> Base {
        Base::from(v)
    }

    fn open() -> Barrier {
        let (rule, reason) = ("withdrawal_rate".into(), "x".into());
        Barrier::BreakerOpen(Breaker { active: true, rule, reason, triggered_at: 1, reset: None })
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
            withdrawn_in_window: Base::ZERO,
            top_withdrawer: None,
            withdrawn_24h: Base::ZERO,
            barriers: Vec::new(),
            feeds: Vec::new(),
            failure_streak: 3,
        }
    }

    fn found(facts: &Facts) -> Vec<(&'static str, bool)> {
        check(facts)
            .into_iter()
            .filter(|(_, v)| *v != RuleResult::Ok)
            .map(|(rule, v)| (rule.as_str(), matches!(v, RuleResult::Violated(_))))
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

    fn feed(refused: u64) -> FeedHealth {
        FeedHealth { feed: "a".into(), refused, priced: true }
    }

    fn barred(barrier: Barrier) -> Facts {
        Facts { barriers: vec![barrier], ..calm() }
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
            (with(|f, _| f.feeds = vec![feed(2)]), None),
            (with(|f, _| f.feeds = vec![feed(3)]), Some("oracle_failure_streak")),
            (barred(open()), Some("circuit_breaker_active")),
            (barred(Barrier::EngineBreaker("x".into())), Some("circuit_breaker_active")),
            (barred(Barrier::Paused { reason: "x".into(), since: Some(1) }), Some("emergency_pause")),
            (barred(Barrier::EnginePaused), Some("emergency_pause")),
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
            f.barriers = vec![open()];
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
