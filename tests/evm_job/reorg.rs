//! Reorganisations: taken back to common ground, never below what was paid; replays that were cut off go on.

use super::NODE;
use super::desk::{Desk, figures, lasting, same, says, straight, warnings};
use poolctl_testkit::{Fault, Matcher, Rule, World, units};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

/// Replaces the blocks above `keep` by others with another history, and as many more as the old ones were.
fn fork_at(world: &World, keep: u64) {
    let head = world.node.block_number().unwrap();
    world.node.rollback(head - keep).unwrap();
    world.deposit(world.eighteen.vault, world.dave, units(33, 18)).unwrap();
    world.transfer_shares(world.six.vault, world.alice, world.owner, units(7, 6)).unwrap();
    world.node.mine(head - keep + 3).unwrap();
}

fn synced(envelope: &Value) -> u64 {
    envelope["view"]["number"].as_u64().unwrap()
}

#[test]
fn after_a_reorg_the_state_is_that_of_a_straight_sync() {
    let desk = Desk::ready();
    let world = &desk.world;
    let first = synced(&desk.json("sync"));
    world.deposit(world.eighteen.vault, world.bob, units(11, 18)).unwrap();
    world.deposit(world.six.vault, world.dave, units(5, 6)).unwrap();
    world.node.mine(3).unwrap();
    let second = synced(&desk.json("sync"));
    world.withdraw(world.eighteen.vault, world.carol, units(20, 18)).unwrap();
    world.node.mine(3).unwrap();
    let third = synced(&desk.json("sync"));
    assert!(first < second && second < third);

    // Below the last sync only.
    fork_at(world, second + 1);
    let envelope = desk.run("sync --json").exits(0).envelope();
    let back = format!("reorg: pool \"growth\" went back from block {third} to {second}");
    says(&warnings(&envelope), &[&back, "reorg: pool \"stable\""]);
    assert_eq!(envelope["data"]["rolled_back"][0]["to_block"], second);
    assert_eq!(figures(&desk.home.sqlite()), straight(world));
    desk.sound();
    let fourth = synced(&envelope["data"]);

    // Below all syncs but the first: dave's deposit is gone with its block.
    fork_at(world, first + 1);
    let envelope = desk.run("sync --json").exits(0).envelope();
    says(&warnings(&envelope), &[&format!("\"growth\" went back from block {fourth} to {first}")]);
    assert_eq!(figures(&desk.home.sqlite()), straight(world));
    desk.sound();

    // Below every sync there was.
    let fifth = synced(&envelope["data"]);
    fork_at(world, first - 2);
    let envelope = desk.run("sync --json").exits(0).envelope();
    says(&warnings(&envelope), &[&format!("\"growth\" was replayed whole, block {fifth} is gone")]);
    assert_eq!(envelope["data"]["rolled_back"][0]["to_block"], Value::Null);
    assert_eq!(figures(&desk.home.sqlite()), straight(world));
    desk.sound();
    desk.unchanged(|| desk.run("sync").ok());
    let told = "SELECT count(*) FROM events WHERE kind = 'pool.rolled_back'";
    assert_eq!(desk.one(told), "6");
}

#[test]
fn a_dry_run_across_a_reorg_takes_nothing_back() {
    let desk = Desk::ready();
    let first = synced(&desk.json("sync"));
    fork_at(&desk.world, first - 3);
    let dry = desk.unchanged(|| desk.run("sync --dry-run --json").exits(0).envelope());
    let real = desk.run("sync --json").exits(0).envelope();
    assert_eq!((&dry["data"], &dry["warnings"]), (&real["data"], &real["warnings"]));
    assert_eq!(figures(&desk.home.sqlite()), straight(&desk.world));
}

#[test]
fn nothing_is_taken_back_below_a_paid_epoch() {
    let desk = Desk::ready();
    desk.run("reward set-weight growth 1").ok();
    desk.run("sync").ok();
    desk.first_cycle();
    let paid: u64 = desk.one("SELECT max(end_block) - 1 FROM pool_reward_epochs").parse().unwrap();
    let start = paid + 1 - 10;
    // A development node lets even final blocks be replaced.
    fork_at(&desk.world, paid - 1);
    let of_growth = || {
        [
            "SELECT * FROM pools WHERE id = 1",
            "SELECT * FROM pool_snapshots WHERE pool_id = 1",
            "SELECT * FROM share_transfers WHERE pool_id = 1",
            "SELECT * FROM user_pool_shares WHERE pool_id = 1",
            "SELECT * FROM pool_rewards",
            "SELECT * FROM pool_reward_epochs",
            "SELECT * FROM ledger_entries",
        ]
        .map(|sql| desk.rows(sql))
    };
    let before = of_growth();
    let envelope = desk.run("sync").fails(3, "partial");
    let why = format!(
        "reorganised below block {paid}, on which the rewards of the epoch from block {start} were paid"
    );
    says(&envelope["error"]["message"], &["1 of 2 pools failed: growth", &why]);
    says(&warnings(&envelope), &["reorg: pool \"stable\""]);
    assert_eq!(of_growth(), before);
    assert_eq!(desk.json("pool show stable")["view"]["hash"], envelope["data"]["view"]["hash"]);

    let envelope = desk.unchanged(|| desk.run("sync growth").fails(4, "reorg_past_final"));
    says(&envelope["error"]["hint"], &["a final block does not change"]);
    desk.world.node.mine(10).unwrap();
    let envelope = desk.run("reward cycle").fails(4, "reorg_past_final");
    says(&envelope["error"]["message"], &["cannot pay pool \"growth\"", &why]);
    assert_eq!(of_growth(), before);
    // What was paid can still be claimed: it stands in the books.
    desk.run("reward claim alice growth").ok();
    desk.sound();
}

#[test]
fn a_reorg_above_the_last_paid_block_is_taken_back_and_paid_on() {
    let desk = Desk::ready();
    desk.run("reward set-weight growth 1").ok();
    desk.first_cycle();
    desk.world.deposit(desk.world.eighteen.vault, desk.world.bob, units(9, 18)).unwrap();
    desk.world.node.mine(2).unwrap();
    desk.run("sync").ok();
    let paid: u64 = desk.one("SELECT max(end_block) - 1 FROM pool_reward_epochs").parse().unwrap();
    let epochs = desk.rows("SELECT * FROM pool_reward_epochs");
    let head = desk.world.node.block_number().unwrap();
    assert!(paid < head);
    fork_at(&desk.world, paid);
    let paid_now = desk.run("reward cycle --json").exits(0).envelope();
    assert!(paid_now["data"]["pools"][0]["epochs"].as_array().is_some_and(|e| !e.is_empty()), "{paid_now}");
    assert_eq!(desk.rows("SELECT * FROM pool_reward_epochs")[..epochs.len()], epochs);
    desk.run("sync --json").exits(0);
    assert_eq!(figures(&desk.home.sqlite()), straight(&desk.world));
    desk.sound();
}

#[test]
fn a_replay_that_was_cut_off_goes_on_where_it_was() {
    let desk = Desk::ready();
    desk.setting("evm.log_blocks = 7");
    desk.setting("evm.overlap_blocks = 0");
    let whole = desk.home.fork();
    whole.run("sync").ok();
    desk.wire.clear();
    desk.wire.fault(Rule::new(Fault::Status(500, None)).on_method("eth_getLogs").after(5));
    desk.run("sync").fails(75, "unreachable");
    let cursor = desk.one("SELECT min(cursor_block) FROM pools").parse::<u64>().unwrap();
    assert_eq!(cursor, desk.genesis() + 5 * 7 - 1);
    assert!(desk.one("SELECT count(*) FROM share_transfers").parse::<u64>().unwrap() > 0);
    assert_eq!(desk.one("SELECT count(*) FROM pool_snapshots"), "0", "no figures without their holders");
    desk.sound();
    desk.wire.heal();
    desk.wire.clear();
    desk.run("sync").ok();
    let asked: Vec<Value> = desk.wire.calls().into_iter().filter(|c| c["method"] == "eth_getLogs").collect();
    assert_eq!(asked[0]["params"][0]["fromBlock"], format!("{:#x}", cursor + 1));
    same(&lasting(&whole.sqlite()), &lasting(&desk.home.sqlite()));
    desk.sound();
}

#[test]
fn a_node_with_few_logs_per_answer_is_asked_for_less() {
    let desk = Desk::ready();
    let whole = desk.home.fork();
    whole.run("sync").ok();
    // Every range of more than eight blocks is too wide for this node.
    desk.wire.fault(
        Rule::new(Fault::Custom(|request, response| {
            let block = |name: &str| {
                u64::from_str_radix(&request["params"][0][name].as_str().unwrap()[2..], 16).unwrap()
            };
            if block("toBlock") - block("fromBlock") < 8 {
                return response;
            }
            let error = json!({"code": -32005, "message": "query returned more than 10000 results"});
            json!({"jsonrpc": "2.0", "id": request["id"], "error": error})
        }))
        .on_method("eth_getLogs"),
    );
    desk.run("sync").ok();
    same(&lasting(&whole.sqlite()), &lasting(&desk.home.sqlite()));
}

#[test]
fn a_chain_that_is_shorter_than_the_state_is_behind_and_no_reorg() {
    // Two nodes with the same blocks, one of which stands still.
    let desk = Desk::ready();
    let lagging = World::small(NODE).unwrap();
    desk.world.node.mine(5).unwrap();
    let at = synced(&desk.json("sync"));
    desk.use_urls(&[("slow", lagging.node.url())]);
    let envelope = desk.unchanged(|| desk.run("sync").fails(75, "behind"));
    let reads = format!("stands at block {at}, endpoint \"slow\" reads at block");
    says(&envelope["error"]["message"], &["2 of 2 pools failed", &reads]);
    says(&envelope["error"]["hint"], &["the endpoint lags"]);
    assert_eq!(envelope["data"]["rolled_back"], json!([]));
    // So is one that was cut and has not grown again.
    desk.use_urls(&[("main", &desk.wire.url())]);
    desk.world.node.rollback(6).unwrap();
    desk.unchanged(|| desk.run("sync").fails(75, "behind"));
    desk.world.node.mine(9).unwrap();
    desk.run("sync --json").exits(0);
    assert_eq!(figures(&desk.home.sqlite()), straight(&desk.world));
}

#[test]
fn a_block_that_is_said_not_to_be_there_is_no_reorg_and_no_lag() {
    static CURSOR: AtomicU64 = AtomicU64::new(0);
    let desk = Desk::ready();
    desk.run("sync").ok();
    desk.world.node.mine(3).unwrap();
    let cursor: u64 = desk.one("SELECT max(cursor_block) FROM pools").parse().unwrap();
    CURSOR.store(cursor, Ordering::Relaxed);
    let cursors = |call: &Value| {
        call["method"] == "eth_getBlockByNumber"
            && call["params"][0] == format!("0x{:x}", CURSOR.load(Ordering::Relaxed))
    };
    desk.wire.fault(Rule::new(Fault::ResultNull).on(Matcher::Where(cursors)).times(1));
    let envelope = desk.unchanged(|| desk.run("sync growth").fails(75, "behind"));
    says(&envelope["error"]["message"], &["stands at block", "which endpoint \"main\" does not have"]);
    desk.run("sync").ok();
}
