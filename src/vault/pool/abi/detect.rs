//! `--abi auto`: which profile a contract is of, by asking for every function of all of them in one batch.

use super::profile::Abi;
use super::question::Question;
use super::{erc4626, legacy, viddhana};
use alloy::primitives::Address;
use base::{Code, Error, Result, say};
use evm::{CallFault, PinnedView};
use std::fmt;
use strum::VariantArray;

/// What a contract answers of one profile.
#[derive(Debug)]
struct Likeness {
    abi: Abi,
    answered: Vec<&'static str>,
    missing: Vec<&'static str>,
}

impl fmt::Display for Likeness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |names: &[&str]| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        write!(f, "{}: answers {}; lacks {}", self.abi.as_str(), list(&self.answered), list(&self.missing))
    }
}

/// The one profile that a contract fits.
///
/// # Errors
/// `not_a_contract` where none fits, saying what of each profile answered and what did not; `invalid_value` where
/// more than one fits; those of the transport.
pub async fn detect(view: &PinnedView, address: Address) -> Result<Abi> {
    let mut batch = view.batch();
    let asked: Vec<(Abi, Vec<Question>)> = Abi::VARIANTS
        .iter()
        .map(|abi| {
            let required = match abi {
                Abi::Erc4626 => erc4626::required(&mut batch, address),
                Abi::Legacy => legacy::required(&mut batch, address),
                Abi::Viddhana => viddhana::required(&mut batch, address),
            };
            (*abi, required)
        })
        .collect();
    let reply = batch.send().await?;
    let mut likenesses = Vec::with_capacity(asked.len());
    for (abi, questions) in asked {
        let mut likeness = Likeness { abi, answered: Vec::new(), missing: Vec::new() };
        for question in questions {
            match (question.read)(&reply) {
                Ok(()) => likeness.answered.push(question.signature),
                // A node that gave up has not said that the function is not there.
                Err(e) if matches!(*e.fault, CallFault::Exhausted(_) | CallFault::Stray) => {
                    return Err(e.into());
                }
                Err(_) => likeness.missing.push(question.signature),
            }
        }
        likenesses.push(likeness);
    }
    let fits: Vec<Abi> = likenesses.iter().filter(|l| l.missing.is_empty()).map(|l| l.abi).collect();
    match fits.as_slice() {
        [abi] => Ok(*abi),
        [] => Err(none(address, view.block().number, &likenesses)),
        several => Err(ambiguous(address, several)),
    }
}

fn none(address: Address, block: u64, likenesses: &[Likeness]) -> Error {
    let each: Vec<String> = likenesses.iter().map(ToString::to_string).collect();
    let mut e = Error::new(
        Code::NotAContract,
        format!("{address} fits no ABI profile at block {block}: {}", each.join(" | ")),
    )
    .hint("a pool answers every function of one profile; check the address")
    .detail("contract", address.to_string());
    for likeness in likenesses {
        let word = likeness.abi.as_str();
        e = e
            .detail(&format!("{word}_answered"), likeness.answered.clone())
            .detail(&format!("{word}_missing"), likeness.missing.clone());
    }
    e
}

fn ambiguous(address: Address, several: &[Abi]) -> Error {
    let words: Vec<&str> = several.iter().map(|abi| abi.as_str()).collect();
    Error::field(
        Code::InvalidValue,
        "abi",
        format_args!("{address} fits {} ABI profiles: {}", words.len(), words.join(", ")),
    )
    .hint(say("say which one it is: ").with("abi").of("PROFILE"))
    .detail("contract", address.to_string())
    .detail("profiles", words)
}
