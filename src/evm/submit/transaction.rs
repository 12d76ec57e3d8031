//! The chain's types for the outbox: what an action becomes on it, its signature and its hash, and an envelope read back.

use crate::wire::Receipt;
use alloy::consensus::transaction::SignerRecoverable;
use alloy::consensus::{SignableTransaction, Transaction as _, TxEip1559, TxEnvelope};
use alloy::eips::eip2718::{Decodable2718, Encodable2718};
use alloy::primitives::{Address, B256, Bytes, Signature, TxKind, U256, hex};
use base::{Code, Error, Result};
use outbox::{Signed, Stored};
use serde_json::Value;

/// What is to be done on the chain, on behalf of the account that sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// Whom it pays or calls.
    pub to: Address,
    /// How much it pays, in wei.
    pub value: U256,
    /// The call's data; empty for a payment.
    pub input: Bytes,
}

/// Holds keys and signs with them.
pub trait Signers {
    /// The secp256k1 signature of an account's key over a transaction's hash.
    fn sign(&self, account: Address, hash: B256) -> Result<Signature>;
}

/// A transaction ready for its signature (EIP-1559).
#[derive(Debug, Clone)]
pub struct Draft(pub(super) TxEip1559);

impl Draft {
    /// Of an action: its nonce, its gas, and what is offered for each unit of that, in wei.
    pub(super) fn new(action: &Action, chain_id: u64, nonce: u64, gas: u64, most: u128, tip: u128) -> Self {
        Self(TxEip1559 {
            chain_id,
            nonce,
            gas_limit: gas,
            max_fee_per_gas: most,
            max_priority_fee_per_gas: tip.min(most),
            to: TxKind::Call(action.to),
            value: action.value,
            input: action.input.clone(),
            ..TxEip1559::default()
        })
    }

    /// The most that it can cost beside what it pays, in wei.
    pub(super) fn max_fee(&self) -> u128 {
        u128::from(self.0.gas_limit).saturating_mul(self.0.max_fee_per_gas)
    }

    /// Signs it for an account.
    pub(super) fn sign(self, source: Address, signers: &dyn Signers) -> Result<Signed> {
        let max_fee = self.max_fee();
        let signature = signers.sign(source, self.0.signature_hash())?;
        let signed = TxEnvelope::from(self.0.into_signed(signature));
        if signed.recover_signer().ok() != Some(source) {
            return Err(Error::new(Code::Bug, format!("a signature that is not {source}'s")));
        }
        let (envelope, hash) =
            (hex::encode_prefixed(signed.encoded_2718()), format!("{:x}", signed.tx_hash()));
        Ok(Signed { envelope, hash, max_fee, validity: None })
    }
}

/// EVM chains, for the outbox. A state is pinned to one of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evm;

impl outbox::Chain for Evm {
    const NAME: &'static str = "evm";
    type Account = Address;
    type Action = Action;
    type Effect = Effect;
    type Why = ();
    /// On secp256k1.
    type Signers = dyn Signers;

    /// Until its nonce is used, it may land.
    fn read(envelope: &str) -> Option<Stored<Address>> {
        let bytes = hex::decode(envelope.strip_prefix("0x")?).ok()?;
        let mut rest = bytes.as_slice();
        let signed = TxEnvelope::decode_2718(&mut rest).ok().filter(|_| rest.is_empty())?;
        let source = signed.recover_signer().ok()?;
        Some(Stored { source, number: signed.nonce(), validity: None, payer: None })
    }
}

/// One transaction that is wanted.
pub type Intent = outbox::Intent<Evm>;

/// What a block says of a transaction in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// Its receipt, with its events.
    pub receipt: Option<Receipt>,
    /// What it cost beside what it paid, in wei; 0 where it is in no block.
    pub fee: U256,
}

impl outbox::Effect for Effect {
    fn facts(&self) -> Vec<(&'static str, Value)> {
        let block = self.receipt.as_ref().map(|receipt| receipt.block_number);
        vec![("block", block.into()), ("fee", self.fee.to_string().into())]
    }
}
