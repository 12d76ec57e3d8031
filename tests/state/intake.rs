//! The replay of logs, wherever their ranges are cut and however often it is killed, is that of all of them at once.

use crate::support::Place;
use alloy::primitives::{Address, Bytes, Log, LogData, U256, keccak256};
use base::amount::Base;
use evm::{BlockRef, EventLog, LogRange};
use proptest::prelude::*;
use rusqlite::{Connection, params};
use state::{Permit, State};
use vault::pool::{self, Asset, Holdings, Movement, put_asset};
use vault::sync::Intake;

const BLOCKS: u64 = 30;
const POOLS: [Address; 2] = [Address::repeat_byte(0xb1), Address::repeat_byte(0xb2)];

/// Pool, and what moved in it: block, from, to (0 is nobody), how much at most.
type Step = (usize, u64, u8, u8, u64);

/// A cut: the range's last block, whether it is written at once, and whether the process is killed thereafter.
type Cut = (u64, bool, bool);

fn account(who: u8) -> Address {
    if who == 0 { Address::ZERO } else { Address::repeat_byte(who) }
}

fn log(pool: usize, block: u64, index: u64, (from, to): (u8, u8), shares: Base) -> EventLog {
    let topics = vec![
        keccak256("Transfer(address,address,uint256)"),
        account(from).into_word(),
        account(to).into_word(),
    ];
    let data = Bytes::copy_from_slice(&U256::from(shares).to_be_bytes::<32>());
    EventLog {
        inner: Log { address: POOLS[pool], data: LogData::new_unchecked(topics, data) },
        block_number: block,
        block_hash: keccak256(block.to_le_bytes()),
        tx_hash: keccak256(index.to_le_bytes()),
        tx_index: 0,
        log_index: index,
    }
}

/// A history that a token can have: nobody gives what it does not have.
fn history(steps: &[Step]) -> (Vec<EventLog>, [Holdings; 2]) {
    let mut steps = steps.to_vec();
    steps.sort_by_key(|step| step.1);
    let (mut logs, mut held) = (Vec::new(), [Holdings::default(), Holdings::default()]);
    for (index, (pool, block, from, to, most)) in steps.into_iter().enumerate() {
        let member = |who: u8| (who > 0).then_some(i64::from(who));
        let shares = member(from).map_or(Base::from(most), |from| held[pool].of(from).min(Base::from(most)));
        let movement = Movement { block, from: member(from), to: member(to), shares };
        if from == 0 && to == 0 || held[pool].apply(&movement).is_err() {
            continue;
        }
        logs.push(log(pool, block, index as u64, (from, to), shares));
    }
    (logs, held)
}

fn init(place: &Place) {
    let lock = place.lock();
    let mut state = place.writer(&lock);
    let made = state.write(Permit::of(&lock), |tx| {
        put_asset(tx.conn(), &Asset { address: Address::ZERO, symbol: "R".into(), decimals: 18 })?;
        for (name, address) in ["a", "b"].into_iter().zip(POOLS) {
            tx.conn().execute(
                "INSERT INTO pools (name, address, abi, asset, share_symbol, share_decimals, deploy_block,
                     max_rate_drop_ppm, added_at) VALUES (?1, ?2, 'erc4626', ?3, 'S', 18, 0, 0, 1)",
                params![name, address.to_string(), Address::ZERO.to_string()],
            )?;
        }
        Ok(())
    });
    made.unwrap();
}

/// Takes everything in from the stored cursor on, in ranges that end at `cuts`, until a kill. True when it came to the end.
fn replay(state: &mut State, permit: Permit<'_>, logs: &[EventLog], cuts: &[Cut]) -> bool {
    let pools = pool::list(state.conn()).unwrap();
    let mut intake = Intake::default();
    intake.aim(&pools);
    let mut from = pools.iter().map(pool::Pool::next_block).min().unwrap();
    let first = from;
    for (last, written, killed) in cuts.iter().copied().filter(|cut| cut.0 >= first) {
        let logs = logs.iter().filter(|log| (from..=last).contains(&log.block_number)).cloned().collect();
        let end = BlockRef { number: last, hash: keccak256(last.to_le_bytes()), timestamp: 0 };
        intake.push(state, permit, &LogRange { from, end, logs }).unwrap();
        if written {
            intake.flush(state, permit).unwrap();
        }
        if killed {
            return false;
        }
        from = last + 1;
    }
    intake.flush(state, permit).unwrap();
    assert!(intake.finish().failed.is_empty());
    true
}

fn rows(conn: &Connection) -> Vec<Vec<String>> {
    let of = |sql: &str| {
        let mut statement = conn.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    vec![
        of("SELECT id || ' ' || address FROM members ORDER BY id"),
        of("SELECT concat_ws(' ', pool_id, block_number, log_index, hex(tx_hash), ifnull(from_member, '-'),
                ifnull(to_member, '-'), shares) FROM share_transfers ORDER BY pool_id, block_number, log_index"),
        of("SELECT concat_ws(' ', pool_id, member_id, shares, ifnull(last_deposit_block, '-'))
            FROM user_pool_shares ORDER BY pool_id, member_id"),
        of("SELECT concat_ws(' ', id, cursor_block, cursor_hash) FROM pools ORDER BY id"),
    ]
}

#[test]
fn a_pool_that_does_not_add_up_leaves_the_others_as_if_it_were_not_there() {
    let shares = Base::from(50u8);
    // Nobody has what is given in the first pool.
    let wrong = log(0, 1, 0, (5, 6), shares);
    let right = [log(1, 2, 1, (0, 3), shares), log(1, 5, 2, (3, 4), shares)];
    let end = BlockRef { number: BLOCKS, hash: keccak256(BLOCKS.to_le_bytes()), timestamp: 0 };
    let taken_in = |logs: Vec<EventLog>, pools: &[&str]| {
        let place = Place::fresh();
        init(&place);
        let lock = place.lock();
        let mut state = place.writer(&lock);
        let pools: Vec<_> = pool::list(state.conn())
            .unwrap()
            .into_iter()
            .filter(|p| pools.contains(&p.name.as_str()))
            .collect();
        let mut intake = Intake::default();
        intake.aim(&pools);
        intake.push(&mut state, Permit::of(&lock), &LogRange { from: 0, end, logs }).unwrap();
        intake.flush(&mut state, Permit::of(&lock)).unwrap();
        (rows(&place.outsider()), intake.finish())
    };
    let (both, replayed) = taken_in([vec![wrong.clone()], right.to_vec()].concat(), &["a", "b"]);
    assert!(replayed.failed[&1].message().contains("do not add up"), "{replayed:?}");
    assert_eq!(replayed.taken, [(2, 2)].into());
    assert_eq!(both, taken_in(right.to_vec(), &["b"]).0);

    let (none, replayed) = taken_in(vec![wrong], &["a"]);
    assert_eq!((replayed.failed.len(), replayed.taken.len()), (1, 0));
    let untouched = vec!["1".to_owned(), "2".to_owned()];
    assert_eq!(none, [vec![], vec![], vec![], untouched]);
}

#[test]
fn a_long_replay_lets_other_writers_in() {
    let place = Place::fresh();
    init(&place);
    let lock = place.lock();
    let mut state = place.writer(&lock);
    let mut intake = Intake::default();
    intake.aim(&pool::list(state.conn()).unwrap());
    let (mut written, mut longest, mut most) = (0, 0, 0);
    for number in 0..5 {
        let logs =
            (0..40_000).map(|index| log(0, number, number * 40_000 + index, (0, 3), Base::from(1))).collect();
        let end = BlockRef { number, hash: keccak256(number.to_le_bytes()), timestamp: 0 };
        intake.push(&mut state, Permit::of(&lock), &LogRange { from: number, end, logs }).unwrap();
        longest += 1;
        let stored: u64 =
            state.conn().query_row("SELECT count(*) FROM share_transfers", [], |row| row.get(0)).unwrap();
        if stored > written {
            (most, longest, written) = (most.max(stored - written), 0, stored);
        }
        assert!(longest < 5, "{number}");
    }
    assert!((100_000..200_000).contains(&most), "{most}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cut_anywhere_and_killed_anywhere_it_is_a_straight_replay(
        steps in proptest::collection::vec((0usize..2, 0..BLOCKS, 0u8..6, 0u8..6, 0u64..1_000), 0..60),
        cuts in proptest::collection::btree_map(0..BLOCKS, (any::<bool>(), proptest::bool::weighted(0.3)), 0..12),
    ) {
        let (logs, held) = history(&steps);
        let straight = Place::fresh();
        init(&straight);
        let lock = straight.lock();
        let end = (BLOCKS, false, false);
        prop_assert!(replay(&mut straight.writer(&lock), Permit::of(&lock), &logs, &[end]));

        let place = Place::fresh();
        init(&place);
        let mut cuts: Vec<Cut> = cuts.into_iter().map(|(last, (written, killed))| (last, written, killed)).collect();
        cuts.push(end);
        loop {
            // Each time a new process, which knows what is stored and no more.
            let lock = place.lock();
            if replay(&mut place.writer(&lock), Permit::of(&lock), &logs, &cuts) {
                break;
            }
            // The same kill does not come twice.
            let at = cuts.iter().position(|cut| cut.2).unwrap();
            cuts[at].2 = false;
        }
        prop_assert_eq!(rows(&place.outsider()), rows(&straight.outsider()));

        // And both are what the history says.
        for (pool, held) in held.iter().enumerate() {
            let conn = place.outsider();
            let mut stored = conn.prepare(
                "SELECT m.address, u.shares FROM user_pool_shares u JOIN members m ON m.id = u.member_id
                 WHERE u.pool_id = ?1 AND u.shares <> '0' ORDER BY m.address",
            ).unwrap();
            let stored = stored.query_map([pool + 1], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            let stored: Vec<(String, String)> = stored.map(Result::unwrap).collect();
            let mut want: Vec<(String, String)> = held
                .iter()
                .map(|(who, shares)| (account(u8::try_from(who).unwrap()).to_string(), shares.to_string()))
                .collect();
            want.sort();
            prop_assert_eq!(stored, want);
        }
    }
}
