//! What the views of a chain share: its endpoints, what is known of it, and the block that a view is pinned to.

use super::config::{At, ChainConfig, ChosenBy};
use super::fault::{Fault, sort};
use super::peer::Peer;
use super::wire::{self, BY_NUMBER, BlockRef};
use net::Http;
use net::failover::Warnings;
use net::jsonrpc::{Answer, Call};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

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

/// What a view stands on, kept when it fails over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pin {
    pub at: At,
    pub block: BlockRef,
    pub chosen: ChosenBy,
    pub finality: BlockRef,
    pub finality_by: ChosenBy,
}

pub(super) fn by_number(block: impl Into<Value>) -> Call {
    Call::new(BY_NUMBER, Value::Array(vec![block.into(), false.into()]))
}

/// The value of an answer; an error of the server is a fault.
pub(super) fn lasting(
    method: &'static str,
    answer: Option<Answer>,
) -> Result<Box<serde_json::value::RawValue>, Fault> {
    match answer {
        Some(Ok(raw)) => Ok(raw),
        Some(Err(error)) => {
            let sort = sort(method, &error);
            Err(Fault::Rpc { method, error, sort })
        }
        None => Err(Fault::Bad { method, why: "no answer".to_owned() }),
    }
}

pub(super) fn header(method: &'static str, answer: Option<Answer>) -> Result<Option<BlockRef>, Fault> {
    let raw = lasting(method, answer)?;
    wire::header(&raw).map_err(|why| Fault::Bad { method, why })
}
