//! `farm reconcile`: what the state does not know is found, taken in once, and named; what is no difference is none.

use crate::desk::{Desk, Farmer, KALE, XLM};
use crate::losses::{forget, hide_events};
use poolctl_sandbox::stellar::Keypair;
use poolctl_testkit::proxy::Rewrite;
use poolctl_testkit::{Fault, Proxy, Rule};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

const SETTINGS: &str = "kale.cap_stake = false\nstrategy.target_zeros = 1";

/// Three farmers, compared with the chain before anything happened, and a backup of that.
fn backed_up() -> Desk {
    let desk = Desk::with_farmers(3, 1_000 * KALE);
    desk.configure(SETTINGS);
    let data = desk.run("farm reconcile").json();
    assert_eq!((&data["farmers"], &data["differences"]), (&json!(3), &json!([])), "{data}");
    desk.run("state backup before.sqlite").exits(0);
    desk
}

/// Plants and works in a block that has just begun.
fn farm(desk: &Desk) {
    desk.run("plant").exits(0);
    desk.network.advance(3).unwrap();
    for farmer in &desk.farmers {
        desk.work(farmer, 1);
        desk.network.advance(1).unwrap();
    }
}

fn restore(desk: &Desk) {
    desk.run("state restore before.sqlite --yes").exits(0);
}

/// A state that knows nothing of two blocks: the stakes of the first came back, those of the second are out.
fn two_blocks_forgotten() -> Desk {
    let desk = backed_up();
    farm(&desk);
    desk.ripen();
    farm(&desk);
    assert_eq!(desk.run("harvest").json()["harvested"], 3);
    restore(&desk);
    desk
}

/// The desk's only endpoint, or the first of two, with a lie about one method so many times.
fn lied_to(desk: &Desk, beside: bool, method: &str, lie: Rewrite, times: usize) -> Proxy {
    let proxy = Proxy::start(&desk.network.url()).unwrap();
    proxy.fault(Rule::new(Fault::Custom(lie)).on_method(method).times(times));
    let urls = [proxy.url(), desk.network.url()];
    desk.write_config(&urls[..=usize::from(beside)], SETTINGS);
    proxy
}

fn words(data: &Value) -> Vec<String> {
    let all = data["differences"].as_array().unwrap().iter();
    let mut words: Vec<String> = all
        .map(|one| format!("{} {} {}", one["block"], one["what"].as_str().unwrap(), one["taken_in"]))
        .collect();
    words.sort();
    words
}

/// What a run of the farm tells until nothing is due.
fn told(desk: &Desk) -> Vec<Value> {
    let ran = desk.run("farm run --once --json").exits(0);
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Compared again, there is nothing; and each farmer holds what the books say.
#[track_caller]
fn agrees(desk: &Desk) {
    let data = desk.run("farm reconcile").json();
    assert_eq!(data["differences"], json!([]), "{data}");
    desk.is_sound();
    for farmer in &desk.farmers {
        let of = |sql: &str| -> i128 {
            let sql = format!(
                "SELECT coalesce({sql}, 0) FROM harvests WHERE farmer_id = '{}' AND outcome LIKE 'harvested%'",
                farmer.id
            );
            desk.value::<i64>(&sql).into()
        };
        let rewards = of("sum(CAST(reward AS INTEGER))");
        let staked = desk.booked("farmer", &farmer.id, "staked");
        assert_eq!(desk.kale_of(farmer), i128::from(1_000 * KALE) + rewards - staked, "{}", farmer.address);
    }
}

#[test]
fn pails_that_a_restored_state_does_not_know_are_taken_in_and_harvested() {
    let desk = backed_up();
    farm(&desk);
    restore(&desk);
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM open_pails"), 0);
    let before = desk.value::<String>("SELECT value FROM meta WHERE key = 'data_version'");
    let envelope = desk.run("farm reconcile --dry-run").fails(5, "drift");
    assert_eq!(words(&envelope["data"]), ["0 unknown_pail true"; 3]);
    assert_eq!(desk.value::<String>("SELECT value FROM meta WHERE key = 'data_version'"), before);

    let envelope = desk.run("farm reconcile").fails(5, "drift");
    assert_eq!(words(&envelope["data"]), ["0 unknown_pail true"; 3]);
    for one in envelope["data"]["differences"].as_array().unwrap() {
        assert_eq!((&one["stake"], one["zeros"].as_u64() >= Some(1)), (&json!("250.0000000"), true), "{one}");
    }
    agrees(&desk);
    desk.ripen();
    desk.run("plant").exits(0);
    assert_eq!(desk.run("harvest").json()["harvested"], 3);
    agrees(&desk);
}

#[test]
fn harvests_that_a_restored_state_does_not_know_are_booked_once() {
    let desk = two_blocks_forgotten();
    let envelope = desk.run("farm reconcile").fails(5, "drift");
    let want = [["0 unknown_harvest true"; 3], ["1 unknown_pail true"; 3]].concat();
    assert_eq!(words(&envelope["data"]), want);
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM foreign_mints"), 3);
    agrees(&desk);
    desk.ripen();
    desk.run("plant").exits(0);
    assert_eq!(desk.run("harvest").json()["harvested"], 3);
    agrees(&desk);
    desk.run("state check --full").exits(0);
}

#[test]
fn a_pail_that_somebody_else_harvested_is_named_once() {
    let desk = backed_up();
    farm(&desk);
    desk.ripen();
    let stranger = desk.stranger();
    desk.plant(&stranger, 0);
    for farmer in &desk.farmers {
        desk.harvest(&stranger, farmer, 0);
    }
    let envelope = desk.run("farm reconcile").fails(5, "drift");
    assert_eq!(words(&envelope["data"]), ["0 unknown_harvest true"; 3]);
    agrees(&desk);
}

#[test]
fn a_harvest_compares_where_that_is_due_and_fetches_what_it_finds() {
    let desk = two_blocks_forgotten();
    desk.ripen();
    desk.plant(&desk.stranger(), 0);
    let envelope = desk.run("harvest --dry-run --json").exits(0).last();
    assert_eq!(envelope["data"]["pails"], json!([]), "{envelope}");
    // No endpoint: nothing to harvest is no failure, and what could not be compared is said.
    let dead = Proxy::start(&desk.network.url()).unwrap();
    dead.fault(Rule::new(Fault::Status(503, None)));
    desk.write_config(&[dead.url()], SETTINGS);
    let envelope = desk.run("harvest --json").exits(0).last();
    assert!(envelope["warnings"].to_string().contains("cannot compare the farm"), "{envelope}");
    desk.configure(SETTINGS);
    let envelope = desk.run("harvest --json").exits(0).last();
    assert_eq!(envelope["data"]["harvested"], 3, "{envelope}");
    assert!(envelope["warnings"].to_string().contains("restored from a backup"), "{envelope}");
    agrees(&desk);
    // Once, until a day has passed.
    let before = desk.network.requests();
    assert_eq!(desk.run("harvest").json()["pails"], json!([]));
    assert_eq!(desk.network.requests(), before);
    desk.sqlite().execute("UPDATE farm_baselines SET at = at - 90000", []).unwrap();
    desk.run("harvest").json();
    assert!(desk.network.requests() > before);
}

#[test]
fn a_run_of_the_farm_compares_after_a_restore_and_after_an_import() {
    let mut desk = two_blocks_forgotten();
    let lines = told(&desk);
    let compared =
        lines.iter().find(|line| line["type"] == "reconciled").unwrap_or_else(|| panic!("{lines:?}"));
    assert_eq!(compared["why"], "the state was restored from a backup");
    // The pails of the current block were found by the plant.
    assert_eq!(words(compared), ["0 unknown_harvest true"; 3]);
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM open_pails"), 3);
    agrees(&desk);

    // Somebody who farmed on their own comes with a worked pail.
    let pair = Keypair::derive("poolctl farm test: newcomer");
    let newcomer = Farmer::of_pair("newcomer", &pair);
    desk.network.fund(&newcomer.address, 100 * XLM).unwrap();
    desk.trust(std::slice::from_ref(&newcomer));
    desk.network.fund_kale(&newcomer.address, 1_000 * KALE).unwrap();
    desk.ripen();
    desk.plant(&newcomer, i128::from(250 * KALE));
    desk.network.advance(1).unwrap();
    desk.work(&newcomer, 1);
    desk.register("newcomer", "0.25");
    let lines = told(&desk);
    let compared = lines.iter().find(|line| line["type"] == "reconciled");
    // Whoever plants for it first finds the pail too.
    assert!(
        compared.is_none_or(|line| line["why"] == "a farmer was never compared with the chain"),
        "{lines:?}"
    );
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM open_pails"), 4);
    desk.ripen();
    desk.run("plant").exits(0);
    assert_eq!(desk.run("harvest").json()["harvested"], 4);
    agrees(&desk);
}

#[test]
fn what_another_machine_planted_and_what_an_owner_moves_are_told_apart() {
    let desk = backed_up();
    // The owner's own business.
    let ada = &desk.farmers[0];
    desk.network.fund_kale(&ada.address, 5 * KALE).unwrap();
    desk.network.advance(1).unwrap();
    for _ in 0..3 {
        let envelope = desk.run("farm reconcile").fails(5, "drift");
        assert_eq!(words(&envelope["data"]), ["null balance false"]);
        assert_eq!(envelope["data"]["differences"][0]["unexplained"], "5.0000000", "{envelope}");
    }
    assert_eq!(desk.run("farm reconcile").json()["differences"], json!([]));
    // The same keys elsewhere: another home on the same network.
    let state = desk.state();
    let aside = desk.path("aside.sqlite");
    std::fs::copy(&state, &aside).unwrap();
    desk.run("plant").exits(0);
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", state.display()));
    }
    std::fs::copy(&aside, &state).unwrap();
    let envelope = desk.run("farm reconcile").fails(5, "drift");
    assert_eq!(words(&envelope["data"]), ["0 unknown_pail true"; 3]);
    assert_eq!(desk.run("farm reconcile").json()["differences"], json!([]));
    desk.is_sound();
}

#[test]
fn bad_input_is_refused() {
    let desk = Desk::empty();
    for line in ["farm reconcile --blocks 0", "farm reconcile --blocks x", "farm reconcile --blocks 2017"] {
        desk.run(line).fails(2, "usage");
    }
    assert_eq!(desk.run("farm reconcile").json()["farmers"], 0);
}

#[test]
fn a_hundred_farmers_and_a_day_of_blocks_take_no_more_than_150_requests() {
    let desk = Desk::with_farmers(1, 1_000 * KALE);
    let stranger = desk.stranger();
    // A day: somebody plants in every block.
    for _ in 0..288 {
        desk.ripen();
        desk.plant(&stranger, 0);
    }
    let mut conn = desk.sqlite();
    let tx = conn.transaction().unwrap();
    for n in 0..99 {
        let address = Keypair::derive(&format!("poolctl farm test: one of many {n}")).address;
        tx.execute(
            "INSERT INTO farmers (id, address, pooler_id, status, stake_percentage_ppm, added_at, status_at)
             SELECT ?1, ?2, pooler_id, 'active', 250000, 1, 1 FROM farmers LIMIT 1",
            [format!("many-{n}"), address],
        )
        .unwrap();
    }
    tx.commit().unwrap();
    for _ in 0..2 {
        let before = desk.network.requests();
        let data = desk.run("farm reconcile").json();
        assert_eq!((&data["farmers"], &data["pails"]), (&json!(100), &json!(28_800)));
        let requests = desk.network.requests() - before;
        assert!(requests <= 150, "{requests}");
    }
}

#[test]
fn what_one_answer_leaves_out_is_asked_for_again() {
    for (lie, method) in [(hide_events as Rewrite, "getEvents"), (forget, "getTransaction")] {
        for beside in [false, true] {
            let desk = two_blocks_forgotten();
            // The only endpoint once, the first of two always.
            let times = if beside { usize::MAX } else { 1 };
            let _liar = lied_to(&desk, beside, method, lie, times);
            let envelope = desk.run("farm reconcile").fails(5, "drift");
            let want = [["0 unknown_harvest true"; 3], ["1 unknown_pail true"; 3]].concat();
            assert_eq!(words(&envelope["data"]), want, "{method}, {beside}");
            desk.configure(SETTINGS);
            agrees(&desk);
        }
    }
}

#[test]
fn what_was_staked_elsewhere_and_expired_is_not_passed_over_in_silence() {
    let desk = backed_up();
    desk.run("plant").exits(0);
    restore(&desk);
    // Longer than the pails live.
    desk.network.advance_over(17_400, 90_000).unwrap();
    let envelope = desk.run("farm reconcile").fails(5, "drift");
    assert_eq!(words(&envelope["data"]), ["null balance false"; 3]);
    assert_eq!(envelope["data"]["differences"][0]["unexplained"], "-250.0000000", "{envelope}");
    desk.is_sound();
}

/// A cursor that goes on and never arrives.
fn creeping(_: &Value, mut answer: Value) -> Value {
    static PAGES: AtomicU64 = AtomicU64::new(0);
    let page = PAGES.fetch_add(1, Ordering::Relaxed);
    answer["result"]["events"] = json!([]);
    answer["result"]["cursor"] = json!(format!("{}-0", (1_000_u64 << 32) + page));
    answer
}

#[test]
fn a_history_without_end_is_a_bad_reply() {
    let desk = two_blocks_forgotten();
    let proxy = lied_to(&desk, false, "getEvents", creeping, usize::MAX);
    let before = desk.value::<String>("SELECT value FROM meta WHERE key = 'data_version'");
    let envelope = desk.run("farm reconcile").fails(75, "bad_reply");
    assert!(envelope["error"]["message"].to_string().contains("without an event"), "{envelope}");
    assert_eq!(desk.value::<String>("SELECT value FROM meta WHERE key = 'data_version'"), before);
    proxy.heal();
    desk.run("farm reconcile").fails(5, "drift");
    agrees(&desk);
}

#[test]
fn a_mint_whose_transaction_is_not_shown_is_asked_for_until_it_is() {
    let desk = two_blocks_forgotten();
    let proxy = lied_to(&desk, false, "getTransaction", forget, usize::MAX);
    for pails in [3, 0] {
        let envelope = desk.run("farm reconcile").fails(5, "drift");
        let mut want = vec!["1 unknown_pail true"; pails];
        want.extend(["null unknown_mint false"; 3]);
        assert_eq!(words(&envelope["data"]), want);
    }
    proxy.heal();
    let envelope = desk.run("farm reconcile").fails(5, "drift");
    assert_eq!(words(&envelope["data"]), ["0 unknown_harvest true"; 3]);
    agrees(&desk);
}
