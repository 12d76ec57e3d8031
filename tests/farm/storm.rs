//! A storm: what cron, people and other machines run beside a farm, all at once on one state, with kills of them and of the farm.
//!
//! 20 seconds of it in every run of the tests; `STORM_SECONDS=N` makes it longer, `STORM_SEED=N` another one.

use crate::desk::{Desk, Home, KALE};
use crate::round::Dice;
use crate::run::Clock;
use poolctl_testkit::{NodeKind, World, watch};
use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Output;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A kind of command. In its line `{n}` is a number that nobody else has, `{ratio}` the same as millionths, `{hex}` as an
/// address.
struct Kind {
    line: &'static str,
    /// How it may end besides with 0.
    codes: &'static [i32],
    /// The event that tells of it: its kind, its `subject` or a place in its payload, and what is said there.
    told: Option<[&'static str; 3]>,
}

const fn kind(line: &'static str) -> Kind {
    Kind { line, codes: &[], told: None }
}

impl Kind {
    const fn or(mut self, codes: &'static [i32]) -> Self {
        self.codes = codes;
        self
    }

    const fn told(mut self, kind: &'static str, place: &'static str, value: &'static str) -> Self {
        self.told = Some([kind, place, value]);
        self
    }
}

/// Several of these share a lease.
const LEASED: &[&str] = &["sync", "reward cycle", "state prune", "farm run --once"];

const KINDS: &[Kind] = &[
    kind("config set oracle.cache_ttl_sec {n}").told("config.set", "$.new", "{n}"),
    kind("farmer set {farmer} --stake-percentage {ratio}").told(
        "farmer.changed",
        "$.stake_percentage.new",
        "{ratio}",
    ),
    kind("member add {hex} --name m{n}").told("member.added", "$.name", "m{n}"),
    kind("pooler add p{n}").told("pooler.added", "$.name", "p{n}"),
    kind("reward set-weight growth {ratio}").or(&[75]).told("reward.weight_set", "$.new_ppm", "{n}"),
    kind("oracle add f{n} --asset USD --kind fixed --price 1").told("oracle.feed_added", "subject", "f{n}"),
    kind("withdrawal request stable alice 1 --idempotency-key k{n}").or(&[4]).told(
        "withdrawal.requested",
        "$.idempotency_key",
        "k{n}",
    ),
    kind("farmer register --pooler south --stake-percentage 0.5"),
    kind("risk set stable --max-tvl {n}"),
    kind("risk pause growth --reason r{n}"),
    kind("risk unpause growth --reason r{n}"),
    kind("sync").or(&[75]),
    kind("reward cycle").or(&[3, 4, 75]),
    kind("oracle check").or(&[5, 75]),
    kind("risk check --all").or(&[5, 75]),
    kind("farm run --once").or(&[3, 4, 5, 75]),
    kind("farmer check-funding").or(&[3, 4, 5, 75]),
    // The service may plant between its look and its rehearsal.
    kind("plant --dry-run").or(&[1, 3, 4, 75]),
    kind("state backup b{n}.sqlite"),
    kind("state prune --older-than 90d --yes"),
    kind("state check"),
    kind("events"),
    kind("farmer list"),
    kind("farm plan").or(&[75]),
    kind("block").or(&[75]),
    kind("operations list"),
    kind("health").or(&[5]),
    kind("metrics"),
    kind("info"),
];

/// What another machine sends.
const NONCES: Kind = kind("work submit found.ndjson").or(&[3, 75, 76]);

/// An event that there is, exactly once, or at most once of a command that was killed.
struct Told {
    what: [String; 3],
    killed: bool,
}

/// Ends the storm, also where the thread that holds it panics.
struct Over<'s>(&'s AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Storm {
    over: AtomicBool,
    count: AtomicU64,
    kills: AtomicU32,
    farmer: String,
    told: Mutex<Vec<Told>>,
    /// How the commands ended, by their lines.
    ended: Mutex<BTreeMap<&'static str, BTreeMap<Option<i32>, u32>>>,
    wrong: Mutex<Vec<String>>,
}

impl Storm {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Runs one of a kind, to its end or not.
    fn run(&self, home: &Home, kind: &'static Kind, dice: &mut Dice) {
        // Its last digit is no zero, which a ratio would lose.
        let n = 10_001 + 10 * self.count.fetch_add(1, Ordering::Relaxed);
        let filled = |text: &str| {
            [
                ("{n}", n.to_string()),
                ("{ratio}", format!("0.{n:06}")),
                ("{hex}", format!("0x{n:040x}")),
                ("{farmer}", self.farmer.clone()),
            ]
            .into_iter()
            .fold(text.to_owned(), |text, (name, word)| text.replace(name, &word))
        };
        let mut child = home.run(&filled(kind.line)).spawn();
        if dice.one_in(6) {
            std::thread::sleep(Duration::from_millis(dice.below(150)));
            child.kill().unwrap();
        }
        let output = child.wait_with_output().unwrap();
        let killed = output.status.signal() == Some(9);
        self.kills.fetch_add(u32::from(killed), Ordering::Relaxed);
        let code = output.status.code();
        *self.ended.lock().unwrap().entry(kind.line).or_default().entry(code).or_default() += 1;
        let shares = || code == Some(11) && LEASED.iter().any(|line| kind.line.starts_with(line));
        let may = code.is_some_and(|code| code == 0 || kind.codes.contains(&code));
        if !killed && !may && !shares() {
            self.wrong.lock().unwrap().push(shown(&filled(kind.line), &output));
        }
        if let Some(told) = kind.told.filter(|_| killed || code == Some(0)) {
            self.told.lock().unwrap().push(Told { what: told.map(filled), killed });
        }
    }

    /// The service that farms, killed and begun again; and stopped in order at the end.
    fn farm(&self, home: &Home, dice: &mut Dice) {
        let mut begun = 0;
        loop {
            begun += 1;
            let log = home.path().join(format!("farm-{begun}.log"));
            let mut run = home.run("farm run --json --wait 1m");
            let file = File::create(&log).unwrap();
            run.command.stdout(file.try_clone().unwrap()).stderr(file);
            let mut child = watch::spawn(&mut run.command).unwrap();
            let until = Instant::now() + Duration::from_millis(1_000 + dice.below(5_000));
            while !self.is_over() && Instant::now() < until && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(20));
            }
            let ended = child.try_wait().unwrap();
            if ended.is_none() && !self.is_over() {
                child.kill().unwrap();
                child.wait().unwrap();
                self.kills.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            if ended.is_none() {
                kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
            }
            let status = child.wait().unwrap();
            // Asked to stop, it may not have begun, or not know yet what came of its last work.
            let may = ended.is_none() && matches!(status.code(), Some(0 | 75));
            if !may {
                let text = std::fs::read_to_string(&log).unwrap();
                let last: Vec<&str> = text.lines().rev().take(3).collect();
                self.wrong.lock().unwrap().push(format!("farm run: {status}; {last:?}"));
            }
            if self.is_over() {
                return;
            }
        }
    }
}

fn shown(line: &str, output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().chars().take(600).collect::<String>();
    format!("{line}: {}; {}; {}", output.status, text(&output.stdout), text(&output.stderr))
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// A desk with a farm and pools on one state, as an operator of both has.
fn both() -> (Desk, World) {
    let world = World::small(NodeKind::Sandbox).unwrap();
    let desk = Desk::with_farmers(3, 1_000 * KALE);
    desk.configure(&format!(
        "strategy.target_zeros = 3\nkale.work_margin_sec = 60\n\
         evm.rpc_urls = [\"main={}\"]\nevm.attempts = 2\nevm.retry_base_ms = 1\n\
         reward.asset = \"{}\"\nreward.epoch_blocks = 10\nreward.block_reward = \"2\"",
        world.node.url(),
        world.eighteen.asset
    ));
    let genesis = world.eighteen.deploy_block.min(world.six.deploy_block);
    for line in [
        "pooler add south --capacity 100000".to_owned(),
        format!("pool add growth {}", world.eighteen.vault),
        format!("pool add stable {}", world.six.vault),
        format!("member add {} --name alice", world.alice),
        format!("oracle add growth-usd --asset {} --address {}", world.eighteen.asset, world.eighteen.feed),
        "reward set-weight growth 0.75".to_owned(),
        "reward set-weight stable 0.25".to_owned(),
        "sync".to_owned(),
        format!("reward cycle --from {genesis}"),
        "farm reconcile".to_owned(),
    ] {
        desk.run(&line).exits(0);
    }
    (desk, world)
}

#[test]
fn everything_at_once_beside_a_farm_loses_nothing() {
    let (seconds, seed) = (number("STORM_SECONDS", 20), number("STORM_SEED", 1));
    let (desk, world) = both();
    let storm = Storm {
        over: AtomicBool::new(false),
        count: AtomicU64::new(0),
        kills: AtomicU32::new(0),
        farmer: desk.farmers[0].id.clone(),
        told: Mutex::default(),
        ended: Mutex::default(),
        wrong: Mutex::default(),
    };
    let clock = Clock::start(&desk, 40);
    std::thread::scope(|scope| {
        let (storm, home) = (&storm, &desk.home);
        scope.spawn(move || storm.farm(home, &mut Dice(seed)));
        for thread in 1..=4 {
            scope.spawn(move || {
                let mut dice = Dice(seed.wrapping_mul(1_000) + thread);
                while !storm.is_over() {
                    storm.run(home, dice.pick(KINDS), &mut dice);
                }
            });
        }
        let _over = Over(&storm.over);
        let (until, mut dice) = (Instant::now() + Duration::from_secs(seconds), Dice(seed + 1));
        while Instant::now() < until {
            world.node.mine(1).unwrap();
            let farmer = dice.pick(&desk.farmers);
            let Some((nonce, ..)) = desk.ground(farmer, 2) else { continue };
            desk.write_private("found.ndjson", &json!({ "farmer": farmer.id, "nonce": nonce }).to_string());
            storm.run(home, &NONCES, &mut dice);
        }
    });
    drop(clock);
    let Storm { kills, told, ended, wrong, .. } = storm;
    let (ended, wrong) = (ended.into_inner().unwrap(), wrong.into_inner().unwrap());
    println!("seed {seed}: {} kills, {ended:#?}", kills.into_inner());
    assert!(wrong.is_empty(), "{} commands ended as they may not:\n{}", wrong.len(), wrong.join("\n"));
    assert!(ended.len() >= 20, "{} kinds were run", ended.len());

    let conn = desk.sqlite();
    for told in told.into_inner().unwrap() {
        is_told(&conn, &told);
    }
    let farmer = &desk.farmers[0].id;
    let stake =
        format!("SELECT '0.' || printf('%06d', stake_percentage_ppm) FROM farmers WHERE id = '{farmer}'");
    for (kind, subject, old, new, now) in [
        (
            "config.set",
            "oracle.cache_ttl_sec",
            "$.old",
            "$.new",
            "SELECT value FROM system_config WHERE key = 'oracle.cache_ttl_sec'",
        ),
        ("farmer.changed", farmer.as_str(), "$.stake_percentage.old", "$.stake_percentage.new", &stake),
        ("reward.weight_set", "growth", "$.old_ppm", "$.new_ppm", "SELECT NULL WHERE 0"),
    ] {
        nothing_is_overwritten(&conn, (kind, subject), (old, new), now);
    }
    let registered = "SELECT count(*) FROM events WHERE kind = 'farmer.registered'";
    let farmers = "SELECT count(*) FROM farmers";
    assert_eq!(desk.value::<i64>(registered), desk.value::<i64>(farmers));
    for outcome in ["plantings WHERE outcome = 'planted'", "works WHERE outcome = 'worked'"] {
        assert!(desk.value::<i64>(&format!("SELECT count(*) FROM {outcome}")) >= 3, "{outcome}");
    }
    // What the kills left under way is settled first; nothing else was missed.
    let data = desk.run("farm reconcile --json").exits(0).last()["data"].clone();
    assert_eq!(data["differences"], Value::Array(Vec::new()), "{data}");
    desk.run("state check --full").exits(0);
    desk.run("events --verify").exits(0);
    assert_eq!(state::leases(&desk.state()).unwrap(), []);
    let locks = desk.state().with_extension("sqlite.locks");
    assert!(!locks.exists(), "{:?}", std::fs::read_dir(locks).map(Iterator::count));
}

/// What a command said that it did is in the audit log, once; of one that was killed not more than that.
fn is_told(conn: &Connection, Told { what: [kind, place, value], killed }: &Told) {
    let sql = "SELECT count(*) FROM events
         WHERE kind = ?1 AND ?3 = CASE ?2 WHEN 'subject' THEN subject ELSE CAST(payload ->> ?2 AS TEXT) END";
    let times: i64 = conn.query_row(sql, [kind, place, value], |row| row.get(0)).unwrap();
    assert!(times == 1 || *killed && times == 0, "{kind} {place} {value}: {times} times");
}

/// Each change began with what the one before had left, and the last one stands.
fn nothing_is_overwritten(
    conn: &Connection,
    (kind, subject): (&str, &str),
    (old, new): (&str, &str),
    now: &str,
) {
    let sql = "SELECT CAST(payload ->> ?3 AS TEXT), CAST(payload ->> ?4 AS TEXT) FROM events
         WHERE kind = ?1 AND subject = ?2 AND payload ->> ?4 IS NOT NULL ORDER BY id";
    let mut changes = conn.prepare(sql).unwrap();
    let changes: Vec<(Option<String>, String)> = changes
        .query_map([kind, subject, old, new], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert!(changes.len() >= 2, "{kind} of {subject}: {changes:?}");
    for pair in changes.windows(2) {
        assert_eq!(pair[1].0.as_ref(), Some(&pair[0].1), "{kind} of {subject}");
    }
    let mut now = conn.prepare(now).unwrap();
    let now = now.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap).next();
    assert!(now.is_none_or(|now| now == changes[changes.len() - 1].1), "{kind} of {subject}");
}
