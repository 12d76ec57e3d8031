//! What is hashed: the 76-byte message of the KALE contract as Keccak lanes, and the reference hash of it.

use tiny_keccak::{Hasher, Keccak};

/// The most zeros a digest can have: 32 bytes are 64 hex digits.
pub const MAX_ZEROS: u32 = 64;

/// What stays the same while nonces are tried: one farmer's work in one block of the farm.
///
/// The message is `index` (u32, big endian) ‖ nonce (u64, big endian) ‖ `entropy` ‖ `farmer` (the contract's `work`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Job {
    /// Number of the farm's block.
    pub index: u32,
    /// Entropy of that block.
    pub entropy: [u8; 32],
    /// Last 32 bytes of the farmer address' XDR: the raw key of a `G…` address, the hash of a `C…` address.
    pub farmer: [u8; 32],
}

impl Job {
    /// The 76 bytes that are hashed for this nonce.
    pub fn message(&self, nonce: u64) -> [u8; 76] {
        let mut message = [0; 76];
        message[..4].copy_from_slice(&self.index.to_be_bytes());
        message[4..12].copy_from_slice(&nonce.to_be_bytes());
        message[12..44].copy_from_slice(&self.entropy);
        message[44..].copy_from_slice(&self.farmer);
        message
    }

    /// The digest by the reference implementation (`tiny-keccak`), which every reported hash comes from.
    pub fn hash(&self, nonce: u64) -> [u8; 32] {
        let mut digest = [0; 32];
        let mut keccak = Keccak::v256();
        keccak.update(&self.message(nonce));
        keccak.finalize(&mut digest);
        digest
    }

    /// The padded message as the first 17 lanes of the state; the other eight are zero.
    pub(super) fn lanes(&self, nonce: u64) -> [u64; 17] {
        let mut block = [0; 136];
        block[..76].copy_from_slice(&self.message(nonce));
        // Keccak's own padding (not SHA-3's): a 1 bit, zeros, a 1 bit at the end of the rate of 1088 bits.
        block[76] = 0x01;
        block[135] = 0x80;
        let mut lanes = [0; 17];
        for (lane, bytes) in lanes.iter_mut().zip(block.as_chunks::<8>().0) {
            *lane = u64::from_le_bytes(*bytes);
        }
        lanes
    }
}

/// Leading zero hex digits of a digest, 0 to [`MAX_ZEROS`].
pub fn zeros(digest: &[u8; 32]) -> u32 {
    let mut count = 0;
    for byte in digest {
        count += byte.leading_zeros() / 4;
        if *byte != 0 {
            break;
        }
    }
    count
}

/// Leading zero hex digits of a digest of which only the first lane is known: exact up to 15, 16 means at least 16.
pub(super) fn lane_zeros(lane: u64) -> u32 {
    lane.swap_bytes().leading_zeros() / 4
}

/// The bits of the digest's first lane that are zero in a digest with at least `zeros` leading zeros (16 or more: all).
pub(super) fn lane_mask(zeros: u32) -> u64 {
    match zeros {
        0 => 0,
        1..=15 => (u64::MAX << (64 - 4 * zeros)).swap_bytes(),
        _ => u64::MAX,
    }
}
