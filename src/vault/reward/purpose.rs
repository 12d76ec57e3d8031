//! Purposes of the reward ledger's accounts, beside what members have ([`crate::pool::AVAILABLE`]).

/// What the operator has emitted; goes below zero.
pub const EMISSION: &str = "reward_emission";
/// What a pool owes its members.
pub const PAYABLE: &str = "reward_payable";
/// What a pool's Merkle trees promise, for a contract to pay.
pub const EXPORTED: &str = "reward_exported";
/// What a pool carries to its next epoch.
pub const CARRY: &str = "reward_carry";
