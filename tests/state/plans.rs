//! No command reads a growing table from end to end: SQLite's plan of every statement, against the schema.

use crate::statements::{self, Statement};
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};

/// Tables that hold what the operator set up, a row or a few for each pool, feed or pooler. All others grow.
const SMALL: &[&str] = &[
    "meta",
    "system_config",
    "assets",
    "pools",
    "pool_reward_weights",
    "reward_schedule",
    "oracle_feeds",
    "oracle_price_cache",
    "pool_risk_parameters",
    "circuit_breaker_status",
    "poolers",
    "farmers",
    "farmer_strategies",
    "farm_baselines",
    "runs",
    "evm_tags",
    "evm_endpoints",
];

/// Statements that may read a growing table from end to end: file, a part of the text (all of it where empty), why.
const ALLOWED: &[(&str, &str, &str)] = &[
    ("serve/tokens.rs", "FROM tokens ORDER BY created_at", "a list of few"),
    ("watch/check/farm.rs", "", "the check reads everything, on purpose"),
    ("watch/check/withdrawals.rs", "", "the check reads everything, on purpose"),
    ("watch/notify/rows.rs", "FROM notified ORDER BY", "what holds now, of which there is little"),
    ("watch/notify/rows.rs", "SELECT 1 FROM notifications LIMIT", "counting stops after ten thousand"),
    ("outbox/rows.rs", "FROM operations ORDER BY id DESC LIMIT ?2", "the newest, by the row id"),
    ("watch/check/ledger.rs", "", "the check reads everything, on purpose"),
    ("state/alert.rs", "FROM farm_alerts a", "open alerts only, of which there are few"),
    ("watch/check/rewards.rs", "", "the check reads everything, on purpose"),
    (
        "vault/reward/sound.rs",
        "SELECT start_block, end_block, emission, carry_in, carry_out FROM reward_emissions",
        "the check reads everything, on purpose",
    ),
    ("watch/check/shares.rs", "", "the check reads everything, on purpose"),
    (
        "state/pruned.rs",
        "FROM pruned_events r LEFT JOIN events e",
        "the walk over the whole chain looks at each once",
    ),
    ("app/watching/mod.rs", "SELECT count(*) FROM members", "for people: a number, counted along an index"),
    ("vault/pool/members.rs", "SELECT 1 FROM members LIMIT", "counting stops after ten thousand"),
    (
        "state/names.rs",
        "FROM members WHERE address LIKE ?1",
        "for people: the beginning of an address, whatever its case",
    ),
    ("state/events.rs", "SELECT 1 FROM events LIMIT", "counting stops after ten thousand"),
    ("watch/check/mod.rs", "FROM sqlite_schema", "the definitions of tables, of which there are few"),
    ("watch/check/columns.rs", "", "the check reads everything, on purpose"),
    ("state/file/connect.rs", "FROM sqlite_schema", "the definitions of tables, of which there are few"),
    ("state/file/schema.rs", "FROM sqlite_schema", "the definitions of tables, of which there are few"),
    ("state/prune/archive.rs", "FROM sqlite_master", "the definitions of tables, of which there are few"),
    ("state/prune/select.rs", "FROM open_pails", "open pails only: they end within a day"),
    ("state/prune/tables.rs", "SELECT * FROM", "the archive, all of which is to be deleted"),
    ("state/prune/tables.rs", "SELECT count(*) FROM", "the archive, read back from end to end"),
    ("kale/record/rows/pails.rs", "WHERE live_until <= ?1", "open pails only: they end within a day"),
    ("kale/record/rows/pails.rs", "WHERE zeros IS NULL AND stake", "open pails only: they end within a day"),
    (
        "kale/record/rows/lookups.rs",
        "SELECT count(*) FROM open_pails",
        "open pails only: they end within a day",
    ),
    (
        "kale/record/rows/lookups.rs",
        "FROM plantings ORDER BY block_index DESC LIMIT 1",
        "reads one row, the last",
    ),
    ("state/events.rs", "SELECT id, hash FROM events ORDER BY id DESC LIMIT 1", "reads one row, the last"),
    ("state/events.rs", "FROM events ORDER BY id DESC LIMIT", "the newest, as many as were asked for"),
    ("state/events.rs", "FROM events ORDER BY id", "the walk over the whole chain"),
    (
        "state/events.rs",
        "FROM events WHERE kind >= ? AND kind < ? ORDER BY id DESC",
        "a prefix, for people: the events of those kinds are sorted",
    ),
    (
        "vault/sync/reorg.rs",
        "FROM pool_reward_epochs WHERE pool_id = ?1 AND status = 'distributed' ORDER BY end_block DESC LIMIT 1",
        "after a reorg only: the epochs of one pool are sorted",
    ),
    (
        "vault/pool/members.rs",
        "FROM user_pool_shares s JOIN members",
        "for people: SQLite ranks the holders of one pool and keeps the largest",
    ),
    (
        "vault/reward/store.rs",
        "FROM reward_emissions ORDER BY start_block DESC LIMIT 1",
        "reads one row, the last",
    ),
    (
        "outbox/rows.rs",
        "WHERE state IN ('planned', 'signed', 'sent', 'confirmed') ORDER BY id",
        "the index holds only what is unfinished, and all of that is wanted",
    ),
];

/// Statements that must use an index that SQLite would not choose by itself: file, a part of the text, the index.
const DEMANDED: &[(&str, &str, &str)] = &[
    (
        "vault/sync/replay.rs",
        "SET last_deposit_at = ?3",
        "USING INDEX user_pool_shares_undated (pool_id=? AND last_deposit_block=?)",
    ),
    ("vault/sync/replay.rs", "SELECT DISTINCT last_deposit_block", "USING INDEX user_pool_shares_undated"),
    (
        "vault/risk/check.rs",
        "FROM pool_withdrawals",
        "USING INDEX pool_withdrawals_by_pool (pool_id=? AND requested_at>?)",
    ),
    (
        "vault/pool/holders.rs",
        "FROM share_transfers WHERE pool_id = ?1 AND block_number >= ?2 AND block_number < ?3",
        "USING PRIMARY KEY (pool_id=? AND block_number>? AND block_number<?)",
    ),
    (
        "vault/withdrawal/sound.rs",
        "w.id BETWEEN ?1 AND ?2",
        "USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
    ),
    ("vault/withdrawal/sound.rs", "w.id BETWEEN ?1 AND ?2", "USING INDEX events_by_subject (subject=?)"),
    ("watch/report/pools.rs", "block_number <= ?2", "USING PRIMARY KEY (pool_id=? AND block_number<?)"),
    (
        "watch/report/farm.rs",
        "WHERE block_index < ?1",
        "USING COVERING INDEX harvests_by_block (block_index<?)",
    ),
    ("kale/record/rows/records.rs", "ORDER BY block_index DESC", "USING INDEX harvests_once (farmer_id=?)"),
    ("state/events.rs", "WHERE at >= ? ORDER BY", "USING INDEX events_by_time (at>?)"),
    ("state/events.rs", "WHERE at >= ? AND (at, id) < (?, ?)", "INDEX events_by_time (at>? AND"),
    ("state/events.rs", "WHERE kind = ? AND id < ?", "INDEX events_by_kind (kind=? AND"),
    (
        "vault/withdrawal/store.rs",
        "w.member_id = ?1 AND (?2 IS NULL OR w.pool_id = ?2) AND (w.requested_at, w.id)",
        "USING INDEX pool_withdrawals_by_member (member_id=? AND",
    ),
    ("vault/withdrawal/store.rs", "AND w.id < ?6", "USING INTEGER PRIMARY KEY (rowid<?)"),
    (
        "vault/reward/epochs.rs",
        "(start_block, pool_id) < (?1, ?2)",
        "USING INDEX pool_reward_epochs_by_start (",
    ),
    ("vault/reward/claim.rs", "WHERE r.member_id > ?1", "USING INDEX pool_rewards_by_member (member_id>?)"),
    ("kale/record/profit.rs", "CROSS JOIN ledger_entries", "USING INDEX events_by_kind (kind=? AND"),
    ("kale/record/profit.rs", "WHERE at >= ?1 ORDER BY at, id", "events_by_time (at>?)"),
    ("kale/record/rows/lookups.rs", "INDEXED BY harvests_lost", "USING INDEX harvests_lost (at>?)"),
    ("state/alert.rs", "CROSS JOIN risk_violations", "USING INDEX risk_violations_open (pool_id=?)"),
    ("state/alert.rs", "CROSS JOIN oracle_alerts", "USING INDEX oracle_alerts_open (feed_id=?)"),
    ("state/alert.rs", "FROM farm_alerts a", "USING INDEX farm_alerts_open"),
    ("watch/health/facts.rs", "FROM plantings d", "USING INDEX plantings_by_block (block_index=?)"),
    ("watch/health/facts.rs", "FROM works d", "USING INDEX works_by_block (block_index=?)"),
    ("watch/health/facts.rs", "FROM harvests d", "USING INDEX harvests_by_block (block_index=?)"),
    (
        "watch/health/facts.rs",
        "LEFT JOIN pool_snapshots s",
        "USING PRIMARY KEY (pool_id=? AND block_number=?)",
    ),
    ("state/events.rs", "WHERE id > ?1 ORDER BY id", "USING INTEGER PRIMARY KEY (rowid>?)"),
    (
        "watch/notify/rows.rs",
        "next_at <= ?2 ORDER BY next_at, id LIMIT ?3",
        "USING INDEX notifications_waiting (channel=? AND next_at<?)",
    ),
    (
        "watch/notify/rows.rs",
        "kind = 'harvest.lost' AND id > ?1",
        "USING INDEX events_by_kind (kind=? AND id>?)",
    ),
    ("state/names.rs", "FROM members WHERE name >= ?1", "(name>? AND name<?)"),
    ("state/names.rs", "FROM farmers WHERE address >= ?1", "(address>? AND address<?)"),
    (
        "outbox/rows.rs",
        "WHERE state IN ('planned', 'signed', 'sent', 'confirmed') ORDER BY id",
        "USING INDEX operations_open",
    ),
];

fn schema() -> Connection {
    let conn = Connection::open_in_memory().unwrap();
    conn.execute_batch(include_str!("../../schema.sql")).unwrap();
    conn
}

fn one_line(statement: &Statement) -> String {
    statement.sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The lines of `EXPLAIN QUERY PLAN`.
fn plan(conn: &Connection, statement: &Statement) -> Vec<String> {
    let Statement { file, sql } = statement;
    let mut explained = conn
        .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
        .unwrap_or_else(|e| panic!("src/{file}: {e}\n{sql}"));
    let mut rows = explained.raw_query();
    let mut lines = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        lines.push(row.get::<_, String>(3).unwrap());
    }
    lines
}

/// Which tables a name in a plan may stand for: themselves, and the aliases that the statement gives them.
fn aliases(sql: &str, tables: &BTreeSet<String>) -> BTreeMap<String, BTreeSet<String>> {
    let words: Vec<&str> =
        sql.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect();
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (i, word) in words.iter().enumerate().filter(|(_, word)| tables.contains(**word)) {
        let next = words[i + 1..].iter().find(|next| **next != "AS");
        for name in [Some(word), next].into_iter().flatten() {
            found.entry((*name).to_owned()).or_default().insert((*word).to_owned());
        }
    }
    found
}

/// What is wrong with a plan.
fn faults(conn: &Connection, statement: &Statement, tables: &BTreeSet<String>) -> Vec<String> {
    let aliases = aliases(&statement.sql, tables);
    let lines = plan(conn, statement);
    let grows = |name: &str| {
        let known = aliases.get(name);
        known.is_none_or(|tables| tables.iter().any(|table| !SMALL.contains(&table.as_str())))
    };
    let mut found = Vec::new();
    for line in &lines {
        if let Some(rest) = line.strip_prefix("SCAN ") {
            let name = rest.split(' ').next().unwrap();
            // The rows of a subquery; how they are found stands in lines of its own.
            let made = [format!("CO-ROUTINE {name}"), format!("MATERIALIZE {name}")];
            let constant = rest == "CONSTANT ROW";
            if !constant && !lines.iter().any(|line| made.contains(line)) && grows(name) {
                found.push(line.clone());
            }
        }
        let sorts = line.starts_with("USE TEMP B-TREE");
        if sorts && statement.sql.contains(" LIMIT ") && aliases.keys().any(|name| grows(name)) {
            found.push(format!("{line}, to keep the first few"));
        }
    }
    found
}

#[test]
fn no_growing_table_is_read_from_end_to_end() {
    let conn = schema();
    let tables: BTreeSet<String> = {
        let mut names = conn.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").unwrap();
        names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    for table in SMALL {
        assert!(tables.contains(*table), "there is no table {table}");
    }
    let statements = statements::all();
    assert!(statements.len() > 80, "{} statements: some are not seen", statements.len());
    let mut unused: BTreeSet<_> = ALLOWED.iter().collect();
    let mut refused = Vec::new();
    for statement in &statements {
        let faults = faults(&conn, statement, &tables);
        let one_line = one_line(statement);
        let allowed =
            ALLOWED.iter().find(|(file, part, _)| *file == statement.file && one_line.contains(part));
        match allowed {
            _ if faults.is_empty() => {}
            Some(entry) => drop(unused.remove(entry)),
            None => {
                refused.push(format!("src/{}: {one_line}\n    {}", statement.file, faults.join("\n    ")));
            }
        }
    }
    assert!(refused.is_empty(), "add an index, or a reason to ALLOWED:\n{}", refused.join("\n"));
    assert!(unused.is_empty(), "no longer needed in ALLOWED: {unused:?}");
}

#[test]
fn the_right_index_is_used() {
    let conn = schema();
    let statements = statements::all();
    for (file, part, index) in DEMANDED {
        let mut plans =
            statements.iter().filter(|s| s.file == *file && one_line(s).contains(part)).peekable();
        assert!(plans.peek().is_some(), "src/{file} has no statement with: {part}");
        for statement in plans {
            let plan = plan(&conn, statement);
            assert!(plan.iter().any(|line| line.contains(index)), "{}\n{plan:?}", statement.sql);
        }
    }
}

#[test]
fn a_scan_is_seen() {
    let conn = schema();
    let tables = BTreeSet::from(["events", "pools", "pool_rewards", "members"].map(str::to_owned));
    let count = |sql: &str| {
        let statement = Statement { file: "test.rs".into(), sql: sql.into() };
        faults(&conn, &statement, &tables).len()
    };
    for (sql, want) in [
        ("SELECT * FROM pools", 0),
        ("SELECT * FROM events WHERE id = ?1", 0),
        ("SELECT * FROM events WHERE payload = ?1", 1),
        ("SELECT e.id FROM pools p JOIN events AS e ON e.payload = p.name", 1),
        (
            "SELECT * FROM (SELECT max(id) AS m FROM events WHERE actor = ?1 GROUP BY actor) x JOIN pools ON id = m",
            1,
        ),
        ("UPDATE pool_rewards SET claimed_at = 1 WHERE claimed_at IS NULL", 1),
        ("UPDATE pool_rewards SET claimed_at = 1 WHERE member_id = ?1", 0),
        // What the foreign keys look for is part of the plan: two columns of share_transfers.
        ("DELETE FROM members WHERE id = ?1", 2),
        ("SELECT id FROM events WHERE kind = ?1 ORDER BY subject LIMIT 5", 1),
        ("SELECT count(*) FROM pool_rewards", 1),
    ] {
        assert_eq!(
            count(sql),
            want,
            "{sql}: {:?}",
            plan(&conn, &Statement { file: String::new(), sql: sql.into() })
        );
    }
}
