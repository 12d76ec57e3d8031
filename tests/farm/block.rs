//! `block`: what it shows of the chain.

use crate::desk::{Desk, KALE};
use serde_json::json;

#[test]
fn the_block_and_our_pails_are_shown_as_the_chain_has_them() {
    let desk = Desk::with_farmers(2, 1_000 * KALE);
    let data = desk.run("block").json();
    assert_eq!((&data["block"], &data["pails"], &data["paused"]), (&json!(0), &json!([]), &json!(false)));
    assert_eq!(data["reward"], "2505.0000000");
    desk.configure("kale.cap_stake = false");
    desk.run("plant").json();
    desk.network.advance(4).unwrap();
    let ada = &desk.farmers[0];
    desk.work(ada, 0);
    let data = desk.run("block").json();
    let pail = data["pails"].as_array().unwrap().iter().find(|pail| pail["address"] == ada.address).unwrap();
    let chain = desk.pail(ada, 0).unwrap();
    assert_eq!((&pail["gap"], &pail["zeros"]), (&json!(chain.gap), &json!(chain.zeros)));
    assert_eq!(pail["stake"], "250.0000000");
    let (ledger, _) = desk.network.latest().unwrap();
    assert_eq!(data["view"]["ledger"], ledger);
    let block = desk.block(0).unwrap();
    let staked: i128 = data["staked"].as_str().unwrap().replace('.', "").parse().unwrap();
    assert_eq!(staked, block.staked_total);
    // The only work there is takes the whole pot, forfeited stakes included.
    let pays: i128 = pail["pays"].as_str().unwrap().replace('.', "").parse().unwrap();
    assert_eq!(pays, 25_050_000_000 + block.staked_total);
}

#[test]
fn a_farm_that_is_not_there_is_said_so() {
    let desk = Desk::empty();
    let nowhere = "CDL74RF5BLYR2YBLCCI7F5FB6TPSCLKEJUBSD2RSVWZ4YHF3VMFAIGWA";
    desk.run("block").env("POOLCTL_KALE_CONTRACT_ID", nowhere).fails(1, "not_a_contract");
}
