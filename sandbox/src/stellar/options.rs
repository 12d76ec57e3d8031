//! `SetOptions`: an account's flags, thresholds, home domain and signers.

use stellar_xdr::{
    AccountEntry, AccountFlags, AccountId, PublicKey, SetOptionsOp, SetOptionsResult, Signer, SignerKey,
    SponsorshipDescriptor, String32, VecM,
};

use super::account::{self, NoReserve, Sponsors};
use super::entries::Entries;

const AUTH_FLAGS: u32 = AccountFlags::RequiredFlag as u32
    | AccountFlags::RevocableFlag as u32
    | AccountFlags::ImmutableFlag as u32
    | AccountFlags::ClawbackEnabledFlag as u32;
const IMMUTABLE: u32 = AccountFlags::ImmutableFlag as u32;
const REVOCABLE: u32 = AccountFlags::RevocableFlag as u32;
const CLAWBACK: u32 = AccountFlags::ClawbackEnabledFlag as u32;

/// What is wrong with the operation whatever the ledger holds.
pub(crate) fn check(source: &AccountId, op: &SetOptionsOp) -> Option<SetOptionsResult> {
    let (set, clear) = (op.set_flags.unwrap_or(0), op.clear_flags.unwrap_or(0));
    if (set | clear) & !AUTH_FLAGS != 0 {
        return Some(SetOptionsResult::UnknownFlag);
    }
    if set & clear != 0 {
        return Some(SetOptionsResult::BadFlags);
    }
    let weights = [op.master_weight, op.low_threshold, op.med_threshold, op.high_threshold];
    if weights.iter().flatten().any(|weight| *weight > 255) {
        return Some(SetOptionsResult::ThresholdOutOfRange);
    }
    if op.home_domain.as_ref().is_some_and(|domain| domain.iter().any(|byte| !(0x20..0x7f).contains(byte))) {
        return Some(SetOptionsResult::InvalidHomeDomain);
    }
    if let Some(signer) = &op.signer {
        let PublicKey::PublicKeyTypeEd25519(own) = &source.0;
        let is_own = matches!(&signer.key, SignerKey::Ed25519(key) if key == own);
        let is_empty = matches!(&signer.key, SignerKey::Ed25519SignedPayload(key) if key.payload.is_empty());
        if is_own || is_empty || signer.weight > 255 {
            return Some(SetOptionsResult::BadSigner);
        }
    }
    None
}

/// Carries the operation out.
pub(crate) fn apply(
    entries: &mut Entries,
    sponsors: &Sponsors,
    source: &AccountId,
    op: &SetOptionsOp,
) -> SetOptionsResult {
    if op.inflation_dest.as_ref().is_some_and(|id| account::load(entries, id).is_none()) {
        return SetOptionsResult::InvalidInflation;
    }
    let Some(mut account) = account::load(entries, source) else { return SetOptionsResult::BadFlags };
    let (set, clear) = (op.set_flags.unwrap_or(0), op.clear_flags.unwrap_or(0));
    if (set | clear) != 0 && account.flags & IMMUTABLE != 0 {
        return SetOptionsResult::CantChange;
    }
    account.flags = (account.flags & !clear) | set;
    if account.flags & CLAWBACK != 0 && account.flags & REVOCABLE == 0 {
        return SetOptionsResult::AuthRevocableRequired;
    }
    if let Some(id) = &op.inflation_dest {
        account.inflation_dest = Some(id.clone());
    }
    let weights = [op.master_weight, op.low_threshold, op.med_threshold, op.high_threshold];
    for (held, new) in account.thresholds.0.iter_mut().zip(weights) {
        if let Some(new) = new.and_then(|new| u8::try_from(new).ok()) {
            *held = new;
        }
    }
    if let Some(domain) = &op.home_domain {
        account.home_domain = String32::clone(domain);
    }
    account::store(entries, account);
    match &op.signer {
        Some(signer) => set_signer(entries, sponsors, source, signer),
        None => SetOptionsResult::Success,
    }
}

/// Adds, changes or, with a weight of zero, removes a signer.
fn set_signer(
    entries: &mut Entries,
    sponsors: &Sponsors,
    source: &AccountId,
    signer: &Signer,
) -> SetOptionsResult {
    let Some(account) = account::load(entries, source) else { return SetOptionsResult::BadSigner };
    let place = account.signers.iter().position(|held| held.key == signer.key);
    match place {
        Some(place) if signer.weight == 0 => {
            let payer = edit(entries, account, |signers, payers| {
                signers.remove(place);
                if place < payers.len() { payers.remove(place).0 } else { None }
            });
            account::drop_subentry(entries, source, payer.as_ref());
        }
        Some(place) => {
            edit(entries, account, |signers, _| {
                if let Some(held) = signers.get_mut(place) {
                    held.weight = signer.weight;
                }
            });
        }
        None if signer.weight == 0 => return SetOptionsResult::BadSigner,
        None if account.signers.len() >= 20 => return SetOptionsResult::TooManySigners,
        None => {
            let payer = match account::add_subentry(entries, sponsors, source) {
                Ok(payer) => payer,
                Err(NoReserve::Low | NoReserve::TooMany) => return SetOptionsResult::LowReserve,
            };
            let Some(account) = account::load(entries, source) else { return SetOptionsResult::BadSigner };
            // The network keeps signers in the order of their keys.
            let place = account
                .signers
                .iter()
                .position(|held| held.key > signer.key)
                .unwrap_or(account.signers.len());
            edit(entries, account, |signers, payers| {
                signers.insert(place, signer.clone());
                payers.insert(place.min(payers.len()), SponsorshipDescriptor(payer));
            });
        }
    }
    SetOptionsResult::Success
}

/// Changes the signers and the list beside them of who sponsors each.
fn edit<T>(
    entries: &mut Entries,
    mut account: AccountEntry,
    change: impl FnOnce(&mut Vec<Signer>, &mut Vec<SponsorshipDescriptor>) -> T,
) -> T {
    let mut signers = account.signers.to_vec();
    let mut payers = account::counters(&mut account).signer_sponsoring_i_ds.to_vec();
    payers.resize(signers.len(), SponsorshipDescriptor(None));
    let result = change(&mut signers, &mut payers);
    account.signers = VecM::try_from(signers).unwrap_or_default();
    account::counters(&mut account).signer_sponsoring_i_ds = VecM::try_from(payers).unwrap_or_default();
    account::store(entries, account);
    result
}
