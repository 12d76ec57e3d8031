//! Who cannot go on is named before it costs: a sponsor that runs dry, a farmer short of lumens, a trustline without room.

use crate::desk::{Desk, Farmer, KALE, XLM, until};
use crate::funding::{enrol, line, pair, sponsor, wallet};
use poolctl_testkit::doctor::stands;
use poolctl_testkit::proxy::Rewrite;
use poolctl_testkit::{Fault, Proxy, Rule};
use serde_json::{Value, json};
use stellar::Action;
use stellar::xdr::{
    LedgerEntryData, Liabilities, Limits, ReadXdr, TrustLineEntry, TrustLineEntryExt, TrustLineEntryV1,
    TrustLineEntryV1Ext, WriteXdr,
};

/// Kinds of the alerts that are open, by subject, apart from those on stakes that are lost already.
fn alerts(desk: &Desk) -> Vec<String> {
    desk.column(
        "SELECT kind || ' ' || subject FROM farm_alerts
         WHERE closed_at IS NULL AND kind NOT IN ('stake_lost', 'work_missed', 'pail_missing') ORDER BY 1",
    )
}

/// Operations of a kind, by state.
fn operations(desk: &Desk, kind: &str) -> Vec<String> {
    desk.column(&format!("SELECT state FROM operations WHERE kind = '{kind}' ORDER BY id"))
}

/// Pays lumens away until so many stroops are left above the reserve.
pub fn drain(desk: &Desk, farmer: &Farmer, left: i64) {
    let held = wallet(desk, &farmer.address).unwrap();
    // A payment costs 100 stroops.
    let amount = held.lumens - held.reserve - left - 100;
    let asset = stellar::asset("asset", "native").unwrap();
    let to = desk.network.root().address.parse().unwrap();
    desk.act(vec![(farmer, Action::Pay { to, asset, amount })]);
    let held = wallet(desk, &farmer.address).unwrap();
    assert_eq!(held.lumens - held.reserve, left);
}

/// The sponsor's key outside of the key store.
pub fn purse() -> Farmer {
    Farmer::of_pair("sponsor", &pair("sponsor"))
}

/// Two farmers without lumens of their own, whom the sponsor has made, with KALE.
fn sponsored() -> (Desk, String) {
    let mut desk = Desk::empty();
    desk.configure("strategy.target_zeros = 1\nkale.cap_stake = false");
    let farmers = ["ada", "bob"].map(|name| enrol(&desk, name));
    let address = sponsor(&desk, 100 * XLM);
    desk.run("farmer trust --all --create").json();
    for farmer in &farmers {
        desk.network.fund_kale(&farmer.address, 100 * KALE).unwrap();
    }
    desk.run("farmer check-funding").json();
    desk.farmers = farmers.to_vec();
    (desk, address)
}

/// Works for everybody who is planted, at the deadline.
fn work(desk: &Desk) -> Value {
    let count = i64::try_from(desk.farmers.len()).unwrap();
    let mut child = desk.run("work").spawn();
    until("all have a nonce", || {
        desk.value::<i64>("SELECT count(*) FROM nonces WHERE best_zeros >= 1") == count
    });
    child.kill().unwrap();
    child.wait().unwrap();
    desk.age(281);
    desk.run("work --json").ends().1.last()
}

/// Rolls the block over with a stranger's plant, and harvests.
fn harvest(desk: &Desk) -> Value {
    // Work that failed has waited for ledgers, to the block's end.
    if desk.network.latest().unwrap().1 < desk.farm().due().unwrap() {
        desk.ripen();
    }
    desk.plant(&desk.stranger(), 0);
    let first = desk.run("harvest --json").ends().1.last();
    let is_doubted = |pail: &Value| pail["reason"] == "missing";
    if !first["data"]["pails"].as_array().unwrap().iter().any(is_doubted) {
        return first;
    }
    desk.network.advance(12).unwrap();
    desk.run("harvest --json").ends().1.last()
}

/// As [`harvest`], and the second look that decides that a stake is lost.
fn lose(desk: &Desk) -> Value {
    harvest(desk);
    desk.network.advance(12).unwrap();
    desk.run("harvest --json").ends().1.last()
}

#[test]
fn a_drained_sponsor_is_named_and_who_has_lumens_pays_for_itself() {
    let desk = Desk::with_farmers(3, 100 * KALE);
    let settings = "strategy.target_zeros = 1\nstellar.max_head_age_sec = 4000000000";
    desk.configure(settings);
    let address = sponsor(&desk, XLM + 100);
    let envelope = desk.run("farmer check-funding").fails(5, "check_failed");
    assert!(envelope["error"]["message"].as_str().unwrap().contains(&address), "{envelope}");
    let data = &envelope["data"];
    assert_eq!((&data["ready"], &data["sponsor"]["ready"]), (&json!(3), &json!(false)));
    assert_eq!(line(data, &desk.farmers[0])["fees_by"], "itself");
    assert_eq!(alerts(&desk), [format!("sponsor_low {address}")]);
    let health = desk.run("health --json").exits(5).stdout;
    assert!(health.contains("sponsor_low") && health.contains(&address), "{health}");
    let doctor = desk.run("doctor --json").exits(5).stdout;
    assert!(doctor.contains(&address), "{doctor}");
    let plan = desk.run("farm plan --json").exits(0).last();
    assert_eq!(plan["data"]["sponsor"]["ready"], false, "{plan}");

    let envelope = desk.run("plant --json").exits(0).last();
    assert_eq!(envelope["data"]["planted"], 3, "{envelope}");
    assert!(envelope["warnings"].to_string().contains(&address), "{envelope}");
    assert!(envelope["data"]["farmers"].as_array().unwrap().iter().all(|one| one["fee_payer"].is_null()));
    let envelope = work(&desk);
    assert_eq!(envelope["data"]["worked"], 3, "{envelope}");
    let envelope = harvest(&desk);
    assert_eq!(envelope["data"]["harvested"], 3, "{envelope}");
    assert_eq!(wallet(&desk, &address).unwrap().lumens, XLM + 100, "it has paid for nothing");

    desk.network.fund(&address, 100 * XLM).unwrap();
    let envelope = desk.run("plant --json").exits(0).last();
    assert_eq!((&envelope["data"]["planted"], &envelope["warnings"]), (&json!(3), &json!([])), "{envelope}");
    assert_eq!(envelope["data"]["farmers"][0]["fee_payer"], address);
    // What it spent in the last day says how long it lasts.
    let spent: i64 = desk.value(
        "SELECT sum(payload ->> 'fee') FROM events WHERE kind = 'operation.confirmed' AND payload ->> 'payer' IS NOT NULL",
    );
    let held = wallet(&desk, &address).unwrap();
    assert_eq!(101 * XLM + 100 - held.lumens, spent);
    let found = desk.run("farmer check-funding").json();
    assert_eq!(found["sponsor"]["days_left"], (held.lumens - held.reserve) / spent, "{found}");
    assert!(wallet(&desk, &address).unwrap().lumens < 101 * XLM + 100, "it pays again");
    assert_eq!(alerts(&desk), [""; 0]);
    desk.run("health --json").exits(0);
    desk.is_sound();
}

/// Whoever leaves, or is not asked about, changes nothing of what the sponsor needs: `doctor` says the same as
/// `farmer check-funding`, of all or of one.
#[test]
fn doctor_and_check_funding_say_the_same_of_the_sponsor() {
    let (desk, address) = sponsored();
    desk.configure(
        "strategy.target_zeros = 1\nkale.min_lumens = \"0\"\nstellar.max_head_age_sec = 4000000000",
    );
    let need = |line: &str| {
        let data =
            desk.run(&format!("farmer check-funding {line} --json")).exits_one_of(&[0, 5]).last()["data"]
                .clone();
        let stroops = data["sponsor"]["needed"].as_str().unwrap().replace('.', "").parse::<i64>().unwrap();
        (stroops, data["sponsor"]["ready"].clone())
    };
    let (two, _) = need("--all");
    let [ada, bob] = &desk.farmers[..] else { panic!() };
    assert_eq!(need(&ada.id).0, two, "the other one plants all the same");
    desk.run(&format!("farmer set {} --status leaving", bob.id)).exits(0);
    let (one, _) = need("--all");
    assert_eq!(one * 2, two, "who leaves needs nothing more");
    assert_eq!((need(&bob.id).0, need(&ada.id).0), (one, one));
    for (left, ready, code, status) in [(one, true, 0, "ok"), (one - 1, false, 5, "fail")] {
        let copy = desk.fork();
        drain(&copy, &purse(), left);
        let found = copy.run("farmer check-funding --all --json").exits(code).last();
        assert_eq!(found["data"]["sponsor"]["ready"], ready, "{found}");
        let doctor = copy.run("doctor --json").exits(code).last()["data"].clone();
        stands(&doctor, "farmers", "fee sponsor", status, &address);
        let why = &found["data"]["sponsor"]["why"];
        assert!(ready || doctor.to_string().contains(why.as_str().unwrap()), "{why}: {doctor}");
    }
}

#[test]
fn nothing_is_staked_that_a_drained_sponsor_could_not_bring_home() {
    let (desk, address) = sponsored();
    drain(&desk, &purse(), 100);
    let before = desk.kale_of(&desk.farmers[0]);
    let envelope = desk.run("plant").fails(4, "not_ready");
    assert!(envelope["error"]["message"].as_str().unwrap().contains(&address), "{envelope}");
    assert_eq!(line(&envelope["data"], &desk.farmers[0])["reason"], "sponsor_low");
    assert_eq!((operations(&desk, "plant"), desk.kale_of(&desk.farmers[0])), (vec![], before));
    let open = alerts(&desk);
    assert!(open.contains(&format!("sponsor_low {address}")) && open.len() == 3, "{open:?}");
    desk.run("farm run --once").fails(4, "not_ready");
    assert_eq!(operations(&desk, "plant"), [""; 0]);
    desk.run("health --json").exits(5);

    desk.network.fund(&address, 10 * XLM).unwrap();
    assert_eq!(desk.run("plant").json()["planted"], 2);
    assert_eq!(alerts(&desk), [""; 0]);
    desk.is_sound();
}

#[test]
fn a_sponsor_with_enough_for_one_brings_one_home() {
    let (desk, address) = sponsored();
    // Whom it plants, it must be able to work and harvest for: it knows no price yet but the cap's.
    drain(&desk, &purse(), 8 * XLM / 10);
    let envelope = desk.run("plant").fails(3, "partial");
    assert_eq!(envelope["data"]["planted"], 1, "{envelope}");
    assert_eq!(alerts(&desk).iter().filter(|open| open.starts_with("sponsor_low")).count(), 1);
    assert!(wallet(&desk, &address).unwrap().lumens > XLM);
    desk.is_sound();
}

#[test]
fn a_stake_that_a_dry_sponsor_loses_has_that_as_its_cause() {
    let (desk, address) = sponsored();
    desk.ripen();
    assert_eq!(desk.run("plant").json()["planted"], 2);
    drain(&desk, &purse(), 100);
    let envelope = work(&desk);
    assert_eq!(envelope["data"]["worked"], 0, "{envelope}");
    assert_eq!(alerts(&desk), [format!("sponsor_low {address}")]);
    let failed = desk.column("SELECT DISTINCT reason FROM works WHERE outcome = 'failed'");
    assert_eq!(failed, ["sponsor_low"]);
    // That the last try only ran out of time is not why it was lost.
    let last = "INSERT INTO works (farmer_id, block_index, outcome, nonce, hash, zeros, reason, at)
        SELECT farmer_id, block_index, 'failed', nonce, hash, zeros, 'expired', at FROM works GROUP BY farmer_id";
    assert_eq!(desk.sqlite().execute(last, []).unwrap(), 2);
    let envelope = lose(&desk);
    for pail in envelope["data"]["pails"].as_array().unwrap() {
        assert_eq!((&pail["status"], &pail["fault"]), (&json!("lost"), &json!("operator")), "{pail}");
    }
    assert_eq!(desk.column("SELECT DISTINCT reason FROM pooler_compensations"), ["sponsor_low"]);
    desk.is_sound();
}

#[test]
fn what_open_pails_still_need_is_not_given_to_new_accounts() {
    let (desk, _) = sponsored();
    desk.ripen();
    assert_eq!(desk.run("plant").json()["planted"], 2);
    enrol(&desk, "eve");
    drain(&desk, &purse(), 20 * XLM);
    let before = operations(&desk, "adopt");
    // 1.5 XLM of reserves come to it; what is left would not pay for the work.
    let envelope = desk.run("farmer trust --all --create --starting-balance 18.2").fails(4, "not_ready");
    assert!(envelope["error"]["message"].as_str().unwrap().contains("the sponsor"), "{envelope}");
    assert_eq!(operations(&desk, "adopt"), before);
    desk.run("farmer trust --all --create --starting-balance 2").exits(0);
    assert_eq!(work(&desk)["data"]["worked"], 2);
    desk.is_sound();
}

#[test]
fn a_farmer_short_of_lumens_is_the_cause_and_is_not_staked_again() {
    let desk = Desk::with_farmers(1, 100 * KALE);
    desk.configure("strategy.target_zeros = 1\nkale.cap_stake = false");
    let farmer = &desk.farmers[0];
    desk.ripen();
    assert_eq!(desk.run("plant").json()["planted"], 1);
    drain(&desk, farmer, 100);
    let envelope = work(&desk);
    assert_eq!(envelope["data"]["worked"], 0, "{envelope}");
    let failed = desk.column("SELECT DISTINCT reason FROM works WHERE outcome = 'failed'");
    assert_eq!(failed, ["too_few_lumens"]);
    assert_eq!(alerts(&desk), [format!("not_ready {}", farmer.id)], "at once");
    lose(&desk);
    let lost = desk.column("SELECT fault || ' ' || reason FROM pooler_compensations");
    assert_eq!(lost, ["operator too_few_lumens"]);

    // However little the settings ask for, the round must be paid for.
    desk.configure("kale.min_lumens = \"0\"\nstrategy.target_zeros = 1");
    let planted = operations(&desk, "plant").len();
    let envelope = desk.run("plant").fails(4, "not_ready");
    assert_eq!(line(&envelope["data"], farmer)["reason"], "too_few_lumens");
    assert_eq!(operations(&desk, "plant").len(), planted);
    assert_eq!(alerts(&desk), [format!("not_ready {}", farmer.id)]);
    let envelope = desk.run("farmer check-funding").fails(5, "check_failed");
    assert_eq!(line(&envelope["data"], farmer)["lacks"][0]["reason"], "too_few_lumens");
    desk.network.fund(&farmer.address, XLM).unwrap();
    assert_eq!(desk.run("plant").json()["planted"], 1);
    assert_eq!(alerts(&desk), [""; 0]);
    desk.is_sound();
}

/// Changes the trustline of a farmer.
fn limit(desk: &Desk, farmer: &Farmer, limit: i64) {
    let asset = stellar::asset("asset", &desk.asset).unwrap();
    desk.act(vec![(farmer, Action::Trust { asset, limit, sponsor: None })]);
}

#[test]
fn a_trustline_at_its_limit_stakes_nothing_until_it_is_raised() {
    let desk = Desk::with_farmers(1, 100 * KALE);
    let farmer = &desk.farmers[0];
    limit(&desk, farmer, 100 * KALE);
    let envelope = desk.run("farmer check-funding").fails(5, "check_failed");
    let shown = line(&envelope["data"], farmer);
    assert_eq!(shown["lacks"][0]["reason"], "trustline_full", "{shown}");
    assert_eq!((&shown["kale_limit"], &shown["kale_room"]), (&json!("100.0000000"), &json!("0.0000000")));
    desk.ripen();
    let envelope = desk.run("plant").fails(4, "not_ready");
    assert_eq!(line(&envelope["data"], farmer)["reason"], "trustline_full");
    assert_eq!(operations(&desk, "plant"), [""; 0]);
    assert_eq!(alerts(&desk), [format!("not_ready {}", farmer.id)]);
    // Room for what a whole block pays is enough: what is staked has left the trustline.
    limit(&desk, farmer, 100 * KALE + 2_505 * KALE);
    assert_eq!(desk.run("plant").json()["planted"], 1);
    assert_eq!(alerts(&desk), [""; 0]);
    desk.is_sound();
}

/// A simulation without diagnostic events; the host's words give a bare code here, with nobody's name to it.
fn mute(_: &Value, mut response: Value) -> Value {
    if let Some(result) = response["result"].as_object_mut() {
        result.remove("events");
    }
    response
}

#[test]
fn a_harvest_that_a_full_trustline_refuses_says_so_also_without_events() {
    let desk = Desk::with_farmers(1, 100 * KALE);
    desk.configure("strategy.target_zeros = 1\nkale.cap_stake = false");
    let farmer = &desk.farmers[0];
    desk.ripen();
    assert_eq!(desk.run("plant").json()["planted"], 1);
    desk.network.advance(2).unwrap();
    desk.work(farmer, 0);
    limit(&desk, farmer, 75 * KALE);
    desk.ripen();
    desk.plant(&desk.stranger(), 0);
    for silent in [false, true] {
        let copy = desk.fork();
        let proxy = Proxy::start(&copy.network.url()).unwrap();
        if silent {
            proxy.fault(Rule::new(Fault::Custom(mute)).on_method("simulateTransaction"));
        }
        copy.write_config(&[proxy.url()], "");
        let envelope = copy.run("harvest --json").ends().1.last();
        let pail = &envelope["data"]["pails"][0];
        assert_eq!(
            (&pail["status"], &pail["reason"]),
            (&json!("failed"), &json!("trustline_full")),
            "{envelope}"
        );
        assert!(pail["error"].as_str().unwrap().contains("asset contract error 10"), "{pail}");
        assert_eq!(copy.run("farmer check-funding").fails(5, "check_failed")["data"]["ready"], 0);
        // Its own key raises the limit, and the stake comes back.
        copy.run(&format!("farmer trust {}", farmer.id)).json();
        assert_eq!(copy.run("harvest").json()["harvested"], 1);
        copy.is_sound();
    }
}

#[test]
fn a_trustline_that_its_issuer_has_frozen_stakes_nothing() {
    for (flags, leave) in [(0, "frozen"), (2, "maintain")] {
        let desk = Desk::with_farmers(1, 100 * KALE);
        let farmer = &desk.farmers[0];
        let proxy = Proxy::start(&desk.network.url()).unwrap();
        let (frozen, kept): (Rewrite, Rewrite) =
            (|_, response| with_flags(response, 0), |_, response| with_flags(response, 2));
        let rewrite = if flags == 0 { frozen } else { kept };
        proxy.fault(Rule::new(Fault::Custom(rewrite)).on_method("getLedgerEntries"));
        desk.write_config(&[proxy.url()], "kale.cap_stake = false");
        let envelope = desk.run("farmer check-funding").fails(5, "check_failed");
        let shown = line(&envelope["data"], farmer);
        assert_eq!(
            (&shown["lacks"][0]["reason"], &shown["kale_leave"]),
            (&json!("not_authorized"), &json!(leave))
        );
        let envelope = desk.run("plant").fails(4, "not_ready");
        assert_eq!(line(&envelope["data"], farmer)["reason"], "not_authorized");
        assert_eq!(operations(&desk, "plant"), [""; 0]);
        assert_eq!(alerts(&desk), [format!("not_ready {}", farmer.id)]);
        proxy.heal();
        assert_eq!(desk.run("plant").json()["planted"], 1);
        assert_eq!(alerts(&desk), [""; 0]);
    }
}

#[test]
fn what_offers_sell_is_not_staked_and_what_they_buy_takes_room() {
    let desk = Desk::with_farmers(1, 100 * KALE);
    let farmer = &desk.farmers[0];
    limit(&desk, farmer, 100 * KALE + 2_505 * KALE + 30 * KALE);
    let proxy = Proxy::start(&desk.network.url()).unwrap();
    desk.write_config(&[proxy.url()], "kale.cap_stake = false");
    desk.ripen();
    let offers = |buying, selling| -> Rewrite {
        match (buying, selling) {
            (31, 0) => |_, response| with_offers(response, 31, 0),
            _ => |_, response| with_offers(response, 30, 60),
        }
    };
    proxy.fault(Rule::new(Fault::Custom(offers(31, 0))).on_method("getLedgerEntries"));
    let envelope = desk.run("plant").fails(4, "not_ready");
    assert_eq!(line(&envelope["data"], farmer)["reason"], "trustline_full");
    assert_eq!(operations(&desk, "plant"), [""; 0]);
    proxy.heal();
    proxy.fault(Rule::new(Fault::Custom(offers(30, 60))).on_method("getLedgerEntries"));
    let data = desk.run("farmer check-funding").json();
    let shown = line(&data, farmer);
    assert_eq!(
        [&shown["kale"], &shown["kale_buying"], &shown["kale_selling"], &shown["kale_room"]],
        ["40.0000000", "30.0000000", "60.0000000", "2505.0000000"]
    );
    // A quarter of what can be moved.
    assert_eq!(desk.run("plant").json()["staked"], "10.0000000");
}

/// Ledger entries whose trustlines have such offers out, in KALE.
fn with_offers(response: Value, buying: i64, selling: i64) -> Value {
    with_trustline(response, |line| {
        let liabilities = Liabilities { buying: buying * KALE, selling: selling * KALE };
        line.ext = TrustLineEntryExt::V1(TrustLineEntryV1 { liabilities, ext: TrustLineEntryV1Ext::V0 });
    })
}

/// Ledger entries whose trustlines have these flags.
fn with_flags(response: Value, flags: u32) -> Value {
    with_trustline(response, |line| line.flags = flags)
}

/// Ledger entries with their trustlines changed.
fn with_trustline(mut response: Value, change: impl Fn(&mut TrustLineEntry)) -> Value {
    for entry in response["result"]["entries"].as_array_mut().into_iter().flatten() {
        let text = entry["xdr"].as_str().unwrap();
        let mut data = LedgerEntryData::from_xdr_base64(text, Limits::none()).unwrap();
        if let LedgerEntryData::Trustline(line) = &mut data {
            change(line);
        }
        entry["xdr"] = data.to_xdr_base64(Limits::none()).unwrap().into();
    }
    response
}
