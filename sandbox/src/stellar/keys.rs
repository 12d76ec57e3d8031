//! Keys of the sandbox, derived from public names: worth nothing on any other network.

use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};
use stellar_xdr::{
    AccountId, DecoratedSignature, Limits, PublicKey, Signature, SignatureHint, Uint256, WriteXdr,
};

use crate::Result;

/// A key pair in the network's text forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keypair {
    /// `G…`.
    pub address: String,
    /// `S…`.
    pub secret: String,
}

impl Keypair {
    /// The pair whose seed is the SHA-256 of this text.
    pub fn derive(text: &str) -> Self {
        let key = signing_key(text);
        let seed = stellar_strkey::ed25519::PrivateKey(key.to_bytes());
        Self { address: account_id(&key).to_string(), secret: format!("{}", seed.as_unredacted()) }
    }
}

pub(crate) fn signing_key(text: &str) -> SigningKey {
    SigningKey::from_bytes(&Sha256::digest(text).into())
}

pub(crate) fn account_id(key: &SigningKey) -> AccountId {
    AccountId(PublicKey::PublicKeyTypeEd25519(Uint256(key.verifying_key().to_bytes())))
}

/// A signature over a hash, with the hint of its key.
pub(crate) fn sign(key: &SigningKey, hash: &[u8; 32]) -> Result<DecoratedSignature> {
    let public = key.verifying_key().to_bytes();
    let mut hint = [0; 4];
    hint.copy_from_slice(public.get(28..).unwrap_or(&[0; 4]));
    let signature = Signature(key.sign(hash).to_bytes().to_vec().try_into()?);
    // An encoding that fails would only show on the network; better here.
    signature.to_xdr(Limits::none())?;
    Ok(DecoratedSignature { hint: SignatureHint(hint), signature })
}
