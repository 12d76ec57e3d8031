//! What shows that a withdrawal happened, and what does not: receipts that failed, that are somebody else's, that are gone.

use super::desk::{Desk, says};
use super::withdrawals::{desk, free, only, redeem, request};
use poolctl_testkit::abi::Vault;
use poolctl_testkit::alloy::primitives::{B256, U256};
use poolctl_testkit::{Receipt, units};
use serde_json::json;

/// Demands that a transaction does not complete the withdrawal, for this code and these words, and changes nothing.
#[track_caller]
fn refused(desk: &Desk, id: i64, tx: B256, exit: i32, code: &str, words: &[&str]) {
    let line = format!("withdrawal complete {id} --tx {tx}");
    let envelope = desk.unchanged(|| desk.run(&line).fails(exit, code));
    says(&envelope["error"]["message"], &[&tx.to_string()]);
    says(&envelope["error"]["message"], words);
}

fn shares_to(desk: &Desk, to: poolctl_testkit::alloy::primitives::Address, shares: U256) -> Receipt {
    let world = &desk.world;
    world.transfer_shares(world.six.vault, world.alice, to, shares).unwrap()
}

#[test]
fn only_the_withdrawals_own_movement_completes_it() {
    let desk = desk();
    let (world, node) = (&desk.world, &desk.world.node);
    let (alice, bob, carol) = (world.alice, world.bob, world.carol);
    let older = redeem(&desk, alice, units(100, 6)).tx;
    node.mine(2).unwrap();
    desk.run("sync").ok();
    let id = request(&desk, "100");

    let redeem_all = |shares| Vault::redeemCall { shares, receiver: alice, owner: alice };
    let failed = node.send_with_gas(alice, world.six.vault, &redeem_all(units(9_999, 6)), 500_000).unwrap();
    assert!(!failed.success);
    let other_pool = node.send(alice, world.eighteen.vault, &redeem_all(units(100, 6))).unwrap().tx;
    let other_member = redeem(&desk, bob, units(100, 6)).tx;
    let less = redeem(&desk, alice, units(100, 6) - U256::ONE).tx;
    let more = redeem(&desk, alice, units(100, 6) + U256::ONE).tx;
    let to_her = world.transfer_shares(world.six.vault, bob, alice, units(100, 6)).unwrap().tx;
    let to_herself = shares_to(&desk, alice, units(100, 6)).tx;
    let no_shares = world.mint(world.six.asset, alice, units(100, 6)).unwrap().tx;
    let check = || {
        let mismatch = "transaction_mismatch";
        refused(&desk, id, failed.tx, 1, "transaction_failed", &["failed in block"]);
        refused(&desk, id, other_pool, 4, mismatch, &["moves no shares of pool \"stable\""]);
        refused(&desk, id, other_member, 4, mismatch, &["takes no shares of pool \"stable\" from alice"]);
        refused(&desk, id, less, 4, mismatch, &["takes 99.999999 tv from alice", "is of 100.00 tv"]);
        refused(&desk, id, more, 4, mismatch, &["takes 100.000001 tv from alice"]);
        refused(&desk, id, to_her, 4, mismatch, &["takes no shares"]);
        refused(&desk, id, to_herself, 4, mismatch, &["takes no shares"]);
        refused(&desk, id, no_shares, 4, mismatch, &["moves no shares"]);
        refused(&desk, id, older, 4, mismatch, &["is older than withdrawal"]);
    };
    // Whether they are final makes no difference.
    check();
    node.mine(2).unwrap();
    check();
    refused(&desk, id, B256::repeat_byte(7), 2, "unknown_transaction", &["\"main\" does not know"]);
    let word = format!("withdrawal complete {id} --tx {older} --unverified");
    let envelope = desk.unchanged(|| desk.run(&word).fails(4, "transaction_mismatch"));
    says(&envelope["error"]["message"], &["is older than withdrawal"]);
    assert_eq!(only(&desk)["status"], "pending");

    // A transfer of exactly the shares to somebody who pays out is as good as a burn, and good for one.
    let moved = shares_to(&desk, carol, units(100, 6)).tx;
    node.mine(2).unwrap();
    let done = desk.json(&format!("withdrawal complete {id} --tx {moved}"));
    assert_eq!(done["withdrawal"]["verified"], true);
    let second = request(&desk, "100");
    for evidence in ["", " --unverified"] {
        let line = format!("withdrawal complete {second} --tx {moved}{evidence}");
        let envelope = desk.unchanged(|| desk.run(&line).fails(2, "conflict"));
        says(&envelope["error"]["message"], &[&moved.to_string(), &format!("withdrawal {id} already")]);
    }
    // A completed one has its transaction.
    let burn = redeem(&desk, alice, units(100, 6)).tx;
    node.mine(2).unwrap();
    let line = format!("withdrawal complete {id} --tx {burn}");
    let envelope = desk.unchanged(|| desk.run(&line).fails(2, "conflict"));
    says(&envelope["error"]["message"], &["was completed by transaction", &moved.to_string()]);
    desk.run(&format!("withdrawal complete {second} --tx {burn}")).ok();
    desk.run("sync").ok();
    desk.sound();
}

#[test]
fn a_waiting_transaction_is_noted_and_may_be_replaced() {
    let desk = desk();
    let (world, node) = (&desk.world, &desk.world.node);
    let id = request(&desk, "100");
    node.set_automine(false).unwrap();
    let alice = world.alice;
    let burn = Vault::redeemCall { shares: units(100, 6), receiver: alice, owner: alice };
    let waiting = node.submit(alice, world.six.vault, &burn).unwrap();
    let line = format!("withdrawal complete {id} --tx {waiting}");
    let envelope = desk.run(&line).fails(76, "outcome_unknown");
    says(&envelope["error"]["message"], &["is in no block yet"]);
    assert_eq!(only(&desk)["status"], "processing");
    desk.unchanged(|| desk.run(&line).fails(76, "outcome_unknown"));
    // It may land yet: nothing else can be done about it but by the operator's word.
    let fail = format!("withdrawal fail {id} --reason x");
    let envelope = desk.unchanged(|| desk.run(&fail).fails(76, "outcome_unknown"));
    says(&envelope["error"]["message"], &["waits to be taken into a block", "may still move the shares"]);
    says(&envelope["error"]["hint"], &["--unverified"]);
    free(&desk, 1_900);
    desk.sound();
    // It lands, and another one is named: the first has moved the shares.
    node.mine(1).unwrap();
    let other = node.submit(alice, world.six.vault, &burn).unwrap();
    node.mine(1).unwrap();
    for _ in 0..2 {
        let line = format!("withdrawal complete {id} --tx {other}");
        let envelope = desk.unchanged(|| desk.run(&line).fails(2, "conflict"));
        says(&envelope["error"]["message"], &[&waiting.to_string(), "moved its shares"]);
        node.mine(2).unwrap();
    }
    let envelope = desk.unchanged(|| desk.run(&fail).fails(2, "conflict"));
    says(&envelope["error"]["message"], &["its transaction moved the shares"]);
    assert_eq!(desk.json(&line)["withdrawal"]["status"], "completed");
    desk.run("sync").ok();
    free(&desk, 1_800);
    desk.sound();
}

#[test]
fn a_reorg_takes_a_transaction_that_was_not_final() {
    let desk = desk();
    let node = &desk.world.node;
    let id = request(&desk, "100");
    let alice = desk.world.alice;
    let gone = redeem(&desk, alice, units(100, 6)).tx;
    let line = format!("withdrawal complete {id} --tx {gone}");
    desk.run(&line).fails(76, "outcome_unknown");
    node.reorg(1).unwrap();
    node.mine(3).unwrap();
    let envelope = desk.unchanged(|| desk.run(&line).fails(76, "outcome_unknown"));
    says(&envelope["error"]["message"], &["is not known any more", "a reorg took it"]);
    let envelope =
        desk.unchanged(|| desk.run(&format!("withdrawal fail {id} --reason x")).fails(76, "outcome_unknown"));
    says(&envelope["error"]["message"], &["may still move the shares"]);
    free(&desk, 1_900);
    // Sent anew, it has another hash, and takes the place of the first.
    let call = Vault::redeemCall { shares: units(100, 6), receiver: alice, owner: alice };
    let anew = node.send_with_gas(alice, desk.world.six.vault, &call, 400_000).unwrap();
    assert!(anew.success && anew.tx != gone);
    node.mine(2).unwrap();
    let done = desk.json(&format!("withdrawal complete {id} --tx {}", anew.tx));
    assert_eq!(done["withdrawal"]["tx_hash"], json!(anew.tx));
    let told = format!(
        "SELECT payload ->> 'tx_before' FROM events WHERE subject = 'withdrawal {id}' ORDER BY id DESC LIMIT 1"
    );
    assert_eq!(desk.one(&told), gone.to_string());
    desk.run("sync").exits(0);
    free(&desk, 1_900);
    desk.sound();
}

#[test]
fn what_failed_for_good_is_given_up_and_its_transaction_with_it() {
    let desk = desk();
    let (world, node) = (&desk.world, &desk.world.node);
    let alice = world.alice;
    let id = request(&desk, "2000");
    // It waits, the shares go elsewhere, and so it fails.
    node.set_automine(false).unwrap();
    let away = Vault::transferCall { to: world.bob, shares: units(1_000, 6) };
    node.submit(alice, world.six.vault, &away).unwrap();
    let burn = Vault::redeemCall { shares: units(2_000, 6), receiver: alice, owner: alice };
    let transaction = json!([{ "from": alice, "to": world.six.vault, "gas": "0x7a120",
        "data": poolctl_testkit::alloy::hex::encode_prefixed(poolctl_testkit::alloy::sol_types::SolCall::abi_encode(&burn)) }]);
    let tx: B256 = serde_json::from_value(node.rpc("eth_sendTransaction", transaction).unwrap()).unwrap();
    desk.run(&format!("withdrawal complete {id} --tx {tx}")).fails(76, "outcome_unknown");
    node.mine(1).unwrap();
    assert!(!node.receipt(tx).unwrap().unwrap().success);
    refused(&desk, id, tx, 1, "transaction_failed", &["failed in block"]);
    let fail = format!("withdrawal fail {id} --reason reverted");
    let envelope = desk.unchanged(|| desk.run(&fail).fails(76, "outcome_unknown"));
    says(&envelope["error"]["message"], &["failed in a block that is not final yet"]);
    node.mine(2).unwrap();
    let failed = desk.json(&fail);
    assert_eq!(
        (&failed["withdrawal"]["status"], &failed["withdrawal"]["tx_hash"]),
        (&json!("failed"), &json!(null))
    );
    let told = format!(
        "SELECT payload ->> 'tx' FROM events WHERE subject = 'withdrawal {id}' ORDER BY id DESC LIMIT 1"
    );
    assert_eq!(desk.one(&told), tx.to_string());
    desk.run("sync").ok();
    free(&desk, 1_000);
    desk.sound();
}
