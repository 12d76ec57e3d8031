//! Each method that reads: what it answers, and what it refuses.

use poolctl_sandbox::evm::{EvmOptions, MULTICALL3};
use serde_json::{Value, json};

use super::wire::{account, call, error, exchange, number, reply, request, start, start_with};

#[test]
fn a_fresh_chain_has_one_block_ten_rich_accounts_and_multicall3() {
    let evm = start();
    assert_eq!(call(&evm, "eth_chainId", Value::Null), "0x7a69");
    assert_eq!(call(&evm, "net_version", json!([])), "31337");
    assert!(call(&evm, "web3_clientVersion", json!([])).as_str().unwrap().starts_with("poolctl-sandbox/v"));
    assert_eq!(call(&evm, "eth_blockNumber", json!([])), "0x0");
    assert_eq!(call(&evm, "eth_syncing", json!([])), false);
    let accounts = call(&evm, "eth_accounts", json!([]));
    assert_eq!(accounts.as_array().unwrap().len(), 10);
    assert_eq!(accounts[0], account(0));
    for index in 0..10 {
        assert_eq!(call(&evm, "eth_getBalance", json!([account(index), "latest"])), "0x21e19e0c9bab2400000");
        assert_eq!(call(&evm, "eth_getTransactionCount", json!([account(index)])), "0x0");
    }
    assert!(call(&evm, "eth_getCode", json!([MULTICALL3])).as_str().unwrap().len() > 1000);
    // getBlockNumber() of Multicall3.
    let answer = call(&evm, "eth_call", json!([{"to": MULTICALL3, "data": "0x42cbb15c"}, "latest"]));
    assert_eq!(number(&answer), 0);
    assert_eq!(
        call(&evm, "web3_sha3", json!(["0x"])),
        "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    );

    let bare = start_with(EvmOptions { multicall: false, chain_id: 11, ..EvmOptions::default() });
    assert_eq!(call(&bare, "eth_getCode", json!([MULTICALL3, "latest"])), "0x");
    assert_eq!((call(&bare, "eth_chainId", json!([])), bare.chain_id()), (json!("0xb"), 11));
}

#[test]
fn blocks_are_found_by_number_tag_and_hash() {
    let evm = start();
    evm.mine(9).unwrap();
    let number_of = |tag: &str| number(&call(&evm, "eth_getBlockByNumber", json!([tag, false]))["number"]);
    assert_eq!(
        ["earliest", "finalized", "safe", "latest", "pending", "0x4"].map(number_of),
        [0, 7, 8, 9, 10, 4]
    );
    let block = call(&evm, "eth_getBlockByNumber", json!(["0x5", true]));
    assert_eq!(number(&block["timestamp"]), 1_700_000_000 + 5 * 12);
    assert_eq!(call(&evm, "eth_getBlockByHash", json!([block["hash"], true])), block);
    let parent = call(&evm, "eth_getBlockByNumber", json!(["0x4", false]));
    assert_eq!(block["parentHash"], parent["hash"]);
    assert_eq!(call(&evm, "eth_getBlockTransactionCountByHash", json!([block["hash"]])), "0x0");
    assert_eq!(call(&evm, "eth_getBlockReceipts", json!(["latest"])), json!([]));
    for (method, params) in [
        ("eth_getBlockByNumber", json!(["0xff", false])),
        ("eth_getBlockByHash", json!([alloy::primitives::B256::ZERO, false])),
        ("eth_getBlockTransactionCountByNumber", json!(["0xff"])),
    ] {
        assert_eq!(call(&evm, method, params), Value::Null);
    }
    // Two networks with the same options have the same blocks.
    let other = start();
    other.mine(9).unwrap();
    assert_eq!(other.head().unwrap(), evm.head().unwrap());

    let slow = start_with(EvmOptions { slots_in_an_epoch: 4, ..EvmOptions::default() });
    slow.mine(20).unwrap();
    let number_of = |tag: &str| number(&call(&slow, "eth_getBlockByNumber", json!([tag, false]))["number"]);
    assert_eq!(["safe", "finalized"].map(number_of), [16, 12]);
}

/// A block's hash is that of its header, so that a client which checks it is content.
#[test]
fn a_block_hash_is_the_keccak_of_the_header() {
    let evm = start();
    call(&evm, "eth_sendTransaction", json!([{"from": account(1), "to": account(2), "value": "0x1"}]));
    let block = call(&evm, "eth_getBlockByNumber", json!(["latest", true]));
    let header: alloy::consensus::Header = serde::Deserialize::deserialize(&block).unwrap();
    assert_eq!(json!(header.hash_slow()), block["hash"]);
    let txs: Vec<alloy::consensus::TxEnvelope> =
        serde::Deserialize::deserialize(&block["transactions"]).unwrap();
    assert_eq!(alloy::consensus::proofs::calculate_transaction_root(&txs), header.transactions_root);
}

#[test]
fn state_is_answered_at_every_block_and_by_its_hash() {
    let evm = start();
    let send = |value: &str| {
        call(&evm, "eth_sendTransactionSync", json!([{"from": account(1), "to": account(2), "value": value}]))
    };
    let first = send("0x10");
    let second = send("0x20");
    let base = 10_000 * 10_u128.pow(18);
    let balance = |block: Value| {
        let answer = call(&evm, "eth_getBalance", json!([account(2), block]));
        u128::from_str_radix(answer.as_str().unwrap().trim_start_matches("0x"), 16).unwrap() - base
    };
    assert_eq!(balance(json!("0x0")), 0);
    assert_eq!(balance(json!("0x1")), 0x10);
    assert_eq!(balance(json!(first["blockHash"])), 0x10);
    for canonical in [true, false] {
        let id = json!({"blockHash": second["blockHash"], "requireCanonical": canonical});
        assert_eq!(balance(id), 0x30);
    }
    assert_eq!(balance(json!({"blockNumber": "0x1"})), 0x10);
    assert_eq!(balance(json!("latest")), 0x30);
    assert_eq!(error(&evm, "eth_getBalance", json!([account(2), "0xff"])).0, -32602);
    let unknown = json!({"blockHash": alloy::primitives::B256::ZERO, "requireCanonical": true});
    assert_eq!(
        error(&evm, "eth_getBalance", json!([account(2), unknown])),
        (-32001, "Resource not found".into())
    );
}

#[test]
fn a_call_sees_the_block_it_is_made_at() {
    let evm = start();
    evm.mine(300).unwrap();
    // TIMESTAMP, NUMBER or CHAINID, returned as a word; then BLOCKHASH of the number given.
    let run = |code: &str, block: &str| call(&evm, "eth_call", json!([{"data": code}, block]));
    let word = |op: &str| format!("0x{op}60005260206000f3");
    assert_eq!(number(&run(&word("42"), "0x7")), 1_700_000_000 + 84);
    assert_eq!(number(&run(&word("43"), "0x7")), 7);
    assert_eq!(number(&run(&word("43"), "pending")), 301);
    assert_eq!(number(&run(&word("46"), "latest")), 31_337);
    let hash = call(&evm, "eth_getBlockByNumber", json!(["0x64", false]))["hash"].clone();
    assert_eq!(run(&word("606440"), "0x65"), hash);
    assert_eq!(run(&word("606440"), "latest"), hash);
    let zero = json!(alloy::primitives::B256::ZERO);
    assert_eq!(run(&word("606440"), "0x64"), zero, "its own hash is not known yet");
    assert_eq!(run(&word("600a40"), "latest"), zero, "more than 256 blocks ago");
}

#[test]
fn failures_of_calls_have_their_codes() {
    let evm = start();
    let fails = |tx: Value| error(&evm, "eth_call", json!([tx, "latest"]));
    assert_eq!(fails(json!({"data": "0x60006000fd"})), (3, "execution reverted".into()));
    assert_eq!(fails(json!({"data": "0xfe"})), (-32603, "EVM error InvalidFEOpcode".into()));
    let greedy = json!({"data": "0x5b600056", "gas": "0x186a0"});
    assert_eq!(fails(greedy.clone()), (-32603, "EVM error OutOfGas".into()));
    let (code, message) = error(&evm, "eth_estimateGas", json!([greedy]));
    assert_eq!((code, message.as_str()), (-32003, "Out of gas: gas required exceeds allowance: 100000"));
    // Error(string) "no": its bytes are the data, its words are in the message.
    let reason = concat!(
        "08c379a0",
        "0000000000000000000000000000000000000000000000000000000000000020",
        "0000000000000000000000000000000000000000000000000000000000000002",
        "6e6f000000000000000000000000000000000000000000000000000000000000"
    );
    let code = format!("0x6064600c60003960646000fd{reason}");
    let reverted = reply(&evm, "eth_call", &json!([{"data": code}, "latest"]));
    assert_eq!(reverted["error"]["message"], "execution reverted: no");
    assert_eq!(reverted["error"]["data"], format!("0x{reason}"));
    assert_eq!(error(&evm, "eth_estimateGas", json!([{"data": "0x60006000fd"}])).0, 3);
    // Nobody pays for a call unless it says so.
    let poor = "0x0000000000000000000000000000000000001234";
    assert_eq!(call(&evm, "eth_call", json!([{"from": poor, "to": account(1)}])), "0x");
    assert_eq!(fails(json!({"from": poor, "to": account(1), "value": "0x1"})).0, -32003);
    assert_eq!(fails(json!({"to": account(1), "data": "0x01", "input": "0x02"})).0, -32602);
}

#[test]
fn bad_requests_are_refused_with_json_rpc_codes() {
    let evm = start();
    assert_eq!(error(&evm, "eth_nothing", json!([])), (-32601, "Method not found".into()));
    assert_eq!(error(&evm, "sandbox_nothing", json!({})).0, -32601);
    for (method, params) in [
        ("eth_getBalance", json!([])),
        ("eth_getBalance", json!(["0x12"])),
        ("eth_getBalance", json!({"address": account(1)})),
        ("eth_getBalance", json!("latest")),
        ("eth_getBalance", json!([account(1), "newest"])),
        ("eth_getBlockByNumber", Value::Null),
        ("eth_getLogs", json!([])),
        ("eth_getLogs", json!([{"fromBlock": "0x0", "blockHash": alloy::primitives::B256::ZERO}])),
        ("eth_call", json!([{"to": "nobody"}])),
        ("eth_sendRawTransaction", json!(["0x02c0"])),
        ("anvil_reorg", json!([1, []])),
        ("anvil_reorg", json!([0, [["0x00", 0]]])),
        ("anvil_rollback", json!([9])),
        ("evm_setNextBlockTimestamp", json!([5])),
        ("sandbox_advance", json!({"blocks": "many"})),
        ("sandbox_fund", json!({"account": "nobody"})),
        ("sandbox_fault", json!({"method": "eth_call", "kind": "bad_xdr"})),
        ("sandbox_fault", json!({"method": "eth_call", "kind": "strange"})),
    ] {
        assert_eq!(error(&evm, method, params.clone()).0, -32602, "{method} {params}");
    }
    let url = evm.url();
    assert_eq!(exchange(&url, &json!([]))["error"]["code"], -32600);
    assert_eq!(exchange(&url, &json!({"id": 1}))["error"]["code"], -32600);
    // Batches, in their order; an error is one call's alone.
    let batch = json!([request("eth_chainId", &Value::Null), request("eth_nothing", &json!([])), {"id": 9, "method": "eth_blockNumber"}]);
    let answers = exchange(&url, &batch);
    assert_eq!(answers[0]["result"], "0x7a69");
    assert_eq!(answers[1]["error"]["code"], -32601);
    assert_eq!((&answers[2]["result"], &answers[2]["id"]), (&json!("0x0"), &json!(9)));
}

#[test]
fn fees_follow_eip_1559() {
    let evm = start();
    assert_eq!(call(&evm, "eth_gasPrice", json!([])), "0x77359400");
    assert_eq!(call(&evm, "eth_maxPriorityFeePerGas", json!([])), "0x3b9aca00");
    evm.mine(3).unwrap();
    let history = call(&evm, "eth_feeHistory", json!(["0x3", "latest", [10, 50.5]]));
    // The first two blocks cost the same; empty ones are an eighth cheaper each time.
    assert_eq!(history["baseFeePerGas"], json!(["0x3b9aca00", "0x342770c0", "0x2da282a8", "0x27ee3253"]));
    assert_eq!(history["oldestBlock"], "0x1");
    assert_eq!(history["gasUsedRatio"], json!([0.0, 0.0, 0.0]));
    assert_eq!(history["reward"][2], json!(["0x0", "0x0"]));
    call(&evm, "eth_sendTransaction", json!([{"from": account(1), "to": account(2)}]));
    let history = call(&evm, "eth_feeHistory", json!([1, "latest", [0, 100]]));
    assert_eq!(history["gasUsedRatio"], json!([0.0007]));
    assert_eq!(history["reward"], json!([["0x3b9aca00", "0x3b9aca00"]]));
    assert_eq!(error(&evm, "eth_feeHistory", json!([1, "0xff"])).0, -32602);
}
