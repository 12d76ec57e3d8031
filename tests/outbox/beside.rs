//! Two runs at the same time on one state: each operation is led by one of them, and recorded once.

use crate::support::*;
use base::{Code, Result, Stop};
use futures_util::future::join;
use outbox::{AttemptOutcome, Desk, Operation, OperationState, Pace, Recorder, Settled, Status, Submitted};
use poolctl_testkit::{Fault, Proxy, Rule};
use rusqlite::Connection;
use serde_json::json;
use state::{Permit, State, Tx};
use std::cell::Cell;
use std::time::Duration;

const SEND: &str = "eth_sendRawTransaction";

fn desk<'a>(bench: &Bench, state: &'a mut State, stop: &'a Stop) -> Desk<'a, evm::EvmNetwork> {
    let pace = Pace { parallel: 10, poll: Duration::from_millis(5), wait: PATIENT };
    Desk { network: network(bench.node.url()), state, permit: Permit::dry_run(), stop, pace }
}

/// Leaves a payment that was sent nowhere.
fn left(bench: &mut Bench, key: &str, to: u64) {
    let proxy = Proxy::start(bench.node.url()).unwrap();
    proxy.fault(Rule::new(Fault::Refuse).on_method(SEND));
    let error = bench.submit(&proxy.url(), &pay(key, payee(to), ether()), ONCE).unwrap_err();
    assert_eq!(error.code(), Code::OutcomeUnknown);
}

#[test]
fn two_runs_that_settle_one_operation_record_it_once() {
    let mut bench = Bench::new();
    left(&mut bench, "pay:1", 1);
    let (mut one, mut two, stop) = (bench.seat.beside(), bench.seat.beside(), Stop::default());
    let (mut one, mut two) = (desk(&bench, &mut one, &stop), desk(&bench, &mut two, &stop));
    let all = &outbox::all::<evm::Evm>;
    let both = join(
        outbox::settle_open(&mut one, Some(consent()), &Notes, all),
        outbox::settle_open(&mut two, Some(consent()), &Notes, all),
    );
    let (one, two) = run(while_mined(&bench.node, both));
    for done in [one, two] {
        let (_, settled) = done.unwrap().remove(0);
        assert_eq!(settled.unwrap().status, Status::Confirmed);
    }
    assert_eq!((bench.balance(payee(1)), bench.nonce(payer())), (ether(), 1));
    assert_eq!(bench.seat.operations(), ["evm pay:1 recorded 1 1"]);
    assert_eq!(bench.seat.value::<i64>("SELECT count(*) FROM events WHERE kind = 'operation.confirmed'"), 1);
}

#[test]
fn two_runs_that_want_one_payment_pay_it_once() {
    let mut bench = Bench::new();
    let intent = pay("pay:1", payee(1), ether());
    let (mut one, mut two, stop) = (bench.seat.beside(), bench.seat.beside(), Stop::default());
    let (mut one, mut two) = (desk(&bench, &mut one, &stop), desk(&bench, &mut two, &stop));
    let intents = std::slice::from_ref(&intent);
    let both = join(
        outbox::submit(&mut one, consent(), intents, &Keys, &Notes),
        outbox::submit(&mut two, consent(), intents, &Keys, &Notes),
    );
    let (one, two) = run(while_mined(&bench.node, both));
    let done: Vec<Result<Submitted<evm::Evm>>> = [one, two].map(|done| done.unwrap().remove(0)).into();
    let paid = done.iter().filter(|one| matches!(one, Ok(Submitted::Settled(_)))).count();
    let other = |e: &base::Error| matches!(e.code(), Code::StateChanged | Code::OutcomeUnknown);
    assert!(paid == 1 && done.iter().all(|one| one.as_ref().err().is_none_or(other)), "{done:?}");
    assert_eq!((bench.balance(payee(1)), bench.nonce(payer())), (ether(), 1));
    assert_eq!(bench.seat.operations(), ["evm pay:1 recorded 1 1"]);
    let url = bench.node.url().to_owned();
    assert!(matches!(bench.submit(&url, &intent, PATIENT), Ok(Submitted::AlreadyDone { .. })));
}

#[test]
fn what_is_another_runs_is_left_to_it_and_holds_up_no_other() {
    let mut bench = Bench::new();
    let plan = |key: &'static str| {
        move |tx: &Tx<'_>| outbox::plan(tx, "evm", key, "pay", &payee(9).to_string(), &json!({}))
    };
    left(&mut bench, "pay:1", 1);
    bench.seat.state.write(Permit::dry_run(), plan("pay:9")).unwrap();
    let (mut state, stop) = (bench.seat.beside(), Stop::default());
    let mut desk = desk(&bench, &mut state, &stop);
    let asked = Cell::new(0);
    let mine = |operation: &Operation, sender: Option<&_>| {
        asked.set(asked.get() + 1);
        assert_eq!(sender, (operation.key == "pay:1").then(payer).as_ref());
        operation.subject == payee(1).to_string()
    };
    let done = run(while_mined(&bench.node, outbox::settle_open(&mut desk, Some(consent()), &Notes, &mine)));
    assert_eq!((done.unwrap().len(), asked.get()), (1, 2));
    assert_eq!(bench.seat.operations(), ["evm pay:1 recorded 1 1", "evm pay:9 planned 0 0"]);
    // Somebody else's open one, of whatever, is not waited for.
    let url = bench.node.url().to_owned();
    settled(&bench.submit(&url, &pay("pay:2", payee(2), ether()), PATIENT), Status::Confirmed);
    assert_eq!(bench.seat.value::<String>("SELECT state FROM operations WHERE key = 'pay:9'"), "planned");
}

/// Finds one of two intents decided from what is not so any more.
struct Changed;

impl Recorder<evm::Evm> for Changed {
    fn record(&self, tx: &Tx<'_>, operation: &Operation, settled: &Settled<evm::Evm>) -> Result<()> {
        Notes.record(tx, operation, settled)
    }

    fn still(&self, conn: &Connection, intent: &evm::Intent) -> Result<()> {
        assert!(!conn.is_autocommit(), "it is asked in the write");
        match intent.key.as_str() {
            "pay:1" => Err(base::Error::new(Code::StateChanged, "changed")),
            _ => Ok(()),
        }
    }
}

#[test]
fn what_it_was_decided_from_is_asked_in_the_write_that_plans_it() {
    let bench = Bench::new();
    let (mut state, stop) = (bench.seat.beside(), Stop::default());
    let mut desk = desk(&bench, &mut state, &stop);
    let intents = [1, 2].map(|n| pay(&format!("pay:{n}"), payee(n), ether()));
    let done = run(while_mined(&bench.node, outbox::submit(&mut desk, consent(), &intents, &Keys, &Changed)));
    let done = done.unwrap();
    assert_eq!(done[0].as_ref().unwrap_err().code(), Code::StateChanged);
    settled(&done[1], Status::Confirmed);
    assert_eq!(bench.seat.operations(), ["evm pay:2 recorded 1 1"]);
    assert_eq!((bench.balance(payee(1)), bench.balance(payee(2))), (alloy::primitives::U256::ZERO, ether()));
}

#[test]
fn every_change_of_an_operation_asks_for_the_state_that_it_was_read_in() {
    let mut bench = Bench::new();
    let signed = |hash: &str| outbox::Signed {
        envelope: "00".into(),
        hash: hash.repeat(32),
        max_fee: 1,
        validity: None,
    };
    let mut write =
        |body: &dyn Fn(&Tx<'_>) -> Result<()>| bench.seat.state.write(Permit::dry_run(), |tx| body(tx));
    let plan = |tx: &Tx<'_>| outbox::plan(tx, "evm", "pay:1", "pay", "somebody", &json!({}));
    write(&|tx| {
        let id = plan(tx)?;
        outbox::signed(tx, id, &signed("01"), "one").map(drop)
    })
    .unwrap();
    let is_changed = |done: Result<()>| assert_eq!(done.unwrap_err().code(), Code::StateChanged);
    // Another run has signed it: it is neither planned nor signed anew, nor given up as one that was never signed.
    is_changed(write(&|tx| plan(tx).map(drop)));
    is_changed(write(&|tx| outbox::signed(tx, 1, &signed("02"), "one").map(drop)));
    let ends = |from| move |tx: &Tx<'_>| outbox::end(tx, 1, from, OperationState::Expired, None);
    write(&|tx| {
        assert!(!ends(OperationState::Planned)(tx)?);
        assert!(outbox::end_attempt(tx, 1, 1, AttemptOutcome::Expired, None)?);
        assert!(!outbox::end_attempt(tx, 1, 1, AttemptOutcome::Confirmed, None)?, "it has ended");
        assert!(ends(OperationState::Signed)(tx)?);
        assert!(!ends(OperationState::Signed)(tx)?, "it is not signed any more");
        Ok(())
    })
    .unwrap();
    assert_eq!(bench.seat.operations(), ["evm pay:1 expired 1 0"]);
}
