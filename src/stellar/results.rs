//! A transaction's result: whether it is success, and if not, why, as far as the one who sent it acts on it.

use super::xdr::{
    ExtendFootprintTtlResult as Extended, InnerTransactionResultResult as Inner,
    InvokeHostFunctionResult as Invoked, OperationResult, OperationResultTr,
    RestoreFootprintResult as Restored, TransactionResult, TransactionResultResult as Outer,
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
    // The inner transaction has the same failures in a type of its own.
    macro_rules! of {
        ($result:expr, $of:ident) => {
            match $result {
                $of::TxFailed(operations) => of_operations(operations),
                other => {
                    let kind = match other {
                        $of::TxBadSeq => Kind::BadSequence,
                        $of::TxTooEarly => Kind::TooEarly,
                        $of::TxTooLate => Kind::TooLate,
                        $of::TxInsufficientFee => Kind::InclusionFee,
                        $of::TxInsufficientBalance => Kind::Balance,
                        $of::TxSorobanInvalid => Kind::Resources,
                        _ => Kind::Other,
                    };
                    Failure { kind, words: other.name().to_owned() }
                }
            }
        };
    }
    match &result.result {
        Outer::TxFeeBumpInnerFailed(pair) => of!(&pair.result.result, Inner),
        outer => of!(outer, Outer),
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
    let kind = match result {
        Tr::InvokeHostFunction(Invoked::Trapped) => Kind::Trapped,
        Tr::InvokeHostFunction(
            Invoked::ResourceLimitExceeded | Invoked::InsufficientRefundableFee | Invoked::EntryArchived,
        )
        | Tr::ExtendFootprintTtl(Extended::ResourceLimitExceeded | Extended::InsufficientRefundableFee)
        | Tr::RestoreFootprint(Restored::ResourceLimitExceeded | Restored::InsufficientRefundableFee) => {
            Kind::Resources
        }
        _ => Kind::Other,
    };
    let name = match result {
        Tr::InvokeHostFunction(result) => result.name(),
        Tr::ExtendFootprintTtl(result) => result.name(),
        Tr::RestoreFootprint(result) => result.name(),
        Tr::Payment(result) => result.name(),
        Tr::CreateAccount(result) => result.name(),
        Tr::ChangeTrust(result) => result.name(),
        Tr::BeginSponsoringFutureReserves(result) => result.name(),
        Tr::EndSponsoringFutureReserves(result) => result.name(),
        other => other.name(),
    };
    (name != "Success").then(|| (kind, format!("{} {name}", result.name())))
}
