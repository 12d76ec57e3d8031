//! Signatures of a transaction: which of an account's signers they come from, and whether that is enough.

use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};
use stellar_xdr::{
    AccountEntry, AccountId, DecoratedSignature, OperationBody, PublicKey, SetOptionsOp, Signer, SignerKey,
    Uint256,
};

/// How much weight an operation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Low,
    Medium,
    High,
}

/// The level that an operation needs.
pub(crate) fn level(body: &OperationBody) -> Level {
    match body {
        OperationBody::SetOptions(SetOptionsOp {
            master_weight: None,
            low_threshold: None,
            med_threshold: None,
            high_threshold: None,
            signer: None,
            ..
        }) => Level::Medium,
        OperationBody::SetOptions(_) => Level::High,
        OperationBody::ExtendFootprintTtl(_) | OperationBody::RestoreFootprint(_) => Level::Low,
        _ => Level::Medium,
    }
}

/// The signatures over one hash, with which of them have counted.
pub(crate) struct Signatures<'a> {
    hash: [u8; 32],
    given: &'a [DecoratedSignature],
    used: Vec<bool>,
}

impl<'a> Signatures<'a> {
    pub(crate) fn new(hash: [u8; 32], signatures: &'a [DecoratedSignature]) -> Self {
        Self { hash, given: signatures, used: vec![false; signatures.len()] }
    }

    /// Whether the account's signers that have signed reach its threshold of this level.
    pub(crate) fn authorise(&mut self, account: &AccountEntry, level: Level) -> bool {
        let [master, low, medium, high] = account.thresholds.0;
        let needed = match level {
            Level::Low => low,
            Level::Medium => medium,
            Level::High => high,
        };
        let mut signers: Vec<Signer> = account.signers.to_vec();
        if master > 0 {
            signers.push(Signer { key: own_key(&account.account_id), weight: u32::from(master) });
        }
        self.reach(&signers, u32::from(needed))
    }

    /// Whether the key of an account that does not exist has signed.
    pub(crate) fn authorise_absent(&mut self, id: &AccountId) -> bool {
        self.reach(&[Signer { key: own_key(id), weight: 1 }], 0)
    }

    /// Whether a signer that the transaction itself names has signed.
    pub(crate) fn authorise_signer(&mut self, signer: &SignerKey) -> bool {
        self.reach(&[Signer { key: signer.clone(), weight: 1 }], 1)
    }

    fn reach(&mut self, signers: &[Signer], needed: u32) -> bool {
        let mut left = signers.to_vec();
        let mut weight = 0_u32;
        // A transaction allowed beforehand by its hash needs no signature.
        if let Some(index) = left
            .iter()
            .position(|signer| matches!(&signer.key, SignerKey::PreAuthTx(hash) if hash.0 == self.hash))
        {
            weight = weight.saturating_add(left.swap_remove(index).weight.min(255));
            if weight >= needed {
                return true;
            }
        }
        for (signature, used) in self.given.iter().zip(self.used.iter_mut()) {
            let Some(index) = left.iter().position(|signer| signs(&signer.key, signature, &self.hash)) else {
                continue;
            };
            *used = true;
            weight = weight.saturating_add(left.swap_remove(index).weight.min(255));
            if weight >= needed {
                return true;
            }
        }
        false
    }

    /// Whether each signature has counted for something.
    pub(crate) fn all_used(&self) -> bool {
        self.used.iter().all(|used| *used)
    }
}

fn own_key(id: &AccountId) -> SignerKey {
    let PublicKey::PublicKeyTypeEd25519(key) = &id.0;
    SignerKey::Ed25519(key.clone())
}

fn hint(key: &Uint256) -> &[u8] {
    key.0.get(28..).unwrap_or_default()
}

fn signs(signer: &SignerKey, signature: &DecoratedSignature, hash: &[u8; 32]) -> bool {
    match signer {
        SignerKey::Ed25519(key) => {
            signature.hint.0 == hint(key) && verifies(key, hash, signature.signature.as_slice())
        }
        SignerKey::HashX(expected) => {
            signature.hint.0 == hint(expected)
                && <[u8; 32]>::from(Sha256::digest(signature.signature.as_slice())) == expected.0
        }
        SignerKey::Ed25519SignedPayload(payload) => {
            verifies(&payload.ed25519, payload.payload.as_slice(), signature.signature.as_slice())
        }
        SignerKey::PreAuthTx(_) => false,
    }
}

fn verifies(key: &Uint256, message: &[u8], signature: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) = (VerifyingKey::from_bytes(&key.0), Signature::from_slice(signature))
    else {
        return false;
    };
    key.verify_strict(message, &signature).is_ok()
}
