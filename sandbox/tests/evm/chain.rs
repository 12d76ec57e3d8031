//! The chain rewritten: time, snapshots, reorgs, states set by hand.

use poolctl_sandbox::evm::{Evm, EvmOptions};
use serde_json::{Value, json};

use super::wire::{account, call, error, number, start, start_with};

fn pay(evm: &Evm, from: usize) -> Value {
    call(evm, "eth_sendTransactionSync", json!([{"from": account(from), "to": account(9), "value": "0x1"}]))
}

fn block_hash(evm: &Evm, number: u64) -> Value {
    call(evm, "eth_getBlockByNumber", json!([format!("{number:#x}"), false]))["hash"].clone()
}

fn time(evm: &Evm) -> u64 {
    evm.head().unwrap().timestamp - 1_700_000_000
}

#[test]
fn time_goes_as_it_is_told() {
    let evm = start();
    call(&evm, "anvil_mine", json!(["0x2"]));
    assert_eq!(time(&evm), 24);
    call(&evm, "anvil_mine", json!(["0x2", "0x64"]));
    assert_eq!(time(&evm), 224);
    call(&evm, "evm_setNextBlockTimestamp", json!([1_700_001_000]));
    pay(&evm, 1);
    assert_eq!(time(&evm), 1_000);
    assert_eq!(call(&evm, "evm_increaseTime", json!([100])), 100);
    assert_eq!(call(&evm, "evm_increaseTime", json!(["0x32"])), 150);
    call(&evm, "evm_mine", json!([]));
    assert_eq!(time(&evm), 1_162);
    call(&evm, "evm_mine", json!([1_700_002_000]));
    assert_eq!(time(&evm), 2_000);
    call(&evm, "anvil_setBlockTimestampInterval", json!([5]));
    evm.mine(2).unwrap();
    assert_eq!(time(&evm), 2_010);
    call(&evm, "anvil_removeBlockTimestampInterval", json!([]));
    assert_eq!(call(&evm, "sandbox_advance", json!({"blocks": 4, "seconds": 10}))["number"], 13);
    assert_eq!(time(&evm), 2_020);
    assert_eq!(call(&evm, "sandbox_advance", json!({"seconds": 3_600}))["timestamp"], 1_700_005_620_u64);
    assert_eq!(evm.head().unwrap().number, 13 + 300);
    call(&evm, "sandbox_advance", json!({"ledgers": "3"}));
    assert_eq!((evm.head().unwrap().number, time(&evm)), (316, 5_656));
    let info = call(&evm, "sandbox_info", json!({}));
    assert_eq!((&info["chainId"], &info["blockSeconds"]), (&json!(31_337), &json!(12)));
    assert_eq!(error(&evm, "sandbox_advance", json!({"blocks": 2_000_000})).0, -32603);
}

#[test]
fn a_snapshot_is_gone_back_to_once() {
    let evm = start();
    pay(&evm, 1);
    let first = call(&evm, "evm_snapshot", json!([]));
    pay(&evm, 2);
    let (head, gone) = (evm.head().unwrap(), block_hash(&evm, 2));
    let second = call(&evm, "evm_snapshot", json!([]));
    call(&evm, "anvil_setBalance", json!([account(9), "0x7"]));
    assert_eq!(call(&evm, "evm_revert", json!([first])), true);
    assert_eq!(evm.head().unwrap().number, 1);
    assert_eq!(call(&evm, "eth_getBlockByHash", json!([gone, false])), Value::Null);
    assert_eq!(call(&evm, "eth_getTransactionCount", json!([account(2)])), "0x0");
    assert_eq!(call(&evm, "eth_getBalance", json!([account(9)])), "0x21e19e0c9bab2400001");
    for used in [first, second] {
        assert_eq!(call(&evm, "evm_revert", json!([used])), false);
    }
    // What happens again happens the same way.
    pay(&evm, 2);
    assert_eq!(evm.head().unwrap(), head);
}

#[test]
fn a_reorg_replaces_blocks_and_forgets_the_old_ones() {
    let evm = start();
    let receipts: Vec<_> = (1..5).map(|from| pay(&evm, from)).collect();
    let old: Vec<_> = (0..5).map(|number| block_hash(&evm, number)).collect();
    let before = evm.head().unwrap();
    assert_eq!(call(&evm, "anvil_reorg", json!([2, []])), Value::Null);
    let after = evm.head().unwrap();
    assert_eq!((after.number, after.timestamp), (before.number, before.timestamp));
    for number in 0..5_u64 {
        let is_same = block_hash(&evm, number) == old[usize::try_from(number).unwrap()];
        assert_eq!(is_same, number < 3, "{number}");
    }
    for (place, receipt) in receipts.iter().enumerate() {
        let hash = &receipt["transactionHash"];
        let found = call(&evm, "eth_getTransactionReceipt", json!([hash]));
        assert_eq!(found.is_null(), place >= 2, "{place}");
        assert_eq!(call(&evm, "eth_getTransactionByHash", json!([hash])).is_null(), place >= 2);
    }
    // As anvil says it, whether or not the block must be canonical.
    for canonical in [json!({"blockHash": old[4]}), json!({"blockHash": old[4], "requireCanonical": true})] {
        for method in ["eth_getBalance", "eth_getCode", "eth_getTransactionCount"] {
            let said = error(&evm, method, json!([account(9), canonical]));
            assert_eq!(said, (-32001, "Resource not found".into()));
        }
        assert_eq!(error(&evm, "eth_call", json!([{"to": account(9)}, canonical])).0, -32001);
    }
    assert_eq!(error(&evm, "eth_getLogs", json!([{"blockHash": old[4]}])), (-32000, "unknown block".into()));
    assert_eq!(call(&evm, "eth_getBlockByHash", json!([old[4], false])), Value::Null);
    assert_eq!(call(&evm, "eth_getTransactionCount", json!([account(3)])), "0x0");
    // What is mined again on another branch has another hash, even at the old height with the old content.
    call(&evm, "anvil_rollback", json!([2]));
    assert_eq!(evm.head().unwrap().number, 2);
    pay(&evm, 3);
    assert_ne!(block_hash(&evm, 3), old[3]);
}

#[test]
fn a_reorg_may_mine_the_same_transactions_again() {
    let evm = start();
    let receipts: Vec<_> = (1..4).map(|from| pay(&evm, from)).collect();
    let head = call(&evm, "sandbox_reorg", json!({"depth": 3, "keep": true}));
    assert_eq!(head["number"], 3);
    for receipt in receipts {
        let again = call(&evm, "eth_getTransactionReceipt", json!([receipt["transactionHash"]]));
        assert_eq!(again["status"], "0x1");
        assert_eq!(again["blockNumber"], "0x1", "all fit into the first block");
        assert_ne!(again["blockHash"], receipt["blockHash"]);
    }
    assert_eq!(evm.reorg(99, false).unwrap().number, 3, "at most all but the first block");
    assert_eq!(call(&evm, "eth_getTransactionCount", json!([account(1)])), "0x0");
    assert_eq!(error(&evm, "sandbox_reorg", json!({"depth": 4})).0, -32602);
}

#[test]
fn states_are_set_by_hand() {
    let evm = start();
    let someone = "0x0000000000000000000000000000000000001234";
    call(&evm, "anvil_setCode", json!([someone, "0x602a60005260206000f3"]));
    assert_eq!(number(&call(&evm, "eth_call", json!([{"to": someone}]))), 42);
    call(&evm, "anvil_setCode", json!([someone, "0x"]));
    assert_eq!(call(&evm, "eth_getCode", json!([someone])), "0x");
    call(&evm, "anvil_setBalance", json!([someone, "0x5"]));
    call(&evm, "anvil_setNonce", json!([someone, "0x9"]));
    call(&evm, "anvil_setStorageAt", json!([someone, "0x1", format!("0x{:064x}", 77)]));
    assert_eq!(call(&evm, "eth_getBalance", json!([someone])), "0x5");
    assert_eq!(call(&evm, "eth_getTransactionCount", json!([someone])), "0x9");
    assert_eq!(number(&call(&evm, "eth_getStorageAt", json!([someone, "0x1", "latest"]))), 77);
    // It is in the head, keeps its hash, and lasts.
    let genesis = block_hash(&start(), 0);
    assert_eq!(block_hash(&evm, 0), genesis);
    evm.mine(1).unwrap();
    assert_eq!(call(&evm, "eth_getBalance", json!([someone])), "0x5");
    let funded = call(&evm, "sandbox_fund", json!({"account": someone, "wei": "10"}));
    assert_eq!(funded["wei"], "15");
    assert_eq!(call(&evm, "eth_getBalance", json!([someone, "0x0"])), "0x5");
    call(&evm, "sandbox_fund", json!({"account": someone}));
    assert_eq!(call(&evm, "eth_getBalance", json!([someone])), "0x56bc75e2d6310000f");
    call(&evm, "anvil_setCoinbase", json!([someone]));
    evm.mine(1).unwrap();
    assert_eq!(call(&evm, "eth_getBlockByNumber", json!(["latest", false]))["miner"], someone);
}

#[test]
fn automine_is_switched() {
    let evm = start_with(EvmOptions::default());
    assert_eq!(call(&evm, "anvil_getAutomine", json!([])), true);
    call(&evm, "evm_setAutomine", json!([false]));
    let hash = call(&evm, "eth_sendTransaction", json!([{"from": account(1), "to": account(2)}]));
    assert_eq!((evm.head().unwrap().number, call(&evm, "anvil_getAutomine", json!([]))), (0, json!(false)));
    evm.set_automine(true);
    // The next transaction takes along what waits.
    pay(&evm, 2);
    assert_eq!(call(&evm, "eth_getTransactionReceipt", json!([hash]))["blockNumber"], "0x1");
}
