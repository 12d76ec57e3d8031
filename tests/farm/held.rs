//! Pails about which the chain contradicts itself: they are held, nothing of them is booked, and the operator decides. The
//! contract never does it, so a proxy before the real network alters what is answered.

use crate::desk::{Desk, Farmer, KALE};
use poolctl_testkit::{Fault, Proxy, Rule};
use serde_json::{Value, json};
use stellar::xdr::{LedgerEntryData, Limits, ReadXdr, ScSymbol, ScVal, TransactionMeta, WriteXdr};

/// A farmer whose worked pail of block 0 can be harvested, and a proxy that every command goes through.
fn ended() -> (Desk, Farmer, Proxy) {
    let desk = Desk::with_farmers(1, 1_000 * KALE);
    desk.configure("kale.cap_stake = false");
    desk.run("plant").json();
    desk.network.advance(3).unwrap();
    let farmer = desk.farmers[0].clone();
    desk.work(&farmer, 1);
    // A look while the block is open is how the work of another hand is learnt of.
    desk.run("harvest").json();
    desk.ripen();
    desk.run("plant").json();
    let proxy = Proxy::start(&desk.network.url()).unwrap();
    desk.write_config(&[proxy.url()], "kale.cap_stake = false");
    (desk, farmer, proxy)
}

/// The harvest returned one stroop more than it did.
fn one_more_returned(_: &Value, mut response: Value) -> Value {
    if let Some(text) = response["result"]["resultMetaXdr"].as_str() {
        let mut meta = TransactionMeta::from_xdr_base64(text, Limits::none()).unwrap();
        let TransactionMeta::V4(inner) = &mut meta else { panic!("{meta:?}") };
        let value = inner.soroban_meta.as_mut().unwrap().return_value.as_mut().unwrap();
        let ScVal::I128(parts) = &*value else { panic!("{value:?}") };
        *value = ScVal::from(i128::from(parts) + 1);
        response["result"]["resultMetaXdr"] = meta.to_xdr_base64(Limits::none()).unwrap().into();
    }
    response
}

/// Every pail holds one stroop more than it does.
fn one_more_staked(_: &Value, mut response: Value) -> Value {
    let entries = response["result"]["entries"].as_array_mut().unwrap();
    for entry in entries {
        let text = entry["xdr"].as_str().unwrap();
        let mut data = LedgerEntryData::from_xdr_base64(text, Limits::none()).unwrap();
        let LedgerEntryData::ContractData(inner) = &mut data else { continue };
        let ScVal::Map(Some(map)) = &mut inner.val else { continue };
        let mut fields = map.to_vec();
        let stake = ScVal::Symbol(ScSymbol("stake".try_into().unwrap()));
        let Some(field) = fields.iter_mut().find(|field| field.key == stake) else { continue };
        let ScVal::I128(parts) = &field.val else { panic!("{field:?}") };
        field.val = ScVal::from(i128::from(parts) + 1);
        map.0 = fields.try_into().unwrap();
        entry["xdr"] = data.to_xdr_base64(Limits::none()).unwrap().into();
    }
    response
}

/// The endpoint remembers the last few ledgers only.
fn short_memory(_: &Value, mut response: Value) -> Value {
    let latest = response["result"]["latestLedger"].as_u64().unwrap();
    response["result"]["oldestLedger"] = (latest - 3).into();
    response
}

/// The whole ledger.
fn ledger(desk: &Desk) -> Vec<String> {
    desk.column(
        "SELECT owner_kind || owner || purpose || amount FROM ledger_entries
         JOIN ledger_accounts ON id = account_id ORDER BY event_id, line",
    )
}

/// What must hold of the one pail of block 0 that is held for this reason.
#[track_caller]
fn is_held(desk: &Desk, reason: &str, ledger_before: &[String]) {
    assert_eq!(desk.column("SELECT held FROM open_pails WHERE block_index = 0"), [reason]);
    assert_eq!(desk.column("SELECT outcome || ' ' || reason FROM harvests"), [format!("failed {reason}")]);
    assert_eq!(ledger(desk), ledger_before, "nothing is booked");
    let alerts = desk.column("SELECT kind FROM farm_alerts WHERE closed_at IS NULL");
    assert_eq!(alerts, ["pail_held"]);
    let told = "SELECT json_extract(payload, '$.reason') FROM events WHERE kind = 'harvest.failed'";
    assert_eq!(desk.column(told), [reason]);
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM events WHERE kind = 'farm.alert.opened'"), 1);
    desk.is_sound();
}

#[test]
fn a_harvest_whose_mint_is_not_stake_and_reward_is_held_and_not_booked() {
    let (desk, farmer, proxy) = ended();
    proxy.fault(Rule::new(Fault::Custom(one_more_returned)).on_method("getTransaction"));
    let (before, had) = (ledger(&desk), desk.kale_of(&farmer));
    let envelope = desk.run("harvest").fails(5, "drift");
    let pail = &envelope["data"]["pails"][0];
    assert_eq!(
        (&pail["status"], &pail["reason"]),
        (&json!("failed"), &json!("mint_disagrees")),
        "{envelope}"
    );
    assert_eq!(envelope["data"]["harvested"], 0);
    assert!(desk.kale_of(&farmer) > had, "the chain did pay");
    is_held(&desk, "mint_disagrees", &before);
    let why = desk.column("SELECT message FROM farm_alerts")[0].clone();
    assert!(why.contains("block 0: minted"), "{why}");
    // Even where the answers are right again, it waits for the operator.
    proxy.heal();
    desk.run("harvest").fails(5, "drift");
    is_held(&desk, "mint_disagrees", &before);
}

#[test]
fn a_pail_that_shows_another_stake_is_held_and_nothing_is_sent() {
    let (desk, farmer, proxy) = ended();
    proxy.fault(Rule::new(Fault::Custom(one_more_staked)).on_method("getLedgerEntries"));
    let before = ledger(&desk);
    let envelope = desk.run("harvest").fails(5, "drift");
    let pail = &envelope["data"]["pails"][0];
    assert_eq!(
        (&pail["status"], &pail["reason"]),
        (&json!("failed"), &json!("stake_disagrees")),
        "{envelope}"
    );
    assert!(!proxy.methods().contains(&"sendTransaction".to_owned()));
    is_held(&desk, "stake_disagrees", &before);
    proxy.heal();
    desk.run("harvest").fails(5, "drift");
    is_held(&desk, "stake_disagrees", &before);
    assert!(desk.pail(&farmer, 0).is_some());
}

fn is_open(desk: &Desk, kind: &str) -> bool {
    let sql = format!("SELECT count(*) FROM farm_alerts WHERE kind = '{kind}' AND closed_at IS NULL");
    desk.value::<i64>(&sql) == 1
}

#[test]
fn a_released_pail_is_booked_by_what_the_chain_minted() {
    let (desk, farmer, proxy) = ended();
    let had = desk.kale_of(&farmer);
    proxy.fault(Rule::new(Fault::Custom(one_more_returned)).on_method("getTransaction"));
    desk.run("harvest").fails(5, "drift");
    proxy.heal();
    let minted = desk.kale_of(&farmer) - had;
    let line = format!("harvest --release {} --block 0", farmer.address);
    let before = ledger(&desk);
    desk.run(&line).fails(4, "needs_confirmation");
    let dry = desk.run(&format!("{line} --dry-run")).json();
    assert_eq!(dry["status"], "would_release");
    is_held(&desk, "mint_disagrees", &before);
    let data = desk.run(&format!("{line} --yes")).json();
    assert_eq!((&data["status"], &data["held"]), (&json!("released"), &json!("mint_disagrees")));
    assert!(!is_open(&desk, "pail_held"));
    assert_eq!(ledger(&desk), before, "a release books nothing");
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM events WHERE kind = 'harvest.released'"), 1);
    desk.run(&format!("{line} --yes")).fails(2, "invalid_value");
    let data = desk.run("harvest").json();
    let pail = &data["pails"][0];
    assert_eq!(pail["status"], "harvested_elsewhere");
    let stroops = |amount: &Value| amount.as_str().unwrap().replace('.', "").parse::<i128>().unwrap();
    assert_eq!(stroops(&pail["stake"]) + stroops(&pail["reward"]), minted);
    assert_eq!(desk.booked("chain", "sandbox", "mint"), -stroops(&pail["reward"]));
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM foreign_mints"), 1);
    desk.run(&format!("{line} --yes")).fails(2, "invalid_value");
    desk.is_sound();
}

#[test]
fn a_released_pail_that_is_still_there_is_harvested() {
    let (desk, farmer, proxy) = ended();
    proxy.fault(Rule::new(Fault::Custom(one_more_staked)).on_method("getLedgerEntries"));
    desk.run("harvest").fails(5, "drift");
    // It is there: it cannot be given up.
    desk.run(&format!("harvest --record-lost {} --block 0 --yes", farmer.id)).fails(2, "conflict");
    let release = format!("harvest --release {} --block 0 --yes", farmer.id);
    desk.run(&release).exits(0);
    desk.run("harvest").fails(5, "drift");
    assert!(is_open(&desk, "pail_held"), "as long as the answers are wrong, it is held again");
    let why: String =
        desk.value("SELECT message FROM farm_alerts WHERE kind = 'pail_held' AND closed_at IS NULL");
    assert!(why.starts_with("block 0: "), "whoever releases it must name the block: {why}");
    proxy.heal();
    desk.run(&release).exits(0);
    let data = desk.run("harvest").json();
    assert_eq!(data["pails"][0]["status"], "harvested");
    assert!(!is_open(&desk, "pail_held"));
    desk.is_sound();
}

#[test]
fn only_a_held_pail_of_ours_can_be_released() {
    let (desk, farmer, _proxy) = ended();
    let version = "SELECT value FROM meta WHERE key = 'data_version'";
    let before = desk.value::<String>(version);
    desk.run(&format!("harvest --release {} --block 0 --yes", farmer.id)).fails(2, "invalid_value");
    desk.run(&format!("harvest --release {} --block 9 --yes", farmer.id)).fails(2, "invalid_value");
    desk.run("harvest --release nobody --block 0 --yes").fails(2, "unknown_farmer");
    desk.run(&format!("harvest --release {} --yes", farmer.id)).fails(2, "usage");
    desk.run("harvest --block 0").fails(2, "usage");
    assert_eq!(desk.value::<String>(version), before);
}

#[test]
fn a_pail_whose_payment_may_be_out_of_sight_stays_open_until_it_is_seen() {
    let (desk, farmer, proxy) = ended();
    let had = desk.kale_of(&farmer);
    desk.harvest(&farmer, &farmer, 0);
    let minted = desk.kale_of(&farmer) - had;
    desk.network.advance(10).unwrap();
    proxy.fault(Rule::new(Fault::Custom(short_memory)).on_method("getHealth"));
    let before = ledger(&desk);
    for _ in 0..2 {
        let envelope = desk.run("harvest").fails(5, "drift");
        assert_eq!(envelope["data"]["pails"][0]["reason"], "out_of_sight", "{envelope}");
        assert!(envelope["error"]["hint"].as_str().unwrap().contains("--record-lost"), "{envelope}");
        assert_eq!(ledger(&desk), before, "nothing is booked");
        assert!(is_open(&desk, "pail_out_of_sight"));
    }
    let opened = "SELECT count(*) FROM events WHERE kind = 'farm.alert.opened'";
    assert_eq!(desk.value::<i64>(opened), 1);
    desk.is_sound();
    // An endpoint that remembers more.
    proxy.heal();
    // What was paid cannot be given up.
    desk.run(&format!("harvest --record-lost {} --block 0 --yes", farmer.id)).fails(2, "conflict");
    let data = desk.run("harvest").json();
    assert_eq!(data["pails"][0]["status"], "harvested_elsewhere");
    assert_eq!(desk.booked("chain", "sandbox", "mint"), i128::from(250 * KALE) - minted);
    assert!(!is_open(&desk, "pail_out_of_sight"));
    desk.is_sound();
}

#[test]
fn a_pail_that_is_out_of_sight_is_lost_when_the_operator_says_so() {
    let (desk, farmer, proxy) = ended();
    desk.network.advance_over(20_000, 100_000).unwrap();
    proxy.fault(Rule::new(Fault::Custom(short_memory)).on_method("getHealth"));
    // The pail of block 1, which is open as far as the farm knows, is out of sight too, and not yet due.
    desk.run("harvest").fails(5, "drift");
    let before = ledger(&desk);
    let line = format!("harvest --record-lost {} --block 0", farmer.address);
    desk.run(&line).fails(4, "needs_confirmation");
    assert_eq!(desk.run(&format!("{line} --dry-run")).json()["status"], "would_lose");
    desk.run(&format!("harvest --record-lost {} --block 1 --yes", farmer.address)).fails(4, "not_ready");
    assert_eq!(ledger(&desk), before);
    let data = desk.run(&format!("{line} --yes")).json();
    assert_eq!((&data["status"], &data["fault"]), (&json!("lost"), &json!("operator")), "{data}");
    assert_eq!(desk.booked("chain", "sandbox", "lost"), i128::from(250 * KALE));
    let told = "SELECT kind FROM events WHERE kind IN ('harvest.written_off', 'harvest.lost') ORDER BY id";
    assert_eq!(desk.column(told), ["harvest.written_off", "harvest.lost"]);
    assert!(!is_open(&desk, "pail_out_of_sight"));
    desk.run(&format!("{line} --yes")).fails(2, "invalid_value");
    desk.is_sound();
}
