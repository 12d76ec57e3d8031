//! What public endpoints say to a range of logs or a batch that they do not take. A line for each.

use super::NODE;
use crate::{Done, chain, config, run, supply};
use alloy::sol_types::SolEvent;
use base::{Code, Error};
use evm::{At, Chain, LogLimits, replay};
use poolctl_testkit::abi::Vault;
use poolctl_testkit::{Answer, Fault, Matcher, Proxy, Rule, World};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn block(call: &Value, key: &str) -> u64 {
    let text = call["params"][0][key].as_str().unwrap_or_default();
    u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap_or_default()
}

/// More than five blocks.
fn wide(call: &Value) -> bool {
    call["method"] == "eth_getLogs" && block(call, "toBlock") - block(call, "fromBlock") >= 5
}

fn rpc(code: i64, message: &str) -> Fault {
    Fault::RpcError { code, message: message.into(), data: Value::Null }
}

/// The logs of the world's first vault, the widths of the answered ranges, and the HTTP requests that it took.
fn collect(chain: &Chain, world: &World) -> base::Result<(usize, Vec<u64>, u64)> {
    run(chain.view(At::Latest, async |view| {
        let (mut logs, mut widths) = (0, Vec::new());
        let to = view.block().number;
        replay(view, &[world.eighteen.vault], Vault::Transfer::SIGNATURE_HASH, 0, to, |range| {
            logs += range.logs.len();
            widths.push(range.end.number - range.from + 1);
            Ok(())
        })
        .await?;
        Ok((logs, widths, chain.requests()))
    }))
}

/// Words that a wide range is refused with: `eth_getLogs` in an answer with status 200.
const WORDINGS: &[(i64, &str)] = &[
    (-32005, "limit exceeded"),
    (-32005, "query returned more than 10000 results"),
    (-32005, "please limit the query to at most 1000 blocks"),
    (-32000, "please limit the query to at most 1000 blocks"),
    (-32600, "You can make eth_getLogs requests with up to a 10 block range"),
    (-32602, "Log response size exceeded. this block range should work: [0x0, 0x1]"),
    (-32602, "invalid params: toBlock"),
    (-32000, "requested too many blocks from 0 to 4095, maximum is set to 2048"),
    (-32614, "eth_getLogs is limited to a 10,000 range"),
    (-32000, "exceed maximum block range: 5000"),
    (-32000, "maximum [from, to] blocks distance: 2000"),
    (-32000, "too wide blocks range, the limit is 100"),
    (-32000, "GetLogs query must be smaller than size 1024"),
    (-32603, "eth_getLogs range is too large, max is 1k blocks"),
    (-32000, "logs matched by query exceeds limit of 10000"),
    (-32001, "ranges over 10000 blocks are not supported on freetier"),
    (-32020, "backend response too large"),
    (-32002, "request timed out"),
    (-32000, "query timeout exceeded"),
    (-32603, "Internal error"),
    (-32000, "Upgrade your plan to query archive logs"),
    (35, "ranges over 10000 blocks are not supported"),
    (0, "no"),
    (-32097, "server busy"),
    (-32005, "rate limited: the query spans too many results"),
];

#[test]
fn whatever_is_said_against_a_range_makes_it_narrower() -> Done {
    let world = World::small(NODE)?;
    let (all, ..) = collect(&chain(&[world.node.url()])?, &world)?;
    let proxy = Proxy::start(world.node.url())?;
    let narrowed = |what: &str| -> Done {
        let mut config = config(&[&proxy.url()])?;
        config.logs = LogLimits { start: 32, most: 64, ..config.logs };
        let chain = Chain::new(config)?;
        let (logs, widths, _) = collect(&chain, &world)?;
        assert_eq!(logs, all, "{what}");
        assert!(widths.iter().all(|width| *width <= 5), "{what}: {widths:?}");
        let learned = chain.learned().log_widths;
        assert!(learned["alchemy"] <= 5, "{what}: {learned:?}");
        proxy.heal();
        Ok(())
    };
    for (code, message) in WORDINGS {
        proxy.fault(Rule::new(rpc(*code, message)).on(Matcher::Where(wide)));
        narrowed(message)?;
    }
    for make in ANSWERS {
        proxy.fault(Rule::new(Fault::Http(*make)).on(Matcher::Where(wide)));
        narrowed(&format!("{:?}", make(&Value::Null)))?;
    }
    Ok(())
}

/// The same told by HTTP.
const ANSWERS: &[fn(&Value) -> Answer] = &[
    |_| answer(400, "", "eth_getLogs is limited to 100 blocks"),
    |_| answer(413, "", "Request entity too large"),
    |_| answer(403, "", "your plan has 10 blocks"),
    |_| answer(500, "", "boom"),
    |_| answer(503, "", r#"{"id":null,"error":{"code":-32000,"message":"overloaded"}}"#),
    |_| answer(504, "", ""),
    |_| answer(200, "", "<html>"),
    |_| answer(200, "", r#"{"id":null,"error":"range too wide"}"#),
    // Both at once: it is waited, and less is asked for.
    |_| answer(429, "", r#"{"id":null,"error":{"code":-32005,"message":"too many results"}}"#),
];

fn answer(status: u16, headers: &'static str, body: &str) -> Answer {
    Answer { status, headers, body: body.to_owned() }
}

#[test]
fn timeouts_in_a_row_make_a_range_narrower_every_time() -> Done {
    let world = World::small(NODE)?;
    let (all, ..) = collect(&chain(&[world.node.url()])?, &world)?;
    let proxy = Proxy::start(world.node.url())?;
    proxy.fault(Rule::new(Fault::Delay(Duration::from_millis(600))).on(Matcher::Where(|call| {
        call["method"] == "eth_getLogs" && call["params"][0]["fromBlock"] != call["params"][0]["toBlock"]
    })));
    let mut config = config(&[&proxy.url()])?;
    config.logs = LogLimits { start: 2_000, most: 2_000, ..config.logs };
    config.http.timeout = Duration::from_millis(150);
    let chain = Chain::new(config)?;
    run(chain.view(At::Latest, async |view| {
        let mut logs = 0;
        let end = world.eighteen.deploy_block + 2;
        replay(view, &[world.eighteen.vault], Vault::Transfer::SIGNATURE_HASH, 0, end, |range| {
            logs += range.logs.len();
            Ok(())
        })
        .await?;
        assert!(logs <= all);
        Ok(())
    }))?;
    assert_eq!(chain.learned().log_widths["alchemy"], 1);
    Ok(())
}

#[test]
fn a_limit_on_requests_waits_and_keeps_the_width() -> Done {
    let world = World::small(NODE)?;
    for make in [
        (|_| answer(429, "retry-after: 1\r\n", "")) as fn(&Value) -> Answer,
        |_| answer(429, "retry-after: 1\r\n", r#"{"id":null,"error":{"code":-1,"message":"rate limit"}}"#),
        |_| answer(503, "retry-after: 1\r\n", "busy"),
    ] {
        let proxy = Proxy::start(world.node.url())?;
        proxy.fault(Rule::new(Fault::Http(make)).on_method("eth_getLogs").times(1));
        let chain = chain(&[&proxy.url()])?;
        let begun = Instant::now();
        let (_, widths, _) = collect(&chain, &world)?;
        assert!(begun.elapsed() >= Duration::from_secs(1), "{make:?}");
        assert_eq!(widths.len(), 1);
        assert!(chain.learned().log_widths.is_empty());
    }
    Ok(())
}

#[test]
fn both_at_once_waits_and_asks_for_less() -> Done {
    let world = World::small(NODE)?;
    let proxy = Proxy::start(world.node.url())?;
    let make: fn(&Value) -> Answer = |_| {
        let body = r#"{"id":null,"error":{"code":-32005,"message":"query returned more than 10 results"}}"#;
        answer(429, "retry-after: 1\r\n", body)
    };
    proxy.fault(Rule::new(Fault::Http(make)).on_method("eth_getLogs").times(1));
    let chain = chain(&[&proxy.url()])?;
    let begun = Instant::now();
    let (_, widths, _) = collect(&chain, &world)?;
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert!(widths.len() > 1, "{widths:?}");
    Ok(())
}

#[test]
fn the_width_that_works_is_kept_for_the_next_run() -> Done {
    let world = World::small(NODE)?;
    let proxy = Proxy::start(world.node.url())?;
    proxy.fault(Rule::new(rpc(-32000, "no")).on(Matcher::Where(wide)));
    let first = chain(&[&proxy.url()])?;
    collect(&first, &world)?;
    let refused = |proxy: &Proxy| proxy.calls().iter().filter(|call| wide(call)).count();
    assert!(refused(&proxy) > 0);
    proxy.clear();
    let mut config = config(&[&proxy.url()])?;
    config.learned = first.learned();
    let second = Chain::new(config)?;
    collect(&second, &world)?;
    assert_eq!((refused(&proxy), second.learned()), (0, first.learned()));
    Ok(())
}

type Rewrite = fn(&Value, Value) -> Value;

/// How a batch of more than two calls is refused: a rewrite of the whole answer.
const BATCHES: &[(&str, Rewrite)] = &[
    ("an object", |_, _| json!({ "id": null, "error": { "code": -32600, "message": "batch too large" } })),
    ("a text", |_, _| json!({ "error": "no batches" })),
    ("id null", |_, _| json!([{ "id": null, "error": { "code": -32005, "message": "limit exceeded" } }])),
    (
        "the first alone",
        |request, _| json!([{ "id": request[0]["id"], "error": { "code": -32600, "message": "batch too large" } }]),
    ),
    (
        "the first alone, a rate limit",
        |request, _| json!([{ "id": request[0]["id"], "error": { "code": -32005, "message": "limit exceeded" } }]),
    ),
    ("all but one", |request, mut answer| {
        for i in 1..request.as_array().map_or(0, Vec::len) {
            answer[i] = json!({ "id": request[i]["id"], "error": { "code": -32003, "message": "response too large" } });
        }
        answer
    }),
    ("one of them", |request, mut answer| {
        answer[2] = json!({ "id": request[2]["id"], "error": { "code": -32099, "message": "batch limit" } });
        answer
    }),
    ("one of them, a rate limit", |request, mut answer| {
        answer[2] = json!({ "id": request[2]["id"], "error": { "code": -32005, "message": "limit" } });
        answer
    }),
    ("one left out", |_, mut answer| {
        answer.as_array_mut().map(Vec::pop);
        answer
    }),
    ("nothing", |_, _| json!([])),
];

#[test]
fn a_batch_that_is_not_taken_shrinks_and_what_was_answered_is_kept() -> Done {
    let world = World::small(NODE)?;
    for (what, rewrite) in BATCHES {
        let proxy = Proxy::start(world.node.url())?;
        let chain = chain(&[&proxy.url()])?;
        let heights = [1u64, 2, 3, 4, 5];
        run(chain.view(At::Latest, async |view| {
            proxy.fault(Rule::new(Fault::Whole(*rewrite)).on_method("eth_getBlockByNumber").times(1));
            let blocks = view.blocks_by_number(&heights).await?;
            assert!(blocks.iter().zip(heights).all(|(block, height)| block.number == height), "{what}");
            Ok(())
        }))?;
        assert!(chain.take_warnings().is_empty(), "{what}: the endpoint serves");
        let asked: Vec<String> = proxy.calls().iter().map(|call| call["params"][0].to_string()).collect();
        let again = asked.iter().filter(|height| *height == "\"0x2\"").count();
        if what.starts_with("one") {
            assert_eq!(again, 1, "{what}: what was answered is not asked for again");
        }
    }
    Ok(())
}

/// What passes: an answer to `eth_call`, as an error with status 200, or an HTTP answer.
const PASSING: &[(i64, &str)] = &[
    (-32000, "header not found"),
    (-32000, "header for hash not found"),
    (-32000, "unknown block"),
    (-32000, "block not found: 0xabc"),
    (-32001, "Resource not found"),
    (-32000, "backend not healthy"),
    (-32000, "no healthy upstream"),
    (-32000, "over capacity"),
    (-32603, "Internal error"),
    (-32000, "service temporarily unavailable"),
];

#[test]
fn trouble_is_waited_for_then_left_to_the_next_endpoint_then_transient() -> Done {
    let world = World::small(NODE)?;
    let http: &[fn(&Value) -> Answer] = &[
        |request| {
            answer(
                500,
                "",
                &json!({ "id": request["id"], "error": { "code": -32000, "message": "x" } }).to_string(),
            )
        },
        |request| {
            answer(
                503,
                "",
                &json!({ "id": request["id"], "error": { "code": -32601, "message": "y" } }).to_string(),
            )
        },
        |_| answer(503, "", r#"{"message":"no server"}"#),
        |_| answer(502, "", "bad gateway"),
    ];
    let faults = PASSING.iter().map(|(code, message)| rpc(*code, message));
    for fault in faults.chain(http.iter().map(|make| Fault::Http(*make))) {
        let proxy = Proxy::start(world.node.url())?;
        let ask = |urls: &[&str]| {
            run(chain(urls)?.view(At::Safe, async |view| {
                supply(view, world.six.vault).await?;
                Ok((view.endpoint().to_owned(), view.block().hash))
            }))
            .map_err(anyhow::Error::from)
        };
        let straight = ask(&[world.node.url()])?.1;
        // Once: the same endpoint, at the same block.
        proxy.fault(Rule::new(fault.clone()).on_method("eth_call").times(1));
        assert_eq!(ask(&[&proxy.url(), world.node.url()])?, ("alchemy".to_owned(), straight), "{fault:?}");
        proxy.heal();
        // For good: the next one, at the same block.
        proxy.fault(Rule::new(fault.clone()).on_method("eth_call"));
        assert_eq!(ask(&[&proxy.url(), world.node.url()])?, ("backup".to_owned(), straight), "{fault:?}");
        let error = ask(&[&proxy.url()]).unwrap_err();
        let error = error.downcast_ref::<Error>().expect("an error of ours");
        assert_eq!((error.code(), error.exit() as i32), (Code::Unreachable, 75), "{fault:?}: {error}");
    }
    Ok(())
}

#[test]
fn what_an_endpoint_lacks_is_named_with_the_fix() -> Done {
    let world = World::small(NODE)?;
    let by_hash: fn(&Value) -> bool = |call| call["params"][1].is_object();
    let rows: &[(Rule, &str, &str)] = &[
        (
            Rule::new(rpc(
                -32602,
                "invalid argument 1: cannot unmarshal object into Go value of type string",
            ))
            .on(Matcher::Where(by_hash)),
            "does not take a block by its hash (EIP-1898): ",
            "takes EIP-1898 blocks",
        ),
        (
            Rule::new(Fault::Http(|_| {
                answer(308, "location: https://new.example:444/v2/SeCrEtKeY123\r\n", "")
            })),
            "HTTP 308 Permanent Redirect: it redirects to https://new.example:444, which is not followed",
            "write its new URL in evm.rpc_urls",
        ),
        (
            Rule::new(Fault::Custom(|call, _| json!({ "id": call["id"], "error": "plan has ended" })))
                .on_method("eth_call"),
            "eth_call: plan has ended",
            "evm.rpc_urls",
        ),
    ];
    for (rule, words, fix) in rows {
        let proxy = Proxy::start(world.node.url())?;
        proxy.fault(rule.clone());
        let asked =
            run(chain(&[&proxy.url()])?.view(At::Safe, async |view| supply(view, world.six.vault).await));
        let error = asked.unwrap_err();
        assert!(error.message().contains(words), "{error}");
        let text = format!("{error:?}");
        assert!(text.contains(fix) && !text.contains("SeCrEt") && !text.contains("/v2"), "{text}");
        assert_eq!(error.code(), Code::Rpc, "{error}");
    }
    Ok(())
}
