//! A network that has gone on to a newer protocol: what is understood still, and how the rest is named.

use crate::support::*;
use base::{Code, Error, Result};
use poolctl_testkit::proxy::Rewrite;
use poolctl_testkit::{Fault, Proxy, Rule};
use serde_json::{Value, json};
use stellar::xdr::{LedgerKey, LedgerKeyAccount};
use stellar::{Client, LedgerPace, PROTOCOL};

/// XDR with an arm that nobody knows.
const ODD: &str = "AAAAYwAAAAA=";

/// Every answer that names a protocol names the next one.
fn next(_: &Value, mut answer: Value) -> Value {
    if let Some(named) = answer["result"].get_mut("protocolVersion") {
        *named = json!(PROTOCOL + 1);
    }
    answer
}

fn odd_entries(_: &Value, mut answer: Value) -> Value {
    for entry in answer["result"]["entries"].as_array_mut().unwrap() {
        entry["xdr"] = json!(ODD);
    }
    answer
}

fn odd_meta(_: &Value, mut answer: Value) -> Value {
    if answer["result"]["status"] == "SUCCESS" {
        answer["result"]["resultMetaXdr"] = json!(ODD);
    }
    answer
}

fn odd_meta_alone(request: &Value, answer: Value) -> Value {
    let mut answer = odd_meta(request, answer);
    answer["result"].as_object_mut().unwrap().remove("events");
    answer
}

fn spoil(bench: &Bench, faults: &[(&str, Rewrite)]) -> Proxy {
    let proxy = Proxy::start(&bench.url).unwrap();
    for (method, rewrite) in faults {
        proxy.fault(Rule::new(Fault::Custom(*rewrite)).on_method(method));
    }
    proxy
}

const NEWER: [(&str, Rewrite); 2] = [("getLatestLedger", next), ("getNetwork", next)];

fn read(client: &Client) -> Result<usize> {
    let key = LedgerKey::Account(LedgerKeyAccount { account_id: id("ada") });
    run(client.view(async |view| Ok(view.entries([key.clone()]).await?.found.len())))
}

fn is_newer(error: &Error, field: &str) {
    assert_eq!((error.code(), error.exit() as i32), (Code::NewerProtocol, 1), "{error}");
    let words = format!("the network is at protocol {}, this build knows {PROTOCOL}", PROTOCOL + 1);
    assert!(error.message().contains(&words) && error.message().contains(field), "{error}");
    assert_eq!(error.remedy().unwrap().to_string(), "update poolctl");
}

#[test]
fn a_header_of_a_newer_form_stops_nothing() {
    let bench = Bench::still();
    bench.fund("ada", XLM);
    let header: Rewrite = |_, mut answer| {
        answer["result"]["headerXdr"] = json!(ODD);
        answer["result"]["metadataXdr"] = json!(ODD);
        answer
    };
    let proxy = spoil(&bench, &[NEWER[0], NEWER[1], ("getLatestLedger", header)]);
    let client = client(&[&proxy.url()]);
    assert_eq!(read(&client).unwrap(), 1);
    assert_eq!(client.protocol(), Some(PROTOCOL + 1));
    let seen = client.seen().unwrap();
    assert_eq!((seen.sequence, seen.close_time), bench.network.latest().unwrap());
    // Where the header alone tells the time, it is named.
    let timeless: Rewrite = |_, mut answer| {
        answer["result"].as_object_mut().unwrap().remove("closeTime");
        answer
    };
    let proxy =
        spoil(&bench, &[NEWER[0], NEWER[1], ("getLatestLedger", header), ("getLatestLedger", timeless)]);
    is_newer(
        &read(&super::support::client(&[&proxy.url()])).unwrap_err(),
        "getLatestLedger: field headerXdr",
    );
}

#[test]
fn an_entry_that_cannot_be_decoded_is_never_absent() {
    let bench = Bench::still();
    bench.fund("ada", XLM);
    let spoilt = ("getLedgerEntries", odd_entries as Rewrite);
    let newer = spoil(&bench, &[NEWER[0], NEWER[1], spoilt]);
    is_newer(&read(&client(&[&newer.url()])).unwrap_err(), "getLedgerEntries: field xdr");
    // At a protocol that is known, it is a spoilt answer.
    let same = spoil(&bench, &[spoilt]);
    let error = read(&client(&[&same.url()])).unwrap_err();
    assert_eq!((error.code(), error.exit() as i32), (Code::BadReply, 75), "{error}");
    // Another endpoint may still show it as it was.
    let both = client(&[&newer.url(), &bench.url]);
    assert_eq!(read(&both).unwrap(), 1);
    let warnings = both.take_warnings();
    assert!(warnings[0].contains("update") || warnings[0].contains("protocol"), "{warnings:?}");
    // An answer whose fields are wrong is that at any protocol.
    let fields: Rewrite = |_, mut answer| {
        answer["result"]["latestLedger"] = json!("x");
        answer
    };
    let wrong = spoil(&bench, &[NEWER[0], NEWER[1], ("getLedgerEntries", fields)]);
    assert_eq!(read(&client(&[&wrong.url()])).unwrap_err().code(), Code::BadReply);
}

#[test]
fn what_a_transaction_changed_falls_back_on_its_events() {
    let bench = Bench::ticking();
    bench.farmer("ada", 1_000);
    let proxy = spoil(&bench, &[NEWER[0], NEWER[1], ("getTransaction", odd_meta)]);
    let newer = client(&[&proxy.url()]);
    let done = bench.seat().submit(&newer, &[bench.plant("ada", 300)], &options());
    let effect = confirmed(&done[0]).effect.clone();
    assert_eq!(effect.newer.map(|newer| newer.network), Some(PROTOCOL + 1));
    assert_eq!(effect.value, None);
    let hash = confirmed(&done[0]).hash.clone().unwrap();
    let lookup = |client: &Client| {
        let asked = run(client.view(async |view| view.transactions(std::slice::from_ref(&hash)).await));
        asked.map(|mut lookups| lookups.remove(0).unwrap().found.unwrap())
    };
    let whole = lookup(&bench.client()).unwrap();
    assert!(whole.newer.is_none() && !whole.events.is_empty());
    assert_eq!((&whole.events, whole.result.fee_charged), (&effect.events, effect.fee_charged));
    // Without them, or at a protocol that is known, nothing is made up.
    let bare = spoil(&bench, &[NEWER[0], NEWER[1], ("getTransaction", odd_meta_alone)]);
    is_newer(&lookup(&client(&[&bare.url()])).unwrap_err(), "getTransaction: field resultMetaXdr");
    let same = spoil(&bench, &[("getTransaction", odd_meta)]);
    assert_eq!(lookup(&client(&[&same.url()])).unwrap_err().code(), Code::BadReply);
}

#[test]
fn the_pace_is_measured_between_two_ledgers() {
    let bench = Bench::still();
    let measure = |client: &Client| run(client.view(async |view| view.pace().await)).unwrap();
    assert_eq!(measure(&bench.client()), LedgerPace::default(), "too few ledgers");
    let fast: Rewrite = |_, mut answer| {
        let result = &mut answer["result"];
        result["oldestLedger"] = json!(result["latestLedger"].as_u64().unwrap() - 800);
        let time: u64 = result["latestLedgerCloseTime"].as_str().unwrap().parse().unwrap();
        result["oldestLedgerCloseTime"] = json!((time - 2_000).to_string());
        answer
    };
    let proxy = spoil(&bench, &[("getTransaction", fast)]);
    assert_eq!(measure(&client(&[&proxy.url()])).ledgers_in(86_400), 34_560);
}

#[test]
fn an_endpoint_that_goes_on_failing_is_told_once() {
    let bench = Bench::still();
    bench.fund("ada", XLM);
    let (dead, other) = (Proxy::start(&bench.url).unwrap(), Proxy::start(&bench.url).unwrap());
    dead.fault(Rule::new(Fault::Refuse));
    // Once both have failed, the dead one is asked first again and again.
    other.fault(Rule::new(Fault::ResultNull).on_method("getLedgerEntries").times(1));
    let both = client(&[&dead.url(), &other.url()]);
    read(&both).unwrap_err();
    for _ in 0..3 {
        assert_eq!(read(&both).unwrap(), 1);
    }
    let told = both.take_warnings();
    let [line] = told.as_slice() else { panic!("{told:?}") };
    assert!(line.starts_with("endpoint \"one\": ") && line.ends_with("took over (3 more times)"), "{line}");
    assert_eq!(read(&both).unwrap(), 1);
    assert_eq!(both.take_warnings(), ["endpoint \"one\" failed 1 more time: unreachable"]);
}
