//! An endpoint that leaves a log out, once or always: nothing of it becomes true, and what an earlier version believed heals.

use super::desk::{Desk, figures, says, sound, straight, warnings};
use poolctl_testkit::{Fault, Matcher, Proxy, Rule, units};
use serde_json::{Value, json};

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
    let plain = Proxy::start(&desk.wire.url()).unwrap();
    let empty = Fault::Custom(|_, mut answer| {
        if let Some(bloom) = answer["result"].get_mut("logsBloom") {
            *bloom = Value::String(format!("0x{}", "0".repeat(512)));
        }
        answer
    });
    plain.fault(Rule::new(empty).on_method("eth_getBlockByNumber"));
    desk.use_urls(&[("main", &plain.url())]);
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
