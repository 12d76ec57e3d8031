//! `pool reconcile`: the state against the chain, holder by holder, each difference named with both values.

use super::desk::{Desk, says};
use poolctl_testkit::{Fault, Rule, units};
use serde_json::{Value, json};

/// Runs it; whatever it finds, the state is as before.
#[track_caller]
fn reconcile(desk: &Desk, flags: &str, exit: i32) -> Value {
    desk.unchanged(|| desk.run(&format!("pool reconcile {flags} --json")).exits(exit).envelope())
}

/// (what, member's name, state, chain) of every drift.
fn drifts(envelope: &Value) -> Vec<(String, Value, Value, Value)> {
    let pools = envelope["data"]["pools"].as_array().unwrap();
    pools
        .iter()
        .flat_map(|pool| {
            pool["drifts"].as_array().unwrap().iter().map(move |drift| {
                let what = format!("{} {}", pool["pool"].as_str().unwrap(), drift["what"].as_str().unwrap());
                (what, drift["member_name"].clone(), drift["state"].clone(), drift["chain"].clone())
            })
        })
        .collect()
}

#[test]
fn a_synced_state_is_equal_whatever_came_after() {
    let desk = Desk::weighted();
    assert_eq!(Desk::bare().json("pool reconcile"), json!({ "pools": [], "drifts": 0 }));
    desk.run("sync").ok();
    desk.wire.clear();
    let envelope = reconcile(&desk, "--all", 0);
    assert!(desk.wire.http_count() < 10, "{}", desk.wire.http_count());
    let lines = envelope["data"]["pools"].as_array().unwrap();
    for (line, (pool, members)) in lines.iter().zip([("growth", 3), ("stable", 3)]) {
        assert_eq!((&line["pool"], &line["status"]), (&json!(pool), &json!("equal")));
        assert_eq!(line["members"], members, "{line}");
        let number = line["view"]["number"].as_u64().unwrap();
        assert_eq!(line["view"]["hash"], desk.world.node.block_hash(number).unwrap().to_string());
    }
    // Transfers after that block, taken in by a reward cycle or not, are another day's matter.
    let world = &desk.world;
    world.deposit(world.six.vault, world.dave, units(5, 6)).unwrap();
    world.transfer_shares(world.eighteen.vault, world.alice, world.dave, units(10, 18)).unwrap();
    world.node.mine(30).unwrap();
    assert_eq!(reconcile(&desk, "growth stable", 0)["data"]["drifts"], 0);
    desk.first_cycle();
    let past = "SELECT count(*) FROM pools WHERE cursor_block > synced_block";
    assert_eq!(desk.one(past), "2", "the cycle has replayed beyond the sync");
    assert_eq!(reconcile(&desk, "", 0)["data"]["drifts"], 0);
    // Pools at different blocks; a member that has nothing left is asked for too.
    let all = world
        .node
        .call(world.eighteen.vault, &poolctl_testkit::abi::Vault::balanceOfCall { account: world.dave });
    world.transfer_shares(world.eighteen.vault, world.dave, world.alice, all.unwrap()).unwrap();
    world.node.mine(2).unwrap();
    desk.run("sync growth").ok();
    let envelope = reconcile(&desk, "", 0);
    assert_ne!(envelope["data"]["pools"][0]["view"], envelope["data"]["pools"][1]["view"]);
    assert_eq!(envelope["data"]["pools"][0]["members"], 4);
    let text = desk.run("pool reconcile growth").ok();
    assert!(text.starts_with("growth: equal, 4 members compared, block "), "{text}");
    desk.sound();
}

#[test]
fn every_difference_is_named_with_both_values() {
    let desk = Desk::ready();
    desk.run("sync").ok();
    let alice = format!("SELECT id FROM members WHERE address = '{}'", desk.world.alice);
    desk.meddle(&format!(
        "UPDATE user_pool_shares SET shares = '1999999999' WHERE pool_id = 2 AND member_id = ({alice})"
    ));
    let envelope = reconcile(&desk, "--all", 5);
    let shares = ("stable shares".to_owned(), json!("alice"), json!("1999.999999"), json!("2000.000000"));
    let sum = ("stable holders".to_owned(), Value::Null, json!("2301.234566"), json!("2301.234567"));
    assert_eq!(drifts(&envelope), [sum, shares]);
    assert_eq!(
        (&envelope["error"]["code"], &envelope["error"]["details"]["pools"]),
        (&json!("drift"), &json!(["stable"]))
    );
    says(
        &envelope["error"]["message"],
        &[
            "2 differences in stable; first: stable: holders is 2,301.234566 tv in the state and 2,301.234567 tv on the chain",
        ],
    );
    assert_eq!(envelope["data"]["pools"][1]["drifts"][1]["member"], desk.world.alice.to_string());
    let text = desk.unchanged(|| desk.run("pool reconcile").exits(5));
    for word in ["FIGURE", "alice", "1,999.999999 tv", "2,000.00 tv", "stable: NOT equal, 3 members compared"]
    {
        assert!(text.stdout.contains(word), "{word:?} is not in: {}", text.stdout);
    }
    assert_eq!(reconcile(&desk, "growth", 0)["data"]["drifts"], 0);
    // A holder that the state lost shows in the sum.
    desk.meddle(&format!("DELETE FROM user_pool_shares WHERE pool_id = 2 AND member_id = ({alice})"));
    let lost = ("stable holders".to_owned(), Value::Null, json!("301.234567"), json!("2301.234567"));
    assert_eq!(drifts(&reconcile(&desk, "stable", 5)), [lost]);

    // Figures and limits of the pool itself.
    let desk = Desk::ready();
    desk.run("sync").ok();
    desk.meddle(
        "UPDATE pool_snapshots SET total_assets = '1', total_shares = '2', rate_e18 = '3', paused = 1,
             min_deposit = '4', max_deposit = '5', cooldown_sec = 6 WHERE pool_id = 2",
    );
    let envelope = reconcile(&desk, "stable", 5);
    let found: Vec<(Value, Value, Value)> = drifts(&envelope)
        .into_iter()
        .map(|(what, _, state, chain)| (json!(what.trim_start_matches("stable ")), state, chain))
        .collect();
    let none = Value::Null;
    assert_eq!(
        found,
        [
            (json!("total_assets"), json!("0.000001"), json!("2301.234567")),
            (json!("total_shares"), json!("0.000002"), json!("2301.234567")),
            (json!("exchange_rate"), json!("0.000000000000000003"), json!("1.000000000000000000")),
            (json!("paused"), json!(true), json!(false)),
            (json!("min_deposit"), json!("0.000004"), none.clone()),
            (json!("max_deposit"), json!("0.000005"), none.clone()),
            (json!("cooldown_sec"), json!(6), none),
        ]
    );
}

#[test]
fn more_members_than_one_round_takes_are_all_asked_for() {
    let desk = Desk::ready();
    desk.run("sync").ok();
    // Former holders, as the state remembers them: the chain has nothing for them either.
    desk.meddle(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)
         INSERT INTO members (address, added_at) SELECT printf('0x%040x', i + 65536), 1 FROM n",
    );
    desk.meddle(
        "INSERT INTO user_pool_shares (pool_id, member_id, shares)
         SELECT 2, id, '0' FROM members WHERE address GLOB '0x00000000*'",
    );
    desk.wire.clear();
    let envelope = reconcile(&desk, "stable", 0);
    assert_eq!(envelope["data"]["pools"][0]["members"], 6003);
    assert!(desk.wire.http_count() < 20, "{}", desk.wire.http_count());
    // The last of them is compared like the first.
    let last = "(SELECT max(member_id) FROM user_pool_shares)";
    desk.meddle(&format!(
        "UPDATE user_pool_shares SET shares = '5' WHERE pool_id = 2 AND member_id = {last}"
    ));
    let found = drifts(&reconcile(&desk, "stable", 5));
    assert_eq!(found[1], ("stable shares".to_owned(), Value::Null, json!("0.000005"), json!("0.000000")));
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn a_pool_that_cannot_be_compared_hides_no_other() {
    let desk = Desk::ready();
    desk.run("sync stable").ok();
    let envelope = reconcile(&desk, "growth", 5);
    says(&envelope["error"]["message"], &["cannot compare pool \"growth\": it was never synced"]);
    says(&envelope["error"]["hint"], &["poolctl sync growth"]);
    let envelope = reconcile(&desk, "--all", 3);
    assert_eq!(envelope["error"]["details"]["failed"], json!(["growth"]));
    assert_eq!(envelope["data"]["pools"][0]["status"], "failed");
    assert_eq!(envelope["data"]["pools"][1]["status"], "equal");
    // A block that a reorg took away.
    desk.run("sync").ok();
    let gone = format!("0x{}", "ab".repeat(32));
    desk.meddle(&format!("UPDATE pool_snapshots SET block_hash = '{gone}' WHERE pool_id = 1"));
    let envelope = reconcile(&desk, "growth", 75);
    says(&envelope["error"]["message"], &[&gone, "is not canonical any more"]);
    // With a drift elsewhere, the drift is what ends it, and the other is named.
    desk.meddle("UPDATE user_pool_shares SET shares = '7' WHERE pool_id = 2 AND shares = '300000000'");
    let envelope = reconcile(&desk, "", 5);
    says(&envelope["error"]["message"], &["2 differences in stable", "not compared: growth"]);
    // A chain that is shorter than the state, an endpoint that has forgotten, and none at all.
    desk.meddle("UPDATE pools SET synced_block = 999999 WHERE id = 1");
    desk.meddle("UPDATE pool_snapshots SET block_number = 999999 WHERE pool_id = 1");
    let envelope = reconcile(&desk, "growth", 1);
    says(&envelope["error"]["message"], &["cannot compare pool \"growth\"", "has no block 999999 yet"]);
    let pruned =
        Fault::RpcError { code: -32000, message: "missing trie node abc (path )".into(), data: Value::Null };
    desk.wire.fault(Rule::new(pruned).on_method("eth_call"));
    let envelope = reconcile(&desk, "stable", 1);
    says(&envelope["error"]["message"], &["cannot compare pool \"stable\"", "missing trie node"]);
    says(&envelope["error"]["hint"], &["keeps old state"]);
    desk.wire.heal();
    desk.wire.fault(Rule::new(Fault::Refuse));
    desk.unchanged(|| desk.run("pool reconcile").fails(75, "unreachable"));
    desk.refuses_offline(&["pool", "reconcile", "nowhere"], "unknown_pool", &["nowhere"]);
    desk.refuses_offline(&["pool", "reconcile", "growth", "--all"], "usage", &["--all"]);
}
