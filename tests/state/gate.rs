//! What stands in the way of a deposit or a withdrawal, and what opens a breaker again after its reset.

use crate::support::{Place, config, run, work};
use base::Stop;
use state::{Permit, State};
use vault::pool::{self, Pool};
use vault::risk::rules::Rule;
use vault::risk::verdict::ReasonCode;
use vault::risk::{self, Barrier};

const NOW: i64 = 1_700_000_000;

fn stable(state: &State) -> Pool {
    pool::find(state.conn(), "stable").unwrap()
}

/// The reason codes of everything in the way of the pool `stable` at `now`.
fn barriers(place: &Place, now: i64) -> Vec<&'static str> {
    let state = place.reader();
    let gate = risk::gate(state.conn(), &config(&[]), &stable(&state), now).unwrap();
    let unknown = gate.barriers.iter().any(|barrier| matches!(barrier, Barrier::RiskUnknown(_)));
    assert_eq!(gate.parameters.is_err(), unknown);
    gate.barriers.iter().map(|barrier| ReasonCode::from(barrier).as_str()).collect()
}

fn meddle(place: &Place, sql: &str) {
    assert_eq!(place.outsider().execute(sql, []).unwrap(), 1, "{sql}");
}

#[test]
fn everything_in_the_way_is_named_and_nothing_hides_another() {
    let place = Place::lived_in();
    meddle(&place, &format!("UPDATE pool_risk_parameters SET refreshed_at = {NOW} WHERE pool_id = 2"));
    assert_eq!(barriers(&place, NOW), Vec::<&str>::new());
    assert_eq!(barriers(&place, NOW + 3600), Vec::<&str>::new(), "exactly at risk.max_age_sec");
    assert_eq!(barriers(&place, NOW + 3601), ["risk_unknown"]);
    assert_eq!(barriers(&place, NOW - 301), ["risk_unknown"], "confirmed in the future");
    {
        let (lock, stop, config) = (place.lock(), Stop::default(), config(&[]));
        let mut state = place.writer(&lock);
        let pool = stable(&state);
        assert!(risk::pause(&mut work(&config, &mut state, &lock, &stop), &pool, "audit").unwrap());
        assert!(!risk::pause(&mut work(&config, &mut state, &lock, &stop), &pool, "again").unwrap());
        state.write(Permit::of(&lock), |tx| risk::trip(tx, &pool, Rule::WithdrawalRate, "a run")).unwrap();
    }
    assert_eq!(barriers(&place, NOW), ["emergency_paused", "breaker_active"]);
    meddle(
        &place,
        "UPDATE pool_risk_parameters SET engine_emergency = 1, engine_breaker = 1 WHERE pool_id = 2",
    );
    let all = ["risk_unknown", "emergency_paused", "emergency_paused", "breaker_active", "breaker_active"];
    assert_eq!(barriers(&place, NOW + 3601), all, "what the engine said last holds however old it is");
    let state = place.reader();
    let gate = risk::gate(state.conn(), &config(&[]), &stable(&state), NOW).unwrap();
    let why: Vec<String> = gate.barriers.iter().map(Barrier::why).collect();
    let want = [
        "paused here: audit",
        "paused at the engine",
        "withdrawal_rate: a run",
        "at the engine: no reason given",
    ];
    assert_eq!(why, want);
    drop(state);
    meddle(&place, "DELETE FROM pool_risk_parameters WHERE pool_id = 2");
    assert_eq!(barriers(&place, NOW), ["risk_unknown", "breaker_active"]);
}

#[test]
fn a_pool_that_was_only_paused_has_no_limits_once_it_is_not() {
    let place = Place::lived_in();
    meddle(&place, "DELETE FROM pool_risk_parameters WHERE pool_id = 2");
    let (lock, stop, config) = (place.lock(), Stop::default(), config(&[]));
    let mut state = place.writer(&lock);
    let pool = stable(&state);
    assert!(risk::pause(&mut work(&config, &mut state, &lock, &stop), &pool, "audit").unwrap());
    assert_eq!(barriers(&place, NOW), ["risk_unknown", "emergency_paused"]);
    assert!(risk::unpause(&mut work(&config, &mut state, &lock, &stop), &pool, "done").unwrap());
    assert!(!risk::unpause(&mut work(&config, &mut state, &lock, &stop), &pool, "done").unwrap());
    assert_eq!(barriers(&place, NOW), ["risk_unknown"], "unset is not unlimited");
    // To say that nothing is limited is a decision too.
    let unlimited = risk::SetRisk { max_tvl: Some(None), ..risk::SetRisk::default() };
    let (_, changed) = risk::set(&mut work(&config, &mut state, &lock, &stop), &pool, &unlimited).unwrap();
    assert!(changed);
    assert_eq!(barriers(&place, NOW), Vec::<&str>::new());
}

#[test]
fn after_a_reset_only_what_is_new_opens_the_breaker_again() {
    let place = Place::lived_in();
    meddle(&place, "UPDATE pool_risk_parameters SET breaker_threshold_ppm = 100000 WHERE pool_id = 2");
    let withdraw = |assets: u64, at: i64| {
        meddle(
            &place,
            &format!(
                "INSERT INTO pool_withdrawals (pool_id, member_id, shares, assets, status, requested_at)
                 VALUES (2, 1, '1', '{assets}', 'pending', {at})"
            ),
        );
    };
    let watch = || {
        let lock = place.lock();
        let mut state = place.writer(&lock);
        let pool = stable(&state);
        let opened = state.write(Permit::of(&lock), |tx| risk::watch_withdrawals(tx, &pool)).unwrap();
        (opened, risk::breaker(state.conn(), &pool).unwrap().is_some_and(|breaker| breaker.active))
    };
    // A tenth of 2301.234567 is 230.1234567, of which base units are whole.
    withdraw(230_123_456, NOW - 100);
    assert_eq!(watch(), (false, false), "exactly at the threshold");
    withdraw(1, NOW - 86_400);
    assert_eq!(watch(), (true, true), "one base unit more, at the edge of the 24 hours");
    assert_eq!(watch(), (false, true), "it opens once");
    {
        let (lock, stop, config) = (place.lock(), Stop::default(), config(&[]));
        let mut state = place.writer(&lock);
        let pool = stable(&state);
        assert!(risk::reset_breaker(&mut work(&config, &mut state, &lock, &stop), &pool, "checked").unwrap());
        assert!(!risk::reset_breaker(&mut work(&config, &mut state, &lock, &stop), &pool, "again").unwrap());
        let closed = risk::breaker(state.conn(), &pool).unwrap().unwrap();
        assert_eq!(closed.reset, Some((run().clock.now(), "checked".to_owned())));
    }
    assert_eq!(watch(), (false, false), "the same withdrawals are known");
    withdraw(1, NOW);
    assert_eq!(watch(), (true, true), "a new one is not");
    meddle(&place, &format!("UPDATE pool_withdrawals SET requested_at = {NOW} - 86401 WHERE assets <> '1'"));
    meddle(&place, "UPDATE circuit_breaker_status SET active = 0, reset_at = 1, reset_reason = 'x'");
    assert_eq!(watch(), (false, false), "yesterday's do not count");
}
