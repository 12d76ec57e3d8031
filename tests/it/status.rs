//! `status`: what needs attention comes first, every figure has its age, and nothing is asked of a network.

use crate::health::tended;
use crate::support::Home;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};

fn kinds(data: &Value) -> Vec<(&str, &str)> {
    let all = data["attention"].as_array().unwrap().iter();
    all.map(|one| (one["severity"].as_str().unwrap(), one["kind"].as_str().unwrap())).collect()
}

#[test]
fn nothing_to_look_at() {
    let home = Home::ready();
    let data = home.run("status").json();
    assert_eq!((&data["attention"], &data["pools"], &data["due"]), (&json!([]), &json!([]), &json!([])));
    assert_eq!((&data["farm"], &data["tvl_usd"], &data["unpriced"]), (&Value::Null, &Value::Null, &json!(0)));
    let shown = home.run("status").ok();
    assert!(shown.contains("nothing needs attention; state at "), "{shown}");
    Home::empty().run("status").fails(2, "state_missing");
}

#[test]
fn figures_have_their_age() {
    let home = tended(60);
    let before = home.snapshot();
    let data = home.run("status").json();
    assert_eq!(kinds(&data), [], "{data}");
    // 170,235 at 1.0005, rounded down.
    assert_eq!((&data["tvl_usd"], &data["unpriced"]), (&json!("170320.11"), &json!(0)));
    let pool = &data["pools"][0];
    assert_eq!(
        (&pool["pool"], &pool["tvl"], &pool["tvl_usd"]),
        (&json!("dollars"), &json!("170235.000000"), &json!("170320.11"))
    );
    assert_eq!((&pool["price"]["feed"], &pool["view"]["number"]), (&json!("dollars-usd"), &json!(7)));
    for age in [&pool["age_sec"], &pool["price"]["age_sec"]] {
        assert!((60..100).contains(&age.as_u64().unwrap()), "{data}");
    }
    let farm = &data["farm"];
    assert_eq!(
        (&farm["block"], &farm["active_farmers"], &farm["due_at"]),
        (&json!(38), &json!(1), &Value::Null)
    );
    assert!(farm["age_sec"].as_u64().unwrap() < 40, "{farm}");
    assert_eq!((&farm["open_stakes"], &farm["lost_24h"]), (&json!(0), &json!("0.0000000")));
    // What is due first comes first: the risk check has the shortest limit.
    let due = data["due"].as_array().unwrap();
    assert_eq!((due.len(), &due[0]["job"], &due[0]["status"]), (7, &json!("risk"), &json!("ok")));
    let times: Vec<&str> = due.iter().map(|one| one["due_at"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!(data["runs"].as_array().unwrap().len(), 3);
    let shown = home.run("status").ok();
    for part in [
        "170,235.00 DUSD",
        "170,320.11 USD",
        "farm block",
        "38, seen ",
        "due next",
        "risk in ",
        "nothing needs attention",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert_eq!(home.snapshot(), before);
}

const TROUBLE: &str = "INSERT INTO circuit_breaker_status VALUES (1, 1, 'withdrawal_rate', 'a run', unixepoch() - 10, NULL, NULL);
     INSERT INTO oracle_alerts (feed_id, kind, message, first_seen, last_seen, count) VALUES (1, 'stale', 'old', 5, 6, 1);
     INSERT INTO farm_alerts (subject, kind, message, first_seen, last_seen, count) VALUES ('f1', 'stake_lost', 'gone', 7, 8, 1);
     INSERT INTO harvests (farmer_id, block_index, outcome, stake, reward, reason, at) VALUES
         ('f1', 36, 'lost', '180000000', '0', 'never_worked', unixepoch() - 3600),
         ('f1', 35, 'lost', '10000000', '0', 'never_worked', unixepoch() - 90000);
     INSERT INTO open_pails (block_index, farmer_id, stake, planted_ledger, due_time, held) VALUES
         (38, 'f1', '250000000', 1, unixepoch() + 100, NULL), (34, 'f1', '10000000', 1, 1, 'mint_disagrees');
     UPDATE pool_snapshots SET synced_at = unixepoch() - 1200;
     UPDATE oracle_price_cache SET fetched_at = unixepoch() - 7200";

/// A breaker comes before a late sync, whichever is older; prices that are too old tell no worth.
#[test]
fn the_gravest_comes_first() {
    let home = tended(60);
    home.sqlite().execute_batch(TROUBLE).unwrap();
    let data = home.run("status").json();
    let want = [
        ("critical", "circuit_breaker_active"),
        ("critical", "stake_lost"),
        ("warning", "stale"),
        ("warning", "sync_overdue"),
    ];
    assert_eq!(kinds(&data), want, "{data}");
    let breaker = &data["attention"][0];
    assert_eq!((&breaker["subject"], &breaker["why"]), (&json!("dollars"), &json!("withdrawal_rate: a run")));
    assert!(
        breaker["fix"].as_str().unwrap().contains("poolctl risk reset-breaker dollars --reason TEXT"),
        "{breaker}"
    );
    assert_eq!((&data["tvl_usd"], &data["unpriced"]), (&Value::Null, &json!(1)));
    assert_eq!(data["pools"][0]["price"], Value::Null);
    let farm = &data["farm"];
    assert_eq!(
        (&farm["open_stakes"], &farm["held_stakes"], &farm["at_stake"]),
        (&json!(2), &json!(1), &json!("26.0000000"))
    );
    assert_eq!((&farm["lost_stakes_24h"], &farm["lost_24h"]), (&json!(1), &json!("18.0000000")));
    let shown = home.run("status").ok();
    let first = shown.lines().next().unwrap();
    assert!(first.starts_with("CRITICAL  circuit breaker active"), "{shown}");
    assert!(shown.contains("4 things need attention") && shown.contains("rolls over in 1m "), "{shown}");
}

#[test]
fn it_looks_again_and_again() {
    let home = tended(60);
    let mut child = home.run("status --watch --interval 1s --json").spawn();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = || {
        let mut line = String::new();
        assert!(stdout.read_line(&mut line).unwrap() > 0, "it has ended");
        serde_json::from_str::<Value>(&line).unwrap()
    };
    let first = line();
    assert_eq!((&first["type"], kinds(&first).len()), (&json!("status"), 0));
    home.sqlite().execute_batch(TROUBLE).unwrap();
    home.run("config set health.sync_max_age_min 60").ok();
    // What others write is seen, and settings count from the next look on.
    let seen = loop {
        let next = line();
        if kinds(&next).len() == 3 {
            break next;
        }
    };
    assert_eq!(kinds(&seen)[0], ("critical", "circuit_breaker_active"));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let last = loop {
        let next = line();
        if next["type"] == "result" {
            break next;
        }
    };
    assert!(last["ok"] == true && last["data"]["shown"].as_u64().unwrap() >= 2, "{last}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    home.run("status --watch --interval 500ms").fails(2, "invalid_value");
    home.run("status --watch --interval soon").fails(2, "invalid_value");
    home.run("status --interval 2s").fails(2, "usage");
}
