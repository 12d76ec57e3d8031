//! A farmer's account and trustline.

use super::asset;
use super::fields::bad;
use super::model::Moment;
use super::site::Site;
use crate::amount::Base;
use crate::output::Result;
use crate::stellar::Entries;
use crate::stellar::xdr::{
    AccountEntry, AccountEntryExt, AccountEntryExtensionV1, AccountEntryExtensionV1Ext, AccountId, Asset,
    LedgerEntryData, LedgerKey, LedgerKeyAccount, LedgerKeyTrustLine, TrustLineAsset, TrustLineEntryExt,
    TrustLineFlags,
};

/// What each entry of an account reserves, in stroops (the network's base reserve).
pub(super) const BASE_RESERVE: i64 = 5_000_000;

/// A farmer's account. Amounts in stroops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wallet {
    /// Sequence number.
    pub sequence: i64,
    /// Lumens.
    pub lumens: i64,
    /// Lumens that must stay: reserves and what is offered for sale.
    pub reserve: i64,
    /// KALE; `None` without a trustline.
    pub kale: Option<Trust>,
}

/// A trustline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trust {
    /// What can be moved, in stroops.
    pub balance: Base,
    /// Whether the issuer lets it move.
    pub authorized: bool,
}

impl Wallet {
    /// Lumens above the reserve.
    pub const fn spare(&self) -> i64 {
        self.lumens.saturating_sub(self.reserve)
    }
}

/// Accounts at one moment, from one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The endpoint's name.
    pub endpoint: String,
    /// The ledger and its close time.
    pub at: Moment,
    /// What KALE is.
    pub asset: Asset,
    /// The accounts that were asked for, in that order; `None` where one does not exist.
    pub wallets: Vec<Option<Wallet>>,
}

impl Look {
    /// Reads accounts and their trustlines to the farm's asset: three requests, one more where the network does not tell the
    /// asset, and one more per hundred accounts.
    ///
    /// # Errors
    /// `not_a_contract`, `bad_reply`, those of [`crate::stellar::Client::view`].
    pub async fn read(site: &Site, accounts: &[&AccountId]) -> Result<Self> {
        site.client
            .view(async |view| {
                let asset = asset::of_farm(site, view).await?;
                let entries = view.entries(accounts.iter().flat_map(|account| keys(account, &asset))).await?;
                let wallets = accounts.iter().map(|account| decode(&entries, account, &asset));
                let ledger = view.ledger();
                Ok(Self {
                    endpoint: view.endpoint().to_owned(),
                    at: Moment { ledger: ledger.sequence, time: ledger.close_time },
                    wallets: wallets.collect::<Result<_>>()?,
                    asset,
                })
            })
            .await
    }
}

/// The ledger keys of an account and its trustline.
pub fn keys(account: &AccountId, asset: &Asset) -> [LedgerKey; 2] {
    [
        LedgerKey::Account(LedgerKeyAccount { account_id: account.clone() }),
        LedgerKey::Trustline(LedgerKeyTrustLine { account_id: account.clone(), asset: trusted(asset) }),
    ]
}

fn trusted(asset: &Asset) -> TrustLineAsset {
    match asset {
        Asset::Native => TrustLineAsset::Native,
        Asset::CreditAlphanum4(asset) => TrustLineAsset::CreditAlphanum4(asset.clone()),
        Asset::CreditAlphanum12(asset) => TrustLineAsset::CreditAlphanum12(asset.clone()),
    }
}

/// The account in these entries; `None` where it does not exist.
///
/// # Errors
/// `bad_reply` for entries of another kind or with a negative balance.
pub fn decode(entries: &Entries, account: &AccountId, asset: &Asset) -> Result<Option<Wallet>> {
    let [account_key, trust_key] = keys(account, asset);
    let what = || format!("account {account}");
    let Some(found) = entries.get(&account_key) else { return Ok(None) };
    let LedgerEntryData::Account(entry) = &found.data else {
        return Err(bad(&what(), "another kind of entry came back"));
    };
    let kale = match entries.get(&trust_key).map(|found| &found.data) {
        None => None,
        Some(LedgerEntryData::Trustline(line)) => {
            let selling = match &line.ext {
                TrustLineEntryExt::V1(ext) => ext.liabilities.selling,
                TrustLineEntryExt::V0 => 0,
            };
            let balance = u64::try_from(line.balance.saturating_sub(selling))
                .map_err(|_| bad(&what(), format!("its trustline holds {}", line.balance)))?;
            let authorized = line.flags & TrustLineFlags::AuthorizedFlag as u32 != 0;
            Some(Trust { balance: Base::from(balance), authorized })
        }
        Some(_) => return Err(bad(&what(), "another kind of entry came back for its trustline")),
    };
    Ok(Some(Wallet { sequence: entry.seq_num.0, lumens: entry.balance, reserve: reserve(entry), kale }))
}

/// (2 + subentries + sponsoring - sponsored) base reserves, and what is offered for sale (CAP-0033).
fn reserve(entry: &AccountEntry) -> i64 {
    let (mut selling, mut sponsoring, mut sponsored) = (0, 0, 0);
    if let AccountEntryExt::V1(AccountEntryExtensionV1 { liabilities, ext }) = &entry.ext {
        selling = liabilities.selling;
        if let AccountEntryExtensionV1Ext::V2(ext) = ext {
            (sponsoring, sponsored) = (i64::from(ext.num_sponsoring), i64::from(ext.num_sponsored));
        }
    }
    let entries = 2 + i64::from(entry.num_sub_entries) + sponsoring - sponsored;
    entries.saturating_mul(BASE_RESERVE).saturating_add(selling)
}
