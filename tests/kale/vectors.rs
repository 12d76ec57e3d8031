//! Reading `tests/kale.json`.

use kale::{Block, Pail};
use serde_json::Value;

pub fn vectors() -> Value {
    serde_json::from_str(include_str!("../kale.json")).unwrap()
}

pub fn stroops(value: &Value) -> i128 {
    value.as_str().unwrap().parse().unwrap()
}

pub fn number(value: &Value) -> u32 {
    value.as_u64().unwrap().try_into().unwrap()
}

pub fn bytes32(value: &Value) -> [u8; 32] {
    alloy::hex::decode(value.as_str().unwrap()).unwrap().try_into().unwrap()
}

/// A block; what a vector leaves out is zero.
pub fn block(value: &Value) -> Block {
    let amount = |name: &str| value.get(name).map_or(0, stroops);
    Block {
        entropy: value.get("entropy").map_or([0; 32], bytes32),
        max_gap: number(&value["max_gap"]),
        max_stake: stroops(&value["max_stake"]),
        max_zeros: number(&value["max_zeros"]),
        min_gap: number(&value["min_gap"]),
        min_stake: stroops(&value["min_stake"]),
        min_zeros: number(&value["min_zeros"]),
        normalized_total: amount("normalized_total"),
        staked_total: amount("staked_total"),
        timestamp: value.get("timestamp").map_or(0, |time| time.as_u64().unwrap()),
    }
}

pub fn pail(value: &Value) -> Pail {
    let optional = |name: &str| (!value[name].is_null()).then(|| number(&value[name]));
    Pail {
        gap: optional("gap"),
        sequence: number(&value["sequence"]),
        stake: stroops(&value["stake"]),
        zeros: optional("zeros"),
    }
}
