//! What the views of a network share: its endpoints, and the newest ledger that is believed.

use super::fault::Fault;
use super::newest::{Inquiry, Newest, Refused, Said, Voice};
use super::protocol::Newer;
use super::replies::Ledger;
use super::wire::{self, Unread};
use base::{Endpoint, Result};
use net::asker::Asker;
use net::failover::Warnings;
use net::jsonrpc::Answer;
use net::{Http, HttpLimits, RetryPolicy};
use serde_json::value::RawValue;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long an endpoint may show no new ledger while there is another to ask; a ledger takes some five seconds.
const STUCK: Duration = Duration::from_secs(30);

/// What a profile says about its network.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// The profile's name, for errors.
    pub profile: String,
    /// The pinned network.
    pub passphrase: String,
    /// Endpoints, the preferred one first.
    pub endpoints: Vec<Endpoint>,
    /// Limits on each HTTP exchange.
    pub http: HttpLimits,
    /// How one endpoint is asked again.
    pub retry: RetryPolicy,
    /// Calls per JSON-RPC batch; 1 = no batches.
    pub batch: usize,
}

impl ClientConfig {
    /// The defaults for a profile's network.
    pub fn new(profile: impl Into<String>, passphrase: impl Into<String>, endpoints: Vec<Endpoint>) -> Self {
        Self {
            profile: profile.into(),
            passphrase: passphrase.into(),
            endpoints,
            http: HttpLimits::default(),
            retry: RetryPolicy::default(),
            batch: 20,
        }
    }
}

#[derive(Debug)]
pub(super) struct Inner {
    pub config: ClientConfig,
    pub network_id: [u8; 32],
    pub http: Arc<Http>,
    pub peers: Vec<Arc<Peer>>,
    pub warnings: Warnings,
    /// The newest ledger that is believed.
    pub newest: Mutex<Newest>,
    /// From when its times count.
    pub began: Instant,
}

/// An endpoint, and what this process knows of it.
#[derive(Debug)]
pub(super) struct Peer {
    pub asker: Asker,
    pub voice: Voice,
    /// Its passphrase was compared with the pin, and is the same.
    pub checked: AtomicBool,
    /// The protocol that it named last; 0 = none yet.
    pub protocol: AtomicU32,
}

impl Inner {
    fn newest(&self) -> MutexGuard<'_, Newest> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn seen(&self) -> Option<Ledger> {
        self.newest().ledger()
    }

    /// What an answer to a question that is asked now is held against.
    pub fn asking(&self) -> Inquiry {
        self.newest().ask(self.began.elapsed())
    }

    /// Takes what an answer of this endpoint says of the newest ledger.
    pub fn hear(&self, peer: &Peer, said: impl Into<Said>, asked: Inquiry) -> Result<(), Fault> {
        let said = said.into();
        let heard = self.newest().hear(peer.voice, said, asked, self.began.elapsed());
        heard.map_err(|refused| match refused {
            Refused::Behind(seen) => Fault::Stale { ledger: said.sequence, seen },
            Refused::Beyond(seen) => Fault::Beyond { ledger: said.sequence, seen },
        })
    }

    /// Whether no new ledger has come for so long that another endpoint, if there is one, may know more.
    pub fn stuck(&self) -> Option<Fault> {
        let ledger = self.newest().stands_still(STUCK, self.began.elapsed());
        let ledger = ledger.filter(|_| self.peers.len() > 1)?;
        Some(Fault::Stuck { ledger: ledger.sequence })
    }
}

pub(super) const NETWORK: &str = "getNetwork";
pub(super) const LATEST: &str = "getLatestLedger";

impl Peer {
    /// Reads one answer; an error of the server is a fault.
    pub fn value<T>(
        &self,
        method: &'static str,
        answer: Option<Answer>,
        read: impl FnOnce(&RawValue) -> Result<T, Unread>,
    ) -> Result<T, Fault> {
        let raw = match answer {
            Some(Ok(raw)) => raw,
            Some(Err(error)) => return Err(Fault::Rpc { method, error }),
            None => return Err(Fault::Bad { method, why: "no answer".to_owned() }),
        };
        if matches!(method, LATEST | NETWORK)
            && let Some(protocol) = wire::protocol(&raw)
        {
            self.protocol.store(protocol, Ordering::Relaxed);
        }
        read(&raw).map_err(|Unread { why, undecoded }| match self.newer().filter(|_| undecoded) {
            Some(newer) => Fault::Newer { method, why, newer },
            None => Fault::Bad { method, why },
        })
    }

    /// The network's protocol, where this endpoint names a newer one than this build knows.
    pub fn newer(&self) -> Option<Newer> {
        Newer::than_known(self.protocol.load(Ordering::Relaxed))
    }
}
