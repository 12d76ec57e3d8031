//! A transaction's result: whether it is success, and if not, why, as far as the one who sent it acts on it.

use super::xdr::{
    ExtendFootprintTtlResult, InnerTransactionResultResult as Inner, InvokeHostFunctionResult,
    OperationResult, OperationResultTr, RestoreFootprintResult, TransactionResult,
    TransactionResultResult as Outer,
};

/// Kinds of failure that call for different answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The sequence number is not the account's next.
    BadSequence,
    /// Its time has not come yet, for a server that is behind.
    TooEarly,
    /// Its time is over.
    TooLate,
    /// It offers too little for its inclusion.
    InclusionFee,
    /// Who pays its fee has too few lumens above the reserve.
    Balance,
    /// It declares too little for what its call needs, or pays too little for that.
    Resources,
    /// The call failed; diagnostic events may tell why.
    Trapped,
    /// Anything else, which another try would not change.
    Other,
}

/// Why a transaction failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind it is.
    pub kind: Kind,
    /// The network's names for it: `TxBadSeq`, or `TxFailed: Payment Underfunded`.
    pub words: String,
}

/// Whether the transaction succeeded.
pub(super) fn succeeded(result: &TransactionResult) -> bool {
    matches!(result.result, Outer::TxSuccess(_) | Outer::TxFeeBumpInnerSuccess(_))
}

/// Why the transaction failed.
pub(super) fn failure(result: &TransactionResult) -> Failure {
    let of = |kind, name: &str| Failure { kind, words: name.to_owned() };
    match &result.result {
        Outer::TxFailed(operations) => of_operations(operations),
        Outer::TxFeeBumpInnerFailed(pair) => match &pair.result.result {
            Inner::TxFailed(operations) => of_operations(operations),
            inner => of(
                match inner {
                    Inner::TxBadSeq => Kind::BadSequence,
                    Inner::TxTooEarly => Kind::TooEarly,
                    Inner::TxTooLate => Kind::TooLate,
                    Inner::TxInsufficientFee => Kind::InclusionFee,
                    Inner::TxInsufficientBalance => Kind::Balance,
                    Inner::TxSorobanInvalid => Kind::Resources,
                    _ => Kind::Other,
                },
                inner.name(),
            ),
        },
        outer => of(
            match outer {
                Outer::TxBadSeq => Kind::BadSequence,
                Outer::TxTooEarly => Kind::TooEarly,
                Outer::TxTooLate => Kind::TooLate,
                Outer::TxInsufficientFee => Kind::InclusionFee,
                Outer::TxInsufficientBalance => Kind::Balance,
                Outer::TxSorobanInvalid => Kind::Resources,
                _ => Kind::Other,
            },
            outer.name(),
        ),
    }
}

/// The first operation that failed.
fn of_operations(operations: &[OperationResult]) -> Failure {
    let failed = operations.iter().find_map(|operation| match operation {
        OperationResult::OpInner(result) => {
            let (kind, words) = of_operation(result)?;
            Some(Failure { kind, words: format!("TxFailed: {words}") })
        }
        other => Some(Failure { kind: Kind::Other, words: format!("TxFailed: {}", other.name()) }),
    });
    failed.unwrap_or(Failure { kind: Kind::Other, words: "TxFailed".to_owned() })
}

/// Why an operation failed; none where it did not.
fn of_operation(result: &OperationResultTr) -> Option<(Kind, String)> {
    use OperationResultTr as Tr;
    let (kind, name) = match result {
        Tr::InvokeHostFunction(result) => {
            let kind = match result {
                InvokeHostFunctionResult::Success(_) => return None,
                InvokeHostFunctionResult::Trapped => Kind::Trapped,
                InvokeHostFunctionResult::ResourceLimitExceeded
                | InvokeHostFunctionResult::InsufficientRefundableFee
                | InvokeHostFunctionResult::EntryArchived => Kind::Resources,
                InvokeHostFunctionResult::Malformed => Kind::Other,
            };
            (kind, result.name())
        }
        Tr::ExtendFootprintTtl(result) => {
            let kind = match result {
                ExtendFootprintTtlResult::Success => return None,
                ExtendFootprintTtlResult::ResourceLimitExceeded
                | ExtendFootprintTtlResult::InsufficientRefundableFee => Kind::Resources,
                ExtendFootprintTtlResult::Malformed => Kind::Other,
            };
            (kind, result.name())
        }
        Tr::RestoreFootprint(result) => {
            let kind = match result {
                RestoreFootprintResult::Success => return None,
                RestoreFootprintResult::ResourceLimitExceeded
                | RestoreFootprintResult::InsufficientRefundableFee => Kind::Resources,
                RestoreFootprintResult::Malformed => Kind::Other,
            };
            (kind, result.name())
        }
        Tr::Payment(result) => (Kind::Other, result.name()),
        Tr::CreateAccount(result) => (Kind::Other, result.name()),
        Tr::ChangeTrust(result) => (Kind::Other, result.name()),
        Tr::BeginSponsoringFutureReserves(result) => (Kind::Other, result.name()),
        Tr::EndSponsoringFutureReserves(result) => (Kind::Other, result.name()),
        other => (Kind::Other, other.name()),
    };
    (name != "Success").then(|| (kind, format!("{} {name}", result.name())))
}
