//! Answers that cannot be right: each is an error that names the endpoint, the method and the field, and no more.

use crate::support::*;
use base::{Code, Result};
use poolctl_sandbox::fault::Fault;
use poolctl_testkit::{Fault as Wire, Proxy, Rule};
use serde_json::{Value, json};
use stellar::xdr::{LedgerKey, LedgerKeyAccount};
use stellar::{Client, EventQuery};

/// Spoils an answer; gets the request and the answer.
type Spoil = fn(&Value, Value) -> Value;

async fn ask(client: &Client, method: &str, key: &LedgerKey) -> Result<()> {
    client
        .view(async |view| {
            match method {
                "getLatestLedger" => view.latest().await.map(|_| ())?,
                "getHealth" => view.health().await.map(|_| ())?,
                "getFeeStats" => view.fee_stats().await.map(|_| ())?,
                "getLedgerEntries" => view.entries([key.clone()]).await.map(|_| ())?,
                "getTransaction" => {
                    for lookup in view.transactions(&["00".repeat(32)]).await? {
                        lookup?;
                    }
                }
                "getEvents" => view.events(&EventQuery::default()).await.map(|_| ())?,
                "getNetwork" => {}
                other => panic!("{other}"),
            }
            Ok(())
        })
        .await
}

const METHODS: [&str; 7] = [
    "getNetwork",
    "getLatestLedger",
    "getHealth",
    "getFeeStats",
    "getLedgerEntries",
    "getTransaction",
    "getEvents",
];

fn key() -> LedgerKey {
    LedgerKey::Account(LedgerKeyAccount { account_id: id("ada") })
}

#[test]
fn faults_of_the_transport_end_in_their_codes() {
    let bench = Bench::still();
    for method in METHODS {
        for (fault, code) in [
            (Fault::Http(429), Code::RateLimited),
            (Fault::Http(500), Code::Unreachable),
            (Fault::Http(502), Code::Unreachable),
            (Fault::Html, Code::Unreachable),
            (Fault::Truncated, Code::Unreachable),
            (Fault::BadJson, Code::Unreachable),
            (Fault::DropBefore, Code::Unreachable),
            (Fault::DropAfter, Code::Unreachable),
        ] {
            // A wait of a second, which 429 asks for, is for another test.
            let mut config = config(&[&bench.url]);
            config.retry.max_delay = std::time::Duration::from_millis(20);
            let client = Client::new(config).unwrap();
            bench.network.fault(method, fault.clone(), 3);
            let error = run(ask(&client, method, &key())).unwrap_err();
            bench.network.clear_faults();
            assert_eq!((error.code(), error.exit() as i32), (code, 75), "{method} {fault:?}: {error}");
            assert!(error.message().contains("\"one\""), "{error}");
            // What passes is asked again.
            if !matches!(fault, Fault::Http(429)) {
                bench.network.fault(method, fault.clone(), 2);
                run(ask(&bench.client(), method, &key())).unwrap();
            }
        }
    }
}

#[test]
fn values_that_do_not_decode_are_named() {
    let bench = Bench::still();
    bench.fund("ada", XLM);
    bench.network.fault("getLedgerEntries", Fault::BadXdr, 9);
    let error = run(ask(&bench.client(), "getLedgerEntries", &key())).unwrap_err();
    assert_eq!((error.code(), error.exit() as i32), (Code::BadReply, 75));
    assert!(
        error.message().starts_with("endpoint \"one\": bad answer to getLedgerEntries: field xdr: "),
        "{error}"
    );
    // A header is read only where there is no other word of the time.
    bench.network.fault("getLatestLedger", Fault::BadXdr, 9);
    run(ask(&bench.client(), "getLatestLedger", &key())).unwrap();
    let proxy = Proxy::start(&bench.url).unwrap();
    let timeless = Wire::Custom(|_, answer| without(answer, "closeTime"));
    proxy.fault(Rule::new(timeless).on_method("getLatestLedger"));
    bench.network.fault("getLatestLedger", Fault::BadXdr, 9);
    let error = run(ask(&client(&[&proxy.url()]), "getLatestLedger", &key())).unwrap_err();
    assert!(error.message().contains("bad answer to getLatestLedger: field headerXdr: "), "{error}");
}

#[test]
fn missing_and_strange_fields_are_named() {
    let bench = Bench::still();
    bench.fund("ada", XLM);
    let proxy = Proxy::start(&bench.url).unwrap();
    let cases: &[(&str, Spoil, &str)] = &[
        ("getNetwork", |_, _| json!({ "id": 1, "result": {} }), ""),
        ("getNetwork", |_, r| without(r, "passphrase"), "missing field `passphrase`"),
        ("getLatestLedger", |_, r| without(r, "sequence"), "missing field `sequence`"),
        (
            "getLatestLedger",
            |_, r| with(without(r, "closeTime"), "sequence", json!(7)),
            "field headerXdr: ledger ",
        ),
        (
            "getLatestLedger",
            |_, r| without(without(r, "headerXdr"), "closeTime"),
            "missing field `closeTime`",
        ),
        ("getLatestLedger", |_, r| with(r, "sequence", json!(-1)), "invalid value"),
        ("getHealth", |_, r| without(r, "oldestLedger"), "missing field `oldestLedger`"),
        ("getFeeStats", |_, r| without(r, "sorobanInclusionFee"), "missing field `sorobanInclusionFee`"),
        (
            "getFeeStats",
            |_, r| with(r, "inclusionFee", json!({ "p50": "1.5" })),
            "field p50: invalid whole number",
        ),
        ("getLedgerEntries", |_, r| with(r, "latestLedger", json!("x")), "invalid type"),
        (
            "getLedgerEntries",
            |_, r| {
                let entry = r["result"]["entries"][0].clone();
                with(r, "entries", json!([entry, entry]))
            },
            "field key: an entry that comes twice",
        ),
        (
            "getLedgerEntries",
            |_, mut r| {
                r["result"]["entries"][0]["key"] = json!("AAAA");
                r
            },
            "field key: an entry that was not asked for",
        ),
        ("getTransaction", |_, r| with(r, "status", json!("MAYBE")), "field status: not a known word"),
        ("getTransaction", |_, r| with(r, "status", json!("SUCCESS")), "missing field `ledger`"),
        (
            "getTransaction",
            |_, r| without(r, "latestLedgerCloseTime"),
            "missing field `latestLedgerCloseTime`",
        ),
        ("getEvents", |_, r| without(r, "cursor"), "missing field `cursor`"),
        ("getEvents", |_, r| with(r, "events", json!([{}])), "missing field `id`"),
        (
            "getHealth",
            |_, mut r| {
                r["result"] = json!([1, 2]);
                r
            },
            "invalid type: sequence, expected an object",
        ),
    ];
    for (method, spoil, why) in cases {
        proxy.heal();
        proxy.fault(Rule::new(Wire::Custom(*spoil)).on_method(method));
        let error = run(ask(&client(&[&proxy.url()]), method, &key())).unwrap_err();
        assert_eq!((error.code(), error.exit() as i32), (Code::BadReply, 75), "{method} {why}: {error}");
        assert!(
            error.message().contains("\"one\"") && error.message().contains(why),
            "{method} {why}: {error}"
        );
    }
}

fn with(mut response: Value, field: &str, value: Value) -> Value {
    response["result"][field] = value;
    response
}

fn without(mut response: Value, field: &str) -> Value {
    response["result"].as_object_mut().unwrap().remove(field);
    response
}

#[test]
fn older_servers_give_the_close_time_as_a_number() {
    let bench = Bench::still();
    let proxy = Proxy::start(&bench.url).unwrap();
    proxy.fault(
        Rule::new(Wire::Custom(|_, mut response| {
            let time: u64 = response["result"]["closeTime"].as_str().unwrap().parse().unwrap();
            response = without(response, "headerXdr");
            with(response, "closeTime", json!(time))
        }))
        .on_method("getLatestLedger"),
    );
    let ledger = run(client(&[&proxy.url()]).view(async |view| Ok(view.ledger()))).unwrap();
    assert_eq!((ledger.sequence, ledger.close_time), bench.network.latest().unwrap());
}
