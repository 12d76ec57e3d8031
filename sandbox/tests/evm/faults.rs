//! Faults on order: each kind, in single requests and in batches.

use std::time::{Duration, Instant};

use poolctl_sandbox::fault::Fault;
use serde_json::{Value, json};

use super::wire::{account, call, error, exchange, post, request, start};

fn order(evm: &poolctl_sandbox::evm::Evm, kind: &str, value: Option<u64>) {
    let params = json!({"method": "eth_blockNumber", "kind": kind, "times": 1, "value": value});
    call(evm, "sandbox_fault", params);
}

#[test]
fn each_kind_spoils_one_request() {
    let evm = start();
    let url = evm.url();
    let body = request("eth_blockNumber", &json!([])).to_string();
    let batch =
        json!([request("eth_chainId", &json!([])), request("eth_blockNumber", &json!([]))]).to_string();
    for body in [&body, &batch] {
        for (kind, status) in [("http_429", 429), ("http_500", 500), ("http_502", 502)] {
            order(&evm, kind, None);
            assert_eq!(post(&url, body).unwrap().status, status, "{kind}");
        }
        for kind in ["drop_before", "drop_after"] {
            order(&evm, kind, None);
            assert!(post(&url, body).is_none(), "{kind}");
        }
        order(&evm, "html", None);
        assert!(post(&url, body).unwrap().body.starts_with("<!DOCTYPE html>"));
        order(&evm, "truncated", None);
        assert!(!post(&url, body).unwrap().is_whole);
        order(&evm, "bad_json", None);
        assert!(serde_json::from_str::<Value>(&post(&url, body).unwrap().body).is_err());
        order(&evm, "delay", Some(60));
        let start = Instant::now();
        assert_eq!(post(&url, body).unwrap().status, 200);
        assert!(start.elapsed() >= Duration::from_millis(60));
        assert!(post(&url, body).unwrap().is_whole, "once only");
    }
}

#[test]
fn a_transaction_may_be_taken_without_an_answer_or_not_at_all() {
    let evm = start();
    let send = |nonce: u64| {
        let tx = json!([{"from": account(1), "to": account(2), "nonce": format!("{nonce:#x}")}]);
        post(&evm.url(), &request("eth_sendTransaction", &tx).to_string())
    };
    evm.fault("eth_sendTransaction", Fault::DropBefore, 1);
    assert!(send(0).is_none());
    assert_eq!(evm.head().unwrap().number, 0);
    evm.fault("eth_sendTransaction", Fault::DropAfter, 1);
    assert!(send(0).is_none());
    assert_eq!(evm.head().unwrap().number, 1);
    assert_eq!(call(&evm, "eth_getTransactionCount", json!([account(1)])), "0x1");
}

#[test]
fn a_reorg_comes_just_before_the_answer_and_once_in_a_batch() {
    let evm = start();
    evm.mine(5).unwrap();
    let pin = evm.head().unwrap();
    let fourth = call(&evm, "eth_getBlockByNumber", json!(["0x4", false]))["hash"].clone();
    let at = json!([{"to": account(1)}, {"blockHash": pin.hash, "requireCanonical": true}]);
    assert_eq!(call(&evm, "eth_call", at.clone()), "0x");
    call(&evm, "sandbox_fault", json!({"method": "eth_call", "kind": "reorg", "value": 1}));
    let batch = json!([
        request("eth_getBlockByHash", &json!([pin.hash, false])),
        request("eth_call", &at),
        request("eth_call", &at),
    ]);
    let answers = exchange(&evm.url(), &batch);
    assert!(answers[0]["result"].is_object(), "asked before");
    for answer in [&answers[1], &answers[2]] {
        assert_eq!(answer["error"]["message"], "Resource not found");
    }
    let head = evm.head().unwrap();
    assert_eq!(head.number, 5);
    assert_ne!(head.hash, pin.hash);
    assert_eq!(call(&evm, "eth_getBlockByNumber", json!(["0x4", false]))["hash"], fourth, "one block deep");
}

#[test]
fn a_node_may_lag_behind() {
    let evm = start();
    evm.mine(9).unwrap();
    let sent = call(
        &evm,
        "eth_sendTransactionSync",
        json!([{"from": account(1), "to": account(2), "value": "0x1"}]),
    );
    let stale = |method: &str, params: Value| {
        evm.fault(method, Fault::StaleLedger(3), 1);
        call(&evm, method, params)
    };
    assert_eq!(stale("eth_blockNumber", json!([])), "0x7");
    assert_eq!(stale("eth_getBlockByNumber", json!(["latest", false]))["number"], "0x7");
    assert_eq!(stale("eth_getBlockByHash", json!([sent["blockHash"], false])), Value::Null);
    assert_eq!(stale("eth_getTransactionReceipt", json!([sent["transactionHash"]])), Value::Null);
    assert_eq!(stale("eth_getTransactionCount", json!([account(1), "latest"])), "0x0");
    evm.fault("eth_getBalance", Fault::StaleLedger(3), 1);
    assert_eq!(error(&evm, "eth_getBalance", json!([account(1), sent["blockHash"]])).0, -32001);
    assert_eq!(call(&evm, "eth_blockNumber", json!([])), "0xa");
    evm.fault("*", Fault::Http(500), 9);
    call(&evm, "sandbox_clearFaults", json!({}));
    assert_eq!(call(&evm, "eth_blockNumber", json!([])), "0xa");
}

#[test]
fn a_network_that_stops_answers_nobody() {
    use std::io::{Read, Write};
    let evm = start();
    let address = evm.url().replace("http://", "");
    let mut stream = std::net::TcpStream::connect(&address).unwrap();
    let body = request("eth_chainId", &json!([])).to_string();
    let message = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(message.as_bytes()).unwrap();
    let mut buffer = [0; 1024];
    assert!(stream.read(&mut buffer).unwrap() > 0);
    drop(evm);
    // The connection is kept alive by the client, and of no use.
    let _ = stream.write_all(message.as_bytes());
    assert!(matches!(stream.read(&mut buffer), Ok(0) | Err(_)));
    assert!(std::net::TcpStream::connect(address).is_err());
}
