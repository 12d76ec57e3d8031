//! Limits: from engines and from here, their age, the rules, and what one dead engine does not hide.

use super::desk::{Desk, says, warnings};
use poolctl_testkit::abi::RiskEngine;
use poolctl_testkit::alloy::primitives::{Bytes, U256};
use poolctl_testkit::{Fault, Rule, units};
use serde_json::{Value, json};

const VIOLATIONS: &str = "SELECT rule, count, closed_at IS NOT NULL FROM risk_violations ORDER BY id";

/// A synced desk; `growth` takes its limits from the engine, `stable` from here.
fn desk() -> Desk {
    let desk = Desk::ready();
    desk.run("sync").ok();
    desk.run(&format!("risk set growth --engine viddhana --engine-address {}", desk.world.risk)).ok();
    desk.run("risk set stable --max-tvl 1000000").ok();
    desk
}

/// `risk check` at the head: its findings and the whole envelope.
fn findings(desk: &Desk) -> (Vec<String>, Value) {
    let ran = desk.run("risk check --at latest --json").exits_one_of(&[0, 5]);
    let envelope = ran.envelope();
    let found = envelope["error"]["details"]["findings"].as_array().cloned().unwrap_or_default();
    assert_eq!(found.is_empty(), ran.code == Some(0));
    (found.iter().map(|f| f.as_str().unwrap().to_owned()).collect(), envelope)
}

fn why<'a>(envelope: &'a Value, pool: usize, rule: &str) -> &'a Value {
    let rules = envelope["data"]["pools"][pool]["rules"].as_array().unwrap();
    rules.iter().find(|r| r["rule"] == rule).unwrap()
}

fn engine(desk: &Desk, change: impl FnOnce(&mut RiskEngine::PoolConfig)) {
    let mut config = RiskEngine::PoolConfig {
        maxTvl: units(10_000_000, 18),
        maxUserDeposit: units(5_000_000, 18),
        dailyWithdrawalCap: units(100_000, 18),
        depositsEnabled: true,
        withdrawalsEnabled: true,
        active: true,
    };
    change(&mut config);
    desk.world.set_risk(desk.world.eighteen.vault, config).unwrap();
}

#[test]
fn an_engine_is_read_and_zero_is_unlimited() {
    let desk = desk();
    let never = desk.json("risk show growth");
    assert_eq!(never["pools"][0]["refreshed_at"], Value::Null);
    let dry = desk.unchanged(|| desk.run("risk fetch --dry-run --json").exits(0).envelope());
    let fetched = desk.json("risk fetch");
    assert_eq!(dry["data"]["view"], fetched["view"]);
    let growth = &fetched["pools"][0];
    assert_eq!(growth["max_tvl"], "10000000.000000000000000000");
    assert_eq!(growth["max_user_deposit"], "5000000.000000000000000000");
    assert_eq!(growth["user_daily_cap"], "100000.000000000000000000");
    assert_eq!(growth["daily_withdrawal_cap"], Value::Null, "the engine's cap is per member");
    assert_eq!(growth["block"], fetched["view"]["number"]);
    assert_eq!((&growth["deposits_enabled"], &growth["engine_emergency"]), (&json!(true), &json!(false)));
    assert_eq!(fetched["pools"][1]["max_tvl"], "1000000.000000");
    assert_eq!(findings(&desk).0, Vec::<String>::new());
    let shown = desk.run("risk show growth").ok();
    assert!(shown.contains("10,000,000.00") && shown.contains("unlimited"), "{shown}");

    engine(&desk, |c| (c.maxTvl, c.maxUserDeposit, c.depositsEnabled) = (U256::ZERO, U256::ZERO, false));
    desk.world.node.mine(2).unwrap();
    let growth = desk.json("risk fetch growth")["pools"][0].clone();
    assert_eq!((&growth["max_tvl"], &growth["deposits_enabled"]), (&Value::Null, &json!(false)));
    let shown = desk.run("risk show growth").ok();
    assert_eq!(shown.lines().filter(|l| l.contains("unlimited")).count(), 3, "{shown}");
    assert_eq!(findings(&desk).0, Vec::<String>::new(), "unlimited is never exceeded");
    // Local limits are taken away by 0 and by the word.
    desk.run("risk set stable --max-tvl 0").ok();
    assert_eq!(desk.json("risk show stable")["pools"][0]["max_tvl"], Value::Null);
    desk.run("risk set stable --max-tvl 5 --user-daily-cap unlimited").ok();
    let envelope = desk.unchanged(|| desk.run("risk set growth --max-tvl 5").fails(2, "conflict"));
    says(&envelope["error"]["message"], &["\"growth\" come from its viddhana engine"]);
    desk.sound();
}

#[test]
fn tvl_equal_to_the_cap_is_allowed_and_one_base_unit_more_is_not() {
    let desk = desk();
    let tvl = desk.one("SELECT total_assets FROM pool_snapshots WHERE pool_id = 1").parse::<U256>().unwrap();
    engine(&desk, |c| c.maxTvl = tvl);
    assert_eq!(findings(&desk).0, Vec::<String>::new());
    engine(&desk, |c| c.maxTvl = tvl - U256::ONE);
    let (found, envelope) = findings(&desk);
    assert_eq!(found, ["growth: tvl_cap_exceeded"]);
    assert_eq!(why(&envelope, 0, "tvl_cap_exceeded")["result"], "violated");
    says(&why(&envelope, 0, "tvl_cap_exceeded")["why"], &[&tvl.to_string(), "above the cap"]);
    assert_eq!(why(&envelope, 0, "emergency_pause")["result"], "ok");
    // The same with six decimals and limits of our own.
    assert_eq!(desk.json("pool show stable")["total_assets"], "2301.234567");
    desk.run("risk set stable --max-tvl 2301.234567").ok();
    assert_eq!(findings(&desk).0, ["growth: tvl_cap_exceeded"]);
    desk.run("risk set stable --max-tvl 2301.234566").ok();
    assert_eq!(findings(&desk).0, ["growth: tvl_cap_exceeded", "stable: tvl_cap_exceeded"]);
}

#[test]
fn violations_open_once_are_counted_and_close() {
    let desk = desk();
    engine(&desk, |c| c.maxTvl = U256::ONE);
    for count in 1..=3 {
        findings(&desk);
        assert_eq!(desk.rows(VIOLATIONS), [format!("tvl_cap_exceeded | {count} | 0")]);
    }
    desk.unchanged(|| desk.run("risk check --dry-run --at latest").exits(5));
    engine(&desk, |_| ());
    assert_eq!(findings(&desk).0, Vec::<String>::new());
    assert_eq!(desk.rows(VIOLATIONS), ["tvl_cap_exceeded | 3 | 1"]);
    engine(&desk, |c| c.maxTvl = U256::ONE);
    findings(&desk);
    assert_eq!(desk.rows(VIOLATIONS), ["tvl_cap_exceeded | 3 | 1", "tvl_cap_exceeded | 1 | 0"]);
    let kinds = "SELECT kind FROM events WHERE kind LIKE 'risk.violation.%' ORDER BY id";
    let [opened, closed] = ["risk.violation.opened", "risk.violation.closed"];
    assert_eq!(desk.rows(kinds), [opened, closed, opened]);
    desk.sound();
}

#[test]
fn the_engines_switches_are_findings() {
    let desk = desk();
    let send = |on: bool, paused: bool| {
        let world = &desk.world;
        if paused {
            world.node.send(world.owner, world.risk, &RiskEngine::setPausedCall { on }).unwrap();
        } else {
            world.node.send(world.owner, world.risk, &RiskEngine::setEmergencyModeCall { on }).unwrap();
        }
    };
    for paused in [false, true] {
        send(true, paused);
        let (found, envelope) = findings(&desk);
        assert_eq!(found, ["growth: emergency_pause"]);
        says(&why(&envelope, 0, "emergency_pause")["why"], &["at the engine"]);
        assert_eq!(desk.json("risk show growth")["pools"][0]["engine_emergency"], true);
        send(false, paused);
        assert_eq!(findings(&desk).0, Vec::<String>::new());
    }
    // A breaker and a pause of our own.
    desk.meddle(
        "INSERT INTO circuit_breaker_status (pool_id, active, rule, reason, triggered_at)
         VALUES (2, 1, 'withdrawal_rate', 'a run on the pool', 1700000000)",
    );
    desk.meddle(
        "UPDATE pool_risk_parameters SET local_pause_reason = 'audit', local_paused_at = 1 WHERE pool_id = 2",
    );
    let (found, envelope) = findings(&desk);
    assert_eq!(found, ["stable: circuit_breaker_active", "stable: emergency_pause"]);
    says(&why(&envelope, 1, "circuit_breaker_active")["why"], &["a run on the pool"]);
    says(&why(&envelope, 1, "emergency_pause")["why"], &["audit"]);
}

#[test]
fn a_pool_that_the_engine_does_not_know_has_no_parameters() {
    let desk = desk();
    engine(&desk, |c| c.active = false);
    desk.world.node.mine(2).unwrap();
    let envelope = desk.run("risk fetch").fails(3, "partial");
    says(&envelope["error"]["message"], &["1 of 2 pools failed: growth", "active is false"]);
    let (found, envelope) = findings(&desk);
    let unknown = [
        "tvl_cap_exceeded",
        "daily_withdrawal_limit_exceeded",
        "user_daily_limit_exceeded",
        "circuit_breaker_active",
        "emergency_pause",
        "withdrawal_rate",
        "risk_unknown",
    ];
    assert_eq!(found, unknown.map(|rule| format!("growth: {rule}")));
    assert_eq!(why(&envelope, 0, "tvl_cap_exceeded")["result"], "unknown");
    says(&why(&envelope, 0, "risk_unknown")["why"], &["never read", "active is false"]);
    says(&warnings(&envelope), &["limits not refreshed", "\"growth\""]);
    assert_eq!(desk.rows(VIOLATIONS), ["risk_unknown | 1 | 0"], "what is unknown opens nothing else");
    // A pool without any parameters is denied too.
    let bare = Desk::ready();
    bare.run("sync").ok();
    let (found, envelope) = findings(&bare);
    assert!(found.contains(&"stable: risk_unknown".to_owned()), "{found:?}");
    says(&why(&envelope, 1, "risk_unknown")["why"], &["no risk parameters are set"]);
}

/// Without limits, one line says so with the command that sets some; what needs none is found all the same.
#[test]
fn a_pool_without_limits_is_one_finding_with_its_remedy() {
    let desk = Desk::ready();
    desk.run("sync").ok();
    let (found, envelope) = findings(&desk);
    assert_eq!(found, ["growth: risk_unknown", "stable: risk_unknown"]);
    let pool = &envelope["data"]["pools"][0];
    let fix = "poolctl risk set growth --max-tvl …";
    assert_eq!((&pool["limits"], &pool["ok"]), (&json!("unset"), &json!(false)));
    says(&pool["fix"], &[fix]);
    says(&envelope["error"]["hint"], &[fix]);
    assert_eq!(envelope["warnings"], json!([]), "said once");
    let shown = desk.run("risk check --at latest").exits(5).stdout;
    assert_eq!(shown.lines().filter(|line| line.contains("growth")).count(), 1, "{shown}");
    says(&json!(shown), &["growth: no limits are set, ", fix, "stable: no limits are set, "]);
    desk.run("risk pause growth --reason audit").ok();
    assert_eq!(
        findings(&desk).0,
        ["growth: emergency_pause", "growth: risk_unknown", "stable: risk_unknown"]
    );
    // With limits it is silent about the one, and still about the other.
    desk.run("risk set stable --max-tvl 1000000").ok();
    let (found, envelope) = findings(&desk);
    assert_eq!(found, ["growth: emergency_pause", "growth: risk_unknown"]);
    let stable = &envelope["data"]["pools"][1];
    assert_eq!((&stable["limits"], &stable["fix"]), (&json!("fresh"), &Value::Null));
}

/// Older limits that find nothing are no result: the check says which pools they are of, and fails where they are all.
#[test]
fn a_check_that_could_refresh_nothing_is_not_well() {
    let desk = desk();
    assert_eq!(findings(&desk).0, Vec::<String>::new());
    desk.run("risk check growth --at latest").ok();
    desk.wire.fault(Rule::new(Fault::Refuse));
    let ran = desk.run("risk check --at latest").exits(0);
    let older = "growth: 9 of 9 rules ok by older limits, which could not be refreshed";
    assert!(ran.stdout.contains(older) && ran.stdout.contains("stable: 9 of 9 rules ok\n"), "{ran:?}");
    assert!(ran.stderr.contains("limits not refreshed: "), "{ran:?}");
    let envelope = desk.run("risk check growth --at latest").fails(75, "unreachable");
    says(&envelope["error"]["message"], &["no limits could be refreshed", "endpoint \"main\""]);
    let growth = &envelope["data"]["pools"][0];
    assert_eq!((&growth["limits"], &growth["ok"]), (&json!("older"), &json!(true)));
    says(&growth["not_refreshed"], &["endpoint \"main\""]);
    let before = desk.one("SELECT refreshed_at FROM pool_risk_parameters WHERE pool_id = 1");
    assert_eq!(desk.rows(VIOLATIONS), Vec::<String>::new());
    assert_eq!(desk.one("SELECT refreshed_at FROM pool_risk_parameters WHERE pool_id = 1"), before);
    // A finding is one, however old the limits are.
    desk.run("risk pause growth --reason audit").ok();
    desk.run("risk check growth --at latest").fails(5, "check_failed");
    desk.wire.heal();
    desk.run("risk unpause growth --reason done").ok();
    desk.run("risk check growth --at latest").ok();
    desk.sound();
}

#[test]
fn parameters_that_are_too_old_are_none() {
    let desk = desk();
    assert_eq!(findings(&desk).0, Vec::<String>::new());
    desk.wire.fault(Rule::new(Fault::Refuse));
    // Up to the limit, the last confirmed values serve.
    desk.meddle("UPDATE pool_risk_parameters SET refreshed_at = refreshed_at - 3500");
    let (found, envelope) = findings(&desk);
    assert_eq!(found, Vec::<String>::new());
    says(&warnings(&envelope), &["limits not refreshed", "endpoint \"main\""]);
    assert_eq!(envelope["data"]["view"], Value::Null);
    // Beyond it, nothing is allowed; limits of our own need no chain to be confirmed.
    desk.meddle("UPDATE pool_risk_parameters SET refreshed_at = refreshed_at - 3600");
    let (found, envelope) = findings(&desk);
    assert!(found.contains(&"growth: risk_unknown".to_owned()), "{found:?}");
    says(&why(&envelope, 0, "risk_unknown")["why"], &["old, the limit is 1h", "endpoint \"main\""]);
    assert!(!found.iter().any(|f| f.starts_with("stable")), "{found:?}");
    assert!(!warnings(&envelope).as_str().unwrap().contains("stable"), "{envelope}");
    desk.wire.heal();
    assert_eq!(findings(&desk).0, Vec::<String>::new());
    assert_eq!(desk.rows(VIOLATIONS), ["risk_unknown | 1 | 1"]);
}

#[test]
fn an_engine_that_cannot_be_read_hides_no_other_finding() {
    let desk = desk();
    findings(&desk);
    desk.run("risk set stable --max-tvl 1").ok();
    desk.world.loss(desk.world.eighteen.vault, units(500, 18)).unwrap();
    desk.world.node.mine(2).unwrap();
    desk.run("sync --json").exits(0);
    // The drop opened the breaker in the sync that saw it.
    let want = ["growth: circuit_breaker_active", "growth: exchange_rate_drop", "stable: tvl_cap_exceeded"];
    assert_eq!(findings(&desk).0, want);
    // The engine's contract is gone: last values serve, and every other rule is still run.
    desk.world.node.set_code(desk.world.risk, &Bytes::new()).unwrap();
    desk.world.node.mine(2).unwrap();
    let (found, envelope) = findings(&desk);
    assert_eq!(found, want);
    says(&warnings(&envelope), &["risk engine of pool \"growth\"", "answered nothing"]);
    let envelope = desk.run("risk fetch").fails(3, "partial");
    says(&envelope["error"]["message"], &[&desk.world.risk.to_string(), "answered nothing"]);
    desk.run("risk fetch growth").fails(1, "not_a_contract");
    // The whole chain is silent.
    for fault in [Fault::Refuse, Fault::Status(401, None), Fault::Status(429, Some(3600)), Fault::Html] {
        desk.wire.heal();
        desk.wire.fault(Rule::new(fault));
        assert_eq!(findings(&desk).0, want);
    }
    let open = ["exchange_rate_drop | 7 | 0", "circuit_breaker_active | 6 | 0", "tvl_cap_exceeded | 6 | 0"];
    assert_eq!(desk.rows(VIOLATIONS), open);
    // Another chain is no silence.
    desk.wire.heal();
    desk.wire.fault(Rule::new(Fault::ChainId(1)));
    desk.unchanged(|| desk.run("risk check").fails(4, "wrong_network"));
}

#[test]
fn withdrawals_count_against_the_caps_of_their_window() {
    let desk = desk();
    desk.run("risk set stable --daily-withdrawal-cap 10 --user-daily-cap 6 --window rolling-24h").ok();
    let withdraw = |member: &str, assets: u64, status: &str| {
        let ended = if status == "failed" || status == "completed" { "1" } else { "NULL" };
        desk.meddle(&format!(
            "INSERT INTO pool_withdrawals (pool_id, member_id, shares, assets, status, requested_at, ended_at)
             SELECT 2, id, '1', '{assets}', '{status}', unixepoch() - 100, {ended} FROM members WHERE address = '{member}'"
        ));
    };
    let (alice, bob) = (desk.world.alice.to_string(), desk.world.bob.to_string());
    withdraw(&alice, 6_000_000, "pending");
    withdraw(&bob, 4_000_000, "completed");
    withdraw(&bob, 99_000_000, "failed");
    assert_eq!(findings(&desk).0, Vec::<String>::new(), "equal to the caps");
    withdraw(&bob, 1, "processing");
    let (found, envelope) = findings(&desk);
    assert_eq!(found, ["stable: daily_withdrawal_limit_exceeded"]);
    says(&why(&envelope, 1, "daily_withdrawal_limit_exceeded")["why"], &["10000001", "10000000"]);
    desk.meddle("UPDATE pool_withdrawals SET assets = '2' WHERE assets = '4000000'");
    withdraw(&alice, 1, "pending");
    let (found, envelope) = findings(&desk);
    assert_eq!(found, ["stable: user_daily_limit_exceeded"]);
    says(&why(&envelope, 1, "user_daily_limit_exceeded")["why"], &[&alice, "6000001"]);
    // The share of TVL that trips the breaker: 6.000004 of 2301.234567 is 0.2607 %.
    desk.run("risk set stable --breaker-threshold 0.002608 --user-daily-cap 0").ok();
    assert_eq!(findings(&desk).0, Vec::<String>::new());
    desk.run("risk set stable --breaker-threshold 0.002607").ok();
    assert_eq!(findings(&desk).0, ["stable: circuit_breaker_active", "stable: withdrawal_rate"]);
    desk.meddle("UPDATE pool_withdrawals SET requested_at = requested_at - 86400");
    assert_eq!(findings(&desk).0, ["stable: circuit_breaker_active"], "yesterday's do not count");
    desk.run("risk reset-breaker stable --reason checked").ok();
    assert_eq!(findings(&desk).0, Vec::<String>::new());
}
