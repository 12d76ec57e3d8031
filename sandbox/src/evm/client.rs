//! Typed calls and transactions for those who hold the network in their own process: no wire, so no fault applies.

use alloy::hex;
use alloy::primitives::{Address, B256, Bytes};
use alloy::sol_types::{SolCall, SolConstructor};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Evm, contracts};
use crate::{Error, Result};

/// A mined transaction that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its hash.
    pub transaction: B256,
    /// Height of its block.
    pub block: u64,
    /// Hash of its block.
    pub block_hash: B256,
    /// The contract it made, if it made one.
    pub contract: Option<Address>,
    /// In gas units.
    pub gas_used: u64,
}

impl Evm {
    /// Reads a contract at the head.
    pub fn call<C: SolCall>(&self, to: Address, call: &C) -> Result<C::Return> {
        let data = hex::encode_prefixed(call.abi_encode());
        let answer: Bytes =
            self.ask("eth_call", &json!([{"to": to, "data": data}, "latest"]), C::SIGNATURE)?;
        C::abi_decode_returns(&answer).map_err(|error| Error::new(format!("{}: {error}", C::SIGNATURE)))
    }

    /// Sends a call as a transaction of a dev account and gives its receipt; mines a block where none comes by itself.
    /// Fails, without a trace on the chain, when the call would fail.
    pub fn send<C: SolCall>(&self, from: Address, to: Address, call: &C) -> Result<Receipt> {
        let data = hex::encode_prefixed(call.abi_encode());
        self.transact(&json!([{"from": from, "to": to, "data": data}]), C::SIGNATURE)
    }

    /// Deploys a contract of [`contracts`] with its constructor's arguments.
    pub fn deploy<C: SolConstructor>(&self, from: Address, name: &str, arguments: &C) -> Result<Receipt> {
        let mut code = contracts::bytecode(name)?.to_vec();
        code.extend(arguments.abi_encode());
        self.transact(&json!([{"from": from, "data": hex::encode_prefixed(code)}]), name)
    }

    fn transact(&self, params: &Value, what: &str) -> Result<Receipt> {
        // Says why, where sending alone would put a failed transaction on the chain.
        self.ask::<String>("eth_estimateGas", params, what)?;
        let transaction: B256 = self.ask("eth_sendTransaction", params, what)?;
        let is_mined = self.node.chain().transaction(transaction).is_some();
        if !is_mined {
            self.mine(1)?;
        }
        let chain = self.node.chain();
        let (block, place) =
            chain.transaction(transaction).ok_or_else(|| Error::new(format!("{what}: not mined")))?;
        let mined = block.transactions.get(place).ok_or_else(|| Error::new("no such transaction"))?;
        if !alloy::consensus::TxReceipt::status(&mined.receipt) {
            return Err(Error::new(format!("{what}: the transaction failed: {transaction}")));
        }
        Ok(Receipt {
            transaction,
            block: block.header.number,
            block_hash: block.hash,
            contract: mined.contract,
            gas_used: mined.gas_used,
        })
    }

    fn ask<T: for<'a> Deserialize<'a>>(&self, method: &str, params: &Value, what: &str) -> Result<T> {
        let answer = self.rpc(method, params).map_err(|error| {
            let data = error.data.map(|data| format!(" {data}")).unwrap_or_default();
            Error::new(format!("{what}: {}{data}", error.message))
        })?;
        T::deserialize(answer).map_err(|error| Error::new(format!("{what}: {error}")))
    }
}
