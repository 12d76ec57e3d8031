//! The commands that act on a home, and on pools of an EVM.

use crate::evm::desk::Desk;
use crate::facts::{self, Facts};
use crate::strace::{self, Fault};
use crate::support::Home;
use crate::sweep::{self, Place, Row, Task};
use poolctl_sandbox::stellar::Keypair;
use poolctl_testkit::units;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// In a home where there is nothing.
pub const BARE: &[Row] = &[Row::new("init")];

/// The first that is done after `init`.
pub const NEW: &[Row] = &[
    Row::new("pooler add north"),
    Row::new("member add 0x00000000000000000000000000000000000000a1 --name ann"),
    Row::new("member rename 0x0000 ann").after(&["member add 0x00000000000000000000000000000000000000a1"]),
    Row::new("config set oracle.cache_ttl_sec 60"),
    Row::new("token revoke board").after(&["token create --role reader --name board"]),
    Row::new("state backup copy.sqlite"),
];

/// With a pooler and a farmer.
pub const LOCAL: &[Row] = &[
    Row::new("pooler add south --capacity 9"),
    Row::new("pooler set north --name south --capacity 9"),
    Row::new("farmer import --pooler north --stake-percentage 0.5").input("{secret}"),
    Row::new("farmer import --sponsor").input("{secret}"),
    Row::new("farmer import --submitter").input("{secret}"),
    Row::new("farmer register --pooler north --stake-percentage 0.25"),
    Row::new("farmer set {farmer} --stake-percentage 0.75 --name ada"),
    Row::new("farmer export-key {farmer} --yes"),
    Row::new("config set oracle.cache_ttl_sec 60"),
    Row::new("config unset oracle.cache_ttl_sec").after(&["config set oracle.cache_ttl_sec 60"]),
    Row::new("state backup copy.sqlite"),
    Row::new("state restore copy.sqlite --yes").after(&["state backup copy.sqlite", "pooler add south"]),
    Row::new("metrics --quiet"),
    Row::new("report --html report.html"),
];

/// With a state of an older schema.
pub const OLDER: &[Row] = &[Row::new("state migrate")];

/// With a state whose rows are old.
pub const OLD: &[Row] = &[Row::new("state prune --older-than 90d --yes")];

/// With two pools that have lived a little.
pub const POOLS: &[Row] = &[
    Row::new("sync"),
    Row::new("pool add third {third}"),
    Row::new("pool rescan growth"),
    Row::new("pool set growth --max-rate-drop 0.25 --symbol GRO"),
    Row::new("pool rename growth main"),
    Row::new("pool retire third").after(&["pool add third {third}"]),
    Row::new("pool retire third --undo").after(&["pool add third {third}", "pool retire third"]),
    Row::new("member add {bob} --name bob"),
    Row::new("withdrawal request stable alice 1 --idempotency-key k"),
    Row::new("withdrawal complete 1 --tx {gone}").after(&["withdrawal request stable alice 1"]),
    Row::new("withdrawal complete 1 --unverified").after(&["withdrawal request stable alice 1"]),
    Row::new("withdrawal fail 1 --reason late").after(&["withdrawal request stable alice 1"]),
    Row::new("reward set-weight growth 0.5"),
    Row::new("reward cycle"),
    Row::new("reward epoch create growth --start {next} --end {next_end} --total 12"),
    Row::new("reward epoch distribute")
        .after(&["reward epoch create growth --start {next} --end {next_end} --total 12"]),
    Row::new("reward claim alice --all"),
    Row::new("reward export {epoch} --merkle --format json --output export.json"),
    Row::new("oracle add six --asset {six_asset} --address {six_feed}"),
    Row::new("oracle add fixed --asset USD --kind fixed --price 1"),
    Row::new("oracle set growth-usd --min 1"),
    Row::new("oracle remove growth-usd"),
    Row::new("oracle fetch"),
    Row::new("oracle check"),
    Row::new("oracle get {asset} --refresh"),
    Row::new("oracle aggregate {asset}"),
    Row::new("risk set stable --max-tvl 5"),
    Row::new("risk fetch --all"),
    Row::new("risk check --all"),
    Row::new("risk pause growth --reason seen"),
    Row::new("risk unpause growth --reason seen").after(&["risk pause growth --reason seen"]),
    Row::new("risk reset-breaker stable --reason seen").after(&[
        "risk set stable --max-tvl unlimited --breaker-threshold 0.1",
        "withdrawal request stable alice 500",
    ]),
];

/// With a pool whose contract changed.
pub const CHANGED: &[Row] = &[Row::new("pool accept-change growth")];

impl Place for Home {
    type Beside = ();

    fn fork(&self) -> Self {
        self.fork()
    }

    fn folder(&self) -> &Path {
        self.path()
    }

    fn state(&self) -> PathBuf {
        self.state()
    }

    fn facts(&self) -> Facts {
        facts::rows(&self.state(), self.path())
    }

    fn beside(&self) {}

    fn command(&self, under: &[OsString], line: &str, input: &str) -> Command {
        let mut command = sweep::command(self.path(), under, line, input);
        command.env("POOLCTL_KEYS_IDENTITY_FILE", "identity.txt");
        command
    }
}

/// Rows as tasks, each on a copy of `home` on which what comes before is done.
pub fn tasks(home: &Home, rows: &[Row], words: &BTreeMap<&str, String>) -> Vec<Task<Home>> {
    rows.iter()
        .map(|row| {
            let place = Place::fork(home);
            for before in row.before {
                let output = place.command(&[], &filled(before, words), "").output().unwrap();
                assert!(output.status.success(), "{before}: {output:?}");
            }
            Task { place: Mutex::new(place), line: filled(row.line, words), input: filled(row.input, words) }
        })
        .collect()
}

/// A text with the words that stand for `{names}`.
pub fn filled(text: &str, words: &BTreeMap<&str, String>) -> String {
    words.iter().fold(text.to_owned(), |text, (name, word)| text.replace(&format!("{{{name}}}"), word))
}

/// A home with a pooler and a farmer, and what the rows call them.
pub fn local() -> (Home, BTreeMap<&'static str, String>) {
    let home = Home::farming();
    let words = registered(&home);
    (home, words)
}

/// Registers a farmer in a home that farms.
pub fn registered(home: &Home) -> BTreeMap<&'static str, String> {
    let farmer = home.farm("farmer register --pooler north --stake-percentage 0.25").json();
    let secret = Keypair::derive("poolctl sweep").secret;
    BTreeMap::from([("farmer", farmer["address"].as_str().unwrap().to_owned()), ("secret", secret)])
}

/// A home with a state of an older schema.
pub fn older() -> Home {
    let home = Home::ready();
    std::fs::remove_file(home.state()).unwrap();
    home.sqlite().pragma_update(None, "application_id", state::APPLICATION_ID).unwrap();
    home
}

/// A home with a state whose rows are old.
pub fn old() -> Home {
    let home = Home::ready();
    home.sqlite().execute_batch(include_str!("../fixtures/farm.sql")).unwrap();
    home
}

/// Has the contract of a pool be found changed.
pub fn change(desk: &Desk) {
    desk.meddle(
        "UPDATE pool_contracts SET found_code_hash = code_hash, found_can_pause = 1 - can_pause,
             found_asset_decimals = 8, found_block = from_block",
    );
}

#[test]
fn what_needs_no_network() {
    let mut all = tasks(&Home::empty(), BARE, &BTreeMap::new());
    all.extend(tasks(&Home::ready(), NEW, &BTreeMap::new()));
    let (home, words) = local();
    all.extend(tasks(&home, LOCAL, &words));
    all.extend(tasks(&older(), OLDER, &BTreeMap::new()));
    all.extend(tasks(&old(), OLD, &BTreeMap::new()));
    let reached = sweep::sweep(&all);
    assert!(reached >= 100, "{reached}");
}

/// A furnished desk, and what the rows call what is on it.
pub fn pools() -> (Desk, BTreeMap<&'static str, String>) {
    let desk = Desk::bare();
    desk.furnish();
    let world = &desk.world;
    let third = world.add_vault(world.six.asset, 0).unwrap().address().unwrap();
    let gone = world.withdraw(world.six.vault, world.alice, units(1, 6)).unwrap().tx;
    world.node.mine(12).unwrap();
    let next: u64 = desk.one("SELECT max(end_block) FROM pool_reward_epochs").parse().unwrap();
    let words = BTreeMap::from([
        ("third", third.to_string()),
        ("bob", world.bob.to_string()),
        ("gone", gone.to_string()),
        ("asset", world.eighteen.asset.to_string()),
        ("six_asset", world.six.asset.to_string()),
        ("six_feed", world.six.feed.to_string()),
        ("next", next.to_string()),
        ("next_end", (next + 10).to_string()),
        ("epoch", desk.one("SELECT max(id) FROM pool_reward_epochs")),
    ]);
    (desk, words)
}

#[test]
fn pools_on_an_evm() {
    let (desk, words) = pools();
    let mut all = tasks(&desk.home, POOLS, &words);
    change(&desk);
    all.extend(tasks(&desk.home, CHANGED, &words));
    let reached = sweep::sweep(&all);
    assert!(reached >= 100, "{reached}");
}

#[test]
fn a_config_file_that_cannot_be_looked_at_is_not_passed_over() {
    let home = Home::ready();
    let before = home.snapshot();
    let line = "member add 0x00000000000000000000000000000000000000a1";
    let fork = Place::fork(&home);
    let (_, points) = strace::points(|under| fork.command(under, line, ""), fork.path());
    let looks = points.iter().filter(|point| {
        point.fault == Fault::Eio && point.syscall.contains("stat") && point.call.contains("config.toml\"")
    });
    let mut tried = 0;
    for point in looks {
        let ran = strace::disturb(|under| home.command(under, line, ""), point);
        let said = String::from_utf8(ran.output.stderr).unwrap();
        assert_eq!(ran.output.status.code(), Some(1), "{point}: {said}");
        assert!(said.contains("cannot tell whether there is a file"), "{point}: {said}");
        assert_eq!(home.snapshot(), before, "{point}");
        tried += 1;
    }
    assert!(tried > 0, "{points:?}");
}
