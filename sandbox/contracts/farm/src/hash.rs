//! The hash that is worked on: 76 bytes under keccak256, and the count of its leading zero hex digits.

use soroban_sdk::{xdr::ToXdr, Address, Bytes, BytesN, Env};

/// keccak256 of index (u32, big-endian), nonce (u64, big-endian), entropy and the last 32 bytes of the farmer's XDR.
pub fn block_hash(env: &Env, index: u32, nonce: u64, entropy: &BytesN<32>, farmer: &Address) -> BytesN<32> {
    let farmer = farmer.to_xdr(env);
    let length = farmer.len();
    let mut message = Bytes::from_array(env, &index.to_be_bytes());
    message.extend_from_array(&nonce.to_be_bytes());
    message.append(entropy.as_ref());
    message.append(&farmer.slice(length.saturating_sub(32)..length));
    env.crypto().keccak256(&message).into()
}

/// Leading zero hex digits, 0 to 64.
pub fn leading_zeros(hash: &BytesN<32>) -> u32 {
    let mut zeros = 0;
    for byte in hash.to_array() {
        if byte == 0 {
            zeros += 2;
            continue;
        }
        zeros += u32::from(byte < 16);
        break;
    }
    zeros
}
