//! A mined block, and the mining of one from transactions.

use std::sync::Arc;

use alloy::consensus::constants::EMPTY_WITHDRAWALS;
use alloy::consensus::proofs::{calculate_receipt_root, calculate_transaction_root};
use alloy::consensus::transaction::Recovered;
use alloy::consensus::{Eip658Value, Header, Receipt, ReceiptEnvelope, Transaction, TxEnvelope, TxReceipt};
use alloy::eips::eip7685::EMPTY_REQUESTS_HASH;
use alloy::primitives::{Address, B256, Bloom, Log, logs_bloom};
use revm::context::result::InvalidTransaction;

use super::execute::{Hashes, Manner, Spot, environment, surroundings};
use super::state::State;

/// A transaction with its sender.
pub(super) type Signed = Recovered<TxEnvelope>;

/// A transaction in a block, and what it came to.
#[derive(Debug)]
pub(super) struct Mined {
    pub(super) transaction: Signed,
    pub(super) receipt: ReceiptEnvelope<Log>,
    /// The contract it made, or would have made had it not failed.
    pub(super) contract: Option<Address>,
    pub(super) gas_used: u64,
    /// Index in the block of its first log.
    pub(super) first_log: usize,
}

/// A block with the state after it.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) header: Header,
    pub(super) hash: B256,
    pub(super) transactions: Arc<[Mined]>,
    pub(super) state: Arc<State>,
}

/// A block about to be pushed, and what became of the transactions that are not in it.
pub(super) struct Sealed {
    pub(super) block: Block,
    /// Never to be mined, and why.
    pub(super) dropped: Vec<(B256, InvalidTransaction)>,
    /// To be tried again in the next block.
    pub(super) left: Vec<Signed>,
}

impl Block {
    /// A block over a state, with roots and hash filled in.
    pub(super) fn new(mut header: Header, transactions: Vec<Mined>, state: Arc<State>) -> Self {
        // The roots of nothing are in a new header already.
        if !transactions.is_empty() {
            let receipts: Vec<_> = transactions.iter().map(|mined| mined.receipt.clone()).collect();
            let signed: Vec<_> = transactions.iter().map(|mined| mined.transaction.inner()).collect();
            header.transactions_root = calculate_transaction_root(&signed);
            header.receipts_root = calculate_receipt_root(&receipts);
            header.logs_bloom =
                receipts.iter().fold(Bloom::ZERO, |bloom, receipt| bloom | *receipt.logs_bloom());
        }
        header.state_root = state.digest();
        let hash = header.hash_slow();
        Self { header, hash, transactions: transactions.into(), state }
    }

    /// The surroundings and the state that a call at this block sees.
    pub(super) fn spot(&self, chain_id: u64, hashes: Hashes) -> Spot {
        Spot { chain_id, block: surroundings(&self.header), state: Arc::clone(&self.state), hashes }
    }
}

/// The fields that every header of this chain has alike: those of a chain after Prague without blobs or withdrawals.
pub(super) fn blank_header() -> Header {
    Header {
        withdrawals_root: Some(EMPTY_WITHDRAWALS),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(0),
        parent_beacon_block_root: Some(B256::ZERO),
        requests_hash: Some(EMPTY_REQUESTS_HASH),
        ..Header::default()
    }
}

/// Mines a block of those candidates that fit, each sender's in the order of their nonces.
pub(super) fn seal(header: Header, mut spot: Spot, candidates: Vec<Signed>) -> Sealed {
    let mut header = header;
    let mut mined: Vec<Mined> = Vec::new();
    let mut dropped = Vec::new();
    let mut left = candidates;
    let mut logs = 0;
    loop {
        let before = mined.len();
        for tx in std::mem::take(&mut left) {
            let nonce = spot.state.nonce(tx.signer());
            if tx.nonce() > nonce || tx.gas_limit() > header.gas_limit - header.gas_used {
                left.push(tx);
                continue;
            }
            let done = match spot.run(environment(&tx), Manner::Transaction) {
                Ok(done) => done,
                Err(invalid) => {
                    dropped.push((*tx.tx_hash(), invalid));
                    continue;
                }
            };
            let gas_used = done.result.tx_gas_used();
            header.gas_used += gas_used;
            let contract = tx.kind().is_create().then(|| tx.signer().create(tx.nonce()));
            Arc::make_mut(&mut spot.state).apply(done.state);
            let status = Eip658Value::Eip658(done.result.is_success());
            // revm hands over the logs of a failed transaction too; a receipt has none of them.
            let own = if done.result.is_success() { done.result.into_logs() } else { Vec::new() };
            let first_log = logs;
            logs += own.len();
            let bloom = logs_bloom(&own);
            let receipt = Receipt { status, cumulative_gas_used: header.gas_used, logs: own };
            let receipt = ReceiptEnvelope::from_typed(tx.tx_type(), receipt.into_with_bloom_unchecked(bloom));
            mined.push(Mined { transaction: tx, receipt, contract, gas_used, first_log });
        }
        if mined.len() == before || left.is_empty() {
            break;
        }
    }
    Sealed { block: Block::new(header, mined, spot.state), dropped, left }
}
