//! One endpoint while a body of work runs on it: the methods of Stellar RPC.

use super::fault::Fault;
use super::newest::Said;
use super::pace::LedgerPace;
use super::peer::{Inner, LATEST, Peer};
use super::replies::{Entry, EventPage, FeeStats, Health, Ledger, Lookup, Sent, Simulation};
use super::wire::{self, Unread, encode};
use super::xdr::{LedgerKey, TransactionEnvelope};
use base::{Code, Error, Result};
use net::asker::Patience;
use net::jsonrpc::Call;
use net::retry;
use serde_json::json;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Keys that one `getLedgerEntries` takes.
const MOST_KEYS: usize = 200;

/// One endpoint of the pinned network. A fault of it breaks the view: everything asked of it fails from then on, and
/// [`super::Client::view`] begins anew at the next endpoint.
#[derive(Debug)]
pub struct View {
    inner: Arc<Inner>,
    peer: Arc<Peer>,
    ledger: Ledger,
    broken: Mutex<Option<Fault>>,
}

/// Entries that were found, and as of which ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entries {
    /// The newest ledger when they were read; where several requests were needed, that of the first.
    pub ledger: u32,
    /// What exists, by its key.
    pub found: BTreeMap<LedgerKey, Entry>,
}

/// Which events to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// From this ledger on; not together with a cursor.
    pub start: Option<u32>,
    /// Up to this ledger, which is not included.
    pub end: Option<u32>,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// Of these contracts, `C…`; at most five.
    pub contracts: Vec<String>,
    /// Topic filters: each a list of base64 `ScVal`s, `*` for any one, `**` at the end for any rest.
    pub topics: Vec<Vec<String>>,
    /// At most so many.
    pub limit: u32,
}

impl View {
    pub(super) fn new(inner: Arc<Inner>, peer: Arc<Peer>, ledger: Ledger) -> Self {
        Self { inner, peer, ledger, broken: Mutex::new(None) }
    }

    /// The newest ledger as the view was opened.
    pub fn ledger(&self) -> Ledger {
        self.ledger
    }

    /// The name of the endpoint.
    pub fn endpoint(&self) -> &str {
        self.peer.asker.name()
    }

    pub(super) fn into_fault(self) -> Option<Fault> {
        self.broken.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// `getLatestLedger`.
    pub async fn latest(&self) -> Result<Ledger> {
        let call = Call::new(LATEST, json!({}));
        self.read(call, |raw| wire::latest_ledger(raw).map(|l| (l.into(), l))).await
    }

    /// `getHealth`.
    pub async fn health(&self) -> Result<Health> {
        let call = Call::new("getHealth", json!({}));
        self.read(call, |raw| wire::health(raw).map(|h| (h.latest_ledger.into(), h))).await
    }

    /// `getFeeStats`.
    pub async fn fee_stats(&self) -> Result<FeeStats> {
        let call = Call::new("getFeeStats", json!({}));
        self.read(call, |raw| wire::fee_stats(raw).map(|f| (f.latest_ledger.into(), f))).await
    }

    /// `getLedgerEntries`, as many requests of 200 keys as it takes, in one HTTP request where the server takes
    /// batches. Temporary entries that have expired are absent; archived ones are there with the ledger they ended in.
    pub async fn entries(&self, keys: impl IntoIterator<Item = LedgerKey>) -> Result<Entries> {
        const METHOD: &str = "getLedgerEntries";
        let keys: Vec<LedgerKey> = keys.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let texts: Vec<String> =
            keys.iter().map(encode).collect::<Result<_, _>>().map_err(|e| unencodable(&e))?;
        let calls: Vec<Call> = texts
            .chunks(MOST_KEYS)
            .map(|texts| Call::new(METHOD, json!({ "keys": texts, "xdrFormat": "base64" })))
            .collect();
        let read = |place: usize, raw: &RawValue| {
            let at = place * MOST_KEYS;
            let chunk = keys.iter().skip(at).take(MOST_KEYS).cloned().collect::<Vec<_>>();
            let end = (at + MOST_KEYS).min(texts.len());
            let (ledger, found) = wire::entries(raw, &chunk, texts.get(at..end).unwrap_or_default())?;
            Ok((ledger.into(), (ledger, chunk.into_iter().zip(found).collect::<Vec<_>>())))
        };
        let chunks = self.read_all(&calls, read).await?;
        let ledger = chunks.iter().map(|(ledger, _)| *ledger).min().unwrap_or(self.ledger.sequence);
        let found = chunks.into_iter().flat_map(|(_, found)| found);
        Ok(Entries { ledger, found: found.filter_map(|(key, entry)| Some((key, entry?))).collect() })
    }

    /// `simulateTransaction`: tries it on the newest ledger. That a call fails is an outcome, not an error.
    ///
    /// Errors: `rpc_error` where the server refuses this transaction.
    pub async fn simulate(&self, envelope: &TransactionEnvelope) -> Result<Simulation> {
        let text = encode(envelope).map_err(|e| unencodable(&e))?;
        let call = Call::new("simulateTransaction", json!({ "transaction": text, "xdrFormat": "base64" }));
        let mut simulation =
            self.read(call, |raw| wire::simulation(raw).map(|s| (s.ledger.into(), s))).await?;
        if let Err(refusal) = &mut simulation.outcome {
            refusal.words = self.peer.asker.redactor().clean(&refusal.words);
        }
        Ok(simulation)
    }

    /// `sendTransaction`, once: whatever goes wrong, the same bytes may be sent again.
    ///
    /// Errors: `rpc_error` where the server refuses this transaction.
    pub(super) async fn send(&self, envelope: &str, hash: &str) -> Result<Sent> {
        const METHOD: &str = "sendTransaction";
        self.whole()?;
        let call = Call::new(METHOD, json!({ "transaction": envelope, "xdrFormat": "base64" }));
        let answers = self.peer.asker.ask(&[call], Patience::Once).await;
        let answers = answers.map_err(|unanswered| self.fail(unanswered.into()))?;
        let answer = answers.into_iter().next();
        self.peer.value(METHOD, answer, |raw| wire::sent(raw, hash)).map_err(|f| self.fail(f))
    }

    /// `getTransaction` for each hash (lower-case hex), in as few HTTP requests as the server takes. An answer that
    /// cannot be read is an error of that one only.
    pub async fn transactions(&self, hashes: &[String]) -> Result<Vec<Result<Lookup>>> {
        const METHOD: &str = "getTransaction";
        self.whole()?;
        let calls: Vec<Call> = hashes
            .iter()
            .map(|hash| Call::new(METHOD, json!({ "hash": hash, "xdrFormat": "base64" })))
            .collect();
        let lookups = retry(&self.inner.config.retry, Fault::may_pass, async || {
            let asked = self.inner.asking();
            let answers = self.peer.asker.ask(&calls, Patience::Retry).await?;
            let newer = self.peer.newer();
            let read = |answer| self.peer.value(METHOD, Some(answer), |raw| wire::lookup(raw, newer));
            let mut lookups: Vec<Result<Lookup, Fault>> = answers.into_iter().map(read).collect();
            for lookup in lookups.iter().flatten() {
                match self.inner.hear(&self.peer, lookup.latest, asked) {
                    // That it was found is so in a server that is behind, too.
                    Err(Fault::Stale { .. }) if lookup.found.is_some() => {}
                    heard => heard?,
                }
            }
            if !lookups.is_empty() && lookups.iter().all(Result::is_err) {
                // Nothing readable at all: another endpoint may do better.
                return lookups.swap_remove(0).map(|_| Vec::new());
            }
            Ok(lookups)
        });
        let lookups = lookups.await.map_err(|fault| self.fail(fault))?;
        if let Some(fault) = self.inner.stuck() {
            return Err(self.fail(fault));
        }
        let redactor = self.peer.asker.redactor();
        let failed = |fault: Fault| fault.cleaned(redactor).into_error(self.endpoint());
        Ok(lookups.into_iter().map(|lookup| lookup.map_err(failed)).collect())
    }

    /// How fast ledgers close, between the oldest and the newest that the endpoint can tell of.
    pub async fn pace(&self) -> Result<LedgerPace> {
        // No transaction has this hash: what counts is what any answer names beside one.
        let lookup = self.transactions(&["0".repeat(64)]).await?.into_iter().next();
        let none = || self.fail(Fault::Bad { method: "getTransaction", why: "no answer".to_owned() });
        lookup.ok_or_else(none)?.map(|lookup| LedgerPace::between(lookup.oldest, lookup.latest))
    }

    /// `getEvents`: one page.
    ///
    /// Errors: `rpc_error` where the server refuses the query, such as for a ledger that it no longer keeps.
    pub async fn events(&self, query: &EventQuery) -> Result<EventPage> {
        let mut filter = json!({ "type": "contract" });
        if !query.contracts.is_empty() {
            filter["contractIds"] = json!(query.contracts);
        }
        if !query.topics.is_empty() {
            filter["topics"] = json!(query.topics);
        }
        let mut params = json!({ "filters": [filter], "pagination": {}, "xdrFormat": "base64" });
        if query.limit > 0 {
            params["pagination"]["limit"] = json!(query.limit);
        }
        match &query.cursor {
            Some(cursor) => params["pagination"]["cursor"] = json!(cursor),
            None => params["startLedger"] = json!(query.start.unwrap_or(self.ledger.sequence)),
        }
        if let Some(end) = query.end {
            params["endLedger"] = json!(end);
        }
        let call = Call::new("getEvents", params);
        self.read(call, |raw| wire::events(raw).map(|e| (e.latest_ledger.into(), e))).await
    }

    async fn read<T>(&self, call: Call, read: impl Fn(&RawValue) -> Result<(Said, T), Unread>) -> Result<T> {
        let method = call.method;
        let values = self.read_all(&[call], |_, raw| read(raw)).await?;
        let missing = || self.fail(Fault::Bad { method, why: "no answer".to_owned() });
        values.into_iter().next().ok_or_else(missing)
    }

    /// Asks everything and reads each answer, which names the ledger that it is as of. Answers from a ledger below
    /// what this run has seen, or the view began at, are asked for again.
    async fn read_all<T>(
        &self,
        calls: &[Call],
        read: impl Fn(usize, &RawValue) -> Result<(Said, T), Unread>,
    ) -> Result<Vec<T>> {
        self.whole()?;
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let values = retry(&self.inner.config.retry, Fault::may_pass, async || {
            let asked = self.inner.asking();
            let answers = self.peer.asker.ask(calls, Patience::Retry).await?;
            let mut values = Vec::with_capacity(calls.len());
            for (place, (call, answer)) in calls.iter().zip(answers).enumerate() {
                let (said, found) = self.peer.value(call.method, Some(answer), |raw| read(place, raw))?;
                self.inner.hear(&self.peer, said, asked)?;
                // The view's own ledger may have been given up since: nothing is read beside it then.
                if said.sequence < self.ledger.sequence {
                    return Err(Fault::Stale { ledger: said.sequence, seen: self.ledger.sequence });
                }
                values.push(found);
            }
            Ok(values)
        });
        values.await.map_err(|fault| self.fail(fault))
    }

    /// Breaks the view, unless the server merely refused what was asked: its first fault is the one that counts.
    fn fail(&self, fault: Fault) -> Error {
        if fault.is_refusal() {
            return fault.into_error(self.endpoint());
        }
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = fault.cleaned(self.peer.asker.redactor());
        broken.get_or_insert(fault).clone().into_error(self.endpoint())
    }

    /// Fails at once on a broken view.
    fn whole(&self) -> Result<()> {
        let broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        broken.clone().map_or(Ok(()), |fault| Err(fault.into_error(self.endpoint())))
    }
}

impl Entries {
    /// An entry, if it exists.
    pub fn get(&self, key: &LedgerKey) -> Option<&Entry> {
        self.found.get(key)
    }
}

fn unencodable(why: &str) -> Error {
    Error::new(Code::InvalidValue, format!("this cannot be encoded for the network: {why}"))
}
