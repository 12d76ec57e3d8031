//! What the host's diagnostic events say about a failed call: the error, and the contract that raised it.

use super::xdr::{ContractEventBody, ContractId, DiagnosticEvent, ScError, ScErrorCode, ScVal};

/// An error as the host reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// The contract that raised it, not those that it passed through; none where the host itself did.
    pub contract: Option<ContractId>,
    /// What it is.
    pub error: ScError,
    /// The host's words for it.
    pub words: Option<String>,
}

impl Raised {
    /// The contract's own error code, with the contract: the same code means different things in different contracts.
    pub fn contract_error(&self) -> Option<(&ContractId, u32)> {
        match (&self.contract, &self.error) {
            (Some(contract), ScError::Contract(code)) => Some((contract, *code)),
            _ => None,
        }
    }

    /// Whether more was needed than the transaction declared, so that a new simulation may help.
    pub fn is_limit(&self) -> bool {
        matches!(
            self.error,
            ScError::Budget(ScErrorCode::ExceededLimit) | ScError::Storage(ScErrorCode::ExceededLimit)
        )
    }
}

/// The error that ended a call: of the trailing events that all carry it, the first names the contract.
///
/// An error that passes from a callee to its caller leaves one event in each, in this order (soroban-env-host).
pub fn raised(events: &[DiagnosticEvent]) -> Option<Raised> {
    let mut errors = events.iter().rev().filter_map(error_of);
    let last = errors.next()?;
    let first = errors.take_while(|other| other.1 == last.1).last();
    let (contract, error, data) = first.unwrap_or(last);
    Some(Raised { contract: contract.cloned(), error: error.clone(), words: words(data) })
}

fn error_of(event: &DiagnosticEvent) -> Option<(Option<&ContractId>, &ScError, &ScVal)> {
    let ContractEventBody::V0(body) = &event.event.body;
    match body.topics.as_slice() {
        [ScVal::Symbol(name), ScVal::Error(error), ..] if name.as_slice() == b"error" => {
            Some((event.event.contract_id.as_ref(), error, &body.data))
        }
        _ => None,
    }
}

/// The text of an error's data: alone, or first in a list with its particulars.
fn words(data: &ScVal) -> Option<String> {
    match data {
        ScVal::String(text) => Some(crate::net::redact::bounded(&text.to_utf8_string_lossy())),
        ScVal::Vec(Some(parts)) => words(parts.first()?),
        _ => None,
    }
}
