//! `plant`: who plants how much, once, and what is booked of it.

use crate::desk::{Desk, Farmer, KALE, XLM, until};
use serde_json::{Value, json};

/// Each farmer's line of the output, by address.
fn line<'a>(data: &'a Value, address: &str) -> &'a Value {
    data["farmers"].as_array().unwrap().iter().find(|line| line["address"] == address).unwrap()
}

#[test]
fn every_ready_farmer_plants_once() {
    let desk = Desk::with_farmers(3, 1_000 * KALE);
    let data = desk.run("plant").json();
    assert_eq!((&data["planted"], &data["block"]), (&json!(3), &json!(0)), "{data}");
    // The genesis block has seen no stake: none counts there.
    for farmer in &desk.farmers {
        assert_eq!(line(&data, &farmer.address)["status"], "planted");
        assert_eq!(desk.pail(farmer, 0).unwrap().stake, 0);
    }
    let again = desk.run("plant").json();
    assert_eq!(again["planted"], 0);
    for farmer in &desk.farmers {
        assert_eq!(line(&again, &farmer.address)["status"], "already_planted");
    }
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM plantings"), 3);
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM open_pails"), 3);
    desk.is_sound();
}

#[test]
fn a_stake_is_the_farmers_share_and_is_booked_as_it_is_burnt() {
    let desk = Desk::with_farmers(2, 1_000 * KALE);
    desk.configure("kale.cap_stake = false\nstrategy.max_stake = \"200\"");
    let [ada, bob] = &desk.farmers[..] else { panic!() };
    desk.run(&format!("farmer set {} --stake-percentage 0.1", bob.id)).exits(0);
    let data = desk.run("plant").json();
    assert_eq!(line(&data, &ada.address)["stake"], "200.0000000", "a quarter of 1000, and 200 at most");
    assert_eq!(line(&data, &bob.address)["stake"], "100.0000000");
    assert_eq!(data["staked"], "300.0000000");
    for (farmer, stake) in [(ada, 200), (bob, 100)] {
        let stake = i128::from(stake * KALE);
        assert_eq!(desk.pail(farmer, 0).unwrap().stake, stake);
        assert_eq!(desk.kale_of(farmer), i128::from(1_000 * KALE) - stake);
        assert_eq!(desk.booked("farmer", &farmer.id, "staked"), stake);
        assert_eq!(desk.booked("farmer", &farmer.id, "kale"), -stake);
    }
    desk.is_sound();
}

#[test]
fn no_more_is_staked_than_counts_in_the_block() {
    let desk = Desk::with_farmers(2, 1_000 * KALE);
    let [ada, bob] = &desk.farmers[..] else { panic!() };
    desk.plant(ada, i128::from(30 * KALE));
    desk.ripen();
    let data = desk.run("plant").json();
    assert_eq!(data["block"], 1);
    for farmer in [ada, bob] {
        assert_eq!(line(&data, &farmer.address)["stake"], "30.0000000", "the largest that block 0 saw");
    }
    desk.is_sound();
}

#[test]
fn a_farmer_that_is_not_ready_is_told_why_once() {
    let mut desk = Desk::with_farmers(1, 1_000 * KALE);
    let missing = desk.register("no account", "0.25");
    let poor = desk.register("poor", "0.25");
    desk.network.fund(&poor.address, 12 * XLM / 10).unwrap();
    let untrusting = desk.register("no trustline", "0.25");
    desk.network.fund(&untrusting.address, 10 * XLM).unwrap();
    for _ in 0..2 {
        let envelope = desk.run("plant").fails(3, "partial");
        let data = &envelope["data"];
        for (farmer, reason) in
            [(&missing, "no_account"), (&poor, "too_few_lumens"), (&untrusting, "no_trustline")]
        {
            let line = line(data, &farmer.address);
            assert_eq!((&line["status"], &line["reason"]), (&json!("failed"), &json!(reason)), "{line}");
        }
    }
    let told = desk.column("SELECT reason FROM plantings WHERE outcome = 'failed' ORDER BY reason");
    assert_eq!(told, ["no_account", "no_trustline", "too_few_lumens"]);
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM events WHERE kind = 'plant.failed'"), 3);
    desk.is_sound();
}

#[test]
fn a_plant_by_another_hand_is_found_with_the_stake_of_its_pail() {
    let desk = Desk::with_farmers(1, 1_000 * KALE);
    let ada = &desk.farmers[0];
    desk.plant(ada, 123);
    let data = desk.run("plant").json();
    let line = line(&data, &ada.address);
    assert_eq!((&line["status"], &line["stake"]), (&json!("already_planted"), &json!("0.0000123")));
    assert_eq!(desk.booked("farmer", &ada.id, "staked"), 123);
    desk.run("plant").json();
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM plantings"), 1);
    desk.is_sound();
}

#[test]
fn none_begins_at_the_end_of_a_block() {
    let desk = Desk::with_farmers(1, 0);
    desk.age(240);
    let before = desk.value::<i64>("SELECT count(*) FROM operations");
    let data = desk.run("plant").json();
    assert!(data["wait_until"].is_string(), "{data}");
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM operations"), before);
    desk.ripen();
    let data = desk.run("plant").json();
    assert_eq!((&data["planted"], &data["block"]), (&json!(1), &json!(1)));
    desk.is_sound();
}

#[test]
fn only_active_farmers_plant() {
    let desk = Desk::with_farmers(2, 0);
    let [ada, bob] = &desk.farmers[..] else { panic!() };
    desk.run(&format!("farmer set {} --status leaving", bob.id)).exits(0);
    let data = desk.run("plant").json();
    let planted: Vec<_> =
        data["farmers"].as_array().unwrap().iter().map(|line| line["address"].clone()).collect();
    assert_eq!(planted, [json!(ada.address)]);
}

#[test]
fn a_dry_run_shows_the_plan_and_changes_nothing() {
    let desk = Desk::with_farmers(2, 1_000 * KALE);
    desk.configure("kale.cap_stake = false");
    let version = desk.value::<String>("SELECT value FROM meta WHERE key = 'data_version'");
    let envelope = desk.run("plant --dry-run --json").exits(0).last();
    assert_eq!(envelope["dry_run"], true);
    for farmer in &desk.farmers {
        let line = line(&envelope["data"], &farmer.address);
        assert_eq!((&line["status"], &line["stake"]), (&json!("would_plant"), &json!("250.0000000")));
        assert!(line["fee"].is_string(), "{line}");
        assert!(desk.pail(farmer, 0).is_none());
    }
    assert_eq!(desk.value::<String>("SELECT value FROM meta WHERE key = 'data_version'"), version);
}

#[test]
fn bad_input_is_refused_before_anything_happens() {
    let desk = Desk::with_farmers(1, 0);
    let version = desk.value::<String>("SELECT value FROM meta WHERE key = 'data_version'");
    let requests = desk.network.latest().unwrap();
    for (line, code) in [
        ("plant nobody", "unknown_farmer"),
        ("plant --parallel 0", "invalid_value"),
        ("plant --parallel 1.5", "invalid_value"),
        ("plant --parallel -1", "invalid_value"),
    ] {
        desk.run(line).fails(2, code);
    }
    assert_eq!(desk.value::<String>("SELECT value FROM meta WHERE key = 'data_version'"), version);
    assert_eq!(desk.network.latest().unwrap(), requests);
}

#[test]
fn a_second_run_at_the_same_time_is_refused_and_the_first_goes_on() {
    let desk = Desk::with_farmers(1, 0);
    // No ledger closes: the first run waits for its transaction.
    let first = desk.run("plant").spawn();
    until("the plant waits for a ledger", || desk.network.waiting() == 1);
    let second = desk.run("plant --json --wait 0s").alone();
    assert_eq!((second.code, &second.last()["error"]["code"]), (Some(11), &json!("lease_held")));
    desk.network.advance(1).unwrap();
    assert!(first.wait_with_output().unwrap().status.success());
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM plantings"), 1);
    desk.is_sound();
}

#[test]
fn a_reply_that_is_lost_after_acceptance_plants_once() {
    use poolctl_sandbox::fault::Fault;
    let desk = Desk::with_farmers(1, 1_000 * KALE);
    for fault in [Fault::DropAfter, Fault::BadSequenceAfterConfirm, Fault::TryAgainLater] {
        desk.network.fault("sendTransaction", fault, 1);
        desk.ripen();
        let data = desk.run("plant").json();
        assert_eq!(data["planted"], 1, "{data}");
    }
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM plantings WHERE outcome = 'planted'"), 3);
    desk.is_sound();
}

#[test]
fn a_paused_farm_takes_no_plant_and_still_pays_harvests() {
    let desk = Desk::with_farmers(1, 1_000 * KALE);
    desk.run("plant").json();
    desk.network.advance(1).unwrap();
    desk.work(&desk.farmers[0], 0);
    desk.ripen();
    desk.plant(&desk.stranger(), 0);
    let admin = Farmer::of_pair("admin", &desk.network.farm().unwrap().homesteader);
    desk.act(vec![(&admin, desk.call("pause", Vec::new()))]);
    let operations = desk.value::<i64>("SELECT count(*) FROM operations");
    let envelope = desk.run("plant").fails(4, "farm_paused");
    assert!(envelope["error"]["hint"].as_str().unwrap().contains("harvest still works"));
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM operations"), operations);
    assert_eq!(desk.run("harvest").json()["harvested"], 1);
    desk.act(vec![(&admin, desk.call("unpause", Vec::new()))]);
    assert_eq!(desk.run("plant").json()["planted"], 1);
    desk.is_sound();
}
