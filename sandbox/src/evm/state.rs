//! The accounts of one block. Blocks share what did not change between them.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy::primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use revm::bytecode::Bytecode;
use revm::state::{AccountInfo, EvmState};

/// An account with its storage; slots that hold zero are left out.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    pub(super) info: AccountInfo,
    pub(super) storage: BTreeMap<U256, U256>,
}

/// All accounts after a block. Cloning copies one pointer per account; changing an account copies that one alone.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    accounts: BTreeMap<Address, Arc<Account>>,
    digest: B256,
}

impl State {
    /// A hash that depends on every change so far and stands in for the state root: keccak of the digest before and of
    /// the changes in order. It is no Merkle root, for nobody asks this chain for proofs.
    pub(super) fn digest(&self) -> B256 {
        self.digest
    }

    pub(super) fn account(&self, address: Address) -> Option<&Account> {
        self.accounts.get(&address).map(Arc::as_ref)
    }

    pub(super) fn balance(&self, address: Address) -> U256 {
        self.account(address).map_or(U256::ZERO, |account| account.info.balance)
    }

    pub(super) fn nonce(&self, address: Address) -> u64 {
        self.account(address).map_or(0, |account| account.info.nonce)
    }

    pub(super) fn code(&self, address: Address) -> Bytes {
        let code = self.account(address).and_then(|account| account.info.code.as_ref());
        code.map(Bytecode::original_bytes).unwrap_or_default()
    }

    pub(super) fn code_by_hash(&self, hash: B256) -> Bytecode {
        let found = self.accounts.values().find(|account| account.info.code_hash == hash);
        found.and_then(|account| account.info.code.clone()).unwrap_or_default()
    }

    pub(super) fn slot(&self, address: Address, slot: U256) -> U256 {
        let value = self.account(address).and_then(|account| account.storage.get(&slot));
        value.copied().unwrap_or_default()
    }

    pub(super) fn set_balance(&mut self, address: Address, balance: U256) {
        self.change(address, |account| account.info.balance = balance);
    }

    pub(super) fn set_nonce(&mut self, address: Address, nonce: u64) {
        self.change(address, |account| account.info.nonce = nonce);
    }

    pub(super) fn set_code(&mut self, address: Address, code: Bytes) {
        self.change(address, |account| {
            account.info.code_hash = if code.is_empty() { KECCAK256_EMPTY } else { keccak256(&code) };
            account.info.code = Some(Bytecode::new_raw(code));
        });
    }

    pub(super) fn set_slot(&mut self, address: Address, slot: U256, value: U256) {
        self.change(address, |account| {
            if value.is_zero() {
                account.storage.remove(&slot);
            } else {
                account.storage.insert(slot, value);
            }
        });
        self.fold(&[slot.to_be_bytes::<32>(), value.to_be_bytes()].concat());
    }

    fn change(&mut self, address: Address, change: impl FnOnce(&mut Account)) {
        let account = Arc::make_mut(self.accounts.entry(address).or_default());
        change(account);
        let written = written(address, &account.info);
        self.fold(&written);
    }

    /// Takes over what a transaction changed.
    pub(super) fn apply(&mut self, changes: EvmState) {
        // The order must be the same each time, or blocks would have other hashes in each run.
        let changes: BTreeMap<_, _> =
            changes.into_iter().filter(|(_, account)| account.is_touched()).collect();
        let mut digested = Vec::new();
        for (address, changed) in changes {
            // EIP-161: an empty account does not exist.
            if changed.is_selfdestructed() || changed.is_empty() {
                if self.accounts.remove(&address).is_some() {
                    digested.extend_from_slice(address.as_slice());
                }
                continue;
            }
            let account = Arc::make_mut(self.accounts.entry(address).or_default());
            if changed.is_created() {
                account.storage.clear();
            }
            let slots: BTreeMap<_, _> =
                changed.changed_storage_slots().map(|(slot, value)| (*slot, value.present_value)).collect();
            let code = changed.info.code.or_else(|| account.info.code.take());
            account.info = AccountInfo { code, ..changed.info };
            digested.extend(written(address, &account.info));
            for (slot, value) in slots {
                digested.extend_from_slice(&slot.to_be_bytes::<32>());
                digested.extend_from_slice(&value.to_be_bytes::<32>());
                if value.is_zero() {
                    account.storage.remove(&slot);
                } else {
                    account.storage.insert(slot, value);
                }
            }
        }
        self.fold(&digested);
    }

    fn fold(&mut self, written: &[u8]) {
        self.digest = keccak256([self.digest.as_slice(), written].concat());
    }
}

fn written(address: Address, info: &AccountInfo) -> Vec<u8> {
    let balance = info.balance.to_be_bytes::<32>();
    [address.as_slice(), &balance, &info.nonce.to_be_bytes(), info.code_hash.as_slice()].concat()
}
