//! `farm run` and `farm plan`: the whole round on the block's clock, restarts, and what is said on the way.

use crate::desk::{Desk, KALE, Ledgers, block_on, ended, until};
use kale::contract::{Entry, decode_farm};
use poolctl_testkit::Proxy;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Child;
use std::sync::Arc;
use std::time::Duration;
use stellar::Client;
use stellar::xdr::ContractId;

/// The network's clock.
pub struct Clock;

impl Clock {
    /// 5 seconds of ledger time each so many milliseconds. From a block's deadline on it waits for the work that is due,
    /// as a network of this pace would leave a slow machine no time for it.
    pub fn start(desk: &Desk, milliseconds: u64) -> Ledgers {
        let (network, state) = (Arc::clone(&desk.network), desk.state());
        let (client, contract) = (desk.client.clone(), desk.contract.clone());
        let mut before = 0;
        Ledgers::each(Duration::from_millis(milliseconds), move || {
            let waiting = network.waiting();
            if !is_awaited(&client, &contract, &state) || (waiting > 0 && waiting == before) {
                network.advance(1).unwrap();
            }
            before = waiting;
        })
    }
}

/// Whether work for the block that is open on chain is due (well after the deadline, 60 s before the end) and not in.
fn is_awaited(client: &Client, contract: &ContractId, state: &Path) -> bool {
    let key = Entry::Instance.key(contract).unwrap();
    let seen = block_on(client.view(async |view| Ok((view.ledger(), view.entries([key.clone()]).await?))));
    let (ledger, entries) = seen.unwrap();
    let farm = decode_farm(contract, &entries.get(&key).unwrap().data).unwrap();
    let due = farm.due().unwrap();
    let conn = rusqlite::Connection::open(state).unwrap();
    conn.busy_timeout(Duration::from_secs(10)).unwrap();
    let sql = "SELECT EXISTS (SELECT 1 FROM open_pails WHERE block_index = ?1 AND zeros IS NULL)";
    let unworked: bool = conn.query_row(sql, [farm.index], |row| row.get(0)).unwrap();
    unworked && (due - 40..due).contains(&ledger.close_time)
}

pub fn desk(count: usize) -> Desk {
    let desk = Desk::with_farmers(count, 100 * KALE);
    desk.configure("strategy.target_zeros = 3\nkale.work_margin_sec = 60");
    desk
}

pub fn terminate(child: &Child) {
    kill_process(Pid::from_child(child), Signal::TERM).unwrap();
}

pub fn count(desk: &Desk, sql: &str) -> i64 {
    desk.value(&format!("SELECT count(*) FROM {sql}"))
}

#[test]
fn blocks_are_planted_worked_and_harvested_as_the_clock_asks() {
    let desk = desk(3);
    let clock = Clock::start(&desk, 40);
    let child = desk.run("farm run --json").spawn();
    until("two blocks are harvested", || count(&desk, "harvests WHERE outcome = 'harvested'") >= 6);
    terminate(&child);
    let ran = ended(child);
    drop(clock);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    for kind in ["block", "plant", "grinding", "work", "ground", "harvest"] {
        assert!(kinds.contains(&kind), "{kind}: {kinds:?}");
    }
    assert_eq!(kinds.iter().filter(|kind| **kind == "result").count(), 1);
    let result = lines.last().unwrap();
    assert_eq!((result["type"].as_str(), result["ok"].as_bool()), (Some("result"), Some(true)));
    assert!(result["data"]["harvested"].as_u64().unwrap() >= 6);
    // Nobody else farms: what the formula said is what was paid.
    assert_eq!(count(&desk, "harvests WHERE outcome = 'harvested' AND forecast IS NOT reward"), 0);
    assert_eq!(count(&desk, "harvests WHERE outcome = 'lost'"), 0);
    assert_eq!(count(&desk, "plantings WHERE outcome = 'failed'"), 0);
    // No block is left out.
    let blocks = desk.column("SELECT DISTINCT block_index || '' FROM plantings ORDER BY block_index");
    let blocks: Vec<u32> = blocks.iter().map(|block| block.parse().unwrap()).collect();
    assert!(blocks.windows(2).all(|pair| pair[1] == pair[0] + 1), "{blocks:?}");
    desk.is_sound();
}

#[test]
fn once_does_what_is_due_and_ends() {
    let desk = desk(2);
    desk.ripen();
    let clock = Clock::start(&desk, 30);
    let child = desk.run("farm run --once --json").spawn();
    let ran = ended(child);
    drop(clock);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    let data = ran.last()["data"].clone();
    assert_eq!((data["planted"].as_u64(), data["worked"].as_u64()), (Some(2), Some(2)), "{data}");
    let next = data["next"].as_array().unwrap();
    assert!(next.iter().any(|action| action["step"] == "plant"), "{data}");
    assert!(next.iter().any(|action| action["step"] == "harvest"), "{data}");
    desk.is_sound();
}

#[test]
fn nothing_due_is_two_requests_and_no_write() {
    let desk = desk(2);
    desk.ripen();
    desk.run("plant").exits(0);
    desk.network.advance(1).unwrap();
    desk.run("work --policy early").exits(0);
    desk.run("farm reconcile").exits(0);
    // A better nonce than the one that is in would be due.
    desk.sqlite().execute("DELETE FROM nonces", []).unwrap();
    let before: String = desk.value("SELECT value FROM meta WHERE key = 'data_version'");
    let proxy = Proxy::start(&desk.network.url()).unwrap();
    desk.write_config(&[proxy.url()], "");
    let ran = desk.run("farm run --once").exits(0);
    assert_eq!(proxy.http_count(), 2, "{}", ran.stdout);
    assert_eq!(desk.value::<String>("SELECT value FROM meta WHERE key = 'data_version'"), before);
    assert!(ran.stdout.contains("nothing was due"), "{}", ran.stdout);
}

#[test]
fn a_run_that_is_killed_between_plant_and_work_is_taken_up_by_the_next() {
    let desk = desk(2);
    let index = desk.farm().index + 1;
    desk.ripen();
    let clock = Clock::start(&desk, 40);
    let mut child = desk.run("farm run --json").spawn();
    until("it is planted", || count(&desk, "open_pails") == 2);
    child.kill().unwrap();
    child.wait().unwrap();
    let ran = ended(desk.run("farm run --once --json").spawn());
    drop(clock);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    let data = ran.last()["data"].clone();
    assert_eq!((data["planted"].as_u64(), data["worked"].as_u64()), (Some(0), Some(2)), "{data}");
    assert!(desk.farmers.iter().all(|farmer| desk.pail(farmer, index).unwrap().worked()));
    assert_eq!(count(&desk, "plantings WHERE outcome = 'planted'"), 2);
    desk.is_sound();
}

/// A service that is stopped with two pails planted and not worked.
fn stopped(line: &str) -> (Desk, u32, Vec<Value>) {
    let desk = Desk::with_farmers(2, 100 * KALE);
    desk.configure("strategy.target_zeros = 12");
    desk.ripen();
    let index = desk.farm().index + 1;
    let _ledgers = desk.ledgers();
    let child = desk.run(line).arg("--json").spawn();
    until("everybody has a nonce", || count(&desk, "nonces WHERE best_zeros >= 2") == 2);
    terminate(&child);
    let ran = ended(child);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    let lines = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (desk, index, lines)
}

/// Both farmers are worked for in the block, and nothing is told to be at stake or next.
fn both_are_saved(desk: &Desk, index: u32, lines: &[Value]) {
    let data = &lines.last().unwrap()["data"];
    assert_eq!((&data["worked"], &data["at_stake"]), (&json!(2), &Value::Null), "{data}");
    assert_eq!(data["next"], json!([]));
    assert!(desk.farmers.iter().all(|farmer| desk.pail(farmer, index).unwrap().worked()));
    desk.is_sound();
}

#[test]
fn a_service_that_is_stopped_says_what_is_at_stake_and_submits_what_it_has() {
    let (desk, index, lines) = stopped("farm run");
    let stopping = lines.iter().find(|line| line["type"] == "stopping").unwrap();
    assert_eq!((&stopping["farmers"], &stopping["submits"]), (&json!(2), &json!(true)), "{stopping}");
    assert_eq!((&stopping["block"], stopping["until"].is_string()), (&json!(index), true), "{stopping}");
    both_are_saved(&desk, index, &lines);
}

/// The block that it has just planted in is not yet the one that it looked at.
#[test]
fn one_that_is_stopped_while_it_plants_works_for_what_it_planted() {
    let desk = Desk::with_farmers(2, 100 * KALE);
    desk.configure("strategy.target_zeros = 12");
    desk.ripen();
    let index = desk.farm().index + 1;
    let _ledgers = desk.ledgers();
    let mut child = desk.run("farm run").arg("--json").spawn();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut lines = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    lines.by_ref().find(|line| line["type"] == "plant").unwrap();
    terminate(&child);
    let rest: Vec<Value> = lines.collect();
    assert_eq!(ended(child).code, Some(0), "{rest:?}");
    let stopping = rest.iter().find(|line| line["type"] == "stopping").unwrap_or_else(|| panic!("{rest:?}"));
    assert_eq!((&stopping["farmers"], &stopping["block"]), (&json!(2), &json!(index)), "{stopping}");
    both_are_saved(&desk, index, &rest);
}

/// The ledgers stand still once it is asked to stop.
#[test]
fn a_service_that_cannot_tell_what_came_of_its_last_work_says_so() {
    let desk = Desk::with_farmers(1, 100 * KALE);
    desk.configure("strategy.target_zeros = 12");
    desk.ripen();
    let ledgers = desk.ledgers();
    let child = desk.run("farm run --json").spawn();
    until("the farmer has a nonce", || count(&desk, "nonces WHERE best_zeros >= 2") == 1);
    drop(ledgers);
    terminate(&child);
    let ran = ended(child);
    assert_eq!(ran.code, Some(75), "{}\n{}", ran.stdout, ran.stderr);
    let end = ran.last();
    assert_eq!(
        (&end["error"]["code"], &end["data"]["at_stake"]["farmers"]),
        (&json!("interrupted"), &json!(1))
    );
    assert_eq!(end["data"]["next"], json!([]));
    let words = end["error"]["message"].as_str().unwrap();
    assert!(words.contains("1 farmer without a stake in block 1"), "{words}");
}

#[test]
fn a_service_that_is_to_abandon_says_what_it_leaves() {
    let (desk, index, lines) = stopped("farm run --abandon");
    let stopping = lines.iter().find(|line| line["type"] == "stopping").unwrap();
    assert_eq!((&stopping["farmers"], &stopping["submits"]), (&json!(2), &json!(false)), "{stopping}");
    let data = &lines.last().unwrap()["data"];
    assert_eq!((&data["worked"], &data["at_stake"]["farmers"]), (&json!(0), &json!(2)), "{data}");
    assert!(desk.farmers.iter().all(|farmer| !desk.pail(farmer, index).unwrap().worked()));
    assert_eq!(count(&desk, "operations WHERE kind = 'work'"), 0);
}

#[test]
fn a_second_run_leaves_the_farm_to_the_first() {
    let desk = desk(1);
    let child = desk.run("farm run --abandon --json").spawn();
    until("it leads the farm", || {
        state::leases(&desk.state()).unwrap().iter().any(|held| held.lease.starts_with("farm:"))
    });
    // A service, and whoever is there by hand, wants to be the one.
    for line in ["farm run", "plant", "harvest"] {
        let envelope = desk.run(&format!("{line} --wait 0s")).fails(11, "lease_held");
        let details = &envelope["error"]["details"];
        assert_eq!((&details["command"], &details["pid"]), (&json!("farm run"), &json!(child.id())));
        assert!(envelope["error"]["message"].as_str().unwrap().contains("pooler \"north\""), "{envelope}");
    }
    let data = desk.run("farm run --once").json();
    let [held] = data["held"].as_array().unwrap().as_slice() else { panic!("{data}") };
    assert_eq!((&held["pooler"], &held["pid"]), (&json!("north"), &json!(child.id())), "{data}");
    let shown = desk.run("farm run --once").exits(0).stdout;
    assert!(shown.contains("the farm of pooler \"north\" is left to \"poolctl farm run\""), "{shown}");
    terminate(&child);
    assert_eq!(ended(child).code, Some(0));
}

#[test]
fn a_service_bears_a_state_that_another_program_holds() {
    let desk = Desk::with_farmers(1, 100 * KALE);
    // More than it finds: how far the search is, is saved at each turn.
    desk.configure("strategy.target_zeros = 16\nkale.work_margin_sec = 60");
    desk.ripen();
    let clock = Clock::start(&desk, 40);
    let mut child = desk.run("farm run --wait 100ms --json").spawn();
    until("it grinds", || count(&desk, "nonces") == 1);
    let other = desk.sqlite();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let told = lines.find(|line| line.contains("\"state_locked\"")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&told).unwrap()["type"], "trouble", "{told}");
    drop(other);
    until("the work of then is in", || count(&desk, "works WHERE outcome = 'worked'") >= 1);
    terminate(&child);
    lines.for_each(drop);
    assert_eq!(ended(child).code, Some(0));
    drop(clock);
    assert_eq!(count(&desk, "events WHERE kind = 'work.missed'"), 0);
}

#[test]
fn a_farmer_who_cannot_plant_does_not_keep_the_others_from_it() {
    let mut desk = desk(2);
    desk.register("poor", "0.25");
    desk.ripen();
    let clock = Clock::start(&desk, 30);
    let ran = ended(desk.run("farm run --once --json").spawn());
    drop(clock);
    assert_eq!(ran.code, Some(3), "{}\n{}", ran.stdout, ran.stderr);
    let envelope = ran.last();
    assert_eq!(
        (envelope["data"]["planted"].as_u64(), envelope["data"]["worked"].as_u64()),
        (Some(2), Some(2))
    );
    assert_eq!(envelope["error"]["code"], "partial");
    assert_eq!(desk.column("SELECT reason FROM plantings WHERE outcome = 'failed'"), ["no_account"]);
}

#[test]
fn where_all_that_was_due_failed_it_says_what() {
    let mut desk = Desk::empty();
    desk.configure("strategy.target_zeros = 3");
    let poor = desk.register("poor", "0.25");
    desk.ripen();
    let ran = desk.run("farm run --once").exits(4);
    let shown = &ran.stdout;
    assert!(!shown.contains("nothing was due"), "{shown}");
    assert!(shown.contains("planted 0") && shown.contains("tries that failed 1"), "{shown}");
    let line = shown.lines().find(|line| line.starts_with("failed: plant of ")).unwrap();
    assert!(line.contains(&poor.address) && line.contains("has no account yet"), "{line}");
}

#[test]
fn the_plan_says_what_is_next_and_what_it_earns() {
    let desk = desk(2);
    desk.ripen();
    let step = |data: &Value, n: usize| data["actions"][n]["step"].as_str().unwrap_or_default().to_owned();
    let data = desk.run("farm plan").json();
    assert_eq!(step(&data, 0), "plant");
    assert_eq!(data["actions"][0]["block"].as_u64(), data["block"].as_u64().map(|block| block + 1));
    desk.run("plant").exits(0);
    desk.network.advance(1).unwrap();
    let before: String = desk.value("SELECT value FROM meta WHERE key = 'data_version'");
    let data = desk.run("farm plan").json();
    assert_eq!((step(&data, 0).as_str(), step(&data, 1).as_str()), ("work", "plant"));
    assert_eq!(data["farmers"][0]["status"], "planted");
    assert_eq!(data["zeros_cap"], 3);
    let work = &data["farmers"][0]["work"];
    assert!(work["reward"].as_str().unwrap().parse::<f64>().unwrap() > 0.0, "{data}");
    // What it says for work in the next ledger is what the block shows after that.
    let farmer = desk.farmers[0].clone();
    let zeros = desk.work(&farmer, 3);
    let data = desk.run("farm plan").json();
    let line =
        data["farmers"].as_array().unwrap().iter().find(|line| line["address"] == farmer.address).unwrap();
    assert_eq!((line["status"].as_str(), line["zeros"].as_u64()), (Some("worked"), Some(u64::from(zeros))));
    if zeros == 3 {
        assert_eq!(line["reward_now"], work["reward"], "{data}");
    }
    // It only reads; a dry run of the loop shows the same.
    let dry = desk.run("farm run --once --dry-run").json();
    assert_eq!(dry["actions"], data["actions"]);
    assert_eq!(desk.value::<String>("SELECT value FROM meta WHERE key = 'data_version'"), before);
    let text = desk.run("farm plan").exits(0).stdout;
    assert!(text.contains("STEP") && text.contains("WORK PAYS"), "{text}");
}
