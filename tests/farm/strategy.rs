//! What each farmer is farmed by: stakes, targets, times, and who is not planted for.

use crate::desk::{Desk, Farmer, KALE, ended, until};
use serde_json::{Value, json};

fn line<'a>(data: &'a Value, farmer: &Farmer) -> &'a Value {
    data["farmers"].as_array().unwrap().iter().find(|line| line["farmer"] == farmer.id).unwrap()
}

fn set(desk: &Desk, farmer: &Farmer, terms: &str) {
    desk.run(&format!("farmer set {} {terms}", farmer.id)).exits(0);
}

fn version(desk: &Desk) -> String {
    desk.value("SELECT value FROM meta WHERE key = 'data_version'")
}

#[test]
fn each_farmer_stakes_within_its_own_terms() {
    let desk = Desk::with_farmers(6, 1_000 * KALE);
    desk.configure("kale.cap_stake = false\nstrategy.max_stake = \"200\"");
    let [plain, most, least, over, rich, harvests] = &desk.farmers[..] else { panic!() };
    set(&desk, most, "--max-stake 100");
    set(&desk, least, "--min-stake 300 --max-stake 400");
    // Above the most of all, which wins; and above what it holds.
    set(&desk, over, "--min-stake 300");
    set(&desk, rich, "--min-stake 2000 --max-stake 3000");
    set(&desk, harvests, "--harvest-only");
    let stakes = [(plain, 200), (most, 100), (least, 300), (over, 200), (rich, 0)];
    let dry = desk.run("plant --dry-run").json();
    let plan = desk.run("farm plan").json();
    assert_eq!(plan["actions"][0]["count"], 5, "{plan}");
    assert_eq!(
        (&line(&plan, harvests)["status"], &line(&plan, plain)["status"]),
        (&json!("harvest_only"), &json!("not_planted"))
    );
    let data = desk.run("plant").json();
    for (farmer, stake) in stakes {
        assert_eq!(line(&data, farmer)["stake"], format!("{stake}.0000000"), "{data}");
        assert_eq!(line(&dry, farmer)["stake"], line(&data, farmer)["stake"]);
        assert_eq!(desk.pail(farmer, 0).unwrap().stake, i128::from(stake * KALE));
    }
    assert_eq!(line(&data, harvests)["status"], "harvest_only");
    assert!(desk.pail(harvests, 0).is_none());
    // Taken back, it plants as all do.
    set(&desk, harvests, "--harvest-only=none");
    assert_eq!(line(&desk.run("plant").json(), harvests)["stake"], "200.0000000");
    desk.is_sound();
}

#[test]
fn terms_are_shown_audited_and_taken_back() {
    let desk = Desk::with_farmers(1, 0);
    let ada = &desk.farmers[0];
    let none = json!({
        "target_zeros": null, "min_work_sec": null, "harvest_only": null, "min_stake": null, "max_stake": null,
    });
    assert_eq!(desk.run(&format!("farmer show {}", ada.id)).json()["strategy"], none);
    let all = "--target-zeros 7 --min-work-time 3m --harvest-only=false --min-stake 0.5 --max-stake 12";
    let data = desk.run(&format!("farmer set {} {all}", ada.id)).json();
    let terms = json!({
        "target_zeros": 7, "min_work_sec": 180, "harvest_only": false, "min_stake": "0.5000000",
        "max_stake": "12.0000000",
    });
    assert_eq!((&data["changed"], &data["strategy"]), (&json!(true), &terms));
    assert_eq!(desk.run("farmer list").json()["farmers"][0]["strategy"], terms);
    let facts: Value =
        serde_json::from_str(&desk.value::<String>("SELECT payload FROM events ORDER BY id DESC LIMIT 1"))
            .unwrap();
    assert_eq!(facts["min_work_sec"], json!({ "old": null, "new": "180" }), "{facts}");
    assert_eq!(facts["min_stake"], json!({ "old": null, "new": "0.5000000" }));
    let shown = desk.run(&format!("farmer show {}", ada.id)).exits(0).stdout;
    assert!(shown.contains("target zeros 7, min work sec 180, harvest only false, min stake 0.5"), "{shown}");
    let again = desk.run(&format!("farmer set {} {all}", ada.id)).json();
    assert_eq!(again["changed"], false);
    let back =
        "--target-zeros none --min-work-time none --harvest-only=none --min-stake none --max-stake none";
    assert_eq!(desk.run(&format!("farmer set {} {back}", ada.id)).json()["strategy"], none);
    desk.is_sound();
}

#[test]
fn terms_that_cannot_be_are_refused_and_nothing_changes() {
    let desk = Desk::with_farmers(1, 1_000 * KALE);
    let ada = &desk.farmers[0];
    set(&desk, ada, "--max-stake 10");
    let before = version(&desk);
    for (terms, code) in [
        ("--target-zeros 0", "invalid_value"),
        ("--target-zeros 17", "invalid_value"),
        ("--target-zeros +5", "invalid_value"),
        ("--min-work-time 300s", "invalid_value"),
        ("--min-work-time 1500ms", "invalid_value"),
        ("--min-work-time 180", "invalid_value"),
        ("--harvest-only=maybe", "usage"),
        ("--min-stake 1.00000001", "invalid_amount"),
        ("--min-stake -1", "usage"),
        ("--max-stake much", "invalid_amount"),
        ("--min-stake 10.0000001", "invalid_value"),
    ] {
        desk.run(&format!("farmer set {} {terms}", ada.id)).fails(2, code);
    }
    desk.run("config set strategy.max_stake 5").exits(0);
    let stored = version(&desk);
    assert_ne!(stored, before);
    for (line, needle) in [
        ("config set strategy.min_stake 6", "above the most stake"),
        ("config set strategy.target_zeros 17", "outside 1 to 16"),
        ("config set strategy.min_work_sec 300", "outside 0 to 299"),
    ] {
        let envelope = desk.run(line).fails(2, "invalid_value");
        assert!(envelope["error"]["message"].as_str().unwrap().contains(needle), "{envelope}");
    }
    assert_eq!(version(&desk), stored);
    desk.configure("strategy.min_stake = \"2\"\nstrategy.max_stake = \"1\"");
    desk.run("plant").fails(2, "invalid_value");
    let found = desk.run("config check --json").exits(5).last();
    assert!(
        found["data"]["findings"][0]["message"].as_str().unwrap().contains("strategy.min_stake"),
        "{found}"
    );
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM operations"), 0);
}

/// Two farmers that are planted; the first has these terms, both work early.
fn planted(terms: &str) -> Desk {
    let desk = Desk::with_farmers(2, 100 * KALE);
    desk.configure("strategy.target_zeros = 1\nkale.work_policy = \"early\"\nkale.early_sec = 299");
    set(&desk, &desk.farmers[0], terms);
    desk.ripen();
    desk.run("plant").exits(0);
    desk.network.advance(1).unwrap();
    desk
}

/// Works, with ledgers that close; first `act`, then the end of the block comes.
#[track_caller]
fn worked(desk: &Desk, act: impl FnOnce()) {
    let _ledgers = desk.ledgers();
    let child = desk.run("work").arg("--json").spawn();
    act();
    let ran = ended(child);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(ran.last()["data"]["worked"], 2, "{}", ran.stdout);
}

fn age(desk: &Desk) -> u64 {
    desk.network.latest().unwrap().1 - desk.farm().open.unwrap().timestamp
}

#[test]
fn a_farmer_at_its_own_target_is_not_ground_for() {
    // More than can be found for the first, and one zero for the other.
    let desk = planted("--target-zeros 12");
    let (index, [hungry, modest]) = (desk.farm().index, &desk.farmers[..]) else { panic!() };
    let plan = desk.run("farm plan").json();
    assert_eq!(
        (&line(&plan, hungry)["target_zeros"], &line(&plan, modest)["target_zeros"]),
        (&json!(12), &json!(1))
    );
    worked(&desk, || {
        until("the modest one is worked", || desk.pail(modest, index).unwrap().worked());
        assert!(!desk.pail(hungry, index).unwrap().worked() && age(&desk) < 250);
        desk.age(281);
    });
    assert!(desk.pail(hungry, index).unwrap().worked(), "with the best there was at the deadline");
    desk.is_sound();
}

#[test]
fn no_work_goes_out_before_its_time() {
    let desk = planted("--min-work-time 180s");
    let (index, [late, soon]) = (desk.farm().index, &desk.farmers[..]) else { panic!() };
    worked(&desk, || {
        until("the other is worked", || desk.pail(soon, index).unwrap().worked());
        assert!(!desk.pail(late, index).unwrap().worked() && age(&desk) < 180);
        desk.age(180);
        until("its time has come", || desk.pail(late, index).unwrap().worked());
    });
    let gap = desk.pail(late, index).unwrap().gap.unwrap();
    assert!((34..50).contains(&gap), "{gap}: well before the deadline");
    desk.is_sound();
}

#[test]
fn the_deadline_comes_before_the_least_time_of_work() {
    let desk = planted("--min-work-time 299s");
    let (index, late) = (desk.farm().index, &desk.farmers[0]);
    worked(&desk, || {
        until("the other is worked", || desk.pail(&desk.farmers[1], index).unwrap().worked());
        desk.age(275);
        assert!(!desk.pail(late, index).unwrap().worked());
        desk.age(281);
    });
    assert!(desk.pail(late, index).unwrap().worked());
}

#[test]
fn harvest_only_works_and_harvests_what_stands_and_plants_no_more() {
    let desk = planted("--min-work-time 0s");
    let (index, [leaves, stays]) = (desk.farm().index, &desk.farmers[..]) else { panic!() };
    set(&desk, leaves, "--harvest-only");
    desk.run("work").exits(0);
    desk.ripen();
    desk.configure("strategy.target_zeros = 1\nkale.work_policy = \"early\"\nkale.harvest_delay_sec = 0");
    let clock = crate::run::Clock::start(&desk, 40);
    desk.run("farm run --once").exits(0);
    drop(clock);
    assert!(desk.pail(leaves, index + 1).is_none() && desk.pail(stays, index + 1).is_some());
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM harvests WHERE outcome = 'harvested'"), 2);
    // Its pooler has nothing to plant once nobody plants.
    desk.sqlite().execute("UPDATE farmers SET status_at = 1", []).unwrap();
    desk.sqlite().execute("UPDATE plantings SET at = at - 9000", []).unwrap();
    let findings = |desk: &Desk, exit| desk.run("health --json").exits(exit).last()["data"]["checks"].clone();
    assert!(findings(&desk, 5).to_string().contains("plant"));
    set(&desk, stays, "--harvest-only");
    assert_eq!(findings(&desk, 0), json!([]));
    desk.is_sound();
}
