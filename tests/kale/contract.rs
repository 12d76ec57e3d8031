//! Contract values as a server sends them: right ones are read, and each wrong one is an error that names the field.

use base::Code;
use kale::call::{Call, harvest_result, plant_result, work_result};
use kale::contract::{decode_block, decode_farm, decode_pail};
use kale::{Block, Entry, Farm, Pail};
use stellar_xdr::{
    ContractDataEntry, ContractExecutable, ContractId, ExtensionPoint, Hash, HostFunction, LedgerEntryData,
    LedgerKey, Limits, ScAddress, ScBytes, ScContractInstance, ScMap, ScMapEntry, ScVal, ScVec, WriteXdr,
};

const FARM: ContractId = ContractId(Hash([7; 32]));
const FARMER: &str = "GBQHTQ7NTSKHVTSVM6EHUO3TU4P4BK2TAAII25V2TT2Q6OWXUJWEKALE";

fn symbol(name: &str) -> ScVal {
    ScVal::Symbol(name.try_into().unwrap())
}

fn bytes(length: usize) -> ScVal {
    ScVal::Bytes(ScBytes(vec![9; length].try_into().unwrap()))
}

fn map(fields: &[(&str, ScVal)]) -> ScVal {
    let entries: Vec<ScMapEntry> =
        fields.iter().map(|(name, val)| ScMapEntry { key: symbol(name), val: val.clone() }).collect();
    ScVal::Map(Some(ScMap(entries.try_into().unwrap())))
}

fn block_fields() -> Vec<(&'static str, ScVal)> {
    vec![
        ("entropy", bytes(32)),
        ("max_gap", ScVal::U32(40)),
        ("max_stake", ScVal::from(1_i128 << 100)),
        ("max_zeros", ScVal::U32(9)),
        ("min_gap", ScVal::U32(3)),
        ("min_stake", ScVal::from(5_i128)),
        ("min_zeros", ScVal::U32(4)),
        ("normalized_total", ScVal::from(i128::MAX)),
        ("staked_total", ScVal::from(0_i128)),
        ("timestamp", ScVal::U64(1_700_000_000)),
    ]
}

fn block() -> Block {
    Block {
        entropy: [9; 32],
        max_gap: 40,
        max_stake: 1 << 100,
        max_zeros: 9,
        min_gap: 3,
        min_stake: 5,
        min_zeros: 4,
        normalized_total: i128::MAX,
        staked_total: 0,
        timestamp: 1_700_000_000,
    }
}

fn pail_fields() -> Vec<(&'static str, ScVal)> {
    vec![
        ("gap", ScVal::U32(12)),
        ("sequence", ScVal::U32(900)),
        ("stake", ScVal::from(77_i128)),
        ("zeros", ScVal::U32(0)),
    ]
}

/// The entry that a server returns for this key.
fn returned(entry: &Entry, val: ScVal) -> LedgerEntryData {
    let LedgerKey::ContractData(key) = entry.key(&FARM).unwrap() else { panic!("contract data") };
    LedgerEntryData::ContractData(ContractDataEntry {
        ext: ExtensionPoint::V0,
        contract: key.contract,
        key: key.key,
        durability: key.durability,
        val,
    })
}

#[test]
fn keys_are_those_of_the_network() {
    let farmer: ScAddress = FARMER.parse().unwrap();
    let xdr = |entry: Entry| entry.key(&FARM).unwrap().to_xdr(Limits::none()).unwrap();
    let contract = [&[0, 0, 0, 6, 0, 0, 0, 1][..], &[7; 32]].concat();
    // LedgerKeyContractInstance (20), persistent (1).
    assert_eq!(xdr(Entry::Instance), [&contract[..], &[0, 0, 0, 20, 0, 0, 0, 1]].concat());
    // Vec [Symbol "Block", U32 37], temporary (0).
    let key =
        [0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 15, 0, 0, 0, 5, b'B', b'l', b'o', b'c', b'k', 0, 0, 0];
    let tail = [0, 0, 0, 3, 0, 0, 0, 37, 0, 0, 0, 0];
    assert_eq!(xdr(Entry::Block(37)), [&contract[..], &key, &tail].concat());
    let key = [0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 15, 0, 0, 0, 4, b'P', b'a', b'i', b'l'];
    let raw = stellar_strkey::ed25519::PublicKey::from_string(FARMER).unwrap().0;
    let address = [&[0, 0, 0, 18, 0, 0, 0, 0, 0, 0, 0, 0][..], &raw].concat();
    assert_eq!(xdr(Entry::Pail(farmer, 37)), [&contract[..], &key, &address, &tail].concat());
}

#[test]
fn right_entries_are_read() {
    let farmer: ScAddress = FARMER.parse().unwrap();
    let data = returned(&Entry::Block(37), map(&block_fields()));
    assert_eq!(decode_block(&FARM, 37, &data).unwrap(), block());
    let entry = Entry::Pail(farmer.clone(), 37);
    let read =
        |fields: &[(&str, ScVal)]| decode_pail(&FARM, &farmer, 37, &returned(&entry, map(fields))).unwrap();
    let mut fields = pail_fields();
    let worked = Pail { gap: Some(12), sequence: 900, stake: 77, zeros: Some(0) };
    assert_eq!(read(&fields), worked);
    assert!(worked.worked(), "zero zeros is work");
    (fields[0].1, fields[3].1) = (ScVal::Void, ScVal::Void);
    let idle = Pail { gap: None, zeros: None, ..worked };
    assert_eq!(read(&fields), idle);
    assert!(!idle.worked());
}

#[test]
fn each_field_of_a_block_is_checked() {
    let refuse = |fields: &[(&str, ScVal)], field: &str| {
        let e = Block::decode("Block(37)", &map(fields)).unwrap_err();
        assert_eq!(e.code(), Code::BadReply);
        assert!(
            e.message().starts_with("Block(37): ") && e.message().contains(&format!("\"{field}\"")),
            "{e}"
        );
    };
    let good = block_fields();
    for (at, (name, value)) in good.iter().enumerate() {
        let mut missing = good.clone();
        missing.remove(at);
        refuse(&missing, name);
        let mut twice = good.clone();
        twice.insert(at, (name, value.clone()));
        refuse(&twice, name);
        for wrong in [ScVal::Void, ScVal::I32(1), ScVal::Bool(true), bytes(31), ScVal::from(-1_i128)] {
            let mut mistyped = good.clone();
            mistyped[at].1 = wrong;
            refuse(&mistyped, name);
        }
    }
    let mut more = good;
    more.push(("zest", ScVal::U32(1)));
    refuse(&more, "zest");
    for wrong in [ScVal::Void, ScVal::Map(None), ScVal::U32(1), ScVal::Vec(None)] {
        assert_eq!(Block::decode("Block(37)", &wrong).unwrap_err().code(), Code::BadReply);
    }
    let unnamed = ScMap(vec![ScMapEntry { key: ScVal::U32(1), val: ScVal::U32(1) }].try_into().unwrap());
    assert_eq!(Block::decode("b", &ScVal::Map(Some(unnamed))).unwrap_err().code(), Code::BadReply);
}

#[test]
fn each_field_of_a_pail_is_checked() {
    let refuse = |fields: &[(&str, ScVal)], field: &str| {
        let e = Pail::decode("Pail", &map(fields)).unwrap_err();
        assert_eq!(e.code(), Code::BadReply);
        assert!(e.message().contains(&format!("\"{field}\"")), "{e}");
    };
    let good = pail_fields();
    for (at, (name, _)) in good.iter().enumerate() {
        let mut missing = good.clone();
        missing.remove(at);
        refuse(&missing, name);
        for wrong in [ScVal::I32(1), ScVal::U64(1), ScVal::from(-1_i128)] {
            let mut mistyped = good.clone();
            mistyped[at].1 = wrong;
            refuse(&mistyped, name);
        }
    }
    for half in [0, 3] {
        let mut fields = good.clone();
        fields[half].1 = ScVal::Void;
        refuse(&fields, "gap");
    }
}

#[test]
fn another_entry_than_was_asked_for_is_refused() {
    let farmer: ScAddress = FARMER.parse().unwrap();
    let other = returned(&Entry::Block(38), map(&block_fields()));
    let e = decode_block(&FARM, 37, &other).unwrap_err();
    assert_eq!(e.message(), "Block(37): the server returned another entry than was asked for");
    let e = decode_block(&ContractId(Hash([8; 32])), 38, &other).unwrap_err();
    assert_eq!(e.code(), Code::BadReply);
    assert_eq!(decode_pail(&FARM, &farmer, 38, &other).unwrap_err().code(), Code::BadReply);
    assert_eq!(decode_farm(&FARM, &other).unwrap_err().code(), Code::BadReply);
}

fn instance(storage: Option<Vec<(ScVal, ScVal)>>) -> ScVal {
    let storage = storage.map(|entries| {
        let entries: Vec<ScMapEntry> =
            entries.into_iter().map(|(key, val)| ScMapEntry { key, val }).collect();
        ScMap(entries.try_into().unwrap())
    });
    ScVal::ContractInstance(ScContractInstance { executable: ContractExecutable::StellarAsset, storage })
}

fn named(name: &str) -> ScVal {
    ScVal::Vec(Some(ScVec(vec![symbol(name)].try_into().unwrap())))
}

#[test]
fn the_instance_has_defaults_only_where_the_contract_has() {
    let bare = Farm { index: 0, open: None, paused: false, asset: None };
    let read = |val| decode_farm(&FARM, &returned(&Entry::Instance, val));
    assert_eq!(read(instance(None)).unwrap(), bare);
    let asset = ContractId(Hash([5; 32]));
    let full = instance(Some(vec![
        (named("FarmBlock"), map(&block_fields())),
        (named("FarmIndex"), ScVal::U32(37)),
        (named("FarmPaused"), ScVal::Bool(true)),
        (named("HomesteadAsset"), ScVal::Address(ScAddress::Contract(asset.clone()))),
        (named("Homesteader"), ScVal::Address(FARMER.parse().unwrap())),
        (symbol("FarmIndex"), ScVal::U32(1)),
    ]));
    let want = Farm { index: 37, open: Some(block()), paused: true, asset: Some(asset) };
    assert_eq!(read(full).unwrap(), want);
    for (name, wrong) in [
        ("FarmIndex", ScVal::U64(1)),
        ("FarmPaused", ScVal::U32(0)),
        ("FarmBlock", ScVal::Void),
        ("HomesteadAsset", ScVal::Address(FARMER.parse().unwrap())),
    ] {
        let e = read(instance(Some(vec![(named(name), wrong)]))).unwrap_err();
        assert_eq!(e.code(), Code::BadReply);
        assert!(e.message().contains(name), "{e}");
    }
    assert_eq!(read(ScVal::Void).unwrap_err().code(), Code::BadReply);
    // The contract stores no number before block 1, be there plants in block 0 or not.
    let opened = |open: &[(&str, ScVal)]| read(instance(Some(vec![(named("FarmBlock"), map(open))])));
    let first = opened(&block_fields()).unwrap();
    assert_eq!((first.index, first.due()), (0, Some(1_700_000_300)));
    assert_eq!(bare.due(), None);
}

#[test]
fn an_open_block_that_saw_no_stake_is_as_the_contract_sets_it_up() {
    let with = |stakes: [(&str, i128); 2]| {
        let mut fields = block_fields();
        for (name, stake) in stakes {
            fields
                .iter_mut()
                .filter(|(field, _)| *field == name)
                .for_each(|(_, val)| *val = ScVal::from(stake));
        }
        map(&fields)
    };
    let read = |open| {
        let storage = instance(Some(vec![(named("FarmBlock"), open)]));
        decode_farm(&FARM, &returned(&Entry::Instance, storage))
    };
    let unseen = [("max_stake", i128::MIN), ("min_stake", i128::MAX)];
    let open = read(with(unseen)).unwrap().open.unwrap();
    assert_eq!((open.max_stake, open.min_stake), (i128::MIN, i128::MAX));
    // Half of it is nothing that the contract stores, and a block has seen something or says 0.
    for half in [[("max_stake", i128::MIN), ("min_stake", 5)], [("max_stake", -1), ("min_stake", i128::MAX)]]
    {
        let e = read(with(half)).unwrap_err();
        assert!(e.code() == Code::BadReply && e.message().contains("\"max_stake\""), "{e}");
    }
    let e = Block::decode("Block(1)", &with(unseen)).unwrap_err();
    assert!(e.code() == Code::BadReply && e.message().contains("\"max_stake\""), "{e}");
}

#[test]
fn calls_carry_their_arguments_in_order() {
    let farmer: ScAddress = FARMER.parse().unwrap();
    let who = ScVal::Address(farmer.clone());
    for (call, name, rest) in [
        (Call::Plant { farmer: farmer.clone(), amount: 12 }, "plant", vec![ScVal::from(12_i128)]),
        (
            Call::Work { farmer: farmer.clone(), hash: [9; 32], nonce: u64::MAX },
            "work",
            vec![bytes(32), ScVal::U64(u64::MAX)],
        ),
        (Call::Harvest { farmer: farmer.clone(), index: 37 }, "harvest", vec![ScVal::U32(37)]),
    ] {
        let HostFunction::InvokeContract(invoked) = call.function(&FARM).unwrap() else { panic!("{name}") };
        assert_eq!(invoked.contract_address, ScAddress::Contract(FARM));
        assert_eq!(invoked.function_name.to_utf8_string_lossy(), name);
        assert_eq!(invoked.args.to_vec(), [vec![who.clone()], rest].concat());
    }
    let negative = Call::Plant { farmer, amount: -1 };
    assert_eq!(negative.arguments().unwrap_err().code(), Code::Bug);
}

#[test]
fn results_are_read_strictly() {
    assert!(plant_result(&ScVal::Void).is_ok());
    assert!(plant_result(&ScVal::U32(0)).is_err());
    assert_eq!(work_result(&ScVal::U32(3)).unwrap(), 3);
    for wrong in [ScVal::U32(0), ScVal::Void, ScVal::U64(3)] {
        assert_eq!(work_result(&wrong).unwrap_err().code(), Code::BadReply);
    }
    assert_eq!(harvest_result(&ScVal::from(0_i128)).unwrap(), 0);
    assert_eq!(harvest_result(&ScVal::from(i128::MAX)).unwrap(), i128::MAX);
    for wrong in [ScVal::from(-1_i128), ScVal::Void, ScVal::U64(3)] {
        assert_eq!(harvest_result(&wrong).unwrap_err().code(), Code::BadReply);
    }
}
