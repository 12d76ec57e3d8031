//! Every kind of fault, as a client meets it, and that it ends after the times that were ordered.

mod kit;

use std::time::{Duration, Instant};

use kit::{Bench, payment, result};
use poolctl_sandbox::fault::Fault;
use poolctl_sandbox::stellar::{Stellar, StellarOptions};
use poolctl_testkit::once::{post, request};
use serde_json::{Value, json};
use stellar_xdr::*;

fn order(bench: &Bench, method: &str, kind: &str, value: Option<u64>) {
    bench.call("sandbox_fault", &json!({ "method": method, "kind": kind, "times": 1, "value": value }));
}

#[test]
fn faults_of_the_transport() {
    let bench = Bench::new();
    let health = request("getHealth", &Value::Null).to_string();
    let fetch = || post(&bench.url, &health);
    let is_well = || {
        let answer = fetch().unwrap();
        assert!(
            answer.is_whole && answer.status == 200 && answer.body.contains("\"healthy\""),
            "{}",
            answer.body
        );
    };
    order(&bench, "getHealth", "delay", Some(300));
    let start = Instant::now();
    is_well();
    assert!(start.elapsed() >= Duration::from_millis(300));
    order(&bench, "getHealth", "drop_before", None);
    assert!(fetch().is_none());
    is_well();
    order(&bench, "getHealth", "drop_after", None);
    assert!(fetch().is_none());
    for status in [429, 500, 502] {
        order(&bench, "getHealth", &format!("http_{status}"), None);
        assert_eq!(fetch().unwrap().status, status);
    }
    order(&bench, "getHealth", "html", None);
    assert!(fetch().unwrap().body.starts_with("<!DOCTYPE html>"));
    order(&bench, "getHealth", "truncated", None);
    assert!(!fetch().unwrap().is_whole);
    order(&bench, "getHealth", "bad_json", None);
    assert!(serde_json::from_str::<Value>(&fetch().unwrap().body).is_err());
    is_well();
    // Any method, several times, and cleared.
    bench.network.fault("*", Fault::Http(500), 5);
    assert_eq!(fetch().unwrap().status, 500);
    bench.call("sandbox_clearFaults", &Value::Null);
    is_well();
    let unknown =
        kit::reply(&bench.url, "sandbox_fault", &json!({ "method": "getHealth", "kind": "gremlin" }));
    assert_eq!(unknown["error"]["code"], -32602);
    assert!(unknown["error"]["message"].as_str().unwrap().contains("stale_ledger"));
    let reorg = kit::reply(&bench.url, "sandbox_fault", &json!({ "method": "getHealth", "kind": "reorg" }));
    assert_eq!(reorg["error"]["code"], -32602);
}

#[test]
fn drop_after_acceptance_still_lands() {
    let bench = Bench::new();
    let (ada, bob) = (bench.account("ada"), bench.account("bob"));
    let envelope = bench.classic(&ada, vec![payment(&bob, Asset::Native, 1)]);
    order(&bench, "sendTransaction", "drop_after", None);
    let body = request("sendTransaction", &json!({ "transaction": kit::encode(&envelope) })).to_string();
    assert!(post(&bench.url, &body).is_none());
    assert_eq!(bench.send(&envelope)["status"], "DUPLICATE");
    bench.network.advance(1).unwrap();
    assert_eq!(bench.get(&envelope)["status"], "SUCCESS");
}

#[test]
fn drop_before_leaves_nothing() {
    let bench = Bench::new();
    let (ada, bob) = (bench.account("ada"), bench.account("bob"));
    let envelope = bench.classic(&ada, vec![payment(&bob, Asset::Native, 1)]);
    order(&bench, "sendTransaction", "drop_before", None);
    let body = request("sendTransaction", &json!({ "transaction": kit::encode(&envelope) })).to_string();
    assert!(post(&bench.url, &body).is_none());
    assert_eq!(bench.send(&envelope)["status"], "PENDING");
}

#[test]
fn try_again_later_takes_nothing_in() {
    let bench = Bench::new();
    let (ada, bob) = (bench.account("ada"), bench.account("bob"));
    let envelope = bench.classic(&ada, vec![payment(&bob, Asset::Native, 1)]);
    order(&bench, "sendTransaction", "try_again_later", None);
    assert_eq!(bench.send(&envelope)["status"], "TRY_AGAIN_LATER");
    assert_eq!(bench.send(&envelope)["status"], "PENDING");
}

#[test]
fn bad_sequence_after_confirm() {
    let bench = Bench::new();
    let (ada, bob) = (bench.account("ada"), bench.account("bob"));
    let envelope = bench.classic(&ada, vec![payment(&bob, Asset::Native, 1)]);
    order(&bench, "sendTransaction", "bad_sequence_after_confirm", None);
    let sent = bench.send(&envelope);
    assert_eq!(sent["status"], "ERROR");
    assert_eq!(result(&sent).result, TransactionResultResult::TxBadSeq);
    assert_eq!(bench.get(&envelope)["status"], "SUCCESS", "it is in a ledger all the same");
}

#[test]
fn stale_ledger_answers_from_the_past() {
    let bench = Bench::new();
    let (ada, bob) = (bench.account("ada"), bench.account("bob"));
    let (latest, _) = bench.network.latest().unwrap();
    let old = bench.balance(&ada);
    let envelope = bench.classic(&ada, vec![payment(&bob, Asset::Native, 1)]);
    bench.land(&envelope);
    bench.network.advance(2).unwrap();
    order(&bench, "getLatestLedger", "stale_ledger", Some(3));
    assert_eq!(bench.call("getLatestLedger", &Value::Null)["sequence"], latest);
    assert_eq!(bench.call("getLatestLedger", &Value::Null)["sequence"], latest + 3);
    order(&bench, "getTransaction", "stale_ledger", Some(3));
    let stale = bench.get(&envelope);
    assert_eq!((&stale["status"], &stale["latestLedger"]), (&json!("NOT_FOUND"), &json!(latest)));
    assert_eq!(bench.get(&envelope)["status"], "SUCCESS");
    order(&bench, "getLedgerEntries", "stale_ledger", Some(3));
    assert_eq!(bench.balance(&ada), old);
    assert_eq!(bench.balance(&ada), old - 101);
}

#[test]
fn bad_xdr_decodes_to_nothing() {
    let bench = Bench::new();
    let farmer = bench.farmer("ada", 0);
    order(&bench, "simulateTransaction", "bad_xdr", None);
    let simulated = bench.simulate(&bench.invocation(&farmer, "plant", vec![farmer.sc(), kit::amount(0)]));
    let data = simulated["transactionData"].as_str().unwrap();
    assert!(SorobanTransactionData::from_xdr_base64(data, Limits::none()).is_err());
    order(&bench, "getLatestLedger", "bad_xdr", None);
    let latest = bench.call("getLatestLedger", &Value::Null);
    assert!(LedgerHeader::from_xdr_base64(latest["headerXdr"].as_str().unwrap(), Limits::none()).is_err());
}

#[test]
fn control_over_http() {
    let bench = Bench::new();
    let (sequence, time) = bench.network.latest().unwrap();
    let advanced = bench.call("sandbox_advance", &json!({ "ledgers": 3, "seconds": 100 }));
    assert_eq!(advanced, json!({ "sequence": sequence + 3, "closeTime": (time + 100).to_string() }));
    let advanced = bench.call("sandbox_advance", &json!({ "seconds": 12 }));
    assert_eq!(advanced, json!({ "sequence": sequence + 5, "closeTime": (time + 112).to_string() }));
    let advanced = bench.call("sandbox_advance", &Value::Null);
    assert_eq!(advanced, json!({ "sequence": sequence + 6, "closeTime": (time + 117).to_string() }));
    let key = kit::Key::named("new");
    bench.call("sandbox_fund", &json!({ "account": key.address(), "stroops": "25000000" }));
    assert_eq!(bench.balance(&key), 25_000_000);
    bench.call("sandbox_fund", &json!({ "account": key.address(), "stroops": 1 }));
    assert_eq!(bench.balance(&key), 25_000_001);
    let untrusted = kit::reply(&bench.url, "sandbox_fund", &json!({ "account": key.address(), "kale": 1 }));
    assert!(untrusted["error"]["message"].as_str().unwrap().contains("no trustline"), "{untrusted}");
    assert_eq!(kit::reply(&bench.url, "sandbox_fund", &json!({ "account": "G" }))["error"]["code"], -32602);
}

#[test]
fn ledgers_close_on_a_tick_and_the_clock_starts_in_the_past() {
    let options = StellarOptions {
        tick: Some(Duration::from_millis(20)),
        ledger_seconds: 60,
        ..StellarOptions::default()
    };
    let network = Stellar::start(&options).unwrap();
    let (first, time) = network.latest().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(time + 14 * 86_400 < now);
    let deadline = Instant::now() + Duration::from_secs(10);
    while network.latest().unwrap().0 < first + 3 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    let (later, later_time) = network.latest().unwrap();
    assert!(later >= first + 3);
    assert_eq!(later_time - time, 60 * u64::from(later - first));
}

#[test]
fn a_ticking_chain_does_not_overtake_the_wall_clock() {
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let options = StellarOptions {
        tick: Some(Duration::from_millis(5)),
        ledger_seconds: 60,
        start_time: Some(now() - 100),
        ..StellarOptions::default()
    };
    let network = Stellar::start(&options).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while network.latest().unwrap().0 < options.first_ledger + 10 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    let (sequence, time) = network.latest().unwrap();
    assert!(sequence >= options.first_ledger + 10);
    assert!(time <= now());
}
