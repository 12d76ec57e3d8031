//! Runs transactions and calls on revm: over a block's state, with the chain's rules.

use std::convert::Infallible;
use std::sync::Arc;

use alloy::consensus::transaction::Recovered;
use alloy::consensus::{Header, Transaction, TxEnvelope};
use alloy::primitives::{Address, B256, U256};
use revm::bytecode::Bytecode;
use revm::context::result::{EVMError, ExecutionResult, HaltReason, InvalidTransaction, ResultAndState};
use revm::context::{BlockEnv, Context, TxEnv, either::Either};
use revm::context_interface::block::BlobExcessGasAndPrice;
use revm::database_interface::WrapDatabaseRef;
use revm::primitives::hardfork::SpecId;
use revm::state::AccountInfo;
use revm::{DatabaseRef, ExecuteEvm, MainBuilder, MainContext};

use super::state::State;

/// How many blocks back `BLOCKHASH` sees.
pub(super) const VISIBLE_HASHES: usize = 256;

/// What a transaction or a call came to.
pub(super) type Outcome = ExecutionResult<HaltReason>;

/// Whether the caller pays and its nonce counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// As in a block.
    Transaction,
    /// As `eth_call` does it: any nonce, any gas, a price of zero, and contracts may be callers.
    Call,
}

/// The newest hashes below a block, for `BLOCKHASH`.
#[derive(Clone, Debug, Default)]
pub(super) struct Hashes {
    /// Number of the first.
    pub(super) first: u64,
    pub(super) hashes: Vec<B256>,
}

/// The state as revm reads it.
struct View<'a> {
    state: &'a State,
    hashes: &'a Hashes,
}

impl DatabaseRef for View<'_> {
    type Error = Infallible;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, Infallible> {
        Ok(self.state.account(address).map(|account| account.info.clone()))
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, Infallible> {
        Ok(self.state.code_by_hash(hash))
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, Infallible> {
        Ok(self.state.slot(address, slot))
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, Infallible> {
        let place = number.checked_sub(self.hashes.first).and_then(|place| usize::try_from(place).ok());
        Ok(place.and_then(|place| self.hashes.hashes.get(place)).copied().unwrap_or_default())
    }
}

/// Where something is run: a block's surroundings over a state.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    pub(super) chain_id: u64,
    pub(super) block: BlockEnv,
    pub(super) state: Arc<State>,
    pub(super) hashes: Hashes,
}

impl Spot {
    /// Runs one transaction; the state stays as it is. Fails when a block could not hold the transaction.
    pub(super) fn run(&self, tx: TxEnv, manner: Manner) -> Result<ResultAndState, InvalidTransaction> {
        let view = View { state: &self.state, hashes: &self.hashes };
        let mut evm = Context::mainnet()
            .with_db(WrapDatabaseRef(view))
            .with_block(self.block.clone())
            .modify_cfg_chained(|cfg| {
                cfg.set_spec_and_mainnet_gas_params(SpecId::OSAKA);
                cfg.chain_id = self.chain_id;
                // As on anvil, one transaction may take the whole block, whatever EIP-7825 says.
                cfg.tx_gas_limit_cap = Some(u64::MAX);
                if manner == Manner::Call {
                    cfg.disable_nonce_check = true;
                    cfg.disable_eip3607 = true;
                    cfg.disable_block_gas_limit = true;
                    cfg.disable_base_fee = tx.gas_price == 0;
                }
            })
            .build_mainnet();
        evm.transact(tx).map_err(|error| match error {
            EVMError::Transaction(invalid) => invalid,
            other => InvalidTransaction::Str(other.to_string().into()),
        })
    }
}

/// What a block tells the contracts run in it.
pub(super) fn surroundings(header: &Header) -> BlockEnv {
    BlockEnv {
        number: U256::from(header.number),
        beneficiary: header.beneficiary,
        timestamp: U256::from(header.timestamp),
        gas_limit: header.gas_limit,
        basefee: header.base_fee_per_gas.unwrap_or_default(),
        difficulty: U256::ZERO,
        prevrandao: Some(header.mix_hash),
        blob_excess_gas_and_price: Some(BlobExcessGasAndPrice { excess_blob_gas: 0, blob_gasprice: 1 }),
        slot_num: 0,
    }
}

/// A signed transaction in revm's terms.
pub(super) fn environment(tx: &Recovered<TxEnvelope>) -> TxEnv {
    TxEnv {
        tx_type: tx.tx_type() as u8,
        caller: tx.signer(),
        gas_limit: tx.gas_limit(),
        gas_price: tx.max_fee_per_gas(),
        kind: tx.kind(),
        value: tx.value(),
        data: tx.input().clone(),
        nonce: tx.nonce(),
        chain_id: tx.chain_id(),
        access_list: tx.access_list().cloned().unwrap_or_default(),
        gas_priority_fee: tx.max_priority_fee_per_gas(),
        blob_hashes: Vec::new(),
        max_fee_per_blob_gas: 0,
        authorization_list: tx
            .authorization_list()
            .unwrap_or_default()
            .iter()
            .cloned()
            .map(Either::Left)
            .collect(),
    }
}

/// Why a gas limit could not be found.
#[derive(Debug)]
pub(super) enum NoEstimate {
    /// No block could hold the transaction.
    Invalid(InvalidTransaction),
    /// It fails with all the gas there is.
    Fails(Outcome),
}

/// The least gas limit with which the call succeeds, at most that of `tx`.
pub(super) fn estimate(spot: &Spot, tx: &TxEnv) -> Result<u64, NoEstimate> {
    let run = |gas_limit: u64| {
        let tx = TxEnv { gas_limit, ..tx.clone() };
        spot.run(tx, Manner::Call).map(|done| done.result)
    };
    let first = run(tx.gas_limit).map_err(NoEstimate::Invalid)?;
    if !first.is_success() {
        return Err(NoEstimate::Fails(first));
    }
    let succeeds = |gas_limit: u64| matches!(run(gas_limit), Ok(outcome) if outcome.is_success());
    // What was spent before refunds is nearly always the answer; a call that keeps gas back (EIP-150) needs more.
    let spent = first.gas().total_gas_spent().max(first.gas().floor_gas());
    if succeeds(spent) {
        return Ok(spent);
    }
    let (mut fails, mut enough) = (spent, tx.gas_limit);
    let mut guess = spent.saturating_add(spent / 63).min(enough);
    while enough - fails > 1 {
        if guess <= fails || guess >= enough {
            guess = fails + (enough - fails) / 2;
        }
        if succeeds(guess) {
            enough = guess;
        } else {
            fails = guess;
        }
        guess = fails + (enough - fails) / 2;
    }
    Ok(enough)
}
