//! The ten funded accounts that every development chain has, and signing with their well-known keys.

use alloy::consensus::{SignableTransaction, TxEnvelope, TypedTransaction};
use alloy::primitives::{Address, B256, Signature, U256, address, b256};
use k256::ecdsa::SigningKey;

use crate::{Error, Result};

/// What each account has in the first block, in wei: 10,000 ether.
pub(super) const FIRST_BALANCE: U256 = U256::from_limbs([0x19e0_c9ba_b240_0000, 0x21e, 0, 0]);

/// An account whose key everybody knows: first ten of `test test test test test test test test test test test junk`
/// (BIP-44 path `m/44'/60'/0'/0/N`), the same as those of anvil and Hardhat. Worth nothing anywhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DevAccount {
    /// Its address.
    pub address: Address,
    /// Its private key, secp256k1.
    pub key: B256,
}

const fn account(address: Address, key: B256) -> DevAccount {
    DevAccount { address, key }
}

/// The accounts, in the mnemonic's order.
pub const DEV_ACCOUNTS: [DevAccount; 10] = [
    account(
        address!("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
        b256!("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"),
    ),
    account(
        address!("0x70997970C51812dc3A010C7d01b50e0d17dc79C8"),
        b256!("0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"),
    ),
    account(
        address!("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"),
        b256!("0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"),
    ),
    account(
        address!("0x90F79bf6EB2c4f870365E785982E1f101E93b906"),
        b256!("0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6"),
    ),
    account(
        address!("0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65"),
        b256!("0x47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a"),
    ),
    account(
        address!("0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc"),
        b256!("0x8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba"),
    ),
    account(
        address!("0x976EA74026E726554dB657fA54763abd0C3a0aa9"),
        b256!("0x92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e"),
    ),
    account(
        address!("0x14dC79964da2C08b23698B3D3cc7Ca32193d9955"),
        b256!("0x4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356"),
    ),
    account(
        address!("0x23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f"),
        b256!("0xdbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97"),
    ),
    account(
        address!("0xa0Ee7A142d267C1f36714E4a8F75612F20a79720"),
        b256!("0x2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6"),
    ),
];

/// Signs a transaction of a dev account; none when `from` is not one.
pub(super) fn sign(transaction: TypedTransaction, from: Address) -> Option<Result<TxEnvelope>> {
    let account = DEV_ACCOUNTS.iter().find(|account| account.address == from)?;
    Some(sign_with(transaction, account.key))
}

fn sign_with(transaction: TypedTransaction, key: B256) -> Result<TxEnvelope> {
    let signature = SigningKey::from_slice(key.as_slice())
        .and_then(|key| key.sign_prehash_recoverable(transaction.signature_hash().as_slice()))
        .map_err(|error| Error::new(format!("signing: {error}")))?;
    Ok(transaction.into_signed(Signature::from(signature)).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_addresses_belong_together() {
        for account in DEV_ACCOUNTS {
            let key = SigningKey::from_slice(account.key.as_slice()).unwrap();
            assert_eq!(Address::from_private_key(&key), account.address);
        }
        assert_eq!(FIRST_BALANCE, U256::from(10_000) * U256::from(10).pow(U256::from(18)));
    }
}
