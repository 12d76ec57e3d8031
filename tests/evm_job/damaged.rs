//! Damaged states: bytes overwritten, pages lost, single values of single rows changed. Whatever is wrong with a state, no
//! command panics, hangs or makes it worse, and what a command cannot read is found by `state check --full`.
//!
//! Damages are drawn from the seeds 0, 1, …; each node takes every other one. `POOLCTL_DAMAGES` says how many there are,
//! `POOLCTL_DAMAGE` names one to be repeated.

use super::NODE;
use super::desk::Desk;
use crate::support::{BINARY, Home, Ran};
use poolctl_testkit::{NodeKind, tamper, units, watch};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{env, fs, thread};

const DAMAGES: u64 = 60;

/// A page of the file, in bytes.
const PAGE: usize = 4096;

/// What is tried on each damaged state, in this order: it only gets worse if one of them makes it so.
const LINES: &[&str] = &[
    "pool list",
    "report --html report.html",
    "reward epoch list",
    "sync",
    "reward cycle",
    "reward claim alice --all --yes",
    "withdrawal complete 1 --unverified --yes",
    "reward export 2 --merkle --format json --output tree.json --yes",
    "risk check --all",
    "reward pending",
    "events --verify",
];

/// What commands say of a state that they cannot read, or pay by; of one pool among others in words alone.
const UNREADABLE: &[&str] = &[
    "\"state_corrupt\"",
    "\"state_error\"",
    "is not an amount",
    "is not an address",
    "is not a hash",
    "is not one of",
    "nothing is paid",
    "malformed",
];

/// Numbers below a bound, always the same ones from one seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap()
    }

    fn of<'t, T>(&mut self, items: &'t [T]) -> &'t T {
        &items[self.below(items.len())]
    }
}

/// A state with everything in it that a few pools have: epochs paid and due, claims, a withdrawal, feeds, limits.
fn lived_in() -> Desk {
    let desk = Desk::bare();
    desk.furnish();
    desk.run("reward claim alice --all --yes").ok();
    desk.run("withdrawal request stable alice 1").ok();
    desk.world.deposit(desk.world.six.vault, desk.world.alice, units(5, 6)).unwrap();
    desk.world.node.mine(30).unwrap();
    desk.run("sync").ok();
    desk.run("reward cycle").ok();
    desk.world.node.mine(30).unwrap();
    desk.home.sqlite().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    desk
}

/// Overwrites some of the file's bytes; says how.
fn bytes(home: &Home, draw: &mut Draw) -> String {
    let mut bytes = fs::read(home.state()).unwrap();
    let (pages, page) = (bytes.len() / PAGE, draw.below(bytes.len() / PAGE));
    let how = match draw.below(4) {
        0 => {
            let (at, bit) = (draw.below(bytes.len()), draw.below(8));
            bytes[at] ^= 1 << bit;
            format!("bit {bit} of byte {at} turned over")
        }
        1 => {
            let at = page * PAGE + draw.below(PAGE - 16);
            bytes[at..at + 16].fill_with(|| u8::try_from(draw.below(256)).unwrap());
            format!("noise in 16 bytes from {at} on")
        }
        2 => {
            bytes[page * PAGE..][..PAGE].fill(0);
            format!("page {} of {pages} zeroed", page + 1)
        }
        _ => {
            let other = draw.below(pages);
            bytes.copy_within(other * PAGE..(other + 1) * PAGE, page * PAGE);
            format!("page {} of {pages} overwritten by page {}", page + 1, other + 1)
        }
    };
    fs::write(home.state(), bytes).unwrap();
    how
}

/// Changes one value of one row; says how, or `None` where SQLite does not take it.
fn value(home: &Home, draw: &mut Draw) -> Option<String> {
    const NUMBERS: &[&str] =
        &["-1", "0", "$ + 1", "$ - 10", "$ * 1000", "4294967296", "9223372036854775807", "NULL"];
    const TEXTS: &[&str] = &[
        "''",
        "'x'",
        "'-5'",
        "'1'",
        "$ || '0'",
        "'0' || $",
        "substr($, 2)",
        "upper($)",
        "CAST(x'31ff' AS TEXT)",
        "'9' || $",
        "NULL",
    ];
    let conn = home.sqlite();
    conn.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON").unwrap();
    let tables =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let tables: Vec<String> =
        conn.prepare(tables).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let table = draw.of(&tables);
    let count: usize =
        conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
    let columns: Vec<(String, String, bool)> = conn
        .prepare(&format!("SELECT name, type, pk > 0 FROM pragma_table_info('{table}')"))
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    if count == 0 {
        return None;
    }
    let (column, kind, _) = draw.of(&columns);
    let to = match kind.as_str() {
        "INTEGER" => draw.of(NUMBERS).replace('$', column),
        "TEXT" => draw.of(TEXTS).replace('$', column),
        _ => "zeroblob(32)".to_owned(),
    };
    let key: Vec<&str> =
        columns.iter().filter(|(.., is_key)| *is_key).map(|(name, ..)| name.as_str()).collect();
    let key = key.join(", ");
    let row = draw.below(count);
    let sql = format!(
        "UPDATE {table} SET {column} = {to} WHERE ({key}) = (SELECT {key} FROM {table} ORDER BY {key} LIMIT 1 OFFSET {row})
             AND {column} IS NOT {to}"
    );
    let changed = tamper(&conn, |conn| conn.execute(&sql, []));
    matches!(changed, Ok(1)).then_some(sql)
}

/// How many findings the check has; `None` where it cannot even begin.
fn findings(home: &Home) -> Option<usize> {
    let ran = home.run("state check --full --json").exits_one_of(&[0, 1, 5]);
    let envelope = ran.envelope();
    let found = envelope["data"]["findings"].as_array().map(Vec::len);
    assert!(found.is_some() || ran.code == Some(1), "{envelope}");
    found
}

/// Runs a command. What it says of a state that is sound by its check is held against the command's own contract.
fn run(home: &Home, line: &str, is_sound: bool) -> Ran {
    let output = watch::output(&mut home.run(line).arg("--json").command).unwrap();
    if is_sound {
        return Ran::of(BINARY, output);
    }
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    Ran { code: output.status.code(), stdout, stderr }
}

/// What a damaged state makes commands do that it should not; `None` where nothing could be damaged so.
fn wrong(desk: &Desk, seed: u64) -> Option<Vec<String>> {
    let home = desk.home.fork();
    let mut draw = Draw(seed);
    let how = if draw.below(2) == 0 { bytes(&home, &mut draw) } else { value(&home, &mut draw)? };
    let mut wrong = Vec::new();
    let before = findings(&home);
    let mut worst = before;
    let mut version = version_of(&home);
    for line in LINES {
        let ran = run(&home, line, before == Some(0));
        let mut say = |what: &str| {
            wrong.push(format!(
                "seed {seed} ({how}): {line} {what}; {before:?} findings before\n{}\n{}",
                ran.stdout, ran.stderr
            ));
        };
        if ran.code.is_none() || ran.stderr.contains("panicked") || ran.stdout.contains("\"code\":\"bug\"") {
            say(&format!("ended with {:?}", ran.code));
        }
        let unreadable = UNREADABLE.iter().any(|words| ran.stdout.contains(words));
        if unreadable && before == Some(0) {
            say("fails, and the check finds nothing");
        }
        let now = version_of(&home);
        if now != version {
            version = now;
            let after = findings(&home);
            if after.is_none() || worst.is_some() && after > worst {
                say(&format!("left {after:?} findings"));
            }
            worst = after;
        }
    }
    Some(wrong)
}

/// The data version, which counts writes; none where it cannot be read.
fn version_of(home: &Home) -> Option<String> {
    home.sqlite().query_row("SELECT value FROM meta WHERE key = 'data_version'", [], |row| row.get(0)).ok()
}

#[test]
fn a_damaged_state_is_not_made_worse_and_its_damage_is_found() {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match number("POOLCTL_DAMAGE") {
        Some(only) => only..only + 1,
        None => 0..number("POOLCTL_DAMAGES").unwrap_or(DAMAGES),
    };
    let ours: Vec<u64> = seeds.filter(|seed| (seed % 2 == 0) == (NODE == NodeKind::Anvil)).collect();
    let desk = lived_in();
    assert_eq!(findings(&desk.home), Some(0));
    let next = AtomicU64::new(0);
    let wrong: Vec<String> = thread::scope(|scope| {
        let work = || {
            let mut found = Vec::new();
            while let Some(seed) = ours.get(usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap()) {
                found.extend(wrong(&desk, *seed).into_iter().flatten());
            }
            found
        };
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{} of {} seeds:\n{}", wrong.len(), ours.len(), wrong.join("\n"));
}
