//! The pinned view: every read by one block's hash, on one endpoint, with one way to notice that the block is gone.

use super::config::{At, ChosenBy};
use super::fault::{Fault, Sort};
use super::peer::{Inner, Peer, Pin, Read, by_number, header, is_there, looks, value};
use super::wire::{self, BY_NUMBER, BlockRef, EventLog, Receipt};
use alloy::primitives::{Address, B256, Bytes, U256};
use base::{Code, Error, Result, say};
use net::asker::Patience;
use net::jsonrpc::{Answer, Call};
use serde_json::json;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

const OTHER_RECEIPT: &str = "the receipt of another transaction";

/// What a node knows of a transaction, as far as the view reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mined {
    /// No block up to the view's has it.
    Unknown,
    /// It is in a block above the view's.
    Later {
        /// Height of that block.
        number: u64,
    },
    /// It is in the view.
    Included(Receipt),
}

/// One consistent view of the chain. Made by `Chain::view` only.
///
/// After a read failed for the endpoint's sake, all later reads of the same view fail alike, and the view moves
/// to the next endpoint whatever its body makes of the error.
#[derive(Debug)]
pub struct PinnedView {
    pub(super) chain: Arc<Inner>,
    pub(super) peer: Arc<Peer>,
    pub(super) pin: Pin,
    broken: Mutex<Option<Fault>>,
}

impl PinnedView {
    pub(super) fn new(chain: Arc<Inner>, peer: Arc<Peer>, pin: Pin) -> Self {
        Self { chain, peer, pin, broken: Mutex::new(None) }
    }

    pub(super) fn into_fault(self) -> Option<Fault> {
        self.broken.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// The block that every read is made at.
    pub fn block(&self) -> BlockRef {
        self.pin.block
    }

    /// By what the block was found.
    pub fn chosen_by(&self) -> ChosenBy {
        self.pin.chosen
    }

    /// The name of the endpoint that answers.
    pub fn endpoint(&self) -> &str {
        self.peer.name()
    }

    /// Whether its block was asked for by its height.
    pub fn is_by_height(&self) -> bool {
        matches!(self.pin.at, At::Number(_))
    }

    /// The last final block when the view's block was chosen, never above the view's block.
    pub fn final_block(&self) -> BlockRef {
        self.pin.finality
    }

    /// By what the final block was found: where the chain has no `finalized` tag, by counting confirmations.
    pub fn final_by(&self) -> ChosenBy {
        self.pin.finality_by
    }

    /// The same two for people and programs: `finalized`, `safe`, `latest`, `number`, or `head-64` where the chain has
    /// no such tag.
    pub fn chosen_words(&self) -> (String, String) {
        let tag = match self.pin.at {
            At::Number(_) => "number".to_owned(),
            at => at.to_string(),
        };
        (self.pin.chosen.words(&tag), self.pin.finality_by.words("finalized"))
    }

    /// The code of an address; empty where there is none.
    pub async fn code(&self, address: Address) -> Result<Bytes> {
        Ok(self.codes(&[address]).await?.into_iter().next().unwrap_or_default())
    }

    /// The code of each address, in their order.
    pub async fn codes(&self, addresses: &[Address]) -> Result<Vec<Bytes>> {
        let pin = wire::pinned(self.pin.block.hash);
        let calls: Vec<_> = addresses.iter().map(|a| Call::new("eth_getCode", json!([a, pin]))).collect();
        self.read(&calls, wire::data).await
    }

    /// The balance of an address in wei.
    pub async fn balance(&self, address: Address) -> Result<U256> {
        let call = Call::new("eth_getBalance", json!([address, wire::pinned(self.pin.block.hash)]));
        self.read_one(call, wire::quantity).await
    }

    /// The code of an address at an earlier block of the view's chain; `number` is at most the view's.
    ///
    /// Needs an endpoint that keeps old state, else fails with a hint that says so.
    pub async fn code_at(&self, address: Address, number: u64) -> Result<Bytes> {
        self.not_above(number)?;
        self.read_pinned(Call::new("eth_getCode", json!([address, wire::hex(number)])), wire::data).await
    }

    /// Blocks of the view's chain by height, each at most the view's, in the given order.
    pub async fn blocks_by_number(&self, numbers: &[u64]) -> Result<Vec<BlockRef>> {
        for &number in numbers {
            self.not_above(number)?;
        }
        let found = numbers.iter().zip(self.canonical(numbers).await?);
        found.map(|(&number, block)| block.ok_or_else(|| self.fail(Fault::UnknownBlock { number }))).collect()
    }

    /// Blocks of the view's chain by height, each at most the view's, each asked for once.
    pub async fn blocks_of(&self, numbers: impl IntoIterator<Item = u64>) -> Result<HashMap<u64, BlockRef>> {
        const PER_ROUND: usize = 1_000;
        let numbers: Vec<u64> = numbers.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let mut found = HashMap::with_capacity(numbers.len());
        for chunk in numbers.chunks(PER_ROUND) {
            found.extend(self.blocks_by_number(chunk).await?.into_iter().map(|block| (block.number, block)));
        }
        Ok(found)
    }

    /// Whether the endpoint's chain has that block now. Unlike the other reads it may be asked of heights above
    /// the view's block, where a block that does not exist is not canonical.
    pub async fn is_canonical(&self, number: u64, hash: B256) -> Result<bool> {
        let found = self.canonical(&[number]).await?;
        Ok(found.first().copied().flatten().is_some_and(|block| block.hash == hash))
    }

    /// What became of a transaction.
    pub async fn receipt(&self, tx: B256) -> Result<Mined> {
        let method = "eth_getTransactionReceipt";
        match self.read_pinned(Call::new(method, json!([tx])), wire::receipt).await? {
            None => Ok(Mined::Unknown),
            Some(found) if found.tx_hash != tx => Err(self.fail(Fault::bad(method, OTHER_RECEIPT))),
            Some(found) if found.block_number > self.pin.block.number => {
                Ok(Mined::Later { number: found.block_number })
            }
            Some(found) => Ok(Mined::Included(found)),
        }
    }

    /// The events of transactions by their receipts, with those that the endpoint has none of left out: another way to an event
    /// than through the index of logs. Whose block they are of is for the caller to compare.
    pub async fn logs_by_receipts(&self, txs: &BTreeSet<B256>) -> Result<Vec<EventLog>> {
        let method = "eth_getTransactionReceipt";
        let calls: Vec<Call> = txs.iter().map(|tx| Call::new(method, json!([tx]))).collect();
        let receipts = self.read(&calls, wire::receipt).await?;
        let known = receipts.into_iter().zip(txs).filter_map(|(receipt, tx)| Some((receipt?, tx)));
        let other = || self.fail(Fault::bad(method, OTHER_RECEIPT));
        let logs = known.map(|(found, tx)| if found.tx_hash == *tx { Ok(found.logs) } else { Err(other()) });
        Ok(logs.collect::<Result<Vec<_>>>()?.concat())
    }

    /// Whether the endpoint has heard of a transaction, mined or waiting to be.
    pub async fn knows(&self, tx: B256) -> Result<bool> {
        let method = "eth_getTransactionByHash";
        match self.read_one(Call::new(method, json!([tx])), wire::transaction).await? {
            None => Ok(false),
            Some(found) if found == tx => Ok(true),
            Some(_) => Err(self.fail(Fault::bad(method, "another transaction than asked"))),
        }
    }

    /// The endpoint's canonical blocks of some heights, in one round trip with a check that the view's block is
    /// among them still.
    pub async fn canonical(&self, numbers: &[u64]) -> Result<Vec<Option<BlockRef>>> {
        let mut calls: Vec<_> = numbers.iter().map(|&n| by_number(wire::hex(n))).collect();
        calls.push(self.pin_check());
        let mut answers = self.ask(&calls).await?.into_iter();
        let mut found = Vec::with_capacity(numbers.len());
        for &number in numbers {
            let block = self.value(BY_NUMBER, answers.next(), wire::header).await?;
            if block.is_some_and(|block| block.number != number) {
                return Err(self.fail(Fault::bad(BY_NUMBER, "another block than asked")));
            }
            found.push(block);
        }
        self.still_pinned(answers.next())?;
        Ok(found)
    }

    pub(super) fn chain_id(&self) -> u64 {
        self.chain.config.chain_id
    }

    /// The call whose answer tells whether the view's block is canonical; it goes with every read by height.
    pub(super) fn pin_check(&self) -> Call {
        by_number(wire::hex(self.pin.block.number))
    }

    /// Reads the answer to [`PinnedView::pin_check`].
    pub(super) fn still_pinned(&self, answer: Option<Answer>) -> Result<()> {
        match header(answer) {
            Ok(Some(block)) if block.hash == self.pin.block.hash => Ok(()),
            Ok(_) => Err(self.fail(Fault::LostPin)),
            Err(fault) => Err(self.fail(fault)),
        }
    }

    /// Asks the view's endpoint; a fault breaks the view.
    pub(super) async fn ask(&self, calls: &[Call]) -> Result<Vec<Answer>> {
        match self.try_ask(calls, Patience::Retry).await? {
            Ok(answers) => Ok(answers),
            Err(fault) => Err(self.give_up(fault).await),
        }
    }

    /// Asks the view's endpoint; the caller decides about the fault. Fails at once on a broken view.
    pub(super) async fn try_ask(
        &self,
        calls: &[Call],
        patience: Patience,
    ) -> Result<std::result::Result<Vec<Answer>, Fault>> {
        if let Some(fault) = &*self.broken.lock().unwrap_or_else(PoisonError::into_inner) {
            return Err(fault.clone().into_error(self.endpoint()));
        }
        Ok(self.peer.asker.ask(calls, patience).await.map_err(Fault::from))
    }

    /// Breaks the view: its first fault is the one that counts.
    pub(super) fn fail(&self, fault: Fault) -> Error {
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        broken.get_or_insert(fault.cleaned(self.peer.asker.redactor())).clone().into_error(self.endpoint())
    }

    /// Breaks the view; on an error of the node it asks first whether the block is gone, which no error code tells.
    pub(super) async fn give_up(&self, fault: Fault) -> Error {
        if let Fault::Rpc { method, error, sort: sort @ (Sort::Other | Sort::Pruned | Sort::NoBlock) } =
            &fault
        {
            match self.is_pinned().await {
                Ok(true) => {}
                Ok(false) => return self.fail(Fault::LostPin),
                Err(error) => return error,
            }
            if *sort == Sort::Other && self.takes_heights_only().await {
                return self.fail(Fault::NoBlockHash { method, error: error.clone() });
            }
        }
        self.fail(fault)
    }

    /// Whether the view's block is canonical still, and known by its hash.
    pub(super) async fn is_pinned(&self) -> Result<bool> {
        let block = self.pin.block;
        let asked = self.peer.asker.ask(&looks(block), Patience::Retry).await.map_err(Fault::from);
        let found = asked.and_then(|answers| is_there(block, &mut answers.into_iter()));
        found.map_err(|fault| self.fail(fault))
    }

    /// Whether the endpoint answers for a block by its height and not by its hash (EIP-1898).
    async fn takes_heights_only(&self) -> bool {
        let BlockRef { number, hash, .. } = self.pin.block;
        let at = |block| Call::new("eth_getBalance", json!([Address::ZERO, block]));
        let calls = [at(wire::pinned(hash)), at(wire::hex(number))];
        let answers = self.peer.asker.ask(&calls, Patience::Once).await.unwrap_or_default();
        matches!(answers.as_slice(), [Err(_), Ok(_)])
    }

    /// Reads one answer; anything but a readable value breaks the view.
    pub(super) async fn value<T>(
        &self,
        method: &'static str,
        answer: Option<Answer>,
        read: Read<T>,
    ) -> Result<T> {
        match value(method, answer, read) {
            Ok(value) => Ok(value),
            Err(fault) => Err(self.give_up(fault).await),
        }
    }

    pub(super) async fn read<T>(&self, calls: &[Call], read: Read<T>) -> Result<Vec<T>> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let answers = self.ask(calls).await?;
        let mut values = Vec::with_capacity(calls.len());
        for (call, answer) in calls.iter().zip(answers) {
            values.push(self.value(call.method, Some(answer), read).await?);
        }
        Ok(values)
    }

    pub(super) async fn read_one<T>(&self, call: Call, read: Read<T>) -> Result<T> {
        let method = call.method;
        let answer = self.ask(&[call]).await?.into_iter().next();
        self.value(method, answer, read).await
    }

    /// Reads what is asked for by a height, while the view's block is canonical.
    pub(super) async fn read_pinned<T>(&self, call: Call, read: Read<T>) -> Result<T> {
        let method = call.method;
        let mut answers = self.ask(&[call, self.pin_check()]).await?.into_iter();
        let value = self.value(method, answers.next(), read).await?;
        self.still_pinned(answers.next())?;
        Ok(value)
    }

    pub(super) fn not_above(&self, number: u64) -> Result<()> {
        let top = self.pin.block.number;
        if number > top {
            let why = format!("block {number} is above the view's block {top}");
            return Err(Error::new(Code::InvalidValue, why)
                .hint(say("read at a later block, as with ").with("at").of("latest")));
        }
        Ok(())
    }
}
