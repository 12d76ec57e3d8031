//! Transactions: signed here and elsewhere, of every kind, waiting and mined.

use alloy::consensus::{SignableTransaction, TxEip1559, TxEip2930, TxEnvelope, TxLegacy, TypedTransaction};
use alloy::eips::Encodable2718;
use alloy::hex;
use alloy::primitives::{Address, Signature, TxKind, U256};
use k256::ecdsa::SigningKey;
use poolctl_sandbox::evm::{DEV_ACCOUNTS, Evm, EvmOptions};
use serde_json::{Value, json};

use super::wire::{account, call, error, number, start, start_with};

/// A key that no chain knows.
fn stranger() -> (SigningKey, Address) {
    let key = SigningKey::from_slice(&[7; 32]).unwrap();
    let address = Address::from_private_key(&key);
    (key, address)
}

fn signed(key: &SigningKey, tx: TypedTransaction) -> String {
    let (signature, recovery) = key.sign_prehash_recoverable(tx.signature_hash().as_slice()).unwrap();
    let envelope: TxEnvelope = tx.into_signed(Signature::from((signature, recovery))).into();
    hex::encode_prefixed(envelope.encoded_2718())
}

fn funded() -> (Evm, SigningKey, Address) {
    let evm = start();
    let (key, address) = stranger();
    evm.fund(address, U256::from(10).pow(U256::from(18)));
    (evm, key, address)
}

const GWEI: u128 = 1_000_000_000;

fn kinds(nonce: u64) -> [TypedTransaction; 3] {
    let (chain_id, gas_limit, value) = (31_337, 30_000, U256::from(5));
    let (to, input) = (TxKind::Call(Address::repeat_byte(0x55)), alloy::primitives::Bytes::new());
    [
        TxLegacy {
            chain_id: Some(chain_id),
            nonce,
            gas_price: 3 * GWEI,
            gas_limit,
            to,
            value,
            input: input.clone(),
        }
        .into(),
        TxEip2930 {
            chain_id,
            nonce: nonce + 1,
            gas_price: 3 * GWEI,
            gas_limit,
            to,
            value,
            access_list: Vec::new().into(),
            input: input.clone(),
        }
        .into(),
        TxEip1559 {
            chain_id,
            nonce: nonce + 2,
            gas_limit,
            max_fee_per_gas: 5 * GWEI,
            max_priority_fee_per_gas: GWEI,
            to,
            value,
            access_list: Vec::new().into(),
            input,
        }
        .into(),
    ]
}

#[test]
fn raw_transactions_of_every_kind_are_mined() {
    let (evm, key, from) = funded();
    for (kind, tx) in kinds(0).into_iter().enumerate() {
        let hash = call(&evm, "eth_sendRawTransaction", json!([signed(&key, tx)]));
        let receipt = call(&evm, "eth_getTransactionReceipt", json!([hash]));
        assert_eq!((&receipt["status"], &receipt["from"]), (&json!("0x1"), &json!(from)));
        assert_eq!(number(&receipt["type"]), kind as u64);
        assert_eq!(number(&receipt["gasUsed"]), 21_000);
        let base =
            number(&call(&evm, "eth_getBlockByHash", json!([receipt["blockHash"], false]))["baseFeePerGas"]);
        let price = if kind == 2 { u128::from(base) + GWEI } else { 3 * GWEI };
        assert_eq!(u128::from(number(&receipt["effectiveGasPrice"])), price);
        let found = call(&evm, "eth_getTransactionByHash", json!([hash]));
        assert_eq!((&found["hash"], &found["blockHash"]), (&hash, &receipt["blockHash"]));
        assert_eq!(number(&found["gasPrice"]), number(&receipt["effectiveGasPrice"]));
    }
    assert_eq!(call(&evm, "eth_getTransactionCount", json!([from])), "0x3");
    assert_eq!(call(&evm, "eth_getBalance", json!([Address::repeat_byte(0x55)])), "0xf");
}

#[test]
fn a_raw_transaction_that_no_block_could_hold_is_refused() {
    let (evm, key, _) = funded();
    let send = |tx: TxEip1559| error(&evm, "eth_sendRawTransaction", json!([signed(&key, tx.into())]));
    let good = TxEip1559 {
        chain_id: 31_337,
        gas_limit: 21_000,
        max_fee_per_gas: 2 * GWEI,
        max_priority_fee_per_gas: GWEI,
        to: TxKind::Call(Address::ZERO),
        ..TxEip1559::default()
    };
    assert_eq!(send(TxEip1559 { chain_id: 1, ..good.clone() }).1, "invalid chain id for signer");
    assert_eq!(
        send(TxEip1559 { gas_limit: 20_000, ..good.clone() }),
        (-32000, "intrinsic gas too low".into())
    );
    let (_, message) = send(TxEip1559 { max_fee_per_gas: 1, max_priority_fee_per_gas: 1, ..good.clone() });
    assert_eq!(message, "max fee per gas less than block base fee");
    let (_, message) = send(TxEip1559 { value: U256::MAX, ..good.clone() });
    assert_eq!(message, "Insufficient funds for gas * price + value");
    assert_eq!(evm.head().unwrap().number, 0, "none of them made a block");
    let raw = signed(&key, good.clone().into());
    call(&evm, "eth_sendRawTransaction", json!([raw]));
    assert_eq!(error(&evm, "eth_sendRawTransaction", json!([raw])).1, "transaction already imported");
    assert_eq!(send(TxEip1559 { value: U256::ONE, ..good }).1, "nonce too low");
    assert_eq!(error(&evm, "eth_sendTransaction", json!([{"from": Address::ZERO}])).1, "No Signer available");
}

#[test]
fn without_automine_transactions_wait_in_the_order_of_their_nonces() {
    let evm = start_with(EvmOptions { automine: false, ..EvmOptions::default() });
    let (key, from) = stranger();
    evm.fund(from, U256::from(10).pow(U256::from(18)));
    let [first, second, third] = kinds(0).map(|tx| signed(&key, tx));
    let third = call(&evm, "eth_sendRawTransaction", json!([third]));
    let first = call(&evm, "eth_sendRawTransaction", json!([first]));
    assert_eq!(call(&evm, "eth_getTransactionCount", json!([from, "latest"])), "0x0");
    assert_eq!(call(&evm, "eth_getTransactionCount", json!([from, "pending"])), "0x1");
    let waiting = call(&evm, "eth_getTransactionByHash", json!([third]));
    assert_eq!((&waiting["blockHash"], &waiting["from"]), (&Value::Null, &json!(from)));
    assert_eq!(call(&evm, "eth_getTransactionReceipt", json!([first])), Value::Null);
    let pending = call(&evm, "eth_getBlockByNumber", json!(["pending", false]));
    assert_eq!(pending["transactions"], json!([first]));
    assert_eq!(call(&evm, "eth_getBalance", json!([Address::repeat_byte(0x55), "pending"])), "0x5");
    assert_eq!(call(&evm, "eth_getBalance", json!([Address::repeat_byte(0x55), "latest"])), "0x0");
    call(&evm, "evm_mine", json!([]));
    let block_of =
        |hash: &Value| call(&evm, "eth_getTransactionReceipt", json!([hash]))["blockNumber"].clone();
    assert_eq!(
        (block_of(&first), call(&evm, "eth_getTransactionReceipt", json!([third]))),
        (json!("0x1"), Value::Null)
    );
    // The gap is filled: the later one is mined after it, in the same block.
    let second = call(&evm, "eth_sendRawTransaction", json!([second]));
    evm.mine(1).unwrap();
    assert_eq!((block_of(&second), block_of(&third)), (json!("0x2"), json!("0x2")));
    let block = call(&evm, "eth_getBlockByNumber", json!(["0x2", false]));
    assert_eq!(block["transactions"], json!([second, third]));
}

#[test]
fn a_waiting_transaction_is_replaced_by_one_that_pays_a_tenth_more() {
    let evm = start_with(EvmOptions { automine: false, ..EvmOptions::default() });
    let send =
        |price: &str| json!([{"from": account(1), "to": account(2), "nonce": "0x0", "gasPrice": price}]);
    let first = call(&evm, "eth_sendTransaction", send("0x77359400"));
    let (_, message) = error(&evm, "eth_sendTransaction", send("0x77359401"));
    assert_eq!(message, "replacement transaction underpriced");
    let second = call(&evm, "eth_sendTransaction", send("0x83215600"));
    evm.mine(1).unwrap();
    let block = call(&evm, "eth_getBlockByNumber", json!(["latest", false]));
    assert_eq!(block["transactions"], json!([second]));
    assert_eq!(call(&evm, "eth_getTransactionByHash", json!([first])), Value::Null);
}

#[test]
fn a_block_takes_no_more_than_its_gas() {
    let options = EvmOptions { automine: false, gas_limit: 100_000, ..EvmOptions::default() };
    let evm = start_with(options);
    for account_index in 0..3 {
        let tx = json!([{"from": account(account_index), "to": account(9), "gas": "0xc350"}]);
        call(&evm, "eth_sendTransaction", tx);
    }
    evm.mine(2).unwrap();
    let count = |block: &str| call(&evm, "eth_getBlockTransactionCountByNumber", json!([block]));
    // 50,000 each: what the first two leave over is room enough for the third.
    assert_eq!((count("0x1"), count("0x2")), (json!("0x3"), json!("0x0")));
    for account_index in 0..3 {
        let tx = json!([{"from": account(account_index), "to": account(9), "gas": "0xea60"}]);
        call(&evm, "eth_sendTransaction", tx);
    }
    evm.mine(2).unwrap();
    assert_eq!((count("0x3"), count("0x4")), (json!("0x2"), json!("0x1")));
}

#[test]
fn a_deployment_makes_the_contract_and_a_failure_stays_on_the_chain() {
    let evm = start();
    // Deploys code that returns 42.
    let init = "0x69602a60005260206000f3600052600a6016f3";
    let receipt = call(&evm, "eth_sendTransactionSync", json!([{"from": account(0), "data": init}]));
    let contract = DEV_ACCOUNTS[0].address.create(0);
    assert_eq!(receipt["contractAddress"], json!(contract));
    assert_eq!(call(&evm, "eth_getCode", json!([contract])), "0x602a60005260206000f3");
    assert_eq!(number(&call(&evm, "eth_call", json!([{"to": contract}, "latest"]))), 42);
    let failed = call(&evm, "eth_sendTransactionSync", json!([{"from": account(0), "data": "0x60006000fd"}]));
    assert_eq!(failed["status"], "0x0");
    assert_eq!(failed["logs"], json!([]));
    assert_eq!(call(&evm, "eth_getTransactionCount", json!([account(0)])), "0x2");
}

#[test]
fn a_tick_mines_what_waits() {
    let tick = Some(std::time::Duration::from_millis(20));
    let evm = start_with(EvmOptions { automine: false, tick, ..EvmOptions::default() });
    let receipt = call(&evm, "eth_sendTransactionSync", json!([{"from": account(1), "to": account(2)}]));
    assert_eq!(receipt["status"], "0x1");
    let head = evm.head().unwrap();
    assert_eq!(head.timestamp, 1_700_000_000 + 12 * head.number);
}
