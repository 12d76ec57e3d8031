//! Assets: their trustlines, payments in them, their contracts' ids, and the events that a payment leaves.

use sha2::{Digest, Sha256};
use stellar_xdr::{
    AccountFlags, AccountId, Asset, ChangeTrustAsset, ChangeTrustOp, ChangeTrustResult, ContractEvent,
    ContractEventBody, ContractEventType, ContractEventV0, ContractId, ContractIdPreimage, ExtensionPoint,
    Hash, HashIdPreimage, HashIdPreimageContractId, Int128Parts, LedgerEntry, LedgerEntryData, LedgerKey,
    LedgerKeyTrustLine, Limits, PaymentResult, ScAddress, ScSymbol, ScVal, TrustLineAsset, TrustLineEntry,
    TrustLineEntryExt, TrustLineFlags, VecM, WriteXdr,
};

use super::account::{self, NoReserve, Sponsors};
use super::entries::Entries;
use crate::Result;

const AUTHORISED: u32 = TrustLineFlags::AuthorizedFlag as u32;

/// The issuer of an asset; none for lumens.
pub(crate) fn issuer(asset: &Asset) -> Option<&AccountId> {
    match asset {
        Asset::Native => None,
        Asset::CreditAlphanum4(asset) => Some(&asset.issuer),
        Asset::CreditAlphanum12(asset) => Some(&asset.issuer),
    }
}

/// Whether the code of an asset is one that the network takes: letters and digits, then zeros.
pub(crate) fn is_valid(asset: &Asset) -> bool {
    let (code, least): (&[u8], usize) = match asset {
        Asset::Native => return true,
        Asset::CreditAlphanum4(asset) => (&asset.asset_code.0, 1),
        Asset::CreditAlphanum12(asset) => (&asset.asset_code.0, 5),
    };
    let length = code.iter().position(|byte| *byte == 0).unwrap_or(code.len());
    let (text, rest) = code.split_at(length);
    length >= least && text.iter().all(u8::is_ascii_alphanumeric) && rest.iter().all(|byte| *byte == 0)
}

/// `CODE:ISSUER`, or `native`.
pub(crate) fn name(asset: &Asset) -> String {
    let (code, issuer): (&[u8], _) = match asset {
        Asset::Native => return "native".to_owned(),
        Asset::CreditAlphanum4(asset) => (&asset.asset_code.0, &asset.issuer),
        Asset::CreditAlphanum12(asset) => (&asset.asset_code.0, &asset.issuer),
    };
    let code: Vec<u8> = code.iter().copied().filter(|byte| *byte != 0).collect();
    format!("{}:{issuer}", String::from_utf8_lossy(&code))
}

/// The id of an asset's contract on a network.
pub(crate) fn contract_id(asset: &Asset, network_id: [u8; 32]) -> Result<ContractId> {
    let preimage = HashIdPreimage::ContractId(HashIdPreimageContractId {
        network_id: Hash(network_id),
        contract_id_preimage: ContractIdPreimage::Asset(asset.clone()),
    });
    Ok(ContractId(Hash(Sha256::digest(preimage.to_xdr(Limits::none())?).into())))
}

fn line_asset(asset: &Asset) -> TrustLineAsset {
    match asset.clone() {
        Asset::Native => TrustLineAsset::Native,
        Asset::CreditAlphanum4(asset) => TrustLineAsset::CreditAlphanum4(asset),
        Asset::CreditAlphanum12(asset) => TrustLineAsset::CreditAlphanum12(asset),
    }
}

fn line_key(id: &AccountId, asset: &Asset) -> LedgerKey {
    LedgerKey::Trustline(LedgerKeyTrustLine { account_id: id.clone(), asset: line_asset(asset) })
}

fn line(entries: &Entries, id: &AccountId, asset: &Asset) -> Option<(LedgerEntry, TrustLineEntry)> {
    let entry = entries.get(&line_key(id, asset))?.entry.as_ref().clone();
    match &entry.data {
        LedgerEntryData::Trustline(line) => {
            let line = line.clone();
            Some((entry, line))
        }
        _ => None,
    }
}

fn liabilities(line: &TrustLineEntry) -> (i64, i64) {
    match &line.ext {
        TrustLineEntryExt::V0 => (0, 0),
        TrustLineEntryExt::V1(ext) => (ext.liabilities.buying, ext.liabilities.selling),
    }
}

/// Makes, changes or, with a limit of zero, removes a trustline.
pub(crate) fn change_trust(
    entries: &mut Entries,
    sponsors: &Sponsors,
    source: &AccountId,
    op: &ChangeTrustOp,
) -> ChangeTrustResult {
    let asset = match &op.line {
        ChangeTrustAsset::CreditAlphanum4(asset) => Asset::CreditAlphanum4(asset.clone()),
        ChangeTrustAsset::CreditAlphanum12(asset) => Asset::CreditAlphanum12(asset.clone()),
        ChangeTrustAsset::Native | ChangeTrustAsset::PoolShare(_) => return ChangeTrustResult::Malformed,
    };
    let Some(issuer) = issuer(&asset) else { return ChangeTrustResult::Malformed };
    if issuer == source {
        return ChangeTrustResult::Malformed;
    }
    let key = line_key(source, &asset);
    if let Some((mut entry, mut held)) = line(entries, source, &asset) {
        let (buying, selling) = liabilities(&held);
        if op.limit == 0 {
            if held.balance != 0 {
                return ChangeTrustResult::InvalidLimit;
            }
            if buying != 0 || selling != 0 {
                return ChangeTrustResult::CannotDelete;
            }
            let payer = account::sponsor_of(&entry);
            entries.remove(&key);
            account::drop_subentry(entries, source, payer.as_ref());
            return ChangeTrustResult::Success;
        }
        if op.limit < held.balance.saturating_add(buying) {
            return ChangeTrustResult::InvalidLimit;
        }
        if account::load(entries, issuer).is_none() {
            return ChangeTrustResult::NoIssuer;
        }
        held.limit = op.limit;
        entry.data = LedgerEntryData::Trustline(held);
        entries.put(entry, None);
        return ChangeTrustResult::Success;
    }
    if op.limit == 0 {
        return ChangeTrustResult::InvalidLimit;
    }
    let Some(issuing) = account::load(entries, issuer) else { return ChangeTrustResult::NoIssuer };
    let payer = match account::add_subentry(entries, sponsors, source) {
        Ok(payer) => payer,
        Err(NoReserve::Low | NoReserve::TooMany) => return ChangeTrustResult::LowReserve,
    };
    let mut flags = 0;
    if issuing.flags & AccountFlags::RequiredFlag as u32 == 0 {
        flags |= AUTHORISED;
    }
    if issuing.flags & AccountFlags::ClawbackEnabledFlag as u32 != 0 {
        flags |= TrustLineFlags::TrustlineClawbackEnabledFlag as u32;
    }
    let data = LedgerEntryData::Trustline(TrustLineEntry {
        account_id: source.clone(),
        asset: line_asset(&asset),
        balance: 0,
        limit: op.limit,
        flags,
        ext: TrustLineEntryExt::V0,
    });
    let ext = account::sponsored_ext(payer);
    entries.put(LedgerEntry { last_modified_ledger_seq: 0, data, ext }, None);
    ChangeTrustResult::Success
}

/// Moves an amount of an asset; the issuer of it makes and destroys it.
pub(crate) fn pay(
    entries: &mut Entries,
    from: &AccountId,
    to: &AccountId,
    asset: &Asset,
    amount: i64,
) -> PaymentResult {
    let Some(issuer) = issuer(asset) else { return pay_lumens(entries, from, to, amount) };
    if account::load(entries, to).is_none() && to != issuer {
        return PaymentResult::NoDestination;
    }
    if from != issuer {
        let Some((mut entry, mut held)) = line(entries, from, asset) else {
            return PaymentResult::SrcNoTrust;
        };
        if held.flags & AUTHORISED == 0 {
            return PaymentResult::SrcNotAuthorized;
        }
        if held.balance.saturating_sub(liabilities(&held).1) < amount {
            return PaymentResult::Underfunded;
        }
        held.balance -= amount;
        entry.data = LedgerEntryData::Trustline(held);
        entries.put(entry, None);
    }
    if to != issuer {
        let Some((mut entry, mut held)) = line(entries, to, asset) else { return PaymentResult::NoTrust };
        if held.flags & AUTHORISED == 0 {
            return PaymentResult::NotAuthorized;
        }
        let room = held.limit.saturating_sub(held.balance).saturating_sub(liabilities(&held).0);
        if room < amount {
            return PaymentResult::LineFull;
        }
        held.balance = held.balance.saturating_add(amount);
        entry.data = LedgerEntryData::Trustline(held);
        entries.put(entry, None);
    }
    PaymentResult::Success
}

fn pay_lumens(entries: &mut Entries, from: &AccountId, to: &AccountId, amount: i64) -> PaymentResult {
    if account::load(entries, to).is_none() {
        return PaymentResult::NoDestination;
    }
    if account::load(entries, from).is_none_or(|payer| account::spendable(&payer) < amount) {
        return PaymentResult::Underfunded;
    }
    if !account::add_balance(entries, from, -amount) {
        return PaymentResult::Underfunded;
    }
    if account::add_balance(entries, to, amount) { PaymentResult::Success } else { PaymentResult::LineFull }
}

/// The event that a payment leaves, the same that the asset's contract would: `transfer`, `mint` or `burn`.
pub(crate) fn payment_event(
    network_id: [u8; 32],
    from: &AccountId,
    to: &AccountId,
    asset: &Asset,
    amount: i64,
) -> Result<ContractEvent> {
    let address = |id: &AccountId| ScVal::Address(ScAddress::Account(id.clone()));
    let issuer = issuer(asset);
    let (kind, mut topics) = if issuer == Some(from) {
        ("mint", vec![address(to)])
    } else if issuer == Some(to) {
        ("burn", vec![address(from)])
    } else {
        ("transfer", vec![address(from), address(to)])
    };
    topics.insert(0, ScVal::Symbol(ScSymbol(kind.try_into()?)));
    topics.push(ScVal::String(stellar_xdr::ScString(name(asset).as_str().try_into()?)));
    let data = ScVal::I128(Int128Parts { hi: 0, lo: amount.unsigned_abs() });
    Ok(ContractEvent {
        ext: ExtensionPoint::V0,
        contract_id: Some(contract_id(asset, network_id)?),
        type_: ContractEventType::Contract,
        body: ContractEventBody::V0(ContractEventV0 { topics: VecM::try_from(topics)?, data }),
    })
}
