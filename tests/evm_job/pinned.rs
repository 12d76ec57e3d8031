//! One view: what every command sends is recorded, and after the choice of the block nothing says `latest`.

use super::NODE;
use super::desk::{Desk, lasting, same, says, warnings};
use crate::support::Home;
use poolctl_testkit::{Fault, Node, NodeOptions, Proxy, Rule, World};
use serde_json::Value;
use std::collections::BTreeSet;

const TAGS: [&str; 5] = ["latest", "pending", "safe", "finalized", "earliest"];

fn calls(request: &Value) -> Vec<Value> {
    request.as_array().cloned().unwrap_or_else(|| vec![request.clone()])
}

/// Whether a call names a block by a tag anywhere in its parameters.
fn tagged(call: &Value) -> bool {
    let params = call["params"].to_string();
    TAGS.iter().any(|tag| params.contains(&format!("\"{tag}\"")))
}

/// The pins of all calls that read state: block hashes of EIP-1898 objects. The last blocks of epochs are `ends`: there,
/// whether a pool was paused is asked by their own hashes.
fn pins(calls: &[Value], ends: &[String]) -> BTreeSet<String> {
    let pins = calls.iter().filter_map(|call| call["params"][1]["blockHash"].as_str().map(str::to_owned));
    pins.filter(|pin| !ends.contains(pin)).collect()
}

fn ends(home: &Home) -> Vec<String> {
    super::desk::rows(&home.sqlite(), "SELECT last_hash FROM pool_reward_epochs WHERE last_hash IS NOT NULL")
}

/// Every call after the choice of the block is by hash or by height, and all of them are one block's.
fn pinned_after_the_choice(
    command: &str,
    requests: &[Value],
    more: usize,
    ends: &[String],
) -> BTreeSet<String> {
    assert!(requests.len() > more, "{command}: {requests:?}");
    let opening = calls(&requests[0]);
    assert_eq!(opening[0]["method"], "eth_chainId", "{command}");
    assert!(opening.iter().any(tagged), "{command}: the block is chosen here");
    let rest: Vec<Value> = requests[1..].iter().flat_map(calls).collect();
    for call in &rest {
        assert!(!tagged(call), "{command}: {call}");
        match call["method"].as_str().unwrap() {
            "eth_call" => assert_eq!(call["params"][1]["requireCanonical"], true, "{command}: {call}"),
            "eth_getStorageAt" => {
                assert_eq!(call["params"][2]["requireCanonical"], true, "{command}: {call}");
            }
            "eth_getLogs" => {
                let filter = &call["params"][0];
                assert!(
                    filter["fromBlock"].is_string() && filter["toBlock"].is_string(),
                    "{command}: {call}"
                );
            }
            // A receipt is asked for by its transaction, and its block is checked by hash.
            "eth_getCode" | "eth_getBlockByNumber" | "eth_getBlockByHash" | "eth_getTransactionReceipt" => {}
            other => panic!("{command} sent {other}"),
        }
    }
    let pins = pins(&rest, ends);
    assert!(pins.len() <= 1, "{command}: {pins:?}");
    pins
}

#[test]
fn no_command_says_latest_after_its_block_was_chosen() {
    for multicall in [true, false] {
        let options = NodeOptions { multicall, ..NodeOptions::default() };
        let desk = Desk::on(World::on(Node::start(NODE, &options).unwrap()).unwrap());
        desk.furnish();
        for command in desk.chain_commands() {
            desk.wire.clear();
            let envelope = desk.run(&format!("{command} --json")).exits(0).envelope();
            // Only the head is of interest to a change of weights.
            let more = usize::from(!command.starts_with("reward set-weight"));
            let pins = pinned_after_the_choice(&command, &desk.wire.requests(), more, &ends(&desk.home));
            let data = &envelope["data"];
            let view = [&data["view"], &data["checked_at"]].into_iter().find(|v| v.is_object());
            if let (Some(view), Some(pin)) = (view, pins.first()) {
                assert_eq!(view["hash"], *pin, "{command}");
                let number = view["number"].as_u64().unwrap();
                assert_eq!(*pin, desk.world.node.block_hash(number).unwrap().to_string(), "{command}");
                assert_eq!(view["endpoint"], "main", "{command}");
            }
        }
        desk.sound();
    }
}

#[test]
fn each_at_is_the_nodes_own_block() {
    let desk = Desk::ready();
    let node = &desk.world.node;
    node.mine(7).unwrap();
    for tag in ["finalized", "safe", "latest"] {
        let number = node.block_of_tag(tag).unwrap();
        for at in [tag.to_owned(), number.to_string()] {
            let home = desk.home.fork();
            let view = home.run(&format!("sync --at {at}")).json()["view"].clone();
            assert_eq!(view["number"], number, "{at}");
            assert_eq!(view["hash"], node.block_hash(number).unwrap().to_string(), "{at}");
        }
    }
    assert_eq!(desk.json("sync")["view"]["number"], node.block_of_tag("safe").unwrap());
}

#[test]
fn commands_that_only_look_send_nothing() {
    let desk = Desk::bare();
    desk.furnish();
    desk.unchanged(|| {
        for command in [
            "pool list",
            "pool show growth",
            "pool position alice growth",
            "member list",
            "member show alice",
            "pool validate-withdrawal stable alice 1",
            "withdrawal list",
            "oracle list",
            "oracle alerts --closed",
            "risk show",
            "risk violations --closed",
            "reward weights",
            "reward pending",
            "reward pending alice",
            "events",
            "config show",
            "info",
        ] {
            desk.run(&format!("{command} --json")).exits(0);
        }
    });
    assert_eq!(desk.wire.http_count(), 0, "{:?}", desk.wire.methods());
}

/// Two wires to the same node: the first dies at its `after`-th request, the second takes over.
fn dying(desk: &Desk, home: &Home, after: usize, command: &str) -> bool {
    let (one, two) =
        (Proxy::start(desk.world.node.url()).unwrap(), Proxy::start(desk.world.node.url()).unwrap());
    one.fault(Rule::new(Fault::DieForever).after(after));
    home.write_config(&super::desk::config(&desk.world, &[("main", &one.url()), ("backup", &two.url())]));
    let envelope = home.run(&format!("{command} --json")).exits(0).envelope();
    if two.http_count() == 0 {
        return false;
    }
    says(&warnings(&envelope), &["endpoint \"main\": ", "\"backup\" took over"]);
    let view = &envelope["data"]["view"];
    assert_eq!(view["endpoint"], "backup");
    let moved = two.calls();
    if after == 0 {
        assert!(moved.iter().any(tagged), "the first never said which block");
        return true;
    }
    assert!(!moved.iter().any(tagged), "{moved:?}");
    let methods = two.methods();
    assert_eq!(methods[..3], ["eth_chainId", "eth_getBlockByHash", "eth_getBlockByNumber"]);
    assert_eq!(moved[1]["params"][0], view["hash"]);
    // The whole view is the second one's, at the hash that the first one chose.
    let ends = ends(home);
    let mut seen = pins(&one.calls(), &ends);
    seen.extend(pins(&moved, &ends));
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [view["hash"].as_str().unwrap()]);
    true
}

#[test]
fn a_view_that_dies_at_any_request_starts_over_at_the_next_endpoint() {
    for command in ["sync", "reward cycle --from 1"] {
        let desk = Desk::weighted();
        desk.setting("evm.log_blocks = 20");
        let whole = desk.home.fork();
        whole.write_config(&super::desk::config(&desk.world, &[("backup", &desk.wire.url())]));
        whole.run(command).ok();
        let want = lasting(&whole.sqlite());
        let mut after = 0;
        loop {
            let home = desk.home.fork();
            if !dying(&desk, &home, after, command) {
                break;
            }
            same(&want, &lasting(&home.sqlite()));
            super::desk::sound(&home);
            after += 1;
        }
        assert!(after >= 4, "{command} took {after} requests");
    }
}
