//! `work`: policies, resuming, strangers, roll-overs, and what is recorded of them.

use crate::desk::{Desk, Farmer, KALE, Ledgers, XLM, ended, until};
use crate::same;
use ed25519_dalek::SigningKey;
use poolctl_sandbox::fault::Fault as Wrong;
use poolctl_testkit::Proxy;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::process::Child;

/// Farmers that are planted in a fresh block whose range of zeros is not set; `strategy.target_zeros` is what counts then.
fn planted(count: usize, zeros: u32) -> Desk {
    let desk = Desk::with_farmers(count, 100 * KALE);
    desk.configure(&format!("kale.cap_stake = false\nstrategy.target_zeros = {zeros}"));
    desk.ripen();
    desk.run("plant").exits(0);
    desk
}

/// A run of `work` under way, with ledgers that close for it.
fn working(desk: &Desk, line: &str) -> (Child, Ledgers) {
    let ledgers = desk.ledgers();
    (desk.run(line).arg("--json").spawn(), ledgers)
}

#[track_caller]
fn done(child: Child, code: i32) -> Value {
    let ran = ended(child);
    assert_eq!(ran.code, Some(code), "{}\n{}", ran.stdout, ran.stderr);
    ran.last()
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// An account that is none of ours.
fn stranger(desk: &Desk) -> Farmer {
    let pair = desk.network.account("stranger", 100 * XLM).unwrap();
    let seed: stellar_strkey::ed25519::PrivateKey = pair.secret.parse().unwrap();
    Farmer { id: String::new(), address: pair.address, key: SigningKey::from_bytes(&seed.0) }
}

/// Every farmer has a nonce saved with so many zeros.
fn has_ground(desk: &Desk, count: usize, zeros: u32) -> bool {
    desk.value::<i64>(&format!("SELECT count(*) FROM nonces WHERE best_zeros >= {zeros}"))
        == i64::try_from(count).unwrap()
}

#[test]
fn late_work_is_submitted_at_the_deadline_with_the_best_of_each() {
    let desk = planted(3, 4);
    let index = desk.farm().index;
    let (child, _ledgers) = working(&desk, "work");
    until("everybody has enough", || has_ground(&desk, 3, 4));
    assert!(desk.farmers.iter().all(|farmer| !desk.pail(farmer, index).unwrap().worked()));
    desk.age(280);
    let data = done(child, 0)["data"].clone();
    assert_eq!((data["worked"].as_u64(), data["policy"].as_str()), (Some(3), Some("late")));
    for line in data["farmers"].as_array().unwrap() {
        assert_eq!(line["status"], "worked", "{line}");
        let farmer = desk.farmers.iter().find(|farmer| line["address"] == farmer.address).unwrap();
        let pail = desk.pail(farmer, index).unwrap();
        assert_eq!(Some(u64::from(pail.zeros.unwrap())), line["zeros"].as_u64());
        assert_eq!(Some(u64::from(pail.gap.unwrap())), line["gap"].as_u64());
        assert!(pail.zeros.unwrap() >= 4 && pail.gap.unwrap() >= 50, "{pail:?}");
    }
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM works WHERE outcome = 'worked'"), 3);
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM open_pails WHERE zeros >= 4 AND forecast > 0"), 3);
    // Again: nothing is to be done, nothing is sent.
    let data = desk.run("work").json();
    assert_eq!((data["worked"].as_u64(), &data["deadline"]), (Some(0), &Value::Null));
    desk.is_sound();
}

#[test]
fn early_work_goes_out_as_soon_as_a_farmer_has_what_counts() {
    let desk = planted(2, 4);
    desk.network.advance(1).unwrap();
    let data = desk.run("work --policy early").json();
    assert_eq!(data["worked"], 2);
    let (_, now) = desk.network.latest().unwrap();
    assert!(now < desk.farm().open.unwrap().timestamp + 100, "long before the deadline");
}

#[test]
fn insured_work_is_improved_at_the_deadline() {
    // More zeros than can be found: it grinds to the deadline.
    let desk = planted(1, 12);
    let index = desk.farm().index;
    let farmer = desk.farmers[0].clone();
    desk.network.advance(1).unwrap();
    let (child, _ledgers) = working(&desk, "work --policy insured");
    until("the first work is in", || desk.pail(&farmer, index).unwrap().worked());
    let first = desk.pail(&farmer, index).unwrap();
    until("a better nonce is found", || {
        desk.value::<Option<u32>>("SELECT max(best_zeros) FROM nonces") > first.zeros
    });
    desk.age(280);
    done(child, 0);
    let last = desk.pail(&farmer, index).unwrap();
    assert!(last.zeros > first.zeros && last.gap > first.gap, "{first:?} {last:?}");
    let outcomes = desk.column("SELECT outcome FROM works ORDER BY id");
    assert_eq!(outcomes, ["worked", "improved"]);
    assert_eq!(desk.value::<u32>("SELECT zeros FROM open_pails"), last.zeros.unwrap());
    desk.is_sound();
}

#[test]
fn a_killed_run_goes_on_where_it_was() {
    let desk = planted(2, 12);
    let column = "SELECT farmer_id || ' ' || best_zeros FROM nonces ORDER BY farmer_id";
    let next = |desk: &Desk| -> Vec<u64> {
        let texts = desk.column("SELECT next_nonce FROM nonces ORDER BY farmer_id");
        texts.iter().map(|text| text.parse().unwrap()).collect()
    };
    let (mut child, ledgers) = working(&desk, "work");
    // A later piece may be done before the first, from which the next nonce counts.
    until("something is saved", || has_ground(&desk, 2, 3) && next(&desk).iter().all(|next| *next > 0));
    child.kill().unwrap();
    child.wait().unwrap();
    drop(ledgers);
    let (before, from) = (desk.column(column), next(&desk));
    let (child, _ledgers) = working(&desk, "work");
    desk.age(280);
    let data = done(child, 0)["data"].clone();
    assert_eq!(data["worked"], 2);
    for (before, after) in before.iter().zip(desk.column(column)) {
        assert!(after >= *before, "what was found is not lost: {before} {after}");
    }
    assert!(from.iter().zip(next(&desk)).all(|(from, next)| next >= *from));
}

#[test]
fn a_terminated_run_that_is_to_abandon_saves_submits_nothing_and_can_go_on() {
    let desk = planted(1, 12);
    let index = desk.farm().index;
    let (child, ledgers) = working(&desk, "work --abandon");
    until("something is saved", || has_ground(&desk, 1, 2));
    signal(&child, Signal::TERM);
    let envelope = done(child, 75);
    assert_eq!(envelope["error"]["code"], "interrupted");
    assert_eq!(envelope["data"]["at_stake"]["farmers"], 1, "{envelope}");
    drop(ledgers);
    assert!(!desk.pail(&desk.farmers[0], index).unwrap().worked());
    desk.age(281);
    assert_eq!(desk.run("work").json()["worked"], 1, "the time to submit has come");
}

#[test]
fn a_terminated_run_says_what_is_at_stake_and_submits_what_it_has() {
    let desk = planted(2, 12);
    let index = desk.farm().index;
    let (child, _ledgers) = working(&desk, "work");
    until("something is saved", || has_ground(&desk, 2, 2));
    signal(&child, Signal::TERM);
    let ran = ended(child);
    assert_eq!(ran.code, Some(75), "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("stopping: ") && ran.stderr.contains("of 2 farmers"), "{}", ran.stderr);
    let envelope = ran.last();
    assert_eq!(envelope["error"]["code"], "interrupted");
    assert_eq!((&envelope["data"]["worked"], &envelope["data"]["at_stake"]), (&json!(2), &Value::Null));
    for farmer in &desk.farmers {
        let pail = desk.pail(farmer, index).unwrap();
        assert!(pail.zeros.unwrap() >= 2, "{pail:?}");
    }
    // What is found later is better.
    desk.age(281);
    desk.run("work").json();
    desk.is_sound();
}

#[test]
fn a_second_signal_stops_at_once() {
    let desk = planted(1, 12);
    let index = desk.farm().index;
    desk.network.advance(1).unwrap();
    // No ledger closes: what is sent is in none.
    let child = desk.run("work").arg("--json").spawn();
    until("something is saved", || has_ground(&desk, 1, 2));
    signal(&child, Signal::TERM);
    until("it is sent", || {
        desk.value::<i64>("SELECT count(*) FROM operations WHERE kind = 'work' AND state = 'sent'") == 1
    });
    signal(&child, Signal::TERM);
    assert_eq!(ended(child).code, Some(75));
    assert!(!desk.pail(&desk.farmers[0], index).unwrap().worked());
    // The next run settles it.
    desk.age(281);
    let (_, ran) = desk.run("work").ends();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(desk.pail(&desk.farmers[0], index).unwrap().worked());
}

/// A chain whose ledgers stand still: whoever waits for one gives up by this machine's clock, and asks more and more rarely.
#[test]
fn a_chain_that_stands_still_is_not_waited_for_without_end() {
    let still = |desk: Desk, line: &str, more: &str| {
        let proxy = Proxy::start(&desk.network.url()).unwrap();
        desk.write_config(&[proxy.url()], &format!("stellar.tx_valid_sec = 10\n{more}"));
        let child = desk.run(line).arg("--json").spawn();
        (child, proxy, desk)
    };
    // 11 seconds of the block are left, its work is due in one.
    let desk = planted(1, 12);
    desk.age(288);
    let ripe = planted(1, 12);
    ripe.ripen();
    let (target, late) = ("strategy.target_zeros = 12", "kale.work_margin_sec = 1");
    let runs = [
        (still(desk.fork(), "work --deadline 299s", target), 75),
        (
            still(
                desk,
                "farm run --once --deadline 299s",
                &format!("{target}\n{late}\nkale.plant_cutoff_sec = 1"),
            ),
            75,
        ),
        (still(ripe, "plant", ""), 76),
    ];
    for ((child, proxy, _desk), code) in runs {
        let ran = ended(child);
        assert_eq!(ran.code, Some(code), "{}\n{}", ran.stdout, ran.stderr);
        let asked = proxy.http_count();
        assert!(asked < 500, "{asked} requests");
    }
}

#[test]
fn past_the_deadline_any_nonce_is_better_than_none() {
    let desk = planted(2, 4);
    desk.age(285);
    assert_eq!(desk.run("work").json()["worked"], 2);
}

#[test]
fn what_failed_in_a_ledger_is_tried_again_in_the_next() {
    let desk = planted(2, 3);
    desk.age(200);
    let (before, _) = desk.network.latest().unwrap();
    // As often as is tried in one ledger, for each: nothing is sent in it, and it does not close for this run.
    desk.network.fault("simulateTransaction", Wrong::Http(502), 4);
    let (shown, ran) = desk.run("work --deadline 200s").ends();
    assert_eq!(ran.code, Some(0), "{shown}: {ran:?}");
    let index = desk.farm().index;
    assert!(desk.farmers.iter().all(|farmer| desk.pail(farmer, index).unwrap().worked()));
    assert!(desk.network.latest().unwrap().0 >= before + 2);
}

#[test]
fn too_late_nothing_is_sent() {
    let desk = planted(1, 4);
    desk.age(299);
    let data = desk.run("work").fails(5, "stake_lost")["data"].clone();
    assert_eq!((data["worked"].as_u64(), &data["deadline"]), (Some(0), &Value::Null));
    assert_eq!(data["will_be_lost"]["stakes"], 1, "{data}");
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM operations WHERE kind = 'work'"), 0);
    // Once said, it is known.
    let shown = desk.run("work").exits(0).stdout;
    assert!(shown.contains("too late for work") && shown.contains("1 stake ("), "{shown}");
}

#[test]
fn a_block_that_rolls_over_ends_the_work_and_nothing_is_submitted() {
    let desk = planted(2, 12);
    let index = desk.farm().index;
    let (child, _ledgers) = working(&desk, "work");
    until("something is found", || has_ground(&desk, 2, 2));
    // The machine sleeps through the end of the block, and a stranger rolls it over.
    signal(&child, Signal::STOP);
    desk.ripen();
    desk.plant(&stranger(&desk), 0);
    assert_eq!(desk.farm().index, index + 1);
    signal(&child, Signal::CONT);
    let envelope = done(child, 5);
    assert_eq!(envelope["error"]["code"], "stake_lost");
    assert_eq!(envelope["data"]["will_be_lost"]["stakes"], 2, "{envelope}");
    for line in envelope["data"]["farmers"].as_array().unwrap() {
        assert_eq!((line["status"].as_str(), line["reason"].as_str()), (Some("failed"), Some("rolled_over")));
    }
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM operations WHERE kind = 'work'"), 0);
    assert_eq!(desk.column("SELECT DISTINCT reason FROM works"), ["rolled_over"]);
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM events WHERE kind = 'work.missed'"), 2);
}

#[test]
fn a_strangers_work_is_left_where_it_is_as_good_and_outdone_where_it_is_not() {
    let desk = planted(2, 4);
    let index = desk.farm().index;
    let (good, poor) = (desk.farmers[0].clone(), desk.farmers[1].clone());
    desk.network.advance(1).unwrap();
    let (child, _ledgers) = working(&desk, "work");
    until("everybody has enough", || has_ground(&desk, 2, 4));
    let best: u32 = desk.value(&format!("SELECT best_zeros FROM nonces WHERE farmer_id = '{}'", good.id));
    let strong = desk.work(&good, best);
    let weak = desk.work(&poor, 0);
    assert!(weak < 4, "{weak}");
    desk.age(280);
    let data = done(child, 0)["data"].clone();
    let line = |id: &str| {
        let lines = data["farmers"].as_array().unwrap();
        lines.iter().rfind(|line| line["farmer"] == id).unwrap_or(&Value::Null).clone()
    };
    assert_eq!(line(&poor.id)["status"], "improved", "{data}");
    assert!(desk.pail(&poor, index).unwrap().zeros.unwrap() >= 4);
    assert_eq!(desk.pail(&good, index).unwrap().zeros, Some(strong));
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM works WHERE outcome = 'worked'"), 0);
    // The harvest of both goes on as if it were our own work.
    desk.ripen();
    desk.run("plant").exits(0);
    assert_eq!(desk.run("harvest").json()["harvested"], 2);
    desk.is_sound();
}

#[test]
fn a_dry_run_sends_and_writes_nothing() {
    let desk = planted(1, 12);
    desk.network.advance(1).unwrap();
    let before: String = desk.value("SELECT value FROM meta WHERE key = 'data_version'");
    let data = desk.run("work --dry-run").json();
    assert_eq!(data["farmers"][0]["status"], "would_grind");
    let (mut child, ledgers) = working(&desk, "work");
    until("something is saved", || has_ground(&desk, 1, 1));
    child.kill().unwrap();
    child.wait().unwrap();
    drop(ledgers);
    assert_ne!(desk.value::<String>("SELECT value FROM meta WHERE key = 'data_version'"), before);
    let before: String = desk.value("SELECT value FROM meta WHERE key = 'data_version'");
    let data = desk.run("work --dry-run").json();
    assert_eq!(data["farmers"][0]["status"], "would_submit", "{data}");
    assert!(data["farmers"][0]["fee"].is_string(), "{data}");
    assert_eq!(desk.value::<String>("SELECT value FROM meta WHERE key = 'data_version'"), before);
}

#[test]
fn bad_flags_are_refused_before_anything_is_asked() {
    let desk = Desk::empty();
    let before = desk.client.requests();
    for (flags, code) in [
        ("--policy soon", "invalid_value"),
        ("--deadline 300s", "invalid_value"),
        ("--deadline noon", "invalid_value"),
        ("--parallel 0", "invalid_value"),
        ("GNOBODY", "unknown_farmer"),
    ] {
        desk.run(&format!("work {flags}")).fails(2, code);
    }
    assert_eq!(desk.client.requests(), before);
    let data = desk.run("work").json();
    assert_eq!(data["view"], Value::Null, "nobody to work for");
}

#[test]
fn a_strangers_work_below_our_target_is_improved_on() {
    let desk = same::planted();
    let [ada, bob] = &desk.farmers[..] else { panic!() };
    let stranger = desk.stranger();
    // Right after the plant, with the least that is work; noted by a run that was killed since.
    let (nonce, hash, zeros) = desk.grind(ada, 0);
    desk.act(vec![(&stranger, desk.work_call(ada, nonce, hash))]);
    assert!(zeros < 4);
    desk.run("harvest").exits(0);
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM open_pails WHERE zeros IS NOT NULL"), 1);
    desk.network.advance(1).unwrap();
    let plan = desk.run("farm plan").json();
    let work = plan["actions"].as_array().unwrap().iter().find(|action| action["step"] == "work");
    assert_eq!(work.map(|work| work["count"].clone()), Some(2.into()), "{plan}");
    desk.age(281);
    assert_eq!(desk.run("work").json()["worked"], 2);
    let index = desk.farm().index;
    for farmer in [ada, bob] {
        assert!(desk.pail(farmer, index).unwrap().zeros >= Some(4), "at our target, whoever was first");
    }
    desk.is_sound();
}
