//! The wire that records and misbehaves.

use anyhow::{Context as _, Result, ensure};
use poolctl_testkit::{
    Fault, MULTICALL3, Matcher, Node, NodeKind, NodeOptions, Proxy, Rpc, RpcError, Rule,
    abi::Vault,
    alloy::{primitives::Address, sol_types::SolCall as _},
};
use serde_json::{Value, json};
use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

fn node() -> Result<Node> {
    Node::start(NodeKind::Sandbox, &NodeOptions::default())
}

/// A proxy in front of a node, and a client of the proxy.
fn wire(node: &Node) -> Result<(Proxy, Rpc)> {
    let proxy = Proxy::start(node.url())?;
    let rpc = Rpc::new(&proxy.url())?;
    Ok((proxy, rpc))
}

fn request(method: &str, params: &Value, id: u64) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

#[test]
fn a_wire_records_what_it_passes_on() -> Result<()> {
    let node = node()?;
    let (proxy, rpc) = wire(&node)?;
    assert_eq!(rpc.call("eth_chainId", json!([]))?, "0x7a69");
    let batch = json!([request("eth_chainId", &json!([]), 8), request("eth_blockNumber", &json!([]), 9)]);
    let answer = rpc.post(&batch)?;
    assert_eq!(answer.as_array().map(Vec::len), Some(2));
    assert_eq!(proxy.http_count(), 2);
    assert_eq!(proxy.requests().get(1), Some(&batch));
    assert_eq!(proxy.methods(), ["eth_chainId", "eth_chainId", "eth_blockNumber"]);
    proxy.clear();
    assert_eq!(proxy.http_count(), 0);
    Ok(())
}

#[test]
fn a_wire_counts_when_a_fault_is_due() -> Result<()> {
    let node = node()?;
    let (proxy, rpc) = wire(&node)?;
    proxy.fault(Rule::new(Fault::ResultNull).on_method("eth_blockNumber").after(1).times(2));
    let ask = |method: &str| rpc.call(method, json!([])).map(|answer| answer.is_null());
    assert!(!ask("eth_blockNumber")?);
    assert!(!ask("eth_chainId")?);
    assert!(ask("eth_blockNumber")?);
    assert!(ask("eth_blockNumber")?);
    assert!(!ask("eth_blockNumber")?);
    proxy.fault(Rule::new(Fault::ChainId(1)));
    assert_eq!(rpc.call("eth_chainId", json!([]))?, "0x1");
    assert_eq!(rpc.call("eth_blockNumber", json!([]))?, "0x0");
    proxy.heal();
    assert_eq!(rpc.call("eth_chainId", json!([]))?, "0x7a69");

    // All that are due apply, in their order; what is the end of a request hides it from those after it.
    proxy.fault(Rule::new(Fault::Status(503, None)).times(1));
    proxy.fault(Rule::new(Fault::ChainId(1)).times(1));
    proxy.fault(Rule::new(Fault::Custom(|_, mut answer| {
        answer["result"] = json!([answer["result"]]);
        answer
    })));
    assert!(rpc.call("eth_chainId", json!([])).is_err());
    assert_eq!(rpc.call("eth_chainId", json!([]))?, json!(["0x1"]));
    assert_eq!(rpc.call("eth_chainId", json!([]))?, json!(["0x7a69"]));
    Ok(())
}

#[test]
fn a_wire_spoils_only_the_matching_calls_of_a_batch() -> Result<()> {
    let node = node()?;
    let (proxy, rpc) = wire(&node)?;
    proxy.fault(Rule::new(Fault::ChainId(1)).on_method("eth_chainId"));
    let batch = json!([request("eth_blockNumber", &json!([]), 8), request("eth_chainId", &json!([]), 9)]);
    let mut results = rpc.post(&batch)?.as_array().context("a batch")?.clone();
    results.sort_by_key(|answer| answer["id"].as_u64());
    assert_eq!((&results[0]["result"], &results[1]["result"]), (&json!("0x0"), &json!("0x1")));

    proxy.heal();
    let call = |data: &str| rpc.call("eth_call", json!([{"to": Address::ZERO, "data": data}, "latest"]));
    let selector = Vault::totalAssetsCall::SELECTOR;
    proxy.fault(
        Rule::new(Fault::RpcError { code: -32005, message: "limit".into(), data: json!("0x01") })
            .on(Matcher::Selector(selector)),
    );
    let failed = call("0xffff01e1d11400").err().context("must fail")?;
    let error = failed.downcast_ref::<RpcError>().context("not the node's error")?;
    assert_eq!(*error, RpcError { code: -32005, message: "limit".into(), data: json!("0x01") });
    assert_eq!(call("0x01")?, "0x");

    proxy.heal();
    proxy.fault(Rule::new(Fault::EmptyCall));
    let data = "0x4d2301cc000000000000000000000000ca11bde05977b3631167028862be2a173976ca11";
    assert_eq!(rpc.call("eth_call", json!([{"to": MULTICALL3, "data": data}, "latest"]))?, "0x");

    proxy.heal();
    proxy
        .fault(Rule::new(Fault::Custom(|request, response| json!({"id": 1, "result": [request, response]}))));
    assert_eq!(rpc.call("eth_chainId", json!([]))?[1]["result"], "0x7a69");
    Ok(())
}

#[test]
fn a_wire_breaks_in_every_way() -> Result<()> {
    let node = node()?;
    let (proxy, rpc) = wire(&node)?;
    // The client opens a new connection for each case, else it would try a refused request twice.
    let failure = |fault| -> Result<String> {
        proxy.heal();
        proxy.fault(Rule::new(fault));
        proxy.clear();
        let failed = Rpc::new(&proxy.url())?.call("eth_chainId", json!([]));
        ensure!(proxy.http_count() == 1, "{} requests", proxy.http_count());
        Ok(format!("{:#}", failed.err().context("must fail")?))
    };
    let contains = |fault, part: &str| -> Result<()> {
        let said = failure(fault)?;
        ensure!(said.contains(part), "{said}");
        Ok(())
    };
    contains(Fault::Refuse, "closed without an answer")?;
    contains(Fault::Status(429, Some(7)), "HTTP/1.1 429")?;
    contains(Fault::Status(503, None), "HTTP/1.1 503")?;
    contains(Fault::Html, "no JSON")?;
    contains(Fault::Truncated, "failed to fill whole buffer")?;
    contains(Fault::CutJson, "EOF while parsing")?;

    proxy.heal();
    let pause = Duration::from_millis(50);
    proxy.fault(Rule::new(Fault::Delay(pause)).times(1));
    let start = Instant::now();
    rpc.call("eth_chainId", json!([]))?;
    assert!(start.elapsed() >= pause);

    contains(Fault::DieForever, "closed without an answer")?;
    // The listener goes in a moment; until then connections are taken and closed.
    let end = Instant::now() + Duration::from_secs(5);
    let address = proxy.url().replace("http://", "");
    while TcpStream::connect(&address).is_ok() {
        ensure!(Instant::now() < end, "still listening");
        std::thread::yield_now();
    }
    assert!(rpc.call("eth_chainId", json!([])).is_err());
    Ok(())
}

#[test]
fn a_wire_says_when_nobody_is_behind_it() -> Result<()> {
    let node = node()?;
    let (_proxy, rpc) = wire(&node)?;
    rpc.call("eth_chainId", json!([]))?;
    drop(node);
    let failed = rpc.call("eth_chainId", json!([])).err().context("must fail")?;
    assert!(format!("{failed:#}").contains("HTTP/1.1 502"), "{failed:#}");
    Ok(())
}
