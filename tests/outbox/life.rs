//! A payment on the EVM: once, whatever becomes of the run and of the answers.

use crate::support::*;
use alloy::primitives::U256;
use base::{Code, Stop};
use futures_util::future::FutureExt;
use outbox::{Desk, Status, Submitted};
use poolctl_testkit::{Answer, Fault, Proxy, Rule};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

const SEND: &str = "eth_sendRawTransaction";

#[test]
fn a_payment_takes_effect_once_and_says_what_it_cost() {
    let mut bench = Bench::new();
    let (url, before) = (bench.node.url().to_owned(), bench.balance(payer()));
    let intent = pay("pay:1", payee(1), ether());
    let done = bench.submit(&url, &intent, PATIENT);
    let settled = settled(&done, Status::Confirmed);
    let receipt = settled.effect.receipt.as_ref().unwrap();
    assert_eq!(settled.hash, Some(format!("{:x}", receipt.tx_hash)));
    assert_eq!((receipt.from, receipt.to), (payer(), Some(payee(1))));
    assert_eq!(bench.balance(payee(1)), ether());
    assert_eq!(before - bench.balance(payer()), ether() + settled.effect.fee);
    assert_eq!(bench.seat.operations(), ["evm pay:1 recorded 1 1"]);
    assert_eq!(bench.seat.value::<Option<i64>>("SELECT valid_until FROM operation_attempts"), None);
    let facts: String = bench.seat.value("SELECT payload FROM events WHERE kind = 'operation.confirmed'");
    let facts: Value = serde_json::from_str(&facts).unwrap();
    assert_eq!(facts["block"], json!(receipt.block_number));
    assert_eq!(facts["fee"], json!(settled.effect.fee.to_string()));
    assert!(matches!(bench.submit(&url, &intent, PATIENT), Ok(Submitted::AlreadyDone { .. })));
    assert_eq!(bench.balance(payee(1)), ether());
}

/// Polls the submission so many times, and drops it; whether it came to its end.
fn dies_after(polls: usize, bench: &mut Bench, intent: &evm::Intent) -> bool {
    let (network, stop) = (network(bench.node.url()), Stop::default());
    let mut desk = bench.seat.desk(network, &stop, PATIENT);
    let work = outbox::submit(&mut desk, consent(), std::slice::from_ref(intent), &Keys, &Notes);
    run(async {
        let mut work = pin!(while_mined(&bench.node, work));
        let mut left = polls;
        poll_fn(|cx| {
            if left == 0 {
                return Poll::Ready(false);
            }
            left -= 1;
            work.as_mut().poll_unpin(cx).map(|_| true)
        })
        .await
    })
}

#[test]
fn a_run_that_dies_at_any_moment_is_finished_by_the_next() {
    let mut bench = Bench::new();
    let url = bench.node.url().to_owned();
    let mut phases = BTreeSet::new();
    for polls in 1_u64.. {
        let to = payee(polls);
        let intent = pay(&format!("pay:{polls:04}"), to, ether());
        let nonce = bench.nonce(payer());
        let is_done = dies_after(usize::try_from(polls).unwrap(), &mut bench, &intent);
        let of_it = |bench: &Bench| bench.seat.operations().pop().unwrap_or_default();
        phases.extend(of_it(&bench).split(' ').nth(2).map(str::to_owned));
        for (_, settled) in bench.settle(PATIENT, true) {
            settled.expect("a known outcome");
        }
        bench.submit(&url, &intent, PATIENT).expect("done, now or before");
        let want = format!("evm pay:{polls:04} recorded 1 1");
        assert_eq!(of_it(&bench), want, "died after {polls} polls");
        assert_eq!(bench.balance(to), ether(), "died after {polls} polls");
        assert_eq!(bench.nonce(payer()), nonce + 1, "died after {polls} polls");
        if is_done {
            break;
        }
    }
    for phase in ["planned", "signed", "recorded"] {
        assert!(phases.contains(phase), "no run died while an operation was {phase}: {phases:?}");
    }
}

#[test]
fn an_answer_that_is_lost_pays_once() {
    let mut bench = Bench::new();
    let proxy = Proxy::start(bench.node.url()).unwrap();
    proxy.fault(Rule::new(Fault::Truncated).on_method(SEND));
    let done = bench.submit(&proxy.url(), &pay("pay:1", payee(1), ether()), PATIENT);
    settled(&done, Status::Confirmed);
    assert_eq!((bench.balance(payee(1)), bench.nonce(payer())), (ether(), 1));
    assert_eq!(bench.seat.operations(), ["evm pay:1 recorded 1 1"]);
}

#[test]
fn a_nonce_that_another_used_ends_it_and_pays_nothing() {
    let mut bench = Bench::new();
    let proxy = Proxy::start(bench.node.url()).unwrap();
    // Nobody gets it.
    proxy.fault(Rule::new(Fault::Refuse).on_method(SEND));
    let intent = pay("pay:1", payee(1), ether());
    let done = bench.submit(&proxy.url(), &intent, ONCE);
    assert_eq!(done.unwrap_err().code(), Code::OutcomeUnknown);
    assert_eq!(bench.seat.operations(), ["evm pay:1 sent 1 0"]);
    let envelope: String = bench.seat.value("SELECT envelope FROM operation_attempts");
    let other = json!([{ "from": payer(), "to": payee(2), "value": "0x5" }]);
    let other = bench.node.rpc("eth_sendTransaction", other).unwrap();
    bench.node.mine(1).unwrap();
    // As far as the chain is settled, the nonce is free: nothing is known yet, and nothing is planned anew.
    let again = bench.submit(&proxy.url(), &intent, ONCE);
    assert_eq!(again.unwrap_err().code(), Code::OutcomeUnknown);
    bench.node.mine(70).unwrap();
    let ended = bench.settle(ONCE, true).remove(0).1.unwrap();
    assert_eq!(ended.status, Status::Expired);
    let words = format!("transaction {} used its nonce 0", other.as_str().unwrap());
    assert_eq!(ended.reason.unwrap().words, words);
    assert_eq!(bench.seat.operations(), ["evm pay:1 expired 1 1"]);
    assert_eq!(bench.balance(payee(1)), U256::ZERO);
    // Whoever kept it cannot make it land.
    let late = bench.node.rpc(SEND, json!([envelope])).unwrap_err();
    assert!(format!("{late:#}").to_lowercase().contains("nonce too low"), "{late:#}");
    // Wanted again, it is paid, with a nonce of its own.
    let url = bench.node.url().to_owned();
    settled(&bench.submit(&url, &intent, PATIENT), Status::Confirmed);
    assert_eq!((bench.balance(payee(1)), bench.nonce(payer())), (ether(), 2));
    assert_eq!(bench.seat.operations(), ["evm pay:1 recorded 2 2"]);
}

#[test]
fn what_an_endpoint_refuses_stays_open_for_it_may_still_land() {
    let mut bench = Bench::new();
    let proxy = Proxy::start(bench.node.url()).unwrap();
    // The node never sees it.
    let refuse =
        Fault::Http(|request| refusal(request, -32000, "insufficient funds for gas * price + value"));
    proxy.fault(Rule::new(refuse).on_method(SEND));
    let intent = pay("pay:1", payee(1), ether());
    let error = bench.submit(&proxy.url(), &intent, ONCE).unwrap_err();
    assert_eq!(error.code(), Code::OutcomeUnknown);
    assert!(error.message().contains("insufficient funds"), "{error}");
    // Without consent it is looked for, and not sent.
    assert!(bench.settle(ONCE, false)[0].1.is_err());
    assert_eq!(bench.nonce(payer()), 0);
    let ended = bench.settle(PATIENT, true).remove(0).1.unwrap();
    assert_eq!(ended.status, Status::Confirmed);
    assert_eq!(bench.balance(payee(1)), ether());
    assert_eq!(bench.seat.operations(), ["evm pay:1 recorded 1 1"]);
}

#[test]
fn what_cannot_succeed_is_not_signed() {
    let mut bench = Bench::new();
    let url = bench.node.url().to_owned();
    // More than it has; and what is left does not pay the gas.
    let all = bench.balance(payer());
    for (key, value) in [("pay:1", all + U256::from(1)), ("pay:2", all)] {
        settled(&bench.submit(&url, &pay(key, payee(1), value), PATIENT), Status::Failed);
    }
    assert_eq!(bench.seat.operations(), ["evm pay:1 failed 0 1", "evm pay:2 failed 0 1"]);
    let late = evm::Intent { valid_until: Some(1), ..pay("pay:3", payee(1), ether()) };
    settled(&bench.submit(&url, &late, PATIENT), Status::Expired);
    assert_eq!((bench.balance(payee(1)), bench.nonce(payer())), (U256::ZERO, 0));
}

/// An error in the place of an answer; the node never sees the request.
fn refusal(request: &Value, code: i64, message: &str) -> Answer {
    let error = json!({ "code": code, "message": message });
    let body = json!({ "jsonrpc": "2.0", "id": request["id"], "error": error }).to_string();
    Answer { status: 200, body, ..Answer::default() }
}

#[test]
fn what_one_endpoint_gets_wrong_another_puts_right() {
    const RECEIPT: &str = "eth_getTransactionReceipt";
    let lacks = Fault::Http(|request| refusal(request, -32601, "the method does not exist"));
    let another = Fault::Custom(|_, mut response| {
        for sent in response["result"]["transactions"].as_array_mut().into_iter().flatten() {
            if sent.is_object() {
                sent["hash"] = json!(format!("0x{}", "ab".repeat(32)));
            }
        }
        response
    });
    let reverted = Fault::Custom(|_, mut response| {
        if response["result"]["status"].is_string() {
            response["result"]["status"] = json!("0x0");
        }
        response
    });
    let no_receipts = || Rule::new(Fault::ResultNull).on_method(RECEIPT);
    let taken = vec![no_receipts(), Rule::new(another.clone()).on_method("eth_getBlockByNumber")];
    for rules in [
        // A provider that only reads.
        vec![Rule::new(lacks).on_method(SEND)],
        // Its index of receipts lags.
        vec![no_receipts()],
        // It says that the transaction was reverted.
        vec![Rule::new(reverted).on_method(RECEIPT)],
        // It says that another transaction used the nonce.
        taken.clone(),
    ] {
        let mut bench = Bench::new();
        let proxy = Proxy::start(bench.node.url()).unwrap();
        for rule in rules {
            proxy.fault(rule);
        }
        let (first, second) = (proxy.url(), bench.node.url().to_owned());
        let done = bench.submit_at(&[&first, &second], &pay("pay:1", payee(1), ether()), PATIENT);
        settled(&done, Status::Confirmed);
        assert_eq!((bench.balance(payee(1)), bench.nonce(payer())), (ether(), 1));
        assert_eq!(bench.seat.operations(), ["evm pay:1 recorded 1 1"]);
    }
    // The second cannot tell: the third is asked.
    let mut bench = Bench::new();
    let [liar, half] = [(); 2].map(|()| Proxy::start(bench.node.url()).unwrap());
    for rule in taken.clone() {
        liar.fault(rule);
    }
    let lacks = Fault::Http(|request| refusal(request, -32601, "the method does not exist"));
    half.fault(Rule::new(lacks).on_method(RECEIPT));
    let (first, second, third) = (liar.url(), half.url(), bench.node.url().to_owned());
    let done = bench.submit_at(&[&first, &second, &third], &pay("pay:1", payee(1), ether()), PATIENT);
    settled(&done, Status::Confirmed);
    assert_eq!((bench.balance(payee(1)), bench.nonce(payer())), (ether(), 1));
    // Nobody else can be asked: the word of one is not enough.
    let mut bench = Bench::new();
    let [liar, mute] = [(); 2].map(|()| Proxy::start(bench.node.url()).unwrap());
    for rule in taken {
        liar.fault(rule);
    }
    mute.fault(Rule::new(Fault::Refuse));
    let urls = [liar.url(), mute.url()];
    let error = bench
        .submit_at(&[&urls[0], &urls[1]], &pay("pay:1", payee(1), ether()), Duration::from_secs(1))
        .unwrap_err();
    assert_eq!(error.code(), Code::OutcomeUnknown, "{error}");
    assert_eq!((bench.balance(payee(1)), bench.nonce(payer())), (ether(), 1));
    assert_eq!(bench.seat.operations(), ["evm pay:1 sent 1 0"]);
}

#[test]
fn what_was_led_on_meanwhile_is_not_given_up() {
    let mut bench = Bench::new();
    let (network, stop) = (network_of(&[bench.node.url()]), Stop::default());
    let mut desk = bench.seat.desk(network, &stop, ONCE);
    let change = |desk: &mut Desk<'_, evm::EvmNetwork>, sql: &str| {
        desk.state.write(desk.permit, |tx| Ok(tx.conn().execute(sql, [])?)).unwrap()
    };
    // Planned by a run that was killed before it signed.
    let planned = "INSERT INTO operations (key, kind, subject, state, plan, planned_at, network)
         VALUES ('pay:1', 'pay', 'pay:1', 'planned', '{}', 1, 'evm')";
    assert_eq!(change(&mut desk, planned), 1);
    let given = run(outbox::may_give_up(&desk, 1, &Notes)).unwrap();
    // Another one leads it to its end while the operator thinks.
    change(&mut desk, "UPDATE operations SET state = 'recorded', settled_at = 2, recorded_at = 2");
    let error = outbox::give_up(&mut desk, consent(), &given, "lost", &Notes).unwrap_err();
    assert_eq!(error.code(), Code::StateChanged, "{error}");
    assert_eq!(bench.seat.operations(), ["evm pay:1 recorded 0 0"]);
    assert_eq!(bench.seat.value::<i64>("SELECT count(*) FROM events"), 0);
}
