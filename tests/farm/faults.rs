//! Bad days of plant, work and harvest: servers that answer wrongly or not at all, a paused farm, an index that jumps, a
//! clock that is wrong, a second run.

use crate::desk::{BINARY, Desk, Farmer, KALE, Ledgers, Ran, until};
use crate::same::{self, facts, pails_agree, same};
use poolctl_sandbox::fault::Fault as Wrong;
use poolctl_sandbox::stellar::{Stellar, StellarOptions};
use poolctl_testkit::{Fault, Proxy, Rule};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use stellar::Action;

/// What may go wrong with the requests of one method, so many times.
pub fn wrongs() -> Vec<(&'static str, Wrong, u32)> {
    vec![
        ("sendTransaction", Wrong::DropAfter, 1),
        ("sendTransaction", Wrong::DropAfter, 3),
        ("sendTransaction", Wrong::DropBefore, 2),
        ("sendTransaction", Wrong::TryAgainLater, 2),
        ("sendTransaction", Wrong::BadSequenceAfterConfirm, 1),
        ("sendTransaction", Wrong::BadSequenceAfterConfirm, 2),
        ("sendTransaction", Wrong::Http(502), 1),
        ("sendTransaction", Wrong::Truncated, 2),
        ("sendTransaction", Wrong::BadJson, 1),
        ("getTransaction", Wrong::Html, 2),
        ("getTransaction", Wrong::BadXdr, 1),
        ("getTransaction", Wrong::StaleLedger(3), 2),
        ("simulateTransaction", Wrong::StaleLedger(2), 1),
        ("simulateTransaction", Wrong::BadXdr, 1),
        ("getLedgerEntries", Wrong::StaleLedger(2), 1),
        ("getLedgerEntries", Wrong::DropAfter, 1),
        ("getLatestLedger", Wrong::StaleLedger(2), 2),
        ("*", Wrong::DropAfter, 4),
        ("*", Wrong::StaleLedger(1), 20),
    ]
}

/// Whatever goes wrong, and run again until it says that it is done: the same end as undisturbed.
#[track_caller]
fn survives_each(desk: &Desk, line: &str, code: i32) {
    let whole = desk.fork();
    whole.run(line).exits(code);
    let want = facts(&whole);
    for (method, wrong, times) in wrongs() {
        let when = format!("{line} with {times} × {wrong:?} of {method}");
        let copy = desk.fork();
        copy.network.fault(method, wrong, times);
        let mut runs = 0;
        let mut ran = copy.run(line).ends().1;
        // What it met is used up, and what it did not is called off.
        copy.network.clear_faults();
        // Not done: try again (75), outcome unknown (76), some failed (3), what it found (as undisturbed), or nothing to do by what a stale server said.
        while runs < 4 && (ran.code != Some(0) || facts(&copy)["operations"] != want["operations"]) {
            assert!([0, 3, 75, 76, code].map(Some).contains(&ran.code), "{when}: {ran:?}");
            runs += 1;
            ran = copy.run(line).ends().1;
        }
        let mut got = facts(&copy);
        let mut wanted = want.clone();
        // A failure that passed is told beside what came of it in the end.
        for table in ["plantings", "works", "harvests", "events"] {
            let passed = |row: &String| row.contains("unreachable") || row.contains(".failed |");
            got.get_mut(table).unwrap().retain(|row| !passed(row));
            wanted.get_mut(table).unwrap().retain(|row| !passed(row));
        }
        same(&wanted, &got, &when);
        pails_agree(&copy, &when);
        copy.is_sound();
    }
}

#[test]
fn a_plant_survives_each_fault_of_a_server() {
    survives_each(&same::ripe(), "plant", 0);
}

#[test]
fn work_survives_each_fault_of_a_server() {
    survives_each(&same::ground(), "work", 0);
}

#[test]
fn a_harvest_survives_each_fault_of_a_server() {
    survives_each(&same::rolled(), "harvest", 5);
}

fn envelopes(proxy: &Proxy) -> BTreeSet<String> {
    let sent = |call: &Value| call["method"] == "sendTransaction";
    let calls = proxy.calls();
    let text = |call: &Value| call["params"]["transaction"].as_str().unwrap().to_owned();
    calls.iter().filter(|call| sent(call)).map(text).collect()
}

#[test]
fn the_next_endpoint_takes_over_with_identical_bytes() {
    for (desk, line, code) in
        [(same::ripe(), "plant", 0), (same::ground(), "work", 0), (same::rolled(), "harvest", 5)]
    {
        let proxies = [(); 2].map(|()| Proxy::start(&desk.network.url()).unwrap());
        // It has the envelope, and is never heard of again.
        proxies[0].fault(Rule::new(Fault::DieForever).on_method("sendTransaction"));
        desk.write_config(&[proxies[0].url(), proxies[1].url()], same::STAKES);
        let before: Vec<i64> = desk.farmers.iter().map(|farmer| desk.wallet(farmer).sequence).collect();
        desk.run(line).exits(code);
        let [first, second] = [&proxies[0], &proxies[1]].map(envelopes);
        assert!(!first.is_empty(), "{line}");
        assert!(first.is_subset(&second), "{line}: other bytes went to the second endpoint");
        let after: Vec<i64> = desk.farmers.iter().map(|farmer| desk.wallet(farmer).sequence).collect();
        let sent: i64 = after.iter().zip(&before).map(|(after, before)| after - before).sum();
        assert_eq!(i64::try_from(second.len()).unwrap(), sent, "{line}: each envelope took effect once");
        desk.is_sound();
    }
}

#[test]
fn an_endpoint_of_another_network_is_passed_over_and_told() {
    let desk = same::ripe();
    let options =
        StellarOptions { passphrase: "Another Network ; 2026".to_owned(), ..StellarOptions::default() };
    let other = Stellar::start(&options).unwrap();
    let wire = Proxy::start(&other.url()).unwrap();
    desk.write_config(&[wire.url(), desk.network.url()], same::STAKES);
    let envelope = desk.run("plant --json").exits(0).last();
    assert_eq!(envelope["data"]["planted"], 2);
    let told = envelope["warnings"].to_string();
    assert!(told.contains("one") && told.contains("Another Network ; 2026"), "{told}");
    assert!(envelopes(&wire).is_empty(), "nothing is sent to a foreign network");
    // Alone, it is refused.
    desk.write_config(&[wire.url()], same::STAKES);
    let version = version(&desk);
    desk.run("harvest").fails(4, "wrong_network");
    assert_eq!(self::version(&desk), version);
}

fn version(desk: &Desk) -> String {
    desk.value("SELECT value FROM meta WHERE key = 'data_version'")
}

#[test]
fn with_every_endpoint_down_nothing_changes() {
    for (desk, line) in
        [(same::ripe(), "plant"), (same::ground(), "work --deadline 1s"), (same::rolled(), "harvest")]
    {
        let proxies = [(); 2].map(|()| Proxy::start(&desk.network.url()).unwrap());
        desk.write_config(&[proxies[0].url(), proxies[1].url()], same::STAKES);
        proxies.iter().for_each(Proxy::die);
        // The first run may note which network the state belongs to; the next one has nothing to write.
        desk.run(line).fails(75, "unreachable");
        let (version, before) = (version(&desk), facts(&desk));
        desk.run(line).fails(75, "unreachable");
        assert_eq!(self::version(&desk), version, "{line}");
        same(&before, &facts(&desk), line);
    }
}

#[test]
fn a_paused_farm_is_not_planted_but_worked_and_harvested() {
    let desk = same::rolled();
    let farm = desk.network.farm().unwrap();
    let homesteader = Farmer::of_pair("homesteader", &farm.homesteader);
    let [ada, bob] = &desk.farmers[..] else { panic!() };
    let third = desk.farm().index;
    desk.act(vec![(&homesteader, desk.call("pause", vec![]))]);
    desk.age(281);
    assert_eq!(desk.run("work").json()["worked"], 2);
    desk.ripen();
    let before = version(&desk);
    let envelope = desk.run("plant").fails(4, "farm_paused");
    assert!(envelope["error"]["hint"].is_string());
    assert_eq!(version(&desk), before);
    let data = desk.run("harvest").fails(5, "stake_lost")["data"].clone();
    assert_eq!((&data["harvested"], &data["lost"]), (&json!(1), &json!("250.0000000")), "{data}");
    desk.act(vec![(&homesteader, desk.call("unpause", vec![]))]);
    let data = desk.run("plant").json();
    assert_eq!((&data["planted"], &data["block"]), (&json!(2), &json!(third + 1)));
    assert_eq!(desk.run("harvest").json()["harvested"], 2);
    for farmer in [ada, bob] {
        assert!(desk.pail(farmer, third).is_none());
    }
    desk.is_sound();
}

#[test]
fn an_index_that_jumps_by_several_leaves_nothing_behind() {
    let desk = same::planted();
    let stranger = desk.stranger();
    let [ada, bob] = &desk.farmers[..] else { panic!() };
    let first = desk.farm().index;
    desk.work(ada, 2);
    desk.work(bob, 1);
    for _ in 0..4 {
        desk.ripen();
        desk.plant(&stranger, 0);
    }
    assert_eq!(desk.farm().index, first + 4);
    let before = [ada, bob].map(|farmer| desk.kale_of(farmer));
    let data = desk.run("harvest").json();
    assert_eq!(data["harvested"], 2, "{data}");
    for (farmer, before) in [ada, bob].into_iter().zip(before) {
        assert!(desk.kale_of(farmer) > before + i128::from(250 * KALE));
    }
    let data = desk.run("plant").json();
    assert_eq!((&data["planted"], &data["block"]), (&json!(2), &json!(first + 4)));
    desk.is_sound();
}

#[test]
fn kale_that_is_gone_when_it_is_to_be_staked_is_told_by_its_reason() {
    let desk = same::ripe();
    let [ada, bob] = &desk.farmers[..] else { panic!() };
    let wire = Proxy::start(&desk.network.url()).unwrap();
    // The balance was read, and is spent before the plant is tried.
    wire.fault(Rule::new(Fault::Delay(Duration::from_secs(2))).on_method("simulateTransaction"));
    desk.write_config(&[wire.url()], same::STAKES);
    let ledgers = desk.ledgers();
    let child = desk.run("plant").arg("--json").spawn();
    until("a plant is tried", || wire.methods().iter().any(|method| method == "simulateTransaction"));
    drop(ledgers);
    let asset = stellar::asset("asset", &desk.asset).unwrap();
    let pay = Action::Pay { to: bob.account(), asset, amount: 900 * KALE };
    desk.act(vec![(ada, pay)]);
    let (ledgers, out) = (desk.ledgers(), child.wait_with_output().unwrap());
    drop(ledgers);
    let ran = Ran::of(BINARY, out);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let envelope = ran.last();
    let lines = envelope["data"]["farmers"].as_array().unwrap();
    let line = |farmer: &Farmer| lines.iter().find(|line| line["address"] == farmer.address).unwrap();
    assert_eq!((&line(ada)["status"], &line(ada)["reason"]), (&json!("failed"), &json!("not_enough_kale")));
    assert_eq!(line(bob)["status"], "planted");
    // Nothing was staked, and the next run stakes what there is.
    assert_eq!(desk.booked("farmer", &ada.id, "staked"), 0);
    wire.heal();
    desk.run("plant").json();
    assert_eq!(desk.booked("farmer", &ada.id, "staked"), i128::from(25 * KALE));
    desk.is_sound();
}

/// A whole round for two farmers, from the plant to the harvest.
#[track_caller]
fn one_round(desk: &Desk) {
    desk.configure(same::STAKES);
    desk.ripen();
    let data = desk.run("plant").json();
    assert_eq!((&data["planted"], &data["block"]), (&json!(2), &json!(1)));
    desk.age(281);
    assert_eq!(desk.run("work").json()["worked"], 2);
    desk.ripen();
    assert_eq!(desk.run("plant").json()["block"], 2);
    assert_eq!(desk.run("harvest").json()["harvested"], 2);
    desk.is_sound();
}

#[test]
fn a_machine_whose_clock_is_an_hour_off_farms_all_the_same() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    for start in [now - 3_600, now + 3_600] {
        let options =
            StellarOptions { ledger_seconds: 5, start_time: Some(start), ..StellarOptions::default() };
        let desk = Desk::furnished(Desk::on(Arc::new(Stellar::start(&options).unwrap())), 2, 1_000 * KALE);
        one_round(&desk);
    }
}

/// The first line of a run that goes on.
fn first_line(child: &mut std::process::Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    line
}

#[test]
fn two_farm_runs_at_once_are_one() {
    let desk = same::ripe();
    let ledgers: Ledgers = desk.ledgers();
    let mut child = desk.run("farm run --json").spawn();
    assert!(!first_line(&mut child).is_empty());
    for line in ["farm run", "plant", "work", "harvest"] {
        let envelope = desk.run(&format!("{line} --wait 0s")).fails(11, "lease_held");
        assert!(envelope["error"]["message"].as_str().unwrap().contains("farm run"), "{envelope}");
    }
    // One that comes every minute leaves the farm to the other.
    let data = desk.run("farm run --once").json();
    assert_eq!(data["held"][0]["command"], "farm run", "{data}");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let status = child.wait().unwrap();
    assert!(status.code().is_some(), "{status:?}");
    drop(ledgers);
    desk.is_sound();
}
