//! Bases and bad days of the grid: snapshots, no weight at all, epochs of one block, a thousand missed ones, and
//! an engine that says no.

use super::desk::{Desk, says};
use poolctl_testkit::abi::{RiskEngine, Vault};
use poolctl_testkit::alloy::primitives::U256;
use poolctl_testkit::units;
use serde_json::{Value, json};

fn pool<'a>(data: &'a Value, name: &str) -> &'a Value {
    data["pools"].as_array().unwrap().iter().find(|p| p["pool"] == name).unwrap()
}

#[track_caller]
fn verified(desk: &Desk) {
    desk.sound();
    let found = desk.json("reward epoch verify --all");
    assert_eq!(found["difference_count"], 0, "{found}");
}

#[test]
fn a_snapshot_looks_at_the_last_block_alone() {
    let desk = Desk::ready();
    desk.setting("reward.basis = \"snapshot\"");
    desk.run("reward set-weight growth 1").ok();
    let world = &desk.world;
    let (vault, dave, bob) = (world.eighteen.vault, world.dave, world.bob);
    world.approve(world.eighteen.asset, dave, vault, units(1_000, 18)).unwrap();
    let start = world.node.block_number().unwrap() + 1;
    world.node.mine(8).unwrap();
    // Dave comes in the last block and counts whole; bob leaves in it and gets nothing.
    let shares = world.node.call(vault, &Vault::balanceOfCall { account: bob }).unwrap();
    world.node.set_automine(false).unwrap();
    let deposit = Vault::depositCall { assets: units(300, 18), receiver: dave };
    world.node.submit(dave, vault, &deposit).unwrap();
    world.node.submit(bob, vault, &Vault::transferCall { to: world.carol, shares }).unwrap();
    world.node.mine(1).unwrap();
    world.node.set_automine(true).unwrap();
    let head = world.node.block_number().unwrap();
    assert_eq!(head, start + 8, "one block before the last");
    world.node.mine(1).unwrap();
    let balance = |account| world.node.call(vault, &Vault::balanceOfCall { account }).unwrap();
    let held: Vec<(String, U256)> =
        [world.alice, world.carol, dave].map(|a| (a.to_string(), balance(a))).to_vec();
    assert_eq!(balance(bob), U256::ZERO);
    let supply = world.node.call(vault, &Vault::totalSupplyCall {}).unwrap();
    // What happens after it does not count.
    world.deposit(vault, world.alice, units(400, 18)).unwrap();
    world.node.mine(2).unwrap();
    let cycle = desk.json(&format!("reward cycle --from {start}"));
    assert_eq!(pool(&cycle, "growth")["epochs"].as_array().unwrap().len(), 1);
    let epoch = pool(&cycle, "growth")["epochs"][0]["epoch"].as_i64().unwrap();
    assert_eq!(desk.json(&format!("reward epoch show {epoch}"))["basis"], "snapshot");
    let mut total = U256::ZERO;
    for (address, shares) in &held {
        let got: U256 = desk
            .one(&format!(
                "SELECT r.amount FROM pool_rewards r JOIN members m ON m.id = r.member_id
                 WHERE r.epoch_id = {epoch} AND m.address = '{address}'"
            ))
            .parse()
            .unwrap();
        let floor = units(20, 18) * *shares / supply;
        assert!(got == floor || got == floor + U256::ONE, "{address}: {got} is not {floor}");
        total += got;
    }
    assert_eq!(total, units(20, 18), "nobody else has a part");
    verified(&desk);
    // A change of basis holds from the next epoch on, and both are verified by their own.
    let config = std::fs::read_to_string(desk.home.config()).unwrap();
    desk.home.write_config(&config.replace("snapshot", "time-weighted"));
    desk.run("reward cycle --json").exits(0);
    desk.world.node.mine(40).unwrap();
    desk.run("reward cycle").ok();
    assert_eq!(
        desk.rows("SELECT DISTINCT basis FROM pool_reward_epochs ORDER BY basis"),
        ["snapshot", "time-weighted"]
    );
    verified(&desk);
}

#[test]
fn without_any_weight_the_emission_is_carried_until_there_is_one() {
    let desk = Desk::ready();
    for name in ["growth", "stable"] {
        desk.run(&format!("reward set-weight {name} 0")).ok();
    }
    let cycle = desk.first_cycle();
    let count = pool(&cycle, "growth")["epochs"].as_array().unwrap().len();
    for name in ["growth", "stable"] {
        for epoch in pool(&cycle, name)["epochs"].as_array().unwrap() {
            assert_eq!(epoch["carry_reason"], "zero_weight");
            for figure in ["part", "distributed", "carry_out"] {
                assert_eq!(epoch[figure], "0.000000000000000000", "{figure}");
            }
        }
    }
    says(&json!(desk.run("reward epoch list").ok()), &["zero_weight"]);
    let carried: U256 =
        desk.one("SELECT carry_out FROM reward_emissions ORDER BY start_block DESC LIMIT 1").parse().unwrap();
    assert_eq!(carried, units(20 * count as u64, 18));
    verified(&desk);
    desk.unchanged(|| desk.run("reward cycle").ok());
    // The first epoch with a weight gets all of it.
    desk.run("reward set-weight stable 0.5").ok();
    desk.world.node.mine(30).unwrap();
    let cycle = desk.json("reward cycle");
    let epochs = pool(&cycle, "stable")["epochs"].as_array().unwrap();
    let first = epochs.iter().position(|e| e["carry_reason"].is_null()).unwrap();
    assert_eq!(epochs[first]["distributed"], format!("{}.000000000000000000", 20 * (count + first + 1)));
    verified(&desk);
}

#[test]
fn a_thousand_missed_epochs_of_one_block_are_caught_up_in_order_with_few_requests() {
    let desk = Desk::ready();
    let config = std::fs::read_to_string(desk.home.config()).unwrap();
    desk.home.write_config(&config.replace("reward.epoch_blocks = 10", "reward.epoch_blocks = 1"));
    desk.run("reward set-weight growth 1").ok();
    let start = desk.final_block();
    desk.world.node.mine(1_000).unwrap();
    desk.wire.clear();
    let cycle = desk.json(&format!("reward cycle --from {start}"));
    assert_eq!(cycle["final_block"].as_u64().unwrap(), start + 1_000);
    let epochs = pool(&cycle, "growth")["epochs"].as_array().unwrap();
    let starts: Vec<u64> = epochs.iter().map(|e| e["start_block"].as_u64().unwrap()).collect();
    assert_eq!(starts, (start..=start + 1_000).collect::<Vec<u64>>());
    for epoch in epochs {
        assert_eq!(epoch["end_block"].as_u64(), epoch["start_block"].as_u64().map(|block| block + 1));
        assert_eq!((&epoch["distributed"], &epoch["holders"]), (&json!("2.000000000000000000"), &json!(3)));
    }
    let sent = desk.wire.http_count();
    // Of these, three ask whether the pool was paused at the end of each, three what its holders have there, and three for the
    // headers of the blocks that are read.
    assert!(sent <= 18, "{sent} requests");
    let order = desk.rows("SELECT start_block FROM pool_reward_epochs ORDER BY id");
    assert!(order.iter().map(|text| text.parse::<u64>().unwrap()).is_sorted());
    desk.wire.clear();
    verified(&desk);
    let sent = desk.wire.http_count();
    assert!(sent <= 12, "{sent} requests to verify");
    let again = desk.unchanged(|| desk.json("reward cycle"));
    assert_eq!(pool(&again, "growth")["epochs"], json!([]));
}

#[test]
fn an_engine_or_an_operator_that_says_no_stops_distribution_and_nothing_is_lost() {
    let desk = Desk::weighted();
    desk.run(&format!("risk set growth --engine viddhana --engine-address {}", desk.world.risk)).ok();
    desk.run("risk fetch growth").ok();
    let cycle = format!("reward cycle --from {}", desk.genesis());
    let engine = |on: bool| {
        desk.world
            .node
            .send(desk.world.owner, desk.world.risk, &RiskEngine::setEmergencyModeCall { on })
            .unwrap();
        desk.world.node.mine(2).unwrap();
        desk.run("risk fetch growth").ok();
    };
    engine(true);
    let envelope = desk.run(&cycle).fails(3, "partial");
    assert_eq!(pool(&envelope["data"], "growth")["epochs"], json!([]));
    says(
        &pool(&envelope["data"], "growth")["error"],
        &["cannot pay pool \"growth\"", "paused at the engine"],
    );
    says(&envelope["error"]["hint"], &["risk fetch growth"]);
    let paid = pool(&envelope["data"], "stable")["epochs"].clone();
    desk.sound();
    engine(false);
    // The engine's breaker.
    desk.meddle("UPDATE pool_risk_parameters SET engine_breaker = 1, engine_breaker_reason = 'too fast'");
    let envelope = desk.run("reward cycle").fails(3, "partial");
    says(&pool(&envelope["data"], "growth")["error"], &["breaker is open", "at the engine: too fast"]);
    says(&envelope["error"]["hint"], &["risk fetch growth"]);
    // Released there, but paused here.
    desk.meddle("UPDATE pool_risk_parameters SET engine_breaker = 0, engine_breaker_reason = NULL");
    desk.run("risk pause growth --reason audit").ok();
    let envelope = desk.run("reward cycle").fails(3, "partial");
    says(&pool(&envelope["data"], "growth")["error"], &["emergency pause", "paused here: audit"]);
    says(&envelope["error"]["hint"], &["risk unpause growth"]);
    let next = pool(&envelope["data"], "growth")["next_start_block"].as_u64().unwrap();
    assert_eq!(next, desk.genesis());
    desk.run("risk unpause growth --reason done").ok();
    let cycle = desk.json("reward cycle");
    let caught_up = pool(&cycle, "growth")["epochs"].as_array().unwrap();
    let starts = |epochs: &[Value]| epochs.iter().map(|e| e["start_block"].clone()).collect::<Vec<_>>();
    assert!(starts(caught_up).starts_with(&starts(paid.as_array().unwrap())), "{cycle}");
    verified(&desk);
    // Limits that are not known say nothing of what was earned.
    assert_eq!(desk.rows("SELECT pool_id FROM pool_risk_parameters"), ["1"], "stable has none, and was paid");
}
