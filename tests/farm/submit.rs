//! `work submit`: nonces from other machines, each line with its own result.

use crate::desk::{Desk, Farmer, KALE, ended, until};
use base::{Clock, Stop};
use serde_json::{Value, json};
use state::{Holder, Lease, Lock, Run, State};
use std::time::Duration;

/// Farmers that are planted, a ledger ago.
fn planted(count: usize) -> Desk {
    let desk = Desk::with_farmers(count, 100 * KALE);
    desk.ripen();
    desk.run("plant").exits(0);
    desk.network.advance(1).unwrap();
    desk
}

fn line(farmer: &Farmer, nonce: impl Into<Value>) -> String {
    json!({ "farmer": farmer.address, "nonce": nonce.into() }).to_string()
}

fn statuses(data: &Value) -> Vec<(u64, String, String)> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let lines = data["lines"].as_array().unwrap().iter();
    lines.map(|line| (line["line"].as_u64().unwrap(), word(&line["status"]), word(&line["reason"]))).collect()
}

/// The right to write of another run, by its command.
fn another(desk: &Desk, command: &str) -> Lock {
    let holder = Holder { pid: 7, command: command.to_owned(), since: 0 };
    let lock = Lock::acquire(&desk.state(), &holder, Duration::from_secs(10), &Stop::default()).unwrap();
    // As each run does: until one has looked at the state, it is nobody else's.
    let run = Run { id: "x".into(), actor: "x".into(), clock: Clock::System };
    drop(State::write_access(&desk.state(), run, &lock).unwrap());
    lock
}

/// The farm of a pooler.
fn farm_of(desk: &Desk, pooler: &str) -> Lease {
    let id = desk.value(&format!("SELECT id FROM poolers WHERE name = '{pooler}'"));
    Lease::Farm { id, name: pooler.to_owned() }
}

#[test]
fn a_run_of_the_farm_takes_nonces_up_and_whoever_does_something_else_there_is_waited_for() {
    let desk = planted(1);
    desk.run("pooler add south").exits(0);
    let (nonce, ..) = desk.grind(&desk.farmers[0], 1);
    let submit =
        |wait: &str| desk.run(&format!("work submit - --wait {wait}")).input(&line(&desk.farmers[0], nonce));
    // `work` does what it was begun for, and no more.
    for command in ["work", "harvest"] {
        let lock = another(&desk, command);
        let _held = lock.lease(&farm_of(&desk, "north")).unwrap();
        let envelope = submit("0s").fails(11, "lease_held");
        assert_eq!(envelope["error"]["details"]["command"], command, "{envelope}");
    }
    assert_eq!((sent(&desk), desk.value::<i64>("SELECT count(*) FROM nonces")), (0, 0));
    let lock = another(&desk, "farm run");
    let held = lock.lease(&farm_of(&desk, "north")).unwrap();
    let data = submit("0s").json();
    assert_eq!(statuses(&data), [(1, "queued".to_owned(), String::new())], "{data}");
    assert_eq!((sent(&desk), desk.value::<i64>("SELECT count(*) FROM nonces")), (0, 1));
    drop(held);
    // What somebody does at a farm that no line is about is in nobody's way.
    let _south = lock.lease(&farm_of(&desk, "south")).unwrap();
    let data = submit("0s").json();
    assert_eq!(statuses(&data), [(1, "worked".to_owned(), String::new())], "{data}");
    assert_eq!(sent(&desk), 1);
}

/// The service begins after the submission has seen that nobody is there, and before it has the farm itself.
#[test]
fn a_run_of_the_farm_that_begins_meanwhile_takes_nonces_up_too() {
    let desk = planted(1);
    let (nonce, ..) = desk.grind(&desk.farmers[0], 1);
    let lock = another(&desk, "work");
    let farm = farm_of(&desk, "north");
    let _held = lock.lease(&farm).unwrap();
    std::fs::write(desk.home.path().join("found.ndjson"), line(&desk.farmers[0], nonce)).unwrap();
    let child = desk.run("work submit found.ndjson --wait 500ms --json").spawn();
    until("it has seen who is there", || {
        let leases = state::leases(&desk.state()).unwrap();
        leases.iter().any(|held| held.holder.as_ref().is_some_and(|holder| holder.pid == child.id()))
    });
    let Lease::Farm { id, .. } = farm else { unreachable!() };
    let path = desk.state().with_extension("sqlite.locks").join(format!("farm:{id}"));
    std::fs::write(path, json!({ "pid": 7, "command": "farm run", "since": 0 }).to_string()).unwrap();
    let ran = ended(child);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    let data = &ran.last()["data"];
    assert_eq!(statuses(data), [(1, "queued".to_owned(), String::new())], "{data}");
    assert_eq!(sent(&desk), 0);
}

fn sent(desk: &Desk) -> i64 {
    desk.value("SELECT count(*) FROM operations WHERE kind = 'work'")
}

#[test]
fn every_line_gets_its_result_and_the_valid_ones_go_through() {
    let mut desk = planted(3);
    let late = desk.register("late", "0.25");
    let index = desk.farm().index;
    let [one, two, three] = [0, 1, 2].map(|n| desk.farmers[n].clone());
    let (good, _, good_zeros) = desk.grind(&one, 2);
    let (small, _, small_zeros) = desk.grind(&two, 1);
    let (large, _, large_zeros) = desk.grind(&two, small_zeros + 1);
    let lines = [
        line(&one, -1),
        line(&one, 1.5),
        format!("{{\"farmer\":\"{}\",\"nonce\":18446744073709551616}}", one.address),
        line(&one, "12junk"),
        line(&one, good.to_string()),
        line(&one, good),
        String::new(),
        json!({ "farmer": "GNOBODY", "nonce": 1 }).to_string(),
        line(&late, 7),
        line(&two, small),
        json!({ "farmer": two.id, "nonce": large.to_string() }).to_string(),
        line(&two, small),
        "nonsense".to_owned(),
        json!({ "farmer": three.address, "nonce": 3, "hash": "00".repeat(32) }).to_string(),
    ];
    let envelope = desk.run("work submit -").input(&lines.join("\n")).fails(3, "partial");
    let refused = |line, reason: &str| (line, "refused".to_owned(), reason.to_owned());
    assert_eq!(
        statuses(&envelope["data"]),
        [
            refused(1, "invalid_nonce"),
            refused(2, "invalid_nonce"),
            refused(3, "invalid_nonce"),
            refused(4, "invalid_nonce"),
            (5, "worked".to_owned(), String::new()),
            refused(6, "duplicate"),
            refused(8, "unknown_farmer"),
            refused(9, "not_planted"),
            (10, "superseded".to_owned(), String::new()),
            (11, "worked".to_owned(), String::new()),
            refused(12, "duplicate"),
            refused(13, "invalid_json"),
            refused(14, "hash_invalid"),
        ]
    );
    let says = |n: usize| envelope["data"]["lines"][n]["message"].as_str().unwrap().to_owned();
    assert!(says(0).contains("negative") && says(1).contains("not a whole number"), "{envelope}");
    assert!(says(2).contains("larger than a u64") && says(3).contains("12junk"), "{envelope}");
    assert_eq!(envelope["error"]["details"]["lines"], json!([1, 2, 3, 4, 6, 8, 9, 12, 13, 14]));
    assert_eq!(desk.pail(&one, index).unwrap().zeros, Some(good_zeros));
    assert_eq!(desk.pail(&two, index).unwrap().zeros, Some(large_zeros));
    assert!(!desk.pail(&three, index).unwrap().worked());
    assert_eq!(sent(&desk), 2);
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM events WHERE kind = 'work.refused'"), 10);
    assert_eq!(desk.column("SELECT reason FROM works WHERE outcome = 'failed'"), ["hash_invalid"]);

    // The same file again: nothing of it is better than what is there.
    let envelope = desk.run("work submit -").input(&line(&one, good)).fails(3, "partial");
    assert_eq!(statuses(&envelope["data"]), [refused(1, "not_better")]);
    assert_eq!(sent(&desk), 2);
    // Strictly better goes through.
    let (better, ..) = desk.grind(&one, good_zeros + 1);
    let data = desk.run("work submit -").input(&line(&one, better)).json();
    assert_eq!(statuses(&data), [(1, "improved".to_owned(), String::new())]);
    assert_eq!(data["submitted"], 1);
    desk.is_sound();
}

#[test]
fn answers_of_grind_can_be_piped_in() {
    let desk = planted(2);
    let index = desk.farm().index;
    let block = desk.block(index).unwrap();
    let jobs: Vec<String> = desk
        .farmers
        .iter()
        .map(|farmer| {
            let entropy = kale::nonces::hex(&block.entropy);
            json!({ "id": farmer.id, "index": index, "entropy": entropy, "farmer": farmer.address, "zeros": 3 })
                .to_string()
        })
        .collect();
    let answers = desk.run("grind --jobs - --stream").input(&jobs.join("\n")).exits(0).stdout;
    assert!(answers.lines().count() >= 2, "{answers}");
    let data = desk.run("work submit").input(&answers).json();
    assert_eq!((data["submitted"].as_u64(), data["refused"].as_u64()), (Some(2), Some(0)), "{data}");
    for farmer in &desk.farmers {
        assert!(desk.pail(farmer, index).unwrap().zeros.unwrap() >= 3);
    }
    desk.is_sound();
}

#[test]
fn what_was_ground_for_another_block_is_refused() {
    let desk = planted(1);
    let farmer = desk.farmers[0].clone();
    let (nonce, hash, _) = desk.grind(&farmer, 2);
    desk.ripen();
    desk.run("plant").exits(0);
    desk.network.advance(1).unwrap();
    let hash = kale::nonces::hex(&hash);
    let old = json!({ "farmer": farmer.address, "nonce": nonce, "hash": hash }).to_string();
    let envelope = desk.run("work submit -").input(&old).fails(3, "partial");
    assert_eq!(envelope["data"]["lines"][0]["reason"], "hash_invalid");
    assert_eq!(sent(&desk), 0);
}

#[test]
fn near_the_end_of_the_block_nothing_is_sent() {
    let desk = planted(1);
    let farmer = desk.farmers[0].clone();
    let (nonce, ..) = desk.grind(&farmer, 1);
    desk.age(299);
    let envelope = desk.run("work submit -").input(&line(&farmer, nonce)).fails(3, "partial");
    assert_eq!(envelope["data"]["lines"][0]["reason"], "too_late");
    assert_eq!(sent(&desk), 0);
    assert_eq!(desk.column("SELECT reason FROM works"), ["too_late"]);
}

#[test]
fn a_dry_run_checks_and_sends_nothing() {
    let desk = planted(1);
    let farmer = desk.farmers[0].clone();
    let (nonce, ..) = desk.grind(&farmer, 1);
    let before: String = desk.value("SELECT value FROM meta WHERE key = 'data_version'");
    let text = format!("{}\n{}", line(&farmer, nonce), line(&farmer, -1));
    let envelope = desk.run("work submit - --dry-run").input(&text).fails(3, "partial");
    let data = &envelope["data"];
    assert_eq!(
        (data["lines"][0]["status"].as_str(), data["lines"][1]["status"].as_str()),
        (Some("would_submit"), Some("refused"))
    );
    assert!(data["lines"][0]["work"]["fee"].is_string(), "{data}");
    assert_eq!(desk.value::<String>("SELECT value FROM meta WHERE key = 'data_version'"), before);
    assert_eq!(sent(&desk), 0);
}

#[test]
fn an_empty_input_and_a_file_that_is_not_there() {
    let desk = planted(1);
    assert_eq!(desk.run("work submit -").input("\n \n").json()["lines"], json!([]));
    desk.run("work submit nowhere.ndjson").fails(1, "io_error");
    let long =
        format!("{{\"farmer\":\"{}\",\"nonce\":1}}\n{}", "x".repeat(10_000), line(&desk.farmers[0], 1));
    let envelope = desk.run("work submit -").input(&long).fails(3, "partial");
    let found = statuses(&envelope["data"]);
    assert_eq!(found[0], (1, "refused".to_owned(), "invalid_json".to_owned()));
    assert_eq!(
        (found[1].0, found[1].1.as_str()),
        (2, "worked"),
        "the line after a long one stands on its own"
    );
}
