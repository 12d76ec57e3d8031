//! Endpoints that are wrong, behind or dead: who is asked, what is refused, and how few requests it takes.

use crate::support::*;
use base::Code;
use poolctl_sandbox::fault::Fault;
use poolctl_sandbox::stellar::{Stellar, StellarOptions};
use poolctl_testkit::Proxy;
use serde_json::Value;
use stellar::Client;
use stellar::xdr::{LedgerKey, LedgerKeyAccount};

fn sequence(client: &Client) -> base::Result<u32> {
    run(client.view(async |view| Ok(view.ledger().sequence)))
}

fn account(name: &str) -> LedgerKey {
    LedgerKey::Account(LedgerKeyAccount { account_id: id(name) })
}

#[test]
fn opening_is_one_request_and_reading_the_second() {
    let bench = Bench::still();
    bench.fund("ada", XLM);
    let client = bench.client();
    let read = |client: &Client| {
        run(client.view(async |view| view.entries([account("ada"), account("bob")]).await)).unwrap()
    };
    let entries = read(&client);
    assert_eq!(client.requests(), 2);
    assert_eq!((entries.found.len(), entries.ledger), (1, bench.network.latest().unwrap().0));
    read(&client);
    assert_eq!(client.requests(), 4);
}

#[test]
fn batches_can_be_turned_off() {
    let bench = Bench::still();
    let proxy = Proxy::start(&bench.url).unwrap();
    let mut config = config(&[&proxy.url()]);
    config.batch = 1;
    let client = Client::new(config).unwrap();
    assert_eq!(sequence(&client).unwrap(), bench.network.latest().unwrap().0);
    assert_eq!(proxy.http_count(), 2);
    assert!(proxy.requests().iter().all(Value::is_object));
}

#[test]
fn a_foreign_network_is_asked_for_nothing_more() {
    let bench = Bench::still();
    let foreign = Stellar::start(&StellarOptions {
        passphrase: "Test SDF Network ; September 2015".into(),
        ..StellarOptions::default()
    })
    .unwrap();
    let proxy = Proxy::start(&foreign.url()).unwrap();
    let error = sequence(&client(&[&proxy.url()])).unwrap_err();
    assert_eq!((error.code(), error.exit() as i32), (Code::WrongNetwork, 4));
    assert_eq!(
        error.message(),
        "endpoint \"one\": it serves the network \"Test SDF Network ; September 2015\""
    );
    assert!(error.remedy().unwrap().to_string().contains("Standalone Network ; February 2017"));
    // With another endpoint the work goes on there, and the foreign one is told of.
    let both = client(&[&proxy.url(), &bench.url]);
    let at = run(both.view(async |view| Ok(view.endpoint().to_owned()))).unwrap();
    assert_eq!(at, "two");
    assert!(both.take_warnings()[0].ends_with("\"two\" took over"));
    let methods = proxy.methods();
    assert!(methods.iter().all(|m| m == "getNetwork" || m == "getLatestLedger"), "{methods:?}");
}

#[test]
fn a_dead_endpoint_is_passed_over_and_rests() {
    let bench = Bench::still();
    let client = client(&[NOWHERE[0], &bench.url]);
    for _ in 0..2 {
        assert_eq!(sequence(&client).unwrap(), bench.network.latest().unwrap().0);
    }
    let warnings = client.take_warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("endpoint \"one\": cannot connect"), "{warnings:?}");
    assert!(!warnings[0].contains("SeCrEt"), "{warnings:?}");
    let error = sequence(&crate::support::client(&NOWHERE)).unwrap_err();
    assert_eq!((error.code(), error.exit() as i32), (Code::Unreachable, 75));
    let shown = format!("{error} {:?} {:?}", error.remedy(), error.details());
    assert!(shown.contains("\"one\"") && shown.contains("\"two\"") && !shown.contains("SeCrEt"), "{shown}");
}

#[test]
fn an_endpoint_behind_what_was_seen_is_not_believed() {
    let bench = Bench::still();
    bench.network.advance(10).unwrap();
    let (newest, _) = bench.network.latest().unwrap();
    // Alone: asked again, and then an error.
    let alone = bench.client();
    assert_eq!(sequence(&alone).unwrap(), newest);
    bench.network.fault("getLatestLedger", Fault::StaleLedger(3), 2);
    assert_eq!(sequence(&alone).unwrap(), newest, "a server that catches up is asked again");
    bench.network.fault("getLatestLedger", Fault::StaleLedger(3), 3);
    let error = sequence(&alone).unwrap_err();
    assert_eq!((error.code(), error.exit() as i32), (Code::Behind, 75));
    // A read is no better than the ledger it is from.
    bench.network.fault("getLedgerEntries", Fault::StaleLedger(3), 3);
    let error = run(alone.view(async |view| view.entries([account("ada")]).await)).unwrap_err();
    assert_eq!(error.code(), Code::Behind);
    // With another: it takes over, and the body starts anew.
    let (one, other) = (Proxy::start(&bench.url).unwrap(), Proxy::start(&bench.url).unwrap());
    let both = client(&[&one.url(), &other.url()]);
    assert_eq!(sequence(&both).unwrap(), newest);
    bench.network.fault("getLedgerEntries", Fault::StaleLedger(3), 3);
    let mut runs = 0;
    let at = run(both.view(async |view| {
        runs += 1;
        view.entries([account("ada")]).await?;
        Ok(view.endpoint().to_owned())
    }))
    .unwrap();
    assert_eq!((at.as_str(), runs), ("two", 2));
}

#[test]
fn a_refusal_of_one_question_breaks_nothing() {
    let bench = Bench::still();
    let client = client(&[&bench.url, NOWHERE[0]]);
    let code = run(client.view(async |view| {
        let query = stellar::EventQuery { start: Some(1), ..Default::default() };
        let error = view.events(&query).await.unwrap_err();
        view.health().await?;
        Ok(error.code())
    }))
    .unwrap();
    assert_eq!(code, Code::Rpc);
    assert!(client.take_warnings().is_empty());
}
