//! `kale.submitter`: one account sends work and harvests for many farmers, and their own accounts what it cannot.

use crate::desk::{Desk, Farmer, KALE, Ledgers, XLM, ended, until};
use crate::funding::{line, pair, sponsor, wallet};
use crate::round::{minted, sum};
use crate::run::Clock;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use stellar::Action;

const SETTINGS: &str = "strategy.target_zeros = 1\nkale.cap_stake = false\nkale.harvest_delay_sec = 0";

/// The address of the n-th submitter.
fn address(n: usize) -> String {
    pair(&format!("submitter {n}")).address
}

/// The setting that names so many submitters.
fn named(count: usize) -> String {
    let names: Vec<String> = (0..count).map(|n| format!("\"{}\"", address(n))).collect();
    format!("kale.submitter = [{}]", names.join(", "))
}

/// The same desk with so many submitters of 100 XLM.
pub fn with(desk: Desk, settings: &str, count: usize) -> Desk {
    for n in 0..count {
        let pair = pair(&format!("submitter {n}"));
        desk.run("farmer import --submitter").input(&pair.secret).exits(0);
        desk.network.fund(&pair.address, 100 * XLM).unwrap();
    }
    desk.configure(&format!("{settings}\n{}", named(count)));
    desk
}

/// So many farmers with pails in a fresh block.
fn planted(count: usize, submitters: usize) -> Desk {
    let desk = with(Desk::with_farmers(count, 100 * KALE), SETTINGS, submitters);
    desk.ripen();
    desk.run("plant").exits(0);
    desk
}

/// Leaves the farmers nothing above their reserve.
fn strip(desk: &Desk) {
    let to = desk.network.root().address.parse().unwrap();
    let asset = stellar::asset("asset", "native").unwrap();
    let pay = |farmer: &Farmer| {
        let held = wallet(desk, &farmer.address).unwrap();
        Action::Pay {
            to: stellar::xdr::AccountId::clone(&to),
            asset: asset.clone(),
            amount: held.lumens - held.reserve - 100,
        }
    };
    let all: Vec<Action> = desk.farmers.iter().map(pay).collect();
    desk.act(desk.farmers.iter().zip(all).collect());
    assert!(desk.farmers.iter().all(|farmer| spare(desk, farmer) == 0));
}

fn spare(desk: &Desk, farmer: &Farmer) -> i64 {
    let held = desk.wallet(farmer);
    held.lumens - held.reserve
}

/// Grinds and works from now to the block's end, as soon as everybody has a nonce; the clock begins to run at this age.
fn work(desk: &Desk, age: u64) -> Value {
    let _ledgers = desk.ledgers();
    let child = desk.run("work").arg("--json").spawn();
    let count = i64::try_from(desk.farmers.len()).unwrap();
    until("all have a nonce", || {
        desk.value::<i64>("SELECT count(*) FROM nonces WHERE best_zeros >= 1") == count
    });
    desk.age(age);
    let ran = ended(child);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    ran.last()
}

/// How many lines of this list were sent by a submitter, and how many by the farmers themselves.
fn senders(lines: &Value, status: &str) -> (usize, usize) {
    let done: Vec<&Value> =
        lines.as_array().unwrap().iter().filter(|line| line["status"] == status).collect();
    let theirs = done.iter().filter(|line| !line["sent_by"].is_null()).count();
    (theirs, done.len() - theirs)
}

/// What is booked is what the chain minted.
fn adds_up(desk: &Desk) {
    for farmer in &desk.farmers {
        let of = |column: &str| {
            let rows = format!("FROM harvests WHERE farmer_id = '{}' AND outcome = 'harvested'", farmer.id);
            sum(&desk.column(&format!("SELECT {column} {rows}")))
        };
        assert_eq!(of("stake") + of("reward"), minted(desk, farmer), "{}", farmer.address);
    }
    let rewards = sum(&desk.column("SELECT reward FROM harvests WHERE outcome = 'harvested'"));
    assert!(rewards > 0);
    assert_eq!(desk.booked("chain", "sandbox", "mint"), -rewards);
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM open_pails"), 0);
    desk.is_sound();
}

#[test]
fn one_submitter_works_and_harvests_for_farmers_without_lumens() {
    let desk = planted(12, 1);
    strip(&desk);
    let before = desk.farmers.iter().map(|farmer| desk.wallet(farmer).sequence).collect::<Vec<_>>();
    let envelope = work(&desk, 200);
    assert_eq!(envelope["data"]["worked"], 12, "{envelope}");
    assert_eq!(envelope["warnings"], json!([]), "{envelope}");
    assert_eq!(senders(&envelope["data"]["farmers"], "worked"), (12, 0), "{envelope}");
    assert_eq!(envelope["data"]["farmers"][0]["sent_by"], address(0));
    // One a ledger at most, and not many ledgers are left out.
    let ledgers = desk.value::<i64>("SELECT count(DISTINCT ledger) FROM works WHERE outcome = 'worked'");
    let span = desk.value::<i64>("SELECT max(ledger) - min(ledger) + 1 FROM works WHERE outcome = 'worked'");
    println!("12 works in {span} ledgers");
    assert_eq!(ledgers, 12);
    assert!(span <= 24, "{span}");

    desk.ripen();
    desk.plant(&desk.stranger(), 0);
    let data = desk.run("harvest").json();
    assert_eq!(data["harvested"], 12, "{data}");
    assert_eq!(senders(&data["pails"], "harvested"), (12, 0), "{data}");
    let after = desk.farmers.iter().map(|farmer| desk.wallet(farmer).sequence).collect::<Vec<_>>();
    assert_eq!(before, after, "they have sent nothing");
    assert!(desk.farmers.iter().all(|farmer| spare(&desk, farmer) == 0), "and paid nothing");
    let told = desk.column("SELECT DISTINCT payload ->> 'sent_by' FROM events WHERE kind IN ('work.worked', 'harvest.harvested') AND payload ->> 'sent_by' IS NOT NULL");
    assert_eq!(told, [address(0)]);
    adds_up(&desk);

    // Nobody can plant without lumens of its own, and that is what is said, not what the submitter pays.
    let envelope = desk.run("farmer check-funding").fails(5, "check_failed");
    assert_eq!(envelope["data"]["farmers"][0]["lacks"][0]["reason"], "too_few_lumens", "{envelope}");
    assert_eq!(envelope["data"]["submitters"][0]["ready"], true, "{envelope}");
    desk.network.fund(&desk.farmers[0].address, XLM / 2).unwrap();
    let envelope = desk.run("farmer check-funding").fails(5, "check_failed");
    assert_eq!(line(&envelope["data"], &desk.farmers[0])["fees_by"], "submitters", "{envelope}");
    assert_eq!(line(&envelope["data"], &desk.farmers[1])["fees_by"], Value::Null, "{envelope}");
}

#[test]
fn what_would_not_get_out_in_time_is_sent_by_the_farmers_themselves() {
    let desk = planted(6, 1);
    let mut child = desk.run("work").spawn();
    until("all have a nonce", || desk.value::<i64>("SELECT count(*) FROM nonces WHERE best_zeros >= 1") == 6);
    child.kill().unwrap();
    child.wait().unwrap();
    // Three ledgers are left.
    desk.age(282);
    // The first closes with all that goes out at once: four of the farmers' own, and the submitter's first.
    let (network, mut at_once) = (Arc::clone(&desk.network), 5);
    let ledgers = Ledgers::each(Duration::from_millis(5), move || {
        if network.waiting() >= at_once {
            network.advance(1).unwrap();
            at_once = 1;
        }
    });
    let ran = ended(desk.run("work --json").spawn());
    drop(ledgers);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    let envelope = ran.last();
    assert_eq!(envelope["data"]["worked"], 6, "{envelope}");
    assert_eq!(senders(&envelope["data"]["farmers"], "worked"), (2, 4), "{envelope}");
    assert!(envelope["warnings"].to_string().contains("own accounts"), "{envelope}");
    desk.ripen();
    desk.plant(&desk.stranger(), 0);
    // Harvests wait for their turn.
    let data = desk.run("harvest").json();
    assert_eq!(senders(&data["pails"], "harvested"), (6, 0), "{data}");
    adds_up(&desk);
}

#[test]
fn two_submitters_share_and_the_sponsor_pays() {
    let desk = planted(6, 2);
    let payer = sponsor(&desk, 100 * XLM);
    let balance = |n| wallet(&desk, &address(n)).unwrap().lumens;
    let before = [balance(0), balance(1)];
    let envelope = work(&desk, 240);
    assert_eq!(senders(&envelope["data"]["farmers"], "worked"), (6, 0), "{envelope}");
    let each = desk.column(
        "SELECT count(*) || '' FROM events WHERE kind = 'work.worked' GROUP BY payload ->> 'sent_by' ORDER BY 1",
    );
    assert_eq!(each, ["3", "3"]);
    assert_eq!(before, [balance(0), balance(1)], "the sponsor pays");
    assert!(wallet(&desk, &payer).unwrap().lumens < 100 * XLM);
    desk.is_sound();
}

#[test]
fn a_submitter_that_cannot_be_one_is_left_out_and_the_farm_goes_on() {
    let desk = Desk::with_farmers(2, 100 * KALE);
    let unknown = address(7);
    let farmer = desk.farmers[0].address.clone();
    let mut worked = 0;
    for (name, exit, code, hint) in
        [(&unknown, 12, "no_key", "--submitter"), (&farmer, 2, "conflict", "account of its own")]
    {
        desk.configure(&format!("{SETTINGS}\nkale.work_policy = \"early\"\nkale.submitter = \"{name}\""));
        desk.ripen();
        for (line, done) in [("plant", "planted"), ("work", "worked")] {
            let envelope = desk.run(line).fails(exit, code);
            let said = envelope["error"].to_string();
            assert!(said.contains(name.as_str()) && said.contains(hint), "{envelope}");
            assert_eq!(envelope["data"][done], 2, "{envelope}");
            assert!(envelope["warnings"].to_string().contains("left out"), "{envelope}");
            desk.network.advance(1).unwrap();
        }
        worked += 2;
        assert_eq!(desk.value::<i64>("SELECT count(*) FROM works WHERE outcome = 'worked'"), worked);
    }
    let secret = pair("submitter 8").secret;
    for bad in ["G", "", "GBQHTQ7NTSKHVTSVM6EHUO3TU4P4BK2TAAII25V2TT2Q6OWXUJWEKALF", &secret] {
        desk.configure(&format!("{SETTINGS}\nkale.submitter = \"{bad}\""));
        let envelope = desk.run("plant").fails(2, "invalid_value");
        assert!(envelope["error"].to_string().contains("kale.submitter"), "{envelope}");
        assert!(!envelope.to_string().contains(&secret), "{envelope}");
        let check = desk.run("config check --json").ends().1;
        assert!(!check.stdout.contains(&secret) && !check.stderr.contains(&secret), "{}", check.stdout);
    }
    // A farmer's key is not stored as a submitter's.
    desk.configure(SETTINGS);
    let secret = pair("farmer 0").secret;
    desk.run("farmer import --submitter").input(&secret).fails(2, "conflict");
    desk.is_sound();
}

#[test]
fn who_serves_the_farm_cannot_be_registered_as_a_farmer() {
    let desk = with(Desk::with_farmers(1, 0), SETTINGS, 1);
    let payer = sponsor(&desk, 10 * XLM);
    let register = "farmer register --pooler north --stake-percentage 0.1";
    for address in [address(0), payer] {
        for dry in ["", " --dry-run"] {
            desk.run(&format!("{register} --address {address}{dry}")).fails(2, "conflict");
        }
    }
    let import = desk.run("farmer import --pooler north --stake-percentage 0.1");
    import.input(&pair("submitter 0").secret).fails(2, "conflict");
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM farmers"), 1);
    // Not in the settings yet: nobody is told to register it, and it is not taken for a farmer's.
    desk.configure(SETTINGS);
    let envelope = desk.run(&format!("{register} --json")).exits(0).last();
    assert!(!envelope.to_string().contains(&address(0)), "{envelope}");
    desk.is_sound();
}

#[test]
fn with_a_low_sponsor_and_a_submitter_without_lumens_farmers_send_and_pay_themselves() {
    let desk = Desk::with_farmers(3, 100 * KALE);
    desk.run("farmer import --submitter").input(&pair("submitter 0").secret).exits(0);
    desk.network.fund(&address(0), XLM).unwrap();
    desk.configure(&format!("{SETTINGS}\n{}", named(1)));
    let payer = sponsor(&desk, XLM + 50_000);
    desk.ripen();
    assert_eq!(desk.run("plant --json").exits(0).last()["data"]["planted"], 3);
    desk.network.advance(1).unwrap();
    let envelope = work(&desk, 200);
    assert_eq!(envelope["data"]["worked"], 3, "{envelope}");
    assert_eq!(senders(&envelope["data"]["farmers"], "worked"), (0, 3), "{envelope}");
    desk.ripen();
    desk.plant(&desk.stranger(), 0);
    let envelope = desk.run("harvest --json").exits(0).last();
    assert_eq!(senders(&envelope["data"]["pails"], "harvested"), (0, 3), "{envelope}");
    assert_eq!(wallet(&desk, &payer).unwrap().lumens, XLM + 50_000, "it has paid for nothing");
    adds_up(&desk);
}

#[test]
fn a_submitter_without_lumens_is_named_and_who_has_some_sends_itself() {
    let desk = Desk::with_farmers(2, 100 * KALE);
    let secret = pair("submitter 0").secret;
    desk.run("farmer import --submitter").input(&secret).exits(0);
    desk.configure(&format!("{SETTINGS}\n{}", named(1)));
    let envelope = desk.run("farmer check-funding").fails(5, "check_failed");
    let said = envelope["error"].to_string();
    assert!(said.contains(&address(0)) && said.contains("send at least"), "{envelope}");
    assert_eq!(envelope["data"]["farmers"][0]["fees_by"], "itself");
    let plan = desk.run("farm plan --json").exits(0).last();
    assert_eq!(plan["data"]["submitters"][0]["ready"], false, "{plan}");
    assert!(desk.run("doctor --json").ends().1.stdout.contains(&address(0)));
    desk.ripen();
    let envelope = desk.run("plant --json").exits(0).last();
    assert!(envelope["warnings"].to_string().contains(&address(0)), "{envelope}");
    desk.network.advance(1).unwrap();
    let envelope = work(&desk, 280);
    assert_eq!(senders(&envelope["data"]["farmers"], "worked"), (0, 2), "{envelope}");
    assert!(envelope["warnings"].to_string().contains("submitter_low"), "{envelope}");

    // Where nobody can pay, nothing is staked.
    strip(&desk);
    desk.ripen();
    for farmer in &desk.farmers {
        desk.network.fund(&farmer.address, XLM / 2).unwrap();
    }
    let before = desk.value::<i64>("SELECT count(*) FROM operations");
    let envelope = desk.run("plant").fails(4, "not_ready");
    assert!(envelope["error"].to_string().contains(&address(0)), "{envelope}");
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM operations"), before);
    desk.network.fund(&address(0), 10 * XLM).unwrap();
    assert_eq!(desk.run("plant").json()["planted"], 2);
    desk.is_sound();
}

#[test]
fn farm_run_goes_round_with_a_submitter() {
    let settings = "strategy.target_zeros = 1\nkale.work_margin_sec = 60";
    let desk = with(Desk::with_farmers(3, 100 * KALE), settings, 1);
    let clock = Clock::start(&desk, 100);
    let child = desk.run("farm run --json").spawn();
    let count = |sql: &str| desk.value::<i64>(&format!("SELECT count(*) FROM {sql}"));
    until("two blocks are harvested", || count("harvests WHERE outcome = 'harvested'") >= 6);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let ran = ended(child);
    drop(clock);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(count("harvests WHERE outcome = 'lost'"), 0);
    assert_eq!(count("plantings WHERE outcome = 'failed'"), 0);
    let sent = format!("events WHERE kind = 'work.worked' AND payload ->> 'sent_by' = '{}'", address(0));
    assert!(count(&sent) >= 3, "{}", count(&sent));
    desk.is_sound();
}
