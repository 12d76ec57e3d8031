//! Handing transactions in, and looking them up.

use std::time::{Duration, Instant};

use alloy::consensus::transaction::{Recovered, SignerRecoverable};
use alloy::consensus::{TxEnvelope, TxType};
use alloy::eips::Decodable2718;
use alloy::primitives::{B256, Bytes, keccak256};
use serde_json::{Value, json};

use super::super::block::Signed;
use super::super::chain::{Chain, Refused};
use super::super::execute::estimate;
use super::super::request::{Blanks, TransactionRequest};
use super::super::{accounts, answer};
use super::calls::refusal;
use super::{Node, Params, internal};
use crate::http::RpcError;

/// How long a `…Sync` method waits for a block.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(5);

/// Signs for one of the dev accounts and hands the transaction in. As on anvil, one that fails when it is tried gets all
/// the gas of a block, so that it is mined and can be looked at.
pub(super) fn send(node: &Node, params: &Params<'_>) -> Result<B256, RpcError> {
    let request: TransactionRequest = params.get(0)?;
    let from = request.from.unwrap_or(accounts::DEV_ACCOUNTS[0].address);
    let (spot, most) = {
        let chain = node.chain();
        (chain.next_spot().map_err(internal)?, chain.rules.gas_limit)
    };
    let gas = if request.gas.is_none() {
        let mut tx = request.call(spot.chain_id, most)?;
        tx.caller = from;
        estimate(&spot, &tx).unwrap_or(most)
    } else {
        most
    };
    // Nobody else may be given the nonce between here and the pool.
    let mut chain = node.chain();
    let blanks = Blanks {
        chain_id: spot.chain_id,
        nonce: chain.next_nonce(from),
        gas,
        base_fee: chain.next_base_fee(),
    };
    let signed = accounts::sign(request.transaction(blanks)?, from)
        .ok_or_else(|| RpcError::params("No Signer available"))?
        .map_err(internal)?;
    submit(&mut chain, Recovered::new_unchecked(signed, from))
}

/// Takes a transaction signed elsewhere.
pub(super) fn send_raw(node: &Node, params: &Params<'_>) -> Result<B256, RpcError> {
    let raw: Bytes = params.get(0)?;
    let mut rest = raw.as_ref();
    let undecodable = || RpcError::params("Failed to decode transaction");
    let tx = TxEnvelope::decode_2718(&mut rest).map_err(|_| undecodable())?;
    if !rest.is_empty() {
        return Err(undecodable());
    }
    if tx.tx_type() == TxType::Eip4844 {
        return Err(RpcError::new(-32003, "this chain takes no blobs"));
    }
    let from = tx.recover_signer().map_err(|_| RpcError::params("Invalid transaction signature"))?;
    submit(&mut node.chain(), Recovered::new_unchecked(tx, from))
}

fn submit(chain: &mut Chain, tx: Signed) -> Result<B256, RpcError> {
    chain.submit(tx).map_err(internal)?.map_err(|refused| match refused {
        Refused::Invalid(invalid) => refusal(&invalid),
        Refused::Known => RpcError::new(-32003, "transaction already imported"),
        Refused::Underpriced => RpcError::new(-32003, "replacement transaction underpriced"),
    })
}

/// Waits until a transaction is in a block, and gives its receipt (EIP-7966).
pub(super) fn mined(node: &Node, hash: B256) -> Result<Value, RpcError> {
    let end = Instant::now() + PATIENCE;
    loop {
        let found = node.chain().transaction(hash).map(|(block, place)| (block.clone(), place));
        if let Some((block, place)) = found {
            return answer::receipt(&block, place);
        }
        if Instant::now() > end {
            let message = "the transaction was taken, but no block has it yet";
            return Err(RpcError { code: 4, message: message.to_owned(), data: Some(json!(hash)) });
        }
        std::thread::sleep(LOOK);
    }
}

/// The receipt of a transaction; null while no canonical block has it.
pub(super) fn receipt(node: &Node, lag: u64, params: &Params<'_>) -> Result<Value, RpcError> {
    let hash = params.get(0)?;
    let found =
        node.read(lag, |reader| Ok(reader.transaction(hash).map(|(block, place)| (block.clone(), place))))?;
    found.map_or(Ok(Value::Null), |(block, place)| answer::receipt(&block, place))
}

/// A transaction, mined or waiting; null when there is none.
pub(super) fn by_hash(node: &Node, lag: u64, params: &Params<'_>) -> Result<Value, RpcError> {
    let hash = params.get(0)?;
    node.read(lag, |reader| {
        if let Some((block, place)) = reader.transaction(hash) {
            let mined =
                block.transactions.get(place).ok_or_else(|| RpcError::internal("no such transaction"))?;
            return answer::transaction(&mined.transaction, Some((block, place)));
        }
        reader.chain.waiting(hash).map_or(Ok(Value::Null), |tx| answer::transaction(tx, None))
    })
}

/// `web3_sha3`.
pub(super) fn keccak(params: &Params<'_>) -> Result<Value, RpcError> {
    Ok(json!(keccak256(params.get::<Bytes>(0)?)))
}
