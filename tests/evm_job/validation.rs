//! What forbids a withdrawal: caps, pauses, breakers, cooldowns, and what is not known; and bad input to each command.

use super::desk::{Desk, misspelt, says};
use super::withdrawals::{desk, free, reasons, request};
use poolctl_testkit::abi::RiskEngine;
use poolctl_testkit::alloy::primitives::{B256, U256};
use poolctl_testkit::units;
use serde_json::{Value, json};

/// The reasons as a request is refused with them; nothing is written.
fn refused(desk: &Desk, line: &str) -> Value {
    let envelope = desk.unchanged(|| desk.run(&format!("withdrawal request {line}")).fails(4, "not_valid"));
    assert_eq!((&envelope["data"]["valid"], &envelope["data"]["withdrawal"]), (&json!(false), &Value::Null));
    envelope["error"]["details"]["reasons"].clone()
}

#[test]
fn a_cap_is_reached_exactly_and_not_passed_by_a_base_unit() {
    let desk = desk();
    desk.run("risk set stable --daily-withdrawal-cap 100 --user-daily-cap 60 --window rolling-24h").ok();
    assert_eq!(reasons(&desk, "60"), [""; 0]);
    assert_eq!(reasons(&desk, "60.000001"), ["user_daily_cap"]);
    assert_eq!(reasons(&desk, "100.000001"), ["daily_withdrawal_cap", "user_daily_cap"]);
    request(&desk, "20");
    let id = request(&desk, "40");
    assert_eq!(reasons(&desk, "0.000001"), ["user_daily_cap"]);
    assert_eq!(refused(&desk, "stable alice 0.000001"), json!(["user_daily_cap"]));
    // Another member has its own cap, and the pool's is common.
    let bob = desk.world.bob;
    assert_eq!(refused(&desk, &format!("stable {bob} 40.000001")), json!(["daily_withdrawal_cap"]));
    desk.run(&format!("withdrawal request stable {bob} 40")).ok();
    assert_eq!(reasons(&desk, "0.000001"), ["daily_withdrawal_cap", "user_daily_cap"]);
    // Completed ones count, failed ones do not.
    desk.run(&format!("withdrawal complete {id} --unverified")).ok();
    assert_eq!(reasons(&desk, "0.000001"), ["daily_withdrawal_cap", "user_daily_cap"]);
    desk.run(&format!("withdrawal fail {id} --reason x --unverified")).ok();
    assert_eq!(reasons(&desk, "40"), [""; 0]);
    assert_eq!(reasons(&desk, "40.000001"), ["daily_withdrawal_cap", "user_daily_cap"]);
    // The check that runs from cron agrees.
    desk.run("risk check stable").exits(0);
    // Those of the day before do not count.
    desk.meddle("UPDATE pool_withdrawals SET requested_at = requested_at - 86500");
    assert_eq!(reasons(&desk, "60"), [""; 0]);
    let envelope = desk.run("pool validate-withdrawal stable alice 61").fails(5, "check_failed");
    let details = json!({ "asked": "61.000000", "cap": "60.000000", "withdrawn": "0.000000", "left": "60.000000",
                          "window": "rolling-24h" });
    assert_eq!(envelope["data"]["reasons"][0]["details"], details);
}

#[test]
fn shares_are_worth_what_the_last_sync_says_rounded_down() {
    let desk = desk();
    // 75 were given to 1,450 shares: the worth is no whole number of base units.
    let worth = |shares: &str| {
        let data = desk.json(&format!("pool validate-withdrawal growth alice {shares}"));
        assert_eq!(data["view"], desk.json("pool show growth")["view"]);
        data["assets"].as_str().unwrap().to_owned()
    };
    let position = desk.json("pool position alice growth");
    assert_eq!(worth("900"), position["underlying"]);
    let one = worth("0.000000000000000001");
    assert_eq!(one, "0.000000000000000001");
    let show = desk.json("pool show growth");
    let base = |text: &Value| text.as_str().unwrap().replace('.', "").parse::<U256>().unwrap();
    let (assets, shares) = (base(&show["total_assets"]), base(&show["total_shares"]));
    let want = units(7, 18) * assets / shares;
    assert!(!(units(7, 18) * assets % shares).is_zero(), "there is something to round");
    assert_eq!(base(&json!(worth("7"))), want);
    // The cap is in assets, so it is reached before as many shares are.
    desk.run(&format!("risk set growth --user-daily-cap {}", worth("7"))).ok();
    desk.json("pool validate-withdrawal growth alice 7");
    desk.run("pool validate-withdrawal growth alice 7.000000000000000002").fails(5, "check_failed");
}

#[test]
fn what_is_closed_at_the_pool_the_engine_or_here_is_named_all_at_once() {
    let desk = desk();
    let world = &desk.world;
    let engine = |enabled: bool, emergency: bool| {
        let config = RiskEngine::PoolConfig {
            maxTvl: U256::ZERO,
            maxUserDeposit: U256::ZERO,
            dailyWithdrawalCap: units(100, 6),
            depositsEnabled: true,
            withdrawalsEnabled: enabled,
            active: true,
        };
        world.set_risk(world.six.vault, config).unwrap();
        let call = RiskEngine::setEmergencyModeCall { on: emergency };
        world.node.send(world.owner, world.risk, &call).unwrap();
        world.node.mine(2).unwrap();
        desk.run("risk fetch stable").ok();
        desk.wire.clear();
    };
    desk.run(&format!("risk set stable --engine viddhana --engine-address {}", world.risk)).ok();
    assert_eq!(reasons(&desk, "1"), ["risk_unknown"], "an engine that was never read");
    engine(true, false);
    assert_eq!(reasons(&desk, "100"), [""; 0]);
    assert_eq!(reasons(&desk, "100.000001"), ["user_daily_cap"]);
    engine(false, false);
    assert_eq!(reasons(&desk, "1"), ["pool_paused"]);
    engine(false, true);
    assert_eq!(reasons(&desk, "1"), ["pool_paused", "emergency_paused"]);
    desk.run("risk pause stable --reason audit").ok();
    world.pause(world.six.vault).unwrap();
    world.node.mine(2).unwrap();
    desk.run("sync").ok();
    desk.meddle("UPDATE pool_risk_parameters SET refreshed_at = refreshed_at - 3700 WHERE pool_id = 2");
    desk.meddle("UPDATE pool_snapshots SET cooldown_sec = 2000000000 WHERE pool_id = 2");
    let all = [
        "risk_unknown",
        "pool_paused",
        "pool_paused",
        "emergency_paused",
        "emergency_paused",
        "insufficient_shares",
        "cooldown",
    ];
    assert_eq!(reasons(&desk, "2000.000001"), all);
    assert_eq!(refused(&desk, "stable alice 2000.000001"), json!(all));
    let text = desk.run("pool validate-withdrawal stable alice 2000.000001").exits(5).stdout;
    for word in ["NOT valid", "the vault is paused", "the engine lets nothing out", "paused here: audit"] {
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn the_cooldown_runs_from_the_last_deposit() {
    let desk = desk();
    let deposited: i64 = desk
        .one(
            "SELECT u.last_deposit_at FROM user_pool_shares u JOIN members m ON m.id = u.member_id
              WHERE u.pool_id = 2 AND m.name = 'alice'",
        )
        .parse()
        .unwrap();
    let now: i64 = desk.one("SELECT unixepoch()").parse().unwrap();
    let set = |seconds: i64| {
        desk.meddle(&format!("UPDATE pool_snapshots SET cooldown_sec = {seconds} WHERE pool_id = 2"));
    };
    set(now - deposited);
    assert_eq!(reasons(&desk, "1"), [""; 0], "as old as it must be");
    set(now - deposited + 600);
    assert_eq!(reasons(&desk, "1"), ["cooldown"]);
    let envelope = desk.run("pool validate-withdrawal stable alice 1").fails(5, "check_failed");
    let left = envelope["data"]["reasons"][0]["details"]["seconds_left"].as_i64().unwrap();
    assert!((540..=600).contains(&left), "{left}");
    // Whose shares came from another never deposited.
    let carol = desk.world.carol;
    desk.json(&format!("pool validate-withdrawal growth {carol} 1"));
    // A new deposit begins it anew.
    set(now - deposited);
    desk.meddle("UPDATE user_pool_shares SET last_deposit_at = NULL WHERE pool_id = 2");
    assert_eq!(reasons(&desk, "1"), ["cooldown"], "a deposit whose time is not known may be of just now");
}

#[test]
fn who_and_what_is_unknown_is_a_reason_beside_the_others() {
    let desk = desk();
    desk.run("risk pause stable --reason audit").ok();
    let all = |line: &str| {
        let args: Vec<&str> = ["pool", "validate-withdrawal"].into_iter().chain(line.split(' ')).collect();
        let envelope = desk.unchanged(|| desk.home.args(&args).fails(5, "check_failed"));
        assert_eq!(desk.wire.http_count(), 0);
        envelope["error"]["details"]["reasons"].clone()
    };
    assert_eq!(all("nowhere nobody none"), json!(["invalid_amount", "unknown_pool", "unknown_member"]));
    assert_eq!(all("stable nobody 1e3"), json!(["invalid_amount", "unknown_member", "emergency_paused"]));
    assert_eq!(all("stable alice 0"), json!(["invalid_amount", "emergency_paused"]));
    assert_eq!(all("nowhere alice 1"), json!(["unknown_pool"]));
    assert_eq!(all("stable alice 2001"), json!(["emergency_paused", "insufficient_shares"]));
    // A pool that was never synced has shares of unknown worth.
    let third = desk.world.add_vault(desk.world.six.asset, 0).unwrap().address().unwrap();
    desk.world.node.mine(2).unwrap();
    desk.run(&format!("pool add third {third}")).ok();
    desk.run("risk set third --max-tvl unlimited").ok();
    desk.wire.clear();
    assert_eq!(all("third alice 1"), json!(["risk_unknown", "insufficient_shares"]));
    assert_eq!(refused(&desk, "third alice 1"), json!(["risk_unknown", "insufficient_shares"]));
}

#[test]
fn bad_input_is_refused_before_anything_is_written_or_sent() {
    let desk = desk();
    let id = request(&desk, "1").to_string();
    let hash = B256::repeat_byte(7).to_string();
    let misspelt = misspelt(desk.world.six.vault);
    for (bad, why) in [
        ("0", "is nothing"),
        ("0.000000", "is nothing"),
        ("-1", "no sign"),
        ("1e3", "exponent"),
        ("100abc", "not a plain decimal"),
        ("1.0000001", "7 decimals, but at most 6"),
        ("", "is empty"),
        (" 1", "space"),
        (&"9".repeat(80), "2^256-1"),
    ] {
        let args = ["withdrawal", "request", "stable", "alice", bad];
        desk.refuses_offline(&args, "invalid_amount", &["SHARES", why]);
        let args = ["pool", "validate-withdrawal", "stable", "alice", bad];
        let envelope = desk.unchanged(|| desk.home.args(args).fails(5, "check_failed"));
        assert_eq!(envelope["data"]["reasons"][0]["code"], "invalid_amount", "{bad}");
        says(&envelope["data"]["reasons"][0]["message"], &["SHARES", why]);
    }
    let long = "k".repeat(201);
    for (args, code, words) in [
        (vec!["withdrawal", "request", "stble", "alice", "1"], "unknown_pool", vec!["no pool \"stble\""]),
        (vec!["withdrawal", "request", "stable", "bob", "1"], "unknown_member", vec!["no member \"bob\""]),
        (vec!["withdrawal", "request", &misspelt, "alice", "1"], "invalid_address", vec!["POOL"]),
        (vec!["withdrawal", "request", "stable", "0x12", "1"], "invalid_address", vec!["MEMBER"]),
        (vec!["pool", "validate-withdrawal", &misspelt, "alice", "1"], "invalid_address", vec!["POOL"]),
        (vec!["pool", "validate-withdrawal", "stable", "0x12", "1"], "invalid_address", vec!["MEMBER"]),
        (vec!["pool", "validate-withdrawal", "stable", "alice"], "usage", vec!["SHARES"]),
        (vec!["withdrawal", "request", "stable", "alice"], "usage", vec!["SHARES"]),
        (vec!["withdrawal", "complete", "77", "--tx", &hash], "unknown_withdrawal", vec!["no withdrawal 77"]),
        (vec!["withdrawal", "complete", "-1", "--tx", &hash], "unknown_withdrawal", vec!["no withdrawal -1"]),
        (vec!["withdrawal", "complete", "x", "--tx", &hash], "usage", vec!["ID"]),
        (vec!["withdrawal", "complete", &id], "usage", vec!["names no transaction"]),
        (vec!["withdrawal", "fail", "77", "--reason", "x"], "unknown_withdrawal", vec!["no withdrawal 77"]),
        (vec!["withdrawal", "fail", &id], "usage", vec!["--reason"]),
    ] {
        desk.refuses_offline(&args, code, &words);
    }
    for key in ["", " ", "two\nlines", &long] {
        let args = ["withdrawal", "request", "stable", "alice", "1", "--idempotency-key", key];
        desk.refuses_offline(&args, "invalid_value", &["--idempotency-key: one line of 1 to 200"]);
    }
    for bad in ["", "0x", "7", &hash[..65], &format!("{hash}0"), &hash[2..], "0xzz"] {
        let args = ["withdrawal", "complete", &id, "--tx", bad];
        desk.refuses_offline(&args, "invalid_value", &["--tx", "invalid transaction hash"]);
    }
    for reason in ["", "  ", "two\nlines", "\u{1b}[2J", &"x".repeat(501)] {
        let args = ["withdrawal", "fail", &id, "--reason", reason];
        desk.refuses_offline(&args, "invalid_value", &["--reason: one line of 1 to 500 characters"]);
    }
    free(&desk, 1_999);
    // An endpoint that is silent, or of another chain, changes nothing either.
    let line = format!("withdrawal complete {id} --tx {hash}");
    desk.wire.fault(poolctl_testkit::Rule::new(poolctl_testkit::Fault::ChainId(1)));
    desk.unchanged(|| desk.run(&line).fails(4, "wrong_network"));
    desk.wire.heal();
    desk.wire.fault(poolctl_testkit::Rule::new(poolctl_testkit::Fault::Refuse));
    desk.unchanged(|| desk.run(&line).fails(75, "unreachable"));
}
