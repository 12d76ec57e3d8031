//! The classic operations: what is wrong with one beforehand, and what it does.

use stellar_xdr::{
    AccountId, BeginSponsoringFutureReservesResult, ChangeTrustAsset, ChangeTrustResult, ContractEvent,
    CreateAccountOp, CreateAccountResult, EndSponsoringFutureReservesResult, ExtendFootprintTtlResult,
    InvokeHostFunctionResult, LedgerEntry, LedgerEntryData, OperationBody, OperationResult,
    OperationResultTr, PaymentResult, RestoreFootprintResult, SetOptionsResult,
};

use super::account::{self, NoReserve, Sponsors};
use super::entries::Entries;
use super::{assets, options, settings};
use crate::Result;

/// The result of an operation that is in order but has not run yet.
pub(crate) fn ready(body: &OperationBody) -> OperationResult {
    OperationResult::OpInner(match body {
        OperationBody::CreateAccount(_) => OperationResultTr::CreateAccount(CreateAccountResult::Success),
        OperationBody::Payment(_) => OperationResultTr::Payment(PaymentResult::Success),
        OperationBody::ChangeTrust(_) => OperationResultTr::ChangeTrust(ChangeTrustResult::Success),
        OperationBody::SetOptions(_) => OperationResultTr::SetOptions(SetOptionsResult::Success),
        OperationBody::BeginSponsoringFutureReserves(_) => {
            OperationResultTr::BeginSponsoringFutureReserves(BeginSponsoringFutureReservesResult::Success)
        }
        OperationBody::EndSponsoringFutureReserves => {
            OperationResultTr::EndSponsoringFutureReserves(EndSponsoringFutureReservesResult::Success)
        }
        OperationBody::InvokeHostFunction(_) => OperationResultTr::InvokeHostFunction(
            InvokeHostFunctionResult::Success(stellar_xdr::Hash([0; 32])),
        ),
        OperationBody::ExtendFootprintTtl(_) => {
            OperationResultTr::ExtendFootprintTtl(ExtendFootprintTtlResult::Success)
        }
        OperationBody::RestoreFootprint(_) => {
            OperationResultTr::RestoreFootprint(RestoreFootprintResult::Success)
        }
        _ => return OperationResult::OpNotSupported,
    })
}

/// What is wrong with an operation whatever the ledger holds; none when nothing is.
pub(crate) fn check(source: &AccountId, body: &OperationBody) -> Option<OperationResult> {
    let wrong = match body {
        OperationBody::CreateAccount(op) => (op.starting_balance < 0 || op.destination == *source)
            .then_some(OperationResultTr::CreateAccount(CreateAccountResult::Malformed)),
        OperationBody::Payment(op) => (op.amount <= 0 || !assets::is_valid(&op.asset))
            .then_some(OperationResultTr::Payment(PaymentResult::Malformed)),
        OperationBody::ChangeTrust(op) => {
            let is_credit = matches!(
                op.line,
                ChangeTrustAsset::CreditAlphanum4(_) | ChangeTrustAsset::CreditAlphanum12(_)
            );
            (op.limit < 0 || !is_credit)
                .then_some(OperationResultTr::ChangeTrust(ChangeTrustResult::Malformed))
        }
        OperationBody::SetOptions(op) => options::check(source, op).map(OperationResultTr::SetOptions),
        OperationBody::BeginSponsoringFutureReserves(op) => (op.sponsored_id == *source).then_some(
            OperationResultTr::BeginSponsoringFutureReserves(BeginSponsoringFutureReservesResult::Malformed),
        ),
        OperationBody::ExtendFootprintTtl(op) => (op.extend_to > settings::MAX_ENTRY_TTL - 1)
            .then_some(OperationResultTr::ExtendFootprintTtl(ExtendFootprintTtlResult::Malformed)),
        OperationBody::EndSponsoringFutureReserves
        | OperationBody::InvokeHostFunction(_)
        | OperationBody::RestoreFootprint(_) => None,
        _ => return Some(OperationResult::OpNotSupported),
    };
    wrong.map(OperationResult::OpInner)
}

/// Carries out a classic operation; the events are those that the asset's contract would leave.
pub(crate) fn apply(
    entries: &mut Entries,
    sponsors: &mut Sponsors,
    network_id: [u8; 32],
    source: &AccountId,
    body: &OperationBody,
) -> Result<(OperationResult, Vec<ContractEvent>)> {
    let mut events = Vec::new();
    let result = match body {
        OperationBody::CreateAccount(op) => {
            let result = create_account(entries, sponsors, source, op);
            if result == CreateAccountResult::Success {
                let lumens = stellar_xdr::Asset::Native;
                let amount = op.starting_balance;
                events.push(assets::payment_event(network_id, source, &op.destination, &lumens, amount)?);
            }
            OperationResultTr::CreateAccount(result)
        }
        OperationBody::Payment(op) => {
            let to = op.destination.clone().account_id();
            let result = assets::pay(entries, source, &to, &op.asset, op.amount);
            if result == PaymentResult::Success {
                events.push(assets::payment_event(network_id, source, &to, &op.asset, op.amount)?);
            }
            OperationResultTr::Payment(result)
        }
        OperationBody::ChangeTrust(op) => {
            OperationResultTr::ChangeTrust(assets::change_trust(entries, sponsors, source, op))
        }
        OperationBody::SetOptions(op) => {
            OperationResultTr::SetOptions(options::apply(entries, sponsors, source, op))
        }
        OperationBody::BeginSponsoringFutureReserves(op) => OperationResultTr::BeginSponsoringFutureReserves(
            begin_sponsoring(sponsors, source, &op.sponsored_id),
        ),
        OperationBody::EndSponsoringFutureReserves => {
            OperationResultTr::EndSponsoringFutureReserves(match sponsors.remove(source) {
                Some(_) => EndSponsoringFutureReservesResult::Success,
                None => EndSponsoringFutureReservesResult::NotSponsored,
            })
        }
        _ => return Ok((OperationResult::OpNotSupported, events)),
    };
    Ok((OperationResult::OpInner(result), events))
}

fn begin_sponsoring(
    sponsors: &mut Sponsors,
    source: &AccountId,
    sponsored: &AccountId,
) -> BeginSponsoringFutureReservesResult {
    if sponsors.contains_key(sponsored) {
        return BeginSponsoringFutureReservesResult::AlreadySponsored;
    }
    if sponsors.contains_key(source) || sponsors.values().any(|sponsor| sponsor == sponsored) {
        return BeginSponsoringFutureReservesResult::Recursive;
    }
    sponsors.insert(sponsored.clone(), source.clone());
    BeginSponsoringFutureReservesResult::Success
}

fn create_account(
    entries: &mut Entries,
    sponsors: &Sponsors,
    source: &AccountId,
    op: &CreateAccountOp,
) -> CreateAccountResult {
    if account::load(entries, &op.destination).is_some() {
        return CreateAccountResult::AlreadyExist;
    }
    let mut made = account::fresh(&op.destination, op.starting_balance, entries.sequence);
    let payer = match account::sponsor(entries, sponsors, &op.destination, 2) {
        Ok(payer) => payer,
        Err(NoReserve::Low | NoReserve::TooMany) => return CreateAccountResult::LowReserve,
    };
    if payer.is_some() {
        account::counters(&mut made).num_sponsored = 2;
    } else if op.starting_balance < 2 * i64::from(settings::BASE_RESERVE) {
        return CreateAccountResult::LowReserve;
    }
    if account::load(entries, source).is_none_or(|payer| account::spendable(&payer) < op.starting_balance)
        || !account::add_balance(entries, source, -op.starting_balance)
    {
        return CreateAccountResult::Underfunded;
    }
    let data = LedgerEntryData::Account(made);
    let ext = account::sponsored_ext(payer);
    entries.put(LedgerEntry { last_modified_ledger_seq: 0, data, ext }, None);
    CreateAccountResult::Success
}

/// Whether an operation's result is its success.
pub(crate) fn succeeded(result: &OperationResult) -> bool {
    let OperationResult::OpInner(result) = result else { return false };
    match result {
        OperationResultTr::CreateAccount(result) => *result == CreateAccountResult::Success,
        OperationResultTr::Payment(result) => *result == PaymentResult::Success,
        OperationResultTr::ChangeTrust(result) => *result == ChangeTrustResult::Success,
        OperationResultTr::SetOptions(result) => *result == SetOptionsResult::Success,
        OperationResultTr::BeginSponsoringFutureReserves(result) => {
            *result == BeginSponsoringFutureReservesResult::Success
        }
        OperationResultTr::EndSponsoringFutureReserves(result) => {
            *result == EndSponsoringFutureReservesResult::Success
        }
        OperationResultTr::InvokeHostFunction(result) => {
            matches!(result, InvokeHostFunctionResult::Success(_))
        }
        OperationResultTr::ExtendFootprintTtl(result) => *result == ExtendFootprintTtlResult::Success,
        OperationResultTr::RestoreFootprint(result) => *result == RestoreFootprintResult::Success,
        _ => false,
    }
}
