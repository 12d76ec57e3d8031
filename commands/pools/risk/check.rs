//! `poolctl risk check`: every rule of every pool, for a person, a script or a monitoring system.

use crate::output::nagios::{Perf, Probe, Status};
use crate::output::words;
use crate::pools::{NO_POOLS, Pools, seen};
use crate::shell::at::AtFlag;
use crate::shell::prelude::*;
use app::pools::risk::{CheckOutput, PoolCheckView, RuleView};
use evm::ViewStamp;
use vault::risk::rules::{Rule, RuleResult};
use vault::risk::{self, Limits, PoolCheck};
use watch::metrics::Gauge;

/// Check every risk rule of pools; exit 5 if one is violated or cannot be evaluated
///
/// Limits are refreshed first. What cannot be read hides no other finding. Where nothing could be refreshed and older limits
/// find nothing, the check has not succeeded: it ends with the error of the chain, exit 75 where that may pass.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl risk check --all")]
pub struct Check {
    #[command(flatten)]
    pools: Pools,
    #[command(flatten)]
    at: AtFlag,
    #[command(flatten)]
    dry: DryRun,
    /// One line for a monitoring system, exit 0/1/2/3: warning where limits are not fresh
    #[arg(long, conflicts_with = "json")]
    nagios: bool,
}

const SERVICE: &str = "RISK";

impl Check {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        match self.check(session) {
            Ok((view, checks)) if self.nagios => {
                let probe = probe(&checks);
                Ok(outcome(view, checks).probe(probe))
            }
            Ok((view, checks)) => Ok(outcome(view, checks)),
            Err(e) if !self.nagios => Err(e),
            Err(e) => Ok(Outcome::failed(e.clone()).probe(Probe::failed(SERVICE, &e))),
        }
    }

    fn check(&self, session: &Session) -> Result<(Option<ViewStamp>, Vec<PoolCheck>)> {
        let app = App::open(session)?;
        let at = self.at.or(&app.config)?;
        let pools = self.pools.select(session, app.read()?.conn())?;
        app.write_async(self.dry.dry_run, async |work| risk::check(work, || app.chain(), &pools, at).await)
    }
}

fn outcome(view: Option<ViewStamp>, checks: Vec<PoolCheck>) -> Outcome {
    let warnings: Vec<String> = checks
        .iter()
        .filter(|check| check.limits == Limits::Older)
        .filter_map(|check| check.not_refreshed.as_ref())
        .map(|e| format!("limits not refreshed: {e}"))
        .collect();
    let failure = failure(&checks);
    let gauges: Vec<Gauge> = checks.iter().flat_map(gauges).collect();
    let pools = checks
        .into_iter()
        .map(|check| PoolCheckView {
            ok: check.is_ok(),
            limits: check.limits.as_str(),
            not_refreshed: check.not_refreshed.as_ref().map(words::message),
            fix: unset(&check).and_then(Error::remedy).map(words::hint),
            pool: check.pool,
            rules: check.results.into_iter().map(|(rule, verdict)| RuleView { rule, verdict }).collect(),
        })
        .collect();
    Outcome::of(CheckOutput { view, pools }).warn(warnings).gauges(gauges).but(failure)
}

/// That a pool has no limits, with what sets some.
fn unset(check: &PoolCheck) -> Option<&Error> {
    check.not_refreshed.as_ref().filter(|_| check.limits == Limits::Unset)
}

/// Everything that is not ok: pool, rule, and what was found. Without limits, that is one finding and not one for each rule
/// that cannot be told for it.
fn findings(checks: &[PoolCheck]) -> Vec<(&str, Rule, &RuleResult)> {
    let of = |check: &'_ PoolCheck, verdict: &RuleResult| match verdict {
        RuleResult::Ok => false,
        RuleResult::Violated(_) => true,
        RuleResult::Unknown(_) => check.limits != Limits::Unset,
    };
    let all = checks
        .iter()
        .flat_map(|check| check.results.iter().map(move |(rule, verdict)| (check, rule, verdict)));
    all.filter(|(check, _, verdict)| of(check, verdict))
        .map(|(check, rule, verdict)| (check.pool.as_str(), *rule, verdict))
        .collect()
}

fn failure(checks: &[PoolCheck]) -> Option<Error> {
    let found = findings(checks);
    let words: Vec<String> =
        found.iter().map(|(pool, rule, _)| format!("{pool}: {}", rule.as_str())).collect();
    let Some(first) = words.first() else { return blind(checks) };
    let why = format!("{}; first: {first}", counted(words.len(), "risk finding"));
    let error = Error::new(Code::CheckFailed, why).detail("findings", words);
    // Where limits are all that is missing, they are to be set; that mends no other finding.
    let untold = found.iter().all(|(_, rule, _)| *rule == Rule::RiskUnknown);
    let fix = checks.iter().find_map(unset).and_then(Error::remedy).filter(|_| untold);
    Some(match fix {
        Some(remedy) => error.hint(remedy.clone()),
        None => error,
    })
}

/// Nothing was found, by limits none of which could be refreshed: that is no result.
fn blind(checks: &[PoolCheck]) -> Option<Error> {
    let failures: Option<Vec<&Error>> = checks.iter().map(|check| check.not_refreshed.as_ref()).collect();
    let first = *failures.as_ref()?.first()?;
    Some(first.clone().context("no limits could be refreshed, and older ones find nothing"))
}

/// Critical where a rule is violated, unknown where one cannot be told, a warning where older limits served.
fn probe(checks: &[PoolCheck]) -> Probe {
    let (violated, unknown): (Vec<_>, Vec<_>) =
        findings(checks).into_iter().partition(|(_, _, verdict)| matches!(verdict, RuleResult::Violated(_)));
    let stale: Vec<&str> =
        checks.iter().filter(|check| check.not_refreshed.is_some()).map(|check| &*check.pool).collect();
    let first = |found: &[(&str, Rule, &RuleResult)]| {
        let words = found.iter().map(|(pool, rule, verdict)| match verdict {
            RuleResult::Violated(why) | RuleResult::Unknown(why) => {
                format!("{pool}: {}: {why}", rule.as_str())
            }
            RuleResult::Ok => String::new(),
        });
        words.take(1).collect::<String>()
    };
    let rules: usize = checks.iter().map(|check| check.results.len()).sum();
    // A pool without usable limits violates risk_unknown only: it cannot be told whether it is well.
    let untold = violated.iter().all(|(_, rule, _)| *rule == Rule::RiskUnknown);
    let (status, text) = match (violated.as_slice(), unknown.as_slice(), stale.as_slice()) {
        _ if checks.is_empty() => (Status::Unknown, "there are no pools".to_owned()),
        (found @ [_, ..], ..) if untold => (Status::Unknown, first(found)),
        (found @ [_, ..], ..) => {
            let known: Vec<_> =
                found.iter().filter(|(_, rule, _)| *rule != Rule::RiskUnknown).copied().collect();
            (Status::Critical, format!("{} violated; first: {}", known.len(), first(&known)))
        }
        (_, found @ [_, ..], _) => (Status::Unknown, first(found)),
        (.., pools @ [_, ..]) => (Status::Warning, format!("limits not refreshed: {}", pools.join(", "))),
        _ => (Status::Ok, format!("{rules} of {rules} rules ok")),
    };
    let perf = vec![
        Perf::new("violated", violated.len().to_string()).critical(0),
        Perf::new("unknown", unknown.len().to_string()),
        Perf::new("rules", rules.to_string()),
        Perf::new("pools", checks.len().to_string()),
    ];
    Probe::new(SERVICE, status, text, perf)
}

fn gauges(check: &PoolCheck) -> [Gauge; 2] {
    let labels = vec![("pool", check.pool.clone())];
    let gauge = |name, help, value: usize| Gauge { labels: labels.clone(), ..Gauge::new(name, help, value) };
    let bad = || check.results.iter().filter(|(_, verdict)| *verdict != RuleResult::Ok);
    let open = bad().any(|(rule, verdict)| {
        *rule == Rule::CircuitBreakerActive && matches!(verdict, RuleResult::Violated(_))
    });
    [
        gauge("poolctl_risk_findings", "Risk rules that are violated or cannot be evaluated.", bad().count()),
        gauge("poolctl_risk_breaker_open", "1 while a circuit breaker of the pool is open.", open.into()),
    ]
}

impl Present for CheckOutput {
    fn present(&self, page: &mut Page) {
        if self.pools.is_empty() {
            page.line(NO_POOLS);
            return;
        }
        let rules = self.pools.iter().flat_map(|pool| pool.rules.iter().map(move |rule| (pool, rule)));
        let rows = rules.filter_map(|(pool, RuleView { rule, verdict })| {
            let (result, why) = match verdict {
                RuleResult::Ok => return None,
                // Without limits, one line below says it.
                _ if pool.fix.is_some() && *rule == Rule::RiskUnknown => return None,
                RuleResult::Unknown(_) if pool.fix.is_some() => return None,
                RuleResult::Violated(why) => ("VIOLATED", why),
                RuleResult::Unknown(why) => ("unknown", why),
            };
            Some(cells![pool.pool, rule.as_str(), result, why])
        });
        page.rows(["POOL", "RULE", "RESULT", "WHY"], rows, |row| row);
        for pool in &self.pools {
            let ok = pool.rules.iter().filter(|rule| rule.verdict == RuleResult::Ok).count();
            let (name, rules) = (&pool.pool, pool.rules.len());
            page.line(match (&pool.fix, &pool.not_refreshed) {
                (Some(fix), _) => format!("{name}: no limits are set, {ok} of {rules} rules ok; {fix}"),
                (None, None) => format!("{name}: {ok} of {rules} rules ok"),
                (None, Some(_)) => {
                    format!("{name}: {ok} of {rules} rules ok by older limits, which could not be refreshed")
                }
            });
        }
        seen(page, self.view.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_limits_is_no_remedy_for_anything_else() {
        let bad = || RuleResult::Violated("so it is".into());
        let untold = || RuleResult::Unknown("no limits are set".into());
        for (also, mends) in [
            (vec![], true),
            (vec![(Rule::TvlCapExceeded, untold())], true),
            (vec![(Rule::EmergencyPause, bad())], false),
        ] {
            let mut results = vec![(Rule::RiskUnknown, bad())];
            results.extend(also);
            let why = Error::new(Code::CheckFailed, "no limits are set").hint("set some");
            let check =
                PoolCheck { pool: "main".into(), results, limits: Limits::Unset, not_refreshed: Some(why) };
            let failed = failure(&[check]).unwrap();
            assert_eq!(failed.remedy().is_some(), mends, "{failed}");
        }
    }
}
