//! An endpoint that gives a wrong number for the block: nothing is recorded under it.

use crate::desk::{Desk, KALE, ended, until};
use crate::same::{STAKES, facts, same};
use poolctl_testkit::{Fault, Proxy, Rule};
use serde_json::{Value, json};
use stellar::xdr::{LedgerEntryData, Limits, ReadXdr, ScMapEntry, ScVal, WriteXdr};

/// The answer with another `FarmIndex` in the farm's instance, or without one.
fn told(mut response: Value, number: Option<u32>) -> Value {
    let entries = response["result"]["entries"].as_array_mut();
    for entry in entries.into_iter().flatten() {
        let text = entry["xdr"].as_str().unwrap().to_owned();
        let Ok(LedgerEntryData::ContractData(mut data)) =
            LedgerEntryData::from_xdr_base64(&text, Limits::none())
        else {
            continue;
        };
        let ScVal::ContractInstance(instance) = &mut data.val else { continue };
        let Some(storage) = &mut instance.storage else { continue };
        let key = vec![ScVal::Symbol("FarmIndex".try_into().unwrap())];
        let key = ScVal::Vec(Some(key.try_into().unwrap()));
        let mut kept: Vec<ScMapEntry> = storage.0.to_vec();
        kept.retain(|entry| entry.key != key);
        kept.extend(number.map(|number| ScMapEntry { key, val: ScVal::U32(number) }));
        storage.0 = kept.try_into().unwrap();
        let lie = LedgerEntryData::ContractData(data);
        entry["xdr"] = json!(lie.to_xdr_base64(Limits::none()).unwrap());
    }
    response
}

fn says<const NUMBER: u32>(_: &Value, response: Value) -> Value {
    told(response, Some(NUMBER))
}

fn says_none(_: &Value, response: Value) -> Value {
    told(response, None)
}

type Lie = (&'static str, fn(&Value, Value) -> Value);

/// What an endpoint may say of block 5.
const LIES: &[Lie] = &[
    ("none", says_none),
    ("the first", says::<1>),
    ("the one before", says::<4>),
    ("the next", says::<6>),
    ("far ahead", says::<9>),
    ("absurd", says::<{ u32::MAX }>),
];

/// Two farmers with worked pails in block 4 and pails in block 5, where planting was begun in block 3.
fn in_block_5() -> Desk {
    let desk = Desk::with_farmers(2, 1_000 * KALE);
    desk.configure(STAKES);
    let stranger = desk.stranger();
    while desk.farm().index < 3 {
        desk.ripen();
        desk.plant(&stranger, 0);
    }
    for index in [4, 5] {
        desk.ripen();
        assert_eq!(desk.run("plant").json()["block"], index);
        desk.network.advance(1).unwrap();
        for farmer in desk.farmers.iter().filter(|_| index == 4) {
            desk.work(farmer, 1);
        }
    }
    desk
}

fn version(desk: &Desk) -> String {
    desk.value("SELECT value FROM meta WHERE key = 'data_version'")
}

#[test]
fn a_wrong_number_is_the_endpoints_fault_and_changes_nothing() {
    let desk = in_block_5();
    let (before, version) = (facts(&desk), version(&desk));
    for (name, lie) in LIES {
        let proxy = Proxy::start(&desk.network.url()).unwrap();
        proxy.fault(Rule::new(Fault::Custom(*lie)).on_method("getLedgerEntries"));
        desk.write_config(&[proxy.url()], STAKES);
        for line in ["block", "farm plan", "plant", "work --deadline 1s", "harvest"] {
            let envelope = desk.run(line).fails(75, "bad_reply");
            let message = envelope["error"]["message"].as_str().unwrap();
            assert!(message.contains("FarmIndex"), "{line}, {name}: {message}");
            assert_eq!(self::version(&desk), version, "{line}, {name}");
        }
        same(&before, &facts(&desk), name);
    }
}

#[test]
fn a_run_bears_with_it_for_a_while() {
    let desk = in_block_5();
    let proxy = Proxy::start(&desk.network.url()).unwrap();
    proxy.fault(Rule::new(Fault::Custom(says::<9>)).on_method("getLedgerEntries"));
    desk.write_config(&[proxy.url()], STAKES);
    let (before, version) = (facts(&desk), version(&desk));
    let child = desk.run("farm run --once").arg("--json").spawn();
    let asked = || proxy.methods().iter().filter(|method| *method == "getLedgerEntries").count();
    until("it has asked again and again", || asked() > 12);
    same(&before, &facts(&desk), "while it is lied to");
    assert_eq!(self::version(&desk), version);
    proxy.heal();
    let ledgers = desk.ledgers();
    let ran = ended(child);
    drop(ledgers);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let data = &ran.last()["data"];
    assert_eq!((&data["worked"], &data["harvested"]), (&json!(2), &json!(2)), "{data}");
    let blocks = desk.column("SELECT DISTINCT block_index || '' FROM plantings ORDER BY block_index");
    assert_eq!(blocks, ["4", "5"]);
    desk.is_sound();
}

#[test]
fn the_right_number_is_taken_from_the_next_endpoint() {
    let desk = in_block_5();
    for (name, lie) in LIES {
        let copy = desk.fork();
        let proxy = Proxy::start(&copy.network.url()).unwrap();
        proxy.fault(Rule::new(Fault::Custom(*lie)).on_method("getLedgerEntries"));
        copy.write_config(&[proxy.url(), copy.network.url()], STAKES);
        let envelope = copy.run("block --json").exits(0).last();
        assert_eq!(envelope["data"]["block"], 5, "{name}");
        assert!(envelope["warnings"].to_string().contains("FarmIndex"), "{name}: {envelope}");
        assert_eq!(copy.run("harvest --json").exits(0).last()["data"]["harvested"], 2, "{name}");
        let blocks = copy.column("SELECT DISTINCT block_index || '' FROM plantings ORDER BY block_index");
        assert_eq!(blocks, ["4", "5"], "{name}");
        copy.is_sound();
    }
}
