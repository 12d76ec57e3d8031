//! What accounts are, beside what they answer: the hash of their code, words of their storage.
//!
//! The hashes of all codes come from one call that runs a few instructions for each account and is at home on no address
//! (EIP-1052's `EXTCODEHASH`), so that no code travels. It rides with the first request of a batch. Where a server has no
//! such call, the codes are fetched and hashed here.

use super::view::PinnedView;
use super::wire;
use alloy::primitives::{Address, B256, Bytes, KECCAK256_EMPTY, keccak256};
use base::Result;
use net::jsonrpc::{Answer, Call};
use serde_json::{Value, json};

/// Codes whose hashes are asked for in one call: its answer must be no longer than a contract (24,576 bytes, EIP-170).
const CODES: usize = 500;

/// A question about an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// The Keccak-256 of its code; that of nothing where it has none.
    CodeHash(Address),
    /// A word of its storage.
    Word(Address, B256),
}

/// The place of an answer in the reply of its batch.
#[derive(Debug, Clone, Copy)]
pub struct Fact {
    pub(super) serial: u64,
    pub(super) index: usize,
}

/// The calls that ask everything, in few requests; an error on one of them is an answer like another.
pub(super) fn calls(questions: &[Question], pin: &Value) -> Vec<Call> {
    let accounts = accounts(questions);
    let hashes = accounts.chunks(CODES).map(|accounts| {
        // Without an address to call, the data is run as the code that makes a contract.
        Call::spare("eth_call", json!([{ "data": hashing(accounts) }, pin]))
    });
    let words = questions.iter().filter_map(|question| match question {
        Question::CodeHash(_) => None,
        Question::Word(account, slot) => Some(Call::spare("eth_getStorageAt", json!([account, slot, pin]))),
    });
    hashes.chain(words).collect()
}

/// The answers, in the order of the questions; none where one of them is missing or makes no sense.
pub(super) fn read(questions: &[Question], answers: Vec<Answer>) -> Option<Vec<B256>> {
    let mut answers = answers.into_iter();
    let mut hashes = Vec::new();
    for accounts in accounts(questions).chunks(CODES) {
        let data = wire::data(&answers.next()?.ok()?).ok()?;
        let found = data.get(1..).filter(|found| found.len() == 32 * accounts.len())?;
        hashes.extend(found.chunks_exact(32).map(B256::from_slice));
    }
    let mut hashes = hashes.into_iter();
    questions
        .iter()
        .map(|question| match question {
            // An account that does not exist has the hash 0, one without code that of nothing.
            Question::CodeHash(_) => {
                hashes.next().map(|hash| if hash.is_zero() { KECCAK256_EMPTY } else { hash })
            }
            Question::Word(..) => word(&answers.next()?.ok()?).ok(),
        })
        .collect()
}

/// Asks everything by the calls that every server has.
pub(super) async fn plainly(view: &PinnedView, questions: &[Question]) -> Result<Vec<B256>> {
    if questions.is_empty() {
        return Ok(Vec::new());
    }
    let pin = wire::pinned(view.block().hash);
    let call = |question: &Question| match question {
        Question::CodeHash(account) => Call::new("eth_getCode", json!([account, pin])),
        Question::Word(account, slot) => Call::new("eth_getStorageAt", json!([account, slot, pin])),
    };
    let calls: Vec<Call> = questions.iter().map(call).collect();
    let answers = view.ask(&calls).await?;
    let mut found = Vec::with_capacity(questions.len());
    for (question, answer) in questions.iter().zip(answers) {
        found.push(match question {
            Question::CodeHash(_) => keccak256(view.value("eth_getCode", Some(answer), wire::data).await?),
            Question::Word(..) => view.value("eth_getStorageAt", Some(answer), word).await?,
        });
    }
    Ok(found)
}

fn word(raw: &serde_json::value::RawValue) -> std::result::Result<B256, String> {
    wire::quantity(raw).map(B256::from)
}

fn accounts(questions: &[Question]) -> Vec<Address> {
    let account = |question: &Question| match question {
        Question::CodeHash(account) => Some(*account),
        Question::Word(..) => None,
    };
    questions.iter().filter_map(account).collect()
}

/// Code that returns a zero byte (what begins with 0xef is no contract, EIP-3541), then the hash of each account's code.
fn hashing(accounts: &[Address]) -> Bytes {
    const PUSH1: u8 = 0x60;
    const PUSH2: u8 = 0x61;
    const PUSH20: u8 = 0x73;
    const EXTCODEHASH: u8 = 0x3f;
    const MSTORE: u8 = 0x52;
    const RETURN: u8 = 0xf3;
    let place = |index: usize| u16::try_from(1 + 32 * index).unwrap_or(u16::MAX).to_be_bytes();
    let mut code = Vec::with_capacity(26 * accounts.len() + 6);
    for (index, account) in accounts.iter().enumerate() {
        code.push(PUSH20);
        code.extend(account);
        code.extend([EXTCODEHASH, PUSH2]);
        code.extend(place(index));
        code.push(MSTORE);
    }
    code.push(PUSH2);
    code.extend(place(accounts.len()));
    code.extend([PUSH1, 0, RETURN]);
    code.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use net::jsonrpc::RpcError;
    use serde_json::value::to_raw_value;

    fn answer(value: &Value) -> Answer {
        to_raw_value(value).map_err(|_| unreachable!())
    }

    #[test]
    fn answers_are_read_whole_or_not_at_all() {
        let at = Address::repeat_byte(7);
        let questions =
            [Question::CodeHash(at), Question::Word(at, B256::ZERO), Question::CodeHash(Address::ZERO)];
        assert_eq!(calls(&questions, &json!("0x1")).len(), 2);
        let hashes = |data: Vec<u8>| answer(&json!(Bytes::from(data)));
        let good = [vec![0], vec![0xab; 32], vec![0; 32]].concat();
        let slot = || answer(&json!("0x05"));
        let want = Some(vec![B256::repeat_byte(0xab), B256::with_last_byte(5), KECCAK256_EMPTY]);
        assert_eq!(read(&questions, vec![hashes(good.clone()), slot()]), want);
        for answers in [
            vec![],
            vec![hashes(good.clone())],
            vec![hashes(good.clone()), answer(&json!("0x"))],
            vec![hashes(good[..64].to_vec()), slot()],
            vec![hashes([good.clone(), vec![0]].concat()), slot()],
            vec![hashes(Vec::new()), slot()],
            vec![Err(RpcError::default()), slot()],
            vec![hashes(good), Err(RpcError::default())],
        ] {
            assert_eq!(read(&questions, answers.clone()), None, "{answers:?}");
        }
    }
}
