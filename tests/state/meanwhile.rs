//! What another run writes between the decision of one and its write: nothing is overwritten that was not seen, and it is decided
//! anew. The other run is a second connection: it writes when the service asks for the chain or tells how far it is, or right
//! before the service begins to write; only debug builds can be stopped there.
#![cfg(debug_assertions)]

use crate::broken::with_withdrawals;
use crate::onchain::{ASSET, HISTORY, Net, PoolPlan, member_address, pool_address, store, vault};
use crate::support::{Place, config, run_at, work};
use alloy::primitives::{Address, B256, Bytes, keccak256};
use base::amount::Base;
use base::{Code, Endpoint, Error, Progress, Result, Stop};
use config::Config;
use evm::{At, Chain, ChainConfig};
use rusqlite::Connection;
use state::alert::{self, Subject};
use state::{Consent, Lock, Permit, State, ValuePermit, WriteContext};
use std::cell::Cell;
use std::rc::Rc;
use vault::feed::quote::Limits;
use vault::feed::{self, AddFeed, Source};
use vault::oracle::{self, Deviation};
use vault::pool::{self, AddPool, Pool};
use vault::reward::{self, CycleReport};
use vault::risk::rules::Rule;
use vault::risk::{self, Engine, SetRisk};
use vault::sync::{self, SyncStatus};
use vault::withdrawal::{self, Evidence, Request, Requested, Status};

/// What comes of `body`, where another run writes this when `body` has decided what to write and is about to.
fn meanwhile<T>(place: &Place, sql: &str, body: impl FnOnce() -> T) -> T {
    let (other, batch, written) = (place.outsider(), format!("BEGIN IMMEDIATE; {sql}"), Rc::default());
    let has_written: Rc<Cell<bool>> = Rc::clone(&written);
    State::before_next_write(move || {
        other.execute_batch(&batch).unwrap();
        other.execute_batch("COMMIT").unwrap();
        has_written.set(true);
    });
    let done = body();
    assert!(written.get(), "nothing was to be written");
    done
}

fn meddle(place: &Place, sql: &str) {
    place.outsider().execute_batch(sql).unwrap();
}

fn text(place: &Place, sql: &str) -> String {
    let read = |row: &rusqlite::Row<'_>| row.get::<_, Option<String>>(0);
    let value = place.outsider().query_row(&format!("SELECT CAST(({sql}) AS TEXT)"), [], read).unwrap();
    value.unwrap_or_else(|| "NULL".to_owned())
}

fn events(place: &Place) -> String {
    text(place, "SELECT max(id) FROM events")
}

/// Does something whenever the service tells how far it is.
struct Hook<F: Fn(&str)>(F);

impl<F: Fn(&str)> Progress for Hook<F> {
    fn begin(&self, what: &str, _total: Option<u64>) {
        (self.0)(what);
    }
    fn advance(&self, _steps: u64) {
        (self.0)("advance");
    }
    fn note(&self, _text: &str) {}
    fn end(&self) {}
}

/// Two pools of the same weight on a chain, with a member each that has all shares from the first block on.
struct World {
    net: Net,
    place: Place,
    config: Config,
    first: u64,
    stop: Stop,
}

impl World {
    fn new(shares: u64) -> Self {
        let net = Net::start().unwrap();
        let first = net.node.block_number().unwrap() + 1;
        let moves = if shares == 0 { vec![] } else { vec![(0, 0, 1, Base::from(shares))] };
        let plans = vec![PoolPlan { ppm: 1_000_000, paused: false, moves }; 2];
        for (i, pool) in plans.iter().enumerate() {
            net.node.set_code(pool_address(i), &vault(&pool.past(first), false)).unwrap();
        }
        // A token of 18 decimals, whatever it is asked.
        net.node.set_code(ASSET, &answers(18)).unwrap();
        net.node.mine(HISTORY).unwrap();
        let place = Place::fresh();
        let lock = place.lock();
        place.writer(&lock).write(Permit::of(&lock), |tx| store(tx, &net, &plans, first)).unwrap();
        drop(lock);
        let config = config(&[
            ("reward.asset", ASSET.to_string()),
            ("reward.block_reward", "1".to_owned()),
            ("reward.epoch_blocks", "10".to_owned()),
            ("evm.overlap_blocks", "0".to_owned()),
        ]);
        Self { net, place, config, first, stop: Stop::default() }
    }

    fn open(&self) -> (Lock, State) {
        let lock = self.place.lock();
        let state = self.place.writer(&lock);
        (lock, state)
    }

    fn work<'a>(&'a self, state: &'a mut State, lock: &'a Lock) -> WriteContext<'a> {
        work(&self.config, state, lock, &self.stop)
    }

    fn weigh(&self) {
        let (lock, mut state) = self.open();
        for pool in pool::list(state.conn()).unwrap() {
            let mut work = self.work(&mut state, &lock);
            let set = reward::set_weight(&mut work, || Ok(self.chain()), &pool, 1_000_000);
            self.net.runtime.block_on(set).unwrap();
        }
    }

    fn chain(&self) -> Chain {
        self.net.chain.clone()
    }

    fn cycle(&self, progress: &dyn Progress) -> Result<CycleReport> {
        let (lock, mut state) = self.open();
        let first = reward::schedule(state.conn())?.is_empty().then_some(self.first);
        let agreed = ValuePermit::obtain(Permit::of(&lock), Consent::NotNeeded, "pay")?;
        let mut work = WriteContext { progress, ..self.work(&mut state, &lock) };
        self.net.runtime.block_on(reward::cycle(&mut work, &self.net.chain, &agreed, first, At::Latest))
    }

    fn sync(&self, progress: &dyn Progress) -> Result<sync::SyncReport> {
        let (lock, mut state) = self.open();
        let pools = pool::list(state.conn())?;
        let mut work = WriteContext { progress, ..self.work(&mut state, &lock) };
        self.net.runtime.block_on(sync::sync(&mut work, &self.net.chain, &pools, At::Latest))
    }

    #[track_caller]
    fn is_sound(&self) {
        assert_eq!(self.place.check().findings, []);
    }
}

fn epochs(report: &CycleReport) -> Vec<usize> {
    report.pools.iter().map(|pool| pool.epochs.len()).collect()
}

const PAUSED: &str =
    "INSERT INTO pool_risk_parameters (pool_id, engine, window, deposits_enabled, withdrawals_enabled,
         engine_breaker, engine_emergency, local_pause_reason, local_paused_at)
     VALUES (1, 'local', 'utc-day', 1, 1, 0, 0, 'audit', 1)";

#[test]
fn what_forbids_a_pool_to_move_stops_every_epoch_that_is_not_paid() {
    for (stop, go_on, code) in [
        (PAUSED, "DELETE FROM pool_risk_parameters", Code::PoolPaused),
        (
            "INSERT INTO circuit_breaker_status VALUES (1, 1, 'withdrawal_rate', 'a run', 1, NULL, NULL)",
            "DELETE FROM circuit_breaker_status",
            Code::BreakerActive,
        ),
    ] {
        let world = World::new(1_000);
        world.weigh();
        // Once the first epoch is paid.
        let paid = Cell::new(0);
        let hook = Hook(|what| {
            paid.set(paid.get() + u32::from(what == "advance"));
            if what == "advance" && paid.get() == 1 {
                meddle(&world.place, stop);
            }
        });
        let report = world.cycle(&hook).unwrap();
        assert_eq!(epochs(&report), [1, 3], "{report:?}");
        assert_eq!(report.pools[0].failure.as_ref().unwrap().code(), code);
        assert!(report.pools[1].failure.is_none(), "{report:?}");
        world.is_sound();
        meddle(&world.place, go_on);
        assert_eq!(epochs(&world.cycle(&Hook(|_| {})).unwrap()), [2, 0], "nothing is lost by it");
        world.is_sound();
    }
}

#[test]
fn no_epoch_is_paid_by_transfers_that_were_replaced() {
    const REPLACED: &str = "UPDATE pools SET rewrites = rewrites + 1 WHERE id = 1";
    let world = World::new(1_000);
    world.weigh();
    let once = Cell::new(true);
    let hook = Hook(|what| {
        if what == "advance" && once.replace(false) {
            meddle(&world.place, REPLACED);
        }
    });
    // It is decided anew, and told as if nothing had been.
    let report = world.cycle(&hook).unwrap();
    assert_eq!(epochs(&report), [3, 3]);
    assert!(report.pools.iter().all(|pool| pool.failure.is_none()), "{report:?}");
    assert!(!once.get());
    world.is_sound();

    // A pool that is changed each time is not paid; the other one is.
    let world = World::new(1_000);
    world.net.node.mine(20).unwrap();
    world.weigh();
    let hook = Hook(|what| {
        if what.starts_with("distributing") {
            meddle(&world.place, REPLACED);
        }
    });
    let report = world.cycle(&hook).unwrap();
    assert_eq!(epochs(&report), [0, 5], "what was paid is told");
    assert_eq!(report.pools[0].failure.as_ref().unwrap().code(), Code::StateChanged);
    assert!(report.pools[1].failure.is_none(), "{report:?}");
    let paid = |pool: u8| {
        let sql = "SELECT count(*) FROM pool_rewards r JOIN pool_reward_epochs e ON e.id = r.epoch_id WHERE";
        text(&world.place, &format!("{sql} e.pool_id = {pool}"))
    };
    assert_eq!([paid(1), paid(2)], ["0", "5"]);
    world.is_sound();
    world.cycle(&Hook(|_| {})).unwrap();
    assert_eq!([paid(1), paid(2)], ["5", "5"]);
    world.is_sound();
}

#[test]
fn an_epoch_is_shared_out_by_the_weights_that_stand_there_when_it_is_written() {
    let world = World::new(1_000);
    meddle(&world.place, "INSERT INTO pool_reward_weights VALUES (1, 0, 1000000, 1)");
    let more = "INSERT INTO pool_reward_weights VALUES (2, 0, 1000000, 1)";
    let report = meanwhile(&world.place, more, || world.cycle(&Hook(|_| {}))).unwrap();
    assert_eq!(epochs(&report), [3, 3], "{report:?}");
    let parts = text(&world.place, "SELECT group_concat(DISTINCT weight_sum_ppm) FROM pool_reward_epochs");
    assert_eq!(parts, "2000000");
    world.is_sound();
}

#[test]
fn no_epoch_is_paid_by_weights_that_are_others_by_then() {
    let world = World::new(1_000);
    world.weigh();
    let less = format!("INSERT INTO pool_reward_weights VALUES (2, {}, 500000, 1)", world.first);
    let once = Cell::new(true);
    let hook = Hook(|what| {
        if what.starts_with("distributing") && once.replace(false) {
            meddle(&world.place, &less);
        }
    });
    let report = world.cycle(&hook).unwrap();
    assert_eq!(epochs(&report), [3, 3], "{report:?}");
    let parts = text(&world.place, "SELECT group_concat(DISTINCT weight_sum_ppm) FROM pool_reward_epochs");
    assert_eq!((parts.as_str(), once.get()), ("1500000", false));
    world.is_sound();
}

#[test]
fn a_cycle_takes_back_nothing_that_settings_announced_meanwhile() {
    const SET: &str = "INSERT INTO system_config VALUES";
    let world = World::new(1_000);
    world.weigh();
    let other = format!("{SET} ('reward.check_holders', '7', 1)");
    let e = meanwhile(&world.place, &other, || world.cycle(&Hook(|_| {}))).unwrap_err();
    assert_eq!(e.code(), Code::StateChanged, "{e}");
    assert!(e.message().contains("setting reward.check_holders"), "{e}");
    assert_eq!(text(&world.place, "SELECT count(*) FROM reward_schedule"), "0", "nothing is written");
    meddle(&world.place, "DELETE FROM system_config");
    // A flag goes before what is stored.
    let other = format!("{SET} ('reward.block_reward', '2', 1)");
    let report = meanwhile(&world.place, &other, || world.cycle(&Hook(|_| {}))).unwrap();
    assert_eq!(epochs(&report), [3, 3], "{report:?}");
}

#[test]
fn a_weight_is_not_set_for_what_was_shared_out_meanwhile() {
    let world = World::new(1_000);
    let (first, asset) = (world.first, ASSET);
    let begun = format!(
        "INSERT INTO reward_schedule VALUES ({first}, 10, '1', '{asset}', 'time-weighted', 1);
         INSERT INTO reward_emissions VALUES ({first}, {first} + 10, '10', '0', '10', 1)"
    );
    let (lock, mut state) = world.open();
    let pool = pool::find(state.conn(), "p0").unwrap();
    let set = meanwhile(&world.place, &begun, || {
        let mut work = world.work(&mut state, &lock);
        world
            .net
            .runtime
            .block_on(reward::set_weight(&mut work, || Ok(world.chain()), &pool, 500_000))
            .unwrap()
    });
    assert!(set.changed && set.effective_block > world.net.node.block_number().unwrap(), "{set:?}");
}

#[test]
fn a_claim_credits_what_was_agreed_to_and_nothing_else() {
    let world = World::new(1_000);
    world.weigh();
    world.cycle(&Hook(|_| {})).unwrap();
    let (lock, state) = world.open();
    let member = pool::find_member(state.conn(), &member_address(0).to_string()).unwrap();
    let seen = reward::pending(state.conn(), &member, None).unwrap();
    assert_eq!(seen.iter().map(|pending| pending.epochs).collect::<Vec<_>>(), [3, 3]);
    drop((lock, state));
    world.net.node.mine(10).unwrap();
    world.cycle(&Hook(|_| {})).unwrap();

    let before = events(&world.place);
    let (lock, mut state) = world.open();
    let mut work = world.work(&mut state, &lock);
    let agreed = ValuePermit::obtain(Permit::of(&lock), Consent::NotNeeded, "claim").unwrap();
    let e = reward::claim(&mut work, &agreed, &member, None, &seen).unwrap_err();
    assert_eq!(e.code(), Code::StateChanged);
    assert_eq!(events(&world.place), before, "nothing is written");
    let seen = reward::pending(work.state.conn(), &member, None).unwrap();
    assert_eq!(reward::claim(&mut work, &agreed, &member, None, &seen).unwrap().credited, seen);
    let e = reward::claim(&mut work, &agreed, &member, None, &seen).unwrap_err();
    assert_eq!(e.code(), Code::StateChanged, "another claim was faster");
    drop((lock, state));
    world.is_sound();
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn offline() -> Result<Chain> {
    Err(Error::new(Code::Bug, "the network is not asked"))
}

/// How a withdrawal is ended.
type End = fn(&mut WriteContext<'_>, Evidence<'_>) -> Result<()>;

/// A withdrawal that was ended, or whose transaction was taken, after it was looked at.
#[test]
fn a_withdrawal_is_ended_once() {
    const WORD: &str =
        "UPDATE pool_withdrawals SET status = 'completed', verified = 0, ended_at = 1 WHERE id = 1";
    const FAILED: &str =
        "UPDATE pool_withdrawals SET status = 'failed', error = 'x', ended_at = 1 WHERE id = 1";
    let taken = format!(
        "UPDATE pool_withdrawals SET status = 'processing', processing_at = 1, tx_hash = '{}' WHERE id = 4",
        B256::repeat_byte(9)
    );
    let complete: End = |work, by_word| {
        let tx = Some(B256::repeat_byte(9));
        block_on(withdrawal::complete(work, offline, 1, tx, by_word)).map(drop)
    };
    let fail: End = |work, _| block_on(withdrawal::fail(work, offline, 1, "late", Evidence::Chain)).map(drop);
    for (other, end, why, status) in [
        (FAILED, complete, "withdrawal 1 failed: x", "failed"),
        (WORD, complete, "withdrawal 1 was completed without a transaction", "completed"),
        (taken.as_str(), complete, "is named by withdrawal 4 already", "pending"),
        (WORD, fail, "it was completed on your word", "completed"),
    ] {
        let place = with_withdrawals();
        let (lock, stop, config, before) = (place.lock(), Stop::default(), config(&[]), events(&place));
        let mut state = place.writer(&lock);
        let agreed = ValuePermit::obtain(Permit::of(&lock), Consent::Given, "withdraw").unwrap();
        let e = meanwhile(&place, other, || {
            end(&mut work(&config, &mut state, &lock, &stop), Evidence::Word(agreed)).unwrap_err()
        });
        assert_eq!(e.code(), Code::Conflict, "{e}");
        assert!(e.message().contains(why), "{e}");
        assert_eq!(text(&place, "SELECT status FROM pool_withdrawals WHERE id = 1"), status);
        assert_eq!(events(&place), before, "{other}");
    }
    // One that failed meanwhile has failed: nothing is changed, and the first reason stays.
    let place = with_withdrawals();
    let (lock, stop, config, before) = (place.lock(), Stop::default(), config(&[]), events(&place));
    let mut state = place.writer(&lock);
    let failed = meanwhile(&place, FAILED, || {
        let mut work = work(&config, &mut state, &lock, &stop);
        block_on(withdrawal::fail(&mut work, offline, 1, "late", Evidence::Chain)).unwrap()
    });
    assert_eq!((failed.changed, failed.withdrawal.status), (false, Status::Failed));
    assert_eq!((failed.withdrawal.error.as_deref(), events(&place)), (Some("x"), before));
}

#[test]
fn what_was_reserved_meanwhile_is_not_reserved_again() {
    let place = Place::lived_in();
    let (lock, stop, config) = (place.lock(), Stop::default(), config(&[]));
    let mut state = State::write_access(&place.path(), run_at(1_795_304_925), &lock).unwrap();
    let stable = pool::find(state.conn(), "stable").unwrap();
    let alice = pool::find_member(state.conn(), "alice").unwrap();
    let unlimited = SetRisk { max_tvl: Some(None), ..SetRisk::default() };
    risk::set(&mut work(&config, &mut state, &lock, &stop), &stable, &unlimited).unwrap();
    let agreed = ValuePermit::obtain(Permit::of(&lock), Consent::Given, "withdraw").unwrap();
    let (shares, other) = (Base::from(1_000_000_000u64), "INSERT INTO pool_withdrawals
         (pool_id, member_id, shares, assets, status, requested_at) VALUES (2, 1, '1000000001', '1', 'pending', 1)");
    let (key, before) = (None, events(&place));
    let ask = Request { pool: &stable, member: &alice, shares, key };
    let done = meanwhile(&place, other, || {
        withdrawal::request(&mut work(&config, &mut state, &lock, &stop), &agreed, &ask).unwrap()
    });
    let Requested::Refused(verdict) = done else { panic!("{done:?}") };
    assert_eq!(verdict.codes(), ["insufficient_shares"]);
    assert_eq!(events(&place), before);
}

/// An engine that answers every question with zero: no limits, no breaker, no pause.
const SILENT: &[u8] = &alloy::hex!("5f5f52 6020 5f f3");
const ENGINE: Address = Address::repeat_byte(0xee);

/// The world with an engine that gives the limits of the first pool.
fn with_engine() -> World {
    let world = World::new(1_000);
    world.net.node.set_code(ENGINE, &Bytes::from_static(SILENT)).unwrap();
    let (lock, mut state) = world.open();
    let pool = pool::find(state.conn(), "p0").unwrap();
    let limits = SetRisk {
        engine: Some(Engine::Legacy(ENGINE)),
        user_daily_cap: Some(Some(Base::from(5))),
        ..SetRisk::default()
    };
    risk::set(&mut world.work(&mut state, &lock), &pool, &limits).unwrap();
    drop((lock, state));
    world
}

/// The limits of the first pool once they are refreshed, and how often the engine was asked, where another run writes this before
/// the first answer.
fn refreshed(world: &World, other: &str) -> (risk::RiskRow, u32) {
    let (lock, mut state) = world.open();
    let pools = vec![pool::find(state.conn(), "p0").unwrap()];
    let asked = Cell::new(0);
    let chain = || {
        if asked.replace(asked.get() + 1) == 0 {
            meddle(&world.place, other);
        }
        Ok(world.chain())
    };
    let mut work = world.work(&mut state, &lock);
    let (_, failures) =
        world.net.runtime.block_on(risk::refresh(&mut work, chain, &pools, At::Latest)).unwrap();
    assert!(failures.is_empty(), "{failures:?}");
    (risk::row(state.conn(), &pools[0]).unwrap().unwrap(), asked.get())
}

#[test]
fn reading_an_engine_keeps_the_limits_that_were_set_meanwhile() {
    let world = with_engine();
    let own = "UPDATE pool_risk_parameters SET user_daily_cap = '7', breaker_threshold_ppm = 9, window = 'rolling-24h'";
    let (row, asked) = refreshed(&world, own);
    assert_eq!(row.parameters.user_daily_cap, Some(Base::from(7)));
    assert_eq!((row.parameters.breaker_threshold_ppm, row.window.as_str()), (Some(9), "rolling-24h"));
    assert!(row.refreshed_at.is_some() && row.source.is_some() && asked == 1, "{row:?}");
    // An older answer of the engine is no news.
    let later = "UPDATE pool_risk_parameters SET block_number = 1000000, max_tvl = '3', endpoint = 'other'";
    let (row, _) = refreshed(&world, later);
    assert_eq!(
        (row.parameters.max_tvl, row.source),
        (Some(Base::from(3)), Some((1_000_000, "other".into())))
    );
    // One that was there before is.
    let (row, _) = refreshed(&world, "");
    assert!(row.parameters.max_tvl.is_none() && row.source.unwrap().0 < 1_000_000);
    // Limits of our own are kept as they are, whatever the engine said that they came from before.
    let taken_over = "UPDATE pool_risk_parameters SET engine = 'local', engine_address = NULL, max_tvl = '4'";
    let (row, asked) = refreshed(&world, taken_over);
    assert_eq!((row.engine, row.parameters.max_tvl, asked), (Engine::Local, Some(Base::from(4)), 1));
    // There is nobody to ask any more.
    let (row, asked) = refreshed(&world, "");
    assert_eq!((row.engine, asked), (Engine::Local, 0));
}

#[test]
fn a_breaker_opens_by_the_limits_that_stand_there() {
    let threshold = |ppm: &str| format!("UPDATE pool_risk_parameters SET breaker_threshold_ppm = {ppm}");
    for (before, then, opens) in [("1", "NULL", false), ("NULL", "1", true)] {
        let world = with_engine();
        meddle(&world.place, &threshold(before));
        meddle(
            &world.place,
            "INSERT INTO pool_withdrawals (pool_id, member_id, shares, assets, status, requested_at)
             VALUES (1, 1, '500', '500', 'pending', 1700000000)",
        );
        let (lock, mut state) = world.open();
        let pools = vec![pool::find(state.conn(), "p0").unwrap()];
        let once = Cell::new(true);
        let chain = || {
            if once.replace(false) {
                meddle(&world.place, &threshold(then));
            }
            Ok(world.chain())
        };
        let mut work = world.work(&mut state, &lock);
        let (_, checks) =
            world.net.runtime.block_on(risk::check(&mut work, chain, &pools, At::Latest)).unwrap();
        let open = risk::breaker(state.conn(), &pools[0]).unwrap().is_some_and(|breaker| breaker.active);
        assert_eq!(open, opens, "{checks:?}");
        let rate = checks[0].results.iter().find(|(rule, _)| *rule == Rule::WithdrawalRate).unwrap();
        assert_eq!(rate.1 == risk::rules::RuleResult::Ok, !opens, "{checks:?}");
    }
}

/// An adapter that answers every question with this.
fn answers(number: u8) -> Bytes {
    [&[0x60, number][..], &alloy::hex!("5f52 6020 5f f3")].concat().into()
}

const FEED: Address = Address::repeat_byte(0xfe);

#[test]
fn no_older_price_and_no_older_refusal_takes_the_place_of_a_newer_one() {
    let world = World::new(1_000);
    world.net.node.set_code(FEED, &answers(7)).unwrap();
    let lock = world.place.lock();
    // By a clock that no block of the node is ahead of.
    let mut state = State::write_access(&world.place.path(), run_at(1_795_304_925), &lock).unwrap();
    let ask = AddFeed {
        name: "usd".into(),
        asset: ASSET.to_string(),
        source: Source::Adapter { contract: FEED, token: ASSET },
        limits: Limits { max_staleness_sec: 3_600, min_e18: None, max_e18: None, max_deviation_ppm: None },
    };
    let chain = world.net.chain.clone();
    let mut work = world.work(&mut state, &lock);
    let add = feed::add(&mut work, Some(&chain), &ask, At::Latest);
    assert!(world.net.runtime.block_on(add).unwrap().1);
    let mut fetch = |other: &str, chain: &dyn Fn() -> Result<Chain>| {
        let feeds = feed::all(work.state.conn()).unwrap();
        let asked = || {
            meddle(&world.place, other);
            chain()
        };
        let read = oracle::fetch(&mut work, asked, &feeds, At::Latest, Deviation::Limited);
        world.net.runtime.block_on(read).map(|(_, fetched)| fetched[0].result.clone())
    };
    let stands = || {
        [
            "SELECT price_e18 FROM oracle_price_cache",
            "SELECT failure_streak FROM oracle_feeds",
            "SELECT count(*) FROM oracle_alerts",
        ]
        .map(|sql| text(&world.place, sql))
    };
    let now = || Ok(world.chain());
    assert_eq!(fetch("", &now).unwrap().unwrap().price_e18, Base::from(7));
    assert_eq!(stands(), ["7", "0", "0"]);

    let later = "UPDATE oracle_price_cache SET price_e18 = '8', block_at = block_at + 60, block_number = block_number + 1;
         UPDATE oracle_feeds SET answered_at = answered_at + 60, failure_streak = 2";
    assert_eq!(fetch(later, &now).unwrap().unwrap().price_e18, Base::from(7), "what was read is told");
    assert_eq!(stands(), ["8", "2", "0"], "and changes nothing");
    world.net.node.set_code(FEED, &answers(0)).unwrap();
    assert_eq!(fetch("", &now).unwrap().unwrap_err().as_str(), "invalid");
    assert_eq!(stands(), ["8", "2", "0"], "nor does a refusal");
    world.net.node.advance(120).unwrap();
    world.net.node.mine(1).unwrap();
    assert_eq!(fetch("", &now).unwrap().unwrap_err().as_str(), "invalid");
    assert_eq!(stands(), ["8", "3", "1"], "a newer one does");
    world.net.node.set_code(FEED, &answers(9)).unwrap();
    world.net.node.mine(1).unwrap();
    assert_eq!(fetch("", &now).unwrap().unwrap().price_e18, Base::from(9));
    assert_eq!(stands()[..2], ["9", "0"]);

    // Nobody hears the chain but another run.
    let dead = || {
        let endpoints = Endpoint::parse_list(&["dead=http://127.0.0.1:1"])?;
        let mut chain = ChainConfig::new("sandbox", 31_337, endpoints);
        chain.retry.attempts = 1;
        Chain::new(chain)
    };
    assert_eq!(
        fetch("UPDATE oracle_feeds SET answered_at = answered_at + 1", &dead).unwrap_err().code(),
        Code::Unreachable
    );
    assert_eq!(stands()[..2], ["9", "0"]);
    assert_eq!(fetch("", &dead).unwrap_err().code(), Code::Unreachable);
    assert_eq!(stands()[..2], ["9", "1"]);
}

#[test]
fn a_block_from_the_future_silences_no_feed() {
    let (world, honest) = (World::new(1_000), Net::start().unwrap());
    world.net.node.set_code(FEED, &answers(7)).unwrap();
    honest.node.set_code(FEED, &answers(8)).unwrap();
    honest.node.mine(1).unwrap();
    let now = honest.node.timestamp().unwrap();
    world.net.node.advance(1_000_000).unwrap();
    assert!(world.net.node.timestamp().unwrap() > now);
    meddle(
        &world.place,
        &format!(
            "INSERT INTO oracle_feeds (name, asset, kind, address, max_staleness_sec, added_at)
             VALUES ('usd', '{ASSET}', 'adapter', '{FEED}', 3600, 1)"
        ),
    );
    let (lock, clock) = (world.place.lock(), run_at(i64::try_from(now).unwrap()));
    let mut state = State::write_access(&world.place.path(), clock, &lock).unwrap();
    let feeds = feed::all(state.conn()).unwrap();
    let mut work = world.work(&mut state, &lock);
    let mut fetch = |net: &Net| {
        let chain = || Ok(net.chain.clone());
        let read = oracle::fetch(&mut work, chain, &feeds, At::Latest, Deviation::Limited);
        net.runtime.block_on(read).unwrap().1[0].result.clone()
    };
    let stands = || {
        ["SELECT price_e18 FROM oracle_price_cache", "SELECT failure_streak FROM oracle_feeds"]
            .map(|sql| text(&world.place, sql))
    };
    for (net, price) in [(&world.net, 7_u64), (&honest, 8)] {
        assert_eq!(fetch(net).unwrap().price_e18, Base::from(price));
        assert_eq!(stands(), [price.to_string(), "0".to_owned()]);
        assert_eq!(text(&world.place, "SELECT answered_at FROM oracle_feeds"), now.to_string());
    }
    honest.node.set_code(FEED, &answers(0)).unwrap();
    assert_eq!(fetch(&honest).unwrap_err().as_str(), "invalid");
    assert_eq!(stands(), ["8", "1"]);
}

#[test]
fn a_feed_that_became_another_one_is_read_anew() {
    let world = World::new(1_000);
    world.net.node.set_code(FEED, &answers(7)).unwrap();
    world.net.node.set_code(ENGINE, &answers(6)).unwrap();
    meddle(
        &world.place,
        &format!(
            "INSERT INTO oracle_feeds (name, asset, kind, address, max_staleness_sec, added_at)
             VALUES ('usd', '{ASSET}', 'adapter', '{FEED}', 3600, 1)"
        ),
    );
    let (lock, mut state) = world.open();
    let feeds = feed::all(state.conn()).unwrap();
    let chain = || {
        meddle(&world.place, &format!("UPDATE oracle_feeds SET address = '{ENGINE}'"));
        Ok(world.chain())
    };
    let mut work = world.work(&mut state, &lock);
    let read = oracle::fetch(&mut work, chain, &feeds, At::Latest, Deviation::Limited);
    let (_, fetched) = world.net.runtime.block_on(read).unwrap();
    assert_eq!(fetched[0].result.as_ref().unwrap().price_e18, Base::from(6));
    let gone = || {
        meddle(&world.place, "DELETE FROM oracle_price_cache; UPDATE oracle_feeds SET removed_at = 1");
        Ok(world.chain())
    };
    let read = oracle::fetch(&mut work, gone, &feeds, At::Latest, Deviation::Limited);
    assert!(world.net.runtime.block_on(read).unwrap().1.is_empty());
    assert_eq!(text(&world.place, "SELECT count(*) FROM oracle_price_cache"), "0");
}

#[test]
fn what_is_added_twice_at_the_same_moment_exists_already() {
    let place = Place::fresh();
    let (lock, stop, config) = (place.lock(), Stop::default(), config(&[]));
    let mut state = place.writer(&lock);
    let mut work = work(&config, &mut state, &lock, &stop);
    let address = member_address(1);
    let named = |name: &str| {
        let (sql, shown) = ("INSERT INTO members (address, name, added_at) VALUES", address.to_string());
        format!("{sql} ('{shown}', '{name}', 1)")
    };
    let add = |work: &mut WriteContext<'_>, address: Address, name: &str| {
        work.state.write(work.permit, |tx| pool::add_member(tx, address, Some(name)))
    };
    let (_, changed) = meanwhile(&place, &named("alice"), || add(&mut work, address, "alice")).unwrap();
    assert!(!changed);
    let other = named("bob").replace(&address.to_string(), &member_address(2).to_string());
    let e = meanwhile(&place, &other, || add(&mut work, member_address(3), "bob")).unwrap_err();
    assert_eq!(e.code(), Code::Conflict);

    let fixed = |price: u64| AddFeed {
        name: "usd".into(),
        asset: "USD".into(),
        source: Source::Fixed(Base::from(price)),
        limits: Limits { max_staleness_sec: 1, min_e18: None, max_e18: None, max_deviation_ppm: None },
    };
    let other = "INSERT INTO oracle_feeds (name, asset, kind, fixed_price_e18, max_staleness_sec, added_at)
         VALUES ('usd', 'USD', 'fixed', '5', 1, 1)";
    let (_, new, _) =
        meanwhile(&place, other, || block_on(feed::add(&mut work, None, &fixed(5), At::Latest))).unwrap();
    assert!(!new);
    let other = "UPDATE oracle_feeds SET name = 'eur'; UPDATE oracle_feeds SET name = 'usd'";
    meddle(&place, "UPDATE oracle_feeds SET name = 'eur'");
    let e =
        meanwhile(&place, other, || block_on(feed::add(&mut work, None, &fixed(6), At::Latest))).unwrap_err();
    assert_eq!(e.code(), Code::Conflict);
    assert_eq!(text(&place, "SELECT count(*) FROM oracle_feeds"), "1");
}

const VAULT: Address = Address::repeat_byte(0xab);

/// A vault without holders, whose asset is [`ASSET`]: every other answer is zero.
fn empty_vault() -> Bytes {
    let mut code = alloy::hex!("5f35 60e0 1c 63 38d52e0f 14 610016 57 5f5f52 6020 5f f3 5b 73").to_vec();
    code.extend(ASSET);
    code.extend(alloy::hex!("5f52 6020 5f f3"));
    code.into()
}

#[test]
fn a_pool_that_another_run_has_added_exists_already() {
    for (name, address, want) in [
        ("new", VAULT, Ok(false)),
        ("new", Address::repeat_byte(1), Err(Code::Conflict)),
        ("other", VAULT, Err(Code::Conflict)),
        ("other", Address::repeat_byte(1), Ok(true)),
    ] {
        let world = World::new(0);
        world.net.node.set_code(VAULT, &empty_vault()).unwrap();
        let ask = AddPool {
            name: "new".into(),
            address: VAULT,
            abi: Some(vault::pool::abi::Abi::Erc4626),
            asset: None,
            deploy_block: Some(0),
            max_rate_drop_ppm: None,
            default_rate_drop_ppm: 5,
            reward_genesis: None,
            symbol: None,
        };
        let other = format!(
            "INSERT INTO pools (name, address, abi, asset, share_symbol, share_decimals, deploy_block, max_rate_drop_ppm,
                 added_at) VALUES ('{name}', '{address}', 'erc4626', '{ASSET}', 'S', 0, 0, 5, 1)"
        );
        let (lock, mut state) = world.open();
        let mut work = world.work(&mut state, &lock);
        let added = meanwhile(&world.place, &other, || {
            world.net.runtime.block_on(pool::add(&mut work, &world.net.chain, &ask, At::Latest))
        });
        assert_eq!(added.as_ref().map(|added| added.new).map_err(Error::code), want, "{added:?}");
    }
}

/// The world with pools that nobody holds shares of, some blocks later.
fn to_sync() -> World {
    let world = World::new(0);
    world.net.node.mine(5).unwrap();
    world
}

#[test]
fn a_sync_goes_on_from_the_transfers_that_are_stored_when_it_writes() {
    // As a rescan does that takes everything back.
    const TAKEN_BACK: &str =
        "UPDATE pools SET cursor_block = NULL, cursor_hash = NULL, rewrites = rewrites + 1 WHERE id = 2";
    let replays = |what: &str| what.starts_with("replaying");
    let world = to_sync();
    let begun = Cell::new(0);
    let hook = Hook(|what| {
        if replays(what) && begun.replace(begun.get() + 1) == 0 {
            meddle(&world.place, TAKEN_BACK);
        }
    });
    let report = world.sync(&hook).unwrap();
    assert!(report.pools.iter().all(|pool| pool.status == SyncStatus::Synced), "{report:?}");
    let head = world.net.node.block_number().unwrap().to_string();
    assert_eq!(text(&world.place, "SELECT group_concat(cursor_block) FROM pools"), format!("{head},{head}"));
    world.is_sound();

    let world = to_sync();
    let hook = Hook(|what| {
        if replays(what) {
            meddle(&world.place, TAKEN_BACK);
        }
    });
    let e = world.sync(&hook).unwrap_err();
    assert_eq!(e.code(), Code::StateChanged);
    assert!(e.message().contains("transfers of pool \"p1\""), "{e}");
    assert_eq!(
        text(&world.place, "SELECT cursor_block FROM pools WHERE id = 2"),
        "NULL",
        "nothing is overwritten"
    );
}

#[test]
fn a_rescan_replaces_what_it_has_compared_and_nothing_else() {
    const REPLACED: &str = "UPDATE pools SET rewrites = rewrites + 1 WHERE id = 1";
    for times in [1, 9] {
        let world = to_sync();
        let (lock, mut state) = world.open();
        let begun = Cell::new(0);
        let hook = Hook(|what| {
            if what.starts_with("reading") && begun.replace(begun.get() + 1) < times {
                meddle(&world.place, REPLACED);
            }
        });
        let mut work = WriteContext { progress: &hook, ..world.work(&mut state, &lock) };
        let rescan = sync::rescan(&mut work, &world.net.chain, 1, None, At::Latest);
        let done =
            world.net.runtime.block_on(rescan).map(|done| done.corrections.len()).map_err(|e| e.code());
        let head = world.net.node.block_number().unwrap();
        let (want, tries, cursor) = match times {
            1 => (Ok(0), 2, head),
            _ => (Err(Code::StateChanged), 3, head - 5),
        };
        assert_eq!((done, begun.get()), (want, tries));
        assert_eq!(text(&world.place, "SELECT cursor_block FROM pools WHERE id = 1"), cursor.to_string());
    }
}

#[test]
fn figures_are_not_stored_of_a_pool_that_was_moved_meanwhile() {
    // Nothing is left to replay, so that the figures are the first write after the contract's.
    let world = to_sync();
    world.sync(&Hook(|_| {})).unwrap();
    let head = world.net.node.block_number().unwrap();
    let synced = "DELETE FROM pool_snapshots WHERE pool_id = 1 AND block_number = (SELECT synced_block FROM pools WHERE id = 1);
         UPDATE pools SET synced_block = (SELECT max(block_number) FROM pool_snapshots WHERE pool_id = 1) WHERE id = 1";
    meddle(&world.place, synced);
    let moved = "UPDATE pools SET cursor_block = cursor_block - 1, rewrites = rewrites + 1 WHERE id = 1";
    let report = meanwhile(&world.place, moved, || world.sync(&Hook(|_| {}))).unwrap();
    assert_eq!(report.pools[0].status, SyncStatus::Synced, "{report:?}");
    let stands = "SELECT cursor_block || ' ' || synced_block FROM pools WHERE id = 1";
    assert_eq!(text(&world.place, stands), format!("{head} {head}"));
}

#[test]
fn a_change_of_a_contract_that_was_accepted_meanwhile_is_no_change() {
    let world = to_sync();
    let code = vault(&PoolPlan { ppm: 0, paused: false, moves: vec![] }.past(0), false);
    let known = |id: u8| {
        let (old, new) = (B256::repeat_byte(1), keccak256(&code));
        format!(
            "INSERT INTO pool_contracts VALUES ({id}, '{old}', NULL, 18, 1, 1, '{new}', NULL, 18, 1, 2, NULL);"
        )
    };
    meddle(&world.place, &format!("{} {}", known(1), known(2)));
    let accepted = "UPDATE pool_contracts SET code_hash = found_code_hash, from_block = found_block, found_code_hash = NULL,
         found_asset_decimals = NULL, found_can_pause = NULL, found_block = NULL WHERE pool_id = 1";
    meanwhile(&world.place, accepted, || world.sync(&Hook(|_| {}))).unwrap();
    let changed = |conn: &Connection, pool: &Pool| {
        alert::is_open(conn, Subject::Pool(pool.id, &pool.name), pool::contract::CHANGED).unwrap()
    };
    let state = world.place.reader();
    let [one, two] = ["p0", "p1"].map(|name| pool::find(state.conn(), name).unwrap());
    assert!(!changed(state.conn(), &one) && changed(state.conn(), &two));
    let known = [&one, &two].map(|pool| pool.contract.as_ref().unwrap().found.is_some());
    assert_eq!(known, [false, true]);
}
