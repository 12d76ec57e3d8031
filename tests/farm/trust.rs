//! `farmer trust`: trustlines, made once, by the farmer alone or with a sponsor that gives what they take.

use crate::desk::{Desk, Farmer, XLM};
use crate::funding::{enrol, enrol_at, line, pair, sponsor, wallet, written};
use poolctl_testkit::{Fault, Proxy, Rule};
use serde_json::{Value, json};
use stellar::Action;
use stellar::xdr::Asset;

/// What lumens an account holds on chain.
#[track_caller]
fn lumens(desk: &Desk, address: &str) -> i64 {
    wallet(desk, address).unwrap().lumens
}

fn trusts(desk: &Desk, farmer: &Farmer) -> bool {
    wallet(desk, &farmer.address).is_some_and(|wallet| wallet.kale.is_some())
}

/// Stroops of an amount of an output.
fn stroops(amount: &Value) -> i64 {
    amount.as_str().unwrap().replace('.', "").parse().unwrap()
}

#[test]
fn a_farmer_makes_its_own_trustline_once() {
    let desk = Desk::empty();
    let [ada, bob] = ["ada", "bob"].map(|name| enrol(&desk, name));
    desk.network.fund(&ada.address, 5 * XLM).unwrap();
    // Half a lumen is reserved by the trustline, and this has less.
    desk.network.fund(&bob.address, 14 * XLM / 10).unwrap();
    let envelope = desk.run("farmer trust").fails(3, "partial");
    let data = &envelope["data"];
    assert_eq!((&data["trusted"], &data["asset"]), (&json!(1), &json!(desk.asset)));
    assert_eq!((&data["sponsor"], &data["sponsor_gives"]), (&Value::Null, &json!("0.0000000")));
    let made = line(data, &ada);
    assert_eq!(made["status"], "trusted");
    assert_eq!(lumens(&desk, &ada.address), 5 * XLM - stroops(&made["fee"]));
    let failed = line(data, &bob);
    assert_eq!((&failed["status"], &failed["reason"]), (&json!("failed"), &json!("too_few_lumens")));
    assert!(trusts(&desk, &ada) && !trusts(&desk, &bob));
    let key = format!("trust:sandbox:{}", ada.address);
    assert_eq!(desk.column("SELECT key || ' ' || state FROM operations"), [format!("{key} recorded")]);
    let facts: String = desk.value("SELECT payload FROM events WHERE kind = 'trust.made'");
    let facts: Value = serde_json::from_str(&facts).unwrap();
    assert_eq!(
        (&facts["farmer"], &facts["sponsor"], &facts["tx"]),
        (&json!(ada.address), &Value::Null, &made["tx"])
    );

    let before = written(&desk);
    let again = desk.run(&format!("farmer trust {}", ada.address)).json();
    assert_eq!((&again["trusted"], &line(&again, &ada)["status"]), (&json!(0), &json!("already_trusted")));
    assert_eq!(written(&desk), before);
    desk.is_sound();
}

#[test]
fn a_sponsor_makes_farmers_that_have_no_lumens_and_they_plant() {
    let desk = Desk::empty();
    let [ada, bob] = ["ada", "bob"].map(|name| enrol(&desk, name));
    let operator = sponsor(&desk, 100 * XLM);
    let data = desk.run("farmer trust --all --create").json();
    assert_eq!((&data["trusted"], &data["sponsor"]), (&json!(2), &json!(operator)));
    // Two entries of each account and its trustline.
    assert_eq!(data["sponsor_gives"], "3.0000000");
    let mut fees = 0;
    for farmer in [&ada, &bob] {
        let made = line(&data, farmer);
        assert_eq!((&made["status"], &made["creates_account"]), (&json!("trusted"), &json!(true)));
        fees += stroops(&made["fee"]);
        let wallet = wallet(&desk, &farmer.address).unwrap();
        assert_eq!((wallet.lumens, wallet.reserve, wallet.kale.is_some()), (0, 0, true));
    }
    let held = wallet(&desk, &operator).unwrap();
    assert_eq!((held.lumens, held.reserve), (100 * XLM - fees, XLM + 3 * XLM));

    let data = desk.run("farmer check-funding").json();
    assert_eq!((&data["ready"], &data["sponsor"]["ready"]), (&json!(2), &json!(true)));
    assert_eq!(line(&data, &ada)["status"], "active");
    // What that cost counts in how long the sponsor lasts.
    assert_eq!(data["sponsor"]["days_left"], (held.lumens - held.reserve) / fees);
    assert_eq!(desk.run("plant").json()["planted"], 2);
    assert_eq!(lumens(&desk, &ada.address), 0, "the sponsor pays");
    let before = written(&desk);
    let again = desk.run("farmer trust --all --create").json();
    assert_eq!((&again["trusted"], &again["sponsor"]), (&json!(0), &Value::Null));
    assert_eq!(written(&desk), before);
    desk.is_sound();
}

#[test]
fn two_hundred_accounts_and_trustlines_take_few_ledgers() {
    let desk = Desk::empty();
    desk.run("pooler add south --capacity 200 --reward-split 0 --platform-fee 0").exits(0);
    let farmers: Vec<Farmer> = (0..200).map(|n| enrol_at(&desk, "south", &format!("farmer {n}"))).collect();
    let operator = sponsor(&desk, 1_000 * XLM);
    let before = desk.network.latest().unwrap().0;
    let data = desk.run("farmer trust --create").json();
    let took = desk.network.latest().unwrap().0 - before;
    assert!(took <= 8, "{took} ledgers");
    assert_eq!((&data["trusted"], &data["sponsor_gives"]), (&json!(200), &json!("300.0000000")));
    let fees: i64 = farmers.iter().map(|farmer| stroops(&line(&data, farmer)["fee"])).sum();
    let held = wallet(&desk, &operator).unwrap();
    assert_eq!((held.lumens, held.reserve), (1_000 * XLM - fees, XLM + 300 * XLM));
    assert!(farmers.iter().all(|farmer| trusts(&desk, farmer)));
    assert_eq!(
        desk.value::<i64>("SELECT count(DISTINCT subject) FROM events WHERE kind = 'trust.made'"),
        200
    );
    let booked = "SELECT sum(CAST(payload ->> 'fee' AS INTEGER)) FROM events WHERE kind = 'trust.made'";
    assert_eq!(desk.value::<i64>(booked), fees);
    let before = written(&desk);
    assert_eq!(desk.run("farmer trust --create").json()["trusted"], 0);
    assert_eq!(written(&desk), before);
    desk.is_sound();
}

/// The accounts of Bob are left out of an answer.
fn without_bob(_: &Value, mut answer: Value) -> Value {
    use stellar::xdr::{Limits, WriteXdr};
    let asset = Asset::Native;
    let [bob, _] = kale::wallet::keys(&pair("bob").address.parse().unwrap(), &asset);
    let key = bob.to_xdr_base64(Limits::none()).unwrap();
    if let Some(entries) = answer["result"]["entries"].as_array_mut() {
        entries.retain(|entry| entry["key"] != key);
    }
    answer
}

#[test]
fn one_that_cannot_be_made_keeps_no_other_from_it() {
    let desk = Desk::empty();
    let [ada, bob, cid] = ["ada", "bob", "cid"].map(|name| enrol(&desk, name));
    let operator = sponsor(&desk, 100 * XLM);
    // Somebody makes it meanwhile.
    desk.network.fund(&bob.address, 5 * XLM).unwrap();
    let wire = Proxy::start(&desk.network.url()).unwrap();
    wire.fault(Rule::new(Fault::Custom(without_bob)).on_method("getLedgerEntries"));
    desk.write_config(&[wire.url()], "");
    let envelope = desk.run("farmer trust --create").fails(3, "partial");
    let data = &envelope["data"];
    assert_eq!(data["trusted"], 2);
    assert_eq!(
        (&line(data, &ada)["status"], &line(data, &cid)["status"]),
        (&json!("trusted"), &json!("trusted"))
    );
    assert_eq!(line(data, &bob)["status"], "failed");
    assert!(trusts(&desk, &ada) && trusts(&desk, &cid) && !trusts(&desk, &bob));
    assert_eq!(wallet(&desk, &operator).unwrap().reserve, XLM + 3 * XLM);
    desk.configure("");
    assert_eq!(desk.run("farmer trust --create").json()["trusted"], 1);
    assert!(trusts(&desk, &bob));
    desk.is_sound();
}

#[test]
fn an_account_is_made_with_what_was_asked_for() {
    let desk = Desk::empty();
    let ada = enrol(&desk, "ada");
    sponsor(&desk, 100 * XLM);
    desk.run("farmer trust --create --starting-balance 2.5").json();
    assert_eq!(lumens(&desk, &ada.address), 25 * XLM / 10);
    let facts: String = desk.value("SELECT payload FROM events WHERE kind = 'trust.made'");
    assert!(facts.contains("\"created_with\":\"25000000\""), "{facts}");
}

#[test]
fn the_sponsor_gives_reserves_unless_told_otherwise() {
    let desk = Desk::empty();
    let [ada, bob] = ["ada", "bob"].map(|name| enrol(&desk, name));
    let operator = sponsor(&desk, 100 * XLM);
    desk.network.fund(&ada.address, XLM).unwrap();
    desk.network.fund(&bob.address, 2 * XLM).unwrap();
    let name = |farmer: &Farmer| farmer.address.clone();
    let envelope = desk.run(&format!("farmer trust {} --unsponsored", name(&ada))).fails(4, "not_ready");
    assert_eq!(line(&envelope["data"], &ada)["reason"], "too_few_lumens");
    desk.run(&format!("farmer trust {} --sponsored", name(&ada))).json();
    desk.run(&format!("farmer trust {} --unsponsored", name(&bob))).json();
    let [ada, bob] = [&ada, &bob].map(|farmer| wallet(&desk, &farmer.address).unwrap());
    assert_eq!((ada.lumens, ada.reserve), (XLM, XLM), "neither fee nor reserve");
    assert_eq!((bob.lumens, bob.reserve), (2 * XLM, 15 * XLM / 10), "the reserve, and no fee");
    assert_eq!(wallet(&desk, &operator).unwrap().reserve, 15 * XLM / 10);
}

#[test]
fn what_the_sponsor_cannot_give_is_not_begun() {
    let desk = Desk::empty();
    let [ada, _] = ["ada", "bob"].map(|name| enrol(&desk, name));
    let before = written(&desk).1;
    for line in ["farmer trust --create", "farmer trust --sponsored"] {
        desk.run(line).fails(12, "no_key");
    }
    let envelope = desk.run(&format!("farmer trust {}", ada.id)).fails(4, "not_ready");
    assert!(envelope["error"]["hint"].as_str().unwrap().contains("--create"), "{envelope}");
    // No account, then one that has a little less than both farmers take.
    let operator = sponsor(&desk, 0);
    desk.run("farmer trust --create").fails(4, "not_ready");
    desk.network.fund(&operator, XLM + 3 * XLM).unwrap();
    let envelope = desk.run("farmer trust --create").fails(4, "not_ready");
    assert!(envelope["error"]["message"].as_str().unwrap().contains(&operator), "{envelope}");
    assert_eq!(written(&desk).1, before);
    desk.network.fund(&operator, XLM / 10).unwrap();
    assert_eq!(desk.run("farmer trust --create").json()["trusted"], 2);
}

#[test]
fn a_trustline_that_was_taken_away_is_made_again() {
    let desk = Desk::empty();
    let ada = enrol(&desk, "ada");
    desk.network.fund(&ada.address, 5 * XLM).unwrap();
    desk.run("farmer trust").json();
    let asset = stellar::asset("asset", &desk.asset).unwrap();
    desk.act(vec![(&ada, Action::Trust { asset, limit: 0, sponsor: None })]);
    assert!(!trusts(&desk, &ada));
    assert_eq!(desk.run("farmer trust").json()["trusted"], 1);
    assert!(trusts(&desk, &ada));
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM events WHERE kind = 'trust.made'"), 2);
}

#[test]
fn killed_at_any_step_the_next_run_ends_it() {
    let end = |desk: &Desk| {
        let rows = desk.column(
            "SELECT 'operation ' || key || ' ' || state FROM operations
             UNION ALL SELECT 'event ' || kind || ' ' || count(*) FROM events WHERE kind LIKE 'trust.%' GROUP BY kind
             ORDER BY 1",
        );
        let wallets = ["ada", "bob", "cid", "sponsor"].map(|name| wallet(desk, &pair(name).address).unwrap());
        (rows, wallets.map(|wallet| (wallet.lumens, wallet.reserve, wallet.kale.is_some())))
    };
    // One farmer has an account; those that have none are made together.
    let start = Desk::empty();
    let [ada, _, _] = ["ada", "bob", "cid"].map(|name| enrol(&start, name));
    sponsor(&start, 100 * XLM);
    start.network.fund(&ada.address, XLM).unwrap();
    let whole = start.fork();
    whole.run("farmer trust --create").exits(0);
    let want = end(&whole);
    assert!(want.0.contains(&"event trust.made 3".to_owned()), "{want:?}");
    let mut steps = 0;
    for step in 1.. {
        let desk = start.fork();
        let run = desk.run("farmer trust --create").env("POOLCTL_CRASH_AT", &step.to_string());
        let killed = run.ends().1.code.is_none();
        if !killed {
            break;
        }
        steps = step;
        desk.run("farmer trust --create").exits(0);
        // To the stroop: no fee was paid twice.
        assert_eq!(end(&desk), want, "killed at step {step}");
        desk.is_sound();
    }
    assert!(steps > 10, "{steps} steps: planned, signed, sent, polled, recorded");
}

#[test]
fn a_dry_run_shows_the_fees_and_makes_nothing() {
    let desk = Desk::empty();
    let [ada, bob] = ["ada", "bob"].map(|name| enrol(&desk, name));
    sponsor(&desk, 100 * XLM);
    desk.network.fund(&ada.address, XLM).unwrap();
    let before = written(&desk);
    let envelope = desk.run("farmer trust --create --dry-run --json").exits(0).last();
    let data = &envelope["data"];
    assert_eq!((&envelope["dry_run"], &data["trusted"]), (&json!(true), &json!(0)));
    assert_eq!(data["sponsor_gives"], "2.0000000");
    for (farmer, creates) in [(&ada, false), (&bob, true)] {
        let line = line(data, farmer);
        assert_eq!((&line["status"], &line["creates_account"]), (&json!("would_trust"), &json!(creates)));
        assert!(stroops(&line["fee"]) >= 400, "{line}");
        assert!(!trusts(&desk, farmer));
    }
    assert_eq!(written(&desk), before);
}

#[test]
fn it_asks_where_value_is_at_stake() {
    let desk = Desk::empty();
    let ada = enrol(&desk, "ada");
    desk.network.fund(&ada.address, 5 * XLM).unwrap();
    desk.configure("guard.confirm = true");
    desk.run("farmer trust").fails(4, "needs_confirmation");
    assert!(!trusts(&desk, &ada));
    desk.run("farmer trust --yes").json();
    assert!(trusts(&desk, &ada));
}

#[test]
fn bad_input_is_refused_before_anything_happens() {
    let mut desk = Desk::empty();
    let gone = desk.register("gone", "0.25");
    for status in ["leaving", "departed"] {
        desk.run(&format!("farmer set {} --status {status}", gone.id)).exits(0);
    }
    let secret = pair("canary").secret;
    let (before, ledger) = (written(&desk), desk.network.latest().unwrap());
    for (line, exit, code) in [
        ("farmer trust nobody".to_owned(), 2, "unknown_farmer"),
        ("farmer check-funding nobody".to_owned(), 2, "unknown_farmer"),
        (format!("farmer trust {secret}"), 2, "unknown_farmer"),
        (format!("farmer trust {}", gone.id), 2, "conflict"),
        (format!("farmer trust --all {}", gone.id), 2, "usage"),
        ("farmer trust --starting-balance 1".to_owned(), 2, "usage"),
        ("farmer trust --create --unsponsored".to_owned(), 2, "usage"),
        ("farmer trust --sponsored --unsponsored".to_owned(), 2, "usage"),
        ("farmer trust --create --starting-balance 1e3".to_owned(), 2, "invalid_amount"),
        ("farmer trust --create --starting-balance 0.00000001".to_owned(), 2, "invalid_amount"),
        ("farmer trust --create --starting-balance 922337203686".to_owned(), 2, "invalid_amount"),
    ] {
        let envelope = desk.run(&line).fails(exit, code);
        assert!(!envelope.to_string().contains(&secret), "{envelope}");
    }
    assert_eq!((written(&desk), desk.network.latest().unwrap()), (before, ledger));
}

#[test]
fn no_secret_is_shown_or_stored() {
    let desk = Desk::empty();
    let ada = enrol(&desk, "ada");
    sponsor(&desk, 100 * XLM);
    let mut shown = String::new();
    for line in [
        "farmer check-funding -vv",
        "farmer trust --create --dry-run -vv",
        "farmer trust --create -vv",
        "farmer check-funding --json -vv",
        "farmer trust -vv",
    ] {
        let ran = desk.run(line).ends().1;
        shown += &(ran.stdout + &ran.stderr);
    }
    assert!(shown.contains(&ada.address));
    let stored = std::fs::read(desk.state()).unwrap();
    for secret in ["ada", "sponsor"].map(|name| pair(name).secret) {
        assert!(!shown.contains(&secret), "a secret was shown");
        assert!(!stored.windows(secret.len()).any(|part| part == secret.as_bytes()), "a secret was stored");
    }
}
