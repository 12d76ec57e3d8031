//! An endpoint that leaves a log out, once or always: nothing of it becomes true, and what an earlier version believed heals.

use super::desk::{Desk, config, figures, says, sound, straight, warnings};
use crate::support::Home;
use poolctl_testkit::alloy::primitives::Address;
use poolctl_testkit::{Fault, Matcher, Proxy, Rule, tamper, units};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Whether a call asks for transfers.
fn logs(call: &Value) -> bool {
    call["method"] == "eth_getLogs"
}

/// An answer without its first log.
fn first_lost() -> Fault {
    Fault::Custom(|_, mut answer| {
        if let Some(logs) = answer["result"].as_array_mut().filter(|logs| !logs.is_empty()) {
            logs.remove(0);
        }
        answer
    })
}

fn lose(wire: &Proxy, times: usize) {
    wire.fault(Rule::new(first_lost()).on(Matcher::Where(logs)).times(times));
}

/// The desk's endpoint as of a chain that does not work blooms out, while it lives.
fn without_blooms(desk: &Desk) -> Proxy {
    let plain = hiding_blooms(&desk.wire);
    desk.use_urls(&[("main", &plain.url())]);
    plain
}

fn hiding_blooms(wire: &Proxy) -> Proxy {
    let plain = Proxy::start(&wire.url()).unwrap();
    let empty = Fault::Custom(|_, mut answer| {
        if let Some(bloom) = answer["result"].get_mut("logsBloom") {
            *bloom = Value::String(format!("0x{}", "0".repeat(512)));
        }
        answer
    });
    plain.fault(Rule::new(empty).on_method("eth_getBlockByNumber"));
    plain
}

/// A desk whose pools stand at a block, with a deposit of dave and a withdrawal of alice after it.
fn moved_on() -> Desk {
    let desk = Desk::ready();
    desk.run("sync").ok();
    for pool in [&desk.world.eighteen, &desk.world.six] {
        desk.world.deposit(pool.vault, desk.world.dave, units(7, pool.decimals)).unwrap();
    }
    desk.world.node.mine(2).unwrap();
    desk
}

#[test]
fn a_mint_that_is_missing_once_is_read_again() {
    for desk in [Desk::ready(), moved_on()] {
        let _plain = without_blooms(&desk);
        desk.setting("evm.overlap_blocks = 0");
        lose(&desk.wire, 1);
        let envelope = desk.run("sync --json").exits(0).envelope();
        says(&warnings(&envelope), &["its transfers did not add up"]);
        assert_eq!(figures(&desk.home.sqlite()), straight(&desk.world));
        desk.sound();
    }
}

#[test]
fn a_mint_that_is_always_missing_changes_nothing_and_another_endpoint_has_it() {
    let desk = moved_on();
    let plain = without_blooms(&desk);
    lose(&desk.wire, usize::MAX);
    let envelope = desk.unchanged(|| desk.run("sync growth").fails(5, "drift"));
    says(&envelope["error"]["message"], &["cannot sync pool"]);
    // Nor is anybody paid by it.
    desk.run("reward set-weight growth 1").ok();
    let cycle = format!("reward cycle --from {}", desk.genesis());
    desk.run(&cycle).fails(5, "drift");
    assert_eq!(desk.one("SELECT count(*) FROM pool_reward_epochs"), "0");
    let other = Proxy::start(desk.world.node.url()).unwrap();
    desk.use_urls(&[("main", &plain.url()), ("other", &other.url())]);
    let envelope = desk.run("sync --json").exits(0).envelope();
    says(&warnings(&envelope), &["at endpoint \"other\" they do"]);
    assert_eq!(figures(&desk.home.sqlite()), straight(&desk.world));
    desk.sound();
}

#[test]
fn a_cursor_beyond_a_transfer_that_was_lost_heals() {
    // As an earlier version left it: the range is stored without its first mint.
    let desk = moved_on();
    let head = desk.world.node.block_number().unwrap();
    let hash = desk.world.node.block_hash(head).unwrap();
    desk.meddle(&format!("UPDATE pools SET cursor_block = {head}, cursor_hash = '{hash}'"));
    desk.world.deposit(desk.world.six.vault, desk.world.bob, units(1, 6)).unwrap();
    desk.world.node.mine(2).unwrap();
    let envelope = desk.run("sync --json").exits(0).envelope();
    says(&warnings(&envelope), &["did not add up"]);
    assert_eq!(figures(&desk.home.sqlite()), straight(&desk.world));
    let events = desk.rows("SELECT payload FROM events WHERE kind = 'pool.reread' ORDER BY id");
    assert_eq!(events.len(), 2, "{events:?}");
    let event: Value = serde_json::from_str(&events[0]).unwrap();
    assert_eq!(
        (&event["added"], &event["removed"], &event["endpoint"]),
        (&json!(1), &json!(0), &json!("main"))
    );
    sound(&desk.home);
}

/// Whether a call asks for transfers in a range of blocks.
fn range(call: &Value) -> bool {
    logs(call) && call["params"][0]["fromBlock"].is_string()
}

#[test]
fn a_log_that_the_index_lost_is_had_from_its_block() {
    let desk = moved_on();
    desk.world
        .transfer_shares(desk.world.eighteen.vault, desk.world.carol, desk.world.bob, units(1, 18))
        .unwrap();
    desk.world.node.mine(1).unwrap();
    // Nothing is in the index, for ever.
    let emptied = Fault::Custom(|_, mut answer| {
        answer["result"] = json!([]);
        answer
    });
    desk.wire.fault(Rule::new(emptied).on(Matcher::Where(range)));
    let envelope = desk.run("sync --json").exits(0).envelope();
    says(
        &warnings(&envelope),
        &["endpoint \"main\" left out 3 logs, the first of block", "asked by block it came"],
    );
    assert_eq!(figures(&desk.home.sqlite()), straight(&desk.world));
    desk.sound();
}

#[test]
fn a_log_that_the_endpoint_never_tells_is_had_from_the_receipts_of_its_block() {
    let desk = moved_on();
    desk.world
        .transfer_shares(desk.world.eighteen.vault, desk.world.carol, desk.world.bob, units(1, 18))
        .unwrap();
    desk.world.node.mine(1).unwrap();
    // Out of the range and out of the block, for ever: no total tells it.
    desk.wire.fault(Rule::new(between_lost()).on(Matcher::Where(logs)));
    let twin = desk.home.fork();
    let said = warnings(&desk.run("sync --json").exits(0).envelope());
    says(
        &said,
        &["endpoint \"main\" left out 1 log, the first of block", "the receipts of the block have it"],
    );
    assert_eq!(figures(&desk.home.sqlite()), straight(&desk.world));
    desk.sound();
    // An endpoint that has no receipts is not silently believed.
    let message = "the method eth_getBlockReceipts does not exist".to_owned();
    let none = Fault::RpcError { code: -32601, message, data: Value::Null };
    desk.wire.fault(Rule::new(none).on_method("eth_getBlockReceipts"));
    let said = warnings(&twin.run("sync --json").exits(0).envelope());
    let vault = desk.world.eighteen.vault.to_string();
    says(
        &said,
        &["has no log of", &vault, "whose bloom most likely has one", "eth_getBlockReceipts does not exist"],
    );
}

#[test]
fn a_log_of_another_block_than_the_chains_is_not_taken() {
    let desk = moved_on();
    // In the middle of what is read, whose end is right.
    let forked = Fault::Custom(|_, mut answer| {
        if let Some(log) = answer["result"].as_array_mut().and_then(|logs| logs.first_mut()) {
            log["blockHash"] = json!(format!("0x{}", "ab".repeat(32)));
        }
        answer
    });
    desk.wire.fault(Rule::new(forked).on(Matcher::Where(range)));
    let envelope = desk.unchanged(|| desk.run("sync").fails(75, "bad_reply"));
    says(&envelope["error"]["message"], &["eth_getLogs", "is of another block of that height"]);
    let other = Proxy::start(desk.world.node.url()).unwrap();
    desk.use_urls(&[("main", &desk.wire.url()), ("other", &other.url())]);
    says(&warnings(&desk.run("sync --json").exits(0).envelope()), &["\"other\" took over"]);
    assert_eq!(figures(&desk.home.sqlite()), straight(&desk.world));
    desk.sound();
}

/// A desk whose endpoint hid a transfer between two holders: it is synced, its totals are right, and its holders are not.
fn blind() -> (Desk, Proxy) {
    let desk = Desk::ready();
    desk.run("reward set-weight stable 1").ok();
    let plain = without_blooms(&desk);
    let pool = &desk.world.six;
    desk.world.transfer_shares(pool.vault, desk.world.alice, desk.world.bob, units(300, 6)).unwrap();
    desk.world.node.mine(3).unwrap();
    desk.wire.fault(Rule::new(between_lost()).on(Matcher::Where(logs)));
    desk.run("sync").ok();
    desk.world.node.mine(12).unwrap();
    (desk, plain)
}

/// An answer without the transfers between two holders.
fn between_lost() -> Fault {
    Fault::Custom(|_, mut answer| {
        let zero = json!(format!("0x{}", "0".repeat(64)));
        if let Some(logs) = answer["result"].as_array_mut() {
            logs.retain(|log| log["topics"][1] == zero || log["topics"][2] == zero);
        }
        answer
    })
}

/// What a member has of the pool `stable` by the state, base units.
fn shares(desk: &Desk, member: Address) -> String {
    desk.one(&format!(
        "SELECT shares FROM user_pool_shares u JOIN members m ON m.id = u.member_id
         WHERE pool_id = 2 AND lower(address) = lower('{member}')"
    ))
}

#[test]
fn a_transfer_that_moved_no_total_pays_nobody_until_it_is_known() {
    let (desk, _plain) = blind();
    let cycle = format!("reward cycle --from {}", desk.genesis());
    let (alice, bob) = (desk.world.alice, desk.world.bob);
    let before = shares(&desk, alice);
    // The endpoint that hides it still does: nothing changes, at any run.
    for _ in 0..2 {
        let envelope = desk.run(&cycle).fails(5, "drift");
        says(
            &envelope["error"]["message"],
            &["has 300.00 tv by its transfers, balanceOf() is 600.00 tv at block 52"],
        );
        says(&envelope["error"]["message"], &[&bob.to_string(), "the same for 1 more member"]);
        says(&envelope["error"]["hint"], &["nobody of it was paid", "poolctl pool rescan stable"]);
        assert_eq!(shares(&desk, alice), before);
        assert_eq!(desk.one("SELECT count(*) FROM pool_reward_epochs"), "0");
    }
    // One that tells it: it is made good, and the run after pays.
    desk.wire.heal();
    let envelope = desk.run(&cycle).fails(5, "drift");
    says(&envelope["error"]["hint"], &["read again and are right now"]);
    assert_eq!(desk.one("SELECT count(*) FROM pool_reward_epochs"), "0");
    let moved: u64 = before.parse::<u64>().unwrap() - shares(&desk, alice).parse::<u64>().unwrap();
    assert_eq!(moved, 300_000_000);
    desk.run(&cycle).ok();
    assert!(!desk.rows(&format!(
        "SELECT 1 FROM pool_rewards r JOIN members m ON m.id = r.member_id WHERE lower(m.address) = lower('{bob}')"
    )).is_empty());
    assert_eq!(desk.json("reward epoch verify --all")["difference_count"], 0);
    desk.run("sync").exits(0);
    assert_eq!(figures(&desk.home.sqlite()), straight(&desk.world));
    desk.sound();
}

/// How the holders of each paid epoch were compared, by its audit event.
fn compared(desk: &Desk) -> Vec<Value> {
    desk.rows("SELECT payload FROM events WHERE kind = 'reward.distributed' ORDER BY id")
        .iter()
        .map(|payload| serde_json::from_str::<Value>(payload).unwrap()["compared"].clone())
        .collect()
}

#[test]
fn the_event_of_an_epoch_says_how_its_holders_were_compared() {
    let desk = Desk::weighted();
    desk.setting("reward.check_holders = 2");
    desk.first_cycle();
    let ends = desk.rows("SELECT end_block - 1 FROM pool_reward_epochs ORDER BY id");
    let found = compared(&desk);
    assert_eq!(found.len(), ends.len());
    for (how, end) in found.iter().zip(&ends) {
        assert_eq!(how["block"].to_string(), *end);
        let of = how["of"].as_u64().unwrap();
        assert_eq!(how["members"], of.min(2));
        assert_eq!(how["seed"].is_u64(), of > 2, "{how}");
    }
    assert!(found.iter().any(|how| how["of"].as_u64() > Some(2)));
    desk.sound();
}

#[test]
fn where_no_old_state_is_kept_balances_are_compared_elsewhere_or_at_the_views_block() {
    let desk = Desk::weighted();
    // No epoch ends with the view's block.
    while desk.world.node.block_number().unwrap() % 10 != desk.genesis() % 10 + 2 {
        desk.world.node.mine(1).unwrap();
    }
    let twin = desk.home.fork();
    // The state of the epochs' ends is gone at this endpoint, asked twice; that of the view's block is not.
    let forgetful = || {
        let message = "missing trie node 0xabc (path )".to_owned();
        let fault = Fault::RpcError { code: -32000, message, data: Value::Null };
        Rule::new(fault).on(Matcher::Selector([0x70, 0xa0, 0x82, 0x31])).times(2)
    };
    desk.wire.fault(forgetful());
    let view = desk.first_cycle()["view"]["number"].clone();
    let found = compared(&desk);
    let with_holders: Vec<&Value> = found.iter().filter(|how| how["of"] != 0).collect();
    assert!(
        !with_holders.is_empty() && with_holders.iter().all(|how| how["block"] == view),
        "{found:?} {view}"
    );
    assert_eq!(desk.json("reward epoch verify --all")["difference_count"], 0);
    desk.sound();
    let other = Proxy::start(desk.world.node.url()).unwrap();
    twin.write_config(&config(&desk.world, &[("main", &desk.wire.url()), ("other", &other.url())]));
    desk.wire.fault(forgetful());
    twin.run(&format!("reward cycle --from {}", desk.genesis())).ok();
    let twins =
        super::desk::rows(&twin.sqlite(), "SELECT payload FROM events WHERE kind = 'reward.distributed'");
    assert_eq!(twins.len(), found.len());
    for payload in twins {
        let event: Value = serde_json::from_str(&payload).unwrap();
        assert_eq!(event["compared"]["block"].as_u64(), event["end_block"].as_u64().map(|end| end - 1));
    }
}

#[test]
fn what_one_answer_left_out_is_seen_when_it_is_read_again() {
    let (desk, _plain) = blind();
    desk.wire.heal();
    let envelope = desk.run("sync --json").exits(0).envelope();
    says(
        &warnings(&envelope),
        &["pool \"stable\"", "has other transfers than were stored", "read again from block"],
    );
    assert_eq!(figures(&desk.home.sqlite()), straight(&desk.world));
    let events = desk.rows("SELECT payload FROM events WHERE kind = 'pool.reread'");
    assert_eq!(events.len(), 2, "each pool had one");
    for event in events {
        let event: Value = serde_json::from_str(&event).unwrap();
        assert_eq!((&event["added"], &event["removed"]), (&json!(1), &json!(0)));
    }
    desk.sound();
}

#[test]
fn another_endpoint_is_the_second_reader_and_two_of_three_readings_are_believed() {
    // The first one's index has a hole; by block it tells.
    let (desk, plain) = blind();
    let good = Proxy::start(desk.world.node.url()).unwrap();
    let other = hiding_blooms(&good);
    let both = [("main", plain.url()), ("other", other.url())];
    let both: Vec<(&str, &str)> = both.iter().map(|(name, url)| (*name, url.as_str())).collect();
    desk.use_urls(&both);
    desk.wire.heal();
    desk.wire.fault(Rule::new(between_lost()).on(Matcher::Where(range)));
    let envelope = desk.run("sync --json").exits(0).envelope();
    says(&warnings(&envelope), &["has other transfers than were stored", "at endpoint \"other\" they do"]);
    assert_eq!(figures(&desk.home.sqlite()), straight(&desk.world));

    // The second reader is the one that lost it: what is stored stays.
    desk.wire.heal();
    good.fault(Rule::new(between_lost()).on(Matcher::Where(logs)));
    desk.world.node.mine(1).unwrap();
    let envelope = desk.run("sync --json").exits(0).envelope();
    says(
        &warnings(&envelope),
        &["endpoint \"other\" has other transfers of pool \"stable\"", "has those that are stored"],
    );
    assert_eq!(figures(&desk.home.sqlite()), straight(&desk.world));

    // Three readings, three answers: nothing is believed.
    let other_amount = Fault::Custom(|_, mut answer| {
        for log in answer["result"].as_array_mut().into_iter().flatten() {
            log["data"] = json!(format!("0x{:064x}", 7));
        }
        answer
    });
    desk.wire.fault(Rule::new(other_amount).on(Matcher::Where(|call| logs(call) && !range(call))));
    desk.world.node.mine(1).unwrap();
    // Where there are receipts, they decide.
    let envelope = desk.home.fork().run("sync stable --json").exits(0).envelope();
    says(&warnings(&envelope), &["asked again, endpoint \"main\" has those that are stored"]);
    desk.wire.fault(Rule::new(Fault::ResultNull).on_method(RECEIPT));
    let envelope = desk.unchanged(|| desk.run("sync stable").fails(75, "bad_reply"));
    says(&envelope["error"]["message"], &["its transfers in block", "in three ways"]);
    says(&envelope["error"]["hint"], &["poolctl pool rescan stable --from"]);
}

const RECEIPT: &str = "eth_getTransactionReceipt";

#[test]
fn an_index_with_a_hole_is_overruled_by_the_receipts_of_its_own_endpoint() {
    // The first one leaves it out of every answer, by range and by block; the other one has it.
    let (desk, plain) = blind();
    let good = Proxy::start(desk.world.node.url()).unwrap();
    desk.use_urls(&[("main", &plain.url()), ("other", &good.url())]);
    let envelope = desk.run("sync --json").exits(0).envelope();
    says(&warnings(&envelope), &["has other transfers than were stored", "at endpoint \"other\" they do"]);
    assert_eq!(figures(&desk.home.sqlite()), straight(&desk.world));
    desk.sound();
}

#[test]
fn a_log_that_one_answer_leaves_out_is_no_difference_of_what_was_paid() {
    let desk = Desk::weighted();
    desk.first_cycle();
    let plain = without_blooms(&desk);
    let good = Proxy::start(desk.world.node.url()).unwrap();
    for urls in [vec![("main", plain.url())], vec![("main", plain.url()), ("other", good.url())]] {
        let urls: Vec<(&str, &str)> = urls.iter().map(|(name, url)| (*name, url.as_str())).collect();
        desk.use_urls(&urls);
        lose(&desk.wire, 1);
        let envelope = desk.unchanged(|| desk.run("reward epoch verify --all --json").exits(0).envelope());
        assert_eq!(envelope["data"]["difference_count"], 0);
        says(&warnings(&envelope), &["one of the readings left out transfers", "0 as read again"]);
        desk.wire.heal();
    }
    // What is really otherwise stays so.
    let sql = "UPDATE pool_rewards SET amount = amount || '1'";
    assert!(tamper(&desk.home.sqlite(), |conn| conn.execute(sql, [])).unwrap() > 0);
    desk.run("reward epoch verify --all").exits(5);
}

#[test]
fn transfers_that_rewards_were_paid_on_are_not_changed_in_silence() {
    let desk = Desk::weighted();
    let pool = &desk.world.six;
    desk.world.transfer_shares(pool.vault, desk.world.alice, desk.world.bob, units(300, 6)).unwrap();
    desk.world.node.mine(12).unwrap();
    desk.first_cycle();
    // As if it had been hidden.
    desk.meddle(
        "DELETE FROM share_transfers WHERE pool_id = 2 AND from_member IS NOT NULL AND to_member IS NOT NULL",
    );
    desk.world.node.mine(1).unwrap();
    let envelope = desk.unchanged(|| desk.run("sync stable").fails(5, "drift"));
    says(
        &envelope["error"]["message"],
        &["has other transfers than were stored, and rewards were paid up to block"],
    );
    says(&envelope["error"]["hint"], &["poolctl pool rescan stable --from"]);
}

#[test]
fn a_pool_whose_holders_differ_leaves_the_others_paid() {
    let (desk, _plain) = blind();
    desk.run("reward set-weight growth 1").ok();
    desk.wire.heal();
    desk.run("pool rescan growth").ok();
    desk.wire.fault(Rule::new(between_lost()).on(Matcher::Where(logs)));
    let envelope = desk.run(&format!("reward cycle --from {} --json", desk.genesis())).exits(3).envelope();
    let [growth, stable] = [0, 1].map(|pool| envelope["data"]["pools"][pool].clone());
    assert_eq!((&growth["pool"], &growth["error"]), (&json!("growth"), &Value::Null));
    says(&stable["error"], &["has 300.00 tv by its transfers, balanceOf() is 600.00 tv"]);
    let paid = "SELECT DISTINCT name FROM pool_reward_epochs e JOIN pools p ON p.id = e.pool_id";
    assert_eq!(desk.rows(paid), ["growth"]);
    desk.sound();
}

#[test]
fn logs_that_are_no_transfers_at_the_second_reading_stop_their_pool_alone() {
    let desk = moved_on();
    desk.run("sync").ok();
    desk.world.deposit(desk.world.eighteen.vault, desk.world.bob, units(1, 18)).unwrap();
    desk.world.node.mine(1).unwrap();
    // What is new comes as it is, what is read once more does not: of the pool with six decimals there is nothing new.
    let maimed = Fault::Custom(|_, mut answer| {
        for log in answer["result"].as_array_mut().into_iter().flatten() {
            if log["data"].as_str().is_some_and(|data| data.len() == 66 && data.ends_with("6acfc0")) {
                log["data"] = json!("0x");
            }
        }
        answer
    });
    desk.wire.fault(Rule::new(maimed).on(Matcher::Where(logs)));
    let before = shares(&desk, desk.world.dave);
    let envelope = desk.run("sync --json").exits(3).envelope();
    let [growth, stable] = [0, 1].map(|pool| envelope["data"]["pools"][pool].clone());
    assert_eq!(growth["error"], Value::Null, "{growth}");
    says(&stable["error"], &["wrote a Transfer log in block", "that is not of EIP-20"]);
    assert_eq!(shares(&desk, desk.world.dave), before);
    desk.wire.heal();
    desk.run("sync").ok();
    assert_eq!(figures(&desk.home.sqlite()), straight(&desk.world));
    desk.sound();
}

#[test]
fn a_second_reader_that_is_dead_is_passed_over_for_the_next() {
    let (desk, plain) = blind();
    let (dead, good) =
        (Proxy::start(desk.world.node.url()).unwrap(), Proxy::start(desk.world.node.url()).unwrap());
    dead.fault(Rule::new(Fault::Status(500, None)));
    desk.use_urls(&[("main", &plain.url()), ("dead", &dead.url()), ("good", &good.url())]);
    desk.wire.heal();
    desk.wire.fault(Rule::new(between_lost()).on(Matcher::Where(range)));
    let envelope = desk.run("sync --json").exits(0).envelope();
    says(
        &warnings(&envelope),
        &[
            "endpoint \"dead\" gave no second opinion",
            "has other transfers than were stored",
            "at endpoint \"good\" they do",
        ],
    );
    assert_eq!(figures(&desk.home.sqlite()), straight(&desk.world));
    desk.sound();
}

/// Every second answer of logs is one of a node whose index is four blocks behind.
fn behind() -> Fault {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    Fault::Custom(|_, mut answer| {
        let is_behind = ASKED.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        if let Some(logs) = answer["result"].as_array_mut().filter(|_| is_behind) {
            let number = |log: &Value| {
                let hex = log["blockNumber"].as_str().and_then(|hex| hex.strip_prefix("0x"));
                u64::from_str_radix(hex.unwrap(), 16).unwrap()
            };
            let newest = logs.iter().map(number).max().unwrap_or_default();
            logs.retain(|log| number(log) + 4 <= newest);
        }
        answer
    })
}

#[test]
fn twelve_pools_behind_a_balancer_of_lagging_nodes_come_right() {
    let desk = Desk::ready();
    let asset = desk.world.six.asset;
    let vaults: Vec<Address> =
        (0..10).map(|_| desk.world.add_vault(asset, 0).unwrap().address().unwrap()).collect();
    let add = |home: &Home| {
        for (at, vault) in vaults.iter().enumerate() {
            home.run(&format!("pool add p{at} {vault}")).ok();
        }
    };
    desk.world.node.mine(2).unwrap();
    add(&desk.home);
    let _plain = without_blooms(&desk);
    let mut said = Vec::new();
    for _ in 0..3 {
        for vault in &vaults {
            desk.world.deposit(*vault, desk.world.dave, units(1, 6)).unwrap();
        }
        desk.wire.fault(Rule::new(behind()).on(Matcher::Where(logs)));
        let ran = desk.run("sync --json").exits_one_of(&[0, 3, 5, 75]);
        said.push(ran.envelope().to_string());
        desk.wire.heal();
    }
    assert!(said.iter().any(|said| said.contains("did not add up")), "nothing was left out: {said:#?}");
    // What a pool has is what the chain says, also where nobody looks again.
    desk.run("sync").ok();
    let twin = Home::ready();
    twin.write_config(&config(&desk.world, &[("main", desk.world.node.url())]));
    twin.run(&format!("pool add growth {}", desk.world.eighteen.vault)).ok();
    twin.run(&format!("pool add stable {}", desk.world.six.vault)).ok();
    add(&twin);
    twin.run("sync").ok();
    assert_eq!(figures(&desk.home.sqlite()), figures(&twin.sqlite()));
    desk.sound();
}
