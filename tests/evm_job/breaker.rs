//! The breaker that opens on its own, the operator's pause, what both forbid, and how they end.

use super::desk::{Desk, says, warnings};
use poolctl_testkit::abi::{Asset, FeeVault};
use poolctl_testkit::alloy::primitives::{Address, I256, U256};
use poolctl_testkit::{Fault, Rule, World, units};
use serde_json::{Value, json};

const BREAKERS: &str =
    "SELECT pool_id, active, rule, reset_reason FROM circuit_breaker_status ORDER BY pool_id";

/// A synced desk with limits of its own, and weights.
fn desk() -> Desk {
    let desk = Desk::weighted();
    desk.run("sync").ok();
    desk.run("risk set growth --max-tvl 1000000").ok();
    desk.run("risk set stable --max-tvl 1000000").ok();
    desk
}

/// `risk check` at the head: its findings.
fn findings(desk: &Desk) -> Vec<String> {
    let envelope = desk.run("risk check --at latest --json").exits_one_of(&[0, 5]).envelope();
    let found = envelope["error"]["details"]["findings"].as_array().cloned().unwrap_or_default();
    found.iter().map(|f| f.as_str().unwrap().to_owned()).collect()
}

/// The owner of `growth` takes this many assets, and the loss is synced.
fn loss(desk: &Desk, whole: u64) {
    desk.world.loss(desk.world.eighteen.vault, units(whole, 18)).unwrap();
    desk.run("sync --at latest --json").exits(0);
}

#[test]
fn a_drop_of_the_rate_opens_it_in_the_sync_that_sees_it_and_nobody_is_paid() {
    let desk = desk();
    // 7.625 of 1,525 is exactly the half of a percent that is allowed.
    desk.world.loss(desk.world.eighteen.vault, units(7_625, 15)).unwrap();
    desk.run("sync --at latest").ok();
    assert_eq!(desk.rows(BREAKERS), Vec::<String>::new());
    loss(&desk, 100);
    assert_eq!(desk.rows(BREAKERS), ["1 | 1 | exchange_rate_drop | NULL"]);
    let first = desk.one("SELECT reason || triggered_at FROM circuit_breaker_status");
    assert_eq!(findings(&desk), ["growth: circuit_breaker_active", "growth: exchange_rate_drop"]);
    let opened = "SELECT subject FROM events WHERE kind = 'risk.breaker_opened'";
    assert_eq!(desk.rows(opened), ["growth"]);
    // A second drop while it is open leaves the first reason and time.
    desk.meddle("UPDATE circuit_breaker_status SET triggered_at = triggered_at - 7");
    loss(&desk, 100);
    let again = desk.one("SELECT reason || (triggered_at + 7) FROM circuit_breaker_status");
    assert_eq!((again, desk.rows(opened).len()), (first, 1));
    let shown = desk.json("risk show growth");
    assert_eq!(shown["pools"][0]["breaker"]["rule"], "exchange_rate_drop");
    let text = desk.run("risk show growth").ok();
    assert!(text.contains("OPEN since") && text.contains("exchange rate fell"), "{text}");
    // No distribution for this pool; the other one gets its own.
    let genesis = desk.genesis();
    desk.world.node.mine(20).unwrap();
    let envelope = desk.run(&format!("reward cycle --from {genesis}")).fails(3, "partial");
    says(
        &envelope["error"]["message"],
        &["growth", "circuit breaker is open: exchange_rate_drop: exchange rate fell"],
    );
    assert_eq!(desk.rows("SELECT DISTINCT pool_id FROM pool_reward_epochs"), ["2"]);
    // The operator closes it; the same drop does not open it again, a new one does.
    let dry = "risk reset-breaker growth --reason seen --dry-run";
    desk.unchanged(|| desk.run(dry).exits(0));
    let reset = desk.json("risk reset-breaker growth --reason seen");
    assert_eq!((&reset["changed"], &reset["breaker"]), (&json!(true), &Value::Null));
    assert_eq!(desk.unchanged(|| desk.json("risk reset-breaker growth --reason seen"))["changed"], false);
    // What the last check said of it is over.
    assert_eq!(
        desk.one(
            "SELECT count(*) FROM risk_violations WHERE rule = 'circuit_breaker_active' AND closed_at IS NULL"
        ),
        "0"
    );
    assert_eq!(desk.rows(BREAKERS), ["1 | 0 | exchange_rate_drop | seen"]);
    assert_eq!(findings(&desk), ["growth: exchange_rate_drop"]);
    assert_eq!(desk.rows(BREAKERS), ["1 | 0 | exchange_rate_drop | seen"]);
    desk.run("reward cycle").ok();
    loss(&desk, 100);
    assert_eq!(desk.rows(BREAKERS), ["1 | 1 | exchange_rate_drop | NULL"]);
    assert_eq!(desk.one("SELECT count(*) FROM events WHERE kind LIKE 'risk.breaker_%'"), "3");
    desk.sound();
}

#[test]
fn a_feed_that_is_refused_too_often_opens_it_for_the_pools_it_prices() {
    let desk = desk();
    let (eighteen, six) = (desk.world.eighteen, desk.world.six);
    desk.setting("risk.failure_streak = 2");
    desk.run(&format!("oracle add growth-usd --asset {} --address {}", eighteen.asset, eighteen.feed)).ok();
    desk.run(&format!("oracle add by-symbol --asset TA6 --address {}", six.feed)).ok();
    desk.run("oracle check").ok();
    desk.world.set_answer(eighteen.feed, I256::ONE, Some(0)).unwrap();
    desk.run("oracle check --at latest").fails(5, "check_failed");
    assert_eq!(desk.rows(BREAKERS), Vec::<String>::new());
    // A dry run opens nothing.
    desk.unchanged(|| desk.run("oracle check --at latest --dry-run").exits(5));
    desk.run("oracle check --at latest").fails(5, "check_failed");
    assert_eq!(desk.rows(BREAKERS), ["1 | 1 | oracle_failure_streak | NULL"]);
    let reason = desk.one("SELECT reason FROM circuit_breaker_status");
    assert_eq!(reason, "feed \"growth-usd\" was refused 2 times in a row");
    // A chain that is silent is a failure of every feed, by address or by symbol.
    desk.wire.fault(Rule::new(Fault::Refuse));
    desk.run("oracle check").fails(75, "unreachable");
    assert_eq!(desk.rows(BREAKERS).len(), 1);
    desk.run("oracle check").fails(75, "unreachable");
    let both = ["1 | 1 | oracle_failure_streak | NULL", "2 | 1 | oracle_failure_streak | NULL"];
    assert_eq!(desk.rows(BREAKERS), both);
    desk.sound();
}

#[test]
fn a_pause_is_set_and_lifted_with_a_reason_and_stands_in_the_check() {
    let desk = desk();
    desk.unchanged(|| desk.run("risk pause growth --reason audit --dry-run").exits(0));
    let paused = desk.json("risk pause growth --reason audit");
    assert_eq!((&paused["changed"], &paused["local_pause"]), (&json!(true), &json!("audit")));
    let again = desk.unchanged(|| desk.json("risk pause growth --reason other"));
    assert_eq!((&again["changed"], &again["local_pause"]), (&json!(false), &json!("audit")));
    assert_eq!(findings(&desk), ["growth: emergency_pause"]);
    // New limits do not lift it.
    desk.run("risk set growth --max-tvl 2000000").ok();
    assert_eq!(findings(&desk), ["growth: emergency_pause"]);
    let text = desk.run("risk unpause growth --reason audited").ok();
    assert!(text.contains("growth: not paused here") && text.contains("growth: breaker closed"), "{text}");
    assert_eq!(desk.unchanged(|| desk.json("risk unpause growth --reason audited"))["changed"], false);
    assert_eq!(findings(&desk), Vec::<String>::new());
    let events =
        "SELECT kind || payload FROM events WHERE kind IN ('risk.paused', 'risk.unpaused') ORDER BY id";
    let want =
        [r#"risk.paused{"reason":"audit"}"#, r#"risk.unpaused{"reason":"audited","paused_for":"audit"}"#];
    assert_eq!(desk.rows(events), want);
    desk.sound();
}

#[test]
fn a_pool_without_limits_can_be_paused_and_has_none_afterwards() {
    let desk = Desk::ready();
    desk.run("sync").ok();
    desk.run("risk pause stable --reason unsure").ok();
    let found = findings(&desk);
    for rule in ["emergency_pause", "risk_unknown"] {
        assert!(found.contains(&format!("stable: {rule}")), "{found:?}");
    }
    let text = desk.run("risk show stable").ok();
    assert!(text.contains("no limits set: nothing is allowed"), "{text}");
    desk.run("risk unpause stable --reason sure").ok();
    let found = findings(&desk);
    assert!(found.contains(&"stable: risk_unknown".to_owned()), "{found:?}");
    desk.sound();
}

#[test]
fn a_switch_without_a_good_reason_or_a_pool_changes_nothing() {
    let desk = desk();
    let long = "x".repeat(501);
    for verb in ["pause", "unpause", "reset-breaker"] {
        for reason in ["", "  ", "two\nlines", "\u{1b}[2J", &long] {
            let args = ["risk", verb, "growth", "--reason", reason];
            desk.refuses_offline(&args, "invalid_value", &["--reason: one line of 1 to 500 characters"]);
        }
        desk.refuses_offline(&["risk", verb, "growth"], "usage", &["--reason"]);
        desk.refuses_offline(&["risk", verb, "grwth", "--reason", "x"], "unknown_pool", &["grwth"]);
    }
}

#[test]
fn violations_are_shown_while_they_hold_and_kept_when_they_do_not() {
    let desk = desk();
    assert_eq!(
        desk.json("risk violations"),
        json!({ "alerts": [], "open": 0, "more": false, "cursor": null, "total": 0 })
    );
    desk.run("risk set stable --max-tvl 1").ok();
    desk.run("risk pause growth --reason audit").ok();
    findings(&desk);
    desk.run("risk unpause growth --reason audited").ok();
    findings(&desk);
    desk.wire.clear();
    let before = desk.dump();
    let open = desk.json("risk violations");
    let tvl = &open["alerts"][0];
    assert_eq!((&open["open"], &tvl["subject"], &tvl["count"]), (&json!(1), &json!("stable"), &json!(2)));
    assert_eq!(tvl["kind"], "tvl_cap_exceeded");
    let all = desk.json("risk violations --closed");
    let kinds: Vec<&Value> = all["alerts"].as_array().unwrap().iter().map(|a| &a["kind"]).collect();
    assert_eq!(kinds, [&json!("tvl_cap_exceeded"), &json!("emergency_pause")]);
    assert_eq!(desk.json("risk violations growth")["open"], 0);
    assert_eq!(desk.run("risk violations growth").ok(), "nothing to show\n");
    desk.run("risk violations nobody").fails(2, "unknown_pool");
    super::desk::same(&before, &desk.dump());
    assert_eq!(desk.wire.http_count(), 0);
}

#[test]
fn a_probe_tells_what_is_wrong_from_what_cannot_be_told() {
    let desk = desk();
    let probe = |exit: i32| {
        let ran = desk.run("risk check --at latest --nagios").exits(exit);
        assert_eq!((ran.stdout.lines().count(), ran.stderr.as_str()), (1, ""), "{ran:?}");
        ran.stdout
    };
    let well = "RISK OK - 18 of 18 rules ok | 'violated'=0;;0 'unknown'=0 'rules'=18 'pools'=2\n";
    assert_eq!(probe(0), well);
    desk.run("risk set stable --max-tvl 1").ok();
    assert!(
        probe(2).starts_with("RISK CRITICAL - 1 violated; first: stable: tvl_cap_exceeded: TVL 2301234567")
    );
    desk.run("risk set stable --max-tvl 1000000").ok();
    // An engine that cannot be read: older limits serve, then they do not.
    desk.run(&format!("risk set growth --engine viddhana --engine-address {}", desk.world.risk)).ok();
    assert_eq!(probe(0), well);
    desk.wire.fault(Rule::new(Fault::Refuse));
    assert!(probe(1).starts_with("RISK WARNING - limits not refreshed: growth | "));
    desk.meddle("UPDATE pool_risk_parameters SET refreshed_at = refreshed_at - 3700 WHERE pool_id = 1");
    assert!(probe(3).starts_with("RISK UNKNOWN - growth: risk_unknown: the parameters are 1h"));
    // What is known to be wrong comes first.
    desk.run("risk pause growth --reason audit").ok();
    assert!(probe(2).starts_with("RISK CRITICAL - 1 violated; first: growth: emergency_pause"));
    desk.wire.heal();
    desk.wire.fault(Rule::new(Fault::ChainId(1)));
    assert!(probe(3).starts_with("RISK UNKNOWN - wrong_network: "));
    desk.run("risk check --json --nagios").fails(2, "usage");
}

/// A desk with the pool `cents`: a million shares of a new vault over an asset of two decimals, made by what is given.
fn cents(make: impl Fn(&World, Address) -> Address) -> (Desk, Address) {
    let desk = Desk::ready();
    let world = &desk.world;
    let asset = Asset::constructorCall { name: "Cent".into(), symbol: "CENT".into(), decimals: 2 };
    let asset = world.node.deploy(world.owner, "Asset", &asset).unwrap().address().unwrap();
    let vault = make(world, asset);
    for account in [world.alice, world.dave] {
        world.mint(asset, account, units(2_000_000, 2)).unwrap();
    }
    world.deposit(vault, world.alice, units(1_000_000, 2)).unwrap();
    world.node.mine(2).unwrap();
    desk.run(&format!("pool add cents {vault}")).ok();
    (desk, vault)
}

/// Syncs `cents` at a new block.
fn sync_cents(desk: &Desk) -> Value {
    desk.world.node.mine(2).unwrap();
    desk.run("sync cents --at latest --json").exits(0).envelope()
}

fn newest_rate(desk: &Desk) -> String {
    desk.one("SELECT rate_e18 FROM pool_snapshots ORDER BY block_number DESC LIMIT 1")
}

#[test]
fn few_decimals_open_no_breaker_and_hide_no_loss() {
    let (desk, vault) = cents(|world, asset| world.add_vault(asset, 0).unwrap().address().unwrap());
    let world = &desk.world;
    world.donate(vault, world.dave, U256::from(1_000_002)).unwrap();
    assert_eq!(sync_cents(&desk)["warnings"], json!([]));
    assert_eq!(newest_rate(&desk), "1010000019899999801");
    // 0.02 less: the contract itself answers 1.01 before and 1.00 afterwards.
    world.loss(vault, U256::from(2)).unwrap();
    assert_eq!(sync_cents(&desk)["warnings"], json!([]));
    assert_eq!(newest_rate(&desk), "1009999999900000000");
    // Where nothing may be lost, 0.02 are a loss.
    desk.meddle("UPDATE pools SET max_rate_drop_ppm = 0 WHERE name = 'cents'");
    world.loss(vault, U256::from(2)).unwrap();
    let fell = ["exchange_rate_drop", "fell from 1.0099999999 to 1.0099999799"];
    says(&warnings(&sync_cents(&desk)), &fell);
    desk.meddle("UPDATE pools SET max_rate_drop_ppm = 5000 WHERE name = 'cents'");
    desk.run("risk reset-breaker cents --reason seen").ok();
    // 0.9 % less: it answers 1.01 both times.
    world.donate(vault, world.dave, U256::from(950_002)).unwrap();
    assert_eq!(sync_cents(&desk)["warnings"], json!([]));
    world.loss(vault, U256::from(900_000)).unwrap();
    let fell = ["exchange_rate_drop", "fell from 1.01949", "to 1.01049"];
    says(&warnings(&sync_cents(&desk)), &fell);
    assert_eq!(desk.one("SELECT rule FROM circuit_breaker_status WHERE active = 1"), "exchange_rate_drop");
    desk.run("pool reconcile cents").ok();
    // What an earlier version kept is no drift, and no fall at the next sync.
    desk.meddle("UPDATE pool_snapshots SET rate_e18 = '1010000000000000000' WHERE rate_e18 LIKE '101049%'");
    desk.run("pool reconcile cents").ok();
    assert_eq!(sync_cents(&desk)["warnings"], json!([]));
    assert!(newest_rate(&desk).starts_with("101049"), "{}", newest_rate(&desk));
    desk.sound();
}

#[test]
fn a_vault_that_takes_a_fee_is_told_by_its_own_answer_and_no_coarser() {
    let (desk, vault) = cents(|world, asset| {
        let call = FeeVault::constructorCall { asset, fee: U256::from(30_000) };
        world.node.deploy(world.owner, "FeeVault", &call).unwrap().address().unwrap()
    });
    let world = &desk.world;
    world.donate(vault, world.dave, U256::from(3_092_784)).unwrap();
    let alerts = |at: &str| {
        let warned = sync_cents(&desk);
        says(&warnings(&warned), &["inconsistent_state", at]);
        warned["warnings"].as_array().unwrap().len()
    };
    assert_eq!(alerts("exchange rate 1.0000000044"), 1);
    // 0.02 less: for one share it answers 1.00 before and 0.99 afterwards.
    world.loss(vault, U256::from(2)).unwrap();
    assert_eq!(alerts("exchange rate 0.9999999851"), 1);
    desk.run("pool reconcile cents").ok();
    // 0.9 % less: it answers 0.99 both times.
    world.donate(vault, world.dave, U256::from(950_000)).unwrap();
    assert_eq!(alerts("exchange rate 1.0092149"), 1);
    world.loss(vault, U256::from(900_000)).unwrap();
    assert_eq!(alerts("exchange_rate_drop: exchange rate fell from 1.0092149"), 2);
    desk.sound();
}
