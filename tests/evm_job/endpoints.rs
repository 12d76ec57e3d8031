//! Endpoints that are gone, lie, or speak nonsense: the code, the words, and nothing changed.

use super::NODE;
use super::desk::{Desk, says, warnings};
use poolctl_testkit::{Fault, Node, NodeOptions, Proxy, Rule, World, nowhere};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Commands that mark what they could not read, or fall back to what they know.
fn copes(command: &str) -> bool {
    ["oracle fetch", "oracle check", "oracle get", "oracle aggregate", "risk check"]
        .iter()
        .any(|c| command.starts_with(c))
}

#[test]
fn an_endpoint_that_cannot_be_reached_is_exit_75_for_every_command() {
    let desk = Desk::bare();
    desk.furnish();
    let commands = desk.chain_commands();
    desk.use_urls(&[("gone", &nowhere().unwrap()), ("away", &nowhere().unwrap())]);
    for command in commands.iter().filter(|c| !copes(c)) {
        let envelope = desk.unchanged(|| desk.run(command).fails(75, "unreachable"));
        let words =
            ["no endpoint could serve the view", "\"gone\": cannot connect", "\"away\": cannot connect"];
        says(&envelope["error"]["message"], &words);
        assert_eq!(envelope["error"]["details"]["endpoints"][1]["code"], "unreachable", "{command}");
        assert_eq!(envelope["data"], Value::Null, "{command}");
    }
    desk.sound();
}

#[test]
fn a_first_command_that_fails_leaves_a_new_state_as_it_was() {
    let desk = Desk::bare();
    let vault = desk.world.six.vault;
    desk.use_urls(&[("gone", &nowhere().unwrap())]);
    desk.unchanged(|| desk.run(&format!("pool add stable {vault}")).fails(75, "unreachable"));
}

#[test]
fn an_endpoint_on_another_chain_is_refused_by_every_command() {
    let desk = Desk::bare();
    desk.furnish();
    let commands = desk.chain_commands();
    desk.wire.fault(Rule::new(Fault::ChainId(1)).on_method("eth_chainId"));
    for urls in [
        vec![("main", desk.wire.url())],
        vec![("main", desk.wire.url()), ("good", desk.world.node.url().into())],
    ] {
        let urls: Vec<(&str, &str)> = urls.iter().map(|(name, url)| (*name, url.as_str())).collect();
        desk.use_urls(&urls);
        for command in &commands {
            let envelope = desk.unchanged(|| desk.run(command).fails(4, "wrong_network"));
            let message = envelope["error"]["message"].as_str().unwrap();
            let why = "endpoint \"main\" is on chain 1, profile \"sandbox\" pins 31337";
            assert!(message.ends_with(why), "{command}: {message}");
            says(&envelope["error"]["hint"], &["evm.rpc_urls", "--profile"]);
        }
    }
    let shown = desk.run("sync").exits(4);
    let want =
        "error: cannot sync 2 pools: endpoint \"main\" is on chain 1, profile \"sandbox\" pins 31337\nhint: ";
    assert!(shown.stderr.starts_with(want), "{}", shown.stderr);
    assert!(!desk.wire.methods().iter().any(|m| m == "eth_call" || m == "eth_getLogs"));
}

#[test]
fn a_state_of_another_chain_is_refused_before_anything_is_sent() {
    let desk = Desk::bare();
    desk.furnish();
    let commands = desk.chain_commands();
    let other = World::on(Node::start(NODE, &NodeOptions { chain_id: 5, ..NodeOptions::default() }).unwrap())
        .unwrap();
    let wire = Proxy::start(other.node.url()).unwrap();
    desk.use_urls(&[("other", &wire.url())]);
    desk.setting("evm.chain_id = 5");
    for command in &commands {
        let envelope = desk.unchanged(|| desk.run(command).fails(4, "wrong_network"));
        says(&envelope["error"]["message"], &["belongs to evm_chain_id 31337", "pins 5"]);
    }
    assert_eq!(wire.http_count(), 0);
}

#[test]
fn the_next_endpoint_takes_over_for_every_command() {
    let desk = Desk::bare();
    desk.furnish();
    let commands = desk.chain_commands();
    desk.use_urls(&[("gone", &nowhere().unwrap()), ("backup", &desk.wire.url())]);
    for command in &commands {
        let envelope = desk.run(&format!("{command} --json")).exits(0).envelope();
        says(&warnings(&envelope), &["endpoint \"gone\": cannot connect", "\"backup\" took over"]);
        let told =
            envelope["warnings"].as_array().unwrap().iter().filter(|one| one.to_string().contains("gone"));
        assert_eq!(told.count(), 1, "{command}: {envelope}");
        let view = &envelope["data"]["view"];
        if let Some(number) = view["number"].as_u64() {
            assert_eq!(view["endpoint"], "backup");
            assert_eq!(view["hash"], desk.world.node.block_hash(number).unwrap().to_string(), "{command}");
        }
    }
    let shown = desk.run("sync").exits(0);
    assert!(shown.stderr.contains("warning: endpoint \"gone\": cannot connect"), "{}", shown.stderr);
    desk.sound();
}

#[test]
fn nonsense_is_refused_in_its_own_words_and_changes_nothing() {
    let desk = Desk::ready();
    let rpc = |code, message: &str| Fault::RpcError { code, message: message.into(), data: Value::Null };
    for (fault, exit, code, words) in [
        (Fault::Refuse, 75, "unreachable", "connection"),
        (Fault::Html, 75, "unreachable", "an HTML page instead of JSON: <!doctype html>"),
        (Fault::Truncated, 75, "unreachable", "the connection broke before the whole answer was there"),
        (Fault::CutJson, 75, "unreachable", "the answer is cut off after"),
        (Fault::Status(503, None), 75, "unreachable", "HTTP 503"),
        (Fault::Status(429, None), 75, "rate_limited", "HTTP 429"),
        (Fault::Status(429, Some(3600)), 75, "rate_limited", "it asks to wait 1h"),
        (Fault::Status(401, None), 1, "rpc_error", "HTTP 401"),
        (rpc(-32601, "the method does not exist"), 1, "rpc_error", "the method does not exist (code -32601)"),
        (rpc(-32005, "daily limit reached, upgrade"), 75, "rate_limited", "daily limit reached, upgrade"),
        (Fault::ResultNull, 75, "bad_reply", "bad answer to"),
    ] {
        // At the first read of the view, and in the middle of it.
        for method in ["eth_call", "eth_getLogs"] {
            let home = desk.home.fork();
            desk.wire.heal();
            desk.wire.fault(Rule::new(fault.clone()).on_method(method));
            let envelope = home.run("sync").fails(exit, code);
            says(&envelope["error"]["message"], &["endpoint \"main\": ", words]);
            super::desk::same(&desk.dump(), &super::desk::dump(&home.sqlite()));
        }
    }
    desk.wire.heal();
    desk.run("sync").ok();
    desk.sound();
}

#[test]
fn a_fault_that_passes_costs_nothing_but_time() {
    let desk = Desk::ready();
    for fault in [Fault::Refuse, Fault::Html, Fault::Truncated, Fault::CutJson, Fault::Status(502, None)] {
        let home = desk.home.fork();
        desk.wire.heal();
        desk.wire.fault(Rule::new(fault).on_method("eth_getLogs").times(1));
        home.run("sync").ok();
        super::desk::sound(&home);
    }
    desk.wire.heal();
    desk.wire.fault(Rule::new(Fault::Status(429, Some(1))).on_method("eth_call").times(1));
    let begun = Instant::now();
    desk.run("sync").ok();
    assert!(begun.elapsed() >= Duration::from_secs(1), "Retry-After is waited for");
    desk.sound();
}

#[test]
fn an_answer_of_nothing_names_contract_function_and_block() {
    // Without Multicall3, and with it, when its own answer is as empty.
    let options = NodeOptions { multicall: false, ..NodeOptions::default() };
    let plain = Desk::on(World::on(Node::start(NODE, &options).unwrap()).unwrap());
    plain.add_pools();
    plain.wire.fault(Rule::new(Fault::EmptyCall));
    let envelope = plain.unchanged(|| plain.run("sync growth").fails(1, "not_a_contract"));
    let vault = plain.world.eighteen.vault.to_string();
    let block = plain.world.node.block_of_tag("safe").unwrap().to_string();
    says(&envelope["error"]["message"], &[&vault, "function", "answered nothing", "at block", &block]);
    assert_eq!(envelope["error"]["details"]["contract"], vault);
    plain.unchanged(|| plain.run("sync").fails(1, "not_a_contract"));

    let desk = Desk::ready();
    desk.wire.fault(Rule::new(Fault::EmptyCall));
    let envelope = desk.unchanged(|| desk.run("sync").fails(1, "not_a_contract"));
    says(
        &envelope["error"]["message"],
        &["2 of 2 pools failed", &vault, "answered nothing at block", &block],
    );
    desk.wire.heal();
    desk.run("sync").ok();
}

#[test]
fn an_address_without_code_or_that_is_no_vault_is_no_pool() {
    let desk = Desk::ready();
    let alice = desk.world.alice;
    let envelope = desk.unchanged(|| desk.run(&format!("pool add x {alice}")).fails(1, "not_a_contract"));
    says(&envelope["error"]["message"], &["there is no contract at", &alice.to_string(), "at block"]);
    says(&envelope["error"]["hint"], &["the profile is the pool's network"]);
    let risk = desk.world.risk;
    for other in [desk.world.not_a_vault, desk.world.eighteen.asset, desk.world.eighteen.feed, risk] {
        let envelope = desk.unchanged(|| desk.run(&format!("pool add x {other}")).exits(1)).stderr;
        assert!(envelope.contains(&format!("vault {other} function")), "{envelope}");
        assert!(envelope.contains("does not answer like a pool of profile erc4626"), "{envelope}");
    }
    for other in [desk.world.not_a_vault, desk.world.eighteen.vault, desk.world.dave] {
        let line = format!("oracle add x --asset X --address {other}");
        let envelope = desk.unchanged(|| desk.run(&line).exits(1)).stderr;
        assert!(envelope.contains(&format!("feed {other} function")), "{envelope}");
    }
    // A pool that is not born yet at the block that is read.
    let young = desk.world.add_vault(desk.world.six.asset, 0).unwrap();
    let line = format!("pool add young {} --at {}", young.address().unwrap(), young.block - 1);
    desk.unchanged(|| desk.run(&line).fails(1, "not_a_contract"));
    assert_eq!(
        desk.json(&line.replace(&format!("--at {}", young.block - 1), "--at latest"))["deploy_block"],
        young.block
    );
}

#[test]
fn an_endpoint_without_old_state_needs_the_deploy_block_told() {
    let desk = Desk::bare();
    let pruned = Fault::RpcError {
        code: -32000,
        message: "missing trie node 0xabc (path )".into(),
        data: json!(null),
    };
    // Code at a height is asked for by the search alone.
    let by_height = |call: &Value| call["method"] == "eth_getCode" && call["params"][1].is_string();
    desk.wire.fault(Rule::new(pruned).on(poolctl_testkit::Matcher::Where(by_height)));
    let vault = desk.world.eighteen.vault;
    let ran = desk.run(&format!("pool add growth {vault}")).exits(1);
    assert!(ran.stderr.contains("missing trie node"), "{}", ran.stderr);
    assert!(ran.stderr.contains("archive"), "{}", ran.stderr);
    assert_eq!(desk.rows("SELECT name FROM pools"), Vec::<String>::new());
}

#[test]
fn an_endpoint_that_lags_is_passed_over_for_one_that_does_not() {
    // Two nodes with the same history, of which the second is further on.
    let desk = Desk::weighted();
    let twin = World::small(NODE).unwrap();
    let (behind, ahead) = (desk.world.node.url(), twin.node.url());
    twin.node.mine(20).unwrap();
    desk.use_urls(&[("slow", behind), ("fast", ahead)]);
    let warned = |envelope: &Value| warnings(envelope).as_str().unwrap().to_owned();
    // Nothing is known yet beyond the slow one's block: it is the preferred one.
    let first = desk.run("sync --json").exits(0).envelope();
    assert_eq!(first["data"]["view"]["endpoint"], "slow");
    desk.use_urls(&[("fast", ahead)]);
    let mut known = desk.json("sync")["view"]["number"].as_u64().unwrap();
    desk.use_urls(&[("slow", behind), ("fast", ahead)]);
    let (asset, feed) = (desk.world.eighteen.asset, desk.world.eighteen.feed);
    desk.run(&format!("oracle add growth-usd --asset {asset} --address {feed}")).exits(0);
    desk.run(&format!("risk set growth --engine viddhana --engine-address {}", desk.world.risk)).ok();
    let commands =
        [format!("reward cycle --from {}", desk.genesis()), "sync".to_owned(), "oracle fetch".to_owned()];
    for command in commands {
        twin.node.mine(5).unwrap();
        let envelope = desk.run(&format!("{command} --json")).exits(0).envelope();
        assert_eq!(envelope["data"]["view"]["endpoint"], "fast", "{command}");
        assert_eq!(envelope["data"]["view"]["number"], known + 5, "{command}");
        let lags = format!("endpoint \"slow\" lags: it reads at block {}", first["data"]["view"]["number"]);
        says(&warned(&envelope).into(), &[&lags, &format!("block {known}"), "\"fast\" took over"]);
        let pools = envelope["data"]["pools"].as_array().cloned().unwrap_or_default();
        assert!(pools.iter().all(|pool| pool["error"].is_null()), "{command}: {envelope}");
        known += if command == "oracle fetch" { 0 } else { 5 };
    }
    // The engine is read where the pools stand.
    let envelope = desk.run("risk fetch growth --json").exits(0).envelope();
    assert_eq!(envelope["data"]["view"]["endpoint"], "fast");
    // The one that is current is gone: the state is not moved back, and the rest says why.
    desk.use_urls(&[("slow", behind), ("gone", &nowhere().unwrap())]);
    let envelope = desk.unchanged(|| desk.run("sync").fails(75, "behind"));
    says(&envelope["error"]["message"], &["endpoint \"slow\" reads at block"]);
    // A height that was asked for is that height, wherever it is.
    desk.use_urls(&[("slow", behind), ("fast", ahead)]);
    let asked = first["data"]["view"]["number"].as_u64().unwrap();
    let envelope = desk.unchanged(|| desk.run(&format!("sync --at {asked}")).fails(2, "invalid_value"));
    says(&envelope["error"]["message"], &[&format!("block {asked} is before it")]);
    desk.sound();
}
