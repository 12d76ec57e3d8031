//! A network that goes on: a newer protocol, faster ledgers, new code of the farm contract.

use crate::desk::{Desk, KALE};
use poolctl_testkit::doctor::{line, stands};
use poolctl_testkit::proxy::Rewrite;
use poolctl_testkit::{Fault, Proxy, Rule};
use serde_json::{Value, json};
use stellar::PROTOCOL;

const AGE: &str = "stellar.max_head_age_sec = 4000000000";
/// XDR with an arm that nobody knows.
const ODD: &str = "AAAAYwAAAAA=";

/// Every answer that names a protocol names the next one, and the newest header is of a form that nobody knows.
fn next(_: &Value, mut answer: Value) -> Value {
    if let Some(named) = answer["result"].get_mut("protocolVersion") {
        *named = json!(PROTOCOL + 1);
    }
    if let Some(header) = answer["result"].get_mut("headerXdr") {
        *header = json!(ODD);
    }
    answer
}

fn odd_meta(_: &Value, mut answer: Value) -> Value {
    if answer["result"]["status"] == "SUCCESS" {
        answer["result"]["resultMetaXdr"] = json!(ODD);
    }
    answer
}

fn odd_entries(_: &Value, mut answer: Value) -> Value {
    for entry in answer["result"]["entries"].as_array_mut().into_iter().flatten() {
        entry["xdr"] = json!(ODD);
    }
    answer
}

/// Ten thousand ledgers of two and a half seconds.
fn fast(_: &Value, mut answer: Value) -> Value {
    let result = &mut answer["result"];
    let (ledger, time) = (result["latestLedger"].as_u64(), result["latestLedgerCloseTime"].as_str());
    let (ledger, time): (u64, u64) = (ledger.unwrap(), time.unwrap().parse().unwrap());
    result["oldestLedger"] = json!(ledger.saturating_sub(800));
    result["oldestLedgerCloseTime"] = json!((time - 2_000).to_string());
    answer
}

/// The network as it shows itself after an upgrade.
fn upgraded(desk: &Desk, more: &[(&str, Rewrite)]) -> Proxy {
    let proxy = Proxy::start(&desk.network.url()).unwrap();
    for (method, rewrite) in [("getLatestLedger", next as Rewrite), ("getNetwork", next)].iter().chain(more) {
        proxy.fault(Rule::new(Fault::Custom(*rewrite)).on_method(method));
    }
    desk.write_config(&[proxy.url()], &format!("{AGE}\nkale.cap_stake = false"));
    proxy
}

#[track_caller]
fn doctor(desk: &Desk, code: i32) -> Value {
    let before: String = desk.value("SELECT value FROM meta WHERE key = 'data_version'");
    let data = desk.run("doctor --json").exits(code).last()["data"].clone();
    assert_eq!(before, desk.value::<String>("SELECT value FROM meta WHERE key = 'data_version'"));
    data
}

fn newer() -> String {
    format!("the network is at protocol {}, this build knows {PROTOCOL}", PROTOCOL + 1)
}

#[test]
fn a_whole_block_is_farmed_on_a_newer_protocol() {
    let desk = Desk::with_farmers(1, 1_000 * KALE);
    let farmer = desk.farmers[0].clone();
    desk.configure(AGE);
    let known = format!("the network is at protocol {PROTOCOL}, this build knows {PROTOCOL}");
    stands(&doctor(&desk, 0), "stellar", "protocol", "ok", &known);
    // Headers and what transactions changed are of a new form; entries, results and events are as they were.
    let _proxy = upgraded(&desk, &[("getTransaction", odd_meta)]);
    let data = doctor(&desk, 0);
    stands(&data, "stellar", "protocol", "warn", &newer());
    assert_eq!(line(&data, "stellar", "protocol")["fix"], "update poolctl");
    assert_eq!(desk.run("plant").json()["planted"], 1);
    desk.network.advance(3).unwrap();
    let data = desk.run("work --policy early").json();
    assert_eq!(data["worked"], 1, "{data}");
    let pail = desk.pail(&farmer, desk.farm().index).unwrap();
    let gaps = ["works WHERE outcome = 'worked'", "open_pails"]
        .map(|table| desk.value::<Option<u32>>(&format!("SELECT gap FROM {table}")));
    assert_eq!((&data["farmers"][0]["gap"], gaps), (&json!(pail.gap), [pail.gap; 2]), "by the ledgers");
    desk.ripen();
    desk.plant(&desk.stranger(), 0);
    let before = desk.kale_of(&farmer);
    let data = desk.run("harvest").json();
    assert_eq!(data["harvested"], 1, "{data}");
    let minted = desk.kale_of(&farmer) - before;
    let stroops = |amount: &Value| amount.as_str().unwrap().replace('.', "").parse::<i128>().unwrap();
    let pail = &data["pails"][0];
    assert_eq!(stroops(&pail["stake"]) + stroops(&pail["reward"]), minted, "by the mint: {pail}");
    assert_eq!(desk.booked("chain", "sandbox", "mint"), stroops(&pail["stake"]) - minted);
    desk.is_sound();
}

#[test]
fn what_cannot_be_read_is_named_and_nothing_is_lost_for_it() {
    let desk = Desk::with_farmers(1, 1_000 * KALE);
    let farmer = desk.farmers[0].clone();
    desk.configure("kale.cap_stake = false");
    desk.run("plant").json();
    desk.network.advance(3).unwrap();
    desk.work(&farmer, 1);
    desk.ripen();
    desk.plant(&desk.stranger(), 0);
    let proxy = upgraded(&desk, &[("getLedgerEntries", odd_entries)]);
    let state = || {
        desk.column("SELECT farmer_id || stake FROM open_pails UNION ALL SELECT key || state FROM operations ORDER BY 1")
    };
    let before = state();
    for command in ["harvest", "plant", "farm plan", "block"] {
        let envelope = desk.run(command).fails(1, "newer_protocol");
        let error = &envelope["error"];
        assert!(error["message"].as_str().unwrap().contains(&newer()), "{command}: {error}");
        assert_eq!(error["hint"], "update poolctl", "{command}");
        assert_eq!(state(), before, "{command}");
    }
    stands(&doctor(&desk, 5), "stellar", "protocol", "warn", &newer());
    proxy.heal();
    drop(proxy);
    desk.configure("kale.cap_stake = false");
    assert_eq!(desk.run("harvest").json()["harvested"], 1);
    desk.is_sound();
}

#[test]
fn the_code_of_the_farm_is_pinned_and_a_change_is_an_alert() {
    let desk = Desk::with_farmers(1, 1_000 * KALE);
    desk.configure(AGE);
    stands(&doctor(&desk, 0), "contracts", "code of the farm", "ok", "the next command of the farm pins it");
    desk.run("plant").json();
    let pin: String = desk.value("SELECT value FROM meta WHERE key = 'farm_wasm'");
    let (contract, hash) = pin.split_once(' ').unwrap();
    assert_eq!((contract, hash.len()), (desk.contract.to_string().as_str(), 64));
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM events WHERE subject = 'farm_wasm'"), 1);
    stands(&doctor(&desk, 0), "contracts", "code of the farm", "ok", hash);
    desk.run("health --json").exits(0);

    // It was another one when it was seen first.
    let other = "ab".repeat(32);
    let pinned = format!("{contract} {other}");
    desk.sqlite().execute("UPDATE meta SET value = ?1 WHERE key = 'farm_wasm'", [&pinned]).unwrap();
    let data = doctor(&desk, 5);
    stands(&data, "contracts", "code of the farm", "fail", &format!("it is {hash}, accepted was {other}"));
    let fix = line(&data, "contracts", "code of the farm")["fix"].as_str().unwrap().to_owned();
    let accept = format!("poolctl config set kale.wasm_hash {hash}");
    assert!(fix.ends_with(&accept), "{fix}");
    let alerts = || {
        desk.column("SELECT subject FROM farm_alerts WHERE kind = 'farm_code_changed' AND closed_at IS NULL")
    };
    for _ in 0..2 {
        desk.network.advance(1).unwrap();
        desk.run("plant").exits(0);
        assert_eq!(alerts(), [contract], "once, and the farm goes on");
    }
    let health = desk.run("health --json").exits(5).stdout;
    assert!(health.contains("farm_code_changed") && health.contains(hash), "{health}");

    // Accepted, it is no alert any more; and the pin follows.
    for bad in ["x", &hash[1..], &format!("0x{hash}")] {
        desk.run(&format!("config set kale.wasm_hash {bad}")).fails(2, "invalid_value");
    }
    desk.run(accept.strip_prefix("poolctl ").unwrap()).exits(0);
    stands(&doctor(&desk, 0), "contracts", "code of the farm", "ok", hash);
    desk.run("plant").exits(0);
    assert_eq!(alerts(), [""; 0]);
    assert_eq!(desk.value::<String>("SELECT value FROM meta WHERE key = 'farm_wasm'"), pin);
    desk.run("config unset kale.wasm_hash").exits(0);
    stands(&doctor(&desk, 0), "contracts", "code of the farm", "ok", hash);
    // What is set stands above what is seen.
    desk.run(&format!("config set kale.wasm_hash {}", other.to_uppercase())).exits(0);
    desk.run("plant").exits(0);
    assert_eq!(alerts(), [contract]);
    desk.is_sound();
}

#[test]
fn alarms_are_set_in_time_and_follow_the_pace_of_ledgers() {
    let desk = Desk::with_farmers(1, 10 * KALE);
    desk.configure(AGE);
    desk.run("plant").json();
    desk.run("harvest").json();
    let (now, _) = desk.network.latest().unwrap();
    // Three hours are 2160 ledgers of five seconds, and 4320 of two and a half.
    desk.sqlite().execute("UPDATE open_pails SET live_until = ?1", [now + 3_000]).unwrap();
    stands(&doctor(&desk, 0), "expiry", "pails", "ok", "none of 1");
    let proxy = Proxy::start(&desk.network.url()).unwrap();
    proxy.fault(Rule::new(Fault::Custom(fast)).on_method("getTransaction"));
    desk.write_config(&[proxy.url()], AGE);
    stands(&doctor(&desk, 5), "expiry", "farmer ", "fail", "expires at ledger");
    let instance = line(&doctor(&desk, 5), "expiry", "the farm's instance")["found"].clone();
    assert!(instance.as_str().unwrap().contains("from now, about "), "{instance}");

    // A pail lives some 17,280 ledgers: a day at the usual pace, half a day at this one.
    let near = || desk.run("harvest --json").exits(0).last()["warnings"].as_array().unwrap().len();
    let sixteen_hours = format!("{AGE}\nkale.harvest_alarm_sec = 57600");
    desk.configure(&sixteen_hours);
    assert_eq!(near(), 0);
    desk.write_config(&[proxy.url()], &sixteen_hours);
    assert_eq!(near(), 1);
    let alerts = "SELECT count(*) FROM farm_alerts WHERE kind = 'pail_expiring' AND closed_at IS NULL";
    assert_eq!(desk.value::<i64>(alerts), 1);
    let extended = desk.run("harvest --extend --json").exits(0).last();
    let (ledger, _) = desk.network.latest().unwrap();
    let until = extended["data"]["extended"][0]["live_until"].as_u64().unwrap();
    assert!(until >= u64::from(ledger) + 34_000, "a day is 34,560 ledgers: {extended}");
    desk.configure(&sixteen_hours);
    assert_eq!((near(), desk.value::<i64>(alerts)), (0, 0));
}
