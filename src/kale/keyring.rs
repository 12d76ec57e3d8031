//! The key store as what signs transactions.

use crate::keys::KeyStore;
use crate::stellar::Signers;
use crate::stellar::xdr::AccountId;
use base::Result;

impl Signers for KeyStore {
    fn sign(&self, account: &AccountId, hash: &[u8; 32]) -> Result<[u8; 64]> {
        Ok(self.signer(&account.to_string())?.sign(hash))
    }
}
