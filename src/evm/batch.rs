//! Many calls of a view in few round trips: Multicall3 where it has code, else JSON-RPC batches, else single calls.
//!
//! A call that fails has its own error; it never fails its neighbours. Within a multicall, a failure without data
//! may be a lack of gas that a neighbour caused, so those are asked once more on their own before they are believed.

use super::account::{self, Fact, Question};
use super::fault::{self, Fault, Sort, sort};
use super::view::PinnedView;
use super::wire::{self, BlockRef};
use alloy::primitives::{Address, B256, Bytes};
use alloy::sol;
use alloy::sol_types::abi::AbiDecoderConfig;
use alloy::sol_types::{SolCall, SolType};
use base::redact::Redactor;
use base::{Code, Error, Result, counted};
use net::FaultKind;
use net::asker::Patience;
use net::jsonrpc::{Answer, Call};
use serde_json::json;
use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

sol! {
    struct Call3 { address target; bool allowFailure; bytes callData; }
    struct Outcome3 { bool success; bytes returnData; }
    /// Multicall3, <https://github.com/mds1/multicall3/blob/main/src/Multicall3.sol>.
    function aggregate3(Call3[] calldata calls) external payable returns (Outcome3[] memory returnData);
}

/// The input of a multicall that lets each call fail on its own.
pub(super) fn aggregate<'i>(calls: impl IntoIterator<Item = (Address, &'i Bytes)>) -> Bytes {
    let call =
        |(target, input): (Address, &Bytes)| Call3 { target, allowFailure: true, callData: input.clone() };
    aggregate3Call { calls: calls.into_iter().map(call).collect() }.abi_encode().into()
}

/// What became of each call of a multicall; `None` where it must be asked on its own, since the multicall itself may have
/// made it fail. `None` at all for an answer that is no multicall's.
pub(super) fn unpack(data: &[u8], count: usize, redactor: &Redactor) -> Option<Vec<Option<Done>>> {
    let results = outcomes(data).filter(|results| results.len() == count)?;
    let each = results.into_iter().map(|result| match (result.success, result.returnData) {
        (true, data) => Some(Ok(data)),
        (false, data) if data.is_empty() => None,
        (false, data) => {
            Some(Err(CallFault::Reverted { reason: fault::revert_words(&data, redactor), data }))
        }
    });
    Some(each.collect())
}

/// What became of a call.
pub(super) type Done = Result<Bytes, CallFault>;

/// Timeouts and broken answers to multicalls that are answered with smaller ones, per batch; later ones are retried.
const SLOW_MOST: u32 = 2;

static SERIAL: AtomicU64 = AtomicU64::new(1);

/// Calls that are waiting to travel together. Made by `PinnedView::batch`.
#[derive(Debug)]
pub struct Batch<'v> {
    view: &'v PinnedView,
    serial: u64,
    calls: Vec<(Address, Bytes)>,
    questions: Vec<Question>,
}

/// A call's place in the reply of its batch.
pub struct Handle<C> {
    serial: u64,
    index: usize,
    call: PhantomData<fn() -> C>,
}

impl<C> Clone for Handle<C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for Handle<C> {}

impl<C: SolCall> fmt::Debug for Handle<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({}, {})", self.index, C::SIGNATURE)
    }
}

/// How one call failed at its contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallFault {
    /// The contract reverted, or ran into an invalid instruction.
    Reverted {
        /// Its reason in words, or its custom error as hex; none when it gave none.
        reason: Option<String>,
        /// The bytes of the revert.
        data: Bytes,
    },
    /// The answer was `0x`: no code there, or a fallback that took the call.
    Empty,
    /// The answer has another length than the function's values have.
    WrongLength {
        /// Bytes that the values take.
        expected: usize,
        /// Bytes that came.
        got: usize,
    },
    /// The answer has the right length and cannot be read.
    Malformed(String),
    /// The node gave up on the call: out of gas or of time, even alone.
    Exhausted(String),
    /// The handle belongs to another batch.
    Stray,
}

/// A call that failed, with what it asked where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallError {
    /// The contract.
    pub contract: Address,
    /// The function's signature, as `totalAssets()`.
    pub function: &'static str,
    /// The view's block.
    pub block: BlockRef,
    /// The endpoint that answered.
    pub endpoint: String,
    /// How it failed.
    pub fault: Box<CallFault>,
}

impl CallError {
    pub(super) fn of<C: SolCall>(
        contract: Address,
        block: BlockRef,
        endpoint: &str,
        fault: CallFault,
    ) -> Self {
        let endpoint = endpoint.to_owned();
        Self { contract, function: C::SIGNATURE, block, endpoint, fault: Box::new(fault) }
    }

    /// The error with the contract called what it should be: `vault 0x… function totalAssets() …`.
    pub fn into_error(self, noun: &str) -> Error {
        let code = match &*self.fault {
            CallFault::Reverted { .. } => Code::Reverted,
            CallFault::Empty | CallFault::WrongLength { .. } | CallFault::Malformed(_) => Code::NotAContract,
            CallFault::Exhausted(_) => Code::Rpc,
            CallFault::Stray => Code::Bug,
        };
        Error::new(code, self.sentence(noun))
            .detail("contract", self.contract.to_string())
            .detail("function", self.function)
            .detail("block", self.block.number)
            .detail("block_hash", self.block.hash.to_string())
            .detail("endpoint", self.endpoint)
    }

    /// Whether the contract answered so, be it wrongly; else the endpoint did not let it.
    pub const fn of_contract(&self) -> bool {
        !matches!(*self.fault, CallFault::Exhausted(_) | CallFault::Stray)
    }

    /// What happened, with the contract called `noun`.
    pub fn sentence(&self, noun: &str) -> String {
        let (verb, rest) = match &*self.fault {
            CallFault::Reverted { reason: Some(reason), .. } => ("reverted", format!(": {reason}")),
            CallFault::Reverted { reason: None, .. } => ("reverted", " without a reason".to_owned()),
            CallFault::Empty if noun == "contract" => {
                ("answered nothing", ": no code there, or no such function".to_owned())
            }
            CallFault::Empty => ("answered nothing", format!(": no code there, or not a {noun}")),
            CallFault::WrongLength { expected, got } => (
                "answered wrongly",
                format!(
                    ": {} instead of {expected}, so it is not a {noun} of this kind",
                    counted(got, "byte")
                ),
            ),
            CallFault::Malformed(why) => ("answered wrongly", format!(": {why}")),
            CallFault::Exhausted(words) => ("was given up", format!(": {words}")),
            CallFault::Stray => ("answered wrongly", " in another batch than it is looked for in".to_owned()),
        };
        let Self { contract, function, block, .. } = self;
        format!("{noun} {contract} function {function} {verb} at block {}{rest}", block.number)
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence("contract"))
    }
}

impl std::error::Error for CallError {}

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        error.into_error("contract")
    }
}

/// The answers to a batch.
#[derive(Debug)]
pub struct BatchReply {
    serial: u64,
    outcomes: Vec<(Address, Done)>,
    facts: Vec<B256>,
    block: BlockRef,
    endpoint: String,
}

impl PinnedView {
    /// Calls one function. For more than one call use [`PinnedView::batch`].
    ///
    /// Errors: `reverted`, `not_a_contract` or `bad_reply`, naming contract, function and block.
    pub async fn call<C: SolCall>(&self, to: Address, call: &C) -> Result<C::Return> {
        let mut batch = self.batch();
        let handle = batch.add(to, call);
        Ok(batch.send().await?.get(handle)?)
    }

    /// Collects calls that then travel together.
    pub fn batch(&self) -> Batch<'_> {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        Batch { view: self, serial, calls: Vec::new(), questions: Vec::new() }
    }
}

impl BatchReply {
    /// The values that a call returned.
    pub fn get<C: SolCall>(&self, handle: Handle<C>) -> Result<C::Return, CallError> {
        self.read(handle, decode::<C>)
    }

    /// The bytes that a call returned, whatever they say.
    pub fn raw<C: SolCall>(&self, handle: Handle<C>) -> Result<Bytes, CallError> {
        self.read(handle, |data| Ok(Bytes::copy_from_slice(data)))
    }

    fn read<C: SolCall, T>(
        &self,
        handle: Handle<C>,
        read: impl FnOnce(&[u8]) -> Result<T, CallFault>,
    ) -> Result<T, CallError> {
        let outcome = self.outcomes.get(handle.index).filter(|_| handle.serial == self.serial);
        let (contract, result) = match outcome {
            None => (Address::ZERO, Err(CallFault::Stray)),
            Some((contract, Err(fault))) => (*contract, Err(fault.clone())),
            Some((contract, Ok(data))) => (*contract, read(data)),
        };
        result.map_err(|fault| CallError::of::<C>(contract, self.block, &self.endpoint, fault))
    }

    /// What was asked of an account. Errors: `bug` for a fact of another batch.
    pub fn fact(&self, fact: Fact) -> Result<B256> {
        let found = self.facts.get(fact.index).filter(|_| fact.serial == self.serial);
        found.copied().ok_or_else(|| Error::new(Code::Bug, "a fact of another batch"))
    }

    /// The values of a function that the contract may lack: none when it reverted or answered nothing. An
    /// answer of another shape is an error still.
    pub fn get_optional<C: SolCall>(&self, handle: Handle<C>) -> Result<Option<C::Return>, CallError> {
        match self.get(handle) {
            Err(error) if matches!(*error.fault, CallFault::Reverted { .. } | CallFault::Empty) => Ok(None),
            other => other.map(Some),
        }
    }
}

/// Values from bytes: the exact length where it is known, and no stray bits (a `bool` of 2, a `uint8` of 300).
pub fn decode<C: SolCall>(data: &[u8]) -> Result<C::Return, CallFault> {
    let size = <C::ReturnTuple<'_> as SolType>::ENCODED_SIZE;
    if data.is_empty() && size != Some(0) {
        return Err(CallFault::Empty);
    }
    if let Some(expected) = size.filter(|size| *size != data.len()) {
        return Err(CallFault::WrongLength { expected, got: data.len() });
    }
    let config = bounds(data).validate(true);
    C::abi_decode_returns_with_config(data, config).map_err(|e| CallFault::Malformed(e.to_string()))
}

/// What an honest encoding takes at most in memory: each byte stands in it once, and each element of a list has its offset
/// there. Offsets that all lead to one long element would make gigabytes of it.
fn bounds(data: &[u8]) -> AbiDecoderConfig {
    AbiDecoderConfig::new().memory_limit(data.len().saturating_mul(2))
}

/// The outcomes that a multicall answered with; none where it is no such answer.
pub fn outcomes(data: &[u8]) -> Option<Vec<Outcome3>> {
    aggregate3Call::abi_decode_returns_with_config(data, bounds(data)).ok()
}

impl Batch<'_> {
    /// Adds a call; the handle finds its answer in the reply.
    pub fn add<C: SolCall>(&mut self, to: Address, call: &C) -> Handle<C> {
        let index = self.calls.len();
        self.calls.push((to, call.abi_encode().into()));
        Handle { serial: self.serial, index, call: PhantomData }
    }

    /// Asks for the Keccak-256 of an account's code; that of nothing where it has none.
    pub fn add_code_hash(&mut self, of: Address) -> Fact {
        self.question(Question::CodeHash(of))
    }

    /// Asks for a word of an account's storage.
    pub fn add_word(&mut self, of: Address, slot: B256) -> Fact {
        self.question(Question::Word(of, slot))
    }

    fn question(&mut self, question: Question) -> Fact {
        let index = self.questions.len();
        self.questions.push(question);
        Fact { serial: self.serial, index }
    }

    /// Sends everything. Errors are the endpoint's alone; a contract's are in the reply, call by call.
    pub async fn send(self) -> Result<BatchReply> {
        let mut outcomes: Vec<Option<Done>> = vec![None; self.calls.len()];
        let mut facts = None;
        if self.calls.len() > 1 {
            facts = self.through_multicall(&mut outcomes).await?;
        }
        // The rest one by one, in JSON-RPC batches where the server takes them.
        let (open, calls): (Vec<_>, Vec<_>) = outcomes
            .iter_mut()
            .zip(&self.calls)
            .filter(|(outcome, _)| outcome.is_none())
            .map(|(outcome, (to, input))| (outcome, self.eth_call(*to, input)))
            .unzip();
        if !calls.is_empty() {
            for (slot, answer) in open.into_iter().zip(self.view.ask(&calls).await?) {
                *slot = Some(outcome(self.view, answer).await?);
            }
        }
        let facts = match facts {
            Some(facts) => facts,
            None => account::plainly(self.view, &self.questions).await?,
        };
        let outcomes = self.calls.iter().zip(outcomes);
        let outcomes = outcomes.map(|((to, _), done)| (*to, done.unwrap_or(Err(CallFault::Empty)))).collect();
        let endpoint = self.view.endpoint().to_owned();
        Ok(BatchReply { serial: self.serial, outcomes, facts, block: self.view.block(), endpoint })
    }

    /// Fills in what Multicall3 answers surely; what it cannot is left open. The questions about accounts ride with the
    /// first request; returns what came of them, if they were answered.
    async fn through_multicall(&self, outcomes: &mut [Option<Done>]) -> Result<Option<Vec<B256>>> {
        let (view, peer) = (self.view, &self.view.peer);
        let (address, pin) = (view.chain.config.multicall, wire::pinned(view.block().hash));
        let known = peer.multicall_from.load(Ordering::Relaxed) <= view.block().number;
        let mut check = (!known).then(|| Call::new("eth_getCode", json!([address, pin])));
        let mut riders = account::calls(&self.questions, &pin);
        let mut facts = None;
        let mut slow = 0;
        let mut queue: VecDeque<_> = std::iter::once(0..self.calls.len()).collect();
        while let Some(range) = queue.pop_front() {
            let size = peer.chunk.load(Ordering::Relaxed).max(1);
            if range.len() > size {
                cut(&mut queue, range, size);
                continue;
            }
            if range.len() < 2 {
                continue;
            }
            let mut calls: Vec<Call> = check.clone().into_iter().collect();
            let asked = self.calls.get(range.clone()).unwrap_or_default();
            calls.push(self.eth_call(address, &aggregate(asked.iter().map(|(to, input)| (*to, input)))));
            let ridden = riders.len();
            calls.append(&mut riders);
            let patience = if slow < SLOW_MOST { Patience::AskForLess } else { Patience::Retry };
            let mut answers = match view.try_ask(&calls, patience).await? {
                Ok(answers) => answers,
                // It may be for their sake.
                Err(Fault::Net(fault)) if ridden > 0 && asks_for_less(fault.kind, patience) => {
                    queue.push_front(range);
                    continue;
                }
                Err(Fault::Net(fault)) if asks_for_less(fault.kind, patience) => {
                    slow += u32::from(matches!(fault.kind, FaultKind::Timeout | FaultKind::Closed));
                    split(&mut queue, range, &peer.chunk);
                    continue;
                }
                Err(fault) => return Err(view.give_up(fault).await),
            };
            if ridden > 0 {
                let ridden = answers.split_off(answers.len().saturating_sub(ridden));
                facts = account::read(&self.questions, ridden);
            }
            let mut answers = answers.into_iter();
            if check.take().is_some() {
                if view.value("eth_getCode", answers.next(), wire::data).await?.is_empty() {
                    return Ok(facts);
                }
                peer.multicall_from.fetch_min(view.block().number, Ordering::Relaxed);
            }
            let data = match answers.next() {
                // With failures allowed, only a lack of gas can revert the whole.
                Some(Err(error)) if matches!(sort("eth_call", &error), Sort::Reverted | Sort::TooMuch) => {
                    split(&mut queue, range, &peer.chunk);
                    continue;
                }
                answer => view.value("eth_call", answer, wire::data).await?,
            };
            let Some(each) = unpack(&data, range.len(), peer.asker.redactor()) else { return Ok(facts) };
            for (slot, outcome) in outcomes.iter_mut().skip(range.start).zip(each) {
                *slot = outcome;
            }
        }
        Ok(facts)
    }

    fn eth_call(&self, to: Address, input: &Bytes) -> Call {
        Call::new("eth_call", json!([{ "to": to, "data": input }, wire::pinned(self.view.block().hash)]))
    }
}

/// What became of a call that was asked on its own; a fault of the endpoint breaks the view.
pub(super) async fn outcome(view: &PinnedView, answer: Answer) -> Result<Done> {
    Ok(match answer {
        Err(error) if sort("eth_call", &error) == Sort::Reverted => {
            let data = fault::revert_data(&error).unwrap_or_default();
            let reason = fault::revert_words(&data, view.peer.asker.redactor());
            Err(CallFault::Reverted { reason: reason.or_else(|| own_words(&error.message)), data })
        }
        Err(error) if sort("eth_call", &error) == Sort::TooMuch => Err(CallFault::Exhausted(error.message)),
        answer => Ok(view.value("eth_call", Some(answer), wire::data).await?),
    })
}

fn asks_for_less(kind: FaultKind, patience: Patience) -> bool {
    match kind {
        FaultKind::TooLarge | FaultKind::Status => true,
        FaultKind::Timeout | FaultKind::Closed => patience == Patience::AskForLess,
        _ => false,
    }
}

fn split(queue: &mut VecDeque<Range<usize>>, range: Range<usize>, chunk: &AtomicUsize) {
    let half = range.len() / 2;
    chunk.fetch_min(half.max(1), Ordering::Relaxed);
    cut(queue, range, half);
}

fn cut(queue: &mut VecDeque<Range<usize>>, range: Range<usize>, at: usize) {
    queue.push_front(range.start + at..range.end);
    queue.push_front(range.start..range.start + at);
}

/// What the node says of a revert beyond the bare fact.
fn own_words(message: &str) -> Option<String> {
    let rest = message.strip_prefix("execution reverted").unwrap_or(message).trim_start_matches([':', ' ']);
    (!rest.is_empty() && !rest.starts_with("VM execution error")).then(|| rest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::U256;

    sol! {
        function totalAssets() external view returns (uint256);
        function decimals() external view returns (uint8);
        function paused() external view returns (bool);
        function symbol() external view returns (string);
    }

    fn word(n: u64) -> Vec<u8> {
        U256::from(n).to_be_bytes::<32>().to_vec()
    }

    #[test]
    fn decodes_exactly() {
        assert_eq!(decode::<totalAssetsCall>(&word(7)), Ok(U256::from(7)));
        assert_eq!(decode::<totalAssetsCall>(&[]), Err(CallFault::Empty));
        for got in [31, 64] {
            let want = Err(CallFault::WrongLength { expected: 32, got });
            assert_eq!(decode::<totalAssetsCall>(&vec![0; got]), want);
        }
        assert_eq!(decode::<decimalsCall>(&word(18)), Ok(18));
        assert!(matches!(decode::<decimalsCall>(&word(300)), Err(CallFault::Malformed(_))));
        assert!(matches!(decode::<pausedCall>(&word(2)), Err(CallFault::Malformed(_))));
        assert!(matches!(decode::<symbolCall>(&word(1)), Err(CallFault::Malformed(_))));
        let usd = "USD".to_owned();
        assert_eq!(decode::<symbolCall>(&symbolCall::abi_encode_returns(&usd)), Ok(usd));
    }

    #[test]
    fn outcomes_are_read_once() {
        let honest = |count: usize, size: usize| {
            let one = Outcome3 { success: true, returnData: vec![7; size].into() };
            aggregate3Call::abi_encode_returns(&vec![one; count])
        };
        for (count, size) in [(0, 0), (1, 0), (500, 0), (500, 32), (3, 100_000)] {
            assert_eq!(outcomes(&honest(count, size)).map(|all| all.len()), Some(count), "{count} {size}");
        }
        // 360 KB: the offsets of 5,600 elements, all to the last, of 180 KB.
        let (count, size) = (5_600_u64, 180_000_u64);
        let mut bomb = [word(32), word(count)].concat();
        for _ in 0..count {
            bomb.extend(word(32 * count));
        }
        bomb.extend([word(1), word(64), word(size)].concat());
        bomb.resize(bomb.len() + 180_000, 7);
        assert!(outcomes(&bomb).is_none());
    }

    fn reply(outcome: Done) -> BatchReply {
        let block = BlockRef { number: 123, hash: B256::ZERO, timestamp: 0 };
        let (outcomes, endpoint) = (vec![(Address::ZERO, outcome)], "main".to_owned());
        BatchReply { serial: 1, outcomes, facts: Vec::new(), block, endpoint }
    }

    fn handle<C>(serial: u64) -> Handle<C> {
        Handle { serial, index: 0, call: PhantomData }
    }

    fn reverted(reason: Option<&str>) -> Done {
        Err(CallFault::Reverted { reason: reason.map(str::to_owned), data: Bytes::new() })
    }

    #[test]
    fn failures_name_contract_function_and_block() {
        use Code::{NotAContract, Reverted, Rpc};
        let zero = Address::ZERO;
        let wrong = "answered wrongly at block 123: 5 bytes instead of 32, so it is not a vault of this kind";
        for (outcome, code, sentence) in [
            (Ok(Bytes::new()), NotAContract, "answered nothing at block 123: no code there, or not a vault"),
            (Ok(vec![0; 5].into()), NotAContract, wrong),
            (reverted(Some("paused")), Reverted, "reverted at block 123: paused"),
            (reverted(None), Reverted, "reverted at block 123 without a reason"),
            (
                Err(CallFault::Exhausted("out of gas".to_owned())),
                Rpc,
                "was given up at block 123: out of gas",
            ),
        ] {
            let error = reply(outcome).get(handle::<totalAssetsCall>(1)).unwrap_err().into_error("vault");
            assert_eq!(error.code(), code);
            assert_eq!(error.message(), format!("vault {zero} function totalAssets() {sentence}"));
            assert_eq!(error.details()["block"], 123);
        }
    }

    #[test]
    fn optional_functions_may_be_absent_but_not_wrong() {
        let (handle, stray) = (handle::<pausedCall>(1), handle::<pausedCall>(2));
        assert_eq!(reply(reverted(None)).get_optional(handle), Ok(None));
        assert_eq!(reply(Ok(Bytes::new())).get_optional(handle), Ok(None));
        assert_eq!(reply(Ok(word(1).into())).get_optional(handle), Ok(Some(true)));
        assert!(reply(Ok(word(2).into())).get_optional(handle).is_err());
        assert!(reply(Err(CallFault::Exhausted("out of gas".to_owned()))).get_optional(handle).is_err());
        assert_eq!(reply(Ok(word(1).into())).get(stray).unwrap_err().fault, Box::new(CallFault::Stray));
    }
}
