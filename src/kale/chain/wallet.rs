//! A farmer's account and trustline.

use super::asset;
use super::site::Site;
use crate::contract::fields::bad;
use crate::contract::model::Moment;
use base::Result;
use base::amount::Base;
use stellar::xdr::{
    AccountEntry, AccountEntryExt, AccountEntryExtensionV1, AccountEntryExtensionV1Ext, AccountId, Asset,
    LedgerEntryData, LedgerKey, LedgerKeyAccount, LedgerKeyTrustLine, TrustLineAsset, TrustLineEntry,
    TrustLineEntryExt, TrustLineFlags,
};
use stellar::{Entries, View};
use strum::IntoStaticStr;

/// What each entry of an account reserves, in stroops (the network's base reserve).
pub(crate) const BASE_RESERVE: i64 = 5_000_000;

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

/// What the issuer lets a trustline do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Leave {
    /// Hold, send and receive.
    Full,
    /// Keep its offers, and neither send nor receive (CAP-0018).
    Maintain,
    /// Nothing.
    Frozen,
}

impl Leave {
    /// Its stable word.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A trustline. Amounts in stroops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trust {
    /// What can be moved: not what its offers would sell.
    pub balance: Base,
    /// What may still come in: up to its limit, less what its offers would buy.
    pub room: Base,
    /// The most that it may hold.
    pub limit: Base,
    /// What its offers would buy.
    pub buying: Base,
    /// What its offers would sell.
    pub selling: Base,
    /// What the issuer lets it do.
    pub leave: Leave,
}

impl Trust {
    /// Whether there is no higher limit.
    pub fn is_highest(&self) -> bool {
        self.limit >= Base::from(i64::MAX.unsigned_abs())
    }
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

/// Lumens above the reserve of accounts, in that order; `None` where one does not exist.
pub async fn spares(view: &View, accounts: &[&AccountId]) -> Result<Vec<Option<i64>>> {
    let entries = view.entries(accounts.iter().map(|account| account_key(account))).await?;
    accounts.iter().map(|account| Ok(lumens(&entries, account)?.map(|wallet| wallet.spare()))).collect()
}

fn account_key(account: &AccountId) -> LedgerKey {
    LedgerKey::Account(LedgerKeyAccount { account_id: account.clone() })
}

/// The ledger keys of an account and its trustline.
pub fn keys(account: &AccountId, asset: &Asset) -> [LedgerKey; 2] {
    [
        account_key(account),
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
pub fn decode(entries: &Entries, account: &AccountId, asset: &Asset) -> Result<Option<Wallet>> {
    let [_, trust_key] = keys(account, asset);
    let what = || format!("account {account}");
    let Some(wallet) = lumens(entries, account)? else { return Ok(None) };
    let kale = match entries.get(&trust_key).map(|found| &found.data) {
        None => None,
        Some(LedgerEntryData::Trustline(line)) => {
            Some(trust(line).ok_or_else(|| bad(&what(), format!("its trustline holds {}", line.balance)))?)
        }
        Some(_) => return Err(bad(&what(), "another kind of entry came back for its trustline")),
    };
    Ok(Some(Wallet { kale, ..wallet }))
}

/// The account alone, without its trustline.
fn lumens(entries: &Entries, account: &AccountId) -> Result<Option<Wallet>> {
    let Some(found) = entries.get(&account_key(account)) else { return Ok(None) };
    let LedgerEntryData::Account(entry) = &found.data else {
        return Err(bad(&format!("account {account}"), "another kind of entry came back"));
    };
    let (sequence, reserve) = (entry.seq_num.0, reserve(entry));
    Ok(Some(Wallet { sequence, lumens: entry.balance, reserve, kale: None }))
}

/// A trustline as it stands; `None` where its amounts contradict each other.
fn trust(line: &TrustLineEntry) -> Option<Trust> {
    let (buying, selling) = match &line.ext {
        TrustLineEntryExt::V1(ext) => (ext.liabilities.buying, ext.liabilities.selling),
        TrustLineEntryExt::V0 => (0, 0),
    };
    let base = |stroops: i64| u64::try_from(stroops).ok().map(Base::from);
    let has = |flag: TrustLineFlags| line.flags & flag as u32 != 0;
    Some(Trust {
        balance: base(line.balance.checked_sub(selling)?)?,
        room: base(line.limit.saturating_sub(line.balance).saturating_sub(buying).max(0))?,
        limit: base(line.limit)?,
        buying: base(buying)?,
        selling: base(selling)?,
        leave: if has(TrustLineFlags::AuthorizedFlag) {
            Leave::Full
        } else if has(TrustLineFlags::AuthorizedToMaintainLiabilitiesFlag) {
            Leave::Maintain
        } else {
            Leave::Frozen
        },
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use stellar::xdr::{Liabilities, TrustLineEntryV1, TrustLineEntryV1Ext};

    #[test]
    fn a_trustline_moves_what_is_not_for_sale_and_takes_what_its_limit_leaves() {
        const ON: u32 = TrustLineFlags::AuthorizedFlag as u32;
        const KEEPS: u32 = TrustLineFlags::AuthorizedToMaintainLiabilitiesFlag as u32;
        // Balance, limit, buying, selling, flags; what can be moved, what may come in, and the issuer's leave.
        type Case = (i64, i64, Option<(i64, i64)>, u32, Option<(u64, u64, Leave)>);
        let cases: &[Case] = &[
            (100, 100, None, ON, Some((100, 0, Leave::Full))),
            (100, i64::MAX, None, ON, Some((100, i64::MAX as u64 - 100, Leave::Full))),
            (100, 250, Some((60, 30)), ON, Some((70, 90, Leave::Full))),
            (100, 150, Some((50, 100)), KEEPS, Some((0, 0, Leave::Maintain))),
            (100, 100, None, 0, Some((100, 0, Leave::Frozen))),
            (0, 0, None, ON, Some((0, 0, Leave::Full))),
            // No network would allow these.
            (100, 90, None, ON, Some((100, 0, Leave::Full))),
            (100, 200, Some((0, 101)), ON, None),
            (-1, 200, None, ON, None),
            (i64::MIN, 200, Some((0, 1)), ON, None),
            (1, -1, None, ON, None),
        ];
        for (balance, limit, liabilities, flags, want) in cases {
            let account: AccountId =
                "GBDVX4VELCDSQ54KQJYTNHXAHFLBCA77ZY2USQBM4CSHTTV7DME7KALE".parse().unwrap();
            let ext = match liabilities {
                None => TrustLineEntryExt::V0,
                Some((buying, selling)) => TrustLineEntryExt::V1(TrustLineEntryV1 {
                    liabilities: Liabilities { buying: *buying, selling: *selling },
                    ext: TrustLineEntryV1Ext::V0,
                }),
            };
            let (account_id, asset) = (account, TrustLineAsset::Native);
            let (balance, limit, flags) = (*balance, *limit, *flags);
            let line = TrustLineEntry { account_id, asset, balance, limit, flags, ext };
            let got = trust(&line).map(|trust| (trust.balance, trust.room, trust.leave));
            let want = want.map(|(balance, room, leave)| (Base::from(balance), Base::from(room), leave));
            assert_eq!(got, want, "{line:?}");
        }
    }
}
