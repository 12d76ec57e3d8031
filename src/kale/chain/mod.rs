//! What the chain shows: where the farm is, whose entries are asked for, one moment of them, accounts and trustlines.

pub mod asset;
pub mod site;
pub mod view;
pub mod wallet;

use base::Result;
use stellar::account;
use stellar::xdr::{AccountId, ScAddress};

/// A farmer whose entries are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// Row id.
    pub id: String,
    /// `G…`.
    pub address: String,
    /// The same, for ledger keys.
    pub account: AccountId,
}

impl Who {
    /// A farmer by row id and address.
    pub fn new(id: &str, address: &str) -> Result<Self> {
        Ok(Self { id: id.to_owned(), address: address.to_owned(), account: account("a farmer", address)? })
    }

    /// The address as contracts take it.
    pub fn contract_address(&self) -> ScAddress {
        ScAddress::Account(self.account.clone())
    }
}
