//! A loss is the last thing to believe: what one endpoint says once, or always, books nothing that is not so; what was
//! booked and is seen again comes back.

use crate::desk::{Desk, Farmer, KALE, ended, until};
use crate::run::Clock;
use poolctl_testkit::{Fault, Matcher, Proxy, Rule};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use stellar::xdr::{LedgerEntryData, Limits, ReadXdr, ScVal, WriteXdr};

/// Two farmers with worked pails in block 0, which is over; `seen`: the state knows of the work.
fn worked(seen: bool) -> Desk {
    let desk = Desk::with_farmers(2, 1_000 * KALE);
    desk.configure("kale.cap_stake = false");
    desk.run("plant").json();
    desk.network.advance(3).unwrap();
    for farmer in &desk.farmers {
        desk.work(farmer, 1);
        desk.network.advance(1).unwrap();
    }
    if seen {
        desk.run("harvest").json();
    }
    desk.ripen();
    desk.run("plant").json();
    if !seen {
        // The plant has looked at what the block before comes to.
        desk.sqlite().execute("UPDATE open_pails SET gap = NULL, zeros = NULL", []).unwrap();
    }
    desk
}

/// The desk's only endpoint from now on, or the first of two.
fn liar(desk: &Desk, beside: bool) -> Proxy {
    let proxy = Proxy::start(&desk.network.url()).unwrap();
    let urls = [proxy.url(), desk.network.url()];
    desk.write_config(&urls[..=usize::from(beside)], "kale.cap_stake = false");
    proxy
}

/// Whether an entry of an answer is a pail.
fn is_pail(entry: &Value) -> bool {
    LedgerEntryData::from_xdr_base64(entry["xdr"].as_str().unwrap(), Limits::none()).is_ok_and(|data| {
        match data {
            LedgerEntryData::ContractData(data) => match data.key {
                ScVal::Vec(Some(key)) => {
                    matches!(key.first(), Some(ScVal::Symbol(name)) if name.as_slice() == b"Pail")
                }
                _ => false,
            },
            _ => false,
        }
    })
}

/// No pail is shown.
pub fn hide_pails(_: &Value, mut answer: Value) -> Value {
    if let Some(entries) = answer["result"]["entries"].as_array_mut() {
        entries.retain(|entry| !is_pail(entry));
    }
    answer
}

fn pails_hidden() -> Rule {
    Rule::new(Fault::Custom(hide_pails)).on_method("getLedgerEntries")
}

/// Every pail is shown without work.
pub fn unwork_pails(_: &Value, mut answer: Value) -> Value {
    let entries = answer["result"]["entries"].as_array_mut().into_iter().flatten();
    for entry in entries.filter(|entry| is_pail(entry)) {
        let text = entry["xdr"].as_str().unwrap();
        let mut data = LedgerEntryData::from_xdr_base64(text, Limits::none()).unwrap();
        let LedgerEntryData::ContractData(pail) = &mut data else { panic!("{entry}") };
        let ScVal::Map(Some(map)) = &mut pail.val else { panic!("{entry}") };
        let mut fields = map.0.to_vec();
        for field in &mut fields {
            if matches!(&field.key, ScVal::Symbol(name) if matches!(name.as_slice(), b"gap" | b"zeros")) {
                field.val = ScVal::Void;
            }
        }
        map.0 = fields.try_into().unwrap();
        entry["xdr"] = json!(data.to_xdr_base64(Limits::none()).unwrap());
    }
    answer
}

fn pails_unworked() -> Rule {
    Rule::new(Fault::Custom(unwork_pails)).on_method("getLedgerEntries")
}

/// Nothing ever happened.
pub fn hide_events(_: &Value, mut answer: Value) -> Value {
    answer["result"]["events"] = json!([]);
    answer
}

fn no_events() -> Rule {
    Rule::new(Fault::Custom(hide_events)).on_method("getEvents")
}

/// No transaction is ever found.
pub fn forget(_: &Value, mut answer: Value) -> Value {
    if let Some(result) = answer["result"].as_object_mut() {
        result.retain(|name, _| name.contains("edger"));
        result.remove("ledger");
        result.insert("status".to_owned(), json!("NOT_FOUND"));
    }
    answer
}

fn not_found() -> Rule {
    Rule::new(Fault::Custom(forget)).on_method("getTransaction")
}

fn open_alerts(desk: &Desk) -> Vec<String> {
    desk.column("SELECT DISTINCT kind FROM farm_alerts WHERE closed_at IS NULL ORDER BY kind")
}

fn outcomes(desk: &Desk, block: u32) -> Vec<String> {
    desk.column(&format!(
        "SELECT outcome FROM harvests WHERE outcome <> 'failed' AND block_index = {block} ORDER BY farmer_id"
    ))
}

/// Nothing was lost, nothing is owed, and what was minted is what was credited.
#[track_caller]
fn whole(desk: &Desk) {
    assert_eq!(desk.booked("chain", "sandbox", "lost"), 0);
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM pooler_compensations"), 0);
    for Farmer { id, .. } in &desk.farmers {
        let open: i64 = desk.value(&format!(
            "SELECT coalesce(sum(CAST(stake AS INTEGER)), 0) FROM open_pails WHERE farmer_id = '{id}'"
        ));
        assert_eq!(desk.booked("farmer", id, "staked"), i128::from(open));
    }
    let credited: i64 = desk.value(
        "SELECT sum(CAST(stake AS INTEGER) + CAST(reward AS INTEGER)) FROM harvests WHERE outcome LIKE 'harvested%'",
    );
    let held: i128 = desk.farmers.iter().map(|farmer| desk.kale_of(farmer)).sum();
    let planted: i64 =
        desk.value("SELECT sum(CAST(stake AS INTEGER)) FROM plantings WHERE outcome = 'planted'");
    assert_eq!(held, i128::from(2_000 * KALE) + i128::from(credited) - i128::from(planted));
    desk.is_sound();
}

#[test]
fn a_lie_about_pails_loses_nothing_and_the_next_look_brings_them_back() {
    for (lie, words) in [
        (pails_hidden as fn() -> Rule, "is missing: its entry lives to ledger"),
        (pails_unworked, "is shown without work, though its work is known"),
    ] {
        let desk = worked(true);
        let proxy = liar(&desk, false);
        proxy.fault(lie());
        // However often, and however long after.
        for _ in 0..2 {
            let envelope = desk.run("harvest --json").ends().1.last();
            let pails = envelope["data"]["pails"].as_array().unwrap();
            assert_eq!(pails.len(), 2, "{envelope}");
            for pail in pails {
                assert_eq!((&pail["status"], &pail["reason"]), (&json!("failed"), &json!("missing")));
                assert!(pail["error"].as_str().unwrap().contains(words), "{pail}");
            }
            assert_eq!(outcomes(&desk, 0), [""; 0]);
            assert_eq!(open_alerts(&desk), ["pail_missing"]);
            desk.run("health").exits(5);
            desk.network.advance(20).unwrap();
        }
        proxy.heal();
        assert_eq!(desk.run("harvest").json()["harvested"], 2);
        assert_eq!(open_alerts(&desk), [""; 0]);
        whole(&desk);
    }
}

#[test]
fn a_payment_that_no_event_tells_of_is_looked_for_until_it_is_seen() {
    let desk = worked(true);
    let [ada, bob] = &desk.farmers[..] else { panic!() };
    desk.harvest(bob, ada, 0);
    let proxy = liar(&desk, false);
    proxy.fault(no_events());
    for _ in 0..2 {
        desk.run("harvest").ends();
        assert_eq!(outcomes(&desk, 0), ["harvested"]);
        assert_eq!(open_alerts(&desk), ["pail_missing"]);
        desk.network.advance(20).unwrap();
    }
    proxy.heal();
    desk.run("harvest").json();
    let mut ends = outcomes(&desk, 0);
    ends.sort();
    assert_eq!(ends, ["harvested", "harvested_elsewhere"]);
    assert_eq!(open_alerts(&desk), [""; 0]);
    whole(&desk);
}

#[test]
fn our_own_harvest_that_is_never_found_is_booked_once_by_what_it_minted() {
    let desk = worked(true);
    let proxy = liar(&desk, false);
    proxy.fault(not_found());
    let mut runs = 0;
    while desk.value::<i64>("SELECT count(*) FROM open_pails WHERE block_index = 0") > 0 {
        runs += 1;
        assert!(runs < 8, "{:?}", desk.column("SELECT state || ' ' || key FROM operations"));
        desk.run("harvest").ends();
        desk.network.advance_over(30, 400).unwrap();
    }
    assert_eq!(outcomes(&desk, 0).len(), 2);
    assert!(outcomes(&desk, 0).iter().all(|outcome| outcome.starts_with("harvested")));
    whole(&desk);
}

#[test]
fn a_second_endpoint_is_believed_at_once_where_the_first_hides_pails() {
    for lie in [pails_hidden as fn() -> Rule, pails_unworked] {
        let desk = worked(true);
        let proxy = liar(&desk, true);
        proxy.fault(lie());
        let envelope = desk.run("harvest --json").exits(0).last();
        assert_eq!(envelope["data"]["harvested"], 2, "{envelope}");
        let warned = envelope["warnings"].to_string();
        assert!(warned.contains("shows pails otherwise; its answer is used"), "{warned}");
        whole(&desk);
    }
    // Of a pail that somebody else harvested, where the first one has no events.
    let desk = worked(true);
    let [ada, bob] = &desk.farmers[..] else { panic!() };
    desk.harvest(bob, ada, 0);
    let proxy = liar(&desk, true);
    proxy.fault(no_events());
    desk.run("harvest").exits(0);
    assert_eq!(outcomes(&desk, 0).len(), 2);
    whole(&desk);
}

#[test]
fn a_stake_that_was_booked_as_lost_and_is_seen_again_comes_back() {
    // Somebody else worked it, unseen; and the only endpoint shows it without work, minute after minute.
    let desk = worked(false);
    let proxy = liar(&desk, false);
    proxy.fault(pails_unworked());
    desk.run("harvest").ends();
    assert_eq!(outcomes(&desk, 0), [""; 0], "a second look decides");
    desk.network.advance(11).unwrap();
    desk.run("harvest").ends();
    assert_eq!(outcomes(&desk, 0), [""; 0]);
    desk.network.advance(1).unwrap();
    desk.run("harvest").ends();
    assert_eq!(outcomes(&desk, 0), ["lost", "lost"]);
    assert_eq!(desk.booked("chain", "sandbox", "lost"), i128::from(500 * KALE));
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM pooler_compensations"), 2);
    assert_eq!(open_alerts(&desk), ["stake_lost"]);
    desk.run("health").exits(5);
    desk.is_sound();

    proxy.heal();
    let data = desk.run("harvest").json();
    assert_eq!(data["harvested"], 2, "{data}");
    assert_eq!(outcomes(&desk, 0), ["harvested", "harvested"]);
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM events WHERE kind = 'harvest.loss_reversed'"), 2);
    assert_eq!(open_alerts(&desk), [""; 0]);
    whole(&desk);
}

#[test]
fn a_lost_stake_is_an_alert_until_a_later_one_comes_back() {
    let desk = Desk::with_farmers(2, 1_000 * KALE);
    desk.configure("kale.cap_stake = false");
    desk.run("plant").json();
    desk.network.advance(3).unwrap();
    let [ada, bob] = &desk.farmers[..] else { panic!() };
    desk.work(ada, 1);
    desk.ripen();
    desk.run("plant").fails(5, "stake_lost");
    desk.run("harvest").ends();
    desk.network.advance(12).unwrap();
    desk.run("harvest").ends();
    let subjects =
        || desk.column("SELECT subject FROM farm_alerts WHERE kind = 'stake_lost' AND closed_at IS NULL");
    assert_eq!(subjects(), [bob.id.as_str()]);
    let envelope = desk.run("health --json").exits(5).last();
    assert!(envelope.to_string().contains("stake_lost"), "{envelope}");
    // Nothing comes back later for one that leaves.
    let other = desk.fork();
    other.run(&format!("farmer set {} --status leaving", bob.id)).exits(0);
    assert_eq!(other.value::<i64>("SELECT count(*) FROM farm_alerts WHERE closed_at IS NULL"), 0);
    desk.work(bob, 1);
    desk.ripen();
    desk.run("plant").fails(5, "stake_lost");
    desk.run("harvest").ends();
    assert_eq!(subjects(), [""; 0]);
    desk.is_sound();
}

#[test]
fn an_expiry_that_is_averted_is_no_alert_any_more() {
    let desk = worked(true);
    let until = desk.value::<u32>("SELECT min(live_until) FROM open_pails");
    let (ledger, _) = desk.network.latest().unwrap();
    let proxy = liar(&desk, false);
    proxy.fault(
        Rule::new(Fault::Status(503, None)).on(Matcher::Where(|call| call["method"] == "sendTransaction")),
    );
    desk.network.advance_over(until - ledger - 100, 600).unwrap();
    desk.run("harvest").ends();
    assert_eq!(open_alerts(&desk), ["pail_expiring"]);
    proxy.heal();
    desk.network.advance(8).unwrap();
    while desk.value::<i64>("SELECT count(*) FROM open_pails WHERE block_index = 0") > 0 {
        desk.run("harvest").ends();
    }
    // What is left is of block 1, which nobody worked.
    let told =
        desk.column("SELECT message FROM farm_alerts WHERE kind = 'pail_expiring' AND closed_at IS NULL");
    assert!(told.iter().all(|told| !told.contains("block 0") && told.contains("block 1")), "{told:?}");
    desk.is_sound();
}

#[test]
fn a_look_that_shows_the_pail_takes_an_earlier_doubt_back() {
    let desk = worked(false);
    let proxy = liar(&desk, false);
    let fails =
        Rule::new(Fault::Status(503, None)).on(Matcher::Where(|call| call["method"] == "sendTransaction"));
    proxy.fault(pails_unworked());
    desk.run("harvest").ends();
    let doubts = || desk.value::<i64>("SELECT count(*) FROM harvests WHERE reason = 'missing'");
    assert_eq!(doubts(), 2);
    // Seen with its work, though not harvested.
    proxy.heal();
    proxy.fault(fails);
    desk.run("harvest").ends();
    assert_eq!(doubts(), 0);
    proxy.heal();
    proxy.fault(pails_unworked());
    desk.network.advance(20).unwrap();
    desk.run("harvest").ends();
    assert_eq!(outcomes(&desk, 0), [""; 0]);
    desk.is_sound();
}

#[test]
fn a_pail_that_is_said_to_live_for_ever_is_lost_all_the_same_when_it_is_gone() {
    fn lives(mut answer: Value, until: impl Fn(u64) -> u64) -> Value {
        let until = until(answer["result"]["latestLedger"].as_u64().unwrap());
        for entry in
            answer["result"]["entries"].as_array_mut().into_iter().flatten().filter(|entry| is_pail(entry))
        {
            entry["liveUntilLedgerSeq"] = json!(until);
        }
        answer
    }
    // For ever, and for half a year, as the network would let it.
    let for_ever = Fault::Custom(|_, answer| lives(answer, |_| u32::MAX.into()));
    let half_a_year = Fault::Custom(|_, answer| lives(answer, |now| now + 3_000_000));
    for lie in [for_ever, half_a_year] {
        is_lost_when_it_is_gone(lie);
    }
}

fn is_lost_when_it_is_gone(lie: Fault) {
    let desk = worked(false);
    let proxy = liar(&desk, false);
    proxy.fault(Rule::new(lie).on_method("getLedgerEntries"));
    proxy.fault(
        Rule::new(Fault::Status(503, None)).on(Matcher::Where(|call| call["method"] == "sendTransaction")),
    );
    desk.run("harvest").ends();
    proxy.heal();
    desk.network.advance_over(18_000, 90_000).unwrap();
    desk.run("harvest").ends();
    desk.network.advance(12).unwrap();
    desk.run("harvest").ends();
    assert_eq!(outcomes(&desk, 0), ["lost", "lost"]);
    desk.is_sound();
}

/// Two farmers with pails in block 1 that nobody worked, and whose block is over.
fn missed() -> Desk {
    let desk = Desk::with_farmers(2, 1_000 * KALE);
    desk.configure("kale.cap_stake = false\nstrategy.target_zeros = 2\nkale.work_margin_sec = 60");
    desk.ripen();
    desk.run("plant").json();
    desk.network.advance(1).unwrap();
    desk
}

fn metric(desk: &Desk, name: &str) -> String {
    let text = desk.run("metrics").exits(0).stdout;
    let line = text.lines().find(|line| line.starts_with(name) && !line.starts_with('#'));
    let value = line.and_then(|line| line.rsplit(' ').next());
    value.unwrap_or_else(|| panic!("{name}: {text}")).to_owned()
}

fn report(desk: &Desk) -> String {
    desk.run("report --html -").exits(0).stdout
}

#[test]
fn plan_block_and_work_give_one_answer_about_what_can_be_worked() {
    let desk = missed();
    let answers = |desk: &Desk| {
        let plan = desk.run("farm plan --json").exits(0).last()["data"].clone();
        let block = desk.run("block").json();
        let work = desk.run("work --dry-run").json();
        assert_eq!(block["pails"].as_array().unwrap().len(), 2);
        for (farmer, pail) in
            plan["farmers"].as_array().unwrap().iter().zip(block["pails"].as_array().unwrap())
        {
            assert_eq!(farmer["work"].is_null(), pail["work"].is_null(), "{farmer} {pail}");
            assert_eq!(farmer["status"] == "too_late", pail["too_late"] == true, "{farmer} {pail}");
            assert_eq!(farmer["status"] == "too_late", farmer["work"].is_null(), "{farmer}");
        }
        let listed = plan["actions"].as_array().unwrap().iter().any(|action| action["step"] == "work");
        let can = plan["farmers"][0]["status"] == "planted";
        assert_eq!((listed, work["farmers"].as_array().unwrap().len()), (can, if can { 2 } else { 0 }));
        (can, plan["will_be_lost"].clone())
    };
    assert_eq!(answers(&desk), (true, json!({ "stakes": 0, "stake": "0.0000000" })));
    desk.age(298);
    assert!(answers(&desk).0);
    desk.age(299);
    assert_eq!(answers(&desk), (false, json!({ "stakes": 2, "stake": "500.0000000" })));
    desk.ripen();
    assert!(!answers(&desk).0);
    let shown = desk.run("block").exits(0).stdout;
    assert!(shown.contains("too late"), "{shown}");
    let ran = desk.run("farm plan").exits(0);
    assert!(ran.stdout.contains("too late") && ran.stderr.contains("2 stakes (500"), "{ran:?}");
}

#[test]
fn a_stake_that_will_be_lost_is_an_alert_until_the_loss_is_recorded() {
    let desk = missed();
    assert_eq!(metric(&desk, "poolctl_kale_stakes_missed"), "0");
    desk.ripen();
    // Each run that may see it first.
    for line in ["work", "plant", "farm run --once"] {
        let other = desk.fork();
        let _clock = Clock::start(&other, 30);
        let envelope = other.run(line).fails(5, "stake_lost");
        let message = envelope["error"]["message"].as_str().unwrap();
        assert!(message.contains("2 stakes (500") && message.contains("will be lost"), "{line}: {message}");
        assert_eq!(envelope["error"]["details"]["blocks"], json!([1]), "{line}");
        // A run that goes on for a while records the loss.
        let alerts = open_alerts(&other);
        assert!(
            alerts.iter().any(|kind| ["work_missed", "stake_lost"].contains(&&**kind)),
            "{line}: {alerts:?}"
        );
    }
    let ran = desk.run("work").exits(5);
    assert!(ran.stdout.contains("too late for work"), "{}", ran.stdout);
    // It is said once: later runs go on, and record it when it is sure.
    {
        let other = desk.fork();
        let _clock = Clock::start(&other, 30);
        let ran = other.run("farm run --once").exits(0);
        let told = |words: &str| ran.stdout.contains(words);
        assert!(told("planted 2") && (told("2 stakes (500") || told("lost 2 (500")), "{}", ran.stdout);
    }
    desk.run("plant").json();
    assert_eq!(desk.value::<i64>(OPENED), 2, "one for each farmer");
    let health = desk.run("health --json").exits(5).last();
    assert!(health.to_string().contains("will be lost: block 1: 250"), "{health}");
    assert_eq!(metric(&desk, "poolctl_kale_stakes_missed"), "2");
    assert_eq!(metric(&desk, "poolctl_kale_stake_missed_kale"), "500.0000000");
    let report = report(&desk);
    assert!(report.contains("will be lost") && report.contains("work_missed"));
    // The harvest looks twice, and records the losses.
    desk.run("harvest").ends();
    desk.network.advance(12).unwrap();
    desk.run("harvest").exits(5);
    assert_eq!(outcomes(&desk, 1), ["lost", "lost"]);
    let alerts = open_alerts(&desk);
    assert!(
        !alerts.contains(&"work_missed".to_owned()) && alerts.contains(&"stake_lost".to_owned()),
        "{alerts:?}"
    );
    assert_eq!(metric(&desk, "poolctl_kale_stakes_missed"), "0");
    assert_eq!(metric(&desk, "poolctl_kale_stakes_lost_total{pooler=\"north\"}"), "2");
    assert_eq!(metric(&desk, "poolctl_kale_stake_lost_kale{pooler=\"north\"}"), "500.0000000");
    assert_eq!(desk.value::<i64>(OPENED), 2);
    desk.is_sound();
}

/// Alerts on stakes that will be lost that were opened so far.
const OPENED: &str =
    "SELECT count(*) FROM events WHERE kind = 'farm.alert.opened' AND payload LIKE '%work_missed%'";

#[test]
fn a_service_tells_what_will_be_lost_and_goes_on() {
    let desk = missed();
    desk.ripen();
    let clock = Clock::start(&desk, 40);
    let child = desk.run("farm run --json").spawn();
    until("the losses are recorded", || outcomes(&desk, 1) == ["lost", "lost"]);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let ran = ended(child);
    drop(clock);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<&Value> = lines.iter().filter(|line| line["type"] == "missed").collect();
    assert_eq!(told.len(), 2, "{}", ran.stdout);
    assert!(told.iter().all(|line| line["block"] == 1 && line["stake"] == "250.0000000"), "{told:?}");
    let data = &lines.last().unwrap()["data"];
    assert_eq!((&data["lost"], &data["lost_stake"]), (&json!(2), &json!("500.0000000")), "{data}");
    desk.is_sound();
}

#[test]
fn health_knows_of_a_stake_that_will_be_lost_though_no_run_has_looked() {
    let desk = missed();
    let find = |desk: &Desk| {
        let health = desk.run("health --json").ends().1.last();
        let kinds = health["data"]["troubles"].as_array().unwrap().iter();
        kinds.filter(|trouble| trouble["kind"] == "work_missed").count()
    };
    assert_eq!((find(&desk), metric(&desk, "poolctl_kale_stakes_missed")), (0, "0".to_owned()));
    // The run was killed after the plant, and nobody came back for as long as the block lasts.
    desk.sqlite().execute("UPDATE plantings SET at = at - 331", []).unwrap();
    assert_eq!((find(&desk), metric(&desk, "poolctl_kale_stakes_missed")), (2, "2".to_owned()));
    assert!(report(&desk).contains("work_missed"));
    assert_eq!(open_alerts(&desk), [""; 0]);
}

#[test]
fn work_of_a_stranger_in_an_overdue_block_ends_the_alert() {
    let desk = missed();
    desk.ripen();
    desk.run("work").exits(5);
    assert_eq!(open_alerts(&desk), ["work_missed"]);
    for farmer in &desk.farmers {
        desk.work(farmer, 0);
    }
    desk.run("plant").json();
    assert_eq!(desk.run("harvest").json()["harvested"], 2);
    assert_eq!(open_alerts(&desk), [""; 0]);
    assert_eq!(metric(&desk, "poolctl_kale_stakes_missed"), "0");
    desk.is_sound();
}
