//! Accounts: how they are read and changed, what they must keep in reserve, and who sponsors that.

use std::collections::BTreeMap;
use std::sync::Arc;

use stellar_xdr::{
    AccountEntry, AccountEntryExt, AccountEntryExtensionV1, AccountEntryExtensionV1Ext,
    AccountEntryExtensionV2, AccountEntryExtensionV2Ext, AccountEntryExtensionV3, AccountId, ExtensionPoint,
    LedgerEntry, LedgerEntryData, LedgerEntryExt, LedgerEntryExtensionV1, LedgerEntryExtensionV1Ext,
    LedgerKey, LedgerKeyAccount, Liabilities, SequenceNumber, SponsorshipDescriptor, Thresholds, TimePoint,
    VecM,
};

use super::entries::Entries;
use super::settings::BASE_RESERVE;

/// Who sponsors the reserves of whom, between the operations that begin and end it.
pub(crate) type Sponsors = BTreeMap<AccountId, AccountId>;

/// Why a reserve cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoReserve {
    /// The account that would pay has too few lumens.
    Low,
    /// A counter is full.
    TooMany,
}

pub(crate) fn key(id: &AccountId) -> LedgerKey {
    LedgerKey::Account(LedgerKeyAccount { account_id: id.clone() })
}

pub(crate) fn load(entries: &Entries, id: &AccountId) -> Option<AccountEntry> {
    match &entries.get(&key(id))?.entry.data {
        LedgerEntryData::Account(account) => Some(account.clone()),
        _ => None,
    }
}

/// Writes an account back, keeping who sponsors it.
pub(crate) fn store(entries: &mut Entries, account: AccountEntry) {
    let slot = entries.get(&key(&account.account_id)).map(|slot| Arc::clone(&slot.entry));
    let ext = slot.map_or(LedgerEntryExt::V0, |entry| entry.ext.clone());
    let data = LedgerEntryData::Account(account);
    entries.put(LedgerEntry { last_modified_ledger_seq: 0, data, ext }, None);
}

/// An account as it is made: the balance in stroops, its sequence number starting from the ledger's.
pub(crate) fn fresh(id: &AccountId, balance: i64, sequence: u32) -> AccountEntry {
    AccountEntry {
        account_id: id.clone(),
        balance,
        seq_num: SequenceNumber(i64::from(sequence) << 32),
        num_sub_entries: 0,
        inflation_dest: None,
        flags: 0,
        home_domain: stellar_xdr::String32::default(),
        thresholds: Thresholds([1, 0, 0, 0]),
        signers: VecM::default(),
        ext: AccountEntryExt::V0,
    }
}

/// The extension with the sponsorship counters, made when it is missing.
pub(crate) fn counters(account: &mut AccountEntry) -> &mut AccountEntryExtensionV2 {
    let signers = account.signers.len();
    if matches!(account.ext, AccountEntryExt::V0) {
        account.ext = AccountEntryExt::V1(AccountEntryExtensionV1 {
            liabilities: Liabilities { buying: 0, selling: 0 },
            ext: AccountEntryExtensionV1Ext::V0,
        });
    }
    let AccountEntryExt::V1(first) = &mut account.ext else { unreachable!("set just above") };
    if matches!(first.ext, AccountEntryExtensionV1Ext::V0) {
        first.ext = AccountEntryExtensionV1Ext::V2(AccountEntryExtensionV2 {
            num_sponsored: 0,
            num_sponsoring: 0,
            signer_sponsoring_i_ds: VecM::try_from(vec![SponsorshipDescriptor(None); signers])
                .unwrap_or_default(),
            ext: AccountEntryExtensionV2Ext::V0,
        });
    }
    let AccountEntryExtensionV1Ext::V2(second) = &mut first.ext else { unreachable!("set just above") };
    second
}

/// Notes when the sequence number was last used, as the network has done since protocol 19.
pub(crate) fn touch_sequence(account: &mut AccountEntry, ledger: u32, time: u64) {
    counters(account).ext = AccountEntryExtensionV2Ext::V3(AccountEntryExtensionV3 {
        ext: ExtensionPoint::V0,
        seq_ledger: ledger,
        seq_time: TimePoint(time),
    });
}

/// Ledger and time at which the sequence number was last used.
pub(crate) fn sequence_used(account: &AccountEntry) -> (u32, u64) {
    match &account.ext {
        AccountEntryExt::V1(AccountEntryExtensionV1 {
            ext:
                AccountEntryExtensionV1Ext::V2(AccountEntryExtensionV2 {
                    ext: AccountEntryExtensionV2Ext::V3(ext),
                    ..
                }),
            ..
        }) => (ext.seq_ledger, ext.seq_time.0),
        _ => (0, 0),
    }
}

fn sponsorship(account: &AccountEntry) -> (i64, i64) {
    match &account.ext {
        AccountEntryExt::V1(AccountEntryExtensionV1 { ext: AccountEntryExtensionV1Ext::V2(ext), .. }) => {
            (i64::from(ext.num_sponsored), i64::from(ext.num_sponsoring))
        }
        _ => (0, 0),
    }
}

fn selling(account: &AccountEntry) -> i64 {
    match &account.ext {
        AccountEntryExt::V1(ext) => ext.liabilities.selling,
        AccountEntryExt::V0 => 0,
    }
}

/// Stroops that can be spent: the balance above the reserve, never below zero.
pub(crate) fn spendable(account: &AccountEntry) -> i64 {
    let (sponsored, sponsoring) = sponsorship(account);
    let count = 2 + i64::from(account.num_sub_entries) + sponsoring - sponsored;
    let reserve = count.saturating_mul(i64::from(BASE_RESERVE));
    account.balance.saturating_sub(reserve).saturating_sub(selling(account)).max(0)
}

/// Whether the balance covers the reserve.
fn covers_reserve(account: &AccountEntry) -> bool {
    let (sponsored, sponsoring) = sponsorship(account);
    let count = 2 + i64::from(account.num_sub_entries) + sponsoring - sponsored;
    account.balance.saturating_sub(selling(account)) >= count.saturating_mul(i64::from(BASE_RESERVE))
}

/// Takes the reserve of `count` units from whoever sponsors `owner`, and says who that is; none when nobody does.
pub(crate) fn sponsor(
    entries: &mut Entries,
    sponsors: &Sponsors,
    owner: &AccountId,
    count: u32,
) -> Result<Option<AccountId>, NoReserve> {
    let Some(id) = sponsors.get(owner) else { return Ok(None) };
    let mut payer = load(entries, id).ok_or(NoReserve::Low)?;
    let held = counters(&mut payer);
    held.num_sponsoring = held.num_sponsoring.checked_add(count).ok_or(NoReserve::TooMany)?;
    if !covers_reserve(&payer) {
        return Err(NoReserve::Low);
    }
    store(entries, payer);
    Ok(Some(id.clone()))
}

/// Counts one more entry or signer of `owner`, on its own reserve or its sponsor's; returns the sponsor.
pub(crate) fn add_subentry(
    entries: &mut Entries,
    sponsors: &Sponsors,
    owner: &AccountId,
) -> Result<Option<AccountId>, NoReserve> {
    let payer = sponsor(entries, sponsors, owner, 1)?;
    let mut account = load(entries, owner).ok_or(NoReserve::Low)?;
    account.num_sub_entries = account.num_sub_entries.checked_add(1).ok_or(NoReserve::TooMany)?;
    if account.num_sub_entries > 1_000 {
        return Err(NoReserve::TooMany);
    }
    if payer.is_some() {
        let held = counters(&mut account);
        held.num_sponsored = held.num_sponsored.checked_add(1).ok_or(NoReserve::TooMany)?;
    } else if !covers_reserve(&account) {
        return Err(NoReserve::Low);
    }
    store(entries, account);
    Ok(payer)
}

/// Counts one entry or signer of `owner` less, and frees the reserve of whoever sponsored it.
pub(crate) fn drop_subentry(entries: &mut Entries, owner: &AccountId, payer: Option<&AccountId>) {
    if let Some(mut account) = load(entries, owner) {
        account.num_sub_entries = account.num_sub_entries.saturating_sub(1);
        if payer.is_some() {
            let held = counters(&mut account);
            held.num_sponsored = held.num_sponsored.saturating_sub(1);
        }
        store(entries, account);
    }
    if let Some(mut account) = payer.and_then(|payer| load(entries, payer)) {
        let held = counters(&mut account);
        held.num_sponsoring = held.num_sponsoring.saturating_sub(1);
        store(entries, account);
    }
}

/// The extension of an entry that is sponsored.
pub(crate) fn sponsored_ext(payer: Option<AccountId>) -> LedgerEntryExt {
    match payer {
        None => LedgerEntryExt::V0,
        Some(payer) => LedgerEntryExt::V1(LedgerEntryExtensionV1 {
            sponsoring_id: SponsorshipDescriptor(Some(payer)),
            ext: LedgerEntryExtensionV1Ext::V0,
        }),
    }
}

/// Who sponsors an entry.
pub(crate) fn sponsor_of(entry: &LedgerEntry) -> Option<AccountId> {
    match &entry.ext {
        LedgerEntryExt::V1(ext) => ext.sponsoring_id.0.clone(),
        LedgerEntryExt::V0 => None,
    }
}

/// Adds stroops, which may be negative, without regard to the reserve; false when the balance cannot hold it.
pub(crate) fn add_balance(entries: &mut Entries, id: &AccountId, stroops: i64) -> bool {
    let Some(mut account) = load(entries, id) else { return false };
    match account.balance.checked_add(stroops) {
        Some(balance) if balance >= 0 => account.balance = balance,
        _ => return false,
    }
    store(entries, account);
    true
}
