//! Two runs at the same time on one state: each operation is led by one of them, and recorded once.

use crate::support::*;
use alloy::primitives::{Address, B256, Signature};
use base::{Code, Result, Stop};
use futures_util::future::join;
use outbox::{
    AttemptOutcome, Desk, Operation, OperationState, Outlook, Pace, Recorder, Settled, Signed, Status,
    Submitted,
};
use poolctl_testkit::{Fault, Proxy, Rule};
use rusqlite::Connection;
use serde_json::json;
use state::{Permit, State, Tx};
use std::cell::Cell;
use std::time::{Duration, Instant};

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

/// Another program holds the state from the first signature on.
struct Held {
    other: Connection,
    since: Cell<Option<Instant>>,
}

impl evm::Signers for Held {
    fn sign(&self, account: Address, hash: B256) -> Result<Signature> {
        if self.since.get().is_none() {
            self.other.execute_batch("BEGIN IMMEDIATE").unwrap();
            self.since.set(Some(Instant::now()));
        }
        evm::Signers::sign(&Keys, account, hash)
    }
}

#[test]
fn a_state_that_is_held_is_waited_for_once() {
    const WAIT: Duration = Duration::from_secs(2);
    let bench = Bench::new();
    let (mut state, stop) = (bench.seat.beside(), Stop::default());
    let held = Held { other: Connection::open(state.path()).unwrap(), since: Cell::new(None) };
    state.conn().busy_timeout(WAIT).unwrap();
    let mut desk = desk(&bench, &mut state, &stop);
    let intents = [pay("pay:1", payee(1), ether())];
    let done = run(while_mined(&bench.node, outbox::submit(&mut desk, consent(), &intents, &held, &Notes)));
    let took = held.since.get().unwrap().elapsed();
    assert_eq!(done.unwrap().remove(0).unwrap_err().code(), Code::StateLocked);
    assert!(took < WAIT * 2, "{took:?}");
    drop(held);
    // Nothing was stored, so nothing was sent.
    assert_eq!(bench.seat.operations(), ["evm pay:1 planned 0 0"]);
    assert_eq!(bench.nonce(payer()), 0);
}

/// An envelope that is not looked at.
fn signed(hash: &str) -> Signed {
    Signed { envelope: "00".into(), hash: hash.repeat(32), max_fee: 1, validity: None }
}

#[test]
fn what_is_recorded_from_is_the_plan_of_the_envelope() {
    let mut bench = Bench::new();
    let of_run = |n: u32| json!({ "n": n });
    let write = |tx: &Tx<'_>| {
        for n in [1, 2] {
            outbox::plan(tx, "evm", "pay:1", "pay", "somebody", &of_run(n))?;
        }
        // The run that planned first signs first.
        outbox::signed(tx, 1, &of_run(1), &signed("01"), "one")
    };
    bench.seat.state.write(Permit::dry_run(), write).unwrap();
    let stored = outbox::find(bench.seat.state.conn(), "pay:1").unwrap().unwrap();
    assert_eq!((stored.state, stored.plan), (OperationState::Signed, of_run(1)));
}

#[test]
fn what_was_planned_anew_after_a_failed_attempt_is_given_up_as_one_without_an_envelope() {
    let mut bench = Bench::new();
    let plan = json!({});
    let write = |tx: &Tx<'_>| {
        let id = outbox::plan(tx, "evm", "pay:1", "pay", "somebody", &plan)?;
        outbox::signed(tx, id, &plan, &signed("01"), "one")?;
        outbox::end_attempt(tx, id, 1, AttemptOutcome::Failed, None)?;
        outbox::end(tx, id, OperationState::Signed, OperationState::Failed, None)?;
        outbox::plan(tx, "evm", "pay:1", "pay", "somebody", &plan)
    };
    bench.seat.state.write(Permit::dry_run(), write).unwrap();
    assert_eq!(bench.seat.operations(), ["evm pay:1 planned 1 0"]);
    let (mut state, stop) = (bench.seat.beside(), Stop::default());
    let mut desk = desk(&bench, &mut state, &stop);
    let looked = run(outbox::look(&desk)).unwrap();
    assert!(matches!(looked.as_slice(), [(_, Ok(Outlook::Unsigned))]), "{looked:?}");
    let given = run(outbox::may_give_up(&desk, 1, &Notes)).unwrap();
    assert!(given.known.is_none());
    let mut give_up = || outbox::give_up(&mut desk, consent(), &given, "lost", &Notes);
    give_up().unwrap();
    assert_eq!(bench.seat.operations(), ["evm pay:1 expired 1 1"]);
    assert_eq!(give_up().unwrap_err().code(), Code::StateChanged, "it has ended");
}

#[test]
fn every_change_of_an_operation_asks_for_the_state_that_it_was_read_in() {
    let mut bench = Bench::new();
    let mut write =
        |body: &dyn Fn(&Tx<'_>) -> Result<()>| bench.seat.state.write(Permit::dry_run(), |tx| body(tx));
    let plan = |tx: &Tx<'_>| outbox::plan(tx, "evm", "pay:1", "pay", "somebody", &json!({}));
    write(&|tx| {
        let id = plan(tx)?;
        outbox::signed(tx, id, &json!({}), &signed("01"), "one").map(drop)
    })
    .unwrap();
    let is_changed = |done: Result<()>| assert_eq!(done.unwrap_err().code(), Code::StateChanged);
    // Another run has signed it: it is neither planned nor signed anew, nor given up as one that was never signed.
    is_changed(write(&|tx| plan(tx).map(drop)));
    is_changed(write(&|tx| outbox::signed(tx, 1, &json!({}), &signed("02"), "one").map(drop)));
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
