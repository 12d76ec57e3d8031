//! Transactions that go as they should: every kind, alone and many at once.

use crate::support::*;
use base::{Code, Stop};
use outbox::{Status, submit};
use stellar::Action;
use stellar::submit::{SubmitOptions, Submitted, rehearse};
use stellar::xdr::{LedgerKey, LedgerKeyTrustLine, ScVal, TrustLineAsset};

#[test]
fn a_payment_is_made_once() {
    let bench = Bench::ticking();
    bench.fund("ada", 100 * XLM);
    bench.fund("bob", 100 * XLM);
    let client = bench.client();
    let mut seat = bench.seat();
    let pay = pay("pay:1", "ada", "bob", 7 * XLM);
    let done = seat.submit(&client, std::slice::from_ref(&pay), &options());
    let settled = confirmed(&done[0]);
    assert_eq!(settled.effect.fee_charged, 100);
    assert!(settled.effect.ledger.unwrap().close_time > 0 && settled.hash.as_ref().unwrap().len() == 64);
    assert_eq!((bench.balance("ada"), bench.balance("bob")), (93 * XLM - 100, 107 * XLM));
    assert_eq!(seat.operations(), ["pay:1 recorded 1 1"]);
    let requests = client.requests();
    let again = seat.submit(&client, &[pay], &options());
    assert!(matches!(again[0], Ok(Submitted::AlreadyDone { .. })), "{again:?}");
    assert_eq!(client.requests(), requests, "nothing is asked for what is done");
    assert!(seat.settle(&client, &options(), true).is_empty());
    assert_eq!(client.requests(), requests, "nor where nothing is unfinished");
    assert_eq!(bench.balance("bob"), 107 * XLM);
    let sends: i64 = seat.value("SELECT sends FROM operation_attempts");
    assert_eq!(sends, 1);
    let chain: bool = state::verify_chain(seat.state.conn()).unwrap().broken.is_none();
    assert!(chain);
}

#[test]
fn a_contract_call_gives_its_value_and_events() {
    let bench = Bench::ticking();
    bench.farmer("ada", 1_000);
    let client = bench.client();
    let done = bench.seat().submit(&client, &[bench.plant("ada", 400)], &options());
    let settled = confirmed(&done[0]);
    assert_eq!(settled.effect.value, Some(ScVal::Void));
    let burned: Vec<_> = settled.effect.events.iter().filter_map(|e| e.contract_id.as_ref()).collect();
    assert_eq!(burned, [&bench.farm.asset_contract.parse().unwrap()]);
    assert!((10_000..1_000_000).contains(&settled.effect.fee_charged), "{}", settled.effect.fee_charged);
}

#[test]
fn an_error_is_told_with_the_contract_that_raised_it() {
    let bench = Bench::ticking();
    bench.farmer("ada", 100);
    bench.fund("bob", 100 * XLM);
    let client = bench.client();
    let mut seat = bench.seat();
    let harvest = |name: &str| {
        let action = bench.call("harvest", vec![address(name), ScVal::U32(0)]);
        intent(&format!("harvest:{name}"), name, action)
    };
    let intents = [bench.plant("ada", 1_000), bench.plant("bob", 1), harvest("ada"), harvest("cid")];
    let done = seat.submit(&client, &intents, &options());
    let raised = |n: usize| {
        let settled = settled(&done[n]);
        assert_eq!((settled.status, &settled.hash), (Status::Failed, &None));
        let reason = settled.reason.clone().unwrap();
        let (contract, code) = reason.why.raised.as_ref().unwrap().contract_error().unwrap();
        (contract.to_string(), code)
    };
    let (farm, token) = (bench.farm.contract.clone(), bench.farm.asset_contract.clone());
    // The token's 10 is a balance that is too low; the farm's 10 would be WorkMissing.
    assert_eq!(raised(0), (token.clone(), 10));
    assert_eq!(raised(1), (token, 13));
    assert_eq!(raised(2), (farm, 11));
    let words = &settled(&done[3]).reason.as_ref().unwrap().words;
    assert!(words.contains("does not exist"), "{words}");
    assert_eq!(
        seat.operations(),
        [
            "harvest:ada failed 0 1",
            "harvest:cid failed 0 1",
            "plant:ada failed 0 1",
            "plant:bob failed 0 1",
            "trust:ada recorded 1 1"
        ]
    );
    // What failed may be tried again, with another plan.
    let done = seat.submit(&client, &[bench.plant("ada", 50)], &options());
    confirmed(&done[0]);
    assert_eq!(seat.operations()[2], "plant:ada recorded 1 2");
}

#[test]
fn a_sponsor_pays_fees_and_reserves() {
    let bench = Bench::ticking();
    bench.fund("sponsor", 100 * XLM);
    // Not a stroop above the reserve of a bare account.
    bench.fund("ada", XLM);
    let client = bench.client();
    let mut seat = bench.seat();
    let options = SubmitOptions { payer: Some(id("sponsor")), ..options() };
    let trust = intent("trust:ada", "ada", bench.trust(Some(id("sponsor"))));
    let done = seat.submit(&client, &[trust, bench.plant("ada", 0)], &options);
    // Three operations, and the bump.
    assert_eq!(confirmed(&done[0]).effect.fee_charged, 400);
    let planted = confirmed(&done[1]).effect.fee_charged;
    assert_eq!((bench.balance("ada"), bench.balance("sponsor")), (XLM, 100 * XLM - 400 - planted));
    let ada = bench.account("ada").unwrap();
    assert_eq!(ada.num_sub_entries, 1);
    let stellar_asset = bench.asset();
    let stellar::xdr::Asset::CreditAlphanum4(asset) = stellar_asset else { panic!() };
    let line = LedgerKey::Trustline(LedgerKeyTrustLine {
        account_id: id("ada"),
        asset: TrustLineAsset::CreditAlphanum4(asset),
    });
    let entries = run(client.view(async |view| view.entries([line.clone()]).await)).unwrap();
    assert!(entries.get(&line).is_some());
    let sponsored = |account: &stellar::xdr::AccountEntry| format!("{:?}", account.ext);
    assert!(sponsored(&ada).contains("num_sponsored: 1"), "{}", sponsored(&ada));
    assert!(sponsored(&bench.account("sponsor").unwrap()).contains("num_sponsoring: 1"));
}

#[test]
fn many_farmers_plant_in_few_ledgers_and_few_commits() {
    let bench = Bench::ticking();
    bench.fund("operator", 10_000 * XLM);
    let client = bench.client();
    let mut seat = bench.seat();
    let names: Vec<String> = (0..24).map(|n| format!("farmer{n}")).collect();
    for name in &names {
        bench.fund(name, 10 * XLM);
    }
    let plants: Vec<_> = names.iter().map(|name| bench.plant(name, 0)).collect();
    let version = |seat: &Seat| -> i64 {
        let version: String = seat.value("SELECT value FROM meta WHERE key = 'data_version'");
        version.parse().unwrap()
    };
    let before = version(&seat);
    let done = seat.submit(&client, &plants, &options());
    for result in &done {
        confirmed(result);
    }
    let commits = version(&seat) - before;
    assert!(commits < 24 * 2, "{commits} commits for 24 transactions");
    let recorded: i64 = seat.value("SELECT count(*) FROM operations WHERE state = 'recorded'");
    assert_eq!(recorded, 24);
}

#[test]
fn one_account_sends_one_after_the_other() {
    let bench = Bench::ticking();
    bench.fund("ada", 100 * XLM);
    bench.fund("bob", 100 * XLM);
    let client = bench.client();
    let mut seat = bench.seat();
    let intents: Vec<_> = (1..=3).map(|n| pay(&format!("pay:{n}"), "ada", "bob", n * XLM)).collect();
    let done = seat.submit(&client, &intents, &options());
    let ledgers: Vec<u32> = done.iter().map(|d| confirmed(d).effect.ledger.unwrap().sequence).collect();
    assert!(ledgers[0] < ledgers[1] && ledgers[1] < ledgers[2], "{ledgers:?}");
    assert_eq!(bench.balance("bob"), 106 * XLM);
}

#[test]
fn a_key_that_stands_twice_is_submitted_once() {
    let bench = Bench::ticking();
    bench.fund("ada", 100 * XLM);
    bench.fund("bob", 100 * XLM);
    let twice = [pay("pay:1", "ada", "bob", XLM), pay("pay:1", "bob", "ada", XLM)];
    let mut seat = bench.seat();
    let done = seat.submit(&bench.client(), &twice, &options());
    confirmed(&done[0]);
    assert_eq!(done[1].as_ref().unwrap_err().code(), Code::Conflict);
    assert_eq!(bench.balance("bob"), 101 * XLM);
    assert_eq!(seat.operations(), ["pay:1 recorded 1 1"]);
}

#[test]
fn accounts_are_made_and_lives_extended() {
    let bench = Bench::ticking();
    bench.fund("operator", 100 * XLM);
    bench.fund("ada", 100 * XLM);
    let client = bench.client();
    let mut seat = bench.seat();
    let create = Action::CreateAccount { account: id("cid"), balance: 5 * XLM };
    let done =
        seat.submit(&client, &[intent("create:cid", "operator", create), bench.plant("ada", 0)], &options());
    confirmed(&done[0]);
    confirmed(&done[1]);
    assert_eq!(bench.balance("cid"), 5 * XLM);
    let keys = vec![pail("ada", 0, &bench)];
    let live_until = || {
        let entries = run(client.view(async |view| view.entries(keys.clone()).await)).unwrap();
        entries.get(&keys[0]).unwrap().live_until.unwrap()
    };
    let before = live_until();
    let extend = Action::Extend { keys: keys.clone(), ledgers: 50_000 };
    let done = seat.submit(&client, &[intent("extend:ada:0", "operator", extend)], &options());
    let ledger = confirmed(&done[0]).effect.ledger.unwrap().sequence;
    assert!(before < live_until());
    assert_eq!(live_until(), ledger + 50_000);
}

#[test]
fn nothing_is_signed_after_the_wish_to_stop() {
    let bench = Bench::ticking();
    bench.fund("ada", 100 * XLM);
    bench.fund("bob", 100 * XLM);
    let client = bench.client();
    let mut seat = bench.seat();
    let stop = Stop::default();
    stop.flag().store(true, std::sync::atomic::Ordering::Relaxed);
    let wanted = [pay("pay:1", "ada", "bob", XLM)];
    let options = options();
    let done = run(submit(&mut seat.desk(&client, &options, &stop), consent(), &wanted, &Everybody, &Notes))
        .unwrap();
    assert_eq!(done[0].as_ref().unwrap_err().code(), Code::Interrupted);
    assert_eq!(seat.operations(), ["pay:1 expired 0 0"]);
    let done = seat.submit(&client, &wanted, &options);
    confirmed(&done[0]);
}

#[test]
fn a_source_without_a_key_fails_alone() {
    let bench = Bench::ticking();
    bench.fund("ada", 100 * XLM);
    bench.fund("stranger", 100 * XLM);
    let mut seat = bench.seat();
    let wanted = [pay("pay:1", "stranger", "ada", XLM), pay("pay:2", "ada", "stranger", XLM)];
    let done = seat.submit(&bench.client(), &wanted, &options());
    assert_eq!(done[0].as_ref().unwrap_err().code(), Code::UnknownAccount);
    confirmed(&done[1]);
    assert_eq!(seat.operations(), ["pay:1 expired 0 0", "pay:2 recorded 1 1"]);
}

#[test]
fn a_rehearsal_writes_and_sends_nothing() {
    let bench = Bench::still();
    bench.fund("ada", 100 * XLM);
    bench.fund("bob", 100 * XLM);
    let client = bench.client();
    let intents = [bench.plant("ada", 0), bench.plant("bob", 5), pay("pay:1", "ada", "bob", XLM)];
    let options = SubmitOptions { payer: Some(id("bob")), ..options() };
    let seen = run(rehearse(&client, &options, &intents)).unwrap();
    let plant = seen[0].as_ref().unwrap();
    assert!(plant.max_fee.unwrap() > 10_000 && plant.value == Some(ScVal::Void), "{plant:?}");
    let refused = seen[1].as_ref().unwrap_err();
    assert_eq!(refused.code(), Code::TransactionFailed);
    assert_eq!(refused.details()["contract_error"], 13);
    assert_eq!(seen[2].as_ref().unwrap().max_fee, Some(200), "one operation, and the bump");
    assert!(bench.seat().operations().is_empty());
    bench.network.advance(1).unwrap();
    assert_eq!(bench.balance("ada"), 100 * XLM);
}
