//! `harvest`: what comes back, what somebody else fetched, what is lost, and how each is booked.

use crate::desk::{Desk, Farmer, KALE};
use serde_json::{Value, json};

fn pail<'a>(data: &'a Value, farmer: &Farmer, block: u32) -> &'a Value {
    let pails = data["pails"].as_array().unwrap();
    let of = |pail: &&Value| pail["address"] == farmer.address && pail["block"] == block;
    pails.iter().find(of).unwrap_or_else(|| panic!("no pail: {data}"))
}

fn stroops(amount: &Value) -> i128 {
    amount.as_str().unwrap().replace('.', "").parse().unwrap()
}

/// Two farmers with stakes in block 0, three ledgers old.
fn planted() -> Desk {
    let desk = Desk::with_farmers(2, 1_000 * KALE);
    desk.configure("kale.cap_stake = false");
    desk.run("plant").json();
    desk.network.advance(3).unwrap();
    desk
}

/// The next block begins: by a farmer outside of the pool.
fn roll(desk: &Desk) {
    desk.ripen();
    let data = desk.run("plant --json").exits_one_of(&[0, 5]).last()["data"].clone();
    assert_eq!(data["farmers"].as_array().unwrap().len(), 2, "{data}");
}

#[test]
fn stake_and_reward_come_back_and_are_shared_out() {
    let desk = planted();
    let [ada, bob] = &desk.farmers[..] else { panic!() };
    for farmer in [ada, bob] {
        desk.work(farmer, 1);
        desk.network.advance(1).unwrap();
    }
    assert_eq!(desk.run("harvest").json()["pails"], json!([]), "the block is open");
    roll(&desk);
    let before = [ada, bob].map(|farmer| desk.kale_of(farmer));
    let data = desk.run("harvest").json();
    assert_eq!(data["harvested"], 2, "{data}");
    for (farmer, before) in [ada, bob].into_iter().zip(before) {
        let pail = pail(&data, farmer, 0);
        assert_eq!(pail["status"], "harvested");
        assert_eq!(pail["reward"], pail["forecast"], "the formula is the contract's");
        let (stake, reward) = (stroops(&pail["stake"]), stroops(&pail["reward"]));
        assert!(reward > 0 && stake > 0);
        assert_eq!(desk.kale_of(farmer) - before, stake + reward, "what was minted");
        assert!(desk.pail(farmer, 0).is_none());
    }
    let rewards = stroops(&data["rewarded"]);
    let pooler = desk.column("SELECT id FROM poolers")[0].clone();
    assert_eq!(desk.booked("chain", "sandbox", "mint"), -rewards);
    let parts = desk.booked("pooler", &pooler, "kale") + desk.booked("operator", "operator", "platform_fee");
    // 20 % and 5 %, each to the stroop.
    assert!((parts * 4 - rewards).abs() <= 8, "{parts} of {rewards}");
    let version = desk.value::<String>("SELECT value FROM meta WHERE key = 'data_version'");
    assert_eq!(desk.run("harvest").json()["pails"], json!([]), "again, there is nothing to do");
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM harvests"), 2);
    let now = desk.value::<String>("SELECT value FROM meta WHERE key = 'data_version'");
    assert!(now.parse::<i64>().unwrap() - version.parse::<i64>().unwrap() <= 1, "the pails' lives at most");
    desk.is_sound();
}

#[test]
fn a_pail_that_nobody_worked_is_a_loss_that_the_pooler_answers_for() {
    let desk = planted();
    let [ada, bob] = &desk.farmers[..] else { panic!() };
    desk.work(ada, 0);
    roll(&desk);
    let envelope = desk.run("harvest").fails(5, "stake_lost");
    assert_eq!(pail(&envelope["data"], ada, 0)["status"], "harvested");
    let doubted = pail(&envelope["data"], bob, 0);
    assert_eq!((&doubted["status"], &doubted["reason"]), (&json!("failed"), &json!("missing")));
    assert_eq!(desk.booked("chain", "sandbox", "lost"), 0, "a second look decides");
    desk.network.advance(12).unwrap();
    let envelope = desk.run("harvest").fails(5, "stake_lost");
    let data = &envelope["data"];
    let lost = pail(data, bob, 0);
    assert_eq!(
        (&lost["status"], &lost["reason"], &lost["cause"], &lost["fault"]),
        (&json!("lost"), &json!("not_worked"), &json!("no_nonce"), &json!("pooler"))
    );
    let stake = stroops(&lost["stake"]);
    assert_eq!(stake, i128::from(250 * KALE));
    assert_eq!(desk.booked("chain", "sandbox", "lost"), stake);
    let owed = desk.column("SELECT fault || ' ' || amount || ' ' || reason FROM pooler_compensations");
    assert_eq!(owed, [format!("pooler {stake} no_nonce")]);
    desk.is_sound();
}

#[test]
fn a_farmer_that_leaves_is_harvested_for() {
    let desk = planted();
    let [ada, bob] = &desk.farmers[..] else { panic!() };
    desk.work(ada, 0);
    desk.work(bob, 0);
    desk.run(&format!("farmer set {} --status leaving", ada.id)).exits(0);
    desk.ripen();
    desk.run("plant").json();
    let data = desk.run("harvest").json();
    assert_eq!(pail(&data, ada, 0)["status"], "harvested");
    assert!(desk.pail(ada, 1).is_none());
    desk.is_sound();
}

#[test]
fn a_strangers_harvest_for_us_is_found_and_booked_once() {
    let desk = planted();
    let [ada, bob] = &desk.farmers[..] else { panic!() };
    desk.work(ada, 0);
    desk.work(bob, 0);
    roll(&desk);
    let before = desk.kale_of(ada);
    desk.harvest(bob, ada, 0);
    let minted = desk.kale_of(ada) - before;
    let data = desk.run("harvest").json();
    let found = pail(&data, ada, 0);
    assert_eq!(found["status"], "harvested_elsewhere");
    assert_eq!(stroops(&found["stake"]) + stroops(&found["reward"]), minted);
    assert_eq!(pail(&data, bob, 0)["status"], "harvested");
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM foreign_mints"), 1);
    desk.run("harvest").json();
    assert_eq!(desk.booked("chain", "sandbox", "mint"), -stroops(&data["rewarded"]));
    desk.is_sound();
}

#[test]
fn a_pail_that_expired_is_a_loss_that_the_operator_answers_for() {
    let desk = planted();
    let [ada, bob] = &desk.farmers[..] else { panic!() };
    desk.work(ada, 0);
    desk.work(bob, 0);
    // A look while the block is open is how the work of another hand is learnt of.
    desk.run("harvest").json();
    roll(&desk);
    // Longer than any temporary entry lives by itself.
    desk.network.advance_over(20_000, 100_000).unwrap();
    desk.run("harvest").ends();
    desk.network.advance(12).unwrap();
    let envelope = desk.run("harvest").arg("--json").ends().1.last();
    for farmer in [ada, bob] {
        let lost = pail(&envelope["data"], farmer, 0);
        assert_eq!((&lost["status"], &lost["fault"]), (&json!("lost"), &json!("operator")), "{lost}");
        assert_eq!(lost["reason"], "pail_expired");
    }
    assert_eq!(desk.booked("farmer", &ada.id, "staked"), i128::from(750 * KALE / 4), "of block 1");
    desk.is_sound();
}

#[test]
fn a_pail_that_expires_soon_is_an_alert_once_and_can_be_extended() {
    let desk = planted();
    let [ada, _] = &desk.farmers[..] else { panic!() };
    desk.work(ada, 0);
    let until = desk.value::<Option<i64>>("SELECT max(live_until) FROM open_pails");
    assert_eq!(until, None, "never looked at");
    desk.run("harvest").json();
    let until = desk.value::<u32>("SELECT min(live_until) FROM open_pails");
    let (ledger, _) = desk.network.latest().unwrap();
    desk.network.advance(until - ledger - 100).unwrap();
    for _ in 0..2 {
        let envelope = desk.run("harvest --json").exits(0).last();
        assert_eq!(envelope["warnings"].as_array().unwrap().len(), 2, "{envelope}");
    }
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM events WHERE kind = 'farm.alert.opened'"), 2);
    let envelope = desk.run("harvest --extend --json").exits(0).last();
    assert_eq!(envelope["data"]["extended"].as_array().unwrap().len(), 2, "{envelope}");
    let data = desk.run("harvest").json();
    assert_eq!(data["extended"], json!([]));
    assert!(desk.value::<u32>("SELECT min(live_until) FROM open_pails") > until);
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM farm_alerts WHERE closed_at IS NULL"), 0);
    desk.is_sound();
}

#[test]
fn a_dry_run_shows_what_is_due_and_changes_nothing() {
    let desk = planted();
    let [ada, bob] = &desk.farmers[..] else { panic!() };
    desk.work(ada, 0);
    roll(&desk);
    let version = desk.value::<String>("SELECT value FROM meta WHERE key = 'data_version'");
    let envelope = desk.run("harvest --dry-run --json").exits(0).last();
    let data = &envelope["data"];
    assert_eq!(pail(data, ada, 0)["status"], "would_harvest");
    assert!(pail(data, ada, 0)["forecast"].is_string());
    // As the first look of a harvest has it: a later one decides.
    let doubted = pail(data, bob, 0);
    assert_eq!(
        (&doubted["status"], &doubted["reason"]),
        (&json!("would_doubt"), &json!("missing")),
        "{doubted}"
    );
    assert_eq!(desk.value::<String>("SELECT value FROM meta WHERE key = 'data_version'"), version);
    assert!(desk.pail(ada, 0).is_some());
    let said = doubted["error"].clone();
    let envelope = desk.run("harvest").arg("--json").ends().1.last();
    let looked = pail(&envelope["data"], bob, 0);
    assert_eq!((&looked["reason"], &looked["status"]), (&json!("missing"), &json!("failed")));
    let upto = |text: &Value| text.as_str().unwrap().split("from ledger").next().unwrap().to_owned();
    assert_eq!(upto(&looked["error"]), upto(&said));
    desk.network.advance(12).unwrap();
    let data = desk.run("harvest --dry-run").json();
    assert_eq!(
        (&pail(&data, bob, 0)["status"], &pail(&data, bob, 0)["fault"]),
        (&json!("would_lose"), &json!("pooler"))
    );
}

#[test]
fn a_harvest_that_is_not_what_the_ledger_booked_is_found() {
    let desk = planted();
    for farmer in &desk.farmers {
        desk.work(farmer, 0);
    }
    roll(&desk);
    desk.run("harvest").json();
    desk.is_sound();
    let mut ids: Vec<&str> = desk.farmers.iter().map(|farmer| farmer.id.as_str()).collect();
    ids.sort_unstable();
    for (sql, pail, words) in [
        ("UPDATE harvests SET reward = reward || '0'", 0, "block 0: stake and reward are"),
        ("UPDATE harvests SET outcome = 'failed'", 0, "block 0: recorded as harvested without a harvest"),
        ("UPDATE harvests SET outcome = 'failed'", 1, "block 0: recorded as harvested without a harvest"),
        ("UPDATE harvests SET block_index = 5", 0, "block 5: harvested, and recorded 0 times"),
    ] {
        let copy = desk.fork();
        copy.sqlite().execute(&format!("{sql} WHERE farmer_id = ?1"), [ids[pail]]).unwrap();
        let envelope = copy.run("state check --json").ends().1.last();
        let found = envelope["data"]["findings"].as_array().unwrap();
        let want = format!("farmer {}, {words}", ids[pail]);
        let told = |one: &&Value| {
            one["check"] == "harvests_equal_credits" && one["message"].as_str().unwrap().starts_with(&want)
        };
        assert_eq!(found.iter().filter(told).count(), 1, "{want}: {envelope}");
    }
}
