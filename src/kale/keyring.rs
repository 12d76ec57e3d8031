//! The key store as what signs transactions.

use base::Result;
use keys::KeyStore;
use stellar::Signers;
use stellar::xdr::AccountId;

impl Signers for KeyStore {
    fn sign(&self, account: &AccountId, hash: &[u8; 32]) -> Result<[u8; 64]> {
        Ok(self.signer(&account.to_string())?.sign(hash))
    }
}
