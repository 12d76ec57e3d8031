//! `--abi auto`: which profile a contract is of, by asking for every function of all of them in one batch.

use super::profile::Abi;
use super::question::Question;
use super::{erc4626, legacy, viddhana};
use alloy::primitives::Address;
use base::{Code, Error, Result, say};
use evm::{CallFault, PinnedView};
use strum::VariantArray;

/// A profile, the functions of it that a contract answered, and those that it did not.
type Likeness = (Abi, Vec<&'static str>, Vec<&'static str>);

/// The one profile that a contract fits; where none does, an error says what of each answered.
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
    let mut likenesses: Vec<Likeness> = Vec::with_capacity(asked.len());
    for (abi, questions) in asked {
        let (mut answered, mut missing) = (Vec::new(), Vec::new());
        for question in questions {
            match (question.read)(&reply) {
                Ok(()) => answered.push(question.signature),
                // A node that gave up has not said that the function is not there.
                Err(e) if matches!(*e.fault, CallFault::Exhausted(_) | CallFault::Stray) => {
                    return Err(e.into());
                }
                Err(_) => missing.push(question.signature),
            }
        }
        likenesses.push((abi, answered, missing));
    }
    let fits: Vec<Abi> =
        likenesses.iter().filter(|(.., missing)| missing.is_empty()).map(|(abi, ..)| *abi).collect();
    match fits.as_slice() {
        [abi] => Ok(*abi),
        [] => Err(none(address, view.block().number, &likenesses)),
        several => Err(ambiguous(address, several)),
    }
}

fn none(address: Address, block: u64, likenesses: &[Likeness]) -> Error {
    let list = |names: &[&str]| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
    let shown = |(abi, answered, missing): &Likeness| {
        format!("{}: answers {}; lacks {}", abi.as_str(), list(answered), list(missing))
    };
    let each: Vec<String> = likenesses.iter().map(shown).collect();
    let why = format!("{address} fits no ABI profile at block {block}: {}", each.join(" | "));
    let mut e = Error::new(Code::NotAContract, why)
        .hint("a pool answers every function of one profile; check the address")
        .detail("contract", address.to_string());
    for (abi, answered, missing) in likenesses {
        let word = abi.as_str();
        e = e
            .detail(&format!("{word}_answered"), answered.clone())
            .detail(&format!("{word}_missing"), missing.clone());
    }
    e
}

fn ambiguous(address: Address, several: &[Abi]) -> Error {
    let words: Vec<&str> = several.iter().map(|abi| abi.as_str()).collect();
    let why = format!("{address} fits {} ABI profiles: {}", words.len(), words.join(", "));
    Error::field(Code::InvalidValue, "abi", why)
        .hint(say("say which one it is: ").with("abi").of("PROFILE"))
        .detail("contract", address.to_string())
        .detail("profiles", words)
}
