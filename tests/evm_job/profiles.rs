//! ABI profiles beside ERC-4626: found out, added, synced, with limits and engines of their own, and contracts that lie.

use super::desk::{Desk, says, warnings};
use poolctl_testkit::abi::{LegacyPool, LegacyRiskEngine, LyingPool, TwoProfiles, ViddhanaPool};
use poolctl_testkit::alloy::primitives::{Address, U256};
use poolctl_testkit::units;
use serde_json::{Value, json};

/// Deposits into a pool that is no vault; its asset is one of the world's.
fn deposit(desk: &Desk, pool: Address, asset: Address, account: Address, assets: U256) {
    let world = &desk.world;
    world.approve(asset, account, pool, assets).unwrap();
    assert!(world.node.send(account, pool, &LegacyPool::depositCall { assets }).unwrap().success);
}

/// A legacy pool over the asset of 18 decimals: alice 100, bob 50, 30 given to it.
fn legacy(desk: &Desk) -> Address {
    let world = &desk.world;
    let asset = world.eighteen.asset;
    let pool = world.add_legacy_pool(asset).unwrap().address().unwrap();
    deposit(desk, pool, asset, world.alice, units(100, 18));
    deposit(desk, pool, asset, world.bob, units(50, 18));
    let gift = poolctl_testkit::abi::Asset::transferCall { to: pool, amount: units(30, 18) };
    world.node.send(world.dave, asset, &gift).unwrap();
    pool
}

/// A viddhana pool over the asset of 6 decimals, with shares of 18: carol 10.
fn viddhana(desk: &Desk) -> Address {
    let world = &desk.world;
    let asset = world.six.asset;
    let pool = world.add_viddhana_pool(asset).unwrap().address().unwrap();
    deposit(desk, pool, asset, world.carol, units(10, 6));
    pool
}

fn limits(desk: &Desk, pool: Address, min: u64, max: u64, cooldown: u64) {
    let [min, max] = [min, max].map(|whole| units(whole, 18));
    let call =
        LegacyPool::setLimitsCall { minDeposit: min, maxDeposit: max, cooldownSeconds: U256::from(cooldown) };
    desk.world.node.send(desk.world.owner, pool, &call).unwrap();
}

#[test]
fn every_profile_is_found_out_added_and_synced() {
    let desk = Desk::bare();
    let (old, new) = (legacy(&desk), viddhana(&desk));
    limits(&desk, old, 5, 1_000, 86_400);
    let call =
        ViddhanaPool::setLimitsCall { minDeposit: U256::from(2_500_000), cooldownSeconds: U256::from(3_600) };
    desk.world.node.send(desk.world.owner, new, &call).unwrap();
    desk.world.node.mine(2).unwrap();
    let asset = desk.world.eighteen.asset;
    desk.unchanged(|| desk.run(&format!("pool add old {old} --abi auto --asset {asset} --dry-run")).exits(0));
    let added = desk.json(&format!("pool add old {old} --abi auto --asset {asset}"));
    assert_eq!((&added["added"], &added["pool"]["abi"]), (&json!(true), &json!("legacy")));
    assert_eq!(added["pool"]["asset"]["address"], asset.to_string());
    assert_eq!(added["risk_engine"], Value::Null);
    let text = desk.run(&format!("pool add new {new} --abi auto")).ok();
    let engine = desk.world.risk.to_string();
    for word in ["profile", "viddhana", &engine, "poolctl risk set new --engine viddhana"] {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
    let added = desk.json(&format!("pool add growth {} --abi auto", desk.world.eighteen.vault));
    assert_eq!(added["pool"]["abi"], "erc4626");
    // Adding again changes nothing, by its profile or by auto; by another profile it is another pool.
    for flags in ["--abi auto", "--abi viddhana", &format!("--abi viddhana --asset {}", desk.world.six.asset)]
    {
        let again = desk.unchanged(|| desk.json(&format!("pool add new {new} {flags}")));
        assert_eq!(again["added"], false);
    }
    desk.unchanged(|| desk.run(&format!("pool add new {new} --abi legacy")).fails(2, "conflict"));
    let asset = desk.world.eighteen.asset;
    desk.unchanged(|| {
        desk.run(&format!("pool add new {new} --abi auto --asset {asset}")).fails(2, "conflict")
    });

    let synced = desk.json("sync");
    let pools = synced["pools"].as_array().unwrap();
    assert!(pools.iter().all(|p| p["status"] == "synced" && p["alerts"] == json!([])), "{synced}");
    let old = desk.json("pool show old");
    for (field, want) in [
        ("total_assets", json!("180.000000000000000000")),
        ("total_shares", json!("150.000000000000000000")),
        ("exchange_rate", json!("1.200000000000000000")),
        ("paused", json!(false)),
        ("min_deposit", json!("5.000000000000000000")),
        ("max_deposit", json!("1000.000000000000000000")),
        ("cooldown_sec", json!(86_400)),
        ("holders", json!(2)),
    ] {
        assert_eq!(old[field], want, "{field}");
    }
    // Ten tokens of six decimals became 10^7 base units of a share of 18: a whole share is worth 10^12 tokens.
    let new = desk.json("pool show new");
    for (field, want) in [
        ("total_assets", json!("10.000000")),
        ("total_shares", json!("0.000000000010000000")),
        ("exchange_rate", json!("1000000000000.000000000000000000")),
        ("min_deposit", json!("2.500000")),
        ("max_deposit", Value::Null),
        ("cooldown_sec", json!(3_600)),
    ] {
        assert_eq!(new[field], want, "{field}");
    }
    let vault = desk.json("pool show growth");
    assert_eq!((&vault["min_deposit"], &vault["cooldown_sec"]), (&Value::Null, &Value::Null));
    let text = desk.run("pool show old").ok();
    for word in ["min deposit", "5.00 TA18", "1,000.00 TA18", "cooldown", "1d"] {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
    let position = desk.json(&format!("pool position {} old", desk.world.alice));
    assert_eq!(position["underlying"], "120.000000000000000000");
    desk.sound();
}

#[test]
fn what_holders_get_of_these_pools_is_paid_by_their_shares() {
    let desk = Desk::bare();
    let (old, new) = (legacy(&desk), viddhana(&desk));
    desk.world.node.mine(2).unwrap();
    desk.run(&format!("pool add old {old} --abi legacy --asset {}", desk.world.eighteen.asset)).ok();
    desk.run(&format!("pool add new {new} --abi viddhana")).ok();
    desk.run("reward set-weight old 0.5").ok();
    desk.run("reward set-weight new 0.5").ok();
    let start = desk.world.node.block_number().unwrap() - 2;
    desk.world.node.mine(40).unwrap();
    let cycled = desk.json(&format!("reward cycle --from {start}"));
    assert_eq!(
        desk.rows("SELECT DISTINCT pool_id FROM pool_reward_epochs ORDER BY 1"),
        ["1", "2"],
        "{cycled}"
    );
    let of = |account: Address| {
        desk.rows(&format!(
            "SELECT e.pool_id, r.amount FROM pool_rewards r JOIN pool_reward_epochs e ON e.id = r.epoch_id
             JOIN members m ON m.id = r.member_id WHERE m.address = '{account}' AND e.start_block = {start}"
        ))
    };
    // Half of 20 each; two thirds and a third of it for alice and bob.
    assert_eq!(of(desk.world.alice), ["1 | 6666666666666666667"]);
    assert_eq!(of(desk.world.bob), ["1 | 3333333333333333333"]);
    assert_eq!(of(desk.world.carol), ["2 | 10000000000000000000"]);
    // A paused pool carries.
    desk.world.node.send(desk.world.owner, old, &LegacyPool::setPausedCall { on: true }).unwrap();
    desk.world.node.mine(30).unwrap();
    desk.run("reward cycle").ok();
    let reasons = desk.rows(
        "SELECT DISTINCT carry_reason FROM pool_reward_epochs WHERE pool_id = 1 AND carry_reason IS NOT NULL",
    );
    assert_eq!(reasons, ["pool_paused"]);
    desk.sound();
}

#[test]
fn a_contract_that_fits_no_profile_or_two_is_not_added() {
    let desk = Desk::bare();
    let nothing = desk.world.not_a_vault;
    let envelope =
        desk.unchanged(|| desk.run(&format!("pool add x {nothing} --abi auto")).fails(1, "not_a_contract"));
    says(
        &envelope["error"]["message"],
        &[
            "cannot add pool \"x\"",
            &format!("{nothing} fits no ABI profile at block"),
            "erc4626: answers nothing; lacks asset(), totalAssets()",
            "legacy: answers nothing; lacks totalValueLocked()",
            "viddhana: answers nothing; lacks totalAssets()",
        ],
    );
    // A token answers some of it.
    let token = desk.world.six.asset;
    let envelope =
        desk.unchanged(|| desk.run(&format!("pool add x {token} --abi auto")).fails(1, "not_a_contract"));
    assert_eq!(envelope["error"]["details"]["erc4626_answered"], json!(["totalSupply()", "decimals()"]));
    let missing = json!(["asset()", "totalAssets()", "convertToAssets(uint256)"]);
    assert_eq!(envelope["error"]["details"]["erc4626_missing"], missing);
    // Named, the first function that is missing is told, with what may help.
    let envelope =
        desk.unchanged(|| desk.run(&format!("pool add x {token} --abi viddhana")).fails(1, "reverted"));
    says(&envelope["error"]["message"], &[&format!("pool {token} function asset() reverted")]);
    says(&envelope["error"]["hint"], &["does not answer like a pool of profile viddhana", "--abi auto"]);

    let call = TwoProfiles::constructorCall { underlying: desk.world.six.asset };
    let both = desk.world.node.deploy(desk.world.owner, "TwoProfiles", &call).unwrap().address().unwrap();
    desk.world.node.mine(2).unwrap();
    let envelope =
        desk.unchanged(|| desk.run(&format!("pool add x {both} --abi auto")).fails(2, "invalid_value"));
    says(&envelope["error"]["message"], &["--abi: ", "fits 2 ABI profiles: legacy, viddhana"]);
    assert_eq!(envelope["error"]["details"]["profiles"], json!(["legacy", "viddhana"]));
    // Either may be named. This one says its asset in the legacy profile too, and no engine.
    let added = desk.json(&format!("pool add x {both} --abi legacy"));
    assert_eq!(added["pool"]["asset"]["symbol"], "TA6");
    let added = desk.json(&format!("pool add x {both} --abi legacy"));
    assert_eq!(added["added"], false);
}

#[test]
fn the_asset_of_a_legacy_pool_is_named_by_the_operator() {
    let desk = Desk::bare();
    let pool = legacy(&desk);
    desk.world.node.mine(2).unwrap();
    for abi in ["auto", "legacy"] {
        let envelope =
            desk.unchanged(|| desk.run(&format!("pool add old {pool} --abi {abi}")).fails(2, "usage"));
        says(&envelope["error"]["message"], &[&format!("{pool} is a legacy pool that does not say")]);
        says(&envelope["error"]["hint"], &["--asset ADDRESS"]);
    }
    let nothing = desk.world.not_a_vault;
    let line = format!("pool add old {pool} --abi auto --asset {nothing}");
    let envelope = desk.unchanged(|| desk.run(&line).fails(1, "reverted"));
    says(&envelope["error"]["message"], &[&format!("token {nothing}")]);
    // Where the contract speaks, it must say the same.
    let (vault, other) = (desk.world.eighteen.vault, desk.world.six.asset);
    let envelope = desk.unchanged(|| {
        desk.run(&format!("pool add growth {vault} --asset {other}")).fails(2, "invalid_value")
    });
    let own = desk.world.eighteen.asset;
    says(&envelope["error"]["message"], &["--asset", &format!("its asset is {own}, not {other}")]);
    desk.run(&format!("pool add growth {vault} --asset {own}")).ok();
    let args = ["pool", "add", "old", &pool.to_string(), "--asset", "0x12"];
    desk.refuses_offline(&args, "invalid_address", &["--asset"]);
    let args = ["pool", "add", "old", &pool.to_string(), "--abi", "erc20"];
    let envelope = desk.refuses_offline(&args, "invalid_value", &["invalid ABI profile: \"erc20\""]);
    says(&envelope["error"]["hint"], &["erc4626, legacy, viddhana; auto"]);
}

#[test]
fn a_rate_that_is_a_lie_is_an_alert_until_it_is_true_again() {
    let desk = Desk::bare();
    let asset = desk.world.six.asset;
    let call = LyingPool::constructorCall { underlying: asset };
    let pool = desk.world.node.deploy(desk.world.owner, "LyingPool", &call).unwrap().address().unwrap();
    deposit(&desk, pool, asset, desk.world.alice, units(1_000, 6));
    desk.world.node.mine(2).unwrap();
    desk.run(&format!("pool add liar {pool} --abi legacy --asset {asset}")).ok();
    desk.run("sync").ok();
    assert_eq!(desk.json("pool show liar")["alerts"], json!([]));
    let lie = |rate: U256| {
        desk.world.node.send(desk.world.owner, pool, &LyingPool::lieCall { rate }).unwrap();
        desk.world.node.mine(2).unwrap();
        desk.run("sync --json").exits(0).envelope()
    };
    // One base unit beside it is rounding; two are not.
    let truth = units(1, 18);
    assert_eq!(lie(truth + U256::ONE)["warnings"], json!([]));
    let envelope = lie(truth + U256::from(2));
    says(&warnings(&envelope), &["pool \"liar\": inconsistent_state", "is not TVL 1,000.00 TA6 over"]);
    // The same block again, and what is shown: it holds still.
    let again = desk.unchanged(|| desk.run("sync --json").exits(0).envelope());
    assert_eq!(again["data"]["pools"][0]["status"], "unchanged");
    assert_eq!(again["data"]["pools"][0]["alerts"], envelope["data"]["pools"][0]["alerts"]);
    let shown = desk.json("pool show liar");
    assert_eq!(
        (&shown["alerts"][0]["kind"], &shown["alerts"][0]["count"]),
        (&json!("inconsistent_state"), &json!(1))
    );
    let text = desk.run("pool show liar").ok();
    assert!(text.contains("ALERT inconsistent_state since"), "{text}");
    // A lie downwards is a fall too, which opens the breaker.
    let envelope = lie(truth / U256::from(2));
    says(&warnings(&envelope), &["inconsistent_state", "exchange_rate_drop", "fell from"]);
    assert_eq!(desk.one("SELECT rule FROM circuit_breaker_status WHERE active = 1"), "exchange_rate_drop");
    let kinds = |shown: &Value| -> Vec<String> {
        shown["alerts"].as_array().unwrap().iter().map(|a| a["kind"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds(&desk.json("pool show liar")), ["exchange_rate_drop", "inconsistent_state"]);
    assert_eq!(lie(U256::ZERO)["warnings"], json!([]));
    assert_eq!(kinds(&desk.json("pool show liar")), Vec::<String>::new());
    let events = "SELECT kind, json_extract(payload, '$.kind') FROM events WHERE kind LIKE 'risk.violation.%' ORDER BY id";
    assert_eq!(
        desk.rows(events),
        [
            "risk.violation.opened | inconsistent_state",
            "risk.violation.opened | exchange_rate_drop",
            "risk.violation.closed | exchange_rate_drop",
            "risk.violation.closed | inconsistent_state",
        ]
    );
    // A cooldown and a rate that no state can keep fail the sync, and nothing is taken in.
    limits(&desk, pool, 0, 0, u64::MAX);
    desk.world.node.mine(2).unwrap();
    let envelope = desk.unchanged(|| desk.run("sync").fails(1, "not_a_contract"));
    says(&envelope["error"]["message"], &["cannot sync pool \"liar\"", "cooldown of 18446744073709551615 s"]);
    limits(&desk, pool, 0, 0, 0);
    desk.world.node.send(desk.world.owner, pool, &LyingPool::lieCall { rate: U256::MAX }).unwrap();
    desk.world.node.mine(2).unwrap();
    let envelope = desk.unchanged(|| desk.run("sync").fails(1, "not_a_contract"));
    says(&envelope["error"]["message"], &["its exchange rate passes 256 bits"]);
    desk.sound();
}

#[test]
fn a_viddhana_pool_names_its_own_engine() {
    let desk = Desk::bare();
    let pool = viddhana(&desk);
    desk.world.node.mine(2).unwrap();
    desk.run(&format!("pool add new {pool} --abi viddhana")).ok();
    desk.run(&format!("pool add growth {}", desk.world.eighteen.vault)).ok();
    let line = "risk set new --engine viddhana";
    desk.unchanged(|| desk.run(&format!("{line} --dry-run")).exits(0));
    let set = desk.json(line);
    assert_eq!(
        (&set["changed"], &set["engine_address"]),
        (&json!(true), &json!(desk.world.risk.to_string()))
    );
    assert_eq!(desk.unchanged(|| desk.json(line))["changed"], false);
    // A pool of another profile names none, and neither does it a legacy engine.
    for line in ["risk set growth --engine viddhana", "risk set new --engine legacy"] {
        let args: Vec<&str> = line.split(' ').collect();
        desk.refuses_offline(&args, "invalid_value", &["--engine-address: the engine"]);
    }
}

#[test]
fn a_legacy_engine_gives_caps_a_breaker_and_a_pause() {
    let desk = Desk::bare();
    let pool = legacy(&desk);
    let (world, engine) = (&desk.world, desk.world.legacy_risk);
    world.node.mine(2).unwrap();
    desk.run(&format!("pool add old {pool} --abi legacy --asset {}", world.eighteen.asset)).ok();
    desk.run("sync").ok();
    let set =
        desk.json(&format!("risk set old --engine legacy --engine-address {engine} --user-daily-cap 7"));
    assert_eq!((&set["engine"], &set["refreshed_at"]), (&json!("legacy"), &Value::Null));
    // Never read: nothing is allowed.
    desk.world.node.mine(2).unwrap();
    let fetched = desk.json("risk fetch");
    let row = &fetched["pools"][0];
    assert_eq!(
        (&row["max_tvl"], &row["daily_withdrawal_cap"]),
        (&Value::Null, &Value::Null),
        "0 is unlimited"
    );
    assert_eq!(row["user_daily_cap"], "7.000000000000000000", "no limit of a member comes from there");
    let findings = || {
        let ran = desk.run("risk check --at latest --json").exits_one_of(&[0, 5]);
        let envelope = ran.envelope();
        let found = envelope["error"]["details"]["findings"].as_array().cloned().unwrap_or_default();
        (found, envelope)
    };
    assert_eq!(findings().0, Vec::<Value>::new());
    // Exactly at the cap, and one base unit more.
    let caps = |tvl: U256| {
        let call = LegacyRiskEngine::setCapsCall { pool, maxTvl: tvl, maxDailyWithdrawals: units(40, 18) };
        world.node.send(world.owner, engine, &call).unwrap();
    };
    caps(units(180, 18));
    assert_eq!(findings().0, Vec::<Value>::new());
    assert_eq!(desk.json("risk show old")["pools"][0]["daily_withdrawal_cap"], "40.000000000000000000");
    caps(units(180, 18) - U256::ONE);
    assert_eq!(findings().0, ["old: tvl_cap_exceeded"]);
    caps(U256::ZERO);
    let breaker = |active: bool, reason: &str| {
        let call = LegacyRiskEngine::setBreakerCall { pool, active, reason: reason.to_owned() };
        world.node.send(world.owner, engine, &call).unwrap();
    };
    for (reason, shown) in [
        ("", "open at the engine: no reason given"),
        (
            "rates\n\u{1b}[31mmoved, see https://u:p@host.example/secret",
            "open at the engine: rates [31mmoved, see https://host.example",
        ),
    ] {
        breaker(true, reason);
        let (found, envelope) = findings();
        assert_eq!(found, ["old: circuit_breaker_active"]);
        let rules = envelope["data"]["pools"][0]["rules"].as_array().unwrap();
        assert!(rules.iter().any(|rule| rule["why"] == shown), "{envelope}");
    }
    // A reason that was left behind opens nothing.
    breaker(false, "long ago");
    assert_eq!(findings().0, Vec::<Value>::new());
    let pause = |on: bool| {
        world.node.send(world.owner, engine, &LegacyRiskEngine::setEmergencyPausedCall { pool, on }).unwrap();
    };
    pause(true);
    assert_eq!(findings().0, ["old: emergency_pause"]);
    pause(false);
    assert_eq!(findings().0, Vec::<Value>::new());
    // Its own limits are set there, the others here.
    for flag in ["--max-tvl", "--daily-withdrawal-cap"] {
        let envelope = desk.unchanged(|| desk.run(&format!("risk set old {flag} 5")).fails(2, "conflict"));
        says(&envelope["error"]["message"], &[flag, "come from its legacy engine"]);
    }
    desk.run("risk set old --user-daily-cap 8 --max-user-deposit 9").ok();
    // An engine of another kind does not answer like this one.
    desk.run(&format!("risk set old --engine legacy --engine-address {}", world.risk)).ok();
    let envelope = desk.run("risk fetch").fails(1, "reverted");
    says(&envelope["error"]["message"], &["risk engine of pool \"old\"", "getMaxTvl(address)"]);
    desk.sound();
}
