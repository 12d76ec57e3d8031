//! `farmer check-funding`: what farmers lack, what fixes it, and how far they come in their life.

use crate::desk::{Desk, Farmer, KALE, Run, XLM, block_on};
use kale::wallet::{self, Wallet};
use poolctl_sandbox::stellar::Keypair;
use serde_json::{Value, json};

/// The secret keys that these tests bring in.
pub fn pair(name: &str) -> Keypair {
    Keypair::derive(&format!("poolctl farm test: {name}"))
}

/// A farmer as `farmer import` leaves it.
pub fn enrol(desk: &Desk, name: &str) -> Farmer {
    enrol_at(desk, "north", name)
}

/// The same with another pooler.
pub fn enrol_at(desk: &Desk, pooler: &str, name: &str) -> Farmer {
    let pair = pair(name);
    let line = format!("farmer import --pooler {pooler} --stake-percentage 0.25");
    let run = desk.run(&line).input(&pair.secret);
    let id = run.json()["id"].as_str().unwrap().to_owned();
    Farmer::of_pair(&id, &pair)
}

/// A fee sponsor with so many stroops; returns its address.
pub fn sponsor(desk: &Desk, stroops: i64) -> String {
    let pair = pair("sponsor");
    desk.run("farmer import --sponsor").input(&pair.secret).exits(0);
    if stroops > 0 {
        desk.network.fund(&pair.address, stroops).unwrap();
    }
    pair.address
}

/// An account on chain.
pub fn wallet(desk: &Desk, address: &str) -> Option<Wallet> {
    let (account, asset) = (address.parse().unwrap(), stellar::asset("asset", &desk.asset).unwrap());
    let keys = wallet::keys(&account, &asset);
    let entries = block_on(desk.client.view(async |view| view.entries(keys.clone()).await)).unwrap();
    wallet::decode(&entries, &account, &asset).unwrap()
}

/// A farmer's line of an output.
#[track_caller]
pub fn line<'a>(data: &'a Value, farmer: &Farmer) -> &'a Value {
    let lines = data["farmers"].as_array().unwrap();
    lines.iter().find(|line| line["address"] == farmer.address).unwrap()
}

/// Everything of the state that these commands may change.
pub fn written(desk: &Desk) -> (String, Vec<String>) {
    let version = desk.value("SELECT value FROM meta WHERE key = 'data_version'");
    let rows = desk.column(
        "SELECT 'farmer ' || address || ' ' || status FROM farmers
         UNION ALL SELECT 'operation ' || key || ' ' || state FROM operations ORDER BY 1",
    );
    (version, rows)
}

fn check(desk: &Desk) -> Run<'_> {
    desk.run("farmer check-funding")
}

fn status(desk: &Desk, farmer: &Farmer) -> String {
    desk.value(&format!("SELECT status FROM farmers WHERE id = '{}'", farmer.id))
}

/// The words of what a farmer lacks.
fn reasons(line: &Value) -> Vec<&str> {
    line["lacks"].as_array().unwrap().iter().map(|lack| lack["reason"].as_str().unwrap()).collect()
}

#[test]
fn each_lack_is_named_and_fixed_as_it_says() {
    let desk = Desk::empty();
    let [missing, poor, untrusting] = ["missing", "poor", "untrusting"].map(|name| enrol(&desk, name));
    desk.network.fund(&poor.address, 12 * XLM / 10).unwrap();
    desk.network.fund(&untrusting.address, 10 * XLM).unwrap();

    let envelope = check(&desk).fails(5, "check_failed");
    let data = &envelope["data"];
    assert_eq!((&data["ready"], &data["sponsor"]), (&json!(0), &Value::Null));
    assert_eq!(reasons(line(data, &missing)), ["no_account"]);
    assert_eq!(reasons(line(data, &poor)), ["too_few_lumens", "no_trustline"]);
    assert_eq!(reasons(line(data, &untrusting)), ["no_trustline"]);
    // Two entries reserve a lumen; what is needed above is a lumen, and a half for the trustline.
    let fix = |farmer: &Farmer| line(data, farmer)["lacks"][0]["fix"].as_str().unwrap().to_owned();
    assert!(fix(&missing).contains("at least 2.5 XLM"), "{}", fix(&missing));
    assert!(fix(&poor).contains("at least 1.3 XLM"), "{}", fix(&poor));
    assert_eq!(fix(&untrusting), format!("make it with: poolctl farmer trust {}", untrusting.address));
    let poor_line = line(data, &poor);
    assert_eq!(
        [&poor_line["lumens"], &poor_line["reserve"], &poor_line["spendable"], &poor_line["kale"]],
        [&json!("1.2000000"), &json!("1.0000000"), &json!("0.2000000"), &Value::Null]
    );
    assert_eq!(
        [&missing, &poor, &untrusting].map(|farmer| status(&desk, farmer)),
        ["wallet_created", "wallet_created", "funded"]
    );

    desk.network.fund(&missing.address, 26 * XLM / 10).unwrap();
    desk.network.fund(&poor.address, 14 * XLM / 10).unwrap();
    desk.run("farmer trust --all").json();
    let data = check(&desk).json();
    assert_eq!(data["ready"], 3, "{data}");
    for farmer in [&missing, &poor, &untrusting] {
        assert_eq!(
            (&line(&data, farmer)["status"], &line(&data, farmer)["kale"]),
            (&json!("active"), &json!("0.0000000"))
        );
        assert_eq!(status(&desk, farmer), "active");
    }
    // Each step of a life is a fact of its own.
    let steps = desk.column(&format!(
        "SELECT json_extract(payload, '$.status.old') || ' ' || json_extract(payload, '$.status.new')
         FROM events WHERE kind = 'farmer.changed' AND subject = '{}' ORDER BY id",
        missing.id
    ));
    assert_eq!(steps, ["wallet_created funded", "funded active"]);
    let before = written(&desk);
    check(&desk).json();
    assert_eq!(written(&desk), before, "nothing is left to change");
    assert_eq!(desk.run("plant").json()["planted"], 3);
    desk.is_sound();
}

#[test]
fn who_falls_short_stays_active_and_who_leaves_stays_leaving() {
    let desk = Desk::with_farmers(3, KALE);
    let [active, leaving, departed] = &desk.farmers[..] else { panic!() };
    for (farmer, statuses) in [(leaving, &["leaving"][..]), (departed, &["leaving", "departed"])] {
        for status in statuses {
            desk.run(&format!("farmer set {} --status {status}", farmer.id)).exits(0);
        }
    }
    let data = check(&desk).json();
    assert_eq!(data["farmers"].as_array().unwrap().len(), 2, "who has departed is not asked about");
    assert_eq!((status(&desk, leaving), status(&desk, departed)), ("leaving".into(), "departed".into()));
    let named = desk.run(&format!("farmer check-funding {}", departed.id)).json();
    assert_eq!(line(&named, departed)["status"], "departed");

    desk.configure("kale.min_lumens = \"500\"");
    let before = written(&desk).1;
    let open = "SELECT subject || ' ' || kind FROM farm_alerts WHERE closed_at IS NULL";
    for _ in 0..2 {
        let envelope = check(&desk).fails(5, "check_failed");
        let found = line(&envelope["data"], active);
        assert_eq!((&found["status"], reasons(found)), (&json!("active"), vec!["too_few_lumens"]));
        assert_eq!(
            desk.column(open),
            [format!("{} not_ready", active.id)],
            "of the one that is to be planted for"
        );
    }
    assert_eq!(written(&desk).1, before);
    // Once nothing is to be planted for it, nobody waits for its lumens.
    desk.run(&format!("farmer set {} --status leaving", active.id)).exits(0);
    assert_eq!(desk.column(open), [""; 0]);
    desk.run(&format!("farmer set {} --status active", active.id)).exits(0);
    check(&desk).fails(5, "check_failed");
    assert_eq!(desk.column(open).len(), 1);
    desk.configure("");
    check(&desk).json();
    assert_eq!(desk.column(open), [""; 0]);
}

#[test]
fn a_sponsor_counts_for_the_lumens_as_far_as_it_has_any() {
    let desk = Desk::empty();
    let ada = enrol(&desk, "ada");
    desk.network.fund(&ada.address, 15 * XLM / 10 + 100).unwrap();
    desk.trust(std::slice::from_ref(&ada));
    let envelope = check(&desk).fails(5, "check_failed");
    assert_eq!(reasons(line(&envelope["data"], &ada)), ["too_few_lumens"]);

    let address = sponsor(&desk, 0);
    let envelope = check(&desk).fails(5, "check_failed");
    let missing = json!({
        "address": address, "ready": false, "spendable": null, "needed": "1.0000000", "days_left": null,
        "why": format!("the fee sponsor {address} has no account yet"),
    });
    assert_eq!(envelope["data"]["sponsor"], missing);
    let found = line(&envelope["data"], &ada);
    assert_eq!(
        (&found["ready"], &found["fees_by"], reasons(found)),
        (&json!(false), &Value::Null, vec!["sponsor_low"])
    );
    assert!(envelope["error"]["message"].as_str().unwrap().contains(&address), "{envelope}");
    assert_eq!(status(&desk, &ada), "active", "it lacks nothing itself");

    desk.network.fund(&address, 2 * XLM).unwrap();
    let data = check(&desk).json();
    let ready = json!({
        "address": address, "ready": true, "spendable": "1.0000000", "needed": "1.0000000", "days_left": null,
        "why": null,
    });
    assert_eq!((&data["sponsor"], &line(&data, &ada)["fees_by"]), (&ready, &json!("sponsor")));
    let shown = check(&desk).exits(0).stdout;
    assert!(shown.contains("1 of 1 farmers are ready") && shown.contains(&address), "{shown}");
}

#[test]
fn a_dry_run_says_what_would_be() {
    let desk = Desk::empty();
    let ada = enrol(&desk, "ada");
    desk.network.fund(&ada.address, 10 * XLM).unwrap();
    desk.trust(std::slice::from_ref(&ada));
    let before = written(&desk);
    let envelope = desk.run("farmer check-funding --dry-run --json").exits(0).last();
    let line = line(&envelope["data"], &ada);
    assert_eq!(envelope["dry_run"], true);
    assert_eq!((&line["status_before"], &line["status"]), (&json!("wallet_created"), &json!("active")));
    assert_eq!(written(&desk), before);
}

#[test]
fn killed_at_any_step_the_next_check_ends_it() {
    let start = Desk::empty();
    let ada = enrol(&start, "ada");
    start.network.fund(&ada.address, 10 * XLM).unwrap();
    start.trust(std::slice::from_ref(&ada));
    let mut steps = 0;
    for step in 1.. {
        let desk = start.fork();
        let killed = check(&desk).env("POOLCTL_CRASH_AT", &step.to_string()).ends().1.code.is_none();
        if !killed {
            break;
        }
        steps = step;
        check(&desk).exits(0);
        assert_eq!(status(&desk, &ada), "active");
        let changes = "SELECT count(*) FROM events WHERE kind = 'farmer.changed'";
        assert_eq!(desk.value::<i64>(changes), 2, "killed at step {step}");
    }
    assert!(steps > 5, "{steps} steps: requests and a commit");
}

#[test]
fn without_an_endpoint_nothing_changes() {
    let desk = Desk::empty();
    let ada = enrol(&desk, "ada");
    check(&desk).fails(5, "check_failed");
    let before = written(&desk);
    desk.write_config(&["http://127.0.0.1:1".to_owned()], "");
    check(&desk).fails(75, "unreachable");
    desk.run(&format!("farmer trust {}", ada.id)).fails(75, "unreachable");
    assert_eq!(written(&desk), before);
}

#[test]
fn nobody_to_check_is_no_finding_and_needs_no_network() {
    let desk = Desk::empty();
    desk.write_config(&["http://127.0.0.1:1".to_owned()], "");
    for line in ["farmer check-funding", "farmer trust"] {
        assert_eq!(desk.run(line).json()["view"], Value::Null);
    }
}
