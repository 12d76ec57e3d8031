//! Pails about which the chain contradicts itself: they are held, nothing of them is booked, and the operator decides. The
//! contract never does it, so a proxy before the real network alters what is answered.

use crate::desk::{Desk, Farmer, KALE};
use poolctl::stellar::xdr::{LedgerEntryData, Limits, ReadXdr, ScSymbol, ScVal, TransactionMeta, WriteXdr};
use poolctl_testkit::{Fault, Proxy, Rule};
use serde_json::{Value, json};

/// A farmer whose worked pail of block 0 can be harvested, and a proxy that every command goes through.
fn ended() -> (Desk, Farmer, Proxy) {
    let desk = Desk::with_farmers(1, 1_000 * KALE);
    desk.configure("kale.cap_stake = false");
    desk.run("plant").json();
    desk.network.advance(3).unwrap();
    let farmer = desk.farmers[0].clone();
    desk.work(&farmer, 1);
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
