//! A transaction as JSON-RPC asks for it, and what it becomes: a call to be run, or a transaction to be signed.

use alloy::consensus::{TxEip1559, TxEip2930, TxLegacy, TypedTransaction};
use alloy::eips::eip2930::AccessList;
use alloy::primitives::{Address, Bytes, TxKind, U64, U128, U256};
use revm::context::TxEnv;
use serde::Deserialize;

use crate::http::RpcError;

/// The tip that a transaction offers when it does not say: one gwei, in wei per gas.
pub(super) const USUAL_TIP: u128 = 1_000_000_000;

/// The transaction object of `eth_call`, `eth_estimateGas` and `eth_sendTransaction`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct TransactionRequest {
    pub(super) from: Option<Address>,
    to: Option<Address>,
    pub(super) gas: Option<U64>,
    gas_price: Option<U128>,
    max_fee_per_gas: Option<U128>,
    max_priority_fee_per_gas: Option<U128>,
    value: Option<U256>,
    data: Option<Bytes>,
    input: Option<Bytes>,
    nonce: Option<U64>,
    access_list: Option<AccessList>,
    chain_id: Option<U64>,
    #[serde(rename = "type")]
    kind: Option<U64>,
}

/// What the chain fills in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blanks {
    pub(super) chain_id: u64,
    pub(super) nonce: u64,
    pub(super) gas: u64,
    pub(super) base_fee: u64,
}

impl TransactionRequest {
    fn data(&self) -> Result<Bytes, RpcError> {
        match (&self.input, &self.data) {
            (Some(input), Some(data)) if input != data => {
                Err(RpcError::params("both `data` and `input` are given, and they differ"))
            }
            (Some(data), _) | (None, Some(data)) => Ok(data.clone()),
            (None, None) => Ok(Bytes::new()),
        }
    }

    fn target(&self) -> TxKind {
        self.to.map_or(TxKind::Create, TxKind::Call)
    }

    fn fee(&self) -> Option<u128> {
        self.max_fee_per_gas.or(self.gas_price).map(|fee| fee.to())
    }

    fn check(&self, chain_id: u64) -> Result<(), RpcError> {
        if let Some(given) = self.chain_id.map(|id| id.to::<u64>()).filter(|given| *given != chain_id) {
            return Err(RpcError::params(format!(
                "transaction-provided chain ID ({given}) does not match the signer's chain ID ({chain_id})"
            )));
        }
        if self.gas_price.is_some() && self.max_fee_per_gas.is_some() {
            return Err(RpcError::params("both gasPrice and maxFeePerGas are given"));
        }
        Ok(())
    }

    /// A call to be run; it pays nothing unless it says what. A call without a target and without code is one to
    /// nobody.
    pub(super) fn call(&self, chain_id: u64, most_gas: u64) -> Result<TxEnv, RpcError> {
        self.check(chain_id)?;
        let data = self.data()?;
        let kind = match self.target() {
            TxKind::Create if data.is_empty() => TxKind::Call(Address::ZERO),
            kind => kind,
        };
        let gas_price = self.fee().unwrap_or_default();
        let tip = self.max_priority_fee_per_gas.map(|tip| tip.to::<u128>().min(gas_price));
        let access_list = self.access_list.clone().unwrap_or_default();
        Ok(TxEnv {
            tx_type: if tip.is_some() { 2 } else { u8::from(!access_list.is_empty()) },
            caller: self.from.unwrap_or_default(),
            gas_limit: self.gas.map_or(most_gas, |gas| gas.to()),
            gas_price,
            kind,
            value: self.value.unwrap_or_default(),
            data,
            nonce: 0,
            chain_id: Some(chain_id),
            access_list,
            gas_priority_fee: tip,
            blob_hashes: Vec::new(),
            max_fee_per_blob_gas: 0,
            authorization_list: Vec::new(),
        })
    }

    /// A transaction to be signed. The same choices as anvil's make the same transaction, hash for hash: EIP-1559
    /// unless it asks for another kind, at the next base fee and a tip of one gwei.
    pub(super) fn transaction(&self, blanks: Blanks) -> Result<TypedTransaction, RpcError> {
        self.check(blanks.chain_id)?;
        let input = self.data()?;
        let (chain_id, to, value) = (blanks.chain_id, self.target(), self.value.unwrap_or_default());
        let nonce = self.nonce.map_or(blanks.nonce, |nonce| nonce.to());
        let gas_limit = self.gas.map_or(blanks.gas, |gas| gas.to());
        let usual = u128::from(blanks.base_fee) + USUAL_TIP;
        let access_list = self.access_list.clone().unwrap_or_default();
        let kind = self.kind.map_or_else(
            || match (self.gas_price, &self.access_list) {
                (None, _) => 2,
                (Some(_), Some(_)) => 1,
                (Some(_), None) => 0,
            },
            |kind| kind.to::<u64>(),
        );
        match kind {
            0 => {
                let gas_price = self.fee().unwrap_or(usual);
                Ok(TxLegacy { chain_id: Some(chain_id), nonce, gas_price, gas_limit, to, value, input }
                    .into())
            }
            1 => {
                let gas_price = self.fee().unwrap_or(usual);
                Ok(TxEip2930 { chain_id, nonce, gas_price, gas_limit, to, value, access_list, input }.into())
            }
            2 => {
                let tip = self.max_priority_fee_per_gas.map_or(USUAL_TIP, |tip| tip.to());
                let max_fee_per_gas = self.fee().unwrap_or(u128::from(blanks.base_fee) + tip);
                let max_priority_fee_per_gas = tip.min(max_fee_per_gas);
                Ok(TxEip1559 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas,
                    max_priority_fee_per_gas,
                    to,
                    value,
                    access_list,
                    input,
                }
                .into())
            }
            other => Err(RpcError::params(format!("transactions of type {other} are not made here"))),
        }
    }
}
