//! What providers say and do, by command: one endpoint behind one wire, a line for each misbehaviour.

use super::NODE;
use super::desk::{Desk, dump, same, says, sound, warnings};
use poolctl_testkit::{Answer, Fault, Matcher, Node, NodeOptions, Proxy, Rule, World, units};
use serde_json::{Value, json};
use std::collections::HashMap;

/// How a command is to end.
enum End {
    /// Exit 0; the state is that of a run at a sound endpoint.
    Well,
    /// This exit code, this error code, these words of message or hint, and nothing changed.
    Refused(i32, &'static str, &'static [&'static str]),
    /// The same, and the trouble is noted as an alert of what was to be read.
    Noted(i32, &'static str, &'static [&'static str]),
}
use End::{Noted, Refused, Well};

/// When the endpoint misbehaves.
type Where = fn(&Value) -> bool;

const ANY: Where = |_| true;
const CALL: Where = |call| call["method"] == "eth_call";
const LOGS: Where = |call| call["method"] == "eth_getLogs";
/// Logs, and the receipts that have them too.
const EVENTS: Where = |call| LOGS(call) || call["method"] == "eth_getBlockReceipts";
const TAG: Where = |call| call["params"][0] == "finalized" || call["params"][0] == "safe";
const HEADER: Where = |call| call["method"] == "eth_getBlockByNumber";
/// Logs of more than one block.
const RANGE: Where =
    |call| call["method"] == "eth_getLogs" && call["params"][0]["fromBlock"] != call["params"][0]["toBlock"];
/// The call that is at home on no address, for the hashes of codes.
const HOMELESS: Where = |call| call["method"] == "eth_call" && call["params"][0]["to"].is_null();
const BY_HASH: Where = |call| call["params"][1].is_object();

const ALWAYS: usize = usize::MAX;

/// An error in an answer with status 200.
fn rpc(code: i64, message: &str) -> Fault {
    Fault::RpcError { code, message: message.to_owned(), data: Value::Null }
}

/// An answer that is the same whatever was asked.
macro_rules! http {
    ($status:literal, $headers:literal, $body:literal) => {
        Fault::Http(|_| Answer { status: $status, headers: $headers, body: $body.to_owned() })
    };
}

/// An answer to a call with an HTTP status of its own.
macro_rules! status {
    ($status:literal, $code:literal, $message:literal) => {
        Fault::Http(|request| {
            let error = |call: &Value| json!({ "id": call["id"], "error": { "code": $code, "message": $message } });
            let body = match request.as_array() {
                Some(calls) => calls.iter().map(error).collect(),
                None => error(request),
            };
            Answer { status: $status, headers: "", body: body.to_string() }
        })
    };
}

/// Rewrites the answer to a batch.
macro_rules! batch {
    (|$request:pat_param, $answer:pat_param| $body:expr) => {
        Fault::Whole(|$request, $answer| $body)
    };
}

/// Rewrites the logs of an answer.
macro_rules! logs {
    (|$logs:ident| $body:expr) => {
        Fault::Custom(|_, mut answer| {
            if let Some($logs) = answer["result"].as_array_mut().filter(|logs| !logs.is_empty()) {
                $body;
            }
            answer
        })
    };
}

const NOT_REACHED: &str = "unreachable";

/// The misbehaviours: what, where, how often, the command, and how it ends.
fn rows() -> Vec<(Fault, Where, usize, &'static str, End)> {
    const SYNC: &str = "sync --all";
    const CYCLE: &str = "reward cycle";
    const ADD: &str = "pool add third {third}";
    const RECONCILE: &str = "pool reconcile --all";
    const VERIFY: &str = "reward epoch verify --all";
    const FETCH: &str = "oracle fetch";
    const RISK: &str = "risk check --all";
    let refused_batch =
        || batch!(|_, _| json!({ "id": null, "error": { "code": -32600, "message": "batch" } }));
    let mut rows = vec![
        // A range of logs is refused.
        (rpc(-32005, "limit exceeded"), RANGE, ALWAYS, SYNC, Well),
        (rpc(-32000, "please limit the query to at most 1000 blocks"), RANGE, ALWAYS, SYNC, Well),
        (rpc(-32602, "query returned more than 10000 results"), RANGE, ALWAYS, CYCLE, Well),
        (rpc(-32603, "Internal error"), RANGE, ALWAYS, SYNC, Well),
        (rpc(1, ""), RANGE, ALWAYS, SYNC, Well),
        (http!(400, "", "too many blocks"), RANGE, ALWAYS, SYNC, Well),
        (http!(413, "", "Request entity too large"), RANGE, ALWAYS, CYCLE, Well),
        (http!(503, "", "busy"), RANGE, ALWAYS, SYNC, Well),
        (http!(200, "", "<html>"), RANGE, ALWAYS, SYNC, Well),
        (Fault::Refuse, RANGE, ALWAYS, SYNC, Well),
        (status!(429, -32005, "too many results"), RANGE, 2, SYNC, Well),
        (http!(429, "", ""), LOGS, 1, SYNC, Well),
        (http!(429, "", ""), LOGS, ALWAYS, SYNC, Refused(75, "rate_limited", &["HTTP 429"])),
        (
            rpc(-32000, "too many results"),
            LOGS,
            ALWAYS,
            SYNC,
            Refused(
                1,
                "rpc_error",
                &["cannot answer with the logs of block", "too many results", "evm.rpc_urls"],
            ),
        ),
        // A batch is refused.
        (
            batch!(|_, _| json!({ "id": null, "error": { "code": -32600, "message": "batch" } })),
            ANY,
            1,
            SYNC,
            Well,
        ),
        (batch!(|_, _| json!({ "error": "no batches" })), ANY, 1, SYNC, Well),
        (
            batch!(|_, _| json!([{ "id": null, "error": { "code": -32005, "message": "limit" } }])),
            ANY,
            1,
            CYCLE,
            Well,
        ),
        (
            batch!(
                |r, _| json!([{ "id": r[0]["id"], "error": { "code": -32600, "message": "batch too large" } }])
            ),
            HEADER,
            1,
            SYNC,
            Well,
        ),
        (
            batch!(|_, mut a| {
                a.as_array_mut().map(Vec::pop);
                a
            }),
            HEADER,
            1,
            SYNC,
            Well,
        ),
        (
            batch!(|r, mut a| {
                a[1] = json!({ "id": r[1]["id"], "error": { "code": -32099, "message": "batch limit" } });
                a
            }),
            HEADER,
            1,
            SYNC,
            Well,
        ),
        (http!(413, "", "batch too large"), HEADER, 1, SYNC, Well),
        // A call without an address is not known.
        (rpc(-32602, "missing field to"), HOMELESS, ALWAYS, SYNC, Well),
        (rpc(-32603, "Internal error"), HOMELESS, ALWAYS, SYNC, Well),
        (rpc(3, "execution reverted"), HOMELESS, ALWAYS, CYCLE, Well),
        (http!(400, "", "bad request"), HOMELESS, ALWAYS, SYNC, Well),
        (Fault::EmptyCall, HOMELESS, ALWAYS, SYNC, Well),
        (Fault::ResultNull, HOMELESS, 1, SYNC, Well),
        // Trouble that passes, and trouble that does not.
        (rpc(-32000, "header not found"), CALL, 1, SYNC, Well),
        (
            rpc(-32000, "header not found"),
            CALL,
            ALWAYS,
            SYNC,
            Refused(75, NOT_REACHED, &["header not found"]),
        ),
        (rpc(-32000, "unknown block"), CALL, ALWAYS, CYCLE, Refused(75, NOT_REACHED, &["unknown block"])),
        (rpc(-32000, "backend not healthy"), CALL, ALWAYS, SYNC, Refused(75, NOT_REACHED, &["not healthy"])),
        (rpc(-32000, "over capacity"), CALL, ALWAYS, SYNC, Refused(75, NOT_REACHED, &["over capacity"])),
        (rpc(-32603, "Internal error"), CALL, ALWAYS, SYNC, Refused(75, NOT_REACHED, &["Internal error"])),
        (status!(500, -32000, "boom"), CALL, 1, SYNC, Well),
        (status!(500, -32000, "boom"), CALL, ALWAYS, SYNC, Refused(75, NOT_REACHED, &["HTTP 500: boom"])),
        (status!(503, -32601, "later"), ANY, ALWAYS, CYCLE, Refused(75, NOT_REACHED, &["HTTP 503: later"])),
        // The tag is known: neither its absence nor a failure is taken for a chain without it.
        (Fault::ResultNull, TAG, ALWAYS, CYCLE, Refused(75, NOT_REACHED, &["finalized", "null"])),
        (Fault::ResultNull, TAG, ALWAYS, SYNC, Refused(75, NOT_REACHED, &["block: null"])),
        (
            rpc(-32000, "finalized block not found"),
            TAG,
            ALWAYS,
            CYCLE,
            Refused(75, NOT_REACHED, &["does not give the chain's \"finalized\" block"]),
        ),
        (
            rpc(-32602, "invalid argument 0"),
            TAG,
            ALWAYS,
            SYNC,
            Refused(75, NOT_REACHED, &["invalid argument 0"]),
        ),
        (rpc(-32000, "oops"), TAG, ALWAYS, "pool reconcile --all", Refused(75, NOT_REACHED, &["oops"])),
        (rpc(-32005, "limit exceeded"), TAG, 1, CYCLE, Well),
        // What it is, is said.
        (
            Fault::Custom(|call, _| json!({ "id": call["id"], "error": "plan has ended" })),
            CALL,
            ALWAYS,
            SYNC,
            Refused(1, "rpc_error", &["eth_call: plan has ended"]),
        ),
        (
            http!(301, "location: https://new.example/v2/SECRETKEY1\r\n", ""),
            ANY,
            ALWAYS,
            SYNC,
            Refused(
                1,
                "rpc_error",
                &["it redirects to https://new.example, which is not followed", "write its new URL"],
            ),
        ),
        (
            rpc(-32602, "cannot unmarshal object into Go value of type string"),
            BY_HASH,
            ALWAYS,
            SYNC,
            Refused(
                1,
                "rpc_error",
                &["does not take a block by its hash (EIP-1898)", "takes EIP-1898 blocks"],
            ),
        ),
        // Logs that are lost, of the index, of the block itself, of its receipts; that come late; twice; from another chain.
        (logs!(|logs| logs.remove(0)), RANGE, 1, SYNC, Well),
        (logs!(|logs| logs.remove(0)), RANGE, ALWAYS, CYCLE, Well),
        (logs!(|logs| logs.clear()), RANGE, ALWAYS, SYNC, Well),
        (logs!(|logs| logs.clear()), LOGS, 1, SYNC, Well),
        (logs!(|logs| logs.clear()), LOGS, ALWAYS, SYNC, Well),
        (logs!(|logs| logs.clear()), LOGS, ALWAYS, CYCLE, Well),
        (logs!(|logs| logs.clear()), EVENTS, ALWAYS, SYNC, Refused(5, "drift", &["2 of 2 pools failed"])),
        (logs!(|logs| logs.clear()), EVENTS, ALWAYS, CYCLE, Refused(5, "drift", &["cannot pay pool"])),
        (
            logs!(|logs| {
                let newest = logs[logs.len() - 1]["blockNumber"].clone();
                logs.retain(|log| log["blockNumber"] != newest);
            }),
            RANGE,
            ALWAYS,
            SYNC,
            Well,
        ),
        (
            logs!(|logs| logs.push(logs[0].clone())),
            LOGS,
            ALWAYS,
            SYNC,
            Refused(75, "bad_reply", &["eth_getLogs", "came twice"]),
        ),
        (
            logs!(|logs| logs[0]["blockHash"] = json!(format!("0x{}", "ab".repeat(32)))),
            LOGS,
            ALWAYS,
            CYCLE,
            Refused(75, "bad_reply", &["eth_getLogs", "is of another block of that height"]),
        ),
    ];
    // What is the same for every command that reads contracts.
    for command in [ADD, RECONCILE, VERIFY, FETCH, RISK] {
        rows.extend([
            (refused_batch(), ANY, 1, command, Well),
            (http!(413, "", "batch too large"), ANY, 1, command, Well),
            (http!(429, "", ""), CALL, 1, command, Well),
            (status!(500, -32000, "boom"), CALL, 1, command, Well),
            (rpc(-32000, "header not found"), CALL, 1, command, Well),
        ]);
        let end = |words| match command {
            // A feed keeps why it was not read; limits hold until they are too old.
            FETCH => Noted(75, NOT_REACHED, words),
            RISK => Well,
            _ => Refused(75, NOT_REACHED, words),
        };
        rows.extend([
            (rpc(-32000, "backend not healthy"), CALL, ALWAYS, command, end(&["not healthy"])),
            (Fault::ResultNull, TAG, ALWAYS, command, end(&["null"])),
        ]);
    }
    rows
}

#[test]
fn what_a_provider_does_ends_as_it_should_for_each_command() {
    let desk = Desk::bare();
    desk.furnish();
    let (eighteen, six) = (desk.world.eighteen, desk.world.six);
    desk.world.deposit(eighteen.vault, desk.world.dave, units(7, 18)).unwrap();
    desk.world.deposit(six.vault, desk.world.dave, units(7, 6)).unwrap();
    desk.world.transfer_shares(eighteen.vault, desk.world.alice, desk.world.bob, units(3, 18)).unwrap();
    let third = desk.world.add_vault(six.asset, 0).unwrap().address().unwrap().to_string();
    desk.world.node.mine(12).unwrap();
    // The same command at a sound endpoint.
    let mut straight = HashMap::new();
    for (fault, place, times, command, end) in rows() {
        let what = format!("{fault:?} × {command}");
        let command = &command.replace("{third}", &third);
        let want = straight.entry(command.clone()).or_insert_with(|| {
            let home = desk.home.fork();
            home.run(command).exits(0);
            super::desk::figures(&home.sqlite())
        });
        let home = desk.home.fork();
        desk.wire.fault(Rule::new(fault).on(Matcher::Where(place)).times(times));
        match end {
            Well => {
                let ran = home.run(&format!("{command} --json")).exits(0);
                assert_eq!(super::desk::figures(&home.sqlite()), *want, "{what}");
                assert!(!ran.envelope()["data"].is_null(), "{what}");
                sound(&home);
            }
            Refused(exit, code, words) | Noted(exit, code, words) => {
                let envelope = home.run(command).fails(exit, code);
                let said = format!("{} {}", envelope["error"]["message"], envelope["error"]["hint"]);
                let said = said.replace("\\\"", "\"");
                assert!(words.iter().all(|word| said.contains(word)), "{what}: {said}");
                assert!(!envelope.to_string().contains("SECRETKEY1"), "{what}");
                if matches!(end, Noted(..)) {
                    let noted = "SELECT count(*) FROM oracle_alerts WHERE closed_at IS NULL";
                    assert_eq!(super::desk::rows(&home.sqlite(), noted), ["1"], "{what}");
                    desk.wire.heal();
                    continue;
                }
                // A cycle shares out what was emitted before it asks what is paid of it: that follows from settings alone.
                let facts = |conn| {
                    let mut found = dump(&conn);
                    found.remove("reward_emissions");
                    found.get_mut("meta").unwrap().retain(|row| !row.starts_with("data_version"));
                    found
                };
                same(&facts(desk.home.sqlite()), &facts(home.sqlite()));
            }
        }
        desk.wire.heal();
    }
}

#[test]
fn what_was_learned_is_kept_and_the_finality_is_said() {
    let desk = Desk::weighted();
    assert_eq!(desk.rows("SELECT tag FROM evm_tags ORDER BY 1"), ["finalized", "safe"]);
    // A width that works is kept until more is taken again.
    let limit: Where = |call| {
        let block = |key: &str| {
            let text = call["params"][0][key].as_str().unwrap_or_default();
            u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap_or_default()
        };
        call["method"] == "eth_getLogs" && block("toBlock") - block("fromBlock") >= 10
    };
    desk.wire.fault(Rule::new(rpc(-32000, "no")).on(Matcher::Where(limit)));
    let view = desk.json("sync")["view"].clone();
    let width: u64 = desk.one("SELECT log_blocks FROM evm_endpoints WHERE name = 'main'").parse().unwrap();
    assert!((1..=10).contains(&width), "{width}");
    desk.world.node.mine(25).unwrap();
    desk.wire.clear();
    desk.run("sync").ok();
    let refused = desk.wire.calls().iter().filter(|call| limit(call)).count();
    assert_eq!(refused, 0, "the next run does not try what was refused");
    // Which block is final, and by what.
    let last = desk.final_block();
    assert_eq!((&view["chosen_by"], &view["final_by"]), (&json!("safe"), &json!("finalized")));
    let cycle = desk.first_cycle();
    assert_eq!(
        (&cycle["view"]["final_block"], &cycle["view"]["final_by"]),
        (&json!(last), &json!("finalized"))
    );
    let shown = desk.run("sync").exits(0).stdout;
    assert!(shown.contains(", safe) at \"main\", final block ") && shown.contains(" (finalized)"), "{shown}");

    // A chain that never showed a tag: blocks are counted, and that is said.
    let world = World::on(Node::start(NODE, &NodeOptions::default()).unwrap()).unwrap();
    let plain = Desk::on(world);
    plain.wire.fault(Rule::new(Fault::ResultNull).on(Matcher::Where(TAG)));
    plain.setting("evm.confirmations = 3");
    plain.add_pools();
    let view = plain.json("sync")["view"].clone();
    let head = plain.world.node.block_number().unwrap();
    assert_eq!(view["number"], head - 3);
    assert_eq!((&view["chosen_by"], &view["final_by"]), (&json!("head-3"), &json!("head-3")));
    assert_eq!(plain.rows("SELECT tag FROM evm_tags"), [""; 0]);
    // It shows one now, and never loses it again.
    plain.wire.heal();
    plain.world.node.mine(2).unwrap();
    plain.run("sync").ok();
    plain.wire.fault(Rule::new(Fault::ResultNull).on(Matcher::Where(TAG)));
    plain.world.node.mine(2).unwrap();
    plain.unchanged(|| plain.run("sync").fails(75, "unreachable"));
    // The next endpoint knows it.
    let twin = Proxy::start(plain.world.node.url()).unwrap();
    plain.use_urls(&[("main", &plain.wire.url()), ("twin", &twin.url())]);
    let envelope = plain.run("sync --json").exits(0).envelope();
    assert_eq!(envelope["data"]["view"]["endpoint"], "twin");
    says(&warnings(&envelope), &["endpoint \"main\"", "does not give the chain's", "\"twin\" took over"]);
}

#[test]
fn what_is_learned_is_kept_by_every_command_that_writes() {
    let desk = Desk::bare();
    desk.furnish();
    for command in ["oracle fetch", "risk fetch growth", "sync"] {
        desk.meddle("DELETE FROM evm_tags");
        desk.run(command).exits(0);
        assert_eq!(desk.rows("SELECT tag FROM evm_tags ORDER BY 1"), ["finalized", "safe"], "{command}");
    }
}

#[test]
fn a_block_beyond_the_chain_is_bad_input_for_every_command_that_takes_one() {
    let desk = Desk::bare();
    desk.furnish();
    let eighteen = desk.world.eighteen;
    for command in [
        "sync --all",
        "oracle fetch",
        "oracle check",
        "risk fetch growth",
        "pool validate-deposit growth alice 1 --on-chain",
    ] {
        for block in ["999999", "9223372036854775807", "18446744073709551615"] {
            let envelope =
                desk.unchanged(|| desk.run(&format!("{command} --at {block}")).fails(2, "invalid_value"));
            says(&envelope["error"]["message"], &[&format!("has no block {block} yet")]);
        }
    }
    let line = format!("pool add again {} --at 999999", eighteen.asset);
    desk.unchanged(|| desk.run(&line).fails(2, "invalid_value"));
}
