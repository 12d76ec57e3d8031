//! The hash that is worked on: which 32 bytes stand for a farmer, and the grinder's job for a farmer and a block.

use super::Block;
use grind::Job;
use stellar_xdr::{AccountId, ContractId, Hash, PublicKey, ScAddress, Uint256};

/// The last 32 bytes of the address' XDR: the raw key of a `G…` address, the hash of a `C…` address. `None` for the
/// kinds of address that cannot plant.
pub const fn farmer_bytes(farmer: &ScAddress) -> Option<[u8; 32]> {
    match farmer {
        ScAddress::Account(AccountId(PublicKey::PublicKeyTypeEd25519(Uint256(key)))) => Some(*key),
        ScAddress::Contract(ContractId(Hash(id))) => Some(*id),
        _ => None,
    }
}

/// What is ground for a farmer in block `index`; `block` is the block's own entry, not the farm's open one.
pub fn job(index: u32, block: &Block, farmer: &ScAddress) -> Option<Job> {
    Some(Job { index, entropy: block.entropy, farmer: farmer_bytes(farmer)? })
}
