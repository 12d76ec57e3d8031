//! Double entry under random movements: what balances is booked, what does not changes nothing.

use crate::support::Place;
use base::Code;
use base::amount::{Base, Delta};
use proptest::prelude::*;
use serde_json::json;
use state::{Account, Line, OwnerKind, Permit, State, balance};

const ASSETS: [&str; 2] = ["0xA", "0xB"];

/// Who there is: a source, and four holdings.
fn account(who: usize, asset: usize) -> Account {
    let (owner_kind, owner, purpose) = match who {
        0 => (OwnerKind::Operator, "operator", "reward_emission"),
        1 => (OwnerKind::Pool, "0xP", "escrow"),
        2 => (OwnerKind::Pool, "0xP", "fees"),
        3 => (OwnerKind::Member, "0xM", "available"),
        _ => (OwnerKind::Farmer, "f1", "available"),
    };
    Account { owner_kind, owner: owner.into(), purpose, asset: ASSETS[asset].into(), overdraft: who == 0 }
}

/// A movement: from, to, asset, amount, and a fault in it.
type Step = (usize, usize, usize, Base, bool);

fn amount() -> impl Strategy<Value = Base> {
    prop_oneof![
        (0u64..20).prop_map(Base::from),
        any::<u128>().prop_map(Base::from),
        any::<[u64; 4]>().prop_map(Base::from_limbs),
        Just(Base::MAX),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0usize..5, 0usize..5, 0usize..2, amount(), proptest::bool::weighted(0.1));
    proptest::collection::vec(step, 1..25)
}

fn balances(state: &State) -> Vec<Delta> {
    let all = (0..5).flat_map(|who| (0..2).map(move |asset| (who, asset)));
    all.map(|(who, asset)| balance(state.conn(), &account(who, asset)).unwrap()).collect()
}

fn events(state: &State) -> i64 {
    state::verify_chain(state.conn()).unwrap().events
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn books_always_balance(steps in steps()) {
        let place = Place::fresh();
        let lock = place.lock();
        let mut state = place.writer(&lock);
        for (from, to, asset, amount, fault) in steps {
            let (before, counted) = (balances(&state), events(&state));
            let mut lines = vec![
                Line { account: account(from, asset), amount: Delta::debit(amount) },
                Line { account: account(to, asset), amount: Delta::credit(amount) },
            ];
            if fault {
                lines.push(Line { account: account(to, asset), amount: Delta::credit(Base::from(1u8)) });
            }
            let done = state.write(Permit::of(&lock), |tx| {
                let event = tx.event("moved", "x", &json!({ "amount": amount.to_string() }))?;
                tx.post(event, &lines)
            });
            let after = balances(&state);
            match done {
                Ok(()) => {
                    prop_assert!(!fault);
                    prop_assert_eq!(events(&state), counted + 1);
                    let mut want = before;
                    if from != to {
                        for (who, moved) in [(from, Delta::debit(amount)), (to, Delta::credit(amount))] {
                            let slot = &mut want[who * 2 + asset];
                            *slot = slot.checked_add(moved).unwrap();
                        }
                    }
                    prop_assert_eq!(after, want);
                }
                Err(e) => {
                    let held = before[from * 2 + asset].checked_add(Delta::debit(amount));
                    let short = from != 0 && from != to && held.is_none_or(Delta::is_negative);
                    let large = e.to_string().contains("passes 256 bits");
                    prop_assert!(fault || short || large, "{}", e);
                    prop_assert_eq!(e.code(), if short && !fault && !large { Code::State } else { Code::Bug });
                    prop_assert_eq!(after, before, "nothing moved");
                    prop_assert_eq!(events(&state), counted, "and nothing was said");
                }
            }
        }
        let report = state::check(state.conn(), false).unwrap();
        prop_assert_eq!(report.findings, []);
    }
}
