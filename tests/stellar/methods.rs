//! Each method of the RPC, decoded from the embedded network.

use crate::support::*;
use stellar::xdr::{LedgerEntryData, LedgerKey, LedgerKeyAccount, Limits, ScSymbol, ScVal, WriteXdr};
use stellar::{EventQuery, Percentile};

#[test]
fn ledger_health_and_fees() {
    let bench = Bench::still();
    let (sequence, time) = bench.network.latest().unwrap();
    let client = bench.client();
    assert_eq!(client.seen(), None);
    let (ledger, health, fees) =
        run(client
            .view(async |view| Ok((view.latest().await?, view.health().await?, view.fee_stats().await?))))
        .unwrap();
    assert_eq!((ledger.sequence, ledger.close_time), (sequence, time));
    assert_eq!(client.seen(), Some(ledger));
    assert_eq!((health.status.as_str(), health.latest_ledger), ("healthy", sequence));
    assert_eq!(health.retention, sequence - health.oldest_ledger + 1);
    assert_eq!((fees.soroban.at(Percentile::P90), fees.classic.at(Percentile::Max)), (100, 100));
}

#[test]
fn entries_in_chunks_of_what_the_server_takes() {
    let bench = Bench::still();
    bench.fund("ada", 3 * XLM);
    let client = bench.client();
    let accounts = (0..450).map(|n| format!("nobody{n}")).chain(["ada".to_owned(), "ada".to_owned()]);
    let keys: Vec<_> =
        accounts.map(|name| LedgerKey::Account(LedgerKeyAccount { account_id: id(&name) })).collect();
    let entries = run(client.view(async |view| view.entries(keys.clone()).await)).unwrap();
    assert_eq!(client.requests(), 2, "three chunks in one HTTP request");
    let [(_, entry)] = entries.found.iter().collect::<Vec<_>>()[..] else { panic!() };
    let LedgerEntryData::Account(account) = &entry.data else { panic!() };
    assert_eq!((account.balance, entry.live_until), (3 * XLM, None));
    assert!(run(client.view(async |view| view.entries([]).await)).unwrap().found.is_empty());
}

#[test]
fn a_transaction_and_its_events() {
    let bench = Bench::ticking();
    bench.farmer("ada", 1_000);
    let client = bench.client();
    let done = bench.seat().submit(&client, &[bench.plant("ada", 300)], &options());
    let settled = confirmed(&done[0]);
    let (hash, ledger) = (settled.hash.clone().unwrap(), settled.effect.ledger.unwrap());
    let lookups =
        run(client.view(async |view| view.transactions(&[hash.clone(), "00".repeat(32)]).await)).unwrap();
    let (found, missing) = (lookups[0].as_ref().unwrap(), lookups[1].as_ref().unwrap());
    let landed = found.found.as_ref().unwrap();
    assert_eq!((landed.ledger, landed.succeeded, &landed.value), (ledger, true, &settled.effect.value));
    assert!(missing.found.is_none() && missing.oldest.close_time < missing.latest.close_time);
    assert!(missing.latest.sequence >= ledger.sequence);

    let burn = ScVal::Symbol(ScSymbol("burn".try_into().unwrap())).to_xdr_base64(Limits::none()).unwrap();
    let query = EventQuery {
        start: Some(1_000),
        contracts: vec![bench.farm.asset_contract.clone()],
        topics: vec![vec![burn, "**".to_owned()]],
        limit: 10,
        ..EventQuery::default()
    };
    let page = run(client.view(async |view| view.events(&query).await)).unwrap();
    let [event] = &page.events[..] else { panic!("{page:?}") };
    assert_eq!(
        (&event.tx_hash, event.ledger, &event.contract),
        (&hash, ledger.sequence, &bench.farm.asset_contract)
    );
    assert_eq!((&event.topics[1], &event.value), (&address("ada"), &amount(300)));
    let rest = EventQuery { cursor: Some(page.cursor), start: None, ..query };
    assert!(run(client.view(async |view| view.events(&rest).await)).unwrap().events.is_empty());
}
