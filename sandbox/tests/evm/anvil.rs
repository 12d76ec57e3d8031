//! The same requests to this network and to anvil: the same transactions, gas, logs and errors.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use alloy::hex;
use alloy::primitives::{Address, U256};
use alloy::sol_types::{SolCall, SolConstructor};
use poolctl_sandbox::evm::abi::{Aggregator, Asset, Vault};
use poolctl_sandbox::evm::{DEV_ACCOUNTS, contracts};
use serde_json::{Value, json};

use super::wire::{exchange, request, start};

/// A running anvil, ended when dropped.
struct Anvil {
    child: Child,
    url: String,
}

impl Anvil {
    /// Starts anvil, which is installed where it is missing.
    fn start() -> Self {
        let mut child = Command::new(poolctl_testkit::tools::anvil().unwrap())
            .args(["--host", "127.0.0.1", "--port", "0", "--timestamp", "1700000000"])
            .args(["--slots-in-an-epoch", "1", "--gas-limit", "30000000"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address =
            lines.find_map(|line| Some(line.ok()?.strip_prefix("Listening on ")?.to_owned())).unwrap();
        // It waits for its reader, or ends when there is none.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url: format!("http://{address}") }
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn deploy(name: &str, arguments: &impl SolConstructor) -> Value {
    let mut code = contracts::bytecode(name).unwrap().to_vec();
    code.extend(arguments.abi_encode());
    json!({"data": hex::encode_prefixed(code)})
}

fn to(contract: Address, call: &impl SolCall) -> Value {
    json!({"to": contract, "data": hex::encode_prefixed(call.abi_encode())})
}

/// What must be alike of a receipt.
fn gist(receipt: &Value) -> Value {
    let names = ["address", "topics", "data", "logIndex", "blockNumber", "removed"];
    let logs = receipt["logs"].as_array().unwrap().iter().map(|log| json!(names.map(|name| &log[name])));
    let logs: Vec<_> = logs.collect();
    let fields = [
        "transactionHash",
        "type",
        "status",
        "from",
        "to",
        "contractAddress",
        "blockNumber",
        "gasUsed",
        "cumulativeGasUsed",
        "effectiveGasPrice",
        "logsBloom",
        "transactionIndex",
    ];
    json!([fields.map(|name| &receipt[name]), logs])
}

#[test]
fn the_same_requests_make_the_same_transactions() {
    let anvil = Anvil::start();
    let evm = start();
    let urls = [evm.url(), anvil.url.clone()];
    let both = |method: &str, params: Value| -> [Value; 2] {
        urls.each_ref().map(|url| exchange(url, &request(method, &params)))
    };
    both("anvil_setBlockTimestampInterval", json!([12]));
    let [owner, alice, bob, ..] = DEV_ACCOUNTS.map(|account| account.address);
    let (asset, feed, vault) = (owner.create(0), owner.create(1), owner.create(2));
    let million = U256::from(1_000_000_000_000_u64);
    let constructor =
        Asset::constructorCall { name: "Demo Dollar".into(), symbol: "DUSD".into(), decimals: 6 };
    let steps: Vec<(Address, Value)> = vec![
        (owner, deploy("Asset", &constructor)),
        (
            owner,
            deploy(
                "Aggregator",
                &Aggregator::constructorCall {
                    decimals: 8,
                    description: "D / USD".into(),
                    answer: alloy::primitives::I256::ONE,
                    owner,
                },
            ),
        ),
        (
            owner,
            deploy(
                "Vault",
                &Vault::constructorCall { asset, name: "V".into(), symbol: "v".into(), offset: 0, owner },
            ),
        ),
        (owner, to(asset, &Asset::mintCall { to: alice, amount: million })),
        (alice, to(asset, &Asset::approveCall { spender: vault, amount: U256::MAX })),
        (alice, to(vault, &Vault::depositCall { assets: U256::from(1_000_000_000), receiver: alice })),
        (alice, to(vault, &Vault::depositCall { assets: U256::from(5), receiver: bob })),
        (alice, to(vault, &Vault::transferCall { to: bob, shares: U256::from(1_000) })),
        (bob, to(vault, &Vault::withdrawCall { assets: U256::from(10), receiver: bob, owner: bob })),
        (owner, to(vault, &Vault::pauseCall {})),
        // These fail: with a reason found when they are tried, and with gas of their own.
        (alice, to(vault, &Vault::depositCall { assets: U256::from(5), receiver: bob })),
        (
            bob,
            json!({"to": vault, "gas": "0x30000", "data": hex::encode_prefixed(Vault::unpauseCall {}.abi_encode())}),
        ),
        (owner, to(vault, &Vault::unpauseCall {})),
        // Sets all that is left to zero, which gives gas back.
        (bob, to(vault, &Vault::transferCall { to: alice, shares: U256::from(995) })),
        (owner, to(feed, &Aggregator::reportCall { answer: alloy::primitives::I256::MINUS_ONE })),
        // Other kinds of transaction, and plain ether.
        (alice, json!({"to": bob, "value": "0xde0b6b3a7640000"})),
        (alice, json!({"to": bob, "value": "0x1", "gasPrice": "0x77359400"})),
        (
            alice,
            json!({"to": bob, "gasPrice": "0x77359400", "accessList": [{"address": vault, "storageKeys": []}]}),
        ),
        (alice, json!({"to": bob, "maxFeePerGas": "0xb2d05e00", "maxPriorityFeePerGas": "0x3b9aca00"})),
    ];
    for (step, (from, mut tx)) in steps.into_iter().enumerate() {
        tx["from"] = json!(from);
        let receipts = both("eth_sendTransactionSync", json!([tx]));
        let is_mined = receipts.iter().all(|reply| reply["result"].is_object());
        assert!(is_mined, "step {step}: {tx}: {receipts:?}");
        let [ours, theirs] = receipts.each_ref().map(|reply| gist(&reply["result"]));
        assert_eq!(ours, theirs, "step {step}: {tx}");
        // Everything but the block's hash.
        let hash = &receipts[0]["result"]["transactionHash"];
        // Anvil has the receipt a moment before it takes the transaction out of its pool.
        let found = (0..200).find_map(|_| {
            let found = both("eth_getTransactionByHash", json!([hash]));
            let is_settled = found.iter().all(|reply| reply["result"]["blockNumber"].is_string());
            if !is_settled {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            is_settled.then_some(found)
        });
        let [ours, theirs] = found.unwrap().map(|mut reply| {
            let fields = reply["result"].as_object_mut().unwrap();
            fields.retain(|name, _| !matches!(name.as_str(), "blockHash" | "blockTimestamp"));
            let mut fields: Vec<_> = std::mem::take(fields).into_iter().collect();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            fields
        });
        assert_eq!(ours, theirs, "step {step}");
    }
    let mut differing = Vec::new();
    let holder = "0x00000000000000000000000070997970c51812dc3a010c7d01b50e0d17dc79c8";
    for (method, params) in [
        ("eth_chainId", json!([])),
        ("net_version", json!([])),
        ("eth_accounts", json!([])),
        ("eth_blockNumber", Value::Null),
        ("eth_gasPrice", json!([])),
        ("eth_maxPriorityFeePerGas", json!([])),
        ("eth_getCode", json!([vault, "latest"])),
        ("eth_getCode", json!([vault, "0x2"])),
        ("eth_getBalance", json!([alice, "latest"])),
        ("eth_getBalance", json!([Address::ZERO, "finalized"])),
        ("eth_getTransactionCount", json!([alice, "pending"])),
        ("eth_getTransactionCount", json!([alice, "safe"])),
        ("eth_getStorageAt", json!([asset, "0x2", "latest"])),
        ("eth_call", json!([to(vault, &Vault::totalAssetsCall {}), "latest"])),
        ("eth_call", json!([to(vault, &Vault::totalAssetsCall {}), "0x6"])),
        ("eth_call", json!([to(vault, &Vault::totalAssetsCall {}), "0x1"])),
        ("eth_call", json!([{"data": "0x60016000f3"}])),
        ("eth_call", json!([{"data": "0xfe"}])),
        ("eth_call", json!([{"data": "0x5b600056", "gas": "0x186a0"}])),
        ("eth_call", json!([{"from": Address::repeat_byte(7), "to": bob, "value": "0xffff"}])),
        ("eth_call", json!([{"from": vault, "to": asset, "data": "0x18160ddd"}])),
        ("eth_call", json!([{"to": vault}, "0xff"])),
        (
            "eth_call",
            json!([{"to": vault}, {"blockHash": alloy::primitives::B256::ZERO, "requireCanonical": true}]),
        ),
        ("eth_estimateGas", json!([{"from": alice, "to": bob, "value": "0x1"}])),
        ("eth_estimateGas", json!([{"data": "0x60006000fd"}])),
        ("eth_estimateGas", json!([{"data": "0xfe"}])),
        ("eth_estimateGas", json!([{"data": "0x5b600056", "gas": "0x186a0"}])),
        ("eth_getLogs", json!([{"fromBlock": "0x0", "toBlock": "latest", "address": bob}])),
        ("eth_getLogs", json!([{"fromBlock": "0xff"}])),
        ("eth_getLogs", json!([{"blockHash": alloy::primitives::B256::ZERO}])),
        ("eth_getBlockByNumber", json!(["0xff", false])),
        ("eth_getBlockByHash", json!([alloy::primitives::B256::ZERO, false])),
        ("eth_getTransactionReceipt", json!([alloy::primitives::B256::ZERO])),
        ("eth_getTransactionByHash", json!([alloy::primitives::B256::ZERO])),
        ("eth_sendTransaction", json!([{"from": alice, "to": bob, "nonce": "0x0"}])),
        ("eth_sendTransaction", json!([{"from": alice, "to": bob, "gas": "0x1"}])),
        ("eth_sendTransaction", json!([{"from": alice, "to": bob, "gas": "0xffffffff"}])),
        ("eth_sendTransaction", json!([{"from": alice, "to": bob, "gasPrice": "0x1"}])),
        ("eth_sendTransaction", json!([{"from": alice, "to": bob, "chainId": "0x1"}])),
        ("eth_sendTransaction", json!([{"from": Address::repeat_byte(7), "to": bob}])),
        ("eth_sendTransaction", json!([{"from": alice, "to": bob, "value": "0xffffffffffffffffffff"}])),
        ("eth_sendRawTransaction", json!(["0x00"])),
        ("eth_nothing", json!([])),
        ("anvil_rollback", json!([99])),
        ("evm_revert", json!(["0x63"])),
        ("evm_setNextBlockTimestamp", json!([1])),
    ] {
        let [ours, theirs] = both(method, params.clone());
        if ours != theirs {
            differing.push(format!("{method} {params}\n  sandbox {ours}\n  anvil   {theirs}"));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    let filters = [
        json!({"fromBlock": "earliest", "address": vault}),
        json!({"fromBlock": "0x1", "toBlock": "0xffff", "address": [vault, asset], "topics": [null, holder]}),
        json!({"fromBlock": "0x5", "toBlock": "0x9", "topics": [[holder], []]}),
        json!({"fromBlock": "0x0", "topics": [null, null, [holder]]}),
        json!({}),
    ];
    for filter in filters {
        let [ours, theirs] = both("eth_getLogs", json!([filter])).map(|reply| {
            let logs = reply["result"].as_array().unwrap().clone();
            logs.into_iter()
                .map(|mut log| {
                    log.as_object_mut()
                        .unwrap()
                        .retain(|name, _| !matches!(name.as_str(), "blockHash" | "blockTimestamp"));
                    log
                })
                .collect::<Vec<_>>()
        });
        assert_eq!(ours, theirs, "{filter}");
    }
    // A block that a reorg took away.
    let gone = urls.each_ref().map(|url| {
        let ask = |method: &str, params: Value| exchange(url, &request(method, &params));
        let lost = ask("eth_getBlockByNumber", json!(["latest", false]))["result"].take();
        let (hash, tx) = (&lost["hash"], &lost["transactions"][0]);
        ask("anvil_setCoinbase", json!([Address::repeat_byte(1)]));
        let pinned = json!({"blockHash": hash, "requireCanonical": true});
        [
            ask("anvil_reorg", json!([1, []])),
            ask("eth_blockNumber", json!([])),
            ask("eth_getBlockByHash", json!([hash, false])),
            ask("eth_call", json!([{"to": vault}, pinned])),
            ask("eth_call", json!([{"to": vault}, hash])),
            ask("eth_getCode", json!([vault, pinned])),
            ask("eth_getBalance", json!([vault, {"blockHash": hash, "requireCanonical": false}])),
            ask("eth_getLogs", json!([{"blockHash": hash}])),
            ask("eth_getTransactionReceipt", json!([tx])),
            ask("eth_getTransactionByHash", json!([tx])),
            ask("eth_getTransactionCount", json!([alice, "latest"])),
        ]
    });
    assert_eq!(gone[0], gone[1]);
}
