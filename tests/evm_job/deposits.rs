//! `pool validate-deposit`: every reason by its code, from the state or the chain, on good days and on bad ones.

use super::desk::{Desk, says, warnings};
use poolctl_testkit::abi::{Asset, LegacyPool, RiskEngine, Vault};
use poolctl_testkit::alloy::primitives::{Address, U256};
use poolctl_testkit::units;
use serde_json::{Value, json};

/// A synced desk with roomy limits of its own on both pools.
fn desk() -> Desk {
    let desk = Desk::ready();
    desk.run("sync --at latest").ok();
    desk.run("risk set growth --max-tvl 1000000").ok();
    desk.run("risk set stable --max-tvl 1000000").ok();
    desk
}

/// What validating answers; nothing may change by it.
#[track_caller]
fn answer(desk: &Desk, line: &str) -> Value {
    let ran =
        desk.unchanged(|| desk.run(&format!("pool validate-deposit {line} --json")).exits_one_of(&[0, 5]));
    let envelope = ran.envelope();
    let valid = envelope["data"]["valid"] == true;
    assert_eq!(valid, ran.code == Some(0), "{envelope}");
    assert_eq!(valid, envelope["data"]["reasons"] == json!([]), "{envelope}");
    if !valid {
        assert_eq!(envelope["error"]["code"], "check_failed");
    }
    envelope
}

/// The codes of all reasons.
#[track_caller]
fn codes(desk: &Desk, line: &str) -> Vec<String> {
    let envelope = answer(desk, line);
    let reasons = envelope["data"]["reasons"].as_array().unwrap();
    reasons.iter().map(|reason| reason["code"].as_str().unwrap().to_owned()).collect()
}

/// As [`codes`], at the head of the chain.
#[track_caller]
fn on_chain(desk: &Desk, line: &str) -> Vec<String> {
    codes(desk, &format!("{line} --on-chain --at latest"))
}

#[test]
fn a_deposit_is_held_against_the_ledger_without_the_network() {
    let desk = Desk::bare();
    desk.furnish();
    desk.run("reward claim alice --all").ok();
    desk.wire.clear();
    let has =
        desk.one("SELECT balance FROM ledger_accounts WHERE owner_kind = 'member' AND purpose = 'available'");
    let (whole, fraction) = has.split_at(has.len() - 18);
    let envelope = answer(&desk, &format!("growth alice {whole}.{fraction}"));
    let data = &envelope["data"];
    assert_eq!((&data["valid"], &data["on_chain"]), (&json!(true), &json!(false)));
    assert_eq!(data["amount"], data["balance"]);
    assert_eq!(data["member"], desk.world.alice.to_string());
    assert!(data["view"]["number"].is_u64() && data["age_sec"].is_u64(), "{data}");
    let more = (has.parse::<U256>().unwrap() + U256::ONE).to_string();
    let (whole, fraction) = more.split_at(more.len() - 18);
    assert_eq!(codes(&desk, &format!("growth alice {whole}.{fraction}")), ["insufficient_balance"]);
    // What was paid in another token is no balance of this one.
    assert_eq!(codes(&desk, "stable alice 0.000001"), ["insufficient_balance"]);
    assert_eq!(desk.wire.http_count(), 0);
    let text = desk.run("pool validate-deposit growth alice 1").ok();
    for word in ["deposit of 1.00 TA18 by alice into pool \"growth\": valid", "in the ledger", "synced"] {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
    let text = desk.run("pool validate-deposit growth alice 5000").exits(5);
    assert!(text.stdout.contains("NOT valid") && text.stdout.contains("insufficient_balance"), "{text:?}");
    assert!(
        text.stderr.contains("error: deposit of 5,000.00 TA18 by alice into pool \"growth\": insuff"),
        "{text:?}"
    );
}

#[test]
fn what_is_not_known_is_a_reason_and_a_malformed_address_an_error() {
    let desk = desk();
    desk.wire.clear();
    let all = ["invalid_amount", "unknown_pool", "unknown_member"];
    assert_eq!(codes(&desk, "nowhere nobody 1e3"), all);
    assert_eq!(codes(&desk, "nowhere nobody 1e3 --on-chain"), all);
    assert_eq!(codes(&desk, "grwth alice 1"), ["unknown_pool"]);
    assert_eq!(codes(&desk, "growth nobody 1"), ["unknown_member"]);
    // The rules that need no member are run still.
    desk.run("risk set growth --max-tvl 1525").ok();
    assert_eq!(codes(&desk, "growth nobody 1"), ["unknown_member", "tvl_cap"]);
    for amount in ["0", "0.0", "-1", "1e3", "1,000", "0.1234567890123456789", "x"] {
        let envelope = answer(&desk, &format!("growth alice {amount}"));
        assert_eq!(envelope["data"]["reasons"][0]["code"], "invalid_amount", "{amount}");
        says(&envelope["data"]["reasons"][0]["message"], &["AMOUNT", amount]);
        assert_eq!(envelope["data"]["amount"], Value::Null);
    }
    let envelope = answer(&desk, "stable alice 0.0000001");
    says(&envelope["data"]["reasons"][0]["message"], &["7 decimals, but at most 6"]);
    for args in [
        ["pool", "validate-deposit", "0x12", "alice", "1"],
        ["pool", "validate-deposit", "growth", "0x12", "1"],
    ] {
        desk.refuses_offline(&args, "invalid_address", &["0x12"]);
    }
    let args = ["pool", "validate-deposit", "growth", "alice", "1", "--at", "latest"];
    desk.refuses_offline(&args, "usage", &["--at", "--on-chain"]);
    desk.refuses_offline(&["pool", "validate-deposit", "growth", "alice"], "usage", &["AMOUNT"]);
    assert_eq!(desk.wire.http_count(), 0);
}

#[test]
fn without_parameters_or_fresh_figures_nothing_is_allowed() {
    let desk = Desk::ready();
    let reasons = |line: &str| answer(&desk, line)["data"]["reasons"].clone();
    let never = reasons("growth alice 1");
    let of = |reasons: &Value| -> Vec<String> {
        reasons.as_array().unwrap().iter().map(|r| r["code"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(of(&never), ["risk_unknown", "risk_unknown", "insufficient_balance"]);
    says(&never[0]["message"], &["no risk parameters are set"]);
    says(&never[1]["message"], &["never synced", "sync pool \"growth\""]);
    desk.run("risk set growth --max-tvl 1000000").ok();
    // The chain itself needs no sync.
    assert_eq!(on_chain(&desk, "growth alice 1"), Vec::<String>::new());
    desk.run("sync").ok();
    assert_eq!(of(&reasons("growth alice 1")), ["insufficient_balance"]);
    desk.meddle("UPDATE pool_snapshots SET synced_at = synced_at - 3700");
    let old = reasons("growth alice 1");
    assert_eq!(of(&old), ["risk_unknown", "insufficient_balance"]);
    says(&old[0]["message"], &["figures are 1h", "the limit is 1h"]);
    assert_eq!(on_chain(&desk, "growth alice 1"), Vec::<String>::new());
    desk.meddle("UPDATE pool_risk_parameters SET refreshed_at = refreshed_at - 3700");
    assert_eq!(on_chain(&desk, "growth alice 1"), ["risk_unknown"]);
}

#[test]
fn on_chain_every_limit_is_allowed_exactly_and_not_by_one_base_unit_more() {
    let desk = desk();
    let (world, six) = (&desk.world, desk.world.six);
    // Balance: alice has 998,000 of a million.
    assert_eq!(on_chain(&desk, "stable alice 998000"), ["tvl_cap"]);
    desk.run("risk set stable --max-tvl unlimited").ok();
    assert_eq!(on_chain(&desk, "stable alice 998000"), Vec::<String>::new());
    assert_eq!(on_chain(&desk, "stable alice 998000.000001"), ["insufficient_balance"]);
    // TVL 2,301.234567.
    desk.run("risk set stable --max-tvl 2400").ok();
    assert_eq!(on_chain(&desk, "stable alice 98.765433"), Vec::<String>::new());
    assert_eq!(on_chain(&desk, "stable alice 98.765434"), ["tvl_cap"]);
    // Alice has 2,000 in it.
    desk.run("risk set stable --max-user-deposit 2050").ok();
    assert_eq!(on_chain(&desk, "stable alice 50"), Vec::<String>::new());
    assert_eq!(on_chain(&desk, "stable alice 50.000001"), ["user_cap"]);
    assert_eq!(
        codes(&desk, "stable alice 50.000001"),
        ["user_cap", "insufficient_balance"],
        "by the state too"
    );
    // The vault's own maxDeposit, seen without a sync.
    let cap = U256::from(2_301_234_567_u64 + 40_000_000);
    world.node.send(world.owner, six.vault, &Vault::setDepositCapCall { cap }).unwrap();
    assert_eq!(on_chain(&desk, "stable alice 40"), Vec::<String>::new());
    assert_eq!(on_chain(&desk, "stable alice 40.000001"), ["exceeds_max_deposit"]);
    assert_eq!(codes(&desk, "stable alice 40.000001"), ["insufficient_balance"]);
    desk.run("sync --at latest").ok();
    assert_eq!(codes(&desk, "stable alice 40.000001"), ["exceeds_max_deposit", "insufficient_balance"]);
    // Everything at once.
    world.pause(six.vault).unwrap();
    desk.run("risk pause stable --reason audit").ok();
    desk.meddle(
        "INSERT INTO circuit_breaker_status (pool_id, active, rule, reason, triggered_at)
         VALUES (2, 1, 'withdrawal_rate', 'a run', 1700000000)",
    );
    let all = [
        "pool_paused",
        "emergency_paused",
        "breaker_active",
        "exceeds_max_deposit",
        "tvl_cap",
        "user_cap",
        "insufficient_balance",
    ];
    assert_eq!(on_chain(&desk, "stable alice 999999"), all);
    let envelope = answer(&desk, "stable alice 999999 --on-chain --at latest");
    says(&envelope["error"]["message"], &["pool_paused: the pool is paused (and 6 more)"]);
    assert_eq!(envelope["error"]["details"]["reasons"], json!(all));
    assert_eq!(envelope["data"]["reasons"][4]["details"]["left"], "98.765433");
    assert_eq!(envelope["data"]["balance"], "998000.000000");
}

#[test]
fn limits_of_legacy_pools_and_switches_of_engines_are_reasons() {
    let desk = Desk::bare();
    let world = &desk.world;
    let asset = world.six.asset;
    let pool = world.add_legacy_pool(asset).unwrap().address().unwrap();
    let (minimum, maximum) = (units(10, 6), units(20, 6));
    let call =
        LegacyPool::setLimitsCall { minDeposit: minimum, maxDeposit: maximum, cooldownSeconds: U256::ZERO };
    world.node.send(world.owner, pool, &call).unwrap();
    world.node.mine(2).unwrap();
    desk.run(&format!("pool add old {pool} --abi legacy --asset {asset}")).ok();
    desk.run(&format!("member add {} --name alice", world.alice)).ok();
    desk.run(&format!("risk set old --engine viddhana --engine-address {}", world.risk)).ok();
    let engine = |deposits: bool| {
        let config = RiskEngine::PoolConfig { depositsEnabled: deposits, active: true, ..Default::default() };
        world.set_risk(pool, config).unwrap();
        world.node.mine(2).unwrap();
        desk.run("risk fetch").ok();
    };
    engine(true);
    for (amount, want) in [
        ("10", vec![]),
        ("9.999999", vec!["below_minimum"]),
        ("20", vec![]),
        ("20.000001", vec!["above_maximum"]),
    ] {
        assert_eq!(on_chain(&desk, &format!("old alice {amount}")), want, "{amount}");
    }
    engine(false);
    assert_eq!(on_chain(&desk, "old alice 10"), ["pool_paused"]);
    engine(true);
    world.node.send(world.owner, world.risk, &RiskEngine::setEmergencyModeCall { on: true }).unwrap();
    desk.run("risk fetch --at latest").ok();
    assert_eq!(on_chain(&desk, "old alice 10"), ["emergency_paused"]);
    // The paused flag of the pool itself, by the state.
    world.node.send(world.owner, pool, &LegacyPool::setPausedCall { on: true }).unwrap();
    desk.run("sync --at latest").ok();
    assert_eq!(
        codes(&desk, "old alice 21"),
        ["pool_paused", "emergency_paused", "above_maximum", "insufficient_balance"]
    );
}

/// Sends assets to a pool for nothing.
fn donate(desk: &Desk, pool: Address, asset: Address, amount: U256) {
    let world = &desk.world;
    world.mint(asset, world.dave, amount).unwrap();
    world.node.send(world.dave, asset, &Asset::transferCall { to: pool, amount }).unwrap();
}

#[test]
fn an_inflated_first_deposit_is_seen_and_no_victim_validates() {
    for profile in ["erc4626", "offset", "legacy"] {
        let desk = Desk::bare();
        let world = &desk.world;
        let asset = world.six.asset;
        let pool = match profile {
            "erc4626" => world.add_vault(asset, 0),
            "offset" => world.add_vault(asset, 6),
            _ => world.add_legacy_pool(asset),
        };
        let pool = pool.unwrap().address().unwrap();
        let abi = if profile == "legacy" { format!("legacy --asset {asset}") } else { "erc4626".to_owned() };
        world.node.mine(2).unwrap();
        desk.run(&format!("pool add young {pool} --abi {abi}")).ok();
        desk.run(&format!("member add {} --name alice", world.alice)).ok();
        desk.run("risk set young --max-tvl unlimited").ok();
        let deposit = |account, assets| {
            world.approve(asset, account, pool, assets).unwrap();
            let sent = if profile == "legacy" {
                world.node.send(account, pool, &LegacyPool::depositCall { assets })
            } else {
                world.node.send(account, pool, &Vault::depositCall { assets, receiver: account })
            };
            assert!(sent.unwrap().success);
        };
        let sync = || desk.run("sync --at latest --json").exits(0).envelope();
        // Nobody in it: any deposit buys shares.
        let envelope = sync();
        assert_eq!((&warnings(&envelope), &envelope["data"]["pools"][0]["holders"]), (&json!(""), &json!(0)));
        assert_eq!(on_chain(&desk, "young alice 0.000001"), Vec::<String>::new(), "{profile}");
        // The first depositor: one base unit, and a donation of a thousand.
        deposit(world.bob, U256::ONE);
        assert_eq!(warnings(&sync()), json!(""), "{profile}");
        donate(&desk, pool, asset, units(1_000, 6));
        let envelope = sync();
        assert_eq!(
            warnings(&envelope),
            json!(""),
            "a rise is no alert, and the rate is what it says: {profile}"
        );
        let line = &envelope["data"]["pools"][0];
        assert_eq!((&line["total_assets"], &line["holders"]), (&json!("1000.000001"), &json!(1)));
        desk.run("pool show young").ok();
        desk.run("risk check --at latest").ok();
        let position = desk.json(&format!("pool position {} young", world.bob));
        assert_eq!(position["underlying"], "1000.000001");
        // With an offset of six decimals the attacker's base unit of assets has a million base units of shares.
        let (least, under) =
            if profile == "offset" { ("0.001001", "0.001") } else { ("1000.000001", "1000") };
        let envelope = answer(&desk, &format!("young alice {under} --on-chain --at latest"));
        assert_eq!(envelope["data"]["reasons"][0]["code"], "below_minimum", "{profile}");
        says(
            &envelope["data"]["reasons"][0]["message"],
            &["would buy no share", &least.replace("1000", "1,000")],
        );
        assert_eq!(on_chain(&desk, &format!("young alice {least}")), Vec::<String>::new(), "{profile}");
        // A victim that goes in all the same: in the legacy pool its transfer is of no shares at all.
        deposit(world.carol, units(999, 6));
        let envelope = sync();
        assert_eq!(envelope["data"]["pools"][0]["status"], "synced");
        let carol = desk.json(&format!("pool position {} young", world.carol));
        let empty = carol["shares"].as_str().unwrap().chars().all(|c| matches!(c, '0' | '.'));
        assert_eq!(empty, profile == "legacy", "{carol}");
        assert_eq!(desk.json("pool reconcile")["drifts"], 0);
        // So large a donation that the contract's own arithmetic gives up: told, and nothing is taken in.
        donate(&desk, pool, asset, U256::from(1) << 250);
        let envelope = desk.unchanged(|| desk.run("sync --at latest").fails(1, "reverted"));
        says(&envelope["error"]["message"], &["cannot sync pool \"young\"", "reverted"]);
        desk.unchanged(|| {
            desk.run("pool validate-deposit young alice 5 --on-chain --at latest").fails(1, "reverted")
        });
        desk.sound();
    }
}

#[test]
fn a_loss_is_an_alert_and_forbids_deposits_and_an_empty_pool_has_no_rate_to_fall() {
    let desk = desk();
    let (world, eighteen) = (&desk.world, desk.world.eighteen);
    assert_eq!(on_chain(&desk, "growth alice 1"), Vec::<String>::new());
    world.loss(eighteen.vault, units(100, 18)).unwrap();
    // Before the sync nobody knows; the sync that sees it shuts the pool.
    let envelope = desk.run("sync --at latest --json").exits(0).envelope();
    says(&warnings(&envelope), &["pool \"growth\": exchange_rate_drop"]);
    assert_eq!(on_chain(&desk, "growth alice 1"), ["breaker_active"]);
    assert_eq!(desk.json("pool show growth")["alerts"][0]["kind"], "exchange_rate_drop");
    world.node.mine(1).unwrap();
    desk.run("sync --at latest").ok();
    assert_eq!(desk.json("pool show growth")["alerts"], json!([]));
    desk.run("risk reset-breaker growth --reason seen").ok();
    // Everybody leaves: the rate goes back to one, and that is no loss of anybody.
    for holder in [world.alice, world.bob, world.carol] {
        let shares = world.node.call(eighteen.vault, &Vault::balanceOfCall { account: holder }).unwrap();
        let call = Vault::redeemCall { shares, receiver: holder, owner: holder };
        assert!(world.node.send(holder, eighteen.vault, &call).unwrap().success);
    }
    world.loss(eighteen.vault, world.node.call(eighteen.vault, &Vault::totalAssetsCall {}).unwrap()).unwrap();
    let envelope = desk.run("sync --at latest --json").exits(0).envelope();
    let line = &envelope["data"]["pools"][0];
    assert_eq!((&line["pool"], &line["total_shares"]), (&json!("growth"), &json!("0.000000000000000000")));
    assert_eq!(line["exchange_rate"], "1.000000000000000000");
    assert_eq!(warnings(&envelope), json!(""));
    assert_eq!(desk.one("SELECT active FROM circuit_breaker_status WHERE pool_id = 1"), "0");
    let checked = desk.run("risk check growth --at latest").exits(0);
    assert!(checked.stdout.contains("9 of 9 rules ok"), "{checked:?}");
    assert_eq!(on_chain(&desk, "growth alice 1"), Vec::<String>::new());
    // The first shares after that begin anew, and a loss of theirs is one.
    world.deposit(eighteen.vault, world.alice, units(100, 18)).unwrap();
    assert_eq!(warnings(&desk.run("sync --at latest --json").exits(0).envelope()), json!(""));
    world.loss(eighteen.vault, units(1, 18)).unwrap();
    says(&warnings(&desk.run("sync --at latest --json").exits(0).envelope()), &["exchange_rate_drop"]);
    desk.sound();
}
