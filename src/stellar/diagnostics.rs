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

/// The same from the words of a simulation that comes without events: the host puts its log there, newest first. Where
/// that is missing too, only the code is known.
pub fn raised_in(words: &str) -> Option<Raised> {
    const CODE: &str = "Error(Contract, #";
    let code = |text: &str| text.split_once(CODE)?.1.split_once(')')?.0.parse::<u32>().ok();
    let mut errors = words.lines().filter_map(|line| {
        let (head, topics) = line.split_once("[Diagnostic Event] ")?.1.split_once("topics:[error, ")?;
        let contract = head.strip_prefix("contract:").map(|id| id.trim_end_matches([',', ' ']));
        let code = topics.starts_with(CODE).then(|| code(topics)).flatten()?;
        Some((contract.and_then(|id| id.parse::<ContractId>().ok()), code))
    });
    let (contract, code) = match errors.next() {
        Some(last) => errors.take_while(|other| other.1 == last.1).last().unwrap_or(last),
        None => (None, code(words.lines().next()?)?),
    };
    Some(Raised { contract, error: ScError::Contract(code), words: None })
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
        ScVal::String(text) => Some(base::redact::bounded(&text.to_utf8_string_lossy())),
        ScVal::Vec(Some(parts)) => words(parts.first()?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_simulation_tell_who_raised_what() {
        const FARM: &str = "CDL74RF5BLYR2YBLCCI7F5FB6TPSCLKEJUBSD2RSVWZ4YHF3VMFAIGWA";
        const KALE: &str = "CB23WRDQWGSP6YPMY4UV5C4OW5CBTXKYN3XEATG7KJEZCXMJBYEHOUOV";
        let log = format!(
            "HostError: Error(Contract, #10)\n\nEvent log (newest first):\n   \
             0: [Diagnostic Event] contract:{FARM}, topics:[error, Error(Contract, #10)], data:\"escalating error\"\n   \
             1: [Diagnostic Event] contract:{KALE}, topics:[error, Error(Contract, #10)], data:[\"resulting balance\", 0]\n   \
             2: [Diagnostic Event] contract:{FARM}, topics:[fn_call, {KALE}, mint], data:[]\n   \
             3: [Diagnostic Event] contract:{FARM}, topics:[error, Error(Contract, #3)], data:\"caught before\"\n"
        );
        let farms = format!(
            "HostError: Error(Contract, #10)\n   0: [Diagnostic Event] contract:{FARM}, topics:[error, Error(Contract, #10)], data:\"\""
        );
        for (words, want) in [
            (log.as_str(), Some((Some(KALE), 10))),
            (farms.as_str(), Some((Some(FARM), 10))),
            ("HostError: Error(Contract, #13)\nDebugInfo not available", Some((None, 13))),
            ("HostError: Error(Budget, ExceededLimit)", None),
            ("HostError: Error(Contract, #many)", None),
            ("the account does not exist", None),
            ("", None),
        ] {
            let got = raised_in(words).map(|raised| (raised.contract.map(|id| id.to_string()), raised.error));
            let want = want.map(|(id, code)| (id.map(str::to_owned), ScError::Contract(code)));
            assert_eq!(got, want, "{words}");
        }
    }
}
