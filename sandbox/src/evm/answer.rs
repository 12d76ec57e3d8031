//! Blocks, transactions, receipts and logs as Ethereum JSON-RPC writes them.

use alloy::consensus::Transaction;
use alloy::consensus::constants::EMPTY_OMMER_ROOT_HASH;
use alloy::eips::Encodable2718;
use alloy::primitives::{Bytes, Log};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::block::{Block, Mined, Signed};
use crate::http::RpcError;

/// A number as JSON-RPC writes it: `0x2a`.
pub(super) fn quantity(number: u64) -> Value {
    format!("{number:#x}").into()
}

pub(super) fn large_quantity(number: u128) -> Value {
    format!("{number:#x}").into()
}

/// A block, with its transactions or with their hashes alone.
pub(super) fn block(block: &Block, is_full: bool) -> Result<Value, RpcError> {
    let mut fields = object(&block.header)?;
    let transactions: Vec<Value> = if is_full {
        let each = block.transactions.iter().enumerate();
        each.map(|(place, mined)| transaction(&mined.transaction, Some((block, place))))
            .collect::<Result<_, _>>()?
    } else {
        block.transactions.iter().map(|mined| json!(mined.transaction.tx_hash())).collect()
    };
    let encoded: usize = block.transactions.iter().map(|mined| mined.transaction.encode_2718_len()).sum();
    fields.insert("hash".into(), json!(block.hash));
    fields.insert("sha3Uncles".into(), json!(EMPTY_OMMER_ROOT_HASH));
    fields.insert("totalDifficulty".into(), quantity(0));
    fields.insert("size".into(), quantity((block.header.size() + encoded) as u64));
    fields.insert("uncles".into(), json!([]));
    fields.insert("withdrawals".into(), json!([]));
    fields.insert("transactions".into(), transactions.into());
    Ok(fields.into())
}

/// A transaction, in its place in a block or waiting for one.
pub(super) fn transaction(tx: &Signed, place: Option<(&Block, usize)>) -> Result<Value, RpcError> {
    let mut fields = object(tx.inner())?;
    fields.insert("from".into(), json!(tx.signer()));
    fields.insert("blockHash".into(), json!(place.map(|(block, _)| block.hash)));
    fields.insert("blockNumber".into(), json!(place.map(|(block, _)| quantity(block.header.number))));
    fields.insert("transactionIndex".into(), json!(place.map(|(_, index)| quantity(index as u64))));
    let price = tx.effective_gas_price(place.and_then(|(block, _)| block.header.base_fee_per_gas));
    fields.insert("gasPrice".into(), large_quantity(price));
    Ok(fields.into())
}

/// The receipt of the transaction at a place of a block.
pub(super) fn receipt(block: &Block, index: usize) -> Result<Value, RpcError> {
    let mined = block.transactions.get(index).ok_or_else(|| RpcError::internal("no such transaction"))?;
    let tx = &mined.transaction;
    Ok(json!({
        "type": quantity(u64::from(tx.tx_type() as u8)),
        "status": quantity(u64::from(mined.receipt.status())),
        "cumulativeGasUsed": quantity(mined.receipt.cumulative_gas_used()),
        "logs": logs_of(block, index, mined, &|_| true),
        "logsBloom": mined.receipt.logs_bloom(),
        "transactionHash": tx.tx_hash(),
        "transactionIndex": quantity(index as u64),
        "blockHash": block.hash,
        "blockNumber": quantity(block.header.number),
        "gasUsed": quantity(mined.gas_used),
        "effectiveGasPrice": large_quantity(tx.effective_gas_price(block.header.base_fee_per_gas)),
        "from": tx.signer(),
        "to": tx.to(),
        "contractAddress": mined.contract,
    }))
}

/// The logs of a block that pass.
pub(super) fn logs(block: &Block, passes: &dyn Fn(&Log) -> bool) -> Vec<Value> {
    let each = block.transactions.iter().enumerate();
    each.flat_map(|(index, mined)| logs_of(block, index, mined, passes)).collect()
}

fn logs_of(block: &Block, index: usize, mined: &Mined, passes: &dyn Fn(&Log) -> bool) -> Vec<Value> {
    let numbered = mined.receipt.logs().iter().zip(mined.first_log..);
    numbered
        .filter(|(log, _)| passes(log))
        .map(|(log, number)| {
            json!({
                "address": log.address,
                "topics": log.data.topics(),
                "data": log.data.data,
                "blockHash": block.hash,
                "blockNumber": quantity(block.header.number),
                "blockTimestamp": quantity(block.header.timestamp),
                "transactionHash": mined.transaction.tx_hash(),
                "transactionIndex": quantity(index as u64),
                "logIndex": quantity(number as u64),
                "removed": false,
            })
        })
        .collect()
}

/// Bytes as hex.
pub(super) fn data(bytes: &Bytes) -> Value {
    bytes.to_string().into()
}

fn object(value: &impl Serialize) -> Result<Map<String, Value>, RpcError> {
    match serde_json::to_value(value) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(RpcError::internal("not an object")),
        Err(error) => Err(RpcError::internal(error.to_string())),
    }
}
