//! What the schema itself refuses, whoever writes: changed history, and texts that are no amounts.

use crate::support::Place;
use rusqlite::Connection;
use std::collections::BTreeMap;

#[test]
fn history_is_neither_changed_nor_deleted() {
    let place = Place::lived_in();
    let conn = place.outsider();
    for (sql, why) in [
        ("UPDATE events SET actor = 'nobody' WHERE id = 1", "events is append-only"),
        ("DELETE FROM events WHERE id = 1", "events is append-only"),
        ("UPDATE ledger_entries SET amount = '1'", "ledger_entries is append-only"),
        ("DELETE FROM ledger_entries", "ledger_entries is append-only"),
        ("UPDATE pool_reward_epochs SET part = '1'", "a distributed epoch is immutable"),
        ("UPDATE pool_reward_epochs SET status = 'created', distributed_at = NULL", "a distributed epoch"),
        ("DELETE FROM pool_reward_epochs", "a distributed epoch is immutable"),
        ("UPDATE pool_rewards SET amount = '1'", "a reward can only be claimed, and only once"),
        ("UPDATE pool_rewards SET member_id = 1 WHERE member_id = 2", "a reward can only be claimed"),
        (
            "UPDATE pool_rewards SET claimed_at = NULL, claim_id = NULL WHERE claimed_at IS NOT NULL",
            "a reward can only be claimed, and only once",
        ),
        (
            "UPDATE pool_rewards SET claimed_at = 1, claim_id = 1 WHERE claimed_at IS NOT NULL",
            "a reward can only be claimed, and only once",
        ),
        ("UPDATE reward_emissions SET emission = '1'", "an emission is immutable"),
        ("DELETE FROM reward_emissions", "an emission is immutable"),
        ("UPDATE reward_schedule SET from_block = from_block + 1", "announced and withdrawn, not changed"),
        ("DELETE FROM reward_schedule", "terms that an epoch was emitted by are immutable"),
        (
            "UPDATE pool_reward_weights SET weight_ppm = 7",
            "a weight that an epoch was shared out by is immutable",
        ),
        ("DELETE FROM pool_reward_weights", "a weight that an epoch was shared out by is immutable"),
        ("DELETE FROM pool_rewards", "a reward can only be claimed, and only once"),
        ("DELETE FROM pool_rewards WHERE claimed_at IS NULL", "a reward can only be claimed"),
    ] {
        let e = conn.execute(sql, []).expect_err(sql).to_string();
        assert!(e.contains(why), "{sql}: {e}");
    }
    // What may still happen to a reward.
    let claimed =
        conn.execute("UPDATE pool_rewards SET claimed_at = 1, claim_id = 1 WHERE claimed_at IS NULL", []);
    assert!(claimed.unwrap() > 0);
}

#[test]
fn what_was_pruned_is_not_declared_anew_and_nothing_else_may_go() {
    let place = Place::pruned();
    let conn = place.outsider();
    for (sql, why) in [
        ("DELETE FROM events WHERE id = (SELECT min(id) FROM events)", "events is append-only"),
        ("DELETE FROM events WHERE id = (SELECT max(id) FROM events)", "events is append-only"),
        ("DELETE FROM ledger_entries WHERE line = 0", "ledger_entries is append-only"),
        ("UPDATE pruned_events SET last_id = last_id + 1", "pruned_events is append-only"),
        ("DELETE FROM pruned_events", "pruned_events is append-only"),
        (
            "INSERT INTO pruned_events SELECT id, id, '', '', id FROM events LIMIT 1",
            "CHECK constraint failed",
        ),
    ] {
        let e = conn.execute(sql, []).expect_err(sql).to_string();
        assert!(e.contains(why), "{sql}: {e}");
    }
}

#[test]
fn once_means_once() {
    let place = Place::lived_in();
    let conn = place.outsider();
    for sql in [
        "INSERT INTO pool_reward_epochs SELECT NULL, pool_id, start_block, end_block, last_hash, origin, basis, asset,
             weight_ppm, weight_sum_ppm, part, carry_in, distributed, carry_out, carry_reason, holders, status,
             created_at, distributed_at FROM pool_reward_epochs LIMIT 1",
        "INSERT INTO pool_rewards SELECT * FROM pool_rewards LIMIT 1",
        "INSERT INTO share_transfers SELECT pool_id, block_number + 1000, log_index, tx_hash, from_member, to_member,
             shares FROM share_transfers LIMIT 1",
        "INSERT INTO pools SELECT NULL, name || 'x', address, abi, asset, share_symbol, share_decimals, deploy_block,
             max_rate_drop_ppm, added_at, NULL, NULL, '0', NULL, NULL, NULL, 0, NULL FROM pools LIMIT 1",
        "INSERT INTO members SELECT NULL, address, NULL, added_at FROM members LIMIT 1",
        "INSERT INTO reward_emissions SELECT * FROM reward_emissions LIMIT 1",
    ] {
        let e = conn.execute(sql, []).expect_err(sql).to_string();
        assert!(e.contains("UNIQUE constraint failed"), "{sql}: {e}");
    }
}

/// Texts that are no amounts.
const GARBAGE: &[&str] = &[
    "", " ", "-1", "+1", "1e3", "1.5", "0x10", "abc", "100abc", "1 ", " 1", "1_000", "1,000", "00", "007",
    "-0",
];
const AMOUNTS: &[&str] = &[
    "1",
    "10",
    "1000000000000000000",
    "115792089237316195423570985008687907853269984665640564039457584007913129639935",
];

/// Columns of text that hold no amount.
const WORDS: &[&str] = &[
    "area",
    "channel",
    "content",
    "severity",
    "topic",
    "network",
    "code_hash",
    "implementation",
    "found_code_hash",
    "found_implementation",
    "root",
    "abi",
    "actor",
    "address",
    "asset",
    "at",
    "basis",
    "best_hash",
    "block_hash",
    "body",
    "carry_reason",
    "command",
    "cursor_hash",
    "description",
    "endpoint",
    "engine",
    "engine_address",
    "engine_breaker_reason",
    "entropy",
    "envelope",
    "error",
    "farmer_id",
    "event_id",
    "fault",
    "hash",
    "held",
    "id",
    "idempotency_key",
    "key",
    "kind",
    "last_hash",
    "local_pause_reason",
    "message",
    "name",
    "origin",
    "outcome",
    "owner",
    "owner_kind",
    "payload",
    "payout_address",
    "plan",
    "pooler_id",
    "prev_hash",
    "purpose",
    "reason",
    "request",
    "reset_reason",
    "role",
    "round_id",
    "rule",
    "run_id",
    "share_symbol",
    "state",
    "status",
    "subject",
    "symbol",
    "tx_hash",
    "value",
    "window",
    "tag",
    "token_id",
];

/// Every column of the schema that is text and no word: (table, column) and its CHECK.
fn amount_columns(conn: &Connection) -> BTreeMap<(String, String), String> {
    let mut tables =
        conn.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name").unwrap();
    let tables =
        tables.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
    let mut found = BTreeMap::new();
    for (table, sql) in tables.map(Result::unwrap) {
        let mut columns = conn.prepare("SELECT name FROM pragma_table_info(?1) WHERE type = 'TEXT'").unwrap();
        let columns = columns.query_map([&table], |row| row.get::<_, String>(0)).unwrap();
        for column in columns.map(Result::unwrap).filter(|column| !WORDS.contains(&column.as_str())) {
            let defined = sql.find(&format!(" {column} ")).expect("its definition");
            let check = sql[defined..].find("CHECK (").map(|at| &sql[defined + at + 7..]);
            let check = check.unwrap_or_else(|| panic!("{table}.{column} is neither checked nor in WORDS"));
            let mut depth = 1;
            let end = check.find(|c| {
                depth += i32::from(c == '(') - i32::from(c == ')');
                depth == 0
            });
            found.insert((table.clone(), column), check[..end.expect("the end of the check")].to_owned());
        }
    }
    found
}

#[test]
fn every_amount_is_a_canonical_decimal() {
    let place = Place::fresh();
    let conn = place.outsider();
    let columns = amount_columns(&conn);
    assert!(columns.len() > 35, "{}", columns.len());
    for ((table, column), check) in &columns {
        let allows = |text: &str| -> bool {
            let sql = format!("SELECT ({check}) FROM (SELECT ?1 AS {column})");
            conn.query_row(&sql, [text], |row| row.get::<_, Option<bool>>(0)).unwrap().unwrap_or(true)
        };
        let signed = table.starts_with("ledger_");
        for text in GARBAGE.iter().filter(|text| !(signed && **text == "-1")) {
            assert!(!allows(text), "{table}.{column} takes \"{text}\"");
        }
        for text in AMOUNTS {
            assert!(allows(text), "{table}.{column} refuses {text}");
        }
    }
}

#[test]
fn only_sources_go_below_zero() {
    let place = Place::fresh();
    let conn = place.outsider();
    let open = |overdraft: bool, balance: &str| {
        conn.execute(
            "INSERT INTO ledger_accounts (owner_kind, owner, purpose, asset, overdraft, balance)
             VALUES ('member', ?3, 'x', 'y', ?1, ?2)",
            rusqlite::params![overdraft, balance, balance],
        )
    };
    open(true, "-5").unwrap();
    open(false, "5").unwrap();
    for (overdraft, balance) in [(false, "-6"), (true, "--6"), (true, "6-"), (false, ""), (true, "-")] {
        let e = open(overdraft, balance).unwrap_err().to_string();
        assert!(e.contains("CHECK constraint failed"), "{balance}: {e}");
    }
}

#[test]
fn numbers_have_their_range() {
    let place = Place::lived_in();
    let conn = place.outsider();
    for sql in [
        "INSERT INTO assets VALUES ('0x', 'X', 78)",
        "INSERT INTO assets VALUES ('0x', 'X', -1)",
        "UPDATE pools SET max_rate_drop_ppm = 1000001",
        "UPDATE pools SET deploy_block = -1",
        "UPDATE pools SET cursor_hash = NULL WHERE cursor_block IS NOT NULL",
        "UPDATE pools SET reward_cursor_block = reward_genesis_block - 1",
        "INSERT INTO pool_reward_weights VALUES (1, 999999999, 1000001, 1)",
        "INSERT INTO pool_reward_weights VALUES (1, 999999999, -1, 1)",
        "INSERT INTO reward_schedule SELECT 999999999, 0, block_reward, asset, basis, 1 FROM reward_schedule LIMIT 1",
        "INSERT INTO reward_emissions VALUES (999999990, 999999990, '1', '0', '0', 1)",
        "UPDATE share_transfers SET tx_hash = x'00'",
        "UPDATE oracle_feeds SET max_staleness_sec = 0",
        "UPDATE pool_rewards SET claimed_at = 1 WHERE claimed_at IS NULL",
        "INSERT INTO events VALUES (1000, '', '', '', '', '', 'no json', '', '')",
    ] {
        let e = conn.execute(sql, []).expect_err(sql).to_string();
        assert!(e.contains("CHECK constraint failed"), "{sql}: {e}");
    }
    for sql in ["UPDATE pools SET deploy_block = 'x'", "UPDATE pools SET name = x'00'"] {
        let e = conn.execute(sql, []).expect_err(sql).to_string();
        assert!(e.contains("cannot store"), "{sql}: {e}");
    }
}
