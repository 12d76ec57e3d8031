//! Reward cycles and claims: in order, once, up to the final block, nothing lost, and only with consent.

use super::desk::{Desk, says};
use crate::support::{BINARY, Ran, ended};
use poolctl_testkit::abi::Vault;
use poolctl_testkit::alloy::primitives::U256;
use poolctl_testkit::{Fault, Matcher, Rule, tamper, units};
use serde_json::{Value, json};

fn pool<'a>(data: &'a Value, name: &str) -> &'a Value {
    data["pools"].as_array().unwrap().iter().find(|p| p["pool"] == name).unwrap()
}

fn starts(pool: &Value) -> Vec<u64> {
    pool["epochs"].as_array().unwrap().iter().map(|e| e["start_block"].as_u64().unwrap()).collect()
}

fn amount(desk: &Desk, sql: &str) -> U256 {
    desk.rows(sql).iter().map(|text| text.parse::<U256>().unwrap()).sum()
}

/// Everything emitted stands somewhere: with members, or carried by a pool or by the emission.
fn conserves(desk: &Desk) {
    let emitted = amount(desk, "SELECT emission FROM reward_emissions");
    let given = amount(desk, "SELECT amount FROM pool_rewards");
    let carried = amount(desk, "SELECT reward_carry FROM pools");
    let unsplit = amount(desk, "SELECT carry_out FROM reward_emissions ORDER BY start_block DESC LIMIT 1");
    assert_eq!(emitted, given + carried + unsplit);
    desk.sound();
}

#[test]
fn missed_epochs_are_caught_up_in_order_up_to_the_final_block() {
    let desk = Desk::weighted();
    let genesis = desk.genesis();
    let dry = desk.unchanged(|| {
        desk.run(&format!("reward cycle --from {genesis} --dry-run --json")).exits(0).envelope()
    });
    let first = desk.first_cycle();
    assert_eq!(dry["dry_run"], true);
    assert_eq!(dry["data"], first, "a dry run says what will be done");
    let last_final = desk.final_block();
    assert_eq!(first["final_block"], last_final);
    let want: Vec<u64> = (genesis..=last_final - 9).step_by(10).collect();
    assert!(want.len() >= 2, "{want:?}");
    for name in ["growth", "stable"] {
        assert_eq!(starts(pool(&first, name)), want);
        assert_eq!(pool(&first, name)["next_start_block"], genesis + 10 * want.len() as u64);
    }
    // Again for the same blocks: nothing to do, nothing done.
    let again = desk.unchanged(|| desk.json("reward cycle"));
    assert_eq!(starts(pool(&again, "growth")), Vec::<u64>::new());
    let same_from = desk.unchanged(|| desk.json(&format!("reward cycle --from {genesis}")));
    assert_eq!(starts(pool(&same_from, "growth")), Vec::<u64>::new());
    let other = desk
        .unchanged(|| desk.run(&format!("reward cycle --from {}", genesis + 1)).fails(2, "invalid_value"));
    says(&other["error"]["message"], &["--from", "rewards began at block"]);

    // An epoch is paid when its last block is final, not a block earlier.
    let next = genesis + 10 * want.len() as u64;
    let missing = next + 9 - desk.final_block();
    desk.world.node.mine(missing - 1).unwrap();
    assert_eq!(desk.final_block(), next + 8);
    desk.unchanged(|| desk.run("reward cycle").ok());
    desk.world.node.mine(1).unwrap();
    assert_eq!(starts(pool(&desk.json("reward cycle"), "stable")), [next]);
    // Three missed ones at once.
    desk.world.node.mine(30).unwrap();
    assert_eq!(starts(pool(&desk.json("reward cycle"), "stable")), [next + 10, next + 20, next + 30]);
    let order = desk.rows("SELECT start_block FROM pool_reward_epochs WHERE pool_id = 1 ORDER BY id");
    let mut sorted = order.clone();
    sorted.sort_by_key(|start| start.parse::<u64>().unwrap());
    assert_eq!(order, sorted);
    let hashes = desk.rows("SELECT end_block - 1, last_hash FROM pool_reward_epochs");
    for line in hashes {
        let (block, hash) = line.split_once(" | ").unwrap();
        assert_eq!(hash, desk.world.node.block_hash(block.parse().unwrap()).unwrap().to_string());
    }
    conserves(&desk);
}

#[test]
fn the_first_cycle_needs_a_beginning_a_token_and_a_weight() {
    let desk = Desk::ready();
    let envelope = desk.unchanged(|| desk.run("reward cycle").fails(2, "missing_setting"));
    says(&envelope["error"]["hint"], &["reward set-weight"]);
    desk.run("reward set-weight growth 1").ok();
    let envelope = desk.unchanged(|| desk.run("reward cycle").fails(2, "missing_setting"));
    says(&envelope["error"]["hint"], &["--from BLOCK"]);
    let config = std::fs::read_to_string(desk.home.config()).unwrap();
    let sent = desk.wire.http_count();
    desk.home.write_config(&config.replace("reward.asset", "# reward.asset"));
    let envelope = desk.unchanged(|| desk.run("reward cycle --from 1").fails(2, "missing_setting"));
    says(&envelope["error"]["message"], &["reward.asset"]);
    assert_eq!(desk.wire.http_count(), sent);
}

#[test]
fn a_deposit_in_the_last_block_earns_one_blocks_worth() {
    let desk = Desk::ready();
    desk.run("reward set-weight growth 1").ok();
    desk.first_cycle();
    let (vault, dave) = (desk.world.eighteen.vault, desk.world.dave);
    desk.world.approve(desk.world.eighteen.asset, dave, vault, units(1_000, 18)).unwrap();
    // The epoch after the present one has no other movement.
    let head = desk.world.node.block_number().unwrap();
    let start = desk.genesis() + (head + 1 - desk.genesis()).div_ceil(10) * 10;
    desk.world.node.mine(start + 8 - head).unwrap();
    let supply = desk.world.node.call(vault, &Vault::totalSupplyCall {}).unwrap();
    let receipt = desk.world.deposit(vault, dave, units(300, 18)).unwrap();
    assert_eq!(receipt.block, start + 9, "the epoch's last block");
    let shares = desk.world.node.call(vault, &Vault::balanceOfCall { account: dave }).unwrap();
    desk.world.node.mine(3).unwrap();
    desk.run("reward cycle").ok();
    let earned = amount(
        &desk,
        &format!(
            "SELECT r.amount FROM pool_rewards r JOIN pool_reward_epochs e ON e.id = r.epoch_id
             JOIN members m ON m.id = r.member_id WHERE m.address = '{dave}' AND e.start_block = {start}"
        ),
    );
    let (floor, _) = (units(20, 18) * shares).div_rem(supply * U256::from(10) + shares);
    assert!(earned == floor || earned == floor + U256::ONE, "{earned} is not {floor}");
    assert_eq!(
        desk.one(&format!(
            "SELECT count(*) FROM pool_rewards r JOIN members m ON m.id = r.member_id
        WHERE m.address = '{dave}'"
        )),
        "1"
    );
    conserves(&desk);
}

#[test]
fn without_holders_or_paused_the_amount_is_carried_with_its_reason() {
    let desk = Desk::ready();
    let empty = desk.world.add_vault(desk.world.six.asset, 0).unwrap();
    let vault = empty.address().unwrap();
    desk.world.node.mine(2).unwrap();
    desk.run(&format!("pool add empty {vault}")).ok();
    for name in ["growth", "empty"] {
        desk.run(&format!("reward set-weight {name} 0.5")).ok();
    }
    let begin = desk.world.node.block_number().unwrap() + 1;
    desk.world.pause(desk.world.eighteen.vault).unwrap();
    desk.world.node.mine(22).unwrap();
    let cycle = desk.json(&format!("reward cycle --from {begin}"));
    for (name, reason) in [("growth", "pool_paused"), ("empty", "no_holders")] {
        let epochs = pool(&cycle, name)["epochs"].as_array().unwrap();
        assert_eq!(epochs.len(), 2, "{cycle}");
        for (n, epoch) in epochs.iter().enumerate() {
            assert_eq!(epoch["carry_reason"], reason);
            assert_eq!(epoch["distributed"], "0.000000000000000000");
            assert_eq!(epoch["carry_out"], format!("{}.000000000000000000", 10 * (n + 1)));
            assert_eq!(epoch["holders"], 0);
        }
        let stored = format!(
            "SELECT DISTINCT carry_reason FROM pool_reward_epochs e JOIN pools p ON p.id = e.pool_id
             WHERE p.name = '{name}'"
        );
        assert_eq!(desk.rows(&stored), [reason]);
    }
    let shown = desk.run("reward pending").ok();
    assert_eq!(shown, "nothing pending\n");
    conserves(&desk);
    // The next epoch with holders gets it all.
    desk.world.unpause(desk.world.eighteen.vault).unwrap();
    desk.world.deposit(vault, desk.world.dave, units(10, 6)).unwrap();
    desk.world.node.mine(12).unwrap();
    let cycle = desk.json("reward cycle");
    for name in ["growth", "empty"] {
        let epoch = &pool(&cycle, name)["epochs"][0];
        assert_eq!(epoch["carry_in"], "20.000000000000000000", "{cycle}");
        assert_eq!(epoch["distributed"], "30.000000000000000000");
        assert_eq!(epoch["carry_reason"], Value::Null);
    }
    conserves(&desk);
}

#[test]
fn an_open_breaker_pays_nobody_and_leaves_the_other_pool_done() {
    let desk = Desk::weighted();
    desk.run("sync").ok();
    let open = "INSERT INTO circuit_breaker_status (pool_id, active, rule, reason, triggered_at)
        VALUES (1, 1, 'exchange_rate_drop', 'the rate fell', 1700000000)";
    desk.meddle(open);
    let envelope = desk.run(&format!("reward cycle --from {}", desk.genesis())).fails(3, "partial");
    says(
        &envelope["error"]["message"],
        &["1 of 2 pools failed: growth", "cannot pay pool \"growth\"", "the rate fell"],
    );
    assert!(pool(&envelope["data"], "growth")["epochs"].as_array().unwrap().is_empty());
    assert!(pool(&envelope["data"], "growth")["error"].as_str().unwrap().contains("breaker is open"));
    let paid = starts(pool(&envelope["data"], "stable"));
    assert!(!paid.is_empty());
    assert_eq!(desk.one("SELECT count(*) FROM pool_reward_epochs WHERE pool_id = 1"), "0");
    let again = desk.unchanged(|| desk.run("reward cycle").fails(3, "partial"));
    assert!(starts(pool(&again["data"], "stable")).is_empty());
    desk.sound();
    // Reset, it catches up with every epoch, by the terms of their day.
    desk.meddle("UPDATE circuit_breaker_status SET active = 0, reset_at = 1700000001, reset_reason = 'test'");
    let cycle = desk.json("reward cycle");
    assert_eq!(starts(pool(&cycle, "growth")), paid);
    assert_eq!(pool(&cycle, "growth")["epochs"][0]["part"], "15.000000000000000000");
    conserves(&desk);

    // Alone, the breaker is the answer.
    let desk = Desk::ready();
    desk.run("reward set-weight growth 1").ok();
    desk.run("sync").ok();
    desk.meddle(open);
    let envelope = desk.run(&format!("reward cycle --from {}", desk.genesis())).fails(4, "breaker_active");
    says(&envelope["error"]["hint"], &["risk reset-breaker growth"]);
    assert_eq!(desk.rows("SELECT id FROM pool_reward_epochs"), Vec::<String>::new());
}

#[test]
fn holders_that_moved_after_the_view_do_not_count() {
    // A sync at the head is ahead of the cycle, which reads at the safe block.
    let desk = Desk::ready();
    desk.run("reward set-weight growth 1").ok();
    desk.world.deposit(desk.world.eighteen.vault, desk.world.bob, units(77, 18)).unwrap();
    let twin = desk.home.fork();
    desk.run("sync --at latest").ok();
    let ahead = desk.first_cycle();
    let plain = twin.run(&format!("reward cycle --from {}", desk.genesis())).json();
    assert_eq!(ahead["pools"][0]["epochs"], plain["pools"][0]["epochs"]);
    conserves(&desk);
}

#[test]
fn a_sync_after_a_cycle_goes_on() {
    let desk = Desk::weighted();
    desk.first_cycle();
    desk.run("sync").ok();
    desk.world.node.mine(11).unwrap();
    desk.run("reward cycle").ok();
    desk.run("sync").ok();
    desk.sound();
}

#[test]
fn a_claim_credits_exactly_what_is_pending_and_only_once() {
    let desk = Desk::weighted();
    desk.first_cycle();
    let alice = format!(
        "SELECT r.amount FROM pool_rewards r JOIN pool_reward_epochs e ON e.id = r.epoch_id
         JOIN members m ON m.id = r.member_id WHERE m.address = '{}'",
        desk.world.alice
    );
    let of_growth = amount(&desk, &format!("{alice} AND e.pool_id = 1"));
    let of_all = amount(&desk, &alice);
    let decimal = |n: U256| {
        let (whole, rest) = n.div_rem(units(1, 18));
        format!("{whole}.{:0>18}", rest.to_string())
    };
    let dry = desk.unchanged(|| desk.run("reward claim alice growth --dry-run --json").exits(0).envelope());
    let claimed = desk.json("reward claim alice growth");
    assert_eq!(dry["data"], claimed, "a dry run says what will be credited");
    assert_eq!(claimed["credited"][0]["amount"], decimal(of_growth));
    let again = desk.unchanged(|| desk.json("reward claim alice growth"));
    assert_eq!(again["credited"], json!([]));
    let rest = desk.json(&format!("reward claim {} --all", desk.world.alice));
    assert_eq!(rest["credited"].as_array().unwrap().len(), 1);
    assert_eq!(rest["credited"][0]["amount"], decimal(of_all - of_growth));
    assert_eq!(desk.unchanged(|| desk.json("reward claim alice --all"))["event"], Value::Null);
    let balances = &desk.json("member show alice")["balances"];
    assert_eq!(balances[0]["amount"], decimal(of_all));
    assert_eq!(desk.rows(&format!("{alice} AND r.claimed_at IS NULL")), Vec::<String>::new());
    // One audit event and one balanced ledger transaction for each claim; nobody else's rows were touched.
    let entries = "SELECT e.kind, count(*) FROM events e JOIN ledger_entries l ON l.event_id = e.id
        WHERE e.kind = 'reward.claimed' GROUP BY e.id";
    assert_eq!(desk.rows(entries), ["reward.claimed | 2", "reward.claimed | 2"]);
    let others = format!(
        "SELECT count(*) FROM pool_rewards r JOIN members m ON m.id = r.member_id
        WHERE r.claimed_at IS NOT NULL AND m.address <> '{}'",
        desk.world.alice
    );
    assert_eq!(desk.one(&others), "0");
    conserves(&desk);
}

#[test]
fn two_claims_at_once_credit_once() {
    let desk = Desk::weighted();
    desk.first_cycle();
    for _ in 0..5 {
        let home = desk.home.fork();
        let want: U256 = desk
            .rows("SELECT r.amount FROM pool_rewards r JOIN members m ON m.id = r.member_id WHERE m.name = 'alice'")
            .iter()
            .map(|text| text.parse::<U256>().unwrap())
            .sum();
        let claims: Vec<_> =
            (0..3).map(|_| home.run("reward claim alice --all --wait 30s --json").spawn()).collect();
        let mut credited = 0;
        for claim in claims {
            let ran = ended(claim);
            assert_eq!(ran.code, Some(0), "{ran:?}");
            credited += usize::from(ran.envelope()["data"]["credited"] != json!([]));
        }
        assert_eq!(credited, 1);
        let balance = "SELECT balance FROM ledger_accounts WHERE purpose = 'available'";
        assert_eq!(super::desk::rows(&home.sqlite(), balance), [want.to_string()]);
        super::desk::sound(&home);
    }
}

#[test]
fn where_the_profile_asks_value_moves_only_with_consent() {
    let desk = Desk::weighted();
    desk.setting("guard.confirm = true");
    let cycle = format!("reward cycle --from {}", desk.genesis());
    let envelope = desk.unchanged(|| desk.run(&cycle).fails(4, "needs_confirmation"));
    says(&envelope["error"]["hint"], &["--yes"]);
    desk.unchanged(|| desk.run(&format!("{cycle} --dry-run --json")).exits(0));
    desk.run(&format!("{cycle} --yes")).ok();
    for line in ["reward claim alice growth", "reward claim alice --all"] {
        let envelope = desk.unchanged(|| desk.run(line).fails(4, "needs_confirmation"));
        says(&envelope["error"]["message"], &["claim ", " of pool \"growth\"", " for alice"]);
    }
    desk.unchanged(|| desk.run("reward claim alice --all --dry-run --json").exits(0));
    let claimed = desk.json("reward claim alice --all --yes");
    assert_eq!(claimed["credited"].as_array().unwrap().len(), 2);
    // Nothing to claim needs no consent.
    desk.unchanged(|| desk.run("reward claim alice --all").ok());
    conserves(&desk);
}

#[test]
fn a_late_first_cycle_pays_what_many_cycles_pay() {
    // All the weight is with a pool that begins 40 blocks later than another one, which has none.
    let desk = Desk::bare();
    let world = &desk.world;
    let begin = world.node.block_number().unwrap() + 1;
    desk.run(&format!("pool add growth {} --reward-genesis-block {}", world.eighteen.vault, begin + 40)).ok();
    desk.run(&format!("pool add stable {} --reward-genesis-block {begin}", world.six.vault)).ok();
    desk.run("reward set-weight growth 1").ok();
    desk.run("reward set-weight stable 0").ok();
    let often = desk.home.fork();
    let mut from = format!(" --from {begin}");
    for _ in 0..8 {
        world.node.mine(9).unwrap();
        often.run(&format!("reward cycle{from}")).ok();
        from.clear();
    }
    while desk.final_block() < begin + 59 {
        world.node.mine(1).unwrap();
    }
    often.run("reward cycle").ok();
    desk.run(&format!("reward cycle --from {begin}")).ok();
    let rows = "SELECT pool_id, start_block, end_block, weight_ppm, weight_sum_ppm, part, carry_in, distributed, carry_out,
        carry_reason, holders, last_hash FROM pool_reward_epochs ORDER BY pool_id, start_block";
    let emissions =
        "SELECT start_block, end_block, emission, carry_in, carry_out FROM reward_emissions ORDER BY 1";
    for sql in [rows, emissions] {
        assert_eq!(desk.rows(sql), super::desk::rows(&often.sqlite(), sql));
    }
    let given = |start: u64| {
        amount(
            &desk,
            &format!(
                "SELECT distributed FROM pool_reward_epochs WHERE pool_id = 1 AND start_block = {start}"
            ),
        )
    };
    assert_eq!((given(begin + 40), given(begin + 50)), (units(100, 18), units(20, 18)), "120 of 120");
    for home in [&desk.home, &often] {
        super::desk::sound(home);
        assert_eq!(home.run("reward epoch verify --all").json()["difference_count"], 0);
    }
    conserves(&desk);
}

#[test]
fn a_pause_counts_by_the_epochs_last_block_whenever_the_cycle_runs() {
    let desk = Desk::weighted();
    let world = &desk.world;
    let begin = world.node.block_number().unwrap() + 1;
    let vault = world.eighteen.vault;
    // Blocks 13 to 16: within the second epoch. Blocks 38 to 41: over the end of the fourth.
    let to = |block: u64| {
        let head = world.node.block_number().unwrap();
        if head < begin + block {
            world.node.mine(begin + block - head).unwrap();
        }
    };
    to(12);
    world.pause(vault).unwrap();
    to(16);
    world.unpause(vault).unwrap();
    to(37);
    world.pause(vault).unwrap();
    to(41);
    // Seen in the second pause: only the fourth epoch is carried.
    let late = desk.home.fork();
    while desk.final_block() < begin + 39 {
        world.node.mine(1).unwrap();
    }
    let cycle = desk.json(&format!("reward cycle --from {begin}"));
    let reasons = |cycle: &Value| -> Vec<Value> {
        let epochs = pool(cycle, "growth")["epochs"].as_array().unwrap();
        epochs.iter().map(|epoch| epoch["carry_reason"].clone()).collect()
    };
    assert_eq!(
        reasons(&cycle)[..4],
        [Value::Null, Value::Null, Value::Null, json!("pool_paused")],
        "{cycle}"
    );
    world.unpause(vault).unwrap();
    while desk.final_block() < begin + 49 {
        world.node.mine(1).unwrap();
    }
    desk.run("reward cycle").ok();
    // Whoever comes after both pauses pays the same.
    late.run(&format!("reward cycle --from {begin}")).ok();
    let rows = "SELECT p.name, e.start_block, e.part, e.carry_in, e.distributed, e.carry_out, e.carry_reason, e.holders
        FROM pool_reward_epochs e JOIN pools p ON p.id = e.pool_id WHERE e.start_block < (SELECT min(reward_genesis_block) + 50 FROM pools)
        ORDER BY 1, 2";
    assert_eq!(desk.rows(rows), super::desk::rows(&late.sqlite(), rows));
    let fifth =
        format!("SELECT carry_in FROM pool_reward_epochs WHERE pool_id = 1 AND start_block = {}", begin + 40);
    assert_eq!(amount(&desk, &fifth), units(15, 18));
    conserves(&desk);
    assert_eq!(desk.json("reward epoch verify --all")["difference_count"], 0);
    // An epoch that was carried for a pause that was not there is seen by verify.
    let conn = late.sqlite();
    let sql = format!(
        "UPDATE pool_reward_epochs SET carry_reason = NULL WHERE pool_id = 1 AND start_block = {}",
        begin + 30
    );
    let sql = format!("{}; {}", "PRAGMA ignore_check_constraints = ON", sql);
    tamper(&conn, |conn| conn.execute_batch(&sql)).unwrap();
    drop(conn);
    let found = late.run("reward epoch verify --all").fails(5, "check_failed");
    says(&found["error"]["message"], &["carry_reason", "pool_paused"]);
}

/// An endpoint that keeps no state of the epochs' last blocks, for one request.
fn forgetful() -> Rule {
    let message = "missing trie node 0xabc (path )".to_owned();
    let fault = Fault::RpcError { code: -32000, message, data: json!(null) };
    Rule::new(fault).on(Matcher::Selector([0x5c, 0x97, 0x5a, 0xbb])).times(1)
}

#[test]
fn without_old_state_pauses_are_taken_back_from_the_contracts_events() {
    let desk = Desk::ready();
    let (world, vault) = (&desk.world, desk.world.eighteen.vault);
    desk.run("reward set-weight growth 1").ok();
    let begin = world.node.block_number().unwrap() + 1;
    world.node.mine(17).unwrap();
    world.pause(vault).unwrap();
    world.node.mine(4).unwrap();
    world.unpause(vault).unwrap();
    while desk.final_block() < begin + 29 {
        world.node.mine(1).unwrap();
    }
    let twin = desk.home.fork();
    desk.wire.fault(forgetful());
    let cycle = desk.json(&format!("reward cycle --from {begin}"));
    desk.wire.heal();
    let reasons: Vec<&Value> =
        pool(&cycle, "growth")["epochs"].as_array().unwrap().iter().map(|e| &e["carry_reason"]).collect();
    assert_eq!(reasons, [&Value::Null, &json!("pool_paused"), &Value::Null]);
    let plain = twin.run(&format!("reward cycle --from {begin}")).json();
    assert_eq!(cycle["pools"], plain["pools"]);
    desk.wire.fault(forgetful());
    assert_eq!(desk.json("reward epoch verify --all")["difference_count"], 0);
    conserves(&desk);
}

#[test]
fn a_contract_that_does_not_tell_its_pauses_is_not_believed_to_have_none() {
    let desk = Desk::bare();
    let legacy = desk.world.add_legacy_pool(desk.world.six.asset).unwrap().address().unwrap();
    let begin = desk.world.node.block_number().unwrap() + 1;
    desk.world.node.mine(12).unwrap();
    desk.run(&format!("pool add old {legacy} --abi legacy --asset {}", desk.world.six.asset)).ok();
    desk.run("reward set-weight old 1").ok();
    while desk.final_block() < begin + 9 {
        desk.world.node.mine(1).unwrap();
    }
    desk.wire.fault(forgetful());
    let ran = desk.run(&format!("reward cycle --from {begin} --json")).spawn().wait_with_output().unwrap();
    let envelope = Ran::of(BINARY, ran).envelope();
    says(&envelope["error"]["message"], &["cannot tell whether pool", "was paused at block"]);
    says(&envelope["error"]["hint"], &["archive"]);
    assert_eq!(desk.rows("SELECT id FROM pool_reward_epochs"), Vec::<String>::new());
    desk.sound();
    // At another one it is paid what it would have been.
    desk.wire.heal();
    assert_eq!(starts(pool(&desk.json("reward cycle"), "old")), [begin]);
    conserves(&desk);
}
