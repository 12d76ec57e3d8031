//! Transactions that do not go as they should: each status of a submission, each refusal, each loss on the way.

use crate::support::*;
use base::Code;
use outbox::Status;
use poolctl_sandbox::fault::Fault;
use poolctl_sandbox::stellar::StellarOptions;
use poolctl_testkit::{Fault as Wire, Proxy, Rule};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use stellar::Kind;
use stellar::submit::{SubmitOptions, Submitted};
use stellar::xdr::{Limits, ReadXdr, SorobanTransactionData, WriteXdr};

/// Changes an answer; gets the request and the answer.
type Rewrite = fn(&Value, Value) -> Value;

fn two(bench: &Bench) {
    bench.fund("ada", 100 * XLM);
    bench.fund("bob", 100 * XLM);
}

/// The envelopes that passed a wire, each once.
fn envelopes(proxies: &[&Proxy]) -> BTreeSet<String> {
    let calls = proxies.iter().flat_map(|proxy| proxy.calls());
    let sends = calls.filter(|call| call["method"] == "sendTransaction");
    sends.map(|call| call["params"]["transaction"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_fault_of_a_submission_ends_in_one_effect() {
    let faults = [
        Fault::TryAgainLater,
        Fault::DropBefore,
        Fault::DropAfter,
        Fault::BadSequenceAfterConfirm,
        Fault::Http(502),
        Fault::Http(500),
        Fault::Html,
        Fault::Truncated,
        Fault::BadJson,
        Fault::Delay(Duration::from_millis(100)),
    ];
    for fault in faults {
        let bench = Bench::ticking();
        two(&bench);
        let proxy = Proxy::start(&bench.url).unwrap();
        let mut seat = bench.seat();
        bench.network.fault("sendTransaction", fault.clone(), 1);
        let done = seat.submit(&client(&[&proxy.url()]), &[pay("pay:1", "ada", "bob", XLM)], &options());
        confirmed(&done[0]);
        assert_eq!(bench.balance("bob"), 101 * XLM, "{fault:?}");
        assert_eq!(seat.operations(), ["pay:1 recorded 1 1"], "{fault:?}");
        assert_eq!(envelopes(&[&proxy]).len(), 1, "{fault:?}: the bytes are the same each time");
    }
}

#[test]
fn each_fault_of_a_look_is_survived() {
    let faults = [
        Fault::DropAfter,
        Fault::Http(502),
        Fault::Html,
        Fault::Truncated,
        Fault::BadJson,
        Fault::BadXdr,
        Fault::StaleLedger(3),
    ];
    for fault in faults {
        let bench = Bench::ticking();
        two(&bench);
        let mut seat = bench.seat();
        bench.network.fault("getTransaction", fault.clone(), 9);
        let done = seat.submit(&bench.client(), &[pay("pay:1", "ada", "bob", XLM)], &options());
        confirmed(&done[0]);
        assert_eq!(bench.balance("bob"), 101 * XLM, "{fault:?}");
        assert_eq!(seat.operations(), ["pay:1 recorded 1 1"], "{fault:?}");
    }
}

#[test]
fn the_next_endpoint_gets_the_same_bytes() {
    let bench = Bench::ticking();
    two(&bench);
    let (one, other) = (Proxy::start(&bench.url).unwrap(), Proxy::start(&bench.url).unwrap());
    // The first endpoint takes it, and dies before it says so.
    one.fault(Rule::new(Wire::Truncated).on_method("sendTransaction"));
    one.fault(Rule::new(Wire::Refuse).on_method("getTransaction"));
    let client = client(&[&one.url(), &other.url()]);
    let mut seat = bench.seat();
    let done = seat.submit(&client, &[pay("pay:1", "ada", "bob", XLM)], &options());
    confirmed(&done[0]);
    assert_eq!(bench.balance("bob"), 101 * XLM);
    assert_eq!(seat.operations(), ["pay:1 recorded 1 1"]);
    assert!(one.methods().contains(&"sendTransaction".to_owned()));
    assert!(other.methods().contains(&"sendTransaction".to_owned()));
    assert_eq!(envelopes(&[&one, &other]).len(), 1);
    let warnings = client.take_warnings();
    assert!(
        warnings.iter().any(|w| w.contains("\"one\"") && w.ends_with("\"two\" took over")),
        "{warnings:?}"
    );
}

#[test]
fn what_is_not_known_yet_is_settled_by_the_next_run() {
    let bench = Bench::still();
    two(&bench);
    let client = bench.client();
    let pay = pay("pay:1", "ada", "bob", XLM);
    let mut seat = bench.seat();
    let done = seat.submit(&client, std::slice::from_ref(&pay), &impatient());
    let unknown = done[0].as_ref().unwrap_err();
    assert_eq!((unknown.code(), unknown.exit() as i32), (Code::OutcomeUnknown, 76));
    assert_eq!(seat.operations(), ["pay:1 sent 1 0"]);
    // Nor may it be submitted again before it is settled.
    let again = seat.submit(&client, std::slice::from_ref(&pay), &impatient());
    assert_eq!(again[0].as_ref().unwrap_err().code(), Code::OutcomeUnknown);
    let open = seat.settle(&client, &impatient(), false);
    assert_eq!(open[0].1.as_ref().unwrap_err().code(), Code::OutcomeUnknown);
    bench.network.advance(1).unwrap();
    let open = seat.settle(&client, &impatient(), false);
    assert_eq!(open[0].1.as_ref().unwrap().status, Status::Confirmed);
    assert_eq!(seat.operations(), ["pay:1 recorded 1 1"]);
    let again = seat.submit(&client, &[pay], &options());
    assert!(matches!(again[0], Ok(Submitted::AlreadyDone { .. })));
    assert_eq!(bench.balance("bob"), 101 * XLM);
}

#[test]
fn what_is_not_settled_holds_up_its_own_account_alone() {
    let bench = Bench::still();
    two(&bench);
    let client = bench.client();
    let mut seat = bench.seat();
    let first = pay("pay:1", "ada", "bob", XLM);
    let done = seat.submit(&client, std::slice::from_ref(&first), &impatient());
    assert_eq!(done[0].as_ref().unwrap_err().code(), Code::OutcomeUnknown);
    // It would take the same sequence number.
    let others = [pay("pay:2", "ada", "bob", XLM), pay("pay:3", "bob", "ada", XLM)];
    let done = seat.submit(&client, &others, &impatient());
    let words = done[0].as_ref().unwrap_err().message().to_owned();
    assert!(words.contains("\"pay:2\" waits") && words.contains("\"pay:1\""), "{words}");
    assert_eq!(seat.operations(), ["pay:1 sent 1 0", "pay:3 sent 1 0"]);
    bench.network.advance(1).unwrap();
    assert!(seat.settle(&client, &impatient(), false).iter().all(|(_, settled)| settled.is_ok()));
    assert!(seat.submit(&client, &others[..1], &impatient())[0].is_err());
    bench.network.advance(1).unwrap();
    seat.settle(&client, &impatient(), false);
    assert_eq!(seat.operations(), ["pay:1 recorded 1 1", "pay:2 recorded 1 1", "pay:3 recorded 1 1"]);
}

#[test]
fn what_vanished_expires_and_may_be_tried_again() {
    let bench = Bench::still();
    two(&bench);
    let client = bench.client();
    let pay = pay("pay:1", "ada", "bob", XLM);
    let mut seat = bench.seat();
    // Nobody ever gets it.
    bench.network.fault("sendTransaction", Fault::DropBefore, 1);
    let done = seat.submit(&client, std::slice::from_ref(&pay), &impatient());
    assert_eq!(done[0].as_ref().unwrap_err().code(), Code::OutcomeUnknown);
    let (_, signed_at) = bench.network.latest().unwrap();
    let until: i64 = seat.value("SELECT valid_until FROM operation_attempts");
    assert_eq!(until.unsigned_abs(), signed_at + options().valid_sec);
    // As long as a ledger can still hold it, nothing is known.
    bench.network.advance_over(1, options().valid_sec).unwrap();
    let open = seat.settle(&client, &impatient(), false);
    assert_eq!(open[0].1.as_ref().unwrap_err().code(), Code::OutcomeUnknown);
    bench.network.advance_over(1, 1).unwrap();
    let open = seat.settle(&client, &impatient(), true);
    let settled = open[0].1.as_ref().unwrap();
    assert_eq!((settled.status, settled.effect.fee_charged), (Status::Expired, 0));
    assert_eq!(seat.operations(), ["pay:1 expired 1 1"]);
    assert_eq!(bench.balance("bob"), 100 * XLM);
    let again = seat.submit(&client, &[pay], &impatient());
    assert_eq!(again[0].as_ref().unwrap_err().code(), Code::OutcomeUnknown);
    bench.network.advance(1).unwrap();
    assert_eq!(seat.settle(&client, &impatient(), false)[0].1.as_ref().unwrap().status, Status::Confirmed);
    assert_eq!(seat.operations(), ["pay:1 recorded 2 2"]);
    assert_eq!(bench.balance("bob"), 101 * XLM);
}

#[test]
fn a_lost_envelope_is_sent_again_only_with_consent() {
    let bench = Bench::ticking();
    two(&bench);
    let client = bench.client();
    let mut seat = bench.seat();
    bench.network.fault("sendTransaction", Fault::DropBefore, 1);
    let done = seat.submit(&client, &[pay("pay:1", "ada", "bob", XLM)], &impatient());
    assert!(done[0].is_err());
    let envelope: String = seat.value("SELECT envelope FROM operation_attempts");
    let proxy = Proxy::start(&bench.url).unwrap();
    let watched = crate::support::client(&[&proxy.url()]);
    let open = seat.settle(&watched, &impatient(), false);
    assert_eq!(open[0].1.as_ref().unwrap_err().code(), Code::OutcomeUnknown);
    assert!(envelopes(&[&proxy]).is_empty());
    let open = seat.settle(&watched, &options(), true);
    assert_eq!(open[0].1.as_ref().unwrap().status, Status::Confirmed);
    assert_eq!(envelopes(&[&proxy]), BTreeSet::from([envelope]));
    assert_eq!(bench.balance("bob"), 101 * XLM);
}

#[test]
fn a_sequence_number_that_another_used_makes_a_new_attempt() {
    let bench = Bench::ticking();
    two(&bench);
    let proxy = Proxy::start(&bench.url).unwrap();
    // The first reading of the account is one too low: as if another program had sent something in between.
    proxy.fault(Rule::new(Wire::Custom(one_less)).on_method("getLedgerEntries").times(1));
    let mut seat = bench.seat();
    let done = seat.submit(&client(&[&proxy.url()]), &[pay("pay:1", "ada", "bob", XLM)], &options());
    confirmed(&done[0]);
    assert_eq!(seat.operations(), ["pay:1 recorded 2 1"]);
    let first: String =
        seat.value("SELECT outcome || ': ' || error FROM operation_attempts WHERE attempt = 1");
    assert_eq!(first, "expired: another transaction used its sequence number");
    assert_eq!(bench.balance("bob"), 101 * XLM);
}

fn one_less(_: &Value, mut response: Value) -> Value {
    use stellar::xdr::LedgerEntryData;
    let entry = &mut response["result"]["entries"][0]["xdr"];
    let mut data = LedgerEntryData::from_xdr_base64(entry.as_str().unwrap(), Limits::none()).unwrap();
    let LedgerEntryData::Account(account) = &mut data else { panic!() };
    account.seq_num.0 -= 1;
    *entry = json!(data.to_xdr_base64(Limits::none()).unwrap());
    response
}

fn change(mut response: Value, change: impl Fn(&mut SorobanTransactionData)) -> Value {
    let field = &mut response["result"]["transactionData"];
    let mut data = SorobanTransactionData::from_xdr_base64(field.as_str().unwrap(), Limits::none()).unwrap();
    change(&mut data);
    *field = json!(data.to_xdr_base64(Limits::none()).unwrap());
    response["result"]["minResourceFee"] = json!(data.resource_fee.to_string());
    response
}

fn too_cheap(_: &Value, response: Value) -> Value {
    change(response, |data| data.resource_fee /= 4)
}

fn much_too_cheap(_: &Value, response: Value) -> Value {
    change(response, |data| data.resource_fee /= 40)
}

fn too_few_instructions(_: &Value, response: Value) -> Value {
    change(response, |data| data.resources.instructions /= 4)
}

#[test]
fn too_small_a_resource_fee_is_simulated_anew() {
    // Refused when it is sent, and failed in a ledger, which costs its fee.
    let cases: [(Rewrite, &str); 3] = [
        (much_too_cheap, "failed: TxSorobanInvalid"),
        (too_cheap, "failed: TxFailed: InvokeHostFunction InsufficientRefundableFee"),
        (too_few_instructions, "failed: TxFailed: InvokeHostFunction ResourceLimitExceeded"),
    ];
    for (rewrite, why) in cases {
        let bench = Bench::ticking();
        two(&bench);
        let proxy = Proxy::start(&bench.url).unwrap();
        proxy.fault(Rule::new(Wire::Custom(rewrite)).on_method("simulateTransaction").times(1));
        let mut seat = bench.seat();
        let done = seat.submit(&client(&[&proxy.url()]), &[bench.plant("ada", 0)], &options());
        confirmed(&done[0]);
        assert_eq!(seat.operations(), ["plant:ada recorded 2 1"]);
        let first: String =
            seat.value("SELECT outcome || ': ' || error FROM operation_attempts WHERE attempt = 1");
        assert_eq!(first, why);
        // Bounded: where it never is enough, it ends.
        proxy.fault(Rule::new(Wire::Custom(rewrite)).on_method("simulateTransaction"));
        let done = seat.submit(&client(&[&proxy.url()]), &[bench.plant("bob", 0)], &options());
        assert_eq!(settled(&done[0]).status, Status::Failed);
        assert_eq!(seat.operations()[1], "plant:bob failed 3 1");
    }
}

#[test]
fn what_a_ledger_contradicts_is_prepared_elsewhere() {
    for beside in [false, true] {
        let bench = Bench::ticking();
        two(&bench);
        let proxy = Proxy::start(&bench.url).unwrap();
        proxy.fault(Rule::new(Wire::Custom(too_few_instructions)).on_method("simulateTransaction"));
        let mut seat = bench.seat();
        let (first, second) = (proxy.url(), bench.url.clone());
        let urls = [first.as_str(), second.as_str()];
        let client = client(&urls[..=usize::from(beside)]);
        let done = seat.submit(&client, &[bench.plant("ada", 0)], &options());
        if beside {
            confirmed(&done[0]);
            assert_eq!(seat.operations(), ["plant:ada recorded 2 1"]);
            let tried = proxy.methods().iter().filter(|method| *method == "simulateTransaction").count();
            assert_eq!(tried, 1, "and then elsewhere");
        } else {
            assert_eq!(seat.operations(), ["plant:ada failed 3 1"]);
        }
    }
}

#[test]
fn archived_entries_are_restored_first() {
    let bench =
        Bench::with(&StellarOptions { tick: Some(Duration::from_millis(25)), ..StellarOptions::default() });
    two(&bench);
    // Beside the restoration, the next call pays for the half year that the contract then lives.
    bench.fund("ada", 5_000 * XLM);
    let client = bench.client();
    bench.network.archive_farm().unwrap();
    bench.network.advance(1).unwrap();
    let mut seat = bench.seat();
    // It costs several lumens, and the operator may allow less.
    let low = SubmitOptions { max_resource_fee: XLM, ..options() };
    let done = seat.submit(&client, &[bench.plant("ada", 0)], &low);
    assert_eq!(done[0].as_ref().unwrap_err().code(), Code::FeeCapped);
    assert_eq!(seat.value::<i64>("SELECT count(*) FROM operation_attempts"), 0);
    let options = SubmitOptions { max_resource_fee: 1_000 * XLM, ..options() };
    let done = seat.submit(&client, &[bench.plant("ada", 0)], &options);
    confirmed(&done[0]);
    let mut operations = seat.operations();
    operations.retain(|line| !line.contains(" expired "));
    assert_eq!(operations[0], "plant:ada recorded 1 1");
    // The restoration is an operation of its own, of which nothing else is recorded.
    assert!(
        operations[1].starts_with("restore:") && operations[1].ends_with(":plant:ada recorded 1 0"),
        "{operations:?}"
    );
}

#[test]
fn a_deadline_is_not_passed() {
    let bench = Bench::still();
    two(&bench);
    let (_, now) = bench.network.latest().unwrap();
    let client = bench.client();
    let mut seat = bench.seat();
    let mut late = pay("pay:late", "ada", "bob", XLM);
    late.valid_until = Some(now);
    let mut tight = pay("pay:tight", "bob", "ada", XLM);
    tight.valid_until = Some(now + 7);
    let done = seat.submit(&client, &[late, tight], &impatient());
    assert_eq!((settled(&done[0]).status, &settled(&done[0]).hash), (Status::Expired, &None));
    let until: i64 = seat.value("SELECT valid_until FROM operation_attempts");
    assert_eq!(until.unsigned_abs(), now + 7);
    bench.network.advance_over(1, 8).unwrap();
    let open = seat.settle(&client, &impatient(), true);
    assert_eq!(open[0].1.as_ref().unwrap().status, Status::Expired);
    assert_eq!(seat.operations(), ["pay:late expired 0 1", "pay:tight expired 1 1"]);
    assert_eq!(bench.balance("ada"), 100 * XLM);
}

#[test]
fn a_fee_above_the_cap_is_told_and_not_paid() {
    let bench = Bench::ticking();
    two(&bench);
    let url = bench.url.clone();
    let rpc = poolctl_testkit::Rpc::new(&url).unwrap();
    rpc.call("sandbox_baseFee", json!({ "stroops": 5_000 })).unwrap();
    let client = bench.client();
    let mut seat = bench.seat();
    let pay = pay("pay:1", "ada", "bob", XLM);
    let capped = SubmitOptions { max_inclusion_fee: 1_000, ..options() };
    let done = seat.submit(&client, std::slice::from_ref(&pay), &capped);
    let error = done[0].as_ref().unwrap_err();
    assert_eq!((error.code(), error.exit() as i32), (Code::FeeCapped, 75));
    assert!(error.remedy().unwrap().to_string().contains("stellar.max_inclusion_fee"));
    assert!(client.take_warnings().iter().any(|w| w.starts_with("fee_capped")));
    assert_eq!(bench.balance("ada"), 100 * XLM);
    let done = seat.submit(&client, &[pay], &options());
    assert_eq!(confirmed(&done[0]).effect.fee_charged, 5_000);
}

#[test]
fn what_the_network_refuses_fails_at_once() {
    let bench = Bench::ticking();
    bench.fund("ada", XLM);
    bench.fund("bob", 100 * XLM);
    let mut seat = bench.seat();
    let broke = pay("pay:broke", "ada", "bob", 1);
    let too_much = pay("pay:much", "bob", "ada", 1_000 * XLM);
    let done = seat.submit(&bench.client(), &[broke, too_much], &options());
    let why = |n: usize| settled(&done[n]).reason.clone().unwrap().why.failure.unwrap();
    assert_eq!((why(0).kind, why(0).words.as_str()), (Kind::Balance, "TxInsufficientBalance"));
    assert_eq!(why(1).words, "TxFailed: Payment Underfunded");
    // The one that is in a ledger has cost its fee, the other nothing.
    assert_eq!((settled(&done[0]).effect.fee_charged, settled(&done[1]).effect.fee_charged), (0, 100));
    assert_eq!((bench.balance("ada"), bench.balance("bob")), (XLM, 100 * XLM - 100));
}

#[test]
fn one_that_hangs_does_not_hold_up_the_others() {
    let bench = Bench::ticking();
    two(&bench);
    bench.fund("cid", 100 * XLM);
    let proxy = Proxy::start(&bench.url).unwrap();
    let simulation = "simulateTransaction";
    proxy.fault(Rule::new(Wire::Delay(Duration::from_millis(400))).on_method(simulation).times(1));
    let refused = Wire::RpcError { code: -32602, message: "no".into(), data: Value::Null };
    proxy.fault(Rule::new(refused).on_method(simulation).after(1).times(1));
    let mut seat = bench.seat();
    let plants: Vec<_> = ["ada", "bob", "cid"].iter().map(|name| bench.plant(name, 0)).collect();
    let done = seat.submit(&client(&[&proxy.url()]), &plants, &options());
    let failed: Vec<_> = done.iter().filter_map(|d| d.as_ref().err()).collect();
    assert_eq!(failed.len(), 1, "{done:?}");
    assert_eq!(failed[0].code(), Code::Rpc);
    let ledgers: Vec<_> = done
        .iter()
        .flatten()
        .map(|d| match d {
            Submitted::Settled(settled) => settled.effect.ledger.unwrap().sequence,
            Submitted::AlreadyDone { .. } => panic!(),
        })
        .collect();
    assert!(ledgers[0].abs_diff(ledgers[1]) >= 5, "the delayed one came later: {ledgers:?}");
}

#[test]
fn what_was_refused_may_be_wanted_again_in_the_same_ledger() {
    let bench = Bench::still();
    bench.fund("ada", XLM);
    bench.fund("bob", 100 * XLM);
    let mut seat = bench.seat();
    let broke = pay("pay:broke", "ada", "bob", 1);
    for attempt in 1..=2 {
        let done = seat.submit(&bench.client(), std::slice::from_ref(&broke), &impatient());
        assert_eq!(settled(&done[0]).status, Status::Failed);
        assert_eq!(seat.operations(), [format!("pay:broke failed {attempt} {attempt}")]);
    }
}
