//! What the views of a chain share: its endpoints, what is known of them, and the block that a view is pinned to.

use super::config::{At, ChainConfig, ChosenBy};
use super::fault::{Fault, Sort, sort};
use super::wire::{self, BY_NUMBER, BlockRef};
use net::Http;
use net::asker::{Asker, Standing};
use net::failover::Warnings;
use net::jsonrpc::{Answer, Call, Client, RpcError};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub(super) struct Inner {
    pub config: ChainConfig,
    pub http: Arc<Http>,
    pub peers: Vec<Arc<Peer>>,
    pub warnings: Warnings,
    /// Tags that the chain has shown, in this run or an earlier one.
    pub tags: Mutex<BTreeSet<String>>,
    /// No endpoint shows a tag that this chain was never seen to have: blocks are counted instead.
    pub counts: AtomicBool,
}

impl Inner {
    pub fn tags(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.tags.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An endpoint, and what this process knows of it.
#[derive(Debug)]
pub(super) struct Peer {
    pub asker: Asker,
    /// Calls per multicall that the server managed.
    pub chunk: AtomicUsize,
    /// Its chain id was compared with the pin.
    pub checked: AtomicBool,
    /// Multicall3 has code from this block on.
    pub multicall_from: AtomicU64,
    /// Blocks per query of logs that it answered after it had refused more; 0 = it has refused nothing.
    pub log_width: AtomicU64,
}

impl Peer {
    /// `log_width` as an earlier run learned it, 0 where it learned nothing.
    pub fn new(client: Client, config: &ChainConfig, log_width: u64) -> Self {
        Self {
            asker: Asker::new(client, config.retry, config.batch, standing),
            chunk: AtomicUsize::new(config.multicall_chunk.max(1)),
            checked: AtomicBool::new(false),
            multicall_from: AtomicU64::new(u64::MAX),
            log_width: AtomicU64::new(log_width),
        }
    }

    pub fn name(&self) -> &str {
        self.asker.name()
    }
}

fn standing(method: &str, error: &RpcError) -> Standing {
    match sort(method, error) {
        Sort::RateLimited | Sort::Transient | Sort::NoBlock => Standing::Passes,
        Sort::Reverted => Standing::Final,
        Sort::TooMuch | Sort::Pruned | Sort::Other => Standing::Doubtful,
    }
}

/// What a view stands on, kept when it fails over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pin {
    pub at: At,
    pub block: BlockRef,
    pub chosen: ChosenBy,
    pub finality: BlockRef,
    pub finality_by: ChosenBy,
}

const BY_HASH: &str = "eth_getBlockByHash";

pub(super) fn by_number(block: impl Into<Value>) -> Call {
    Call::new(BY_NUMBER, json!([block.into(), false]))
}

/// Reads an answer; an error of the server is a fault.
pub(super) fn value<T>(method: &'static str, answer: Option<Answer>, read: Read<T>) -> Result<T, Fault> {
    match answer {
        Some(Ok(raw)) => read(&raw).map_err(|why| Fault::Bad { method, why }),
        Some(Err(error)) => Err(Fault::rpc(method, error)),
        None => Err(Fault::bad(method, "no answer")),
    }
}

/// Reads what a method answers.
pub(super) type Read<T> = fn(&RawValue) -> Result<T, String>;

/// The header that a call of [`by_number`] is answered with.
pub(super) fn header(answer: Option<Answer>) -> Result<Option<BlockRef>, Fault> {
    value(BY_NUMBER, answer, wire::header)
}

/// The calls that tell whether a block is there, by its hash and by its height.
pub(super) fn looks(block: BlockRef) -> [Call; 2] {
    [Call::new(BY_HASH, json!([block.hash, false])), by_number(wire::hex(block.number))]
}

/// Whether their answers say that it is.
pub(super) fn is_there(block: BlockRef, answers: &mut impl Iterator<Item = Answer>) -> Result<bool, Fault> {
    let by_hash = value(BY_HASH, answers.next(), wire::header)?;
    let found = [by_hash, header(answers.next())?];
    Ok(found.iter().all(|found| found.is_some_and(|found| found.hash == block.hash)))
}
