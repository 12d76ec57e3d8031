//! What runs of the same work must agree on, however they were disturbed.

use crate::desk::{Desk, KALE, until};
use kale::contract::BLOCK_SECONDS;
use rusqlite::types::ValueRef;
use std::collections::BTreeMap;

/// What two runs of the same work must agree on: all but ids, times, ledger numbers and what follows from those.
const LASTING: &[(&str, &str)] = &[
    (
        "plantings",
        "SELECT farmer_id, block_index, outcome, stake, reason, operation_id IS NULL FROM plantings",
    ),
    ("works", "SELECT farmer_id, block_index, outcome, nonce, hash, zeros, reason FROM works"),
    ("harvests", "SELECT farmer_id, block_index, outcome, stake, reward, forecast, reason FROM harvests"),
    ("open_pails", "SELECT block_index, farmer_id, stake, zeros, held FROM open_pails"),
    (
        "block_operations",
        "SELECT pooler_id, block_index, planted, worked, harvested, staked, rewarded FROM block_operations",
    ),
    (
        "pooler_compensations",
        "SELECT pooler_id, farmer_id, block_index, fault, amount, reason FROM pooler_compensations",
    ),
    ("ledger_accounts", "SELECT owner_kind, owner, purpose, asset, balance FROM ledger_accounts"),
    (
        "ledger_entries",
        "SELECT a.owner_kind, a.owner, a.purpose, e.amount
         FROM ledger_entries e JOIN ledger_accounts a ON a.id = e.account_id",
    ),
    (
        "operations",
        "SELECT key, kind, subject, state, json_remove(plan, '$.due', '$.live_until') FROM operations",
    ),
    (
        "operation_attempts",
        "SELECT o.key, t.attempt, t.outcome FROM operation_attempts t JOIN operations o ON o.id = t.operation_id",
    ),
    ("events", "SELECT kind, subject FROM events"),
    ("farm_alerts", "SELECT subject, kind, closed_at IS NULL FROM farm_alerts"),
];

pub type Facts = BTreeMap<String, Vec<String>>;

/// What is recorded, and what each farmer has on chain: transactions sent, KALE, and its pails.
pub fn facts(desk: &Desk) -> Facts {
    let conn = desk.sqlite();
    let mut facts = Facts::new();
    for (table, sql) in LASTING {
        let mut statement = conn.prepare(sql).unwrap();
        let count = statement.column_count();
        let mut found = Vec::new();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let cells = (0..count).map(|place| match row.get_ref(place).unwrap() {
                ValueRef::Null => "-".to_owned(),
                ValueRef::Integer(number) => number.to_string(),
                ValueRef::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
                other => panic!("{table}: {other:?}"),
            });
            found.push(cells.collect::<Vec<_>>().join(" | "));
        }
        found.sort();
        facts.insert((*table).to_owned(), found);
    }
    let index = desk.farm().index;
    let chain = desk.farmers.iter().map(|farmer| {
        let wallet = desk.wallet(farmer);
        let pails: Vec<_> = (0..=index)
            .filter_map(|block| desk.pail(farmer, block).map(|pail| (block, pail.stake, pail.zeros)))
            .collect();
        format!("{} {} {:?} {pails:?}", farmer.id, wallet.sequence, wallet.kale)
    });
    facts.insert("chain".to_owned(), chain.collect());
    facts
}

#[track_caller]
pub fn same(want: &Facts, got: &Facts, when: &str) {
    for (what, rows) in want {
        assert_eq!(rows, &got[what], "{what}, {when}");
    }
}

/// Every pail that is recorded is on chain, with the ledger, the gap and the zeros that are recorded.
#[track_caller]
pub fn pails_agree(desk: &Desk, when: &str) {
    for farmer in &desk.farmers {
        let of = format!("WHERE farmer_id = '{}' ORDER BY block_index", farmer.id);
        let blocks: Vec<u32> = desk
            .column(&format!("SELECT CAST(block_index AS TEXT) FROM open_pails {of}"))
            .iter()
            .map(|block| block.parse().unwrap())
            .collect();
        for block in blocks {
            let row = |column: &str| {
                desk.value::<Option<u32>>(&format!(
                    "SELECT {column} FROM open_pails WHERE farmer_id = '{}' AND block_index = {block}",
                    farmer.id
                ))
            };
            let pail = desk.pail(farmer, block).unwrap();
            // The block that a plant begins gets its time from the ledger of the plant, a little after it was planned.
            let farm = desk.farm();
            let begun = desk.block(block).unwrap().timestamp;
            let due = farm.due().filter(|_| farm.index == block).unwrap_or(begun + BLOCK_SECONDS);
            let planned = u64::from(row("due_time").unwrap());
            assert!((planned..=planned + 60).contains(&due), "{when}: due at {due}, {planned} is recorded");
            assert_eq!(
                (row("planted_ledger"), row("gap"), row("zeros")),
                (Some(pail.sequence), pail.gap, pail.zeros),
                "{when}"
            );
        }
    }
}

/// Stakes count in full, and four zeros are enough.
pub const STAKES: &str = "kale.cap_stake = false\nstrategy.target_zeros = 4";

/// Two farmers with pails in block 1.
pub fn planted() -> Desk {
    planted_on(ripe())
}

fn planted_on(desk: Desk) -> Desk {
    desk.run("plant").exits(0);
    desk.network.advance(2).unwrap();
    desk
}

/// As [`planted`], and the time to submit what was ground has come.
pub fn ground() -> Desk {
    ground_at(281)
}

/// As [`planted`]; everybody has a nonce, and the block is so many seconds old.
pub fn ground_at(age: u64) -> Desk {
    ground_on(ripe(), age)
}

/// The same on a desk as [`ripe`] gives it.
pub fn ground_on(ripe: Desk, age: u64) -> Desk {
    let desk = planted_on(ripe);
    let saved = || desk.value::<i64>("SELECT count(*) FROM nonces WHERE best_zeros >= 4") == 2;
    let mut child = desk.run("work").spawn();
    until("both have a nonce", saved);
    child.kill().unwrap();
    child.wait().unwrap();
    desk.age(age);
    desk
}

/// Two farmers whose pails of block 1 are due: one comes back, the other was never worked, and a first look has shown that.
pub fn rolled() -> Desk {
    let desk = planted();
    desk.work(&desk.farmers[0], 1);
    desk.ripen();
    desk.run("plant").exits(5);
    let first = "INSERT INTO harvests (farmer_id, block_index, outcome, stake, reward, ledger, reason, at)
        SELECT farmer_id, block_index, 'failed', stake, '0', 1, 'missing', 0 FROM open_pails
        WHERE block_index = 1 AND farmer_id = ?1";
    assert_eq!(desk.sqlite().execute(first, [&desk.farmers[1].id]).unwrap(), 1);
    desk
}

/// Two farmers whose pails of block 1 are due, both worked.
pub fn rolled_well() -> Desk {
    let desk = planted();
    for farmer in &desk.farmers {
        desk.work(farmer, 1);
    }
    desk.ripen();
    desk.run("plant").exits(0);
    desk
}

/// Two farmers with pails that the state does not know, after a backup was restored.
pub fn forgotten() -> Desk {
    let desk = Desk::with_farmers(2, 1_000 * KALE);
    desk.configure(STAKES);
    desk.run("farm reconcile").exits(0);
    desk.run("state backup before.sqlite").exits(0);
    desk.run("plant").exits(0);
    desk.run("state restore before.sqlite --yes").exits(0);
    desk
}

/// Two farmers whose plants are signed, and the run was killed before it sent them, or when they had landed.
pub fn unsettled(landed: bool) -> Desk {
    let desk = ripe();
    // On a busy machine the two may be signed apart; then once more.
    for step in (1..80_u32).cycle().take(320) {
        let copy = desk.fork();
        copy.run("plant").env("POOLCTL_CRASH_AT", &step.to_string()).ends();
        let open = copy.value::<i64>("SELECT count(*) FROM operations WHERE state IN ('signed', 'sent')");
        let index = copy.farm().index;
        let there = copy.farmers.iter().filter(|farmer| copy.pail(farmer, index).is_some()).count();
        if open == 2 && there == if landed { 2 } else { 0 } && copy.network.waiting() == 0 {
            return copy;
        }
    }
    panic!("no step at which both are signed");
}

/// Two farmers whose plants are planned, and the run was killed before it signed them.
pub fn unsigned() -> Desk {
    let desk = ripe();
    for step in 1..80_u32 {
        let copy = desk.fork();
        copy.run("plant").env("POOLCTL_CRASH_AT", &step.to_string()).ends();
        let planned = copy.value::<i64>("SELECT count(*) FROM operations WHERE state = 'planned'");
        if planned == 2 && copy.value::<i64>("SELECT count(*) FROM operation_attempts") == 0 {
            return copy;
        }
    }
    panic!("no step at which both are planned");
}

/// Two farmers, and the first of their plants begins the next block.
pub fn ripe() -> Desk {
    let desk = Desk::with_farmers(2, 1_000 * KALE);
    desk.configure(STAKES);
    desk.ripen();
    desk
}
