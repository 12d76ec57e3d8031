//! Each invariant of `state check`, broken on purpose in a sound state, is found and named, and only it.

use crate::support::{Place, config, run, run_at, work};
use alloy::primitives::B256;
use base::{Code, Stop};
use evm::Chain;
use poolctl_testkit::tamper;
use rusqlite::Connection;
use state::{Consent, Permit, State, ValuePermit, backup};
use std::collections::BTreeSet;
use vault::withdrawal::{self, Evidence, Request, Requested};
use vault::{pool, reward, risk};

/// (invariant, what breaks it, words of the finding). `only` the invariant named may be found.
const BREAKS: &[(&str, &str, &[&str])] = &[
    (
        "integrity_check",
        "PRAGMA ignore_check_constraints = ON; UPDATE pools SET max_rate_drop_ppm = 1000001 WHERE id = 1",
        &["CHECK constraint failed in pools"],
    ),
    (
        "foreign_keys",
        "INSERT INTO circuit_breaker_status VALUES (99, 0, 'rule', 'reason', 1, NULL, NULL)",
        &["circuit_breaker_status", "99", "pools"],
    ),
    ("columns", "UPDATE members SET address = '0x12' WHERE id = 1", &["members (1, 0x12,", "address: \"0x12\" is not"]),
    ("columns", "UPDATE pools SET cursor_hash = '0x12' WHERE id = 1", &["cursor_hash", "is not a hash"]),
    (
        "columns",
        "UPDATE oracle_feeds SET asset = 'ETH', kind = 'adapter' WHERE id = (SELECT min(id) FROM oracle_feeds)",
        &["feed"],
    ),
    ("audit_chain", "UPDATE events SET actor = 'nobody' WHERE id = 3", &["event 3", "altered"]),
    ("audit_chain", "UPDATE events SET payload = payload || ' ' WHERE id = 3", &["event 3", "altered"]),
    ("audit_chain", "UPDATE events SET prev_hash = hash WHERE id = 3", &["event 3", "prev_hash"]),
    (
        "audit_chain",
        "DELETE FROM events WHERE id = (SELECT min(id) FROM events WHERE kind = 'oracle.feed_added')",
        &["gap"],
    ),
    (
        "audit_chain",
        "INSERT INTO events SELECT id + 1, at, run_id, actor, kind, subject, payload, hash, hash FROM events
         ORDER BY id DESC LIMIT 1",
        &["altered"],
    ),
    (
        "audit_chain",
        "DELETE FROM meta WHERE key = 'audit_head'",
        &["meta.audit_head names another last row"],
    ),
    (
        // What the operator emitted for two epochs changes places: every account still holds what it should.
        "ledger_sums_to_zero",
        "CREATE TEMP TABLE e AS SELECT l.event_id, l.line, l.amount FROM ledger_entries l
             JOIN ledger_accounts a ON a.id = l.account_id WHERE a.purpose = 'reward_emission'
             GROUP BY l.amount ORDER BY l.event_id LIMIT 2;
         UPDATE ledger_entries AS l SET amount = (SELECT other.amount FROM e other WHERE other.event_id <> l.event_id)
             WHERE (event_id, line) IN (SELECT event_id, line FROM e)",
        &["ledger transaction of event", "left over"],
    ),
    (
        "cached_equals_derived",
        "UPDATE ledger_accounts SET balance = '-1' WHERE purpose = 'reward_emission'",
        &["(operator operator reward_emission) holds -1", "sum to -"],
    ),
    (
        "cached_equals_derived",
        "UPDATE ledger_accounts SET overdraft = 0, balance = '1' WHERE purpose = 'reward_emission'",
        &["is below zero"],
    ),
    (
        "epoch_conserves",
        "UPDATE pool_reward_epochs SET carry_in = '1' WHERE id = 1",
        &["epoch 1", "carry 1 is not"],
    ),
    ("epoch_conserves", "UPDATE pool_reward_epochs SET holders = 7 WHERE id = 1", &["epoch 1", "stand for"]),
    (
        "epoch_conserves",
        "INSERT INTO pool_reward_epochs (pool_id, start_block, end_block, origin, basis, asset, part, status, created_at)
             SELECT pool_id, 500000, 500010, 'manual', basis, asset, '5', 'created', 1 FROM pool_reward_epochs
             WHERE id = (SELECT min(epoch_id) FROM pool_rewards);
         UPDATE pool_rewards SET epoch_id = (SELECT max(id) FROM pool_reward_epochs)
             WHERE epoch_id = (SELECT min(epoch_id) FROM pool_rewards)",
        &["has rewards but is not distributed"],
    ),
    (
        "epochs_are_gapless",
        "INSERT INTO pool_reward_epochs (pool_id, start_block, end_block, origin, basis, asset, part, status, created_at)
             SELECT p.id, p.reward_cursor_block - 1, p.reward_cursor_block + 9, 'manual', 'snapshot', a.address, '5',
                 'created', 1 FROM pools p, assets a LIMIT 1",
        &["should start at"],
    ),
    (
        "emission_conserves emission_follows_settings",
        "UPDATE reward_emissions SET emission = '1' WHERE start_block = (SELECT min(start_block) FROM reward_emissions)",
        &["emission at block", "is not 1 + 0"],
    ),
    (
        "emission_conserves emission_is_accounted_for",
        "UPDATE reward_emissions SET carry_in = '1' WHERE start_block = (SELECT max(start_block) FROM reward_emissions)",
        &["emission at block", "+ 1"],
    ),
    (
        "emission_follows_settings",
        "INSERT INTO reward_emissions SELECT max(end_block), max(end_block) + 10, '5',
             (SELECT carry_out FROM reward_emissions ORDER BY start_block DESC LIMIT 1), '0', 1 FROM reward_emissions",
        &["it gives 5 + carry 0 and leaves 0; by the settings of its day"],
    ),
    (
        "emission_is_accounted_for",
        "INSERT INTO reward_emissions SELECT 2 * end_block - start_block, 3 * end_block - 2 * start_block, emission,
             carry_out, '0', 1 FROM reward_emissions ORDER BY start_block DESC LIMIT 1",
        &["the one before ends at"],
    ),
    ("columns", "UPDATE members SET added_at = 9223372036854775807 WHERE id = 1", &["added_at", "is out of range"]),
    ("columns", "INSERT INTO meta VALUES ('prune_pending', '7')", &["meta.prune_pending"]),
    ("columns", "DELETE FROM pool_snapshots WHERE pool_id = 1", &["its figures of it are missing"]),
    (
        // What may still be sent must be recorded from what is stored of it.
        "columns",
        "INSERT INTO operations (network, key, kind, subject, state, plan, planned_at) VALUES ('stellar', 'k', 'plant', 'f', 'planned', '{}', 1)",
        &["operation k: its plan cannot be read: missing field"],
    ),
    (
        "exports_equal_unclaimed",
        "INSERT INTO reward_exports SELECT max(e.id), '0x' || hex(zeroblob(32)), 1, '5', 1, 1 FROM pool_reward_epochs e
             WHERE NOT EXISTS (SELECT 1 FROM pool_rewards r WHERE r.epoch_id = e.id)",
        &["tree of 1 reward of 5, unclaimed: 0 of 0", "no event tells of its tree"],
    ),
    (
        "epochs_are_gapless",
        "UPDATE pools SET reward_cursor_block = reward_cursor_block + 1 WHERE id = 2",
        &["pool 2", "cursor"],
    ),
    (
        "epochs_are_gapless",
        "UPDATE pools SET reward_genesis_block = reward_genesis_block - 1 WHERE id = 2",
        &["pool 2", "should start at"],
    ),
    (
        "claims_equal_credits",
        "UPDATE ledger_accounts SET owner_kind = 'farmer' WHERE owner_kind = 'member'",
        &["were credited as 0"],
    ),
    (
        "payable_equals_unclaimed",
        "UPDATE ledger_accounts SET purpose = 'lost' WHERE purpose = 'reward_payable'",
        &["missing in reward_payable"],
    ),
    (
        "shares_equal_transfers",
        "UPDATE user_pool_shares SET shares = '1' WHERE (pool_id, member_id) =
             (SELECT pool_id, min(member_id) FROM user_pool_shares WHERE pool_id = 1)",
        &["pool 1", "1 share, transfers say"],
    ),
    ("shares_equal_transfers", "DELETE FROM user_pool_shares WHERE pool_id = 2", &["pool 2", "no row, transfers say"]),
    (
        "shares_equal_transfers",
        "DELETE FROM share_transfers WHERE pool_id = 1 AND block_number =
             (SELECT min(block_number) FROM share_transfers WHERE pool_id = 1)",
        &["pool 1", "transfers say"],
    ),
    (
        "shares_equal_transfers",
        "UPDATE pool_snapshots SET total_shares = '7' WHERE pool_id = 1",
        &["pool 1: holders have", "shares of 7"],
    ),
    (
        "pails_are_accounted_for",
        "INSERT INTO poolers VALUES ('p', 'north', 9, 0, 0, 1, NULL);
         INSERT INTO farmers VALUES ('f', 'GAAZI4TCR3TY5OJHCTJC2A4QSY6CJWJH5IAJTGKIN2ER7LBNVKOCCWN7', 'p', 'active', 0, NULL, 1, 1, NULL);
         INSERT INTO plantings (farmer_id, block_index, outcome, stake, at) VALUES ('f', 7, 'planted', '0', 1);
         ",
        &["farmer f, block 7", "neither open nor ended"],
    ),
    (
        "pails_are_accounted_for",
        "INSERT INTO poolers VALUES ('p', 'north', 9, 0, 0, 1, NULL);
         INSERT INTO farmers VALUES ('f', 'GAAZI4TCR3TY5OJHCTJC2A4QSY6CJWJH5IAJTGKIN2ER7LBNVKOCCWN7', 'p', 'active', 0, NULL, 1, 1, NULL);
         INSERT INTO plantings (farmer_id, block_index, outcome, stake, at) VALUES ('f', 7, 'planted', '0', 1);
         INSERT INTO open_pails (block_index, farmer_id, stake, planted_ledger, due_time) VALUES (7, 'f', '0', 1, 1), (8, 'f', '0', 1, 1)",
        &["block 8", "without a plant"],
    ),
    (
        "stakes_equal_open_pails",
        "INSERT INTO poolers VALUES ('p', 'north', 9, 0, 0, 1, NULL);
         INSERT INTO farmers VALUES ('f', 'GAAZI4TCR3TY5OJHCTJC2A4QSY6CJWJH5IAJTGKIN2ER7LBNVKOCCWN7', 'p', 'active', 0, NULL, 1, 1, NULL);
         INSERT INTO plantings (farmer_id, block_index, outcome, stake, at) VALUES ('f', 7, 'planted', '5', 1);
         INSERT INTO open_pails (block_index, farmer_id, stake, planted_ledger, due_time) VALUES (7, 'f', '5', 1, 1)",
        &["farmer f: 5 in open pails"],
    ),
    (
        "harvests_equal_credits",
        "INSERT INTO poolers VALUES ('p', 'north', 9, 0, 0, 1, NULL);
         INSERT INTO farmers VALUES ('f', 'GAAZI4TCR3TY5OJHCTJC2A4QSY6CJWJH5IAJTGKIN2ER7LBNVKOCCWN7', 'p', 'active', 0, NULL, 1, 1, NULL);
         INSERT INTO plantings (farmer_id, block_index, outcome, stake, at) VALUES ('f', 7, 'planted', '5', 1);
         INSERT INTO harvests (farmer_id, block_index, outcome, stake, reward, at) VALUES ('f', 7, 'harvested', '5', '3', 1)",
        &["block 7: harvested, and recorded 0 times"],
    ),
    (
        "losses_equal_compensations",
        "INSERT INTO poolers VALUES ('p', 'north', 9, 0, 0, 1, NULL);
         INSERT INTO farmers VALUES ('f', 'GAAZI4TCR3TY5OJHCTJC2A4QSY6CJWJH5IAJTGKIN2ER7LBNVKOCCWN7', 'p', 'active', 0, NULL, 1, 1, NULL);
         INSERT INTO plantings (farmer_id, block_index, outcome, stake, at) VALUES ('f', 7, 'planted', '0', 1);
         INSERT INTO harvests (farmer_id, block_index, outcome, stake, reward, at) VALUES ('f', 7, 'lost', '0', '0', 1)",
        &["block 7: lost, and nobody is responsible"],
    ),
];

/// The same for a state with withdrawals: 1 pending, 2 completed on the operator's word, 3 failed.
const WITHDRAWAL_BREAKS: &[(&str, &str, &[&str])] = &[
    (
        "withdrawals_have_evidence",
        "UPDATE pool_withdrawals SET verified = 1, tx_hash = NULL WHERE id = 2",
        &["withdrawal 2: completed with no transaction that shows it"],
    ),
    (
        "withdrawals_have_evidence",
        "UPDATE pool_withdrawals SET verified = NULL WHERE id = 2",
        &["withdrawal 2: completed with a mark that its status does not allow"],
    ),
    (
        "withdrawals_have_evidence",
        "UPDATE pool_withdrawals SET tx_hash = '0xabababababababababababababababababababababababababababababababab' WHERE id = 1",
        &["withdrawal 1: pending with a transaction"],
    ),
    (
        "withdrawals_have_evidence",
        "UPDATE pool_withdrawals SET status = 'processing', tx_hash = '0xabababababababababababababababababababababababababababababababab' WHERE id = 1",
        &["withdrawal 1: processing with no transaction or time"],
    ),
    (
        "withdrawals_have_evidence",
        "UPDATE pool_withdrawals SET error = NULL WHERE id = 3",
        &["withdrawal 3: failed with a transaction, or no reason"],
    ),
    (
        "withdrawals_have_evidence",
        "UPDATE pool_withdrawals SET shares = '999000000' WHERE id = 1",
        &["withdrawal 1: other amounts than were asked for"],
    ),
    (
        "withdrawals_have_evidence",
        "INSERT INTO pool_withdrawals (pool_id, member_id, shares, assets, status, requested_at)
         VALUES (2, 1, '1', '1', 'pending', 1)",
        &["withdrawal 5: nobody asked for it"],
    ),
    (
        // More is reserved by what had failed.
        "reservations_fit_shares",
        "UPDATE pool_withdrawals SET status = 'pending', ended_at = NULL, error = NULL WHERE id = 3",
        &["pool 2, member 1: withdrawals reserve 2000000001 shares of 2000000000"],
    ),
];

/// The same where rows were pruned.
const PRUNED_BREAKS: &[(&str, &str, &[&str])] = &[
    (
        // An event that is there is said to be pruned.
        "audit_chain",
        "INSERT INTO pruned_events SELECT id, id, prev_hash, hash, (SELECT max(id) FROM events) FROM events
         WHERE kind = 'farmer.changed' LIMIT 1",
        &["no event declares it"],
    ),
    (
        "audit_chain",
        "DELETE FROM events WHERE id = (SELECT min(id) FROM events WHERE kind = 'farmer.changed')",
        &["gap"],
    ),
    (
        // A deleted event with a run of its own, which another kind of event is to answer for.
        "audit_chain",
        "INSERT INTO pruned_events SELECT id, id, prev_hash, hash, (SELECT max(id) FROM events) FROM events
         WHERE kind = 'farmer.changed' LIMIT 1;
         DELETE FROM events WHERE id = (SELECT max(first_id) FROM pruned_events WHERE event_id = (SELECT max(id) FROM events))",
        &["no event declares it"],
    ),
    (
        // The same under the event of the prune.
        "audit_chain",
        "INSERT INTO pruned_events SELECT id, id, prev_hash, hash, (SELECT max(event_id) FROM pruned_events) FROM events
         WHERE kind = 'farmer.changed' LIMIT 1;
         DELETE FROM events WHERE id = (SELECT min(id) FROM events WHERE kind = 'farmer.changed')",
        &["the runs that it declares are not those of pruned_events"],
    ),
    (
        "audit_chain",
        "UPDATE pruned_events SET hash = prev_hash WHERE first_id = (SELECT max(first_id) FROM pruned_events)",
        &["prev_hash is not"],
    ),
    (
        "audit_chain",
        "UPDATE pruned_events SET prev_hash = hash WHERE first_id = (SELECT max(first_id) FROM pruned_events)",
        &["do not fit the rows on both sides"],
    ),
    (
        "audit_chain",
        "DELETE FROM pruned_events WHERE first_id = (SELECT max(first_id) FROM pruned_events)",
        &["gap"],
    ),
    (
        // The event that declares is rewritten.
        "audit_chain",
        "UPDATE events SET payload = json_remove(payload, '$.runs') WHERE kind = 'state.pruned'",
        &["altered"],
    ),
    (
        // What is brought forward for one farmer becomes another's, cached balances and all.
        "pruned_is_brought_forward",
        "CREATE TEMP TABLE two AS SELECT l.event_id, l.line, l.account_id, row_number() OVER () * 2 - 3 AS change
             FROM ledger_entries l JOIN events e ON e.id = l.event_id JOIN ledger_accounts a ON a.id = l.account_id
             WHERE e.kind = 'state.pruned' AND a.owner_kind = 'farmer' AND a.purpose = 'kale' LIMIT 2;
         UPDATE ledger_entries AS l SET amount = CAST(CAST(amount AS INTEGER) + two.change AS TEXT) FROM two
             WHERE two.event_id = l.event_id AND two.line = l.line;
         UPDATE ledger_accounts AS a SET balance = CAST(CAST(balance AS INTEGER) + two.change AS TEXT) FROM two
             WHERE two.account_id = a.id",
        &["the balance brought forward is not the one that it declares"],
    ),
    (
        "harvests_equal_credits",
        "UPDATE harvests SET reward = reward || '0' WHERE outcome = 'harvested'",
        &["recorded"],
    ),
    (
        "stakes_equal_open_pails",
        "UPDATE open_pails SET stake = '1'; UPDATE plantings SET stake = '1' WHERE (block_index, farmer_id) IN
             (SELECT block_index, farmer_id FROM open_pails)",
        &["in open pails"],
    ),
    ("pails_are_accounted_for", "DELETE FROM plantings WHERE outcome = 'planted'", &["without a plant"]),
];

/// Breaks that cannot but break another invariant too.
const SEVERAL: &[(&[&str], &str)] = &[
    (
        &["epoch_conserves", "payable_equals_unclaimed"],
        "UPDATE pool_rewards SET amount = amount || '0' WHERE claimed_at IS NULL",
    ),
    (
        // What an emission left before it is not taken in: lost.
        &["emission_follows_settings", "emission_is_accounted_for"],
        "UPDATE reward_emissions SET carry_in = '5', carry_out = '5'
             WHERE start_block = (SELECT max(start_block) FROM reward_emissions)",
    ),
    (
        &["emission_is_accounted_for", "payable_equals_unclaimed"],
        "UPDATE pools SET reward_carry = '5' WHERE id = 1",
    ),
    (
        &["claims_equal_credits", "payable_equals_unclaimed"],
        "UPDATE pool_rewards SET claimed_at = NULL, claim_id = NULL",
    ),
    (
        &["ledger_sums_to_zero", "cached_equals_derived", "claims_equal_credits"],
        "DELETE FROM ledger_entries WHERE line = 0",
    ),
];

/// Does to a state what the library and the triggers do not let anybody do.
fn break_it(place: &Place, sql: &str) {
    let conn = place.outsider();
    conn.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    tamper(&conn, |conn| {
        let before = conn.total_changes();
        conn.execute_batch(sql).unwrap_or_else(|e| panic!("{e}\n{sql}"));
        assert!(conn.total_changes() > before, "nothing was broken by: {sql}");
    });
}

fn found(place: &Place, full: bool) -> (BTreeSet<&'static str>, String) {
    let report = watch::check::check(place.reader().conn(), full).unwrap();
    let names = report.findings.iter().map(|finding| finding.check).collect();
    let said: Vec<&str> = report.findings.iter().map(|finding| finding.message.as_str()).collect();
    (names, said.join("\n"))
}

#[test]
fn the_fixture_is_sound() {
    let place = Place::lived_in();
    for full in [true, false] {
        assert_eq!(found(&place, full), (BTreeSet::new(), String::new()));
    }
    let conn: Connection = place.outsider();
    for table in ["pool_rewards", "ledger_entries", "share_transfers", "reward_emissions"] {
        let rows: i64 =
            conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
        assert!(rows > 3, "{table} has {rows} rows: there is something to break");
    }
}

/// All 2,000 shares of alice in the pool `stable` are asked for in two withdrawals; one of a unit more came between.
pub fn with_withdrawals() -> Place {
    let place = Place::lived_in();
    let (lock, stop, config) = (place.lock(), Stop::default(), config(&[]));
    // A minute after the fixture was synced: a withdrawal is asked for on figures of that day.
    let mut state = State::write_access(&place.path(), run_at(1_795_304_925), &lock).unwrap();
    let (stable, alice) = {
        let stable = pool::find(state.conn(), "stable").unwrap();
        (stable, pool::find_member(state.conn(), "alice").unwrap())
    };
    let mut work = work(&config, &mut state, &lock, &stop);
    let unlimited = risk::SetRisk { max_tvl: Some(None), ..risk::SetRisk::default() };
    risk::set(&mut work, &stable, &unlimited).unwrap();
    let agreed = || ValuePermit::obtain(Permit::of(&lock), Consent::Given, "withdraw").unwrap();
    let mut ask = |shares: u64| {
        let ask =
            Request { pool: &stable, member: &alice, shares: base::amount::Base::from(shares), key: None };
        match withdrawal::request(&mut work, &agreed(), &ask).unwrap() {
            Requested::New { withdrawal, .. } => withdrawal.id,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((ask(1_000_000_000), ask(999_999_999), ask(1)), (1, 2, 3));
    let offline = || -> base::Result<Chain> { panic!("the network is not asked") };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let by_word = Evidence::Word(agreed());
    let tx = Some(B256::repeat_byte(7));
    runtime.block_on(withdrawal::complete(&mut work, offline, 2, tx, by_word)).unwrap();
    runtime.block_on(withdrawal::fail(&mut work, offline, 3, "withdrawn", Evidence::Chain)).unwrap();
    // What is free again is asked for again, and by one unit more it would not be free.
    let mut ask = |shares: u64| {
        let shares = base::amount::Base::from(shares);
        let ask = Request { pool: &stable, member: &alice, shares, key: None };
        withdrawal::request(&mut work, &agreed(), &ask).unwrap()
    };
    assert!(matches!(ask(2), Requested::Refused(_)));
    assert!(matches!(ask(1), Requested::New { .. }));
    drop(state);
    drop(lock);
    place
}

#[test]
fn each_invariant_is_found_and_named() {
    assert_eq!(found(&with_withdrawals(), true), (BTreeSet::new(), String::new()));
    are_found_and_named(BREAKS, Place::lived_in);
    are_found_and_named(WITHDRAWAL_BREAKS, with_withdrawals);
}

/// What is wrong with the rows of a withdrawal stops it, whatever the evidence.
#[test]
fn a_withdrawal_that_is_not_what_was_asked_for_is_not_completed() {
    for (name, sql, words) in WITHDRAWAL_BREAKS
        .iter()
        .filter(|(name, sql, _)| *name == "withdrawals_have_evidence" && sql.contains("WHERE id = 1"))
    {
        let place = with_withdrawals();
        break_it(&place, sql);
        let before = place.outsider().query_row("SELECT max(id) FROM events", [], |row| row.get::<_, i64>(0));
        let (lock, stop, config) = (place.lock(), Stop::default(), config(&[]));
        let mut state = place.writer(&lock);
        let agreed = ValuePermit::obtain(Permit::of(&lock), Consent::Given, "withdraw").unwrap();
        let offline = || -> base::Result<Chain> { panic!("the network is not asked") };
        let (tx, by_word) = (Some(B256::repeat_byte(9)), Evidence::Word(agreed));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut work = work(&config, &mut state, &lock, &stop);
        let e = runtime.block_on(withdrawal::complete(&mut work, offline, 1, tx, by_word)).unwrap_err();
        assert_eq!(e.code(), Code::StateCorrupt, "{name}: {sql}: {e}");
        assert!(e.to_string().contains(words[0]), "{e}");
        drop(state);
        let after = place.outsider().query_row("SELECT max(id) FROM events", [], |row| row.get::<_, i64>(0));
        assert_eq!(after, before, "{sql}");
    }
}

/// What is wrong with the rows that a claim credits from, or with the account that it credits to, stops it.
#[test]
fn a_claim_by_rows_that_disagree_credits_nobody() {
    for (sql, words) in [
        (
            "UPDATE pool_reward_epochs SET distributed = distributed || '0' WHERE distributed <> '0'",
            "is not distributed",
        ),
        ("UPDATE pool_reward_epochs SET part = '1'", "is not distributed"),
        (
            "UPDATE pool_rewards SET amount = amount || '00' WHERE claimed_at IS NULL",
            "of it stands for member",
        ),
        (
            "UPDATE ledger_accounts SET balance = balance || '0' WHERE owner_kind = 'member' AND balance <> '0'",
            "its entries sum to",
        ),
        ("UPDATE ledger_accounts SET balance = '0' WHERE purpose = 'reward_payable'", "would hold -"),
        (
            "UPDATE pool_reward_epochs SET asset = '0x' WHERE id = (SELECT max(epoch_id) FROM pool_rewards WHERE member_id =
                 (SELECT min(member_id) FROM pool_rewards WHERE claimed_at IS NULL))",
            "of which the pool or the token is missing",
        ),
    ] {
        let place = Place::lived_in();
        // Everybody has claimed before, and has something again.
        let member: i64 = place
            .outsider()
            .query_row("SELECT min(member_id) FROM pool_rewards WHERE claimed_at IS NOT NULL", [], |row| {
                row.get(0)
            })
            .unwrap();
        tamper(&place.outsider(), |conn| {
            let last = "UPDATE pool_rewards SET claimed_at = NULL, claim_id = NULL WHERE member_id = ?1 AND epoch_id =
                (SELECT max(epoch_id) FROM pool_rewards WHERE member_id = ?1)";
            conn.execute(last, [member]).unwrap();
        });
        break_it(&place, sql);
        let count = |table: &str| -> i64 {
            place
                .outsider()
                .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
                .unwrap()
        };
        let before = (count("events"), count("ledger_entries"));
        let (lock, stop, config) = (place.lock(), Stop::default(), config(&[]));
        let mut state = place.writer(&lock);
        let name: String = place
            .outsider()
            .query_row("SELECT address FROM members WHERE id = ?1", [member], |row| row.get(0))
            .unwrap();
        let member = pool::find_member(state.conn(), &name).unwrap();
        let agreed = ValuePermit::obtain(Permit::of(&lock), Consent::Given, "claim").unwrap();
        let pending = reward::pending(state.conn(), &member, None).unwrap_or_default();
        let mut work = work(&config, &mut state, &lock, &stop);
        let e = reward::claim(&mut work, &agreed, &member, None, &pending).unwrap_err();
        assert!(matches!(e.code(), Code::StateCorrupt | Code::State), "{sql}: {e}");
        assert!(e.to_string().contains(words), "{sql}: {e}");
        drop(state);
        assert_eq!((count("events"), count("ledger_entries")), before, "{sql}");
    }
}

#[test]
fn after_a_prune_each_is_found_as_before() {
    are_found_and_named(PRUNED_BREAKS, Place::pruned);
}

fn are_found_and_named(breaks: &[(&str, &str, &[&str])], made: fn() -> Place) {
    for (name, sql, words) in breaks {
        let place = made();
        break_it(&place, sql);
        let (names, said) = found(&place, true);
        assert_eq!(names, name.split(' ').collect(), "{sql}\n{said}");
        for word in *words {
            assert!(said.contains(word), "\"{word}\" is not said after: {sql}\n{said}");
        }
        // A backup of it is refused, and leaves nothing behind.
        let copy = place.folder().join("copy.sqlite");
        let state = State::read(&place.path(), run()).unwrap();
        let e = backup(state.conn(), &copy, watch::check::must_be_sound).unwrap_err();
        assert_eq!(e.code(), Code::CheckFailed, "{sql}: {e}");
        assert_eq!(place.files("copy"), [""; 0]);
    }
}

#[test]
fn what_breaks_several_is_named_as_each() {
    for (names, sql) in SEVERAL {
        let place = Place::lived_in();
        break_it(&place, sql);
        let (got, said) = found(&place, true);
        assert_eq!(got, names.iter().copied().collect(), "{sql}\n{said}");
    }
}

#[test]
fn no_invariant_is_left_out() {
    let all = BREAKS.iter().chain(WITHDRAWAL_BREAKS).chain(PRUNED_BREAKS);
    // With another schema nothing can be opened that would be backed up: see `files`.
    let broken: BTreeSet<&str> = all.flat_map(|(name, ..)| name.split(' ')).chain(["schema"]).collect();
    assert_eq!(broken, Place::fresh().check().checked.into_iter().collect());
}

#[test]
fn garbage_where_an_amount_belongs_is_a_finding() {
    for sql in [
        "UPDATE ledger_accounts SET balance = '1e3'",
        "UPDATE ledger_entries SET amount = ''",
        "UPDATE user_pool_shares SET shares = '007'",
        "UPDATE pool_rewards SET amount = '-1'",
        "UPDATE reward_emissions SET emission = ' 1'",
    ] {
        let place = Place::lived_in();
        break_it(&place, &format!("PRAGMA ignore_check_constraints = ON; {sql}"));
        let (names, said) = found(&place, true);
        assert!(names.contains("integrity_check") && names.len() > 1, "{sql}: {names:?}");
        assert!(said.contains("is not an amount"), "{sql}: {said}");
    }
}
