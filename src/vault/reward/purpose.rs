//! Purposes of the reward ledger's accounts, beside what members have ([`crate::pool::AVAILABLE`]).

use state::{Account, OwnerKind};

/// An account that does not go below zero.
pub fn account(owner_kind: OwnerKind, owner: &str, purpose: &'static str, asset: &str) -> Account {
    let (owner, asset) = (owner.to_owned(), asset.to_owned());
    Account { owner_kind, owner, purpose, asset, overdraft: false }
}

/// What the operator has emitted; goes below zero.
pub const EMISSION: &str = "reward_emission";
/// What a pool owes its members.
pub const PAYABLE: &str = "reward_payable";
/// What a pool's Merkle trees promise, for a contract to pay.
pub const EXPORTED: &str = "reward_exported";
/// What a pool carries to its next epoch.
pub const CARRY: &str = "reward_carry";
