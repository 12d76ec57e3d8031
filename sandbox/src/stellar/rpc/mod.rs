//! Stellar RPC: one method a function, answering from the chain or from an older view of it.

mod control;
mod events;
mod ledger;
mod simulate;
mod transactions;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use stellar_xdr::{Limits, ReadXdr, WriteXdr};

use super::chain::{Chain, View};
use crate::fault::{Fault, FaultBook};
use crate::http::{RpcError, Service};

/// Depth and length that an XDR value from outside may have.
const LIMITS: Limits = Limits { depth: 500, len: 4 << 20 };

/// The chain and what the RPC methods need beside it.
pub(crate) struct Node {
    chain: Mutex<Chain>,
    faults: FaultBook,
    /// Requests so far.
    pub(crate) requests: AtomicU64,
    /// Whether a simulation lets the call restore archived entries, rather than saying they must be restored first.
    pub(crate) auto_restore: bool,
    /// The farm's asset and contract, once they are deployed, for the control methods.
    pub(crate) farm: Mutex<Option<super::Farm>>,
}

impl Node {
    pub(crate) fn new(chain: Chain, auto_restore: bool) -> Self {
        let (faults, requests) = (FaultBook::default(), AtomicU64::new(0));
        Self { chain: Mutex::new(chain), faults, requests, auto_restore, farm: Mutex::new(None) }
    }

    /// The chain, alone for the caller. A thread that died over it has left a whole ledger behind: states are replaced
    /// at the end of a ledger only.
    pub(crate) fn chain(&self) -> MutexGuard<'_, Chain> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn view(&self, fault: Option<&Fault>) -> Result<View, RpcError> {
        let back = if let Some(Fault::StaleLedger(back)) = fault { *back } else { 0 };
        self.chain().view(back).map_err(internal)
    }
}

impl Service for Node {
    fn call(&self, method: &str, params: &Value, fault: Option<&Fault>) -> Result<Value, RpcError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let view = self.view(fault)?;
        let mut answer = match method {
            "getHealth" => ledger::health(self, &view),
            "getNetwork" => Ok(ledger::network(self)),
            "getVersionInfo" => Ok(ledger::version_info()),
            "getLatestLedger" => ledger::latest(self, &view),
            "getLedgers" => ledger::list(self, &view, params),
            "getLedgerEntries" => ledger::entries(&view, params),
            "getFeeStats" => Ok(ledger::fee_stats(self, &view)),
            "simulateTransaction" => simulate::simulate(self, &view, params),
            "sendTransaction" => transactions::send(self, &view, params, fault),
            "getTransaction" => transactions::get(self, &view, params),
            "getTransactions" => transactions::list(self, &view, params),
            "getEvents" => events::events(self, &view, params),
            _ if method.starts_with("sandbox_") => control::call(self, method, params),
            _ => Err(RpcError::new(-32601, format!("method not found: {method}"))),
        }?;
        if fault == Some(&Fault::BadXdr) {
            garble(&mut answer);
        }
        Ok(answer)
    }

    fn faults(&self) -> &FaultBook {
        &self.faults
    }
}

/// Breaks every encoded value of an answer, so that its base64 still decodes and its XDR does not.
fn garble(answer: &mut Value) {
    match answer {
        Value::Object(fields) => {
            for (name, value) in fields {
                let is_encoded =
                    name.ends_with("Xdr") || matches!(name.as_str(), "xdr" | "transactionData" | "value");
                match value {
                    Value::String(text) if is_encoded => "/////w==".clone_into(text),
                    _ => garble(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(garble),
        _ => {}
    }
}

fn internal(error: impl std::fmt::Display) -> RpcError {
    RpcError::internal(error.to_string())
}

fn encode(value: &impl WriteXdr) -> Result<String, RpcError> {
    value.to_xdr_base64(Limits::none()).map_err(internal)
}

fn decode<T: ReadXdr>(text: &str) -> Option<T> {
    T::from_xdr_base64(text, LIMITS).ok()
}

/// The answers are in XDR only; the format that asks for JSON is refused rather than ignored.
fn check_format(params: &Value) -> Result<(), RpcError> {
    match params.get("xdrFormat").and_then(Value::as_str) {
        None | Some("" | "base64") => Ok(()),
        Some(format) => Err(RpcError::params(format!("unsupported xdrFormat: {format}"))),
    }
}

/// A 32-byte hash in hexadecimal.
fn parse_hash(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (place, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(hash)
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
